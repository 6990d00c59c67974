//! Charts into archives, as `helm package` writes them.

use std::io::Write as _;

use flate2::{Compression, GzBuilder};
use serde::Serialize;

use crate::error::Error;
use crate::file::File;
use crate::load::Chart;
use crate::time::Time;
use crate::values::{Table, to_value};

/// A chart as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// `NAME-VERSION.tgz`
    pub name: String,
    /// A gzipped tar file. Unpacked it is Helm's to the byte; Go compresses in another way.
    pub bytes: Vec<u8>,
}

/// The field by which Helm marks its archives, in the gzip header.
const MARK: &[u8] = b"rr\x28\x00aHR0cHM6Ly95b3V0dS5iZS96OVV6MWljandyTQo=";

impl Chart {
    /// Replaces the default values, in `values.yaml` too. Without any the file is empty.
    ///
    /// # Errors
    /// A chart without `values.yaml`.
    pub fn set_default_values(&mut self, values: Table) -> Result<(), Error> {
        let missing = || Error::Values("failed to locate values file: values.yaml".to_owned());
        let file = self.values_file.as_mut().ok_or_else(missing)?;
        let text = if values.is_empty() { String::new() } else { yaml(&values)? };
        file.data = text.as_bytes().into();
        self.values = (&values).into();
        Ok(())
    }

    /// Packs a chart with its sub-charts. Files without a time of their own get `now`.
    ///
    /// # Errors
    /// A chart that Helm would refuse to load, or a schema that is no JSON.
    pub fn package(&self, now: Time) -> Result<Package, Error> {
        self.metadata.clone().validate().map_err(|error| match error {
            Error::Metadata(problem) => Error::Load(format!("chart validation: validation: {problem}")),
            error => error,
        })?;
        let mut tar = Tar { out: Vec::new(), now };
        tar.chart(self, "")?;
        // Two empty blocks end it.
        tar.out.extend([0; 1024]);
        let failed = |error: std::io::Error| Error::Archive(error.to_string());
        let header = GzBuilder::new().extra(MARK).comment("Helm").operating_system(255);
        let mut gzip = header.write(Vec::new(), Compression::default());
        gzip.write_all(&tar.out).map_err(failed)?;
        let bytes = gzip.finish().map_err(failed)?;
        Ok(Package { name: format!("{}-{}.tgz", self.name(), self.metadata.version), bytes })
    }
}

struct Tar {
    out: Vec<u8>,
    now: Time,
}

impl Tar {
    fn chart(&mut self, chart: &Chart, prefix: &str) -> Result<(), Error> {
        let base = format!("{prefix}{}", chart.name());
        let (v1, v2) = (chart.metadata.api_version == "v1", chart.metadata.api_version == "v2");
        let mut metadata = chart.metadata.clone();
        if v1 {
            // They are in requirements.yaml.
            metadata.dependencies.clear();
        }
        self.file(&format!("{base}/Chart.yaml"), yaml(&metadata)?.as_bytes(), chart.modified);
        if let Some(lock) = chart.lock.as_ref().filter(|_| v2) {
            self.file(&format!("{base}/Chart.lock"), yaml(lock)?.as_bytes(), Some(lock.generated));
        }
        if let Some(values) = &chart.values_file {
            self.add(&base, values);
        }
        if let Some(schema) = &chart.schema {
            if serde_json::from_slice::<serde::de::IgnoredAny>(&schema.data).is_err() {
                return Err(Error::Load("invalid JSON in values.schema.json".to_owned()));
            }
            self.add(&base, schema);
        }
        chart.templates.iter().chain(chart.files.iter()).for_each(|file| self.add(&base, file));
        chart.dependencies.iter().try_for_each(|sub| self.chart(sub, &format!("{base}/charts/")))
    }

    fn add(&mut self, base: &str, file: &File) {
        self.file(&format!("{base}/{}", file.name), &file.data, file.modified);
    }

    fn file(&mut self, name: &str, data: &[u8], modified: Option<Time>) {
        let modified = modified.filter(|time| !time.is_zero()).unwrap_or(self.now).timestamp();
        // Go rounds half a second up.
        let seconds = modified.as_second() + i64::from(modified.subsec_nanosecond() >= 500_000_000);
        let split = split_path(name);
        if split.is_none() {
            self.extended_path(name);
        }
        let (prefix, short) = split.unwrap_or(("", name));
        self.header(short, prefix, data.len(), seconds, 0o644, b'0');
        self.body(data);
    }

    /// A name that the header has no room for stands in an entry of its own before the file's.
    fn extended_path(&mut self, name: &str) {
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        let record = extended_record(name);
        self.header(&format!("{folder}/PaxHeaders.0/{file}"), "", record.len(), 0, 0, b'x');
        self.body(record.as_bytes());
    }

    fn body(&mut self, data: &[u8]) {
        self.out.extend_from_slice(data);
        self.out.resize(self.out.len().next_multiple_of(512), 0);
    }

    fn header(&mut self, name: &str, prefix: &str, size: usize, seconds: i64, mode: u32, kind: u8) {
        let mut block = Vec::with_capacity(512);
        let mut text = |text: &str, room: usize| {
            let ascii = text.bytes().filter(u8::is_ascii);
            let start = block.len();
            block.extend(ascii.take(room));
            block.resize(start + room, 0);
        };
        let octal = |value: i64, digits: usize| format!("{:0digits$o}", value.max(0));
        text(name, 100);
        text(&octal(i64::from(mode), 7), 8);
        text(&octal(0, 7), 8);
        text(&octal(0, 7), 8);
        text(&octal(i64::try_from(size).unwrap_or(i64::MAX), 11), 12);
        text(&octal(seconds, 11), 12);
        // While the sum is made, its own field counts as blanks.
        text("        ", 8);
        text(char::from(kind).encode_utf8(&mut [0; 4]), 1);
        text("", 100);
        text("ustar", 6);
        text("00", 2);
        text("", 64);
        // An entry of the format itself has no device.
        let device = if kind == b'x' { String::new() } else { octal(0, 7) };
        text(&device, 8);
        text(&device, 8);
        text(prefix, 155);
        text("", 12);
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        let sum = format!("{sum:06o}\0 ");
        block.splice(148..156, sum.bytes());
        self.out.append(&mut block);
    }
}

/// The name as prefix and rest, where the header has room for it.
fn split_path(name: &str) -> Option<(&str, &str)> {
    if !name.is_ascii() {
        return None;
    }
    if name.len() <= 100 {
        return Some(("", name));
    }
    let (prefix, _) = name.get(..name.len().min(156))?.rsplit_once('/')?;
    let rest = name.get(prefix.len() + 1..)?;
    let fits = !prefix.is_empty() && prefix.len() <= 155 && !rest.is_empty() && rest.len() <= 100;
    fits.then_some((prefix, rest))
}

/// `LENGTH path=NAME`, where the length counts itself.
fn extended_record(name: &str) -> String {
    let rest = format!(" path={name}\n");
    let mut length = rest.len();
    loop {
        let digits = length.to_string().len();
        if rest.len() + digits == length {
            return format!("{length}{rest}");
        }
        length = rest.len() + digits;
    }
}

fn yaml(value: &impl Serialize) -> Result<String, Error> {
    let json = serde_json::to_value(value).map_err(|error| Error::Load(error.to_string()))?;
    let text = sprig::to_yaml(&to_value(&json))
        .map_err(|_| Error::Load("the chart's metadata cannot be written as YAML".to_owned()))?;
    Ok(format!("{text}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_and_default_values_are_in_the_archive() {
        let files = [
            ("Chart.yaml", "name: app\nversion: 1.0.0\n"),
            ("requirements.yaml", "dependencies:\n- {name: sub, version: 1.x, repository: ''}\n"),
            ("values.yaml", "a: 1\n"),
            ("charts/sub/Chart.yaml", "apiVersion: v1\nname: sub\nversion: 1.2.3\n"),
        ];
        let limits = crate::ArchiveLimits::default();
        let mut chart = Chart::from_folder(&files.as_slice(), &limits).unwrap();
        let package = chart.package(Time::unix(0, 0)).unwrap();
        let metadata = crate::Metadata::from_archive(&package.bytes, &limits).unwrap();
        assert_eq!((&*metadata.name, &*metadata.api_version), ("app", "v1"));
        assert_eq!(metadata.dependencies, chart.metadata.dependencies);

        let values = crate::read_values(b"b: 2\na: {z: ~, w: [1.50]}\n").unwrap();
        chart.set_default_values(values.clone()).unwrap();
        let package = chart.package(Time::unix(0, 0)).unwrap();
        let loaded = Chart::from_archive(&package.bytes, &limits).unwrap();
        assert_eq!(&*loaded.values_file.unwrap().data, b"a:\n  w:\n  - 1.5\n  z: null\nb: 2\n");
        assert_eq!(loaded.values.table(), values);
        chart.set_default_values(Table::new()).unwrap();
        assert_eq!(&*chart.values_file.unwrap().data, b"");
        let mut bare = Chart::from_folder(&&files[..1], &limits).unwrap();
        let problem = bare.set_default_values(values).unwrap_err().to_string();
        assert_eq!(problem, "failed to locate values file: values.yaml");
    }

    #[test]
    fn long_names_are_split_or_extended() {
        let long = format!("{}/{}", "a".repeat(120), "b".repeat(90));
        assert_eq!(split_path(&long), Some(("a".repeat(120).as_str(), "b".repeat(90).as_str())));
        assert_eq!(split_path(&"c".repeat(101)), None);
        assert_eq!(split_path("chart/é"), None);
        assert_eq!(extended_record("abc"), "12 path=abc\n");
        assert_eq!(extended_record(&"a".repeat(91)).split(' ').next(), Some("101"));
    }
}

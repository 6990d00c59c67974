//! The index of a chart repository (`index.yaml`): which charts there are, in which versions, and where.
//!
//! An index may be tens of megabytes long. [`normalise`] reads it piece by piece and holds one version at a time; what it
//! writes is an index in JSON with the versions sorted and the unusable ones left out, and [`find`] reads that.

mod choose;
mod lines;
mod section;
mod stored;
mod version;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};

use serde_json::{Map, Value as Json};
use yaml::{Profile, ReadLimits};

use crate::decode::{self, Shape, Struct};
pub use choose::choose;
use lines::{Line, Lines};
pub use stored::find;
pub use version::IndexVersion;

/// Why an index cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// There is nothing in it.
    #[error("empty index.yaml file")]
    Empty,
    /// It does not say its format.
    #[error("no API version specified")]
    NoApiVersion,
    /// It is no index.
    #[error("{0}")]
    Malformed(String),
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It has no such chart.
    #[error("no chart name found")]
    NoChart,
    /// It has the chart in no version.
    #[error("no chart version found")]
    NoVersion,
    /// None of the versions is in the range.
    #[error("no '{chart}' chart with version matching '{wanted}' found")]
    NoMatch {
        /// Name of the chart.
        chart: String,
        /// The version or range.
        wanted: String,
    },
    /// What is wanted is neither a version nor a range.
    #[error("{0}")]
    Range(String),
}

impl IndexError {
    /// Whether the index can be read, and has not what is wanted of it.
    #[must_use]
    pub fn is_about_reference(&self) -> bool {
        matches!(self, Self::NoChart | Self::NoVersion | Self::NoMatch { .. } | Self::Range(_))
    }
}

/// Reads an index in YAML or JSON, and writes it as indented JSON to `out`: names sorted, the versions of a chart from the
/// highest to the lowest, and versions left out whose metadata no chart may have. `spill` takes the versions until all are
/// known; it has to be empty.
///
/// # Errors
/// An index that is no index, with unknown or repeated fields, or longer than 64 MiB in a form that cannot be read in
/// pieces; and whatever reading and writing fail with.
pub fn normalise(
    input: &mut (impl BufRead + Seek),
    spill: &mut (impl Read + Write + Seek),
    out: &mut impl Write,
) -> Result<(), IndexError> {
    let mut index = Index { head: Map::new(), charts: BTreeMap::new(), spill, end: 0 };
    let start = first_byte(input)?.ok_or(IndexError::Empty)?;
    input.rewind()?;
    if start == b'{' && stored::read_json(&mut *input, &mut index).is_ok() {
        return index.write(out);
    }
    index.clear()?;
    input.rewind()?;
    match index.read_pieces(input) {
        Ok(()) => {}
        Err(Unreadable::Index(error)) => return Err(error),
        Err(Unreadable::InPieces) => {
            index.clear()?;
            input.rewind()?;
            index.read_whole(input)?;
        }
    }
    index.write(out)
}

fn first_byte(input: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(None);
        }
        let length = buffer.len();
        let blank = |byte: &u8| byte.is_ascii_whitespace() || [0xef, 0xbb, 0xbf].contains(byte);
        if let Some(byte) = buffer.iter().find(|byte| !blank(byte)) {
            return Ok(Some(*byte));
        }
        input.consume(length);
    }
}

/// The fields beside the charts.
const HEAD: Struct = Struct {
    name: "IndexFile",
    package: "repo.",
    fields: &[
        ("serverInfo", Shape::Map(&Shape::Any)),
        ("apiVersion", Shape::Text),
        ("generated", Shape::Text),
        ("publicKeys", Shape::List(&Shape::Text)),
        ("annotations", Shape::Map(&Shape::Text)),
    ],
};

/// The name of the field with the charts.
const ENTRIES: &str = "entries";

/// Why a text was not read piece by piece.
enum Unreadable {
    /// It is not laid out as Helm lays an index out; as a whole it may be read.
    InPieces,
    /// It is no index.
    Index(IndexError),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::Index(error.into())
    }
}

/// An index in the making.
struct Index<'a, S> {
    head: Map<String, Json>,
    charts: BTreeMap<String, Vec<Spilled>>,
    spill: &'a mut S,
    /// Length of what is in `spill`.
    end: u64,
}

/// A version of a chart, on its way.
struct Spilled {
    version: semver::Version,
    at: u64,
    length: usize,
}

impl<S: Read + Write + Seek> Index<'_, S> {
    fn clear(&mut self) -> io::Result<()> {
        self.head.clear();
        self.charts.clear();
        self.end = 0;
        self.spill.rewind()
    }

    /// Adds a version of a chart; one that no chart may have is left out.
    fn add(&mut self, chart: &str, version: Option<IndexVersion>) -> Result<(), IndexError> {
        let versions = self.charts.entry(chart.to_owned()).or_default();
        let Some(version) = version else { return Ok(()) };
        let Some(order) = version.usable() else { return Ok(()) };
        let mut bytes = Vec::new();
        version.write(&mut bytes)?;
        self.spill.write_all(&bytes)?;
        versions.push(Spilled { version: order, at: self.end, length: bytes.len() });
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Reads YAML as Helm writes it: the charts in blocks below `entries`, each version an item of a list in block style.
    fn read_pieces(&mut self, input: &mut impl BufRead) -> Result<(), Unreadable> {
        let mut lines = Lines::new(input);
        let mut head = String::new();
        let mut chart: Option<String> = None;
        let mut item = String::new();
        while let Some(line) = lines.next()? {
            match line {
                Line::Head(text) => {
                    self.piece(&chart, &mut item)?;
                    chart = None;
                    head.push_str(text);
                }
                Line::Chart(name) => {
                    self.piece(&chart, &mut item)?;
                    let name = key(name).ok_or(Unreadable::InPieces)?;
                    if self.charts.contains_key(&name) {
                        return Err(Unreadable::Index(repeated(&name)));
                    }
                    self.charts.insert(name.clone(), Vec::new());
                    chart = Some(name);
                }
                Line::Item(text) => {
                    self.piece(&chart, &mut item)?;
                    // The dash gives way to a blank: what remains is a map.
                    item.push_str(&text.replacen('-', " ", 1));
                }
                Line::More(text) if chart.is_some() => item.push_str(text),
                Line::More(_) | Line::Odd => return Err(Unreadable::InPieces),
            }
        }
        self.piece(&chart, &mut item)?;
        let head = yaml::read_first(head.as_bytes(), Profile::V2, &ReadLimits::default());
        let Ok(Some(yaml::Value::Map(head))) = head else { return Err(Unreadable::InPieces) };
        if head.contains_key(ENTRIES) {
            return Err(Unreadable::InPieces);
        }
        self.set_head(&head).map_err(Unreadable::Index)
    }

    fn piece(&mut self, chart: &Option<String>, item: &mut String) -> Result<(), Unreadable> {
        let Some(chart) = chart.as_ref().filter(|_| !item.is_empty()) else { return Ok(()) };
        let tree = yaml::read_first(item.as_bytes(), Profile::V2, &ReadLimits::default());
        // A piece may be broken by an anchor elsewhere, or by text that was cut within quotes.
        let Ok(tree) = tree else { return Err(Unreadable::InPieces) };
        item.clear();
        let version = match &tree {
            None => None,
            Some(tree) => IndexVersion::from_tree(tree).map_err(Unreadable::Index)?,
        };
        self.add(chart, version).map_err(Unreadable::Index)
    }

    /// Reads YAML of any layout.
    fn read_whole(&mut self, input: &mut impl Read) -> Result<(), IndexError> {
        let limits = ReadLimits::default();
        let mut bytes = Vec::new();
        input.take(limits.bytes as u64 + 1).read_to_end(&mut bytes)?;
        let tree = yaml::read_first(&bytes, Profile::V2, &limits)
            .map_err(|error| IndexError::Malformed(sprig::yaml_error_text(&error)))?;
        drop(bytes);
        let mut map = match tree {
            None => return Err(IndexError::NoApiVersion),
            Some(yaml::Value::Map(map)) => map,
            Some(_) => return Err(IndexError::Malformed("the index is not a map".to_owned())),
        };
        if let Some(entries) = map.remove(ENTRIES) {
            self.entries(&entries)?;
        }
        self.set_head(&map)
    }

    fn entries(&mut self, entries: &yaml::Value) -> Result<(), IndexError> {
        let charts = match entries {
            yaml::Value::Map(charts) => charts,
            entries if entries.is_null() => return Ok(()),
            _ => return Err(IndexError::Malformed("entries is not a map of charts".to_owned())),
        };
        if let Some((name, _)) = charts.duplicate() {
            return Err(repeated(name));
        }
        for (name, versions) in charts.iter() {
            self.charts.insert(name.to_owned(), Vec::new());
            match versions {
                yaml::Value::Seq(versions) => {
                    for version in versions {
                        self.add(name, IndexVersion::from_tree(version)?)?;
                    }
                }
                versions if versions.is_null() => {}
                _ => {
                    return Err(IndexError::Malformed(format!("entries.{name} is not a list of versions")));
                }
            }
        }
        Ok(())
    }

    fn set_head(&mut self, map: &yaml::Map) -> Result<(), IndexError> {
        if let Some((name, _)) = map.duplicate() {
            return Err(repeated(name));
        }
        if let Some((name, _)) = map.iter().find(|(name, _)| !HEAD.has(name)) {
            return Err(unknown(name));
        }
        self.head =
            decode::from_tree(&yaml::Value::Map(map.clone()), &HEAD).map_err(IndexError::Malformed)?;
        Ok(())
    }

    fn write(mut self, out: &mut impl Write) -> Result<(), IndexError> {
        let api_version = self.head.get("apiVersion").and_then(Json::as_str).unwrap_or_default();
        if api_version.is_empty() {
            return Err(IndexError::NoApiVersion);
        }
        out.write_all(b"{\n")?;
        for (name, value) in std::mem::take(&mut self.head) {
            let text = serde_json::to_string_pretty(&value).map_err(io::Error::from)?;
            writeln!(out, "  {}: {},", Json::String(name), text.replace('\n', "\n  "))?;
        }
        write!(out, "  \"{ENTRIES}\": {{")?;
        let charts = std::mem::take(&mut self.charts);
        for (at, (name, mut versions)) in charts.into_iter().enumerate() {
            write!(out, "{}\n    {}: [", if at == 0 { "" } else { "," }, Json::String(name))?;
            // Among equals the one that was named first stays first.
            versions.sort_by(|a, b| b.version.cmp(&a.version));
            for (at, version) in versions.iter().enumerate() {
                write!(out, "{}\n      ", if at == 0 { "" } else { "," })?;
                self.spill.seek(SeekFrom::Start(version.at))?;
                let copied = io::copy(&mut (&mut *self.spill).take(version.length as u64), out)?;
                if copied != version.length as u64 {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
            }
            out.write_all(if versions.is_empty() { b"]" } else { b"\n    ]" })?;
        }
        out.write_all(b"\n  }\n}\n")?;
        out.flush()?;
        Ok(())
    }
}

/// The text of a key that stands alone before a colon.
fn key(text: &str) -> Option<String> {
    let document = format!("{text}:");
    let tree = yaml::read_first(document.as_bytes(), Profile::V2, &ReadLimits::default()).ok()??;
    let yaml::Value::Map(map) = tree else { return None };
    map.keys().next().map(str::to_owned)
}

fn repeated(key: &str) -> IndexError {
    IndexError::Malformed(format!("error converting YAML to JSON: key {key:?} already set in map"))
}

fn unknown(field: &str) -> IndexError {
    IndexError::Malformed(format!(
        "error unmarshaling JSON: while decoding JSON: json: unknown field {field:?}"
    ))
}

//! Release records: what Helm keeps of each revision in a Secret or a ConfigMap.
//!
//! ```
//! use chart::{Release, Status};
//!
//! let release = Release { name: "shop".into(), namespace: "default".into(), version: 3, ..Release::default() };
//! assert_eq!(release.object_name(), "sh.helm.release.v1.shop.v3");
//! let text = release.encode()?;
//! assert_eq!(Release::decode(&text)?, release);
//! assert_eq!(release.info.status, Status::Unknown);
//! # Ok::<(), chart::Error>(())
//! ```

mod go_json;
mod object;

use std::collections::BTreeMap;
use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gotemplate::Str;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value as Json;

use crate::error::Error;
use crate::file::File;
use crate::hook::Hook;
use crate::load::Chart;
use crate::metadata::{Lock, Metadata};
use crate::time::Time;
use crate::values::{PlainTable, Table, floats};

pub use go_json::{Sorted, to_vec as to_go_json};
pub use object::{Driver, SYSTEM_LABELS, Stamp, check_labels};

/// Largest record, unpacked, in bytes.
const LARGEST: u64 = 256 << 20;

/// A revision of a release.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Release {
    /// Name of the release.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// How it went.
    pub info: Info,
    /// The chart, without its sub-charts.
    pub chart: Option<StoredChart>,
    /// The user's values.
    #[serde(
        skip_serializing_if = "Table::is_empty",
        serialize_with = "go_json::sorted",
        deserialize_with = "table"
    )]
    pub config: Table,
    /// The objects.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub manifest: String,
    /// The hooks.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub hooks: Vec<Hook>,
    /// The revision, from 1.
    #[serde(skip_serializing_if = "is_zero")]
    pub version: i64,
    /// Namespace of the release.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// `ssa`, `csa`, or empty, which is `csa`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub apply_method: String,
    /// The user's own labels of the record; they stand on the object, not in the text.
    #[serde(skip)]
    pub labels: BTreeMap<String, String>,
}

/// How a revision went.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Info {
    /// When the first revision was installed.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "crate::time::lenient")]
    pub first_deployed: Option<Time>,
    /// When this one was.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "crate::time::lenient")]
    pub last_deployed: Option<Time>,
    /// When it was uninstalled.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "crate::time::lenient")]
    pub deleted: Option<Time>,
    /// What happened, for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where it stands.
    pub status: Status,
    /// `NOTES.txt`
    #[serde(skip_serializing_if = "String::is_empty")]
    pub notes: String,
    /// Objects that Helm attached.
    #[serde(skip_serializing_if = "Json::is_null")]
    pub resources: Json,
}

/// Where a revision stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are Helm's")]
pub enum Status {
    Deployed,
    Uninstalled,
    Superseded,
    Failed,
    Uninstalling,
    PendingInstall,
    PendingUpgrade,
    PendingRollback,
    #[default]
    #[serde(other)]
    Unknown,
}

impl Status {
    /// Helm's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Unknown => "unknown",
            Status::Deployed => "deployed",
            Status::Uninstalled => "uninstalled",
            Status::Superseded => "superseded",
            Status::Failed => "failed",
            Status::Uninstalling => "uninstalling",
            Status::PendingInstall => "pending-install",
            Status::PendingUpgrade => "pending-upgrade",
            Status::PendingRollback => "pending-rollback",
        }
    }

    /// True while an operation runs, or was cut off.
    #[must_use]
    pub fn is_pending(self) -> bool {
        matches!(self, Status::PendingInstall | Status::PendingUpgrade | Status::PendingRollback)
    }
}

/// A chart as records keep it: its sub-charts are not there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredChart {
    /// `Chart.yaml`, after dependencies were processed.
    pub metadata: Option<Metadata>,
    /// `Chart.lock`
    pub lock: Option<Lock>,
    /// Its templates; none at all is null.
    pub templates: Option<Vec<StoredFile>>,
    /// Default values, imports included.
    #[serde(serialize_with = "go_json::sorted_option", deserialize_with = "table_option")]
    pub values: Option<Table>,
    /// `values.schema.json`
    #[serde(serialize_with = "bytes_option", deserialize_with = "read_bytes_option")]
    pub schema: Option<Str>,
    /// When the schema was last changed.
    #[serde(rename = "schemamodtime", deserialize_with = "time_or_zero")]
    pub schema_modified: Time,
    /// Its other files; none at all is null.
    pub files: Option<Vec<StoredFile>>,
    /// When `Chart.yaml` was last changed.
    #[serde(
        rename = "modtime",
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::time::lenient"
    )]
    pub modified: Option<Time>,
}

/// A file as records keep it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredFile {
    /// Path within the chart.
    pub name: String,
    /// Content.
    #[serde(serialize_with = "bytes", deserialize_with = "read_bytes")]
    pub data: Str,
    /// When it was last changed.
    #[serde(
        rename = "modtime",
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::time::lenient"
    )]
    pub modified: Option<Time>,
}

impl From<&Chart> for StoredChart {
    fn from(chart: &Chart) -> StoredChart {
        let stored = |files: &[File]| {
            let stored = files.iter().map(|file| StoredFile {
                name: file.name.clone(),
                data: file.data.clone(),
                modified: file.modified,
            });
            (!files.is_empty()).then(|| stored.collect())
        };
        StoredChart {
            metadata: Some(chart.metadata.clone()),
            lock: chart.lock.clone(),
            templates: stored(&chart.templates),
            // A chart without the file has none, unless its dependencies gave it some.
            values: (chart.values_file.is_some()
                || !chart.values.is_empty()
                || !chart.metadata.dependencies.is_empty())
            .then(|| chart.values.table()),
            schema: chart.schema.as_ref().map(|schema| schema.data.clone()),
            schema_modified: chart.schema.as_ref().and_then(|schema| schema.modified).unwrap_or_default(),
            files: stored(&chart.files),
            modified: chart.modified,
        }
    }
}

impl StoredChart {
    /// The chart again, as far as it is there: `preserveValues` and rollbacks work with it.
    #[must_use]
    pub fn chart(&self) -> Chart {
        let files = |stored: &Option<Vec<StoredFile>>| {
            let files = stored.iter().flatten().map(|file| File {
                name: file.name.clone(),
                data: file.data.clone(),
                modified: file.modified,
            });
            files.collect()
        };
        Chart {
            metadata: self.metadata.clone().unwrap_or_default(),
            lock: self.lock.clone(),
            templates: files(&self.templates),
            values: self.values.as_ref().map(PlainTable::from).unwrap_or_default(),
            values_file: None,
            schema: self.schema.as_ref().map(|data| File {
                name: "values.schema.json".to_owned(),
                data: data.clone(),
                modified: Some(self.schema_modified).filter(|time| !time.is_zero()),
            }),
            files: files(&self.files),
            dependencies: Vec::new(),
            modified: self.modified,
        }
    }
}

impl Release {
    /// The record's text: JSON, compressed, in base64.
    ///
    /// # Errors
    /// What cannot be written as JSON.
    pub fn encode(&self) -> Result<String, Error> {
        let problem = |error: &dyn std::fmt::Display| {
            Error::Record(format!("release {}: cannot be written: {error}", self.name))
        };
        let json = go_json::to_vec(self).map_err(|error| problem(&error))?;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        let packed = gzip.write_all(&json).and_then(|()| gzip.finish()).map_err(|error| problem(&error))?;
        Ok(STANDARD.encode(packed))
    }

    /// Reads a record's text. Unknown fields are ignored, as Helm ignores them.
    ///
    /// # Errors
    /// Text that is no record.
    pub fn decode(text: &str) -> Result<Release, Error> {
        let problem = |what: &str, error: &dyn std::fmt::Display| {
            Error::Record(format!("the release record cannot be read: {what}: {error}"))
        };
        let packed = STANDARD.decode(text.trim()).map_err(|error| problem("base64", &error))?;
        let json = if packed.starts_with(b"\x1f\x8b\x08") {
            let mut json = Vec::new();
            let mut gzip = flate2::read::MultiGzDecoder::new(&*packed).take(LARGEST + 1);
            gzip.read_to_end(&mut json).map_err(|error| problem("gzip", &error))?;
            if json.len() as u64 > LARGEST {
                return Err(problem("gzip", &format!("it is larger than {LARGEST} bytes")));
            }
            json
        } else {
            packed
        };
        serde_json::from_slice(&json).map_err(|error| problem("JSON", &error))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(value: &i64) -> bool {
    *value == 0
}

fn nullable<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn table_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Table>, D::Error> {
    let found: Option<Table> = Option::deserialize(deserializer)?;
    Ok(found.map(|table| table.into_iter().map(|(key, value)| (key, floats(value))).collect()))
}

fn table<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Table, D::Error> {
    Ok(table_option(deserializer)?.unwrap_or_default())
}

fn time_or_zero<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
    Ok(crate::time::lenient(deserializer)?.unwrap_or_default())
}

fn bytes<S: Serializer>(data: &Str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(&**data))
}

fn bytes_option<S: Serializer>(data: &Option<Str>, serializer: S) -> Result<S::Ok, S::Error> {
    match data {
        Some(data) => bytes(data, serializer),
        None => serializer.serialize_none(),
    }
}

fn read_bytes_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Str>, D::Error> {
    let found: Option<String> = Option::deserialize(deserializer)?;
    found.map(|text| STANDARD.decode(text).map(Str::from).map_err(D::Error::custom)).transpose()
}

fn read_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Str, D::Error> {
    Ok(read_bytes_option(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The text inside a record.
    fn json_of(release: &Release) -> String {
        String::from_utf8(go_json::to_vec(release).unwrap()).unwrap()
    }

    #[test]
    fn records_of_helm_3_are_read() {
        let text = json!({
            "name": "old", "version": 2, "namespace": "ns", "manifest": "---\n",
            "info": {"first_deployed": "2024-01-02T03:04:05.6+02:00", "last_deployed": "", "deleted": "",
                "description": "Upgrade complete", "status": "superseded"},
            "chart": {"metadata": {"name": "c", "version": "1.0.0", "apiVersion": "v2"}, "lock": null,
                "templates": [{"name": "templates/a.yaml", "data": "YQ=="}],
                "values": {"replicas": 2}, "schema": null, "files": []},
            "config": {"replicas": 3},
            "hooks": [{"name": "h", "kind": "Job", "path": "p", "manifest": "m", "events": ["test"],
                "last_run": {"started_at": "", "completed_at": "", "phase": ""}, "delete_policies": null}],
            "unknown": 1
        });
        let release = Release::decode(&STANDARD.encode(text.to_string())).unwrap();
        assert_eq!(release.info.status, Status::Superseded);
        assert_eq!(release.info.last_deployed, None);
        assert_eq!(release.info.first_deployed.unwrap().to_string(), "2024-01-02T03:04:05.6+02:00");
        assert_eq!(release.config.get("replicas"), Some(&json!(3.0)));
        assert_eq!(&*release.chart.as_ref().unwrap().chart().templates[0].data, b"a");
        assert_eq!(Release::decode(&release.encode().unwrap()).unwrap(), release);
    }

    #[test]
    fn the_text_is_gos() {
        let release = Release {
            name: "n".into(),
            version: 1,
            config: json!({"z": 1.0, "a": "<&>\u{2028}", "e": 1e21, "s": 1e-7, "m": 0.5})
                .as_object()
                .unwrap()
                .clone(),
            ..Release::default()
        };
        assert_eq!(
            json_of(&release),
            r#"{"name":"n","info":{"status":"unknown"},"chart":null,"config":{"a":"\u003c\u0026\u003e\u2028","e":1e+21,"m":0.5,"s":1e-7,"z":1},"version":1}"#
        );
    }

    #[test]
    fn what_is_no_record_is_an_error() {
        for text in ["", "%", "YQ==", "H4sIAA=="] {
            assert!(matches!(Release::decode(text), Err(Error::Record(_))), "{text}");
        }
    }
}

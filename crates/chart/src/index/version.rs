//! A version of a chart in an index.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{IndexError, repeated, unknown};
use crate::decode::{self, Shape, Struct};
use crate::error::Error;
use crate::metadata::{METADATA, Metadata, REPEATED_DEPENDENCY};

/// A version of a chart in an index. Its JSON is that of a chart's metadata with further fields.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct IndexVersion {
    /// What the chart says of itself.
    #[serde(flatten)]
    pub metadata: Metadata,
    /// Where its archive is, absolute or relative to the repository; the first is used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// When it was made, in RFC 3339; empty when nobody says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub created: String,
    /// SHA-256 of the archive, in hexadecimal; empty when nobody says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
}

/// What an index says of a version beyond its metadata. The last ones are old and not used.
const BEYOND: Struct = Struct {
    name: "ChartVersion",
    package: "repo.",
    fields: &[
        ("urls", Shape::List(&Shape::Text)),
        ("created", Shape::Text),
        ("digest", Shape::Text),
        ("removed", Shape::Bool),
        ("checksum", Shape::Text),
        ("engine", Shape::Text),
        ("tillerVersion", Shape::Text),
        ("url", Shape::Text),
    ],
};

impl IndexVersion {
    /// Reads a version; `None` for a null. Fields that no index has, or that stand there twice, are errors.
    pub(super) fn from_tree(tree: &yaml::Value) -> Result<Option<Self>, IndexError> {
        let map = match tree {
            yaml::Value::Map(map) => map,
            tree if tree.is_null() => return Ok(None),
            _ => return Err(IndexError::Malformed("a version of a chart is not a map".to_owned())),
        };
        if let Some((name, _)) = map.duplicate() {
            return Err(repeated(name));
        }
        if let Some((name, _)) = map.iter().find(|(name, _)| !METADATA.has(name) && !BEYOND.has(name)) {
            return Err(unknown(name));
        }
        let mut fields = decode::from_tree(tree, &METADATA).map_err(IndexError::Malformed)?;
        fields.extend(decode::from_tree(tree, &BEYOND).map_err(IndexError::Malformed)?);
        Self::from_json(Json::Object(fields)).map(Some)
    }

    /// Reads a version from JSON; further fields are left out.
    pub(super) fn from_json(value: Json) -> Result<Self, IndexError> {
        serde_json::from_value(value).map_err(|error| IndexError::Malformed(error.to_string()))
    }

    /// Its version, when a chart may have such metadata. Repeated dependencies are borne, since old indexes have them.
    pub(super) fn usable(&self) -> Option<semver::Version> {
        let mut metadata = self.metadata.clone();
        if metadata.api_version.is_empty() {
            metadata.api_version = "v1".to_owned();
        }
        match metadata.validate() {
            Err(Error::Metadata(problem)) if problem.starts_with(REPEATED_DEPENDENCY) => {}
            Err(_) => return None,
            Ok(()) => {}
        }
        semver::Version::parse(&metadata.version).ok()
    }

    /// Writes it as a part of an index.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        out.write_all(text.replace('\n', "\n      ").as_bytes())
    }
}

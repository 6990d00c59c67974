//! The product of a source.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Time;

/// A file that a source produced, and where to download it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// Path of the file below the storage root: `<kind>/<namespace>/<name>/<file>`.
    pub path: String,
    /// HTTP address to download the file from.
    pub url: String,
    /// Where the content came from, in a form that a person can trace.
    pub revision: String,
    /// Digest of the file, `<algorithm>:<hex>`.
    #[schemars(regex(pattern = r"^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$"))]
    pub digest: String,
    /// When the file was written.
    pub last_update_time: Time,
    /// Size of the file in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// Annotations of the upstream, such as those of an OCI manifest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

impl Artifact {
    /// Whether `artifact` exists and has this revision. Revisions compare as plain text.
    pub fn has_revision(artifact: Option<&Self>, revision: &str) -> bool {
        artifact.is_some_and(|artifact| artifact.revision == revision)
    }

    /// Whether `artifact` exists and has this digest.
    pub fn has_digest(artifact: Option<&Self>, digest: &str) -> bool {
        artifact.is_some_and(|artifact| artifact.digest == digest)
    }
}

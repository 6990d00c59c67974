//! Manifests: which layers an artifact has.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Media types of manifests that are asked for, the plain ones before the lists of them.
pub(crate) const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json";

/// A part of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    #[serde(default)]
    pub media_type: String,
    /// Digest of its bytes, `<algorithm>:<hex>`.
    pub digest: String,
    /// Length in bytes.
    pub size: u64,
    /// Remarks.
    #[serde(default)]
    pub annotations: Option<BTreeMap<String, String>>,
    /// For which machines it is.
    #[serde(default)]
    pub(crate) platform: Option<Platform>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Platform {
    #[serde(default)]
    pub architecture: String,
    #[serde(default)]
    pub os: String,
}

/// An artifact: its configuration and its layers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Manifest {
    /// The configuration.
    pub config: Descriptor,
    /// The layers, lowest first.
    #[serde(default)]
    pub layers: Vec<Descriptor>,
    /// Remarks.
    #[serde(default)]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// What a registry answers where a manifest is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Manifest(Manifest),
    /// The digest of the manifest for the usual machine among several.
    Index(String),
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

/// Reads a manifest or a list of manifests, of which the one for Linux on AMD64 counts.
pub(crate) fn read(bytes: &[u8]) -> Result<Found, String> {
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if value.get("manifests").is_none() {
        return serde_json::from_value(value).map(Found::Manifest).map_err(|error| error.to_string());
    }
    let index: Index = serde_json::from_value(value).map_err(|error| error.to_string())?;
    let usual = |descriptor: &&Descriptor| {
        descriptor
            .platform
            .as_ref()
            .is_none_or(|platform| platform.os == "linux" && platform.architecture == "amd64")
    };
    let chosen = index.manifests.iter().find(usual).map(|descriptor| descriptor.digest.clone());
    chosen.map(Found::Index).ok_or_else(|| "no child with platform linux/amd64 in index".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_and_lists_of_them_are_told_apart() {
        let manifest = r#"{"schemaVersion":2,"config":{"mediaType":"c","digest":"sha256:1","size":2},
            "layers":[{"mediaType":"l","digest":"sha256:3","size":4}],"annotations":{"a":"b"}}"#;
        let Ok(Found::Manifest(found)) = read(manifest.as_bytes()) else { panic!("a manifest") };
        assert_eq!((&*found.layers[0].media_type, found.layers[0].size), ("l", 4));
        assert_eq!(found.annotations.unwrap()["a"], "b");
        let entry = |digest: &str, architecture: &str| {
            format!(
                r#"{{"digest":"{digest}","size":1,"platform":{{"os":"linux","architecture":"{architecture}"}}}}"#
            )
        };
        let index =
            format!(r#"{{"manifests":[{},{}]}}"#, entry("sha256:1", "arm64"), entry("sha256:2", "amd64"));
        assert_eq!(read(index.as_bytes()), Ok(Found::Index("sha256:2".to_owned())));
        let other = format!(r#"{{"manifests":[{}]}}"#, entry("sha256:1", "arm64"));
        assert!(read(other.as_bytes()).unwrap_err().contains("linux/amd64"));
        for broken in ["", "[]", "{}", r#"{"manifests":{}}"#, r#"{"config":{"digest":"x","size":-1}}"#] {
            assert!(read(broken.as_bytes()).is_err(), "{broken}");
        }
    }
}

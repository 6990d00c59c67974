//! Digests by which a release is recognised. They are Flux's, bit for bit: with any other, a controller that takes over
//! would upgrade every release in the cluster.

use api::helm::HelmRelease;
use artifact::{Algorithm, Digest};
use chart::{Hook, Info, Metadata, Release, Sorted, Table, floats, to_go_json};
use serde::Serialize;
use serde_json::Value as Json;

/// Why a digest could not be made: something that is no JSON or YAML.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A record that cannot be written.
    #[error("release {name} cannot be digested: {source}")]
    Record {
        /// Name of the release.
        name: String,
        /// Why not.
        source: serde_json::Error,
    },
}

/// The digest of values: the ones that the user gives, before the chart's own. What has no digest in YAML (control
/// characters) has that of its JSON.
pub fn config(algorithm: Algorithm, values: &Table) -> Digest {
    if values.is_empty() {
        return algorithm.digest(b"");
    }
    let text = yaml::to_yaml_in_order(&table(values));
    match text {
        Ok(text) => algorithm.digest(text.as_bytes()),
        Err(_) => algorithm.digest(Json::Object(values.clone()).to_string().as_bytes()),
    }
}

/// Whether values have a digest.
pub fn is_of_config(digest: &str, values: &Table) -> bool {
    digest.parse::<Digest>().is_ok_and(|expected| config(expected.algorithm(), values) == expected)
}

fn table(values: &Table) -> yaml::Value {
    let mut entries: Vec<(&String, &Json)> = values.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    let mut map = yaml::Map::with_capacity(entries.len());
    for (key, value) in entries {
        map.insert(key.as_str(), tree(value));
    }
    map.into()
}

fn tree(value: &Json) -> yaml::Value {
    match value {
        Json::Null => yaml::Value::null(),
        Json::Bool(value) => (*value).into(),
        // Whole floats become integers when they are written, so floats are enough. Integers beyond 2^53 lose their end,
        // as they do in the record that they are compared with.
        Json::Number(number) => {
            let float = number.as_f64().unwrap_or_default();
            yaml::Scalar::new(format!("{float:?}"), yaml::Tag::Float).into()
        }
        // Quoted, since a text that begins with a tab is one that YAML could not have read otherwise.
        Json::String(text) if text.starts_with('\t') => {
            yaml::Scalar::str(text.as_str()).with_style(yaml::Style::DoubleQuoted).into()
        }
        Json::String(text) => yaml::Value::str(text.as_str()),
        Json::Array(items) => items.iter().map(tree).collect::<Vec<_>>().into(),
        Json::Object(values) => table(values),
    }
}

/// What of a record counts. The order of the fields is part of the digest.
#[derive(Serialize)]
struct Observation<'r> {
    name: &'r str,
    version: i64,
    info: &'r Info,
    #[serde(rename = "chartMetadata")]
    chart_metadata: &'r Metadata,
    config: Option<Sorted<'r>>,
    manifest: &'r str,
    hooks: Option<Vec<&'r Hook>>,
    namespace: &'r str,
    #[serde(rename = "ociDigest", skip_serializing_if = "str::is_empty")]
    oci_digest: &'r str,
}

/// The digest of a record. Tests do not count: people run them by hand.
///
/// # Errors
/// A record that cannot be written as JSON.
pub fn record(algorithm: Algorithm, release: &Release, oci_digest: &str) -> Result<Digest, Error> {
    let nothing = Metadata::default();
    let chart_metadata = release.chart.as_ref().and_then(|chart| chart.metadata.as_ref()).unwrap_or(&nothing);
    // The record is read back with floats only; what was just written has to have the same digest.
    let config = (!release.config.is_empty()).then(|| floats(Json::Object(release.config.clone())));
    let hooks: Vec<&Hook> =
        release.hooks.iter().filter(|hook| !hook.events.contains(&chart::Event::Test)).collect();
    let observation = Observation {
        name: &release.name,
        version: release.version,
        info: &release.info,
        chart_metadata,
        config: config.as_ref().map(Sorted),
        manifest: &release.manifest,
        hooks: (!hooks.is_empty()).then_some(hooks),
        namespace: &release.namespace,
        oci_digest,
    };
    let mut text =
        to_go_json(&observation).map_err(|source| Error::Record { name: release.name.clone(), source })?;
    text.push(b'\n');
    Ok(algorithm.digest(&text))
}

/// The digest of `spec.postRenderers`; `None` without any.
pub fn post_renderers(algorithm: Algorithm, release: &HelmRelease) -> Option<String> {
    let renderers = &release.spec.post_renderers;
    (!renderers.is_empty()).then(|| of_json(algorithm, renderers))
}

/// The digest of `spec.commonMetadata`; `None` without it.
pub fn common_metadata(algorithm: Algorithm, release: &HelmRelease) -> Option<String> {
    release.spec.common_metadata.as_ref().map(|metadata| of_json(algorithm, metadata))
}

fn of_json(algorithm: Algorithm, value: &impl Serialize) -> String {
    let mut text = to_go_json(value).unwrap_or_default();
    text.push(b'\n');
    algorithm.digest(&text).to_string()
}

#[cfg(test)]
mod tests;

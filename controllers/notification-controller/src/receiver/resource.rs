//! The objects that events are about and that webhooks reach: only their metadata is of interest.

use std::collections::BTreeMap;

use api::meta::keys;
use api::notification::ObjectKind;
use kube::Client;
use runtime::client::{get, merge_patch, send};
use serde_json::{Value, json};

/// An object without spec and status.
#[derive(Debug, Clone)]
pub struct Found {
    /// `apiVersion`, `kind` and `metadata`.
    pub json: Value,
}

impl Found {
    fn new(mut object: Value, api_version: &str, kind: &str) -> Self {
        let mut metadata = object.get_mut("metadata").map(Value::take).unwrap_or_else(|| json!({}));
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.remove("managedFields");
        }
        Self { json: json!({ "apiVersion": api_version, "kind": kind, "metadata": metadata }) }
    }

    /// The labels.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let labels = self.json.pointer("/metadata/labels").and_then(Value::as_object);
        labels
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect()
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.json.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
    }
}

/// The API version of a kind that names none.
pub fn default_api_version(kind: ObjectKind) -> Option<&'static str> {
    use ObjectKind as K;
    match kind {
        K::Bucket | K::HelmChart | K::HelmRepository | K::GitRepository | K::OCIRepository => {
            Some("source.toolkit.fluxcd.io/v1")
        }
        K::ImageRepository => Some("image.toolkit.fluxcd.io/v1"),
        K::ArtifactGenerator => Some("source.extensions.fluxcd.io/v1beta1"),
        _ => None,
    }
}

/// The path of a namespaced kind. `None` for what cannot be part of one: some of it comes from anybody.
fn collection(api_version: &str, kind: &str, namespace: &str) -> Option<String> {
    let plural = match kind.to_lowercase() {
        lower if lower.ends_with('y') => format!("{}ies", lower.trim_end_matches('y')),
        lower => format!("{lower}s"),
    };
    let root = if api_version.contains('/') { "apis" } else { "api" };
    let parts = api_version.split('/').chain([namespace, plural.as_str()]);
    if api_version.matches('/').count() > 1 || !parts.into_iter().all(is_segment) {
        return None;
    }
    Some(format!("/{root}/{api_version}/namespaces/{namespace}/{plural}"))
}

fn is_segment(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && text.chars().any(|character| character != '.')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-'))
}

/// The metadata of an object; `None` when there is no such object.
pub async fn metadata_of(
    client: &Client,
    api_version: &str,
    kind: &str,
    namespace: &str,
    name: &str,
) -> Result<Option<Found>, runtime::Error> {
    let Some(path) = collection(api_version, kind, namespace).filter(|_| is_segment(name)) else {
        return Ok(None);
    };
    let found: Option<Value> = get(client, &format!("{path}/{name}")).await?;
    Ok(found.map(|object| Found::new(object, api_version, kind)))
}

/// The objects of a namespace with all of the labels.
pub async fn labelled(
    client: &Client,
    api_version: &str,
    kind: &str,
    namespace: &str,
    labels: &BTreeMap<String, String>,
) -> Result<Vec<Found>, runtime::Error> {
    let Some(path) = collection(api_version, kind, namespace) else { return Ok(Vec::new()) };
    let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let selector: String = url::form_urlencoded::byte_serialize(pairs.join(",").as_bytes()).collect();
    let uri = format!("{path}?labelSelector={selector}");
    let text = send(client, "list", http::Method::GET, &uri, None, Vec::new()).await?;
    let list: Value =
        serde_json::from_str(&text).map_err(|source| runtime::Error::Decode { what: path, source })?;
    let items = list.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    Ok(items.into_iter().map(|object| Found::new(object, api_version, kind)).collect())
}

/// Asks for a run of an object.
pub async fn request_run(
    client: &Client,
    api_version: &str,
    kind: &str,
    namespace: &str,
    name: &str,
    token: &str,
) -> Result<(), runtime::Error> {
    let Some(path) = collection(api_version, kind, namespace).filter(|_| is_segment(name)) else {
        return Ok(());
    };
    let patch = json!({ "metadata": { "annotations": { keys::REQUESTED_AT: token } } });
    merge_patch::<serde::de::IgnoredAny>(client, &format!("{path}/{name}"), crate::flags::BINARY.name, &patch)
        .await
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_the_plural_of_the_kind() {
        for (api_version, kind, path) in [
            (
                "source.toolkit.fluxcd.io/v1",
                "GitRepository",
                Some("/apis/source.toolkit.fluxcd.io/v1/namespaces/n/gitrepositories"),
            ),
            (
                "kustomize.toolkit.fluxcd.io/v1",
                "Kustomization",
                Some("/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/n/kustomizations"),
            ),
            (
                "image.toolkit.fluxcd.io/v1",
                "ImagePolicy",
                Some("/apis/image.toolkit.fluxcd.io/v1/namespaces/n/imagepolicies"),
            ),
            ("v1", "Secret", Some("/api/v1/namespaces/n/secrets")),
            ("a/b/c", "Kustomization", None),
            ("../x", "Kustomization", None),
            ("v1", "a/b", None),
            ("", "Kustomization", None),
        ] {
            assert_eq!(collection(api_version, kind, "n").as_deref(), path, "{api_version} {kind}");
        }
        assert_eq!(collection("v1", "Secret", ".."), None);
        assert_eq!(collection("v1", "Secret", "a?b"), None);
    }
}

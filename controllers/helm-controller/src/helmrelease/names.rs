//! Names and namespaces of a release, and of the HelmChart that it is made from.

use api::helm::{ChartReferenceKind, HelmRelease};
use runtime::Key;
use sha2::{Digest as _, Sha256};

/// The longest name that Helm takes, in bytes.
const LONGEST: usize = 53;
/// How much of a longer name is kept, before a hash.
const KEPT: usize = 40;

/// Namespace of the object; every HelmRelease has one.
pub fn namespace(release: &HelmRelease) -> &str {
    release.metadata.namespace.as_deref().unwrap_or_default()
}

/// Name of the object.
pub fn name(release: &HelmRelease) -> &str {
    release.metadata.name.as_deref().unwrap_or_default()
}

fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

/// Name of the release, as long as it may be: see [`shortened`].
pub fn release_name(release: &HelmRelease) -> String {
    match (given(release.spec.release_name.as_ref()), given(release.spec.target_namespace.as_ref())) {
        (Some(name), _) => name.to_owned(),
        (None, Some(target)) => format!("{target}-{}", name(release)),
        (None, None) => name(release).to_owned(),
    }
}

/// The name as Helm can take it: one that is too long keeps its beginning and ends in a hash.
pub fn shortened(name: &str) -> String {
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let hash: String = Sha256::digest(name).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{hash}", name.get(..name.floor_char_boundary(KEPT)).unwrap_or_default())
}

/// Namespace of the release.
pub fn release_namespace(release: &HelmRelease) -> &str {
    given(release.spec.target_namespace.as_ref()).unwrap_or(namespace(release))
}

/// Namespace of the release records.
pub fn storage_namespace(release: &HelmRelease) -> &str {
    given(release.spec.storage_namespace.as_ref()).unwrap_or(namespace(release))
}

/// The HelmChart that is made from `spec.chart`. It lies beside its source.
pub fn helm_chart(release: &HelmRelease) -> Option<Key> {
    let template = release.spec.chart.as_ref()?;
    let beside = given(template.spec.source_ref.namespace.as_ref()).unwrap_or(namespace(release));
    Some(Key::new(beside, &format!("{}-{}", namespace(release), name(release))))
}

/// The object that the chart comes from: kind and name. `None` when the HelmChart of a template has not been made yet.
pub fn source(release: &HelmRelease) -> Option<(ChartReferenceKind, Key)> {
    if let Some(reference) = &release.spec.chart_ref {
        let namespace = given(reference.namespace.as_ref()).unwrap_or(namespace(release));
        return Some((reference.kind, Key::new(namespace, &reference.name)));
    }
    let made = release.status.as_ref()?.helm_chart.as_deref()?;
    let (namespace, name) = made.split_once('/')?;
    Some((ChartReferenceKind::HelmChart, Key::new(namespace, name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn release(spec: serde_json::Value) -> HelmRelease {
        let mut value =
            json!({"metadata": {"name": "podinfo", "namespace": "default"}, "spec": {"interval": "1m"}});
        value["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn long_names_keep_their_beginning() {
        let long = "a-very-lengthy-target-namespace-with-a-nice-object-name";
        assert_eq!(shortened(long), "a-very-lengthy-target-namespace-with-a-n-97af5d7f41f3");
        assert_eq!(shortened(&"x".repeat(53)), "x".repeat(53));
        assert_eq!(shortened(&"x".repeat(54)).len(), 53);
    }

    #[test]
    fn names_come_from_the_spec_or_the_object() {
        let plain = release(json!({}));
        assert_eq!(release_name(&plain), "podinfo");
        assert_eq!((release_namespace(&plain), storage_namespace(&plain)), ("default", "default"));
        let target = release(json!({"targetNamespace": "web", "storageNamespace": "records"}));
        assert_eq!(release_name(&target), "web-podinfo");
        assert_eq!((release_namespace(&target), storage_namespace(&target)), ("web", "records"));
        assert_eq!(release_name(&release(json!({"targetNamespace": "web", "releaseName": "x"}))), "x");
    }

    #[test]
    fn the_chart_lies_beside_its_source() {
        let template = |source: serde_json::Value| {
            release(json!({"chart": {"spec": {"chart": "c", "sourceRef": source}}}))
        };
        let own = template(json!({"kind": "HelmRepository", "name": "r"}));
        assert_eq!(helm_chart(&own), Some(Key::new("default", "default-podinfo")));
        assert_eq!(source(&own), None);
        let other = template(json!({"kind": "HelmRepository", "name": "r", "namespace": "flux"}));
        assert_eq!(helm_chart(&other), Some(Key::new("flux", "default-podinfo")));
        let reference = release(json!({"chartRef": {"kind": "OCIRepository", "name": "o"}}));
        assert_eq!(source(&reference), Some((ChartReferenceKind::OCIRepository, Key::new("default", "o"))));
        assert_eq!(helm_chart(&reference), None);
    }
}

//! Health: which objects are waited for, and how a wait ends. The wait itself is a watch: see `apply`.

use api::kustomize::{Kustomization, KustomizationSpec};
use object::{Gvk, ObjectRef};

use super::gate::namespace;

/// The objects whose health counts. `applied` are those of the change set that were not skipped.
///
/// # Errors
/// A reference whose `apiVersion` is none.
pub fn subjects(kustomization: &Kustomization, applied: &[ObjectRef]) -> Result<Vec<ObjectRef>, String> {
    let spec: &KustomizationSpec = &kustomization.spec;
    let mut subjects = if spec.wait { applied.to_vec() } else { listed(kustomization)? };
    // An object that waits for itself would wait for ever.
    let own = kustomization.metadata.name.as_deref().unwrap_or_default();
    subjects.retain(|subject| {
        !(subject.gvk.is("kustomize.toolkit.fluxcd.io", "Kustomization")
            && subject.name == own
            && subject.namespace == namespace(kustomization))
    });
    Ok(subjects)
}

fn listed(kustomization: &Kustomization) -> Result<Vec<ObjectRef>, String> {
    let references = kustomization.spec.health_checks.iter();
    references
        .map(|reference| {
            let api_version = reference.api_version.as_deref().filter(|v| !v.is_empty()).unwrap_or("apps/v1");
            if api_version.matches('/').count() > 1 {
                return Err(format!("unexpected GroupVersion string: {api_version}"));
            }
            Ok(ObjectRef {
                gvk: Gvk::new(api_version, &reference.kind),
                namespace: reference.namespace.clone().unwrap_or_default(),
                name: reference.name.clone(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn object(change: Value) -> Kustomization {
        let mut value = json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": "app", "namespace": "ns"},
            "spec": {"interval": "1m", "prune": true, "sourceRef": {"kind": "GitRepository", "name": "repo"}},
        });
        for (key, field) in change.as_object().unwrap() {
            value["spec"][key] = field.clone();
        }
        serde_json::from_value(value).unwrap()
    }

    fn names(subjects: Vec<ObjectRef>) -> Vec<String> {
        subjects.iter().map(|s| format!("{} {s}", s.gvk.api_version())).collect()
    }

    #[test]
    fn who_is_waited_for() {
        let of = |kind: &str, name: &str| ObjectRef {
            gvk: Gvk::new(
                if kind == "Kustomization" { "kustomize.toolkit.fluxcd.io/v1" } else { "apps/v1" },
                kind,
            ),
            namespace: "ns".into(),
            name: name.into(),
        };
        let applied = [of("Deployment", "web"), of("Kustomization", "app"), of("Kustomization", "other")];
        assert!(subjects(&object(json!({})), &applied).unwrap().is_empty());
        let listed = json!([{"kind": "Deployment", "name": "x", "namespace": "n"}, {"apiVersion": "v1", "kind": "Pod", "name": "y"}]);
        assert_eq!(
            names(subjects(&object(json!({"healthChecks": listed})), &applied).unwrap()),
            ["apps/v1 Deployment/n/x", "v1 Pod/y"]
        );
        assert_eq!(
            names(subjects(&object(json!({"healthChecks": listed, "wait": true})), &applied).unwrap()),
            ["apps/v1 Deployment/ns/web", "kustomize.toolkit.fluxcd.io/v1 Kustomization/ns/other"]
        );
        let bad = json!([{"apiVersion": "a/b/c", "kind": "X", "name": "x"}]);
        assert!(subjects(&object(json!({"healthChecks": bad})), &[]).is_err());
    }
}

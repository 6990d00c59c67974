//! Gate: everything that can be decided by the object alone. Pure.

use api::condition::Reason;
use api::helm::{ChartReferenceKind, HelmRelease};
use api::meta::{FINALIZER, Timestamp};
use api::object::Reconciled as _;
use cel::{HealthCheck, HealthChecks};
use kube::ResourceExt as _;

use super::names::{helm_chart, namespace, source};
use super::{Behaviour, texts};

/// What a run does after looking at the object.
#[derive(Debug)]
pub enum Gate {
    /// The object is being deleted.
    Delete,
    /// The object gets its finalizer, and nothing else in this run.
    AddFinalizer,
    /// The object has not exactly one chart.
    Invalid,
    /// The object rests.
    Rest,
    /// Only a change of the configuration helps.
    Stall {
        /// Reason of Ready and Stalled.
        reason: Reason,
        /// Message of Ready, Stalled and the event.
        message: String,
    },
    /// The run goes on, with the parsed `healthCheckExprs`.
    Proceed(HealthChecks),
}

/// Decides.
pub fn admit(release: &HelmRelease, behaviour: &Behaviour, now: Timestamp) -> Gate {
    if release.metadata.deletion_timestamp.is_some() {
        return Gate::Delete;
    }
    if release.spec.chart.is_some() == release.spec.chart_ref.is_some() {
        return Gate::Invalid;
    }
    if !release.finalizers().iter().any(|finalizer| finalizer == FINALIZER) {
        return Gate::AddFinalizer;
    }
    if release.suspend_state(now).is_suspended() {
        return Gate::Rest;
    }
    configuration(release, behaviour)
}

/// Decides by what the object says that it wants: `Invalid`, `Stall` or `Proceed`.
pub fn configuration(release: &HelmRelease, behaviour: &Behaviour) -> Gate {
    if release.spec.chart.is_some() == release.spec.chart_ref.is_some() {
        return Gate::Invalid;
    }
    let checks = release.spec.health_check_exprs.iter().map(|check| HealthCheck {
        group: check.api_version.rsplit_once('/').map_or("", |(group, _)| group),
        kind: check.kind.as_deref().unwrap_or_default(),
        current: &check.current,
        in_progress: check.in_progress.as_deref().unwrap_or_default(),
        failed: check.failed.as_deref().unwrap_or_default(),
    });
    let checks = match HealthChecks::parse(checks) {
        Ok(checks) => checks,
        Err(error) => {
            let message = texts::terminal(&error.to_string());
            return Gate::Stall { reason: Reason::InvalidCelExpression, message };
        }
    };
    match denied(release, behaviour) {
        Some(message) => Gate::Stall { reason: Reason::AccessDenied, message },
        None => Gate::Proceed(checks),
    }
}

/// Why the source may not be used.
fn denied(release: &HelmRelease, behaviour: &Behaviour) -> Option<String> {
    let made = helm_chart(release).map(|key| (ChartReferenceKind::HelmChart, key));
    let (kind, key) = made.or_else(|| source(release))?;
    let kind_name = kind.as_str();
    if behaviour.no_cross_namespace_refs && key.namespace() != namespace(release) {
        return Some(format!("cross-namespace references are not allowed: cannot access {kind_name} {key}"));
    }
    (kind == ChartReferenceKind::ExternalArtifact && !behaviour.external_artifact)
        .then(|| format!("can't access '{kind_name}/{key}', ExternalArtifact feature gate is disabled"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use artifact::Algorithm;
    use serde_json::{Value as Json, json};
    use std::time::Duration;

    fn behaviour(strict: bool) -> Behaviour {
        Behaviour {
            no_cross_namespace_refs: strict,
            external_artifact: !strict,
            additive_dependency_check: false,
            requeue_dependency: Duration::from_secs(30),
            track_digests: true,
            retry_by_default: false,
            helm_3: false,
            dns: false,
            algorithm: Algorithm::Sha256,
            override_managers: Vec::new(),
        }
    }

    fn gate(spec: Json, strict: bool) -> Gate {
        let mut value = json!({"metadata": {"name": "a", "namespace": "ns", "finalizers": [FINALIZER]}, "spec": {"interval": "1m"}});
        value["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        admit(&serde_json::from_value(value).unwrap(), &behaviour(strict), Timestamp::UNIX_EPOCH)
    }

    fn stalled(gate: Gate) -> (Reason, String) {
        match gate {
            Gate::Stall { reason, message } => (reason, message),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn exactly_one_chart() {
        let template = json!({"spec": {"chart": "c", "sourceRef": {"kind": "HelmRepository", "name": "r"}}});
        let reference = json!({"kind": "OCIRepository", "name": "o"});
        assert!(matches!(gate(json!({}), false), Gate::Invalid));
        assert!(matches!(gate(json!({"chart": template, "chartRef": reference}), false), Gate::Invalid));
        assert!(matches!(gate(json!({"chart": template}), true), Gate::Proceed(_)));
        assert!(matches!(gate(json!({"chartRef": reference, "suspend": true}), true), Gate::Rest));
    }

    #[test]
    fn other_namespaces_can_be_out_of_bounds() {
        let template = |namespace: &str| json!({"chart": {"spec": {"chart": "c", "sourceRef": {"kind": "HelmRepository", "name": "r", "namespace": namespace}}}});
        assert!(matches!(gate(template("ns"), true), Gate::Proceed(_)));
        assert!(matches!(gate(template("other"), false), Gate::Proceed(_)));
        assert_eq!(
            stalled(gate(template("other"), true)),
            (
                Reason::AccessDenied,
                "cross-namespace references are not allowed: cannot access HelmChart other/ns-a".to_owned()
            )
        );
        let external = json!({"chartRef": {"kind": "ExternalArtifact", "name": "e"}});
        assert!(matches!(gate(external.clone(), false), Gate::Proceed(_)));
        assert_eq!(
            stalled(gate(external, true)).1,
            "can't access 'ExternalArtifact/ns/e', ExternalArtifact feature gate is disabled"
        );
    }

    #[test]
    fn expressions_have_to_parse() {
        let spec = json!({"chartRef": {"kind": "OCIRepository", "name": "o"},
            "healthCheckExprs": [{"apiVersion": "g/v1", "kind": "K", "current": "status ="}]});
        let (reason, message) = stalled(gate(spec, false));
        assert_eq!(reason, Reason::InvalidCelExpression);
        assert!(
            message.starts_with("Reconciliation failed terminally due to configuration error: "),
            "{message}"
        );
    }
}

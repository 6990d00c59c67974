use std::sync::Arc;

use serde_json::{Value, json};

use super::*;

const RULES: Rules = Rules {
    no_cross_namespace_refs: false,
    external_artifact: false,
    object_level_workload_identity: false,
    additive_dependency_check: false,
    requeue_dependency: Duration::from_secs(30),
};

fn object(change: impl FnOnce(&mut Value)) -> Kustomization {
    let mut value = json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": "app", "namespace": "ns", "generation": 2, "finalizers": ["finalizers.fluxcd.io"], "labels": {"v": "1"}},
        "spec": {"interval": "1m", "prune": true, "sourceRef": {"kind": "GitRepository", "name": "repo"}},
    });
    change(&mut value);
    serde_json::from_value(value).unwrap()
}

fn artifact(revision: &str) -> Source {
    let value = json!({"path": "p", "url": "http://x/p", "revision": revision, "digest": "sha256:00",
        "lastUpdateTime": "2026-01-01T00:00:00Z"});
    Source::Produced(Box::new(serde_json::from_value(value).unwrap()))
}

fn now() -> Timestamp {
    "2026-11-21T10:00:00Z".parse().unwrap()
}

fn gate(object: &Kustomization, source: Source, dependencies: &[Dependency], rules: &Rules) -> Gate {
    match admit(object, rules, now()) {
        Ok(checks) => pass(object, source, dependencies, checks, rules),
        Err(gate) => gate,
    }
}

fn stall(gate: Gate) -> (Reason, String) {
    match gate {
        Gate::Stall { reason, message } => (reason, message),
        other => panic!("{other:?}"),
    }
}

fn wait(gate: Gate) -> Wait {
    match gate {
        Gate::Wait(wait) => wait,
        other => panic!("{other:?}"),
    }
}

#[test]
fn deletion_comes_first_then_the_finalizer_then_rest() {
    let deleted = |v: &mut Value| v["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let bare = |v: &mut Value| v["metadata"]["finalizers"] = json!([]);
    let suspended = |v: &mut Value| v["spec"]["suspend"] = json!(true);
    let of = |o: Kustomization| gate(&o, Source::Missing, &[], &RULES);
    assert!(matches!(
        of(object(|v| {
            deleted(v);
            bare(v);
            suspended(v)
        })),
        Gate::Delete
    ));
    assert!(matches!(
        of(object(|v| {
            bare(v);
            suspended(v)
        })),
        Gate::AddFinalizer
    ));
    assert!(matches!(of(object(suspended)), Gate::Rest));
    let until = json!({"reconcile.fluxcd.io/suspend": "2026-11-21T11:00:00Z"});
    assert!(matches!(of(object(|v| v["metadata"]["annotations"] = until)), Gate::Rest));
    let over = json!({"reconcile.fluxcd.io/suspend": "2026-11-21T09:00:00Z"});
    assert!(matches!(of(object(|v| v["metadata"]["annotations"] = over)), Gate::Wait(_)));
}

#[test]
fn configuration_that_cannot_work_stalls() {
    let bad = object(|v| {
        v["spec"]["healthCheckExprs"] = json!([{"apiVersion": "a/v1", "kind": "K", "current": "x."}])
    });
    let (reason, message) = stall(gate(&bad, artifact("r"), &[], &RULES));
    assert_eq!(reason, Reason::InvalidCelExpression);
    assert!(
        message.starts_with(
            "Reconciliation failed terminally due to configuration error: failed to create custom status evaluator for \
             healthchecks[0]"
        ),
        "{message}"
    );

    let account =
        object(|v| v["spec"]["decryption"] = json!({"provider": "sops", "serviceAccountName": "x"}));
    assert_eq!(stall(gate(&account, artifact("r"), &[], &RULES)).0, Reason::FeatureGateDisabled);
    let allowed = Rules { object_level_workload_identity: true, ..RULES };
    assert!(matches!(gate(&account, artifact("r"), &[], &allowed), Gate::Proceed(_)));
}

#[test]
fn forbidden_sources_are_not_even_looked_up() {
    let foreign = object(|v| v["spec"]["sourceRef"]["namespace"] = json!("other"));
    let locked = Rules { no_cross_namespace_refs: true, ..RULES };
    assert_eq!(
        stall(gate(&foreign, Source::Missing, &[], &locked)),
        (
            Reason::AccessDenied,
            "can't access 'GitRepository/other/repo', cross-namespace references have been blocked"
                .to_owned()
        )
    );
    assert!(matches!(gate(&foreign, artifact("r"), &[], &RULES), Gate::Proceed(_)));
    let own = object(|v| v["spec"]["sourceRef"]["namespace"] = json!("ns"));
    assert!(matches!(gate(&own, artifact("r"), &[], &locked), Gate::Proceed(_)));

    let external = object(|v| v["spec"]["sourceRef"]["kind"] = json!("ExternalArtifact"));
    assert_eq!(
        stall(gate(&external, artifact("r"), &[], &RULES)).1,
        "can't access 'ExternalArtifact/ns/repo', ExternalArtifact feature gate is disabled"
    );
}

#[test]
fn sources_that_are_not_there_are_waited_for() {
    let o = object(|_| {});
    let missing = wait(gate(&o, Source::Missing, &[], &RULES));
    assert_eq!(missing.message, "GitRepository.source.toolkit.fluxcd.io \"repo\" not found");
    assert_eq!((missing.reason, missing.retry), (Reason::ArtifactFailed, Retry::Interval));
    let empty = wait(gate(&o, Source::WithoutArtifact, &[], &RULES));
    assert_eq!(empty.message, "Source artifact not found, retrying in 30s");
    assert_eq!((empty.retry, empty.announce), (Retry::After(Duration::from_secs(30)), None));
    let unreadable = wait(gate(&o, Source::Unreadable("boom".into()), &[], &RULES));
    assert_eq!(unreadable.message, "unable to get source 'ns/repo': boom");
    assert_eq!(unreadable.retry, Retry::Backoff);
}

fn dependency(expr: Option<&str>, change: impl FnOnce(&mut Value)) -> Dependency {
    let found = object(|v| {
        v["metadata"]["name"] = json!("dep");
        v["status"] = json!({"observedGeneration": 2, "lastAppliedRevision": "r", "conditions": [{"type": "Ready",
            "status": "True", "reason": "X", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]});
        change(v);
    });
    Dependency {
        namespace: "ns".into(),
        name: "dep".into(),
        ready_expr: expr.map(Into::into),
        object: Ok(Arc::new(found)),
        cycle: None,
    }
}

#[test]
fn dependencies() {
    let o = object(|_| {});
    let run = |dependency: Dependency, rules: &Rules| gate(&o, artifact("r"), &[dependency], rules);
    assert!(matches!(run(dependency(None, |_| {}), &RULES), Gate::Proceed(_)));

    let message = |d| wait(run(d, &RULES)).message;
    let not_ready = "dependency 'ns/dep' is not ready";
    assert_eq!(message(dependency(None, |v| v["metadata"]["generation"] = json!(3))), not_ready);
    assert_eq!(
        message(dependency(None, |v| v["status"]["conditions"][0]["status"] = json!("False"))),
        not_ready
    );
    assert_eq!(message(dependency(None, |v| v["status"] = json!({}))), not_ready);
    assert_eq!(
        message(dependency(None, |v| v["status"]["lastAppliedRevision"] = json!("old"))),
        "dependency 'ns/dep' revision is not up to date"
    );
    let other_source = dependency(None, |v| {
        v["status"]["lastAppliedRevision"] = json!("old");
        v["spec"]["sourceRef"]["name"] = json!("other");
    });
    assert!(
        matches!(run(other_source, &RULES), Gate::Proceed(_)),
        "revisions of other sources do not compare"
    );
    let gone =
        Dependency { object: Err("kustomizations \"dep\" not found".into()), ..dependency(None, |_| {}) };
    assert_eq!(message(gone), "dependency 'ns/dep' not found: kustomizations \"dep\" not found");
    let cyclic =
        Dependency { cycle: Some(vec!["a".into(), "b".into(), "a".into()]), ..dependency(None, |_| {}) };
    let waiting = wait(run(cyclic, &RULES));
    assert_eq!(waiting.reason, Reason::DependencyCycle);
    assert_eq!(waiting.message, "dependency cycle a -> b -> a: remove one of these from dependsOn");
    assert_eq!(
        waiting.announce.as_deref(),
        Some("Dependencies do not meet ready condition, retrying in 30s")
    );
}

#[test]
fn ready_expressions() {
    let o = object(|_| {});
    let run = |dependency: Dependency, rules: &Rules| gate(&o, artifact("r"), &[dependency], rules);
    let never = |v: &mut Value| v["status"] = json!({});
    let same = "dep.metadata.labels['v'] == self.metadata.labels['v']";
    assert!(matches!(run(dependency(Some(same), never), &RULES), Gate::Proceed(_)));
    let additive = Rules { additive_dependency_check: true, ..RULES };
    assert_eq!(
        wait(run(dependency(Some(same), never), &additive)).message,
        "dependency 'ns/dep' is not ready"
    );
    assert_eq!(
        wait(run(dependency(Some("self.metadata.name == 'x'"), |_| {}), &RULES)).message,
        "dependency 'ns/dep' is not ready according to readyExpr eval"
    );
    let missing = wait(run(dependency(Some("dep.status.nope == 1"), |_| {}), &RULES));
    assert!(missing.message.contains("no such key: nope"), "{}", missing.message);
    let (reason, message) = stall(run(dependency(Some("dep.spec"), |_| {}), &RULES));
    assert_eq!(reason, Reason::InvalidCelExpression);
    assert!(
        message.contains("failed to evaluate dependency ns/dep: CEL expression output type mismatch"),
        "{message}"
    );
}

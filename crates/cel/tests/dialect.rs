//! The dialect as Flux's users write it.

use cel::{Error, Expression, HealthCheck, HealthChecks, HealthVerdict};
use serde_json::json;

fn ready(text: &str) -> Result<bool, Error> {
    let own = json!({"metadata": {"labels": {"v": "1"}, "name": "app"}, "spec": {"n": 3}});
    let dep = json!({"metadata": {"labels": {"v": "1"}, "generation": 2}, "status": {"observedGeneration": 2, "ready": true,
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "Healthy", "status": "False"}]}});
    Expression::compile_boolean(text, &["self", "dep"])?.evaluate([("self", &own), ("dep", &dep)])
}

#[test]
fn ready_expressions_yield_booleans() {
    let cases = [
        ("dep.metadata.labels['v'] == self.metadata.labels['v']", true),
        ("self.spec.n == 3", true),
        ("self.spec.n + 1 == 4", true),
        ("self.spec.n < 2.5", false),
        ("dep.status.conditions.filter(e, e.type == 'Ready').all(e, e.status == 'True')", true),
        ("dep.status.conditions.exists(e, e.type == 'Healthy' && e.status == 'True')", false),
        ("dep.status.conditions.exists_one(e, e.type == 'Ready')", true),
        ("has(dep.status.missing)", false),
        ("has(dep.status.ready) && dep.status.ready == true", true),
        ("'Ready' in dep.status.conditions.map(c, c.type)", true),
        ("self.metadata.name.startsWith('a') ? true : false", true),
        ("self.metadata.name.upperAscii() == 'APP'", true),
        ("sets.contains([1, 2], [2])", true),
        ("dep.metadata.generation == dep.status.observedGeneration", true),
        ("dyn(self.spec.n) == 3", true),
    ];
    for (text, expected) in cases {
        assert_eq!(ready(text), Ok(expected), "{text}");
    }
}

#[test]
fn ready_expressions_that_are_not_exactly_boolean_are_refused() {
    assert_eq!(ready("dep.status.ready"), Err(Error::OutputType { expected: "bool", got: "dyn" }));
    assert_eq!(ready("size(dep.status.conditions)"), Err(Error::OutputType { expected: "bool", got: "int" }));
    assert_eq!(
        ready("'x'").map_err(|e| e.to_string()),
        Err("CEL expression output type mismatch: expected bool, got string".to_owned())
    );
}

#[test]
fn what_cannot_be_parsed_says_where() {
    for text in ["dep.status.", "dep ==", "other.x == 1", "dep.?status.orValue(1) == 1", "type(dep) == map"] {
        let message = ready(text).unwrap_err().to_string();
        assert!(message.starts_with(&format!("failed to parse the CEL expression '{text}': ")), "{message}");
    }
}

#[test]
fn a_missing_field_is_an_error_at_run_time_and_shows_no_values() {
    let message = ready("dep.status.phase == 'Running'").unwrap_err().to_string();
    assert_eq!(
        message,
        "failed to evaluate the CEL expression 'dep.status.phase == 'Running'': no such key: phase"
    );
    let secret = json!({"data": {"password": "aHVudGVyMg=="}});
    let failure = Expression::parse("data.password + 1 > 2")
        .unwrap()
        .evaluate([("data", &secret["data"])])
        .unwrap_err();
    assert!(!failure.to_string().contains("aHVudGVyMg"), "{failure}");
}

#[test]
fn health_checks_follow_their_order() {
    let checks = HealthChecks::parse([
        HealthCheck {
            group: "example.com",
            kind: "Job",
            current: "status.phase == 'Done'",
            failed: "status.phase == 'Broken'",
            in_progress: "has(status.busy) && status.busy == true",
        },
        HealthCheck { group: "example.com", current: "has(status.ok)", ..HealthCheck::default() },
    ])
    .unwrap();
    let verdict = |kind: &str, object| checks.find("example.com", kind).unwrap().evaluate(&object);
    assert_eq!(verdict("Job", json!({"status": {"phase": "Done"}})), Ok(HealthVerdict::Current));
    assert_eq!(
        verdict("Job", json!({"status": {"phase": "Done", "busy": true}})),
        Ok(HealthVerdict::InProgress)
    );
    assert_eq!(verdict("Job", json!({"status": {"phase": "Broken"}})), Ok(HealthVerdict::Failed));
    assert_eq!(verdict("Job", json!({"status": {"phase": "?"}})), Ok(HealthVerdict::InProgress));
    let stale = json!({"metadata": {"generation": 2}, "status": {"phase": "Done", "observedGeneration": 1}});
    assert_eq!(verdict("Job", stale), Ok(HealthVerdict::InProgress));
    assert!(verdict("Job", json!({})).is_err());
    assert_eq!(verdict("Other", json!({"status": {"ok": 1}})), Ok(HealthVerdict::Current));
    assert!(checks.find("apps", "Job").is_none());
}

#[test]
fn health_checks_that_cannot_work_are_terminal() {
    let parse = |checks: Vec<HealthCheck<'_>>| HealthChecks::parse(checks).unwrap_err().to_string();
    let one = HealthCheck { group: "example.com", kind: "Job", current: "true", ..HealthCheck::default() };
    assert_eq!(
        parse(vec![one.clone(), one.clone()]),
        "duplicate custom health check for GroupKind Job.example.com at healthchecks[1]"
    );
    assert_eq!(
        parse(vec![HealthCheck { current: "", ..one.clone() }]),
        "failed to create custom status evaluator for healthchecks[0]: expression Current not specified"
    );
    let message = parse(vec![HealthCheck { failed: "status.", ..one }]);
    assert!(
        message.starts_with(
            "failed to create custom status evaluator for healthchecks[0]: failed to parse the expression Failed: failed to parse the CEL expression 'status.': "
        ),
        "{message}"
    );
}

#[test]
fn commit_status_expressions_yield_strings() {
    let event = json!({"involvedObject": {"kind": "Kustomization", "name": "apps"}, "metadata": {"env": "prod"}, "n": 3});
    let provider = json!({"metadata": {"uid": "0c9c2e41-1111-2222"}});
    let status = |text: &str| {
        Expression::compile_string(text, &["event", "provider"])?
            .evaluate_string([("event", &event), ("provider", &provider)])
    };
    for (text, expected) in [
        ("event.metadata.env + '/' + event.involvedObject.name", "prod/apps"),
        ("(event.involvedObject.kind + '/' + event.involvedObject.name).lowerAscii()", "kustomization/apps"),
        ("event.involvedObject.kind + '/' + provider.metadata.uid.split('-')[0]", "Kustomization/0c9c2e41"),
        (
            "(event.involvedObject.kind + '/' + provider.metadata.uid.split('-').first().value()).lowerAscii()",
            "kustomization/0c9c2e41",
        ),
        ("event.metadata.env == 'prod' ? 'a' : 'b'", "a"),
    ] {
        assert_eq!(status(text).as_deref(), Ok(expected), "{text}");
    }
    assert_eq!(status("1 + 2"), Err(Error::OutputType { expected: "string", got: "int" }));
    assert!(status("event.metadata.missing + ''").unwrap_err().to_string().contains("no such key: missing"));
    assert!(status("event.n + ''").is_err());
}

#[test]
fn expressions_without_a_fixed_type_yield_json() {
    let claims = json!({"sub": "repo:org/app", "n": 1});
    let value =
        |text: &str| Expression::compile(text, &["claims"]).unwrap().evaluate_json([("claims", &claims)]);
    assert_eq!(value("claims.sub.split(':')"), Ok(json!(["repo", "org/app"])));
    assert_eq!(value("{'a': claims.n}"), Ok(json!({"a": 1})));
    assert!(Expression::compile("other.x", &["claims"]).is_err());
}

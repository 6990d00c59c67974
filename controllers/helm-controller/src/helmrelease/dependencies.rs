//! Dependencies: other HelmReleases that have to be ready first. Pure.

use std::sync::Arc;

use api::condition::Type;
use api::helm::HelmRelease;
use api::object::Reconciled as _;
use cel::Expression;

/// An entry of `dependsOn` with the object it names.
#[derive(Debug, Clone)]
pub struct Dependency {
    /// Namespace of the dependency.
    pub namespace: String,
    /// Name of the dependency.
    pub name: String,
    /// `readyExpr`, if any.
    pub ready_expr: Option<String>,
    /// The object, or the API server's words about its absence.
    pub object: Result<Arc<HelmRelease>, String>,
    /// The names on a circle of dependencies that leads back to the object itself, if there is one.
    pub cycle: Option<Vec<String>>,
}

/// What stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unmet {
    /// Something has to happen first.
    Wait(String),
    /// Only a change of the expression helps.
    Terminal(String),
}

/// Whether a release is ready in the sense of a dependency.
pub fn is_ready(release: &HelmRelease) -> bool {
    release.metadata.generation == Some(release.observed_generation())
        && release.conditions().is_some_and(|conditions| conditions.is_true(Type::Ready))
}

/// The first dependency that stands in the way. `additive` is the gate `AdditiveCELDependencyCheck`: an expression does
/// not replace the check of readiness.
pub fn unmet(own: &HelmRelease, dependencies: &[Dependency], additive: bool) -> Option<Unmet> {
    dependencies.iter().find_map(|dependency| check(own, dependency, additive))
}

fn check(own: &HelmRelease, dependency: &Dependency, additive: bool) -> Option<Unmet> {
    let name = format!("{}/{}", dependency.namespace, dependency.name);
    let waiting = |text: String| match &dependency.cycle {
        // Waiting for this one never ends.
        Some(names) => {
            Some(Unmet::Wait(format!("{text}: the releases wait for each other: {}", names.join(" -> "))))
        }
        None => Some(Unmet::Wait(text)),
    };
    let object = match &dependency.object {
        Ok(object) => object,
        Err(why) => return waiting(format!("unable to get '{name}' dependency: {why}")),
    };
    if let Some(text) = dependency.ready_expr.as_deref().filter(|text| !text.is_empty()) {
        let expression = match Expression::compile_boolean(text, &["self", "dep"]) {
            Ok(expression) => expression,
            Err(error) => {
                let name = &dependency.name;
                return Some(Unmet::Terminal(format!("failed to evaluate dependency {name}: {error}")));
            }
        };
        let json = |object: &HelmRelease| serde_json::to_value(object).unwrap_or_default();
        match expression.evaluate([("self", &json(own)), ("dep", &json(object))]) {
            Ok(true) if additive => {}
            Ok(true) => return None,
            Ok(false) => {
                return waiting(format!("dependency '{name}' is not ready according to readyExpr eval"));
            }
            Err(error) => return waiting(error.to_string()),
        }
    }
    if is_ready(object) { None } else { waiting(format!("dependency '{name}' is not ready")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn release(observed: i64, ready: &str) -> Arc<HelmRelease> {
        let value = json!({"metadata": {"name": "dep", "namespace": "ns", "generation": 2}, "spec": {"interval": "1m"},
            "status": {"observedGeneration": observed, "history": [], "lastAttemptedRevision": "2.0.0",
                "conditions": [{"type": "Ready", "status": ready, "reason": "R", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}});
        Arc::new(serde_json::from_value(value).unwrap())
    }

    fn check_one(
        object: Result<Arc<HelmRelease>, String>,
        expression: Option<&str>,
        additive: bool,
    ) -> Option<Unmet> {
        let ready_expr = expression.map(str::to_owned);
        let dependency =
            Dependency { namespace: "ns".into(), name: "dep".into(), ready_expr, object, cycle: None };
        unmet(&release(2, "True"), &[dependency], additive)
    }

    #[test]
    fn dependencies_have_to_be_ready() {
        let wait = |text: &str| Some(Unmet::Wait(text.to_owned()));
        assert_eq!(check_one(Ok(release(2, "True")), None, false), None);
        assert_eq!(check_one(Ok(release(1, "True")), None, false), wait("dependency 'ns/dep' is not ready"));
        assert_eq!(check_one(Ok(release(2, "False")), None, false), wait("dependency 'ns/dep' is not ready"));
        assert_eq!(
            check_one(Err("gone".into()), None, false),
            wait("unable to get 'ns/dep' dependency: gone")
        );
    }

    #[test]
    fn expressions_decide() {
        let version = |version: &str| format!("dep.status.lastAttemptedRevision == '{version}'");
        let not_yet =
            Some(Unmet::Wait("dependency 'ns/dep' is not ready according to readyExpr eval".into()));
        assert_eq!(check_one(Ok(release(2, "False")), Some(&version("2.0.0")), false), None);
        assert_eq!(check_one(Ok(release(2, "True")), Some(&version("3.0.0")), false), not_yet);
        assert!(matches!(
            check_one(Ok(release(2, "False")), Some(&version("2.0.0")), true),
            Some(Unmet::Wait(_))
        ));
        let broken = check_one(Ok(release(2, "True")), Some("dep.status ="), false);
        assert!(
            matches!(broken, Some(Unmet::Terminal(text)) if text.starts_with("failed to evaluate dependency dep: "))
        );
        let missing = check_one(Ok(release(2, "True")), Some("dep.status.nothing == 'x'"), false);
        assert!(matches!(missing, Some(Unmet::Wait(_))), "{missing:?}");
    }

    #[test]
    fn a_circle_is_named() {
        let dependency = Dependency {
            namespace: "ns".into(),
            name: "dep".into(),
            ready_expr: None,
            object: Ok(release(2, "False")),
            cycle: Some(vec!["ns/a".into(), "ns/dep".into(), "ns/a".into()]),
        };
        let Some(Unmet::Wait(text)) = unmet(&release(2, "True"), &[dependency], false) else { panic!() };
        assert_eq!(
            text,
            "dependency 'ns/dep' is not ready: the releases wait for each other: ns/a -> ns/dep -> ns/a"
        );
    }
}

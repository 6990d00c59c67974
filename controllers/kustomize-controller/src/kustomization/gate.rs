//! Gate: whether this pass goes on to build, and if not, what the object says and when it looks again. A pure function.

use std::time::Duration;

use api::condition::{Reason, Status, Type};
use api::kustomize::Kustomization;
use api::meta::{Artifact, FINALIZER, Timestamp, go_duration};
use api::object::Reconciled as _;
use api::source::ArtifactKind;
use cel::{Expression, HealthCheck, HealthChecks};
use kube::ResourceExt as _;

/// What the gate depends on beside the objects: flags and feature gates.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// `--no-cross-namespace-refs`.
    pub no_cross_namespace_refs: bool,
    /// Gate `ExternalArtifact`.
    pub external_artifact: bool,
    /// Gate `ObjectLevelWorkloadIdentity`.
    pub object_level_workload_identity: bool,
    /// Gate `AdditiveCELDependencyCheck`.
    pub additive_dependency_check: bool,
    /// `--requeue-dependency`.
    pub requeue_dependency: Duration,
}

/// A source object as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// It does not exist.
    Missing,
    /// It exists and has produced nothing yet.
    WithoutArtifact,
    /// It could not be read, for this reason.
    Unreadable(String),
    /// What it produced.
    Produced(Box<Artifact>),
}

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
    pub object: Result<std::sync::Arc<Kustomization>, String>,
    /// The names on a circle of dependencies that leads back to the object itself, if there is one.
    pub cycle: Option<Vec<String>>,
}

/// What a pass does after looking at the object, its source and its dependencies.
#[derive(Debug)]
pub enum Gate {
    /// The object is being deleted.
    Delete,
    /// The object gets its finalizer, and nothing else in this pass.
    AddFinalizer,
    /// The object rests.
    Rest,
    /// Only a change of the configuration helps.
    Stall {
        /// Reason of Ready and Stalled.
        reason: Reason,
        /// Message of Ready, Stalled and the event.
        message: String,
    },
    /// Something else has to happen first.
    Wait(Wait),
    /// The build can begin.
    Proceed(Box<Passage>),
}

/// What is being waited for.
#[derive(Debug, PartialEq, Eq)]
pub struct Wait {
    /// Reason of Ready=False.
    pub reason: Reason,
    /// Message of Ready=False.
    pub message: String,
    /// When to look again at the latest.
    pub retry: Retry,
    /// Whether it is worth an event.
    pub announce: Option<String>,
}

/// When to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// After this time.
    After(Duration),
    /// After `spec.retryInterval`.
    Interval,
    /// With the object's growing back-off.
    Backoff,
}

/// What the gate let through.
#[derive(Debug)]
pub struct Passage {
    /// The artifact to build.
    pub artifact: Artifact,
    /// The parsed `healthCheckExprs`.
    pub health_checks: HealthChecks,
}

/// Everything that can be decided without the source: deletion, finalizer, rest, and configuration that cannot work.
pub fn admit(kustomization: &Kustomization, rules: &Rules, now: Timestamp) -> Result<HealthChecks, Gate> {
    if kustomization.metadata.deletion_timestamp.is_some() {
        return Err(Gate::Delete);
    }
    if !kustomization.finalizers().iter().any(|finalizer| finalizer == FINALIZER) {
        return Err(Gate::AddFinalizer);
    }
    if kustomization.suspend_state(now).is_suspended() {
        return Err(Gate::Rest);
    }
    let checks = kustomization.spec.health_check_exprs.iter().map(|check| HealthCheck {
        group: check.api_version.rsplit_once('/').map_or("", |(group, _)| group),
        kind: check.kind.as_deref().unwrap_or_default(),
        current: &check.current,
        in_progress: check.in_progress.as_deref().unwrap_or_default(),
        failed: check.failed.as_deref().unwrap_or_default(),
    });
    let health_checks = HealthChecks::parse(checks).map_err(|error| terminal(&error.to_string()))?;
    let account = kustomization.spec.decryption.as_ref().and_then(|d| d.service_account_name.as_ref());
    if account.is_some() && !rules.object_level_workload_identity {
        return Err(Gate::Stall {
            reason: Reason::FeatureGateDisabled,
            message:
                "to use spec.decryption.serviceAccountName for decryption authentication please enable the \
                      ObjectLevelWorkloadIdentity feature gate in the controller"
                    .to_owned(),
        });
    }
    let source = &kustomization.spec.source_ref;
    let (namespace, own) = (source_namespace(kustomization), namespace(kustomization));
    let denied = |why: &str| Gate::Stall {
        reason: Reason::AccessDenied,
        message: format!("can't access '{}/{namespace}/{}', {why}", source.kind, source.name),
    };
    if rules.no_cross_namespace_refs && namespace != own {
        return Err(denied("cross-namespace references have been blocked"));
    }
    if source.kind == ArtifactKind::ExternalArtifact && !rules.external_artifact {
        return Err(denied("ExternalArtifact feature gate is disabled"));
    }
    Ok(health_checks)
}

/// Whether source and dependencies are there. Comes after [`admit`].
pub fn pass(
    kustomization: &Kustomization,
    source: Source,
    dependencies: &[Dependency],
    health_checks: HealthChecks,
    rules: &Rules,
) -> Gate {
    let retry = go_duration(rules.requeue_dependency);
    let artifact = match source {
        Source::Produced(artifact) => *artifact,
        Source::Missing => {
            return Gate::Wait(Wait {
                reason: Reason::ArtifactFailed,
                message: not_found(
                    source_kind(kustomization.spec.source_ref.kind),
                    &kustomization.spec.source_ref.name,
                ),
                retry: Retry::Interval,
                announce: None,
            });
        }
        Source::Unreadable(why) => {
            let name = &kustomization.spec.source_ref.name;
            return Gate::Wait(Wait {
                reason: Reason::ArtifactFailed,
                message: format!("unable to get source '{}/{name}': {why}", source_namespace(kustomization)),
                retry: Retry::Backoff,
                announce: None,
            });
        }
        Source::WithoutArtifact => {
            return Gate::Wait(Wait {
                reason: Reason::ArtifactFailed,
                message: format!("Source artifact not found, retrying in {retry}"),
                retry: Retry::After(rules.requeue_dependency),
                announce: None,
            });
        }
    };
    for dependency in dependencies {
        match unmet(kustomization, dependency, &artifact.revision, rules) {
            None => {}
            Some(Unmet::Terminal(message)) => return terminal(&message),
            Some(Unmet::Waiting(reason, message)) => {
                return Gate::Wait(Wait {
                    reason,
                    message,
                    retry: Retry::After(rules.requeue_dependency),
                    announce: Some(format!("Dependencies do not meet ready condition, retrying in {retry}")),
                });
            }
        }
    }
    Gate::Proceed(Box::new(Passage { artifact, health_checks }))
}

enum Unmet {
    Waiting(Reason, String),
    Terminal(String),
}

/// Why a dependency holds the object up, if it does.
fn unmet(own: &Kustomization, dependency: &Dependency, revision: &str, rules: &Rules) -> Option<Unmet> {
    let name = format!("{}/{}", dependency.namespace, dependency.name);
    let waiting = |text: String| Some(Unmet::Waiting(Reason::DependencyNotReady, text));
    if let Some(cycle) = &dependency.cycle {
        let text = format!("dependency cycle {}: remove one of these from dependsOn", cycle.join(" -> "));
        return Some(Unmet::Waiting(Reason::DependencyCycle, text));
    }
    let object = match &dependency.object {
        Ok(object) => object,
        Err(why) => return waiting(format!("dependency '{name}' not found: {why}")),
    };
    if let Some(expression) = dependency.ready_expr.as_deref().filter(|text| !text.is_empty()) {
        let failed = |error: &dyn std::fmt::Display| format!("failed to evaluate dependency {name}: {error}");
        let expression = match Expression::compile_boolean(expression, &["self", "dep"]) {
            Ok(expression) => expression,
            Err(error) => return Some(Unmet::Terminal(failed(&error))),
        };
        let (own, object) = (json(own), json(object));
        match expression.evaluate([("self", &own), ("dep", &object)]) {
            Ok(true) if rules.additive_dependency_check => {}
            Ok(true) => return None,
            Ok(false) => {
                return waiting(format!("dependency '{name}' is not ready according to readyExpr eval"));
            }
            Err(error) => return waiting(failed(&error)),
        }
    }
    let status = object.status.as_ref();
    let ready = status.is_some_and(|status| status.conditions.is_true(Type::Ready))
        && object.metadata.generation == Some(object.observed_generation());
    if !ready {
        return waiting(format!("dependency '{name}' is not ready"));
    }
    let same_source = object.spec.source_ref.kind == own.spec.source_ref.kind
        && object.spec.source_ref.name == own.spec.source_ref.name
        && source_namespace(object) == source_namespace(own);
    let applied = status.and_then(|status| status.last_applied_revision.as_deref());
    if same_source && applied != Some(revision) {
        return waiting(format!("dependency '{name}' revision is not up to date"));
    }
    None
}

fn json(object: &Kustomization) -> serde_json::Value {
    serde_json::to_value(object).unwrap_or_default()
}

fn terminal(error: &str) -> Gate {
    Gate::Stall {
        reason: Reason::InvalidCelExpression,
        message: format!("Reconciliation failed terminally due to configuration error: {error}"),
    }
}

/// Namespace of an object; every Kustomization has one.
pub fn namespace(kustomization: &Kustomization) -> &str {
    kustomization.metadata.namespace.as_deref().unwrap_or_default()
}

/// Namespace of the source: that of the reference, else the object's own.
pub fn source_namespace(kustomization: &Kustomization) -> &str {
    kustomization
        .spec
        .source_ref
        .namespace
        .as_deref()
        .filter(|n| !n.is_empty())
        .unwrap_or(namespace(kustomization))
}

/// What is said about an object that does not exist.
pub fn not_found(what: &str, name: &str) -> String {
    format!("{what} \"{name}\" not found")
}

/// Kind and group of a source, in the words of Flux.
fn source_kind(kind: ArtifactKind) -> &'static str {
    match kind {
        ArtifactKind::GitRepository => "GitRepository.source.toolkit.fluxcd.io",
        ArtifactKind::OCIRepository => "OCIRepository.source.toolkit.fluxcd.io",
        ArtifactKind::Bucket => "Bucket.source.toolkit.fluxcd.io",
        ArtifactKind::ExternalArtifact => "ExternalArtifact.source.toolkit.fluxcd.io",
    }
}

/// Whether an object is ready in the sense of a dependency, so that its dependents are worth waking.
pub fn is_ready(kustomization: &Kustomization) -> bool {
    kustomization.status.as_ref().is_some_and(|status| {
        status.conditions.get(Type::Ready).is_some_and(|ready| ready.status == Status::True)
            && kustomization.metadata.generation == Some(status.observed_generation)
    })
}

#[cfg(test)]
mod tests;

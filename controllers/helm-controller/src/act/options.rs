//! From the spec to the options of Helm's actions.
//!
//! Without effect are:
//! - `disableOpenAPIValidation`, as it is in Flux: it decides whether Helm's client checks manifests against the API server's
//!   schema, which the client leaves to an API server that checks fields itself (all since Kubernetes 1.25). The writes ask
//!   for strict checks in either case.
//! - `install.skipCRDs`, which Flux ignores, too: `install.crds` decides.

use std::sync::Arc;
use std::time::Duration;

use api::helm::{CrdPolicy, DeletionPropagation, ServerSideApply, WaitStrategyName};
use release::{
    Change, Cleanup, CrdOptions, Dns, Hooks, Jobs, Method, MethodChoice, Ownership, PostRender, Propagation,
    RenderOptions, Schemas, Step, Strategy, Waiting,
};
use serde_json::{Value as Json, json};

use crate::helmrelease::Attempt;

/// Revisions that are kept unless the spec says otherwise.
const MAX_HISTORY: i64 = 5;

/// Whether an action waits, as its part of the spec has it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Waits {
    /// `disableWait`.
    pub off: bool,
    /// `disableWaitForJobs`.
    pub jobs_off: bool,
}

/// How an action waits.
pub fn waiting(attempt: &Attempt, timeout: Duration, waits: Waits) -> Waiting {
    let strategy = match attempt.wait_strategy() {
        _ if waits.off => Strategy::HooksOnly,
        WaitStrategyName::Legacy => Strategy::Legacy,
        WaitStrategyName::Poller => Strategy::Watch,
    };
    Waiting {
        strategy,
        jobs: if waits.jobs_off { Jobs::Started } else { Jobs::Complete },
        timeout,
        checks: Some(Arc::clone(&attempt.checks)).filter(|checks| !checks.is_empty()),
        cancel: attempt.cancel.clone(),
        interrupt: attempt.interrupt.clone(),
    }
}

/// How the chart is rendered, and what is done with its documents.
pub fn render(attempt: &Attempt, disable_schema_validation: bool) -> RenderOptions {
    RenderOptions {
        schemas: if disable_schema_validation { Schemas::Ignore } else { Schemas::Check },
        dns: if attempt.dns { Dns::On } else { Dns::Off },
        post: Some(PostRender { stream: attempt.stream(), steps: steps(attempt) }),
        ..RenderOptions::default()
    }
}

/// The spec's own changes, then the labels by which every object tells whose it is: nothing else wins over those.
fn steps(attempt: &Attempt) -> Vec<Step> {
    let spec = &attempt.release.spec;
    let kustomize = spec.post_renderers.iter().filter_map(|renderer| renderer.kustomize.as_ref());
    let list = |items: Json| match items {
        Json::Array(items) => items,
        _ => Vec::new(),
    };
    let mut steps: Vec<Step> = kustomize
        .map(|kustomize| Step::Kustomize {
            patches: list(json!(kustomize.patches)),
            images: list(json!(kustomize.images)),
        })
        .collect();
    if let Some(common) = &spec.common_metadata {
        steps.push(Step::Metadata { labels: common.labels.clone(), annotations: common.annotations.clone() });
    }
    steps.push(Step::Metadata { labels: attempt.origin(), annotations: Default::default() });
    steps
}

/// What is done with the custom resource definitions of the chart.
pub fn definitions(
    attempt: &Attempt,
    policy: Option<CrdPolicy>,
    method: Method,
    waiting: &Waiting,
) -> CrdOptions {
    let policy = match policy.unwrap_or(CrdPolicy::Create) {
        CrdPolicy::Skip => release::CrdPolicy::Skip,
        CrdPolicy::Create => release::CrdPolicy::Create,
        CrdPolicy::CreateReplace => release::CrdPolicy::CreateReplace,
    };
    CrdOptions { policy, method, labels: attempt.origin(), waiting: waiting.clone() }
}

/// Whether hooks run.
pub fn hooks(disabled: bool) -> Hooks {
    if disabled { Hooks::Skip } else { Hooks::Run }
}

/// What becomes of objects of others.
pub fn ownership(disable_take_ownership: bool) -> Ownership {
    if disable_take_ownership { Ownership::Check } else { Ownership::Take }
}

/// How objects that exist are changed.
pub fn change(force: bool) -> Change {
    if force { Change::Replace } else { Change::Patch }
}

/// What becomes of new objects when the action fails.
pub fn cleanup(cleanup_on_fail: bool) -> Cleanup {
    if cleanup_on_fail { Cleanup::Delete } else { Cleanup::Keep }
}

/// How an installation writes.
pub fn method(attempt: &Attempt, server_side_apply: Option<bool>) -> Method {
    if server_side_apply.unwrap_or(!attempt.helm_3) { Method::ServerSide } else { Method::ClientSide }
}

/// How an upgrade or a rollback writes.
pub fn method_choice(server_side_apply: Option<ServerSideApply>) -> MethodChoice {
    match server_side_apply.unwrap_or_default() {
        ServerSideApply::Enabled => MethodChoice::Is(Method::ServerSide),
        ServerSideApply::Disabled => MethodChoice::Is(Method::ClientSide),
        ServerSideApply::Auto => MethodChoice::Follow,
    }
}

/// How dependents of objects are deleted.
pub fn propagation(propagation: Option<DeletionPropagation>) -> Propagation {
    match propagation.unwrap_or_default() {
        DeletionPropagation::Background => Propagation::Background,
        DeletionPropagation::Foreground => Propagation::Foreground,
        DeletionPropagation::Orphan => Propagation::Orphan,
    }
}

/// How many revisions are kept; 0 keeps all.
pub fn max_history(attempt: &Attempt) -> usize {
    usize::try_from(attempt.release.spec.max_history.unwrap_or(MAX_HISTORY)).unwrap_or(0)
}

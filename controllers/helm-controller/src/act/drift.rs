//! Drift: what of a release's objects differs in the cluster, and its correction. No revision is made of that.

use api::condition::{Reason, Status, Type};
use api::meta::keys;
use apply::{IgnoreRule, IgnoreRules};
use chart::Release;
use release::drift::{DriftOptions, ObjectDrift};
use runtime::Severity;

use super::report::{self, Subject};
use crate::helmrelease::{Attempt, Ledger, history, texts};

/// Looks for drift. An error means that it is not known whether there is any.
pub async fn look(attempt: &Attempt, record: &Release) -> Result<Vec<ObjectDrift>, String> {
    let rules = ignore_rules(attempt)?;
    let options = DriftOptions {
        ignore: &rules,
        exclusion: (keys::helm::DRIFT_DETECTION, keys::DISABLED),
        override_managers: &attempt.override_managers,
    };
    let (drift, errors) =
        release::drift::diff(&attempt.cluster, record, &options).await.map_err(|error| error.to_string())?;
    if !errors.is_empty() {
        let text = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if !drift.iter().any(ObjectDrift::is_drift) {
            return Err(text);
        }
        tracing::error!(error = text, "diff of release against cluster state completed with error");
    }
    Ok(drift)
}

fn ignore_rules(attempt: &Attempt) -> Result<IgnoreRules, String> {
    let rules = attempt.release.spec.drift_detection.iter().flat_map(|drift| &drift.ignore);
    let rules: Vec<IgnoreRule> = rules
        .map(|rule| {
            let target = rule.target.clone().unwrap_or_default();
            IgnoreRule {
                paths: rule.paths.clone(),
                group: target.group.unwrap_or_default(),
                version: target.version.unwrap_or_default(),
                kind: target.kind.unwrap_or_default(),
                name: target.name.unwrap_or_default(),
                namespace: target.namespace.unwrap_or_default(),
                label_selector: target.label_selector.unwrap_or_default(),
                annotation_selector: target.annotation_selector.unwrap_or_default(),
            }
        })
        .collect();
    IgnoreRules::compile(&rules).map_err(|error| error.to_string())
}

/// Tells of drift.
pub fn report(attempt: &Attempt, ledger: &mut Ledger, drift: &[ObjectDrift]) {
    history::sort(&mut ledger.status.history);
    let Some(current) = ledger.status.history.first() else { return };
    tracing::info!("detected changes in cluster state: {}", release::drift::brief(drift));
    for one in drift.iter().filter(|one| one.is_drift()) {
        let patch: Vec<_> = one.shown().iter().map(release::drift::Operation::to_json).collect();
        tracing::debug!(resource = %one.reference(), patch = ?patch, "resource drifted");
    }
    let message = texts::drifted(current, &release::drift::summary(drift));
    ledger.mark(Type::Drifted, Status::True, Reason::DriftDetected, &message);
    report::event(attempt, ledger, Severity::Warning, Reason::DriftDetected, &message, Subject::default());
}

/// Makes the cluster what the release says. What cannot be corrected is told, and is no failure of the run.
pub async fn correct(attempt: &Attempt, ledger: &mut Ledger, drift: &[ObjectDrift]) {
    ledger.unknown(texts::CORRECTING);
    let corrected = ledger.during(release::drift::correct(&attempt.cluster, drift)).await;
    let Some(current) = ledger.status.history.first() else { return };
    let (lines, subject) = (corrected.to_string(), Subject::of(current));
    let errors: Vec<String> = corrected.errors.iter().map(ToString::to_string).collect();
    let (severity, reason, message) = if errors.is_empty() {
        (Severity::Normal, Reason::DriftCorrected, texts::corrected(current, &lines))
    } else {
        let message = texts::correction_failed(current, &errors.join("\n"), &lines);
        (Severity::Warning, Reason::DriftCorrectionFailed, message)
    };
    if !errors.is_empty() || !lines.is_empty() {
        report::event(attempt, ledger, severity, reason, &message, subject);
    }
}

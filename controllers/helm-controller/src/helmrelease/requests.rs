//! Requests by annotation: to force an action, and to reset the counters of failures. Pure.

use api::helm::{HelmRelease, HelmReleaseStatus};
use api::meta::keys;
use api::object::Reconciled as _;
use chart::Table;
use kube::ResourceExt as _;

use super::digest;

/// Whether an annotation asks for something that was not done yet: it has to say the same as the request for a run. What
/// it says counts as handled from now on, whether it was honoured or not.
fn asked(
    release: &HelmRelease,
    status: &HelmReleaseStatus,
    annotation: &str,
    handled: &mut Option<String>,
) -> bool {
    let Some(value) = release.annotations().get(annotation) else { return false };
    let asked = release.requested_at() == Some(value)
        && status.last_handled_reconcile_at.as_ref() != Some(value)
        && handled.as_ref() != Some(value);
    *handled = Some(value.clone());
    asked
}

/// Whether an action is asked for whatever the state of the release is.
pub fn force(release: &HelmRelease, status: &mut HelmReleaseStatus) -> bool {
    let mut handled = status.last_handled_force_at.take();
    let asked = asked(release, status, keys::FORCE_AT, &mut handled);
    status.last_handled_force_at = handled;
    asked
}

fn reset(release: &HelmRelease, status: &mut HelmReleaseStatus) -> bool {
    let mut handled = status.last_handled_reset_at.take();
    let asked = asked(release, status, keys::RESET_AT, &mut handled);
    status.last_handled_reset_at = handled;
    asked
}

/// What makes failures of the past count no more; for the log.
pub fn resets_failures(
    release: &HelmRelease,
    status: &mut HelmReleaseStatus,
    chart_version: &str,
    values: &Table,
) -> Option<&'static str> {
    let reset = reset(release, status);
    if release.metadata.generation != Some(status.last_attempted_generation) {
        return Some("generation differs from last attempt");
    }
    if status.last_attempted_revision.as_deref().unwrap_or_default() != chart_version {
        return Some("chart version differs from last attempt");
    }
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let digest = given(&status.last_attempted_config_digest)
        .or_else(|| given(&status.last_attempted_values_checksum).map(|sum| format!("sha1:{sum}")));
    if digest.is_some_and(|digest| !digest::is_of_config(&digest, values)) {
        return Some("values differ from last attempt");
    }
    reset.then_some("reset requested through annotation")
}

/// Forgets the failures of the past.
pub fn clear_failures(status: &mut HelmReleaseStatus) {
    status.failures = 0;
    status.install_failures = 0;
    status.upgrade_failures = 0;
}

#[cfg(test)]
mod tests {
    use super::*;
    use artifact::Algorithm;
    use serde_json::json;

    fn release(annotations: &[(&str, &str)]) -> HelmRelease {
        let annotations: std::collections::BTreeMap<_, _> = annotations.iter().copied().collect();
        let value = json!({"metadata": {"name": "a", "namespace": "b", "generation": 2, "annotations": annotations}, "spec": {"interval": "1m"}});
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_action_is_forced_once() {
        let both = release(&[(keys::REQUESTED_AT, "1"), (keys::FORCE_AT, "1")]);
        let mut status = HelmReleaseStatus::default();
        assert!(force(&both, &mut status));
        assert_eq!(status.last_handled_force_at.as_deref(), Some("1"));
        assert!(!force(&both, &mut status), "once");
        let mut handled =
            HelmReleaseStatus { last_handled_reconcile_at: Some("1".into()), ..Default::default() };
        assert!(!force(&both, &mut handled));
        let mut other = HelmReleaseStatus::default();
        assert!(!force(&release(&[(keys::REQUESTED_AT, "2"), (keys::FORCE_AT, "1")]), &mut other));
        assert_eq!(other.last_handled_force_at.as_deref(), Some("1"), "handled, though not honoured");
        assert!(!force(&release(&[(keys::REQUESTED_AT, "3")]), &mut other));
    }

    #[test]
    fn what_resets_failures() {
        let values = json!({"a": 1}).as_object().unwrap().clone();
        let same = || HelmReleaseStatus {
            last_attempted_generation: 2,
            last_attempted_revision: Some("1.0.0".into()),
            last_attempted_config_digest: Some(digest::config(Algorithm::Sha256, &values).to_string()),
            ..Default::default()
        };
        let why =
            |mut status: HelmReleaseStatus| resets_failures(&release(&[]), &mut status, "1.0.0", &values);
        assert_eq!(why(same()), None);
        assert_eq!(
            why(HelmReleaseStatus { last_attempted_generation: 1, ..same() }),
            Some("generation differs from last attempt")
        );
        assert_eq!(
            why(HelmReleaseStatus { last_attempted_revision: None, ..same() }),
            Some("chart version differs from last attempt")
        );
        let other = Some("sha256:00".to_owned());
        assert_eq!(
            why(HelmReleaseStatus { last_attempted_config_digest: other, ..same() }),
            Some("values differ from last attempt")
        );
        let sha1 = digest::config(Algorithm::Sha1, &values);
        let old = |sum: &str| HelmReleaseStatus {
            last_attempted_config_digest: None,
            last_attempted_values_checksum: Some(sum.into()),
            ..same()
        };
        assert_eq!(why(old(sha1.hex())), None);
        assert_eq!(why(old("00")), Some("values differ from last attempt"));
        let asking = release(&[(keys::REQUESTED_AT, "1"), (keys::RESET_AT, "1")]);
        let mut status = same();
        assert_eq!(
            resets_failures(&asking, &mut status, "1.0.0", &values),
            Some("reset requested through annotation")
        );
        assert_eq!(status.last_handled_reset_at.as_deref(), Some("1"));
    }
}

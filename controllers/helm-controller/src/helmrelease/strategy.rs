//! What follows a failure: remedies and retries of the actions `install` and `upgrade`, and how long actions may take.

use std::time::Duration;

use api::helm::{FailureStrategy, HelmRelease, HelmReleaseStatus, ReleaseAction, RemediationStrategy};

/// Time between tries of a strategy that names none.
const RETRY_INTERVAL: Duration = Duration::from_secs(300);

/// How failures of an action are remedied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remediation {
    /// The action whose failures count.
    pub action: ReleaseAction,
    /// How often a failure is remedied; negative means without limit.
    pub retries: i64,
    /// Whether failed tests are no failure.
    pub ignore_test_failures: bool,
    /// Whether the last failure is remedied as well.
    pub last_failure: bool,
    /// The remedy.
    pub strategy: RemediationStrategy,
}

impl Remediation {
    /// That of an action, as the spec has it.
    pub fn of(release: &HelmRelease, action: ReleaseAction) -> Self {
        let tests = release.spec.test.as_ref().is_some_and(|test| test.ignore_failures);
        match action {
            ReleaseAction::Install => {
                let spec = release.spec.install.as_ref().and_then(|install| install.remediation.clone());
                let spec = spec.unwrap_or_default();
                Remediation {
                    action,
                    retries: spec.retries,
                    ignore_test_failures: spec.ignore_test_failures.unwrap_or(tests),
                    last_failure: spec.remediate_last_failure.unwrap_or(false),
                    strategy: RemediationStrategy::Uninstall,
                }
            }
            ReleaseAction::Upgrade => {
                let spec = release.spec.upgrade.as_ref().and_then(|upgrade| upgrade.remediation.clone());
                let spec = spec.unwrap_or_default();
                Remediation {
                    action,
                    retries: spec.retries,
                    ignore_test_failures: spec.ignore_test_failures.unwrap_or(tests),
                    last_failure: spec.remediate_last_failure.unwrap_or(spec.retries > 0),
                    strategy: spec.strategy.unwrap_or_default(),
                }
            }
        }
    }

    /// That of the last action that was tried.
    pub fn active(release: &HelmRelease, status: &HelmReleaseStatus) -> Option<Self> {
        status.last_attempted_release_action.map(|action| Self::of(release, action))
    }

    /// Failures of its action.
    pub fn count(&self, status: &HelmReleaseStatus) -> i64 {
        match self.action {
            ReleaseAction::Install => status.install_failures,
            ReleaseAction::Upgrade => status.upgrade_failures,
        }
    }

    /// Counts one more.
    pub fn count_failure(&self, status: &mut HelmReleaseStatus) {
        match self.action {
            ReleaseAction::Install => status.install_failures += 1,
            ReleaseAction::Upgrade => status.upgrade_failures += 1,
        }
    }

    /// Whether no try is left.
    pub fn exhausted(&self, status: &HelmReleaseStatus) -> bool {
        self.retries >= 0 && self.count(status) > self.retries
    }

    /// Whether the remedy of a failed upgrade is to uninstall: the next run installs.
    pub fn uninstalls_after_upgrade(&self) -> bool {
        self.action == ReleaseAction::Upgrade && self.strategy == RemediationStrategy::Uninstall
    }
}

/// Time between tries of an action whose failures are not remedied but tried again. `by_default` is the gate
/// `DefaultToRetryOnFailure`.
pub fn retry(release: &HelmRelease, action: ReleaseAction, by_default: bool) -> Option<Duration> {
    let (name, interval) = match action {
        ReleaseAction::Install => {
            let strategy = release.spec.install.as_ref().and_then(|install| install.strategy.as_ref());
            (
                strategy.map(|strategy| strategy.name),
                strategy.and_then(|strategy| strategy.retry_interval.clone()),
            )
        }
        ReleaseAction::Upgrade => {
            let strategy = release.spec.upgrade.as_ref().and_then(|upgrade| upgrade.strategy.as_ref());
            (
                strategy.map(|strategy| strategy.name),
                strategy.and_then(|strategy| strategy.retry_interval.clone()),
            )
        }
    };
    let retries = match name {
        Some(name) => name == FailureStrategy::RetryOnFailure,
        None => by_default,
    };
    retries.then(|| interval.map_or(RETRY_INTERVAL, |interval| interval.to_std()))
}

/// [`retry`] of the last action that was tried.
pub fn active_retry(release: &HelmRelease, status: &HelmReleaseStatus, by_default: bool) -> Option<Duration> {
    status.last_attempted_release_action.and_then(|action| retry(release, action, by_default))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn release(spec: Json) -> HelmRelease {
        let mut value = json!({"metadata": {"name": "a", "namespace": "b"}, "spec": {"interval": "1m"}});
        value["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn defaults_of_remedies() {
        let plain = release(json!({}));
        let install = Remediation::of(&plain, ReleaseAction::Install);
        assert_eq!(
            (install.retries, install.last_failure, install.strategy),
            (0, false, RemediationStrategy::Uninstall)
        );
        let upgrade = Remediation::of(&plain, ReleaseAction::Upgrade);
        assert_eq!((upgrade.last_failure, upgrade.strategy), (false, RemediationStrategy::Rollback));
        for (retries, last) in [(0, false), (1, true), (-1, false)] {
            let upgrade = Remediation::of(
                &release(
                    json!({"upgrade": {"remediation": {"retries": retries}}, "test": {"ignoreFailures": true}}),
                ),
                ReleaseAction::Upgrade,
            );
            assert_eq!((upgrade.last_failure, upgrade.ignore_test_failures), (last, true));
        }
        assert_eq!(Remediation::active(&plain, &HelmReleaseStatus::default()), None);
    }

    #[test]
    fn tries_are_counted_for_each_action() {
        let mut status = HelmReleaseStatus::default();
        let with = |retries| {
            Remediation::of(
                &release(json!({"upgrade": {"remediation": {"retries": retries}}})),
                ReleaseAction::Upgrade,
            )
        };
        assert!(!with(0).exhausted(&status));
        with(0).count_failure(&mut status);
        assert_eq!((status.upgrade_failures, status.install_failures), (1, 0));
        assert!(with(0).exhausted(&status) && !with(1).exhausted(&status) && !with(-1).exhausted(&status));
    }

    #[test]
    fn who_tries_again() {
        let minutes = |minutes: u64| Some(Duration::from_secs(60 * minutes));
        let named = |name| release(json!({"upgrade": {"strategy": {"name": name}}}));
        let (install, upgrade) = (ReleaseAction::Install, ReleaseAction::Upgrade);
        assert_eq!(retry(&named("RetryOnFailure"), upgrade, false), minutes(5));
        assert_eq!(retry(&named("RetryOnFailure"), install, false), None);
        assert_eq!(retry(&named("RetryOnFailure"), install, true), minutes(5));
        assert_eq!(retry(&named("RemediateOnFailure"), upgrade, true), None);
        let own =
            release(json!({"install": {"strategy": {"name": "RetryOnFailure", "retryInterval": "1m"}}}));
        assert_eq!(retry(&own, install, false), minutes(1));
        assert_eq!(active_retry(&own, &HelmReleaseStatus::default(), true), None);
    }
}

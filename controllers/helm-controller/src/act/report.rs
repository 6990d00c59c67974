//! Reports of outcomes: conditions, and events with what they are about.

use std::collections::BTreeMap;

use api::condition::{Reason, Status, Type};
use api::helm::ReleaseSnapshot;
use runtime::Severity;

use crate::helmrelease::{Attempt, Ledger, texts};

/// What an event is about.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    revision: String,
    token: String,
    app_version: String,
    oci_digest: String,
}

impl Subject {
    /// A release that was made.
    pub fn of(release: &ReleaseSnapshot) -> Self {
        Subject {
            revision: release.chart_version.clone(),
            token: release.config_digest.clone(),
            app_version: release.app_version.clone().unwrap_or_default(),
            oci_digest: release.oci_digest.clone().unwrap_or_default(),
        }
    }

    /// A release that was to be made.
    pub fn attempted(attempt: &Attempt) -> Self {
        Subject {
            revision: attempt.chart.metadata.version.clone(),
            token: attempt.config_digest.clone(),
            app_version: attempt.chart.metadata.app_version.clone(),
            oci_digest: attempt.oci_digest.clone(),
        }
    }

    /// The same with the values of the attempt.
    pub fn with_token_of(self, attempt: &Attempt) -> Self {
        Subject { token: attempt.config_digest.clone(), ..self }
    }

    fn metadata(self) -> BTreeMap<String, String> {
        let pairs = [
            ("revision", self.revision),
            ("token", self.token),
            ("app-version", self.app_version),
            ("oci-digest", self.oci_digest),
        ];
        let given = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        given.map(|(key, value)| (format!("{}/{key}", api::helm::GROUP), value)).collect()
    }
}

/// An action went well: the condition says so, and an event.
pub fn success(
    attempt: &Attempt,
    ledger: &mut Ledger,
    condition: (Type, Status),
    reason: Reason,
    message: &str,
    subject: Subject,
) {
    ledger.mark(condition.0, condition.1, reason, message);
    event(attempt, ledger, Severity::Normal, reason, message, subject);
}

/// An action failed: the condition says so, and an event with the last lines of the log.
pub fn failure(
    attempt: &Attempt,
    ledger: &mut Ledger,
    type_: Type,
    reason: Reason,
    message: &str,
    log: &str,
    subject: Subject,
) {
    ledger.status.failures += 1;
    ledger.mark(type_, Status::False, reason, message);
    let text = texts::with_log(message, log);
    event(attempt, ledger, Severity::Warning, reason, &text, subject);
}

/// Sends an event.
pub fn event(
    attempt: &Attempt,
    ledger: &Ledger,
    severity: Severity,
    reason: Reason,
    message: &str,
    subject: Subject,
) {
    attempt.events.emit(&*ledger.object, severity, reason, message, subject.metadata());
}

/// What the engine remarked; for the log.
pub fn warnings(warnings: &[String]) {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}

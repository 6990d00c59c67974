use std::fmt;

use serde::Deserialize;

/// A request that did not succeed: the API server's answer, or that there was none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// HTTP status; 0 when no answer came.
    pub code: u16,
    /// The API's reason (`Invalid`, `Conflict`, …); empty when the answer gives none.
    pub reason: String,
    /// The API's message, or what went wrong on the way.
    pub message: String,
    /// True when a Conflict is about field ownership.
    pub manager_conflict: bool,
    /// What the answer is about, by kind; tells a missing namespace from a missing object.
    pub about: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    reason: Option<String>,
    message: Option<String>,
    details: Option<Details>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Details {
    kind: Option<String>,
    causes: Option<Vec<Cause>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Cause {
    reason: Option<String>,
}

/// How much of an answer that is not an API status is shown.
const PLAIN_LIMIT: usize = 300;

impl Failure {
    pub(crate) fn from_answer(code: u16, body: &[u8]) -> Self {
        let status: Status = serde_json::from_slice(body).unwrap_or_default();
        let message = status.message.unwrap_or_else(|| {
            let text: String = String::from_utf8_lossy(body).trim().chars().take(PLAIN_LIMIT).collect();
            if text.is_empty() { format!("the server answered with HTTP status {code}") } else { text }
        });
        let details = status.details.unwrap_or_default();
        let manager_conflict =
            details.causes.iter().flatten().any(|c| c.reason.as_deref() == Some("FieldManagerConflict"));
        Self {
            code,
            reason: status.reason.unwrap_or_default(),
            message,
            manager_conflict,
            about: details.kind.unwrap_or_default(),
        }
    }

    pub(crate) fn transport(message: String) -> Self {
        Self { code: 0, reason: String::new(), message, manager_conflict: false, about: String::new() }
    }

    /// The object, its namespace or its kind does not exist.
    pub fn is_not_found(&self) -> bool {
        self.code == 404
    }

    /// The identity may not do this.
    pub fn is_forbidden(&self) -> bool {
        self.code == 403
    }

    /// The server has dropped the history that a watch asks for.
    pub(crate) fn is_gone(&self) -> bool {
        self.code == 410 || self.reason == "Expired"
    }

    /// The object cannot be changed in this way, but can be replaced. Plain validation errors do not count: deleting
    /// first would lose the object and then fail all the same.
    pub(crate) fn is_immutable(&self) -> bool {
        const OF_INVALID: [&str; 5] =
            ["may not change", "may not be changed", "cannot change", "cannot be changed", "updates to "];
        let text = self.message.to_ascii_lowercase();
        (self.code == 409 && !self.manager_conflict)
            || text.contains("is immutable")
            || text.contains("immutable field")
            || (self.code == 422 && OF_INVALID.iter().any(|t| text.contains(t)))
    }

    /// The word in the parentheses of an error about a dry-run; empty when there is none.
    pub(crate) fn reason_word(&self) -> &str {
        match (self.manager_conflict, self.reason.as_str()) {
            (true, _) => "FieldManagerConflict",
            (false, reason) => reason,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_api_statuses_and_plain_text() {
        let body = br#"{"kind":"Status","reason":"Conflict","message":"Apply failed with 1 conflict","details":{"causes":[{"reason":"FieldManagerConflict"}]}}"#;
        let failure = Failure::from_answer(409, body);
        assert_eq!(failure.reason_word(), "FieldManagerConflict");
        assert!(!failure.is_immutable());
        let plain = Failure::from_answer(502, b"bad gateway\n");
        assert_eq!(plain.to_string(), "bad gateway");
        assert_eq!(plain.reason_word(), "");
        assert_eq!(Failure::from_answer(500, b"").message, "the server answered with HTTP status 500");
    }

    #[test]
    fn immutable_is_not_every_invalid() {
        let invalid = |message: &str| Failure {
            code: 422,
            reason: "Invalid".into(),
            message: message.into(),
            manager_conflict: false,
            about: String::new(),
        };
        assert!(
            invalid("Secret \"x\" is invalid: data: Forbidden: field is immutable when `immutable` is set")
                .is_immutable()
        );
        assert!(
            invalid(
                "spec: Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden"
            )
            .is_immutable()
        );
        assert!(!invalid("spec.replicas: Invalid value: -1").is_immutable());
    }
}

//! What commit statuses have in common.

use serde_json::Value;

use super::step::{Call, Error, Step, failed, setup};
use crate::event::{ERROR, Event, INFO};
use crate::wording::words;

/// What is to be said about a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The commit.
    pub commit: String,
    /// The word of the host for the outcome.
    pub state: &'static str,
    /// What tells this status from others.
    pub id: String,
    /// What happened, in words.
    pub description: String,
}

/// The words of a host.
pub struct Words {
    /// For an outcome that is not known yet, where the host shows such.
    pub pending: Option<&'static str>,
    /// For success.
    pub success: &'static str,
    /// For failure.
    pub failure: &'static str,
    /// The error for an event that is neither.
    pub neither: &'static str,
}

/// The status of an event; `None` when the host has no word for it.
pub fn status(id: &str, event: &Event, words_: &Words) -> Result<Option<Status>, Error> {
    let state = match (event.reason.as_str(), event.severity.as_str()) {
        ("Progressing", _) => match words_.pending {
            Some(pending) => pending,
            None => return Ok(None),
        },
        (_, INFO) => words_.success,
        (_, ERROR) => words_.failure,
        _ => {
            // The revision is looked at first, so that its absence is what is told.
            commit(event)?;
            return failed(words_.neither);
        }
    };
    Ok(Some(Status { commit: commit(event)?, state, id: id.to_owned(), description: words(&event.reason) }))
}

/// The id that the Alert gave.
pub fn required_id(id: &str) -> Result<&str, Error> {
    if id.is_empty() { setup("commit status cannot be empty") } else { Ok(id) }
}

/// The commit that an event is about.
fn commit(event: &Event) -> Result<String, Error> {
    let revision = ["commit", "originRevision", "revision"].iter().find_map(|key| event.metadata.get(*key));
    let Some(revision) = revision else { return failed("missing revision metadata") };
    let hash = match (revision.rsplit_once(':'), revision.rsplit_once('/')) {
        (Some((_, hash)), _) | (None, Some((_, hash))) => hash,
        (None, None) => revision,
    };
    if hash.len() == 40 {
        Ok(hash.to_owned())
    } else {
        failed(format!("failed to extract commit hash from '{revision}' revision"))
    }
}

/// Reads what is said already, and says it unless `is_said`.
pub fn unless_said(
    list: Call,
    tolerate_missing: bool,
    is_said: impl FnOnce(&Value) -> bool + Send + 'static,
    write: Call,
) -> Step {
    list.then(move |reply| {
        if tolerate_missing && reply.status == http::StatusCode::NOT_FOUND {
            return Ok(write.last());
        }
        let known = reply.document()?;
        Ok(if is_said(&known) { Step::Done } else { write.last() })
    })
}

/// Whether the first entry with the given `context` says the same.
pub fn newest_says(list: &Value, context: (&str, &str), same: &[(&str, &str)]) -> bool {
    let says = |entry: &Value, (key, value): (&str, &str)| {
        entry.get(key).and_then(Value::as_str).unwrap_or_default() == value
    };
    list.as_array()
        .into_iter()
        .flatten()
        .find(|entry| says(entry, context))
        .is_some_and(|entry| same.iter().all(|pair| says(entry, *pair)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: Words = Words { pending: None, success: "success", failure: "failure", neither: "neither" };

    fn event(key: &str, revision: &str) -> Event {
        let mut event =
            Event { severity: INFO.to_owned(), reason: "HealthCheckFailed".to_owned(), ..Event::default() };
        event.metadata.insert(key.to_owned(), revision.to_owned());
        event
    }

    #[test]
    fn commits_are_found_in_revisions() {
        let hash = "69b59063470310ebbd88a9156325322a124e55a3";
        for revision in [format!("main@sha1:{hash}"), format!("main/{hash}"), hash.to_owned()] {
            let status =
                status("id", &event("revision", &revision), &WORDS).expect("no error").expect("a status");
            assert_eq!((status.commit.as_str(), status.description.as_str()), (hash, "health check failed"));
        }
        let digest = format!("latest@sha256:{}", "a".repeat(64));
        let error = status("id", &event("revision", &digest), &WORDS).expect_err("an error");
        assert_eq!(error.to_string(), format!("failed to extract commit hash from '{digest}' revision"));
        let mut both = event("revision", &digest);
        both.metadata.insert("originRevision".to_owned(), format!("main@sha1:{hash}"));
        assert_eq!(status("id", &both, &WORDS).expect("no error").expect("a status").commit, hash);
        assert!(status("id", &event("other", "x"), &WORDS).is_err());
    }

    #[test]
    fn progress_is_told_only_where_there_is_a_word_for_it() {
        let mut progressing = event("revision", &"a".repeat(40));
        progressing.reason = "Progressing".to_owned();
        assert_eq!(status("id", &progressing, &WORDS), Ok(None));
        let pending = Words { pending: Some("pending"), ..WORDS };
        assert_eq!(
            status("id", &progressing, &pending).expect("no error").expect("a status").state,
            "pending"
        );
        let trace = Event { severity: "trace".to_owned(), ..event("revision", &"a".repeat(40)) };
        assert_eq!(status("id", &trace, &WORDS).expect_err("an error").to_string(), "neither");
    }
}

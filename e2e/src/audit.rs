//! The API server's record of who asked what.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::Value;

/// A finished request, or a watch that began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The program that asked, by the first word of its user agent.
    pub program: String,
    /// The API verb: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`.
    pub verb: String,
    /// What was asked for, with its sub-resource: `kustomizations/status`.
    pub resource: String,
    /// The object's name; empty for a list.
    pub name: String,
}

impl Request {
    /// Whether it changes an object of the user's or of the controllers' API. Leases and Events are not counted.
    pub fn is_write(&self) -> bool {
        matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection")
            && !matches!(self.resource.as_str(), "leases" | "events")
    }
}

/// The requests that the API server received from `from` up to `to`, in the order in which it answered them. It writes
/// its record with a delay of up to a second.
///
/// # Errors
/// When the record cannot be read.
pub fn requests(audit_log: &Path, from: Timestamp, to: Timestamp) -> Result<Vec<Request>> {
    let text = fs::read_to_string(audit_log).with_context(|| format!("reading {}", audit_log.display()))?;
    // The last line may be half written.
    let entries = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(entries.filter_map(|entry| request(&entry, from, to)).collect())
}

fn request(entry: &Value, from: Timestamp, to: Timestamp) -> Option<Request> {
    let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str);
    let received: Timestamp = text("/requestReceivedTimestamp")?.parse().ok()?;
    if received < from || received >= to {
        return None;
    }
    let verb = text("/verb")?;
    // A watch is counted when it begins: it may outlive the record.
    let stage = if verb == "watch" { "ResponseStarted" } else { "ResponseComplete" };
    if text("/stage")? != stage {
        return None;
    }
    let mut resource = text("/objectRef/resource").unwrap_or_default().to_owned();
    if let Some(sub) = text("/objectRef/subresource") {
        resource = format!("{resource}/{sub}");
    }
    Some(Request {
        program: text("/userAgent").unwrap_or_default().split('/').next().unwrap_or_default().to_owned(),
        verb: verb.to_owned(),
        resource,
        name: text("/objectRef/name").unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(verb: &str, stage: &str, resource: &str, at: &str) -> String {
        format!(
            r#"{{"stage":"{stage}","verb":"{verb}","userAgent":"kustomize-controller/v1 (linux)","objectRef":{{"resource":"{resource}","name":"x","subresource":"status"}},"requestReceivedTimestamp":"{at}"}}"#
        )
    }

    #[test]
    fn counts_what_falls_into_the_window_once() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("audit.log");
        let inside = "2026-01-01T00:00:01.500000Z";
        let lines = [
            line("patch", "ResponseComplete", "configmaps", inside),
            line("patch", "ResponseComplete", "configmaps", "2026-01-01T00:00:02.000000Z"),
            line("watch", "ResponseStarted", "secrets", inside),
            line("watch", "ResponseComplete", "secrets", inside),
            r#"{"stage":"Resp"#.to_owned(),
        ];
        fs::write(&log, lines.join("\n")).unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let found = requests(&log, at("2026-01-01T00:00:01Z"), at("2026-01-01T00:00:02Z")).unwrap();
        let seen: Vec<_> =
            found.iter().map(|r| (r.program.as_str(), r.verb.as_str(), r.resource.as_str())).collect();
        assert_eq!(
            seen,
            [
                ("kustomize-controller", "patch", "configmaps/status"),
                ("kustomize-controller", "watch", "secrets/status"),
            ]
        );
        assert_eq!(found.iter().map(Request::is_write).collect::<Vec<_>>(), [true, false]);
    }
}

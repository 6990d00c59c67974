//! The API server's record of who asked what, by phase.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::Value;

/// Requests by program and verb.
pub(crate) type Requests = BTreeMap<String, BTreeMap<String, u64>>;

/// Counts the finished requests (and the begun watches) that the API server received from `from` up to `to`.
pub(crate) fn count(audit_log: &Path, from: Timestamp, to: Timestamp) -> Result<Requests> {
    let text = fs::read_to_string(audit_log).with_context(|| format!("reading {}", audit_log.display()))?;
    let mut counted = Requests::new();
    for line in text.lines() {
        // The last line may be half written.
        let Ok(entry) = serde_json::from_str::<Value>(line) else { continue };
        if let Some((program, verb)) = request(&entry, from, to) {
            *counted.entry(program).or_default().entry(verb).or_default() += 1;
        }
    }
    Ok(counted)
}

fn request(entry: &Value, from: Timestamp, to: Timestamp) -> Option<(String, String)> {
    let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str);
    let received: Timestamp = text("/requestReceivedTimestamp")?.parse().ok()?;
    if received < from || received >= to {
        return None;
    }
    let verb = text("/verb")?;
    // A watch is counted when it begins: it may outlive the benchmark.
    let stage = if verb == "watch" { "ResponseStarted" } else { "ResponseComplete" };
    if text("/stage")? != stage {
        return None;
    }
    let program = text("/userAgent").unwrap_or_default().split('/').next().unwrap_or_default().to_owned();
    let counted = match text("/objectRef/resource") {
        Some("events") if verb != "list" && verb != "watch" => "event",
        Some("leases") => "lease",
        _ => verb,
    };
    Some((program, counted.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(verb: &str, stage: &str, resource: &str, at: &str) -> String {
        format!(
            r#"{{"stage":"{stage}","verb":"{verb}","userAgent":"kustomize-controller/v1 (linux)","objectRef":{{"resource":"{resource}"}},"requestReceivedTimestamp":"{at}"}}"#
        )
    }

    #[test]
    fn counts_what_falls_into_the_phase_once() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("audit.log");
        let inside = "2026-01-01T00:00:01.500000Z";
        let lines = [
            line("patch", "ResponseComplete", "configmaps", inside),
            line("patch", "ResponseComplete", "configmaps", inside),
            line("patch", "ResponseComplete", "configmaps", "2026-01-01T00:00:02.000000Z"),
            line("watch", "ResponseStarted", "configmaps", inside),
            line("watch", "ResponseComplete", "configmaps", inside),
            line("create", "ResponseComplete", "events", inside),
            r#"{"stage":"Resp"#.to_owned(),
        ];
        fs::write(&log, lines.join("\n")).unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let counted = count(&log, at("2026-01-01T00:00:01Z"), at("2026-01-01T00:00:02Z")).unwrap();
        let verbs: Vec<_> = counted["kustomize-controller"].iter().map(|(v, n)| (v.as_str(), *n)).collect();
        assert_eq!(verbs, [("event", 1), ("patch", 2), ("watch", 1)]);
    }
}

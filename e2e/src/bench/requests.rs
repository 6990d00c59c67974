//! API requests of a phase, summed up.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use e2e::audit;
use jiff::Timestamp;

/// Requests by program and verb.
pub(crate) type Requests = BTreeMap<String, BTreeMap<String, u64>>;

/// Counts the requests that the API server received from `from` up to `to`.
pub(crate) fn count(audit_log: &Path, from: Timestamp, to: Timestamp) -> Result<Requests> {
    let mut counted = Requests::new();
    for request in audit::requests(audit_log, from, to)? {
        let reading = matches!(request.verb.as_str(), "get" | "list" | "watch");
        let what = match request.resource.as_str() {
            "events" if !reading => "event".to_owned(),
            "leases" => "lease".to_owned(),
            _ => request.verb,
        };
        *counted.entry(request.program).or_default().entry(what).or_default() += 1;
    }
    Ok(counted)
}

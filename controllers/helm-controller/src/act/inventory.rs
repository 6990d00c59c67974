//! The inventory: which objects a release consists of, by its record and the definitions of its chart.

use api::condition::Reason;
use api::kustomize::{Inventory, InventoryEntry};
use release::Written;
use runtime::Severity;

use super::record::stored;
use super::report::{self, Subject};
use crate::helmrelease::{Attempt, Ledger};

/// Takes down what the record that was written last consists of.
pub async fn note(attempt: &Attempt, ledger: &mut Ledger, writes: &[Written]) {
    let Some(record) = stored(writes).last() else { return };
    match release::inventory(&attempt.cluster, record, Some(&attempt.chart)).await {
        Ok((entries, warnings)) => {
            let entries = entries.into_iter();
            let entries = entries.map(|entry| InventoryEntry { id: entry.id, v: entry.version }).collect();
            ledger.status.inventory = Some(Inventory { entries });
            if !warnings.is_empty() {
                let (reason, text) = (Reason::NamespaceCheckSkipped, warnings.join("; "));
                report::event(attempt, ledger, Severity::Warning, reason, &text, Subject::default());
            }
        }
        Err(error) => {
            let object = &attempt.release.metadata;
            let name = |part: &Option<String>| part.clone().unwrap_or_default();
            let text = format!(
                "failed to build inventory for {}/{}: {error}",
                name(&object.namespace),
                name(&object.name)
            );
            let reason = Reason::InventoryBuildFailed;
            report::event(attempt, ledger, Severity::Warning, reason, &text, Subject::default());
        }
    }
}

//! Which changes of an object start a run.

use api::meta::{FINALIZER, keys};
use api::object::Reconciled;
use kube::ResourceExt as _;

use crate::watch::Change;

/// Whether a change starts a run: the object appeared, its spec changed, somebody asked for a run or changed its rest, or
/// it is being deleted. Changes of status, labels and other metadata do not.
pub fn matters<K: Reconciled>(change: &Change<K>) -> bool {
    match (&change.before, &change.after) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(before), Some(after)) => {
            let (old, new) = (before.meta(), after.meta());
            let annotation = |key: &str| {
                let (old, new) = (before.annotations().get(key), after.annotations().get(key));
                (old != new, new.is_some())
            };
            let has_finalizer =
                |object: &K| object.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
            let (requested_changed, requested_present) = annotation(keys::REQUESTED_AT);
            old.uid != new.uid
                || old.generation != new.generation
                || old.deletion_timestamp != new.deletion_timestamp
                || (requested_changed && requested_present)
                || annotation(keys::SUSPEND).0
                || (has_finalizer(before) && !has_finalizer(after) && new.deletion_timestamp.is_none())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use api::source::GitRepository;

    use super::*;
    use crate::{Key, watch::Cause};

    fn object(json: &str) -> Option<Arc<GitRepository>> {
        let spec = r#""spec":{"url":"https://example.test","interval":"1m"}"#;
        Some(Arc::new(serde_json::from_str(&format!(r#"{{"metadata":{json},{spec}}}"#)).unwrap()))
    }

    #[test]
    fn changes_are_told_apart() {
        let start = r#"{"name":"a","uid":"1","generation":1,"finalizers":["finalizers.fluxcd.io"],"annotations":{"x":"y"}}"#;
        for (changed, expected) in [
            (start, false),
            (r#"{"name":"a","uid":"1","generation":2,"finalizers":["finalizers.fluxcd.io"]}"#, true),
            (r#"{"name":"a","uid":"2","generation":1,"finalizers":["finalizers.fluxcd.io"]}"#, true),
            (
                r#"{"name":"a","uid":"1","generation":1,"labels":{"l":"m"},"finalizers":["finalizers.fluxcd.io"]}"#,
                false,
            ),
            (
                r#"{"name":"a","uid":"1","generation":1,"finalizers":["finalizers.fluxcd.io"],"annotations":{"reconcile.fluxcd.io/requestedAt":"now"}}"#,
                true,
            ),
            (
                r#"{"name":"a","uid":"1","generation":1,"finalizers":["finalizers.fluxcd.io"],"annotations":{"reconcile.fluxcd.io/suspend":"true"}}"#,
                true,
            ),
            (
                r#"{"name":"a","uid":"1","generation":1,"finalizers":["finalizers.fluxcd.io"],"deletionTimestamp":"2026-01-01T00:00:00Z"}"#,
                true,
            ),
            (r#"{"name":"a","uid":"1","generation":1}"#, true),
        ] {
            let change = Change {
                key: Key::new("", "a"),
                before: object(start),
                after: object(changed),
                cause: Cause::Watch,
            };
            assert_eq!(matters(&change), expected, "{changed}");
        }
    }

    #[test]
    fn appearing_matters_and_vanishing_and_withdrawn_requests_do_not() {
        let plain = r#"{"name":"a"}"#;
        let asked = r#"{"name":"a","annotations":{"reconcile.fluxcd.io/requestedAt":"now"}}"#;
        for (before, after, expected) in
            [(None, object(plain), true), (object(plain), None, false), (object(asked), object(plain), false)]
        {
            assert_eq!(
                matters(&Change { key: Key::new("", "a"), before, after, cause: Cause::Watch }),
                expected
            );
        }
    }
}

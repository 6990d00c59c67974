//! Computing merge patches.

use api::condition::Type;
use serde_json::{Map, Value};

/// The JSON merge patch (RFC 7386) that turns one value into another; `None` when they are equal. Lists are replaced as a
/// whole, and a field that vanished becomes null.
#[must_use]
pub fn merge_diff(before: &Value, after: &Value) -> Option<Value> {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let mut patch = Map::new();
            for (key, old) in before {
                match after.get(key) {
                    None => {
                        patch.insert(key.clone(), Value::Null);
                    }
                    Some(new) => {
                        if let Some(inner) = merge_diff(old, new) {
                            patch.insert(key.clone(), inner);
                        }
                    }
                }
            }
            for (key, new) in after {
                if !before.contains_key(key) {
                    patch.insert(key.clone(), new.clone());
                }
            }
            (!patch.is_empty()).then_some(Value::Object(patch))
        }
        _ => (before != after).then(|| after.clone()),
    }
}

/// Puts the conditions of the owned types into a newer list. Owned types that `ours` lacks are removed, types that are not
/// owned stay as they are in the newer list.
pub(super) fn merge_conditions(newer: Option<&Value>, ours: &Value, owned: &[Type]) -> Value {
    let type_of =
        |condition: &Value| condition.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let is_owned = |condition: &&Value| owned.iter().any(|type_| type_.as_str() == type_of(condition));
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let (newer, ours) = (list(newer), list(Some(ours)));
    let own = ours.iter().filter(is_owned);
    let foreign = newer.iter().filter(|condition| !is_owned(condition));
    Value::Array(own.chain(foreign).cloned().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_contains_what_changed() {
        for (before, after, patch) in [
            (json!({"a": 1}), json!({"a": 1}), None),
            (json!({"a": 1}), json!({"a": 2, "b": [1]}), Some(json!({"a": 2, "b": [1]}))),
            (json!({"a": {"b": 1, "c": 2}}), json!({"a": {"c": 3}}), Some(json!({"a": {"b": null, "c": 3}}))),
            (json!({"a": [1, 2]}), json!({"a": [1]}), Some(json!({"a": [1]}))),
            (json!({"a": 1}), json!({}), Some(json!({"a": null}))),
            (json!({"a": {"b": 1}}), json!({"a": "x"}), Some(json!({"a": "x"}))),
        ] {
            assert_eq!(merge_diff(&before, &after), patch, "{before} to {after}");
        }
    }

    #[test]
    fn foreign_conditions_survive_and_own_ones_are_decided_here() {
        let newer = json!([{"type": "Ready", "status": "False"}, {"type": "Stalled", "status": "True"}, {"type": "Mine", "status": "True"}]);
        let ours = json!([{"type": "Ready", "status": "True"}, {"type": "Mine", "status": "False"}]);
        let merged = merge_conditions(Some(&newer), &ours, &[Type::Ready, Type::Stalled]);
        assert_eq!(merged, json!([{"type": "Ready", "status": "True"}, {"type": "Mine", "status": "True"}]));
        assert_eq!(
            merge_conditions(None, &ours, &[Type::Ready]),
            json!([{"type": "Ready", "status": "True"}])
        );
    }

    proptest::proptest! {
        /// Applying the difference of two values to the first gives the second.
        #[test]
        fn the_difference_leads_from_one_to_the_other(before in value(), after in value()) {
            let mut patched = before.clone();
            if let Some(patch) = merge_diff(&before, &after) {
                apply(&mut patched, &patch);
            }
            proptest::prop_assert_eq!(patched, after);
        }
    }

    fn value() -> impl proptest::strategy::Strategy<Value = Value> {
        use proptest::prelude::*;
        let leaf = prop_oneof![(0i64..3).prop_map(Value::from), "[a-c]".prop_map(Value::from)];
        let inner = leaf.prop_recursive(3, 16, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                proptest::collection::btree_map("[a-c]", inner, 0..3)
                    .prop_map(|map| map.into_iter().collect()),
            ]
        });
        proptest::collection::btree_map("[a-d]", inner, 0..4).prop_map(|map| map.into_iter().collect())
    }

    /// A merge patch, as RFC 7386 defines its application.
    fn apply(target: &mut Value, patch: &Value) {
        let Value::Object(patch) = patch else {
            *target = patch.clone();
            return;
        };
        if !target.is_object() {
            *target = Value::Object(Map::new());
        }
        let object = target.as_object_mut().unwrap();
        for (key, value) in patch {
            if value.is_null() {
                object.remove(key);
            } else {
                apply(object.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
    }
}

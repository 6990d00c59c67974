//! Objects without their managed fields: half of an object's text, which nobody here reads.

use std::borrow::Cow;

/// The text of an object without `metadata.managedFields`. Text of another shape is left as it is.
pub(crate) fn without_managed_fields(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let found =
        member(bytes, 0, b"metadata").and_then(|metadata| member(bytes, metadata.value, b"managedFields"));
    let Some(Member { key, value }) = found else { return Cow::Borrowed(text) };
    let Some(end) = after(bytes, value) else { return Cow::Borrowed(text) };
    // With the comma behind it, or the one before it.
    let is_comma = |at: usize| bytes.get(at) == Some(&b',');
    let (from, to) = match key.checked_sub(1).filter(|before| is_comma(*before)) {
        _ if is_comma(end) => (key, end + 1),
        Some(before) => (before, end),
        None => (key, end),
    };
    match (text.get(..from), text.get(to..)) {
        (Some(before), Some(behind)) => Cow::Owned([before, behind].concat()),
        _ => Cow::Borrowed(text),
    }
}

/// Where a member of a mapping is.
struct Member {
    /// The quote before its key.
    key: usize,
    /// The first byte of its value.
    value: usize,
}

/// A member of the mapping that begins at a place. The text has no blanks between its parts, as the API server writes it.
fn member(bytes: &[u8], at: usize, name: &[u8]) -> Option<Member> {
    if bytes.get(at) != Some(&b'{') {
        return None;
    }
    let mut key = at + 1;
    while bytes.get(key) == Some(&b'"') {
        let end = after(bytes, key)?;
        if bytes.get(end) != Some(&b':') {
            return None;
        }
        if bytes.get(key + 1..end - 1) == Some(name) {
            return Some(Member { key, value: end + 1 });
        }
        let next = after(bytes, end + 1)?;
        if bytes.get(next) != Some(&b',') {
            return None;
        }
        key = next + 1;
    }
    None
}

/// The place behind the value that begins at a place.
fn after(bytes: &[u8], at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut place = at;
    loop {
        match bytes.get(place)? {
            b'"' => place = string_end(bytes, place)?,
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return Some(place),
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => return Some(place),
            b':' if depth == 0 && place > at => return Some(place),
            _ => {}
        }
        place += 1;
        if depth == 0 && matches!(bytes.get(place - 1), Some(b'"' | b'}' | b']')) {
            return Some(place);
        }
    }
}

/// The quote that ends a text which begins with the quote at a place.
fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut place = at + 1;
    loop {
        match bytes.get(place)? {
            b'"' => return Some(place),
            b'\\' => place += 2,
            _ => place += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn trimmed(value: &Value) -> Value {
        serde_json::from_str(&without_managed_fields(&value.to_string())).unwrap()
    }

    #[test]
    fn managed_fields_go_and_nothing_else() {
        let fields = json!([{"manager": "a", "fieldsV1": {"f:x": {"k:{\"y\":1}": {}}, "q": "]}\\"}}]);
        for metadata in [
            json!({"managedFields": fields, "name": "a"}),
            json!({"name": "a", "managedFields": fields}),
            json!({"annotations": {"managedFields": "[", "x": "\"managedFields\":[1]"}, "managedFields": fields, "name": "a"}),
            json!({"managedFields": fields}),
            json!({"name": "a"}),
            json!({}),
        ] {
            let object = json!({"kind": "A", "metadata": metadata, "spec": {"managedFields": [1], "metadata": {"managedFields": 2}}});
            let mut expected = object.clone();
            expected["metadata"].as_object_mut().unwrap().remove("managedFields");
            assert_eq!(trimmed(&object), expected);
        }
        for text in [
            "",
            "null",
            "[]",
            "{",
            "{\"metadata\"",
            "{ \"metadata\": {} }",
            "{\"metadata\":{\"managedFields\":[1",
        ] {
            assert_eq!(without_managed_fields(text), text);
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a-z\"\\\\{}\\[\\],: é]{0,6}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("(managedFields|metadata|[a-z\"]{0,3})", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_rest_stays_the_same(mut object in any_json()) {
            let found = trimmed(&object);
            if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.remove("managedFields");
            }
            prop_assert_eq!(found, object);
        }
    }
}

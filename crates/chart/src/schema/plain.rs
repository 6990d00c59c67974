//! Schemas that are plainly right: most are, and to ask the schemas of schemas takes long.

use serde_json::Value as Json;

use super::document::Draft;

/// Schemas in schemas, deep; deeper ones are for whoever knows the limit.
const DEEPEST: usize = 64;

/// True only for what the schema of a draft's schemas admits. False says nothing: there is more than this knows.
pub(super) fn holds(schema: &Json, draft: Draft) -> bool {
    schema.is_object() && is_schema(schema, draft, 0)
}

fn is_schema(schema: &Json, draft: Draft, depth: usize) -> bool {
    let Json::Object(map) = schema else { return schema.is_boolean() && draft > Draft::D4 };
    depth < DEEPEST && map.iter().all(|(key, value)| is_right(key, value, draft, depth + 1))
}

fn is_right(key: &str, value: &Json, draft: Draft, depth: usize) -> bool {
    match key {
        "title" | "description" | "$comment" => value.is_string(),
        // Nobody gives a nested schema another draft, or both would have to be asked.
        "$schema" => depth == 1 && value.is_string(),
        "default" | "const" => true,
        "examples" => value.is_array(),
        "type" => is_type(value),
        "enum" => value.as_array().is_some_and(|values| {
            !values.is_empty()
                && values
                    .iter()
                    .enumerate()
                    .all(|(at, value)| !values.iter().skip(at + 1).any(|other| other == value))
        }),
        "required" => value.as_array().is_some_and(|names| !names.is_empty() && are_different_texts(names)),
        "minimum" | "maximum" => value.is_number() && draft > Draft::D4,
        "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties" => {
            value.is_u64()
        }
        "uniqueItems" | "deprecated" | "readOnly" | "writeOnly" => value.is_boolean(),
        "format" => value.is_string(),
        "pattern" => value.as_str().is_some_and(is_regex),
        "patternProperties" => value.as_object().is_some_and(|map| {
            map.iter().all(|(key, value)| is_regex(key) && is_schema(value, draft, depth))
        }),
        "if" | "then" | "else" => draft >= Draft::D7 && is_schema(value, draft, depth),
        "$ref" => value.as_str().is_some_and(is_plain_pointer),
        "properties" | "definitions" | "$defs" => {
            value.as_object().is_some_and(|map| map.values().all(|value| is_schema(value, draft, depth)))
        }
        "items" => value.is_object() && is_schema(value, draft, depth),
        "additionalProperties" => value.is_boolean() || is_schema(value, draft, depth),
        "not" => is_schema(value, draft, depth),
        "allOf" | "anyOf" | "oneOf" => value
            .as_array()
            .is_some_and(|parts| !parts.is_empty() && parts.iter().all(|part| is_schema(part, draft, depth))),
        key => !OTHER_KEYWORDS.contains(&key),
    }
}

/// What else the schemas of schemas of all drafts look at. Of a key that is not here they admit anything.
const OTHER_KEYWORDS: &[&str] = &[
    "$anchor",
    "$dynamicAnchor",
    "$dynamicRef",
    "$id",
    "$recursiveAnchor",
    "$recursiveRef",
    "$vocabulary",
    "additionalItems",
    "contains",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "id",
    "maxContains",
    "minContains",
    "multipleOf",
    "prefixItems",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
];

fn is_type(value: &Json) -> bool {
    let known = |value: &Json| {
        let types = ["array", "boolean", "integer", "null", "number", "object", "string"];
        value.as_str().is_some_and(|name| types.contains(&name))
    };
    match value {
        Json::Array(names) => !names.is_empty() && names.iter().all(known) && are_different_texts(names),
        name => known(name),
    }
}

fn is_regex(text: &str) -> bool {
    sprig::check_regex(text.as_bytes()).is_ok()
}

fn are_different_texts(values: &[Json]) -> bool {
    values
        .iter()
        .enumerate()
        .all(|(at, value)| value.is_string() && !values.iter().skip(at + 1).any(|other| other == value))
}

/// A reference within the document, of characters that need no escapes.
fn is_plain_pointer(reference: &str) -> bool {
    reference
        .strip_prefix('#')
        .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_.$-".contains(&byte)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn knows_only_what_is_right() {
        let right = json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "required": ["a"],
            "properties": {"a": {"type": ["string", "null"], "enum": ["x", null]}, "b": {"$ref": "#/definitions/c"}},
            "definitions": {"c": {"allOf": [{"minLength": 1}, {"not": {"const": 3}}, {"pattern": "^[^a]"}]}},
            "patternProperties": {"^x-": {"format": "uri", "readOnly": true}},
            "if": {"minProperties": 1},
            "additionalProperties": false,
            "x-tool": 1,
            "unheardOf": {"type": "text"},
        });
        assert!(holds(&right, Draft::D7));
        for wrong in [
            json!({"type": "text"}),
            json!({"type": []}),
            json!({"type": ["string", "string"]}),
            json!({"required": "a"}),
            json!({"required": ["a", "a"]}),
            json!({"enum": []}),
            json!({"minLength": -1}),
            json!({"minLength": 1.5}),
            json!({"properties": {"a": 1}}),
            json!({"allOf": []}),
            json!({"$ref": "#/a b"}),
            json!({"properties": {"a": {"$schema": "x"}}}),
            json!({"pattern": "("}),
            json!({"patternProperties": {"(": {}}}),
            json!({"patternProperties": {"a": 1}}),
            json!({"format": 1}),
            json!({"readOnly": "yes"}),
            json!({"else": 1}),
            json!(true),
        ] {
            assert!(!holds(&wrong, Draft::D7), "{wrong}");
        }
        assert!(!holds(&json!({"properties": {"a": true}}), Draft::D4));
    }
}

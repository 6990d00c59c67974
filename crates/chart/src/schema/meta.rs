//! What schemas themselves must look like.
//!
//! Schemas of schemas, written for the errors that Helm's library gives: the older drafts describe a schema in one
//! piece, the newer ones as several vocabularies that must all hold.

use std::sync::LazyLock;

use serde_json::{Value as Json, json};

use super::check::check;
use super::document::{Document, Draft};
use super::plain;

/// Checks a schema at an address; the error is Helm's text.
pub(super) fn validate(address: &str, schema: &Json, draft: Draft) -> Result<(), String> {
    if plain::holds(schema, draft) { Ok(()) } else { asked(address, schema, draft) }
}

/// What the schema of a draft's schemas says.
fn asked(address: &str, schema: &Json, draft: Draft) -> Result<(), String> {
    let (url, meta) = match draft {
        Draft::D4 => ("http://json-schema.org/draft-04/schema", &*DRAFT_4),
        Draft::D6 => ("http://json-schema.org/draft-06/schema", &*DRAFT_6),
        Draft::D7 => ("http://json-schema.org/draft-07/schema", &*DRAFT_7),
        Draft::D2019 => ("https://json-schema.org/draft/2019-09/schema", &*DRAFT_2019),
        Draft::D2020 => ("https://json-schema.org/draft/2020-12/schema", &*DRAFT_2020),
    };
    // The texts below are ours, and the tests read them.
    let Ok(document) = Document::new(meta) else { return Ok(()) };
    check(&document, schema).map_err(|problems| {
        format!(
            "\"{address}\" is not valid against metaschema: jsonschema validation failed with '{url}#'\n{}",
            problems.trim_end()
        )
    })
}

static DRAFT_2020: LazyLock<Json> = LazyLock::new(|| read(NEWER_TEXT));
static DRAFT_2019: LazyLock<Json> = LazyLock::new(|| {
    let either = json!({"anyOf": [{"$ref": "#"}, {"$ref": "#/definitions/list"}]});
    changed(
        NEWER_TEXT,
        &[
            ("/definitions/applicator/properties/items", either),
            ("/definitions/applicator/properties/prefixItems", json!({})),
            ("/definitions/applicator/properties/additionalItems", json!({"$ref": "#"})),
            (
                "/definitions/core/properties/$anchor",
                json!({"type": "string", "pattern": "^[A-Za-z][-A-Za-z0-9.:_]*$"}),
            ),
            ("/definitions/core/properties/$recursiveRef", json!({"$ref": "#/definitions/reference"})),
            ("/definitions/core/properties/$recursiveAnchor", json!({"$ref": "#/definitions/flag"})),
            ("/definitions/core/properties/$dynamicRef", json!({})),
            ("/definitions/core/properties/$dynamicAnchor", json!({})),
            ("/properties/$recursiveRef", json!({})),
            ("/properties/$recursiveAnchor", json!({})),
        ],
    )
});
static DRAFT_7: LazyLock<Json> = LazyLock::new(|| read(OLDER_TEXT));
static DRAFT_6: LazyLock<Json> = LazyLock::new(|| changed(OLDER_TEXT, &without_7()));
static DRAFT_4: LazyLock<Json> = LazyLock::new(|| {
    let anything = json!({});
    let flag = json!({"type": "boolean"});
    let either = json!({"anyOf": [{"type": "boolean"}, {"$ref": "#"}]});
    let names = json!({"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": true});
    let needed = json!({"exclusiveMaximum": ["maximum"], "exclusiveMinimum": ["minimum"]});
    let mut changes = without_7();
    changes.extend([
        ("/type", json!("object")),
        ("/definitions/texts", names),
        ("/properties/exclusiveMinimum", flag.clone()),
        ("/properties/exclusiveMaximum", flag),
        ("/properties/additionalItems", either.clone()),
        ("/properties/additionalProperties", either),
        ("/properties/id", json!({"type": "string"})),
        ("/properties/$id", anything.clone()),
        ("/properties/$ref", json!({"type": "string"})),
        ("/properties/contains", anything.clone()),
        ("/properties/propertyNames", anything),
        ("/dependencies", needed),
    ]);
    changed(OLDER_TEXT, &changes)
});

/// What only draft 7 looks at.
fn without_7() -> Vec<(&'static str, Json)> {
    let mut changes = vec![(
        "/properties/patternProperties",
        json!({"type": "object", "additionalProperties": {"$ref": "#"}}),
    )];
    let others = [
        "/properties/$comment",
        "/properties/readOnly",
        "/properties/writeOnly",
        "/properties/examples",
        "/properties/contentMediaType",
        "/properties/contentEncoding",
        "/properties/if",
        "/properties/then",
        "/properties/else",
    ];
    changes.extend(others.map(|path| (path, json!({}))));
    changes
}

fn read(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_default()
}

/// A text with other parts at some paths.
fn changed(text: &str, changes: &[(&str, Json)]) -> Json {
    let mut schema = read(text);
    for (path, part) in changes {
        if let Some((parent, name)) = path.rsplit_once('/')
            && let Some(parent) = schema.pointer_mut(parent).and_then(Json::as_object_mut)
        {
            parent.insert(name.to_owned(), part.clone());
        }
    }
    schema
}

/// Draft 7's rules apply to these texts: formats are asserted.
const NEWER_TEXT: &str = r##"{
"$schema":"http://json-schema.org/draft-07/schema#",
"type":["object","boolean"],
"allOf":[{"$ref":"#/definitions/core"},{"$ref":"#/definitions/applicator"},{"$ref":"#/definitions/validation"},{"$ref":"#/definitions/annotation"}],
"definitions":{
"text":{"type":"string"},"reference":{"type":"string","format":"uri-reference"},"name":{"type":"string","pattern":"^[A-Za-z_][-A-Za-z0-9._]*$"},"number":{"type":"number"},"flag":{"type":"boolean"},
"count":{"type":"integer","minimum":0},
"texts":{"type":"array","items":{"type":"string"},"uniqueItems":true},
"list":{"type":"array","minItems":1,"items":{"$ref":"#"}},
"kind":{"enum":["array","boolean","integer","null","number","object","string"]},
"core":{"properties":{"$id":{"type":"string","format":"uri-reference","pattern":"^[^#]*#?$"},"$schema":{"type":"string","format":"uri"},
"$ref":{"$ref":"#/definitions/reference"},"$anchor":{"$ref":"#/definitions/name"},"$dynamicRef":{"$ref":"#/definitions/reference"},
"$dynamicAnchor":{"$ref":"#/definitions/name"},
"$vocabulary":{"type":"object","propertyNames":{"type":"string","format":"uri"},"additionalProperties":{"type":"boolean"}},"$comment":{"$ref":"#/definitions/text"},"$defs":{"type":"object","additionalProperties":{"$ref":"#"}}}},
"applicator":{"properties":{"prefixItems":{"$ref":"#/definitions/list"},"items":{"$ref":"#"},
"contains":{"$ref":"#"},"additionalProperties":{"$ref":"#"},"properties":{"type":"object","additionalProperties":{"$ref":"#"}},
"patternProperties":{"type":"object","additionalProperties":{"$ref":"#"},"propertyNames":{"format":"regex"}},
"dependentSchemas":{"type":"object","additionalProperties":{"$ref":"#"}},"propertyNames":{"$ref":"#"},"if":{"$ref":"#"},"then":{"$ref":"#"},"else":{"$ref":"#"},
"allOf":{"$ref":"#/definitions/list"},"anyOf":{"$ref":"#/definitions/list"},"oneOf":{"$ref":"#/definitions/list"},"not":{"$ref":"#"},
"unevaluatedItems":{"$ref":"#"},"unevaluatedProperties":{"$ref":"#"}}},
"validation":{"properties":{"type":{"anyOf":[{"$ref":"#/definitions/kind"},{"type":"array","items":{"$ref":"#/definitions/kind"},"minItems":1,"uniqueItems":true}]},
"enum":{"type":"array"},"multipleOf":{"type":"number","exclusiveMinimum":0},"maximum":{"$ref":"#/definitions/number"},
"exclusiveMaximum":{"$ref":"#/definitions/number"},"minimum":{"$ref":"#/definitions/number"},"exclusiveMinimum":{"$ref":"#/definitions/number"},
"maxLength":{"$ref":"#/definitions/count"},"minLength":{"$ref":"#/definitions/count"},"pattern":{"type":"string","format":"regex"},
"maxItems":{"$ref":"#/definitions/count"},"minItems":{"$ref":"#/definitions/count"},"uniqueItems":{"$ref":"#/definitions/flag"},
"maxContains":{"$ref":"#/definitions/count"},"minContains":{"$ref":"#/definitions/count"},
"maxProperties":{"$ref":"#/definitions/count"},"minProperties":{"$ref":"#/definitions/count"},"required":{"$ref":"#/definitions/texts"},
"dependentRequired":{"type":"object","additionalProperties":{"$ref":"#/definitions/texts"}}}},
"annotation":{"properties":{"title":{"$ref":"#/definitions/text"},"description":{"$ref":"#/definitions/text"},"deprecated":{"$ref":"#/definitions/flag"},
"readOnly":{"$ref":"#/definitions/flag"},"writeOnly":{"$ref":"#/definitions/flag"},"examples":{"type":"array"},"format":{"$ref":"#/definitions/text"},
"contentMediaType":{"$ref":"#/definitions/text"},"contentEncoding":{"$ref":"#/definitions/text"},"contentSchema":{"$ref":"#"}}}
},
"properties":{"definitions":{"type":"object","additionalProperties":{"$ref":"#"}},
"dependencies":{"type":"object","additionalProperties":{"anyOf":[{"$ref":"#"},{"$ref":"#/definitions/texts"}]}},
"$recursiveRef":{"$ref":"#/definitions/reference"},"$recursiveAnchor":{"$ref":"#/definitions/name"}}
}"##;

const OLDER_TEXT: &str = r##"{
"$schema":"http://json-schema.org/draft-07/schema#",
"type":["object","boolean"],
"definitions":{
"count":{"type":"integer","minimum":0},"least":{"allOf":[{"$ref":"#/definitions/count"},{"default":0}]},
"texts":{"type":"array","items":{"type":"string"},"uniqueItems":true},
"list":{"type":"array","minItems":1,"items":{"$ref":"#"}},
"kind":{"enum":["array","boolean","integer","null","number","object","string"]}},
"properties":{"$id":{"type":"string","format":"uri-reference"},"$schema":{"type":"string","format":"uri"},"$ref":{"type":"string","format":"uri-reference"},
"$comment":{"type":"string"},"readOnly":{"type":"boolean"},"writeOnly":{"type":"boolean"},"examples":{"type":"array"},
"contentMediaType":{"type":"string"},"contentEncoding":{"type":"string"},"title":{"type":"string"},"description":{"type":"string"},
"multipleOf":{"type":"number","exclusiveMinimum":0},"maximum":{"type":"number"},"exclusiveMaximum":{"type":"number"},
"minimum":{"type":"number"},"exclusiveMinimum":{"type":"number"},
"maxLength":{"$ref":"#/definitions/count"},"minLength":{"$ref":"#/definitions/least"},"pattern":{"type":"string","format":"regex"},
"additionalItems":{"$ref":"#"},"items":{"anyOf":[{"$ref":"#"},{"$ref":"#/definitions/list"}]},
"maxItems":{"$ref":"#/definitions/count"},"minItems":{"$ref":"#/definitions/least"},"uniqueItems":{"type":"boolean"},"contains":{"$ref":"#"},
"maxProperties":{"$ref":"#/definitions/count"},"minProperties":{"$ref":"#/definitions/least"},"required":{"$ref":"#/definitions/texts"},
"additionalProperties":{"$ref":"#"},"definitions":{"type":"object","additionalProperties":{"$ref":"#"}},"properties":{"type":"object","additionalProperties":{"$ref":"#"}},
"patternProperties":{"type":"object","additionalProperties":{"$ref":"#"},"propertyNames":{"format":"regex"}},
"dependencies":{"type":"object","additionalProperties":{"anyOf":[{"$ref":"#"},{"$ref":"#/definitions/texts"}]}},"propertyNames":{"$ref":"#"},
"enum":{"type":"array","minItems":1,"uniqueItems":true},
"type":{"anyOf":[{"$ref":"#/definitions/kind"},{"type":"array","items":{"$ref":"#/definitions/kind"},"minItems":1,"uniqueItems":true}]},
"format":{"type":"string"},"if":{"$ref":"#"},"then":{"$ref":"#"},"else":{"$ref":"#"},
"allOf":{"$ref":"#/definitions/list"},"anyOf":{"$ref":"#/definitions/list"},"oneOf":{"$ref":"#/definitions/list"},"not":{"$ref":"#"}}
}"##;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::document::draft_of;
    use super::*;

    fn problem(schema: &str) -> String {
        let schema = read(schema);
        let draft = draft_of(&schema, Draft::D2020).unwrap();
        let text = validate("x#", &schema, draft).unwrap_err();
        text.split_once('\n').unwrap().1.to_owned()
    }

    #[test]
    fn the_schemas_of_schemas_are_schemas() {
        for text in [&*DRAFT_2020, &*DRAFT_2019, &*DRAFT_7, &*DRAFT_6, &*DRAFT_4] {
            assert!(text.is_object());
            assert_eq!(Document::new(text).map(|_| ()), Ok(()));
            assert_eq!(asked("x#", text, draft_of(text, Draft::D2020).unwrap()), Ok(()));
        }
    }

    /// Every key that a schema of schemas names, as a property, at any depth.
    fn keywords(meta: &Json, found: &mut BTreeSet<String>) {
        let Json::Object(map) = meta else { return };
        for (key, part) in map {
            match (key.as_str(), part) {
                ("properties", Json::Object(named)) => found.extend(named.keys().cloned()),
                ("dependencies", Json::Object(named)) => found.extend(named.keys().cloned()),
                (_, part) => keywords(part, found),
            }
        }
    }

    #[test]
    fn every_keyword_is_judged() {
        let mut found = BTreeSet::new();
        for meta in [&*DRAFT_2020, &*DRAFT_2019, &*DRAFT_7, &*DRAFT_6, &*DRAFT_4] {
            keywords(meta, &mut found);
        }
        assert!(found.len() > 50, "{found:?}");
        let value = json!({"type": 1});
        for keyword in found {
            let schema = json!({ (keyword.clone()): value.clone() });
            // Only what admits anything admits this.
            for draft in [Draft::D4, Draft::D6, Draft::D7, Draft::D2019, Draft::D2020] {
                let is_plain = plain::holds(&schema, draft);
                assert!(!is_plain || asked("x#", &schema, draft).is_ok(), "{keyword} {draft:?}");
            }
        }
    }

    #[test]
    fn what_is_plainly_right_is_right() {
        let parts = [
            json!({"type": "object", "title": "t", "description": "d", "default": [1]}),
            json!({"type": ["string", "null"], "minLength": 0, "maxLength": 3, "enum": ["a", null, 1.0]}),
            json!({"$ref": "#/definitions/c-d.e_f/$x"}),
            json!({"required": ["a", "b"], "minProperties": 1, "maxProperties": 2, "x-y": {"z": []}}),
            json!({"items": {"type": "integer"}, "minItems": 1, "maxItems": 2, "uniqueItems": true}),
            json!({"properties": {"a": {}, "b": {"type": "null"}}, "additionalProperties": false}),
            json!({"additionalProperties": {"type": "number"}, "definitions": {"c": {}}, "$defs": {"d": {}}}),
            json!({"allOf": [{}], "anyOf": [{"type": "string"}, {}], "oneOf": [{}], "not": {"type": "array"}}),
            json!({"minimum": -1.5, "maximum": 2, "const": {}, "examples": [1], "$comment": "c"}),
        ];
        for draft in [Draft::D4, Draft::D6, Draft::D7, Draft::D2019, Draft::D2020] {
            let mut held = 0;
            for part in &parts {
                if plain::holds(part, draft) {
                    assert_eq!(asked("x#", part, draft), Ok(()), "{part}");
                    held += 1;
                }
            }
            assert!(held >= 8, "{held}");
        }
    }

    #[test]
    fn malformed_schemas_are_told_as_helm_tells_them() {
        assert_eq!(
            problem(r#"{"type":"foo"}"#),
            "- at '': 'allOf' failed\n  - at '/type': 'anyOf' failed\n    - at '/type': value must be one of 'array', 'boolean', 'integer', 'null', 'number', 'object', 'string'\n    - at '/type': got string, want array"
        );
        assert_eq!(
            problem(r#"{"properties":{"a":{"pattern":"("}}}"#),
            "- at '': 'allOf' failed\n  - at '/properties/a': 'allOf' failed\n    - at '/properties/a/pattern': '(' is not valid regex: error parsing regexp: missing closing ): `(`"
        );
        assert_eq!(problem("[]"), "- at '': got array, want boolean or object");
        assert_eq!(
            problem(
                r#"{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"minLength":"x"}}}"#
            ),
            "- at '/properties/a/minLength': 'allOf' failed\n  - at '/properties/a/minLength': got string, want integer"
        );
        assert_eq!(
            problem(r#"{"minLength":-1}"#),
            "- at '': 'allOf' failed\n  - at '/minLength': minimum: got -1, want 0"
        );
    }
}

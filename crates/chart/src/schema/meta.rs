//! What schemas themselves must look like.
//!
//! Schemas of schemas, written for the errors that Helm's library gives: the older drafts describe a schema in one
//! piece, the newer ones as several vocabularies that must all hold.

use std::sync::LazyLock;

use serde_json::Value as Json;

use super::check::check;
use super::document::{Document, Draft, draft_of};

/// Checks a schema; the error is Helm's text.
pub(super) fn validate(schema: &Json) -> Result<(), String> {
    let draft = draft_of(schema, Draft::D2020)?;
    let (url, meta) = match draft {
        Draft::D4 => ("http://json-schema.org/draft-04/schema", &*DRAFT_4),
        Draft::D6 => ("http://json-schema.org/draft-06/schema", &*DRAFTS_6_AND_7),
        Draft::D7 => ("http://json-schema.org/draft-07/schema", &*DRAFTS_6_AND_7),
        Draft::D2019 => ("https://json-schema.org/draft/2019-09/schema", &*NEWER),
        Draft::D2020 => ("https://json-schema.org/draft/2020-12/schema", &*NEWER),
    };
    // The texts below are ours, and the tests read them.
    let Ok(document) = Document::new(meta) else { return Ok(()) };
    check(&document, schema).map_err(|problems| {
        format!(
            "\"file:///values.schema.json#\" is not valid against metaschema: jsonschema validation failed with '{url}#'\n{}",
            problems.trim_end()
        )
    })
}

static NEWER: LazyLock<Json> = LazyLock::new(|| read(NEWER_TEXT));
static DRAFTS_6_AND_7: LazyLock<Json> = LazyLock::new(|| read(OLDER_TEXT));
static DRAFT_4: LazyLock<Json> = LazyLock::new(|| {
    let text = OLDER_TEXT
        .replace(r#""exclusiveMinimum":{"type":"number"}"#, r#""exclusiveMinimum":{"type":"boolean"}"#);
    let text =
        text.replace(r#""exclusiveMaximum":{"type":"number"}"#, r#""exclusiveMaximum":{"type":"boolean"}"#);
    read(&text.replacen(r#""type":["object","boolean"]"#, r#""type":"object""#, 1))
});

fn read(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_default()
}

/// Draft 7's rules apply to these texts: formats are asserted.
const NEWER_TEXT: &str = r##"{
"$schema":"http://json-schema.org/draft-07/schema#",
"type":["object","boolean"],
"allOf":[{"$ref":"#/definitions/core"},{"$ref":"#/definitions/applicator"},{"$ref":"#/definitions/validation"},{"$ref":"#/definitions/annotation"}],
"definitions":{
"text":{"type":"string"},"number":{"type":"number"},"flag":{"type":"boolean"},
"count":{"type":"integer","minimum":0},
"texts":{"type":"array","items":{"type":"string"},"uniqueItems":true},
"list":{"type":"array","minItems":1,"items":{"$ref":"#"}},
"map":{"type":"object","additionalProperties":{"$ref":"#"}},
"kind":{"enum":["array","boolean","integer","null","number","object","string"]},
"core":{"properties":{"$id":{"$ref":"#/definitions/text"},"$schema":{"$ref":"#/definitions/text"},"$ref":{"$ref":"#/definitions/text"},
"$anchor":{"$ref":"#/definitions/text"},"$dynamicRef":{"$ref":"#/definitions/text"},"$dynamicAnchor":{"$ref":"#/definitions/text"},
"$comment":{"$ref":"#/definitions/text"},"$defs":{"$ref":"#/definitions/map"}}},
"applicator":{"properties":{"prefixItems":{"$ref":"#/definitions/list"},"items":{"anyOf":[{"$ref":"#"},{"$ref":"#/definitions/list"}]},
"contains":{"$ref":"#"},"additionalProperties":{"$ref":"#"},"properties":{"$ref":"#/definitions/map"},
"patternProperties":{"type":"object","additionalProperties":{"$ref":"#"},"propertyNames":{"format":"regex"}},
"dependentSchemas":{"$ref":"#/definitions/map"},"propertyNames":{"$ref":"#"},"if":{"$ref":"#"},"then":{"$ref":"#"},"else":{"$ref":"#"},
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
"readOnly":{"$ref":"#/definitions/flag"},"writeOnly":{"$ref":"#/definitions/flag"},"examples":{"type":"array"},"format":{"$ref":"#/definitions/text"}}}
}}"##;

const OLDER_TEXT: &str = r##"{
"$schema":"http://json-schema.org/draft-07/schema#",
"type":["object","boolean"],
"definitions":{
"count":{"type":"integer","minimum":0},"least":{"allOf":[{"$ref":"#/definitions/count"},{"default":0}]},
"texts":{"type":"array","items":{"type":"string"},"uniqueItems":true},
"list":{"type":"array","minItems":1,"items":{"$ref":"#"}},
"map":{"type":"object","additionalProperties":{"$ref":"#"}},
"kind":{"enum":["array","boolean","integer","null","number","object","string"]}},
"properties":{"$id":{"type":"string"},"$schema":{"type":"string"},"$ref":{"type":"string"},"title":{"type":"string"},"description":{"type":"string"},
"multipleOf":{"type":"number","exclusiveMinimum":0},"maximum":{"type":"number"},"exclusiveMaximum":{"type":"number"},
"minimum":{"type":"number"},"exclusiveMinimum":{"type":"number"},
"maxLength":{"$ref":"#/definitions/count"},"minLength":{"$ref":"#/definitions/least"},"pattern":{"type":"string","format":"regex"},
"additionalItems":{"anyOf":[{"type":"boolean"},{"$ref":"#"}]},"items":{"anyOf":[{"$ref":"#"},{"$ref":"#/definitions/list"}]},
"maxItems":{"$ref":"#/definitions/count"},"minItems":{"$ref":"#/definitions/least"},"uniqueItems":{"type":"boolean"},"contains":{"$ref":"#"},
"maxProperties":{"$ref":"#/definitions/count"},"minProperties":{"$ref":"#/definitions/least"},"required":{"$ref":"#/definitions/texts"},
"additionalProperties":{"anyOf":[{"type":"boolean"},{"$ref":"#"}]},"definitions":{"$ref":"#/definitions/map"},"properties":{"$ref":"#/definitions/map"},
"patternProperties":{"type":"object","additionalProperties":{"$ref":"#"},"propertyNames":{"format":"regex"}},
"dependencies":{"type":"object","additionalProperties":{"anyOf":[{"$ref":"#"},{"$ref":"#/definitions/texts"}]}},"propertyNames":{"$ref":"#"},
"enum":{"type":"array"},"type":{"anyOf":[{"$ref":"#/definitions/kind"},{"type":"array","items":{"$ref":"#/definitions/kind"},"minItems":1,"uniqueItems":true}]},
"format":{"type":"string"},"if":{"$ref":"#"},"then":{"$ref":"#"},"else":{"$ref":"#"},
"allOf":{"$ref":"#/definitions/list"},"anyOf":{"$ref":"#/definitions/list"},"oneOf":{"$ref":"#/definitions/list"},"not":{"$ref":"#"}}
}"##;

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(schema: &str) -> String {
        let text = validate(&read(schema)).unwrap_err();
        text.split_once('\n').unwrap().1.to_owned()
    }

    #[test]
    fn the_schemas_of_schemas_are_schemas() {
        for text in [&*NEWER, &*DRAFTS_6_AND_7, &*DRAFT_4] {
            assert!(text.is_object());
            assert_eq!(Document::new(text).map(|_| ()), Ok(()));
            assert_eq!(validate(text), Ok(()));
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

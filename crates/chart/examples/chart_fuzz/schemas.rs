//! Random `values.schema.json`.

use serde_json::{Value as Json, json};

use oracle::Random;

const NAMES: [&str; 6] = ["a", "b", "enabled", "list", "alpha", "data"];

/// A schema, sometimes one that is none.
pub fn schema(random: &mut Random) -> String {
    if random.chance(3) {
        return random
            .pick(&[
                "",
                "{",
                "true",
                "false",
                "[]",
                "{\"type\": 1}",
                "{\"$ref\": \"#/nowhere\"}",
                "null",
                "{\"pattern\": \"(\"}",
            ])
            .to_owned();
    }
    let mut top = object(random, 0);
    if random.chance(70) {
        let draft = random.pick(&[
            "http://json-schema.org/draft-07/schema#",
            "https://json-schema.org/draft-07/schema",
            "http://json-schema.org/draft-04/schema#",
            "http://json-schema.org/draft-06/schema#",
            "https://json-schema.org/draft/2019-09/schema",
            "https://json-schema.org/draft/2020-12/schema",
            "http://json-schema.org/schema#",
        ]);
        top["$schema"] = draft.into();
    }
    let place = random.pick(&["$defs", "definitions"]);
    // Nothing that refers to itself without end: see known-differences.txt.
    let mut small = part(random, 1);
    while small.to_string().contains("$ref") {
        small = part(random, 1);
    }
    top[place] = json!({"small": small, "named": object(random, 2)});
    top.to_string()
}

fn object(random: &mut Random, depth: usize) -> Json {
    let mut properties = serde_json::Map::new();
    for name in NAMES {
        if random.chance(35) {
            properties.insert(name.to_owned(), part(random, depth + 1));
        }
    }
    let mut found = json!({"type": "object", "properties": properties});
    if random.chance(25) {
        found["required"] = json!([random.pick(&NAMES), random.pick(&["x-y", "c", "zz"])]);
    }
    if random.chance(15) {
        found["additionalProperties"] =
            if random.chance(60) { false.into() } else { part(random, depth + 1) };
    }
    if random.chance(10) {
        found["patternProperties"] =
            json!({random.pick(&["^a", "x", "^(b|c)$", ".*"]): part(random, depth + 1)});
    }
    if random.chance(6) {
        found["propertyNames"] = json!({"pattern": random.pick(&["^[a-z]+$", "^.{1,4}$"])});
    }
    if random.chance(6) {
        found["dependencies"] = json!({"a": ["b"], "b": part(random, depth + 1)});
    }
    if random.chance(6) {
        found["dependentRequired"] = json!({"a": ["b", "c"]});
    }
    if random.chance(6) {
        found["unevaluatedProperties"] = false.into();
    }
    if random.chance(8) {
        found["minProperties"] = json!(random.below(4));
    }
    if random.chance(8) {
        found["maxProperties"] = json!(random.below(6));
    }
    found
}

fn part(random: &mut Random, depth: usize) -> Json {
    let deep = depth > 3;
    match random.below(20) {
        0 | 1 => {
            json!({"type": random.pick(&["string", "integer", "number", "boolean", "object", "array", "null"])})
        }
        2 => json!({"type": ["string", "null"]}),
        3 => json!({"type": "string", "minLength": random.below(4), "maxLength": 5}),
        4 => json!({"type": "string", "pattern": random.pick(&["^[a-z]+$", "\\d", "^$", "[[:alpha:]]"])}),
        5 => json!({"enum": ["text", 1, null, true, [1], {"a": 1}]}),
        6 => json!({"const": random.below(2)}),
        7 => json!({"type": "integer", "minimum": 1, "maximum": 10}),
        8 => json!({"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.5}),
        9 => {
            json!({"type": "string", "format": random.pick(&["date", "email", "uri", "ipv4", "hostname", "date-time", "regex", "uuid", "duration", "time", "json-pointer"])})
        }
        10 => json!({"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": true}),
        11 => json!({"type": "array", "maxItems": 2, "contains": {"type": "integer"}}),
        12 => {
            json!({"$ref": random.pick(&["#/$defs/small", "#/definitions/small", "#/$defs/named", "#/definitions/named"])})
        }
        13 => json!({"$ref": random.pick(&["#/$defs/small", "#/definitions/small"]), "minLength": 3}),
        14 => json!({"not": {"type": "string"}}),
        _ if deep => json!({}),
        15 => json!({"oneOf": [part(random, depth + 1), part(random, depth + 1)]}),
        16 => json!({"anyOf": [part(random, depth + 1), part(random, depth + 1)]}),
        17 => json!({"allOf": [part(random, depth + 1), part(random, depth + 1)]}),
        18 => {
            json!({"if": part(random, depth + 1), "then": part(random, depth + 1), "else": part(random, depth + 1)})
        }
        _ => object(random, depth),
    }
}

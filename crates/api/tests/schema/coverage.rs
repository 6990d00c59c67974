//! Every rule of every schema is tripped by a case.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    cases::{Expected, all},
    definitions,
};

#[test]
fn every_rule_is_tripped_by_a_case() {
    let cases = all();
    let mut missing = Vec::new();
    let mut count = 0;
    for (_, definition) in definitions::files() {
        let kind = definition["spec"]["names"]["kind"].as_str().unwrap();
        let expected: BTreeSet<&str> = cases
            .iter()
            .filter(|case| case.kind == kind)
            .filter_map(|case| match &case.expected {
                Expected::Refused(errors) => Some(errors.iter().map(String::as_str)),
                Expected::Accepted(_) => None,
            })
            .flatten()
            .collect();
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let mut rules = Vec::new();
        for part in ["spec", "status"] {
            collect(&schema["properties"][part], part, &mut rules);
        }
        count += rules.len();
        let uncovered = rules.iter().filter(|rule| {
            // In a change of the status alone, the server leaves out the first segment in front of "in body".
            let short =
                rule.strip_prefix("status.").filter(|rule| rule.contains(" in body ")).unwrap_or(rule);
            !expected.iter().any(|error| error.starts_with(short))
        });
        missing.extend(uncovered.map(|rule| format!("{kind}: {rule}")));
    }
    assert!(missing.is_empty(), "{} of {count} rules lack a case:\n{}", missing.len(), missing.join("\n"));
    assert!(count > 250, "only {count} rules");
}

/// The beginnings of the messages that the rules of a schema give. Types are left out: each has one rule per field, which
/// the structural schema checks anyway.
fn collect(schema: &Value, path: &str, rules: &mut Vec<String>) {
    for (key, message) in [
        ("pattern", " in body should match"),
        ("enum", ": Unsupported value"),
        ("minLength", " in body should be at least"),
        ("maxLength", ": Too long"),
        ("minItems", " in body should have at least"),
        ("minimum", " in body should be greater than"),
    ] {
        if schema.get(key).is_some() {
            rules.push(format!("{path}{message}"));
        }
    }
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        rules.push(rule["message"].as_str().unwrap().to_owned());
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let required =
            schema["required"].as_array().is_some_and(|required| required.contains(&name.as_str().into()));
        // The default of a required field fills the gap.
        if required && property.get("default").is_none() {
            rules.push(format!("{path}: Required value"));
        }
        collect(property, &path, rules);
    }
    if let Some(items) = schema.get("items") {
        collect(items, &format!("{path}[0]"), rules);
    }
    if let Some(values) = schema.get("additionalProperties") {
        collect(values, &format!("{path}.key"), rules);
    }
}

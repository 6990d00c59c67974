//! `values.schema.json`
//!
//! A validator of our own: Helm prints what its JSON schema library says, a tree of causes in that library's order and
//! words, which no Rust crate keeps. Drafts 4, 6, 7, 2019-09 and 2020-12; what `$schema` does not name is 2020-12.
//! References stay within the document: nothing is loaded from elsewhere. What stands in the network admits everything,
//! with a warning; what would be on this machine's disk is an error.

mod check;
mod decimal;
mod document;
mod format;
mod meta;
mod plain;
mod problem;

use serde_json::Value as Json;

use crate::load::Chart;
use crate::values::{PlainTable, Warnings};

/// Checks the values of a chart and of its sub-charts; the error is Helm's text.
pub(crate) fn validate(chart: &Chart, values: &PlainTable, warnings: &mut Warnings) -> Result<(), String> {
    if !has_schema(chart) {
        return Ok(());
    }
    let mut text = String::new();
    validate_chart(chart, &Json::Object(values.table()), &mut text, warnings);
    if text.is_empty() { Ok(()) } else { Err(text) }
}

fn has_schema(chart: &Chart) -> bool {
    chart.schema.is_some() || chart.dependencies.iter().any(has_schema)
}

/// What the schemas of a chart and of its sub-charts weigh.
pub(crate) fn bytes(chart: &Chart) -> usize {
    let own = chart.schema.as_ref().map_or(0, |schema| schema.data.len());
    own + chart.dependencies.iter().map(bytes).sum::<usize>()
}

fn validate_chart(chart: &Chart, values: &Json, text: &mut String, warnings: &mut Warnings) {
    if let Some(schema) = &chart.schema
        && let Err(problem) = validate_one(chart.name(), &schema.data, values, warnings)
    {
        text.push_str(chart.name());
        text.push_str(":\n");
        text.push_str(&problem);
    }
    for sub in &chart.dependencies {
        let kind = match values.get(sub.name()) {
            None | Some(Json::Null) => continue,
            Some(values @ Json::Object(_)) => {
                validate_chart(sub, values, text, warnings);
                continue;
            }
            Some(Json::Bool(_)) => "bool",
            Some(Json::Number(_)) => "float64",
            Some(Json::String(_)) => "string",
            Some(Json::Array(_)) => "[]interface {}",
        };
        text.push_str(sub.name());
        text.push_str(":\ninvalid type for values: expected object (map), got ");
        text.push_str(kind);
        text.push('\n');
    }
}

/// Checks values against one schema.
fn validate_one(chart: &str, schema: &[u8], values: &Json, warnings: &mut Warnings) -> Result<(), String> {
    let schema: Json = serde_json::from_slice(schema).map_err(|error| {
        if error.is_eof() {
            return if schema.trim_ascii().is_empty() { "EOF" } else { "unexpected EOF" }.to_owned();
        }
        sprig::read_json(schema).err().unwrap_or_else(|| error.to_string())
    })?;
    meta::validate(
        "file:///values.schema.json#",
        &schema,
        document::draft_of(&schema, document::Draft::D2020)?,
    )?;
    let document = document::Document::new(&schema)?;
    for address in &document.remote {
        warnings.push(format!(
            "values.schema.json of {chart}: {address} is not downloaded; what it would check is not checked"
        ));
    }
    check::check(&document, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_elsewhere_is_not_loaded() {
        let check = |schema: &str| {
            let mut warnings = Warnings::new();
            let outcome = validate_one("web", schema.as_bytes(), &serde_json::json!({"a": 1}), &mut warnings);
            (outcome.map_err(|error| error.lines().next().unwrap_or_default().to_owned()), warnings)
        };
        let (outcome, warnings) =
            check(r#"{"properties": {"a": {"$ref": "https://x.y/z.json#/definitions/a"}}}"#);
        assert_eq!(outcome, Ok(()));
        assert_eq!(
            warnings,
            [
                "values.schema.json of web: https://x.y/z.json is not downloaded; what it would check is not checked"
            ]
        );
        let (outcome, _) = check(r#"{"properties": {"a": {"$ref": "../other.json"}}}"#);
        assert_eq!(
            outcome.unwrap_err(),
            r#"failing loading "file:///other.json": references to other documents are not followed"#
        );
    }
}

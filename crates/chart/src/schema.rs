//! `values.schema.json`
//!
//! A validator of our own: Helm prints what its JSON schema library says, a tree of causes in that library's order and
//! words, which no Rust crate keeps. Drafts 4, 6, 7, 2019-09 and 2020-12; what `$schema` does not name is 2020-12.
//! References stay within the document: nothing is loaded from elsewhere.

mod check;
mod decimal;
mod document;
mod format;
mod meta;
mod problem;

use gotemplate::Value;
use serde_json::Value as Json;

use crate::load::Chart;
use crate::values::to_json;

/// Checks the values of a chart and of its sub-charts; the error is Helm's text.
pub(crate) fn validate(chart: &Chart, values: &Value) -> Result<(), String> {
    if !has_schema(chart) {
        return Ok(());
    }
    let mut text = String::new();
    validate_chart(chart, &to_json(values), &mut text);
    if text.is_empty() { Ok(()) } else { Err(text) }
}

fn has_schema(chart: &Chart) -> bool {
    chart.schema.is_some() || chart.dependencies.iter().any(has_schema)
}

fn validate_chart(chart: &Chart, values: &Json, text: &mut String) {
    if let Some(schema) = &chart.schema
        && let Err(problem) = validate_one(&schema.data, values)
    {
        text.push_str(chart.name());
        text.push_str(":\n");
        text.push_str(&problem);
    }
    for sub in &chart.dependencies {
        let kind = match values.get(sub.name()) {
            None | Some(Json::Null) => continue,
            Some(values @ Json::Object(_)) => {
                validate_chart(sub, values, text);
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
fn validate_one(schema: &[u8], values: &Json) -> Result<(), String> {
    let schema: Json = serde_json::from_slice(schema).map_err(|error| {
        if error.is_eof() {
            return if schema.trim_ascii().is_empty() { "EOF" } else { "unexpected EOF" }.to_owned();
        }
        sprig::read_json(schema).err().unwrap_or_else(|| error.to_string())
    })?;
    meta::validate(&schema)?;
    let document = document::Document::new(&schema)?;
    check::check(&document, values)
}

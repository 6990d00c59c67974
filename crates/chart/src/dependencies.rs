//! Which sub-charts a chart has in the end, and what it imports from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotemplate::Value;
use serde_json::{Value as Json, json};

use crate::capabilities::compatible;
use crate::error::Error;
use crate::load::Chart;
use crate::metadata::Dependency;
use crate::values::{
    Nulls, Table, Warnings, coalesce_values, deep_copy, merge_tables, table_of, to_table, to_value,
};

impl Chart {
    /// Applies aliases, tags, conditions and imports: what is left are the sub-charts that will be rendered, and the
    /// chart's default values hold what it imports. Done once, before rendering; release records keep the outcome.
    ///
    /// # Errors
    /// When something that is no table stands where the values of a sub-chart belong.
    pub fn process_dependencies(&mut self, user: &Table, warnings: &mut Warnings) -> Result<(), Error> {
        select(self, &to_table(user), "", warnings)?;
        import(self, warnings)
    }
}

fn select(chart: &mut Chart, user: &Value, path: &str, warnings: &mut Warnings) -> Result<(), Error> {
    if chart.metadata.dependencies.is_empty() {
        return Ok(());
    }
    let loaded = std::mem::take(&mut chart.dependencies);
    let fits = |sub: &Chart, wanted: &Dependency| {
        sub.name() == wanted.name && compatible(&wanted.version, &sub.metadata.version)
    };
    let mut listed: Vec<Dependency> = chart.metadata.dependencies.iter().flatten().cloned().collect();
    let unlisted = loaded.iter().filter(|sub| !listed.iter().any(|wanted| fits(sub, wanted)));
    chart.dependencies = unlisted.cloned().collect();
    for wanted in &mut listed {
        if let Some(sub) = loaded.iter().find(|sub| fits(sub, wanted)) {
            let mut sub = sub.clone();
            if !wanted.alias.is_empty() {
                sub.metadata.name.clone_from(&wanted.alias);
            }
            chart.dependencies.push(sub);
        }
        if !wanted.alias.is_empty() {
            wanted.name.clone_from(&wanted.alias);
        }
        wanted.enabled = true;
    }
    let values = coalesce_values(chart, user, Nulls::Delete, warnings)?;
    for wanted in &mut listed {
        apply_tags(wanted, &values, warnings);
        apply_conditions(wanted, &values, path, warnings);
    }
    let disabled: Vec<&str> =
        listed.iter().filter(|wanted| !wanted.enabled).map(|wanted| wanted.name.as_str()).collect();
    chart.dependencies.retain(|sub| !disabled.contains(&sub.name()));
    let disabled: Vec<String> = disabled.into_iter().map(str::to_owned).collect();
    listed.retain(|wanted| !disabled.contains(&wanted.name));
    chart.metadata.dependencies = listed.into_iter().map(Some).collect();
    for sub in &mut chart.dependencies {
        let path = format!("{path}{}.", sub.metadata.name);
        select(sub, &values, &path, warnings)?;
    }
    Ok(())
}

fn apply_tags(wanted: &mut Dependency, values: &Value, warnings: &mut Warnings) {
    let Some(tags) = lookup(values, "tags").filter(|tags| tags.as_dict().is_some()) else { return };
    let (mut on, mut off) = (false, false);
    for tag in &wanted.tags {
        match tags.as_dict().and_then(|tags| tags.get(tag.as_bytes())) {
            Some(Value::Bool(true)) => on = true,
            Some(Value::Bool(false)) => off = true,
            Some(_) => {
                warnings.push(format!("tag {tag} of dependency {}: returned non-bool value", wanted.name));
            }
            None => {}
        }
    }
    wanted.enabled = on || !off;
}

fn apply_conditions(wanted: &mut Dependency, values: &Value, path: &str, warnings: &mut Warnings) {
    for condition in wanted.condition.trim().split(',').filter(|condition| !condition.is_empty()) {
        match lookup(values, &format!("{path}{condition}")) {
            Some(Value::Bool(value)) => {
                wanted.enabled = value;
                return;
            }
            Some(Value::Dict(_)) | None => {}
            Some(_) => warnings.push(format!(
                "condition {condition} of dependency {}: returned non-bool value",
                wanted.name
            )),
        }
    }
}

/// What stands at the end of a dotted path of tables.
pub(crate) fn lookup(values: &Value, path: &str) -> Option<Value> {
    let mut at = values.clone();
    for key in path.split('.') {
        let next = at.as_dict()?.get(key.as_bytes())?;
        at = next;
    }
    Some(at)
}

fn import(chart: &mut Chart, warnings: &mut Warnings) -> Result<(), Error> {
    for sub in &mut chart.dependencies {
        import(sub, warnings)?;
    }
    if chart.metadata.dependencies.is_empty() {
        return Ok(());
    }
    let values = coalesce_values(chart, &Value::Nil, Nulls::Keep, warnings)?;
    let imported = Value::dict(BTreeMap::new());
    for wanted in chart.metadata.dependencies.iter_mut().flatten() {
        let name = wanted.name.clone();
        let mut normalized = Vec::new();
        for item in std::mem::take(&mut wanted.import_values) {
            let (child, parent) = match &item {
                Json::Object(item) => {
                    let text = |key: &str| match item.get(key) {
                        None => "<nil>".to_owned(),
                        Some(value) => gotemplate::fmt::sprint(&to_value(value)),
                    };
                    (text("child"), text("parent"))
                }
                Json::String(export) => (format!("exports.{export}"), ".".to_owned()),
                _ => continue,
            };
            let found = lookup(&values, &format!("{name}.{child}")).filter(|found| found.as_dict().is_some());
            normalized.push(json!({"child": child, "parent": parent}));
            match found {
                Some(table) => merge_tables(&imported, &nested(&parent, table), warnings),
                None => warnings.push(format!("import-values of dependency {name}: no table {child}")),
            }
        }
        wanted.import_values = normalized;
    }
    let values = if imported.as_dict().is_none_or(|imported| imported.is_empty()) {
        values
    } else {
        // What is imported shares tables with the values.
        let values = deep_copy(&values);
        merge_tables(&values, &imported, warnings);
        values
    };
    chart.values = Arc::new(table_of(&values));
    Ok(())
}

/// A table below a dotted path; `.` is the top.
fn nested(path: &str, table: Value) -> Value {
    if path == "." {
        return table;
    }
    path.rsplit('.').fold(table, |inner, key| Value::dict([(key.into(), inner)].into()))
}

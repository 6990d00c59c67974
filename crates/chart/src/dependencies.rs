//! Which sub-charts a chart has in the end, and what it imports from them.

use std::rc::Rc;

use serde_json::{Value as Json, json};

use crate::capabilities::compatible;
use crate::error::Error;
use crate::load::Chart;
use crate::metadata::Dependency;
use crate::values::{Draft, Node, Nulls, Plain, PlainTable, Table, Warnings, coalesce, combine, to_value};

impl Chart {
    /// Applies aliases, tags, conditions and imports: what is left are the sub-charts that will be rendered, and the
    /// chart's default values hold what it imports. Done once, before rendering; release records keep the outcome.
    ///
    /// # Errors
    /// When something that is no table stands where the values of a sub-chart belong.
    pub fn process_dependencies(&mut self, user: &Table, warnings: &mut Warnings) -> Result<(), Error> {
        select(self, &user.into(), "", warnings)?;
        import(self, warnings)
    }
}

fn select(chart: &mut Chart, user: &PlainTable, path: &str, warnings: &mut Warnings) -> Result<(), Error> {
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
    let values = coalesce(chart, user, Nulls::Delete, warnings)?;
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
    let values = values.plain();
    for sub in &mut chart.dependencies {
        let path = format!("{path}{}.", sub.metadata.name);
        select(sub, &values, &path, warnings)?;
    }
    Ok(())
}

fn apply_tags(wanted: &mut Dependency, values: &Rc<Draft>, warnings: &mut Warnings) {
    let Some(Node::Table(tags)) = values.get(b"tags") else { return };
    let (mut on, mut off) = (false, false);
    for tag in &wanted.tags {
        match tags.get(tag.as_bytes()) {
            Some(Node::Leaf(Plain::Bool(true))) => on = true,
            Some(Node::Leaf(Plain::Bool(false))) => off = true,
            Some(_) => {
                warnings.push(format!("tag {tag} of dependency {}: returned non-bool value", wanted.name));
            }
            None => {}
        }
    }
    wanted.enabled = on || !off;
}

fn apply_conditions(wanted: &mut Dependency, values: &Rc<Draft>, path: &str, warnings: &mut Warnings) {
    for condition in wanted.condition.trim().split(',').filter(|condition| !condition.is_empty()) {
        match values.lookup(&format!("{path}{condition}")) {
            Some(Node::Leaf(Plain::Bool(value))) => {
                wanted.enabled = value;
                return;
            }
            Some(Node::Table(_)) | None => {}
            Some(_) => warnings.push(format!(
                "condition {condition} of dependency {}: returned non-bool value",
                wanted.name
            )),
        }
    }
}

/// Values that a chart imports, at most: each import can double what others have brought.
const MOST: usize = 1 << 20;

fn import(chart: &mut Chart, warnings: &mut Warnings) -> Result<(), Error> {
    for sub in &mut chart.dependencies {
        import(sub, warnings)?;
    }
    if chart.metadata.dependencies.is_empty() {
        return Ok(());
    }
    let values = coalesce(chart, &PlainTable::default(), Nulls::Keep, warnings)?;
    let imported = Rc::<Draft>::default();
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
            let found = values.lookup(&format!("{name}.{child}"));
            match found {
                Some(Node::Table(table)) => {
                    combine(&imported, &nested(&parent, table), "", Nulls::Keep, warnings);
                    let problem = match imported.weight() {
                        Some(weight) if weight <= MOST => None,
                        Some(_) => Some(format!("for that makes more than {MOST} values")),
                        None => Some("where a part of it is already".to_owned()),
                    };
                    if let Some(problem) = problem {
                        return Err(Error::Values(format!(
                            "import-values of dependency {name}: {child} cannot be imported to {parent}, {problem}"
                        )));
                    }
                }
                _ => warnings.push(format!("import-values of dependency {name}: no table {child}")),
            }
            normalized.push(json!({"child": child, "parent": parent}));
        }
        wanted.import_values = normalized;
    }
    chart.values = if imported.is_empty() {
        values.plain()
    } else {
        // What is imported shares tables with the values.
        let values = Draft::new(&values.plain());
        combine(&values, &imported, "", Nulls::Keep, warnings);
        values.plain()
    };
    Ok(())
}

/// A table below a dotted path; `.` is the top.
fn nested(path: &str, table: Rc<Draft>) -> Rc<Draft> {
    if path == "." {
        return table;
    }
    path.rsplit('.').fold(table, |inner, key| Draft::of([(key.into(), Node::Table(inner))]))
}

//! Default values under the user's.
//!
//! Tables are shared and changed in place, as Helm does it: which chart sees what depends on that, for example where a
//! sub-chart's default meets a nested global of its parent.

use std::collections::BTreeMap;
use std::rc::Rc;

use gotemplate::{Dict, Str, Value};

use super::convert::{as_table, deep_copy};
use super::{Warnings, to_table};
use crate::error::Error;
use crate::load::Chart;

/// What a null of the user's does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nulls {
    /// It deletes the default: what templates see.
    Delete,
    /// It stays: what dependencies are processed with.
    Keep,
}

const GLOBAL: &[u8] = b"global";

/// The user's values with the defaults of the chart and of its sub-charts below them. The user's are not changed.
///
/// # Errors
/// When something that is no table stands where the values of a sub-chart belong.
pub fn coalesce(chart: &Chart, user: &Value, nulls: Nulls, warnings: &mut Warnings) -> Result<Value, Error> {
    let values = match deep_copy(user) {
        values @ Value::Dict(_) => values,
        _ => Value::dict(BTreeMap::new()),
    };
    if let Some(table) = as_table(&values) {
        Coalescing { nulls, warnings }.chart(chart, table, "")?;
    }
    Ok(values)
}

struct Coalescing<'w> {
    nulls: Nulls,
    warnings: &'w mut Warnings,
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

fn is_table(value: &Value) -> bool {
    as_table(value).is_some()
}

fn is_nil(value: &Value) -> bool {
    matches!(value, Value::Nil)
}

impl Coalescing<'_> {
    fn chart(&mut self, chart: &Chart, values: &Rc<Dict>, prefix: &str) -> Result<(), Error> {
        let path = join(prefix, chart.name());
        self.defaults(chart, values, &path);
        for sub in &chart.dependencies {
            let name = sub.name();
            let found = match values.get(name.as_bytes()) {
                None => {
                    let empty = Value::dict(BTreeMap::new());
                    values.set(name, empty.clone());
                    empty
                }
                Some(found) => found,
            };
            let Some(table) = as_table(&found) else {
                let shown = gotemplate::fmt::printf(b"%t", &[found]);
                let shown = String::from_utf8_lossy(&shown);
                return Err(Error::Values(format!("type mismatch on {name}: {shown}")));
            };
            self.globals(table, values, &path);
            self.chart(sub, table, &path)?;
        }
        Ok(())
    }

    fn defaults(&mut self, chart: &Chart, values: &Rc<Dict>, path: &str) {
        let Value::Dict(defaults) = to_table(&chart.values) else { return };
        for (key, default) in defaults.entries() {
            match values.get(&key) {
                None => {
                    if self.nulls == Nulls::Delete {
                        if is_nil(&default) {
                            continue;
                        }
                        drop_nulls(&default);
                    }
                    values.set(key, default);
                }
                Some(Value::Nil) if self.nulls == Nulls::Delete => {
                    values.map.borrow_mut().remove(&key);
                }
                Some(Value::Dict(table)) => {
                    let Some(default) = as_table(&default) else {
                        if !is_nil(&default) {
                            let key = key.text();
                            self.warnings
                                .push(format!("warning: skipped value for {path}.{key}: Not a table."));
                        }
                        continue;
                    };
                    let is_sub_chart = chart.dependencies.iter().any(|sub| sub.name().as_bytes() == &*key);
                    let nulls = if is_sub_chart { Nulls::Keep } else { self.nulls };
                    if nulls == Nulls::Delete {
                        drop_nulls(&Value::Dict(Rc::clone(default)));
                    }
                    combine(&table, default, &join(path, &key.text()), nulls, self.warnings);
                }
                Some(_) => {}
            }
        }
    }

    /// The parent's globals into a sub-chart's; the parent's win.
    fn globals(&mut self, child: &Rc<Dict>, parent: &Rc<Dict>, path: &str) {
        let mut global = |values: &Rc<Dict>, what: &str| match values.get(GLOBAL) {
            None => Some(Value::dict(BTreeMap::new())),
            Some(found) if is_table(&found) => Some(found),
            Some(_) => {
                self.warnings
                    .push(format!("warning: skipping globals because {what} global is not a table."));
                None
            }
        };
        let Some(into) = global(child, "destination") else { return };
        let Some(from) = global(parent, "source") else { return };
        let (Some(target), Some(source)) = (as_table(&into), as_table(&from)) else { return };
        for (key, value) in source.entries() {
            let Some(table) = as_table(&value) else {
                if target.get(&key).is_some_and(|old| is_table(&old)) {
                    self.warnings.push(format!("key {} is table. Skipping", key.text()));
                } else {
                    target.set(key, value);
                }
                continue;
            };
            // Only the table itself is copied; what is in it is shared with the parent.
            let copy = Value::dict(table.map.borrow().clone());
            match target.get(&key) {
                None => target.set(key, copy),
                Some(Value::Dict(old)) => {
                    if let Some(copy) = as_table(&copy) {
                        combine(copy, &old, &join(path, &key.text()), Nulls::Keep, self.warnings);
                    }
                    target.set(key, copy);
                }
                Some(_) => {
                    let key = gotemplate::quote(&key);
                    self.warnings
                        .push(format!("Conflict: cannot merge map onto non-map for {key}. Skipping."));
                }
            }
        }
        child.set(GLOBAL, into.clone());
    }
}

/// Merges one table into another, whose own values win. Both may change.
pub(crate) fn combine(into: &Rc<Dict>, from: &Rc<Dict>, path: &str, nulls: Nulls, warnings: &mut Warnings) {
    if Rc::ptr_eq(&into.map, &from.map) {
        return;
    }
    let had: Vec<Str> =
        from.entries().into_iter().filter(|(_, value)| !is_nil(value)).map(|(key, _)| key).collect();
    for (key, value) in into.entries() {
        if is_nil(&value) {
            from.set(key, Value::Nil);
        }
    }
    for (key, value) in from.entries() {
        let Some(old) = into.get(&key) else {
            into.set(key, value);
            continue;
        };
        if nulls == Nulls::Delete && is_nil(&old) && had.binary_search(&key).is_ok() {
            into.map.borrow_mut().remove(&key);
            continue;
        }
        match (as_table(&old), as_table(&value)) {
            (Some(old), Some(new)) => combine(old, new, &join(path, &key.text()), nulls, warnings),
            (None, Some(_)) => warnings.push(format!(
                "warning: cannot overwrite table with non table for {} ({})",
                join(path, &key.text()),
                gotemplate::fmt::sprint(&value)
            )),
            (Some(_), None) if !is_nil(&value) => warnings.push(format!(
                "warning: destination for {} is a table. Ignoring non-table value ({})",
                join(path, &key.text()),
                gotemplate::fmt::sprint(&value)
            )),
            _ => {}
        }
    }
}

/// [`combine`] with nulls kept, for values that are imported.
pub(crate) fn merge_tables(into: &Value, from: &Value, warnings: &mut Warnings) {
    if let (Some(into), Some(from)) = (as_table(into), as_table(from)) {
        combine(into, from, "", Nulls::Keep, warnings);
    }
}

fn drop_nulls(value: &Value) {
    let Some(table) = as_table(value) else { return };
    table.map.borrow_mut().retain(|_, value| !is_nil(value));
    for (_, value) in table.entries() {
        drop_nulls(&value);
    }
}

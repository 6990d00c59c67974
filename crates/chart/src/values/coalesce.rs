//! Default values under the user's.
//!
//! Tables are shared and changed in place, as Helm does it: which chart sees what depends on that, for example where a
//! sub-chart's default meets a nested global of its parent.

use std::rc::Rc;

use gotemplate::{Str, Value};

use super::draft::{Draft, Node};
use super::plain::{Plain, PlainTable};
use super::{Table, Warnings};
use crate::error::Error;
use crate::load::Chart;

/// What a null of the user's does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nulls {
    /// It deletes the default: what templates see.
    Delete,
    /// It stays: what dependencies are processed with.
    Keep,
}

const GLOBAL: &[u8] = b"global";

/// The user's values with the defaults of the chart and of its sub-charts below them, as templates see them.
///
/// # Errors
/// When something that is no table stands where the values of a sub-chart belong.
pub fn coalesce_values(chart: &Chart, user: &Table, warnings: &mut Warnings) -> Result<PlainTable, Error> {
    Ok(coalesce(chart, &user.into(), Nulls::Delete, warnings)?.plain())
}

/// The values with which dependencies are processed or templates rendered; what charts share is still shared.
pub(crate) fn coalesce(
    chart: &Chart,
    user: &PlainTable,
    nulls: Nulls,
    warnings: &mut Warnings,
) -> Result<Rc<Draft>, Error> {
    let values = Draft::new(user);
    Coalescing { nulls, warnings }.chart(chart, &values, "")?;
    Ok(values)
}

struct Coalescing<'w> {
    nulls: Nulls,
    warnings: &'w mut Warnings,
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

impl Coalescing<'_> {
    fn chart(&mut self, chart: &Chart, values: &Rc<Draft>, prefix: &str) -> Result<(), Error> {
        let path = join(prefix, chart.name());
        self.defaults(chart, values, &path);
        for sub in &chart.dependencies {
            let name = sub.name();
            let found = values.get(name.as_bytes()).unwrap_or_else(|| {
                let empty = Node::Table(Rc::default());
                values.set(name.into(), empty.clone());
                empty
            });
            let Some(table) = found.table() else {
                let shown = gotemplate::fmt::printf(b"%t", &[found.value()]);
                let shown = gotemplate::lossy(&shown);
                return Err(Error::Values(format!("type mismatch on {name}: {shown}")));
            };
            self.globals(table, values, &path);
            self.chart(sub, table, &path)?;
        }
        Ok(())
    }

    fn defaults(&mut self, chart: &Chart, values: &Rc<Draft>, path: &str) {
        for (key, default) in chart.values.entries() {
            match values.get(key) {
                None => {
                    let default = Node::from(default);
                    if self.nulls == Nulls::Delete {
                        if default.is_nil() {
                            continue;
                        }
                        if let Some(table) = default.table() {
                            table.drop_nils();
                        }
                    }
                    values.set(key.clone(), default);
                }
                Some(Node::Leaf(Plain::Nil)) if self.nulls == Nulls::Delete => values.remove(key),
                Some(Node::Table(table)) => {
                    let Plain::Table(default) = default else {
                        if *default != Plain::Nil {
                            let key = key.text();
                            self.warnings
                                .push(format!("warning: skipped value for {path}.{key}: Not a table."));
                        }
                        continue;
                    };
                    let default = Draft::new(default);
                    let is_sub_chart = chart.dependencies.iter().any(|sub| sub.name().as_bytes() == &**key);
                    let nulls = if is_sub_chart { Nulls::Keep } else { self.nulls };
                    if nulls == Nulls::Delete {
                        default.drop_nils();
                    }
                    combine(&table, &default, &join(path, &key.text()), nulls, self.warnings);
                }
                Some(_) => {}
            }
        }
    }

    /// The parent's globals into a sub-chart's; the parent's win.
    fn globals(&mut self, child: &Rc<Draft>, parent: &Rc<Draft>, path: &str) {
        let mut global = |values: &Rc<Draft>, what: &str| match values.get(GLOBAL) {
            None => Some(Rc::default()),
            Some(Node::Table(found)) => Some(found),
            Some(_) => {
                self.warnings
                    .push(format!("warning: skipping globals because {what} global is not a table."));
                None
            }
        };
        let Some(target) = global(child, "destination") else { return };
        let Some(source) = global(parent, "source") else { return };
        for (key, value) in source.entries() {
            let Some(table) = value.table() else {
                if target.get(&key).is_some_and(|old| old.table().is_some()) {
                    self.warnings.push(format!("key {} is table. Skipping", key.text()));
                } else {
                    target.set(key, value);
                }
                continue;
            };
            // Only the table itself is copied; what is in it is shared with the parent.
            let copy = Draft::of(table.entries());
            match target.get(&key) {
                None => target.set(key, Node::Table(copy)),
                Some(Node::Table(old)) => {
                    combine(&copy, &old, &join(path, &key.text()), Nulls::Keep, self.warnings);
                    target.set(key, Node::Table(copy));
                }
                Some(_) => {
                    let key = gotemplate::quote(&key);
                    self.warnings
                        .push(format!("Conflict: cannot merge map onto non-map for {key}. Skipping."));
                }
            }
        }
        child.set(GLOBAL.into(), Node::Table(target));
    }
}

/// Merges one table into another, whose own values win. Both may change.
pub(crate) fn combine(into: &Rc<Draft>, from: &Rc<Draft>, path: &str, nulls: Nulls, warnings: &mut Warnings) {
    if Rc::ptr_eq(into, from) {
        return;
    }
    let had: Vec<Str> =
        from.entries().into_iter().filter(|(_, node)| !node.is_nil()).map(|(key, _)| key).collect();
    for (key, node) in into.entries() {
        if node.is_nil() {
            from.set(key, node);
        }
    }
    for (key, node) in from.entries() {
        let Some(old) = into.get(&key) else {
            into.set(key, node);
            continue;
        };
        if nulls == Nulls::Delete && old.is_nil() && had.binary_search(&key).is_ok() {
            into.remove(&key);
            continue;
        }
        match (old.table(), node.table()) {
            (Some(old), Some(new)) => combine(old, new, &join(path, &key.text()), nulls, warnings),
            (None, Some(_)) => warnings.push(format!(
                "warning: cannot overwrite table with non table for {} ({})",
                join(path, &key.text()),
                shown(&node)
            )),
            (Some(_), None) if !node.is_nil() => warnings.push(format!(
                "warning: destination for {} is a table. Ignoring non-table value ({})",
                join(path, &key.text()),
                shown(&node)
            )),
            _ => {}
        }
    }
}

fn shown(node: &Node) -> String {
    gotemplate::fmt::sprint(&node.value())
}

/// The values that templates see, from values that are combined: what charts share they share, too.
pub(crate) fn template_values(values: &Rc<Draft>) -> Value {
    Node::Table(Rc::clone(values)).value()
}

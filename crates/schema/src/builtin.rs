//! The built-in table: text in the program, read when it is first asked.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::table::{KindData, KindName, NodeData, Table};

const TEXT: &str = include_str!("builtin.txt");

static TABLE: LazyLock<Table> = LazyLock::new(|| read(TEXT));

pub(crate) fn table() -> &'static Table {
    &TABLE
}

/// Reads what `hack/tools/cmd/schematable` prints; its main.go describes the lines.
fn read(text: &str) -> Table {
    let mut lines = text.lines();
    let kinds = lines.by_ref().take_while(|line| !line.is_empty()).filter_map(kind).collect();
    Table::new(kinds, lines.take_while(|line| !line.is_empty()).map(node).collect())
}

/// The built-in definitions by name, with their nodes in the table; `None` where nothing merges.
pub(crate) fn definitions() -> HashMap<&'static str, Option<usize>> {
    let lines = TEXT.rsplit("\n\n").next().unwrap_or_default().lines();
    lines.filter_map(|line| line.split_once(' ')).map(|(name, node)| (name, node.parse().ok())).collect()
}

fn kind(line: &str) -> Option<(KindName, KindData)> {
    let mut words = line.split(' ');
    let group = words.next()?;
    let version = words.next()?.into();
    let kind = words.next()?.into();
    let namespaced = match words.next()? {
        "n" => Some(true),
        "c" => Some(false),
        _ => None,
    };
    let node = words.next()?.parse().ok();
    let group = if group == "-" { "" } else { group }.into();
    Some((KindName { kind, group, version }, KindData { namespaced, node }))
}

fn node(line: &str) -> NodeData {
    let mut words = line.split(' ');
    let mut word = || words.next().filter(|word| *word != "-");
    NodeData {
        strategy: word().unwrap_or_default().into(),
        keys: word().map(|keys| keys.split(',').map(Box::from).collect()).unwrap_or_default(),
        items: word().and_then(|number| number.parse().ok()),
        values: word().and_then(|number| number.parse().ok()),
        fields: words
            .filter_map(|field| field.split_once('='))
            .filter_map(|(name, number)| Some((name.into(), number.parse().ok()?)))
            .collect(),
    }
}

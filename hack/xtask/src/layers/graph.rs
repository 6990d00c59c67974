//! Which crate links which.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The packages of the workspace and everything they link, by name. Versions of one name are one node.
#[derive(Default)]
pub(crate) struct Graph {
    members: BTreeSet<String>,
    links: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    pub(crate) fn of_workspace() -> Result<Self> {
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .current_dir(plane::places::root())
            .args(["metadata", "--format-version=1", "--locked"])
            .output()
            .context("starting `cargo metadata`")?;
        ensure!(
            output.status.success(),
            "`cargo metadata --locked` failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Self::from_metadata(&serde_json::from_slice(&output.stdout)?)
    }

    /// Reads the answer of `cargo metadata`. Dependencies of tests only do not count: a test may link what it likes.
    fn from_metadata(metadata: &Value) -> Result<Self> {
        let list = |value: &Value, key: &str| -> Result<Vec<Value>> {
            let found = value.get(key).and_then(Value::as_array).cloned();
            found.with_context(|| format!("`cargo metadata` has no list `{key}`"))
        };
        let text =
            |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let names: BTreeMap<String, String> = list(metadata, "packages")?
            .iter()
            .map(|package| (text(package, "id"), text(package, "name")))
            .collect();
        let name = |id: &str| names.get(id).cloned().unwrap_or_else(|| id.to_owned());

        let mut graph = Self::default();
        for id in list(metadata, "workspace_members")? {
            graph.members.insert(name(id.as_str().unwrap_or_default()));
        }
        let resolve = metadata.get("resolve").context("`cargo metadata` has no `resolve`")?;
        for node in list(resolve, "nodes")? {
            let links = graph.links.entry(name(&text(&node, "id"))).or_default();
            for dependency in list(&node, "deps")? {
                let linked = list(&dependency, "dep_kinds")?
                    .iter()
                    .any(|kind| kind.get("kind").and_then(Value::as_str) != Some("dev"));
                if linked {
                    links.insert(name(&text(&dependency, "pkg")));
                }
            }
        }
        Ok(graph)
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(String::as_str)
    }

    pub(crate) fn is_member(&self, name: &str) -> bool {
        self.members.contains(name)
    }

    /// What `name` links itself.
    pub(crate) fn direct(&self, name: &str) -> impl Iterator<Item = &str> {
        self.links.get(name).into_iter().flatten().map(String::as_str)
    }

    /// The shortest chain by which `from` links `to`, both included.
    pub(crate) fn chain(&self, from: &str, to: &str) -> Option<Vec<String>> {
        let mut reached: BTreeMap<&str, &str> = BTreeMap::new();
        let mut frontier = vec![from];
        while !frontier.is_empty() {
            let mut next = Vec::new();
            for name in frontier {
                for linked in self.direct(name).filter(|linked| *linked != from) {
                    if reached.contains_key(linked) {
                        continue;
                    }
                    reached.insert(linked, name);
                    next.push(linked);
                }
            }
            if reached.contains_key(to) {
                let mut chain = vec![to.to_owned()];
                let mut at = to;
                while let Some(parent) = reached.get(at) {
                    chain.push((*parent).to_owned());
                    at = parent;
                }
                chain.reverse();
                return Some(chain);
            }
            frontier = next;
        }
        None
    }

    #[cfg(test)]
    pub(crate) fn of(members: &[(&str, &[&str])], outside: &[(&str, &[&str])]) -> Self {
        let links = |list: &[(&str, &[&str])]| -> Vec<(String, BTreeSet<String>)> {
            list.iter().map(|(name, to)| ((*name).into(), to.iter().map(|t| (*t).into()).collect())).collect()
        };
        Self {
            members: members.iter().map(|(name, _)| (*name).to_owned()).collect(),
            links: links(members).into_iter().chain(links(outside)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn links_of_tests_do_not_count() {
        let metadata = json!({
            "packages": [{"id": "a 1", "name": "a"}, {"id": "b 1", "name": "b"}, {"id": "c 2", "name": "c"}],
            "workspace_members": ["a 1"],
            "resolve": {"nodes": [
                {"id": "a 1", "deps": [
                    {"pkg": "b 1", "dep_kinds": [{"kind": "dev"}]},
                    {"pkg": "c 2", "dep_kinds": [{"kind": "dev"}, {"kind": null}]}]},
                {"id": "c 2", "deps": [{"pkg": "b 1", "dep_kinds": [{"kind": "build"}]}]},
                {"id": "b 1", "deps": []}]},
        });
        let graph = Graph::from_metadata(&metadata).unwrap();
        assert_eq!(graph.members().collect::<Vec<_>>(), ["a"]);
        assert_eq!(graph.direct("a").collect::<Vec<_>>(), ["c"]);
        assert_eq!(graph.chain("a", "b").unwrap(), ["a", "c", "b"]);
        assert!(graph.chain("b", "a").is_none());
    }
}

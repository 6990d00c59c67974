//! What Kustomize knows about types: which lists merge and by which keys, and which kinds are cluster-scoped.
//!
//! [`Schema::builtin`] holds what Kustomize 5.8 embeds (Kubernetes v1.21.2), as a table of some 10 kB that
//! `hack/tools/cmd/schematable` prints; [`Schema::from_openapi`] reads the document that `openapi.path` names. There is
//! no global state but the built-in table, which never changes.

mod builtin;
mod openapi;
mod table;

use std::sync::Arc;

pub use openapi::OpenApiError;
use table::Table;

/// What becomes of the built-in types when a document of the user brings its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// They are unknown.
    Replaces,
    /// They stay known; the document wins where both define a type.
    Over,
    /// They stay known, and win where both define a type.
    Under,
}

/// Types and their scopes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Schema {
    types: Types,
}

#[derive(Debug, Clone)]
enum Types {
    Builtin,
    Own(Arc<Table>),
}

impl Schema {
    /// Kubernetes' own types, as Kustomize knows them.
    #[must_use]
    pub fn builtin() -> Schema {
        Schema { types: Types::Builtin }
    }

    /// The types of an OpenAPI v2 document, next to the built-in ones as `relation` says. Scopes of built-in kinds stay
    /// known.
    ///
    /// # Errors
    /// When `definitions` is not what OpenAPI says.
    pub fn from_openapi(document: &serde_json::Value, relation: Relation) -> Result<Schema, OpenApiError> {
        Ok(Schema { types: Types::Own(Arc::new(openapi::read(document, relation)?)) })
    }

    fn table(&self) -> &Table {
        match &self.types {
            Types::Builtin => builtin::table(),
            Types::Own(table) => table,
        }
    }

    /// The type of a kind. `None` for unknown kinds, and for built-in ones without lists that merge. The core group is
    /// the empty string.
    #[must_use]
    pub fn lookup(&self, group: &str, version: &str, kind: &str) -> Option<Node<'_>> {
        let table = self.table();
        let number = table.kind(group, version, kind)?.node?;
        Some(Node { table, number })
    }

    /// Whether objects of a kind live in a namespace; `None` for unknown kinds.
    #[must_use]
    pub fn is_namespaced(&self, group: &str, version: &str, kind: &str) -> Option<bool> {
        let builtin = builtin::table().kind(group, version, kind).and_then(|kind| kind.namespaced);
        builtin.or_else(|| self.table().kind(group, version, kind)?.namespaced)
    }
}

/// The type of a place in an object.
#[derive(Debug, Clone, Copy)]
pub struct Node<'s> {
    table: &'s Table,
    number: usize,
}

impl<'s> Node<'s> {
    fn at(self, number: usize) -> Node<'s> {
        Node { number, ..self }
    }

    fn data(self) -> Option<&'s table::NodeData> {
        self.table.node(self.number)
    }

    /// The type of a field, or of any key of a map. `None` if nothing is known about it.
    #[must_use]
    pub fn field(self, name: &str) -> Option<Node<'s>> {
        let data = self.data()?;
        let number = data.fields.iter().find(|(field, _)| **field == *name).map(|(_, number)| *number);
        number.or(data.values).map(|number| self.at(number))
    }

    /// The type of a list's items.
    #[must_use]
    pub fn items(self) -> Option<Node<'s>> {
        self.data()?.items.map(|number| self.at(number))
    }

    /// The patch strategy, for example `merge` or `merge,retainKeys`; empty when there is none.
    #[must_use]
    pub fn patch_strategy(self) -> &'s str {
        self.data().map_or("", |data| &data.strategy)
    }

    /// True for a list whose items are merged with those of a patch, and not replaced.
    #[must_use]
    pub fn merges(self) -> bool {
        self.patch_strategy().split(',').any(|strategy| strategy == "merge")
    }

    /// The fields that tell the items of a merging list apart; empty for a list of scalars.
    #[must_use]
    pub fn merge_keys(self) -> &'s [Box<str>] {
        self.data().map_or(&[], |data| &data.keys)
    }
}

#[cfg(test)]
mod tests;

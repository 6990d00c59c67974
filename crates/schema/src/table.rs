//! Nodes by number, kinds by name.

/// A type. Numbers are places in the table.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct NodeData {
    pub(crate) strategy: Box<str>,
    pub(crate) keys: Vec<Box<str>>,
    pub(crate) items: Option<usize>,
    /// The type of the values, when any key is allowed.
    pub(crate) values: Option<usize>,
    pub(crate) fields: Vec<(Box<str>, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct KindData {
    pub(crate) namespaced: Option<bool>,
    pub(crate) node: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KindName {
    pub(crate) kind: Box<str>,
    pub(crate) group: Box<str>,
    pub(crate) version: Box<str>,
}

#[derive(Debug)]
pub(crate) struct Table {
    /// Sorted by name.
    kinds: Vec<(KindName, KindData)>,
    nodes: Vec<NodeData>,
}

impl Table {
    /// Of kinds that occur more than once, the first counts.
    pub(crate) fn new(mut kinds: Vec<(KindName, KindData)>, nodes: Vec<NodeData>) -> Table {
        kinds.sort_by(|a, b| a.0.cmp(&b.0));
        kinds.dedup_by(|later, first| later.0 == first.0);
        Table { kinds, nodes }
    }

    pub(crate) fn kind(&self, group: &str, version: &str, kind: &str) -> Option<KindData> {
        let wanted = (kind, group, version);
        let place =
            self.kinds.binary_search_by(|(name, _)| (&*name.kind, &*name.group, &*name.version).cmp(&wanted));
        self.kinds.get(place.ok()?).map(|(_, data)| *data)
    }

    pub(crate) fn kinds(&self) -> &[(KindName, KindData)] {
        &self.kinds
    }

    pub(crate) fn nodes(&self) -> &[NodeData] {
        &self.nodes
    }

    pub(crate) fn node(&self, number: usize) -> Option<&NodeData> {
        self.nodes.get(number)
    }
}

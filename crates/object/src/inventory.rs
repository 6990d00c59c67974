use std::collections::HashSet;

use crate::{Error, Gvk, ObjectRef};

/// One entry of `status.inventory.entries`: the object's id and the API version it was applied with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InventoryEntry {
    /// `<namespace>_<name>_<group>_<kind>`.
    pub id: String,
    /// API version without group.
    pub version: String,
}

const RBAC_GROUP: &str = "rbac.authorization.k8s.io";
const RBAC_KINDS: [&str; 4] = ["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"];

impl InventoryEntry {
    /// The entry of an object. RBAC names may hold colons; only theirs are written as `__`.
    pub fn of(object: &ObjectRef) -> Self {
        let Gvk { group, version, kind } = &object.gvk;
        let escaped;
        let name = if group == RBAC_GROUP && RBAC_KINDS.contains(&kind.as_str()) && object.name.contains(':')
        {
            escaped = object.name.replace(':', "__");
            &escaped
        } else {
            &object.name
        };
        Self { id: format!("{}_{name}_{group}_{kind}", object.namespace), version: version.clone() }
    }

    /// The object an entry names. Every `__` of the name reads as a colon, whatever the kind.
    ///
    /// # Errors
    /// [`Error::InventoryId`] when a separator is missing.
    pub fn parse(&self) -> Result<ObjectRef, Error> {
        let invalid = || Error::InventoryId(self.id.clone());
        let (namespace, rest) = self.id.split_once('_').ok_or_else(invalid)?;
        let (rest, kind) = rest.rsplit_once('_').ok_or_else(invalid)?;
        let (name, group) = rest.rsplit_once('_').ok_or_else(invalid)?;
        Ok(ObjectRef {
            gvk: Gvk { group: group.to_owned(), version: self.version.clone(), kind: kind.to_owned() },
            namespace: namespace.to_owned(),
            name: name.replace("__", ":"),
        })
    }
}

/// Entries of `old` whose id is not in `new`, in the order of `old`. Versions do not count.
pub fn difference(old: &[InventoryEntry], new: &[InventoryEntry]) -> Vec<InventoryEntry> {
    let kept: HashSet<&str> = new.iter().map(|e| e.id.as_str()).collect();
    old.iter().filter(|e| !kept.contains(e.id.as_str())).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(api_version: &str, kind: &str, namespace: &str, name: &str) -> ObjectRef {
        ObjectRef { gvk: Gvk::new(api_version, kind), namespace: namespace.into(), name: name.into() }
    }

    #[test]
    fn ids_both_ways() {
        let table = [
            (object("v1", "Service", "default", "podinfo"), "default_podinfo__Service"),
            (object("v1", "Namespace", "", "flux-system"), "_flux-system__Namespace"),
            (
                object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "podinfos.example.com"),
                "_podinfos.example.com_apiextensions.k8s.io_CustomResourceDefinition",
            ),
            (
                object("rbac.authorization.k8s.io/v1", "ClusterRole", "", "system:node:x"),
                "_system__node__x_rbac.authorization.k8s.io_ClusterRole",
            ),
        ];
        for (reference, id) in table {
            let entry = InventoryEntry::of(&reference);
            assert_eq!(entry.id, id);
            assert_eq!(entry.parse().unwrap(), reference);
        }
    }

    #[test]
    fn colons_of_other_kinds_stay() {
        let entry = InventoryEntry::of(&object("example.com/v1", "Thing", "a", "b:c"));
        assert_eq!(entry.id, "a_b:c_example.com_Thing");
    }

    #[test]
    fn short_ids_are_refused() {
        for id in ["", "a", "a_b", "a_b_c"] {
            let entry = InventoryEntry { id: id.into(), version: "v1".into() };
            assert!(entry.parse().is_err(), "{id}");
        }
    }

    #[test]
    fn difference_ignores_versions_and_keeps_order() {
        let entry = |id: &str, version: &str| InventoryEntry { id: id.into(), version: version.into() };
        let old = [entry("a_z__X", "v1"), entry("a_b__X", "v1"), entry("a_c__X", "v1")];
        let new = [entry("a_b__X", "v2")];
        assert_eq!(difference(&old, &new), vec![entry("a_z__X", "v1"), entry("a_c__X", "v1")]);
    }
}

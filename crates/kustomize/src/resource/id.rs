//! The identity of an object: group, version, kind, namespace, name.

use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};

/// Namespace that kustomize gives to objects that can have none.
const CLUSTER: &str = "_non_namespaceable_";

/// Group, version and kind. The core group is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gvk {
    /// The API group, empty for the core group.
    pub group: String,
    /// The version in the group.
    pub version: String,
    /// The kind.
    pub kind: String,
}

impl Gvk {
    /// Splits an `apiVersion`; without a slash it is a version of the core group.
    #[must_use]
    pub fn new(api_version: &str, kind: &str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned() }
    }

    /// The `apiVersion` of the object.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Whether every non-empty part of `selector` equals ours.
    #[must_use]
    pub fn is_selected_by(&self, selector: &Self) -> bool {
        fn part(own: &str, wanted: &str) -> bool {
            wanted.is_empty() || own == wanted
        }
        part(&self.group, &selector.group)
            && part(&self.version, &selector.version)
            && part(&self.kind, &selector.kind)
    }
}

/// `kind.version.group` with kustomize's words for what is missing.
impl fmt::Display for Gvk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or = |text: &'_ str, missing: &'static str| {
            if text.is_empty() { missing.to_owned() } else { text.to_owned() }
        };
        write!(
            f,
            "{}.{}.{}",
            or(&self.kind, "[noKind]"),
            or(&self.version, "[noVer]"),
            or(&self.group, "[noGrp]")
        )
    }
}

/// The identity of an object at one moment of a build.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ResourceId {
    /// Group, version and kind.
    pub gvk: Gvk,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, empty if absent.
    pub namespace: String,
    /// Whether the kind is known to have no namespace.
    pub cluster_scoped: bool,
}

impl ResourceId {
    /// The namespace used for comparison: one constant for cluster-scoped kinds, `default` for none.
    #[must_use]
    pub fn effective_namespace(&self) -> &str {
        effective_namespace(&self.namespace, self.cluster_scoped)
    }

    /// Whether both name the same object.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.name == other.name
            && self.gvk == other.gvk
            && self.effective_namespace() == other.effective_namespace()
    }

    /// A hash under which [`ResourceId::same`] identities are equal.
    pub(crate) fn key(&self, hasher: &impl BuildHasher) -> u64 {
        let mut state = hasher.build_hasher();
        self.gvk.hash(&mut state);
        self.name.hash(&mut state);
        self.effective_namespace().hash(&mut state);
        state.finish()
    }
}

/// See [`ResourceId::effective_namespace`].
pub(crate) fn effective_namespace(namespace: &str, cluster_scoped: bool) -> &str {
    match (cluster_scoped, namespace) {
        (true, _) => CLUSTER,
        (false, "") => "default",
        (false, namespace) => namespace,
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.is_empty() { "[noName]" } else { &self.name };
        let namespace = if self.namespace.is_empty() { "[noNs]" } else { &self.namespace };
        write!(f, "{}/{name}.{namespace}", self.gvk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_like_kustomize() {
        let id = ResourceId {
            gvk: Gvk::new("apps/v1", "Deployment"),
            name: "web".into(),
            namespace: String::new(),
            cluster_scoped: false,
        };
        assert_eq!(id.to_string(), "Deployment.v1.apps/web.[noNs]");
        assert_eq!(Gvk::new("v1", "Pod").to_string(), "Pod.v1.[noGrp]");
        assert_eq!(id.effective_namespace(), "default");
        let other = ResourceId { namespace: "default".into(), ..id.clone() };
        assert!(id.same(&other) && id != other);
        let hasher = std::hash::RandomState::new();
        assert_eq!(id.key(&hasher), other.key(&hasher));
    }

    #[test]
    fn empty_parts_of_a_selector_match_anything() {
        let gvk = Gvk::new("apps/v1", "Deployment");
        assert!(gvk.is_selected_by(&Gvk { kind: "Deployment".into(), ..Gvk::default() }));
        assert!(!gvk.is_selected_by(&Gvk { group: "batch".into(), ..Gvk::default() }));
    }
}

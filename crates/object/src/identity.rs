use std::cmp::Ordering;
use std::fmt;

use serde_json::Value;

use crate::Error;

/// Group, version and kind. The core group is the empty string.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gvk {
    /// API group, empty for core.
    pub group: String,
    /// API version without group, such as `v1`.
    pub version: String,
    /// Kind.
    pub kind: String,
}

impl Gvk {
    /// From `apiVersion` (`v1`, `apps/v1`) and kind.
    pub fn new(api_version: &str, kind: &str) -> Self {
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        Self { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned() }
    }

    /// `apiVersion` as it stands in a manifest.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Without the version.
    pub fn group_kind(&self) -> GroupKind {
        GroupKind { group: self.group.clone(), kind: self.kind.clone() }
    }

    /// True for the given group and kind, whatever the version.
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }
}

impl fmt::Display for Gvk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.api_version(), self.kind)
    }
}

/// Group and kind without a version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKind {
    /// API group, empty for core.
    pub group: String,
    /// Kind.
    pub kind: String,
}

impl GroupKind {
    /// From its parts.
    pub fn new(group: &str, kind: &str) -> Self {
        Self { group: group.to_owned(), kind: kind.to_owned() }
    }
}

impl fmt::Display for GroupKind {
    /// `Kind.group`, or `Kind` for core.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_empty() {
            f.write_str(&self.kind)
        } else {
            write!(f, "{}.{}", self.kind, self.group)
        }
    }
}

/// One object in a cluster. `namespace` is empty for cluster-scoped objects (and for namespaced ones whose manifest
/// names none, until the API server has said where they live).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectRef {
    /// Group, version, kind.
    pub gvk: Gvk,
    /// Namespace, empty when there is none.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl ObjectRef {
    /// Reads the identity of an object. Kind, apiVersion and name must be non-empty strings.
    ///
    /// # Errors
    /// [`Error::MissingField`] names the first field that is missing.
    pub fn of(object: &Value) -> Result<Self, Error> {
        let text = |value: Option<&Value>| {
            value.and_then(Value::as_str).filter(|s| !s.is_empty()).map(str::to_owned)
        };
        let metadata = object.get("metadata");
        let kind = text(object.get("kind"));
        let name = text(metadata.and_then(|m| m.get("name")));
        let namespace = text(metadata.and_then(|m| m.get("namespace"))).unwrap_or_default();
        let api_version = text(object.get("apiVersion"));
        let missing = |field| {
            let mut known = kind.clone().unwrap_or_else(|| "object".to_owned());
            for part in [&namespace, &name.clone().unwrap_or_default()] {
                if !part.is_empty() {
                    known.push('/');
                    known.push_str(part);
                }
            }
            Error::MissingField { object: known, field }
        };
        let kind_found = kind.as_deref().ok_or_else(|| missing("kind"))?;
        let api_version = api_version.as_deref().ok_or_else(|| missing("apiVersion"))?;
        let found = name.clone().ok_or_else(|| missing("metadata.name"))?;
        Ok(Self { gvk: Gvk::new(api_version, kind_found), namespace: namespace.clone(), name: found })
    }

    /// Same object whatever the API version it was read with.
    pub fn same_object(&self, other: &Self) -> bool {
        self.name == other.name
            && self.namespace == other.namespace
            && self.gvk.kind == other.gvk.kind
            && self.gvk.group == other.gvk.group
    }
}

impl fmt::Display for ObjectRef {
    /// `Kind/ns/name`, or `Kind/name` without a namespace: the subject of every message about an object.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{}/{}", self.gvk.kind, self.name)
        } else {
            write!(f, "{}/{}/{}", self.gvk.kind, self.namespace, self.name)
        }
    }
}

impl PartialOrd for ObjectRef {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ObjectRef {
    /// Group, kind, namespace, name, then version.
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.gvk.group, &self.gvk.kind, &self.namespace, &self.name, &self.gvk.version).cmp(&(
            &other.gvk.group,
            &other.gvk.kind,
            &other.namespace,
            &other.name,
            &other.gvk.version,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_and_formats_identity() {
        let namespaced = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "b"}});
        let found = ObjectRef::of(&namespaced).unwrap();
        assert_eq!(found.to_string(), "Deployment/b/a");
        assert_eq!(found.gvk.api_version(), "apps/v1");
        assert_eq!(found.gvk.group_kind().to_string(), "Deployment.apps");
        let cluster = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
        assert_eq!(ObjectRef::of(&cluster).unwrap().to_string(), "Namespace/shop");
    }

    #[test]
    fn names_the_missing_field() {
        let no_name = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "x"}});
        assert_eq!(
            ObjectRef::of(&no_name).unwrap_err().to_string(),
            "Secret/x: metadata.name is missing or not a string"
        );
        assert_eq!(
            ObjectRef::of(&json!({"apiVersion": "v1"})).unwrap_err().to_string(),
            "object: kind is missing or not a string"
        );
    }
}

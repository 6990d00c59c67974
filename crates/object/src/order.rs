use std::cmp::Ordering;

use crate::{Error, GroupKind, ObjectRef};

/// The stages of an apply, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Definitions that others need: custom resource definitions, namespaces, cluster roles.
    Definitions,
    /// Kinds whose name ends in `Class`.
    Classes,
    /// Kinds an operator chose with `--custom-apply-stage-kinds`.
    Custom,
    /// Everything else.
    Rest,
}

impl Stage {
    /// All stages in order.
    pub const ALL: [Self; 4] = [Self::Definitions, Self::Classes, Self::Custom, Self::Rest];

    /// The stage of a kind.
    pub fn of(kind: &GroupKind, custom: &CustomStages) -> Self {
        match (kind.group.as_str(), kind.kind.as_str()) {
            ("apiextensions.k8s.io", "CustomResourceDefinition")
            | ("", "Namespace")
            | ("rbac.authorization.k8s.io", "ClusterRole") => Self::Definitions,
            (_, name) if name.ends_with("Class") => Self::Classes,
            _ if custom.0.contains(kind) => Self::Custom,
            _ => Self::Rest,
        }
    }

    /// Whether the next stage starts only when all members of this one are Current.
    pub fn waits(self) -> bool {
        matches!(self, Self::Definitions | Self::Classes)
    }
}

/// Kinds applied in a stage of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomStages(Vec<GroupKind>);

impl CustomStages {
    /// Parses `group/Kind,group/Kind`; the core group is written as an empty one (`/Kind`). Empty text gives none.
    ///
    /// # Errors
    /// [`Error::StageKind`] with the entry that is not of that form.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut kinds = Vec::new();
        for entry in text.split(',').map(str::trim).filter(|e| !e.is_empty()) {
            match entry.split_once('/') {
                Some((group, kind)) if !kind.is_empty() && !kind.contains('/') => {
                    kinds.push(GroupKind::new(group, kind));
                }
                _ => return Err(Error::StageKind(entry.to_owned())),
            }
        }
        Ok(Self(kinds))
    }
}

const FIRST: [&str; 23] = [
    "CustomResourceDefinition",
    "Namespace",
    "ClusterRole",
    "ClusterClass",
    "RuntimeClass",
    "PriorityClass",
    "StorageClass",
    "VolumeSnapshotClass",
    "IngressClass",
    "GatewayClass",
    "ClusterRoleBinding",
    "ResourceQuota",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ConfigMap",
    "Secret",
    "Service",
    "LimitRange",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];
const LAST: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

fn rank(kind: &str) -> usize {
    if let Some(at) = FIRST.iter().position(|k| *k == kind) {
        return at;
    }
    let after = FIRST.len();
    match LAST.iter().position(|k| *k == kind) {
        Some(at) => after + 1 + at,
        None => after,
    }
}

/// The order inside a stage: rank of the kind, then group, kind, namespace, name. Deletion runs it backwards.
pub fn apply_order(a: &ObjectRef, b: &ObjectRef) -> Ordering {
    rank(&a.gvk.kind).cmp(&rank(&b.gvk.kind)).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Gvk;

    fn object(api_version: &str, kind: &str, name: &str) -> ObjectRef {
        ObjectRef { gvk: Gvk::new(api_version, kind), namespace: String::new(), name: name.into() }
    }

    #[test]
    fn sorts_by_rank_then_identity() {
        let mut objects = [
            object("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "v"),
            object("apps/v1", "Deployment", "b"),
            object("apps/v1", "Deployment", "a"),
            object("example.com/v1", "Widget", "w"),
            object("v1", "ConfigMap", "c"),
            object("batch/v1", "Job", "j"),
            object("v1", "Namespace", "n"),
            object("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "m"),
            object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "d"),
        ];
        objects.sort_by(apply_order);
        let names: String = objects.iter().map(|o| o.name.as_str()).collect();
        assert_eq!(names, "dncabjwmv");
    }

    #[test]
    fn stages() {
        let custom = CustomStages::parse("rbac.authorization.k8s.io/Role,/Secret").unwrap();
        let stage = |group: &str, kind: &str| Stage::of(&GroupKind::new(group, kind), &custom);
        assert_eq!(stage("", "Namespace"), Stage::Definitions);
        assert_eq!(stage("example.com", "Namespace"), Stage::Rest);
        assert_eq!(stage("storage.k8s.io", "StorageClass"), Stage::Classes);
        assert_eq!(stage("rbac.authorization.k8s.io", "Role"), Stage::Custom);
        assert_eq!(stage("", "Secret"), Stage::Custom);
        assert_eq!(stage("apps", "Deployment"), Stage::Rest);
    }

    #[test]
    fn bad_stage_kinds() {
        for bad in ["Role", "a/b/c", "a/"] {
            assert!(CustomStages::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(CustomStages::parse("").unwrap(), CustomStages::default());
    }
}

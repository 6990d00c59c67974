//! The order of kinds in which kustomize sorts its output and its field specifications.

use super::{Gvk, ResourceId};

/// Kinds that come first, in this order.
pub(crate) const FIRST: &[&str] = &[
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

/// Kinds that come last, in this order.
pub(crate) const LAST: &[&str] = &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// The place of a kind among [`FIRST`] (negative), others (0) and [`LAST`] (positive).
pub(crate) fn type_order(kind: &str) -> isize {
    place(kind, FIRST, LAST)
}

/// The place of a kind; the last of equal names counts.
pub(crate) fn place<T: AsRef<str>>(kind: &str, first: &[T], last: &[T]) -> isize {
    if let Some(back) = last.iter().rev().position(|name| name.as_ref() == kind) {
        return isize::try_from(last.len() - back).unwrap_or(isize::MAX);
    }
    match first.iter().rev().position(|name| name.as_ref() == kind) {
        Some(back) => -isize::try_from(back + 1).unwrap_or(isize::MAX),
        None => 0,
    }
}

/// The key by which objects of one place are sorted: group, version, kind, then namespace and name. What is missing
/// sorts after letters, except that the core Namespace sorts before Namespaces of other groups.
pub(crate) fn sort_key(id: &ResourceId) -> (String, String) {
    let or = |text: &str, missing: &str| if text.is_empty() { missing.to_owned() } else { text.to_owned() };
    let gvk =
        |gvk: &Gvk| format!("{}_{}_{}", or(&gvk.group, "~G"), or(&gvk.version, "~V"), or(&gvk.kind, "~K"));
    let name = format!("{}|{}|{}", id.gvk, or(&id.namespace, "~X"), or(&id.name, "~N"));
    (gvk(&id.gvk), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        assert!(type_order("Namespace") < type_order("Service"));
        assert!(type_order("Service") < type_order("Thing"));
        assert_eq!(type_order("Thing"), 0);
        assert_eq!(type_order("ValidatingWebhookConfiguration"), 2);
        assert_eq!(type_order("PodDisruptionBudget"), -1);
    }
}

//! References from one object to another.

use std::{fmt, str::FromStr};

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An object of a known kind in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct LocalObjectReference {
    /// Name of the object.
    pub name: String,
}

/// An object of a known kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct NamespacedObjectReference {
    /// Name of the object.
    pub name: String,
    /// Namespace of the object, by default that of the referring object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

impl fmt::Display for NamespacedObjectReference {
    /// `namespace/name`, or `name` without a namespace.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// An object of any kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespacedObjectKindReference {
    /// API version of the object, such as `apps/v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind of the object.
    pub kind: String,
    /// Name of the object.
    pub name: String,
    /// Namespace of the object, by default that of the referring object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// A key of a Secret in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretKeyReference {
    /// Name of the Secret.
    pub name: String,
    /// Key in the Secret. Each field of this type says what is read without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// A ConfigMap in the same namespace.
pub type ConfigMapReference = LocalObjectReference;

/// An object of the same kind that has to be ready first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DependencyReference {
    /// Name of the object.
    pub name: String,
    /// Namespace of the object, by default that of the referring object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// CEL expression over `dep` and `self` that decides whether the dependency is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_expr: Option<String>,
}

impl FromStr for DependencyReference {
    type Err = std::convert::Infallible;

    /// Reads the form of the command line, `[namespace/]name[@readyExpr]`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (object, ready_expr) = match text.split_once('@') {
            Some((object, expression)) => (object, Some(expression.to_owned())),
            None => (text, None),
        };
        let (namespace, name) = match object.split_once('/') {
            Some((namespace, name)) => (Some(namespace.to_owned()), name),
            None => (None, object),
        };
        Ok(Self { name: name.to_owned(), namespace, ready_expr })
    }
}

/// Where the kubeconfig of a remote cluster comes from: exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.configMapRef) || has(self.secretRef)")
        .message("exactly one of spec.kubeConfig.configMapRef or spec.kubeConfig.secretRef must be specified"),
    validation = Rule::new("!has(self.configMapRef) || !has(self.secretRef)")
        .message("exactly one of spec.kubeConfig.configMapRef or spec.kubeConfig.secretRef must be specified")
)]
pub struct KubeConfigReference {
    /// ConfigMap that describes the cluster and how to log in to it with workload identity. Keys: `provider` (`aws`,
    /// `azure`, `gcp` or `generic`), `cluster`, `address`, `ca.crt`, `audiences`, `serviceAccountName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<ConfigMapReference>,
    /// Secret with a kubeconfig, read from `key`, else from `value`, else from `value.yaml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeyReference>,
}

/// The source of a Kustomization, possibly in another namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CrossNamespaceSourceReference {
    /// API version of the source. Accepted and not read: the kind says enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind of the source.
    pub kind: crate::source::ArtifactKind,
    /// Name of the source.
    pub name: String,
    /// Namespace of the source, by default that of the Kustomization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_have_a_text_form() {
        let parse = |text: &str| text.parse::<DependencyReference>().unwrap();
        let dependency =
            |namespace: Option<&str>, name: &str, expression: Option<&str>| DependencyReference {
                name: name.to_owned(),
                namespace: namespace.map(str::to_owned),
                ready_expr: expression.map(str::to_owned),
            };
        assert_eq!(parse("app"), dependency(None, "app", None));
        assert_eq!(parse("ns/app"), dependency(Some("ns"), "app", None));
        assert_eq!(
            parse("ns/app@dep.metadata.name == 'a/b'"),
            dependency(Some("ns"), "app", Some("dep.metadata.name == 'a/b'"))
        );
    }

    #[test]
    fn references_print_their_namespace_only_when_they_have_one() {
        let mut reference = NamespacedObjectReference { name: "app".into(), namespace: None };
        assert_eq!(reference.to_string(), "app");
        reference.namespace = Some("ns".into());
        assert_eq!(reference.to_string(), "ns/app");
    }
}

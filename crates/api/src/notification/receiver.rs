//! Receiver.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ObjectKind;
use crate::{
    condition::Conditions,
    meta::{Duration, LocalObjectReference},
    schema::{is_false, is_zero},
};

/// A webhook that asks objects to reconcile.
#[derive(Clone, Debug, Default, PartialEq, CustomResource, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "notification.toolkit.fluxcd.io",
    version = "v1",
    kind = "Receiver",
    plural = "receivers",
    category = "all",
    category = "fluxcd",
    category = "fluxcd-notifications",
    namespaced,
    status = "ReceiverStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "A webhook that asks objects to reconcile.",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.type != 'generic-oidc' || (has(self.oidcProviders) && size(self.oidcProviders) > 0)")
        .message("generic-oidc receivers must define at least one oidcProvider"),
    validation = Rule::new("self.type == 'generic-oidc' || !has(self.oidcProviders) || size(self.oidcProviders) == 0")
        .message("oidcProviders can only be set when type is generic-oidc"),
    validation = Rule::new("self.type != 'generic-oidc' || !has(self.secretRef)")
        .message("secretRef cannot be set when type is generic-oidc"),
    validation = Rule::new("self.type == 'generic-oidc' || has(self.secretRef)")
        .message("secretRef is required when type is not generic-oidc")
)]
pub struct ReceiverSpec {
    /// Who calls, which decides how a call is verified.
    #[serde(rename = "type")]
    pub kind: ReceiverType,
    /// How often the Secret is read again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "10m"))]
    pub interval: Option<Duration>,
    /// Events that are accepted, for the types that name their events. Without any, all are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// The objects that a call reaches.
    pub resources: Vec<ReceiverResource>,
    /// CEL expression over `res`, `req` and `claims` that an object has to satisfy to be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_filter: Option<String>,
    /// Secret with the key `token`; type `gcr` also needs `email` and `audience`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// Issuers of accepted tokens, for type `generic-oidc`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["issuerURL".to_owned()]))]
    pub oidc_providers: Vec<OidcProvider>,
    /// Whether the object rests: calls are answered with 503.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
}

impl ReceiverSpec {
    /// How often the Secret is read again.
    pub fn interval(&self) -> std::time::Duration {
        self.interval.as_ref().map_or(std::time::Duration::from_secs(600), Duration::to_std)
    }
}

/// Who calls a Receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReceiverType {
    /// Any caller that knows the path.
    #[default]
    Generic,
    /// Any caller that signs the body.
    #[serde(rename = "generic-hmac")]
    GenericHmac,
    /// Any caller with an OIDC token.
    #[serde(rename = "generic-oidc")]
    GenericOidc,
    /// GitHub.
    Github,
    /// GitLab.
    Gitlab,
    /// Bitbucket Server.
    Bitbucket,
    /// Harbor.
    Harbor,
    /// Docker Hub.
    DockerHub,
    /// Quay.
    Quay,
    /// Google Container Registry.
    Gcr,
    /// Nexus.
    Nexus,
    /// Azure Container Registry.
    Acr,
    /// CDEvents.
    CdEvents,
}

/// Objects that a call reaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiverResource {
    /// API version of the objects, by default the current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind of the objects.
    pub kind: ObjectKind,
    /// Name of the object; `*` stands for all names, and needs `matchLabels` to mean less than the whole namespace.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Namespace of the objects, by default that of the Receiver. Has no wildcard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub namespace: Option<String>,
    /// Labels that the objects have to carry.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// CEL expression that an object has to satisfy in addition to `resourceFilter`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
}

/// An issuer of tokens, and what a token has to say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OidcProvider {
    /// Address of the issuer.
    #[serde(rename = "issuerURL")]
    #[schemars(regex(pattern = r"^https?://"))]
    pub issuer_url: String,
    /// Audience of the token, by default `notification-controller`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// Named values for the validations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<OidcVariable>,
    /// What a token has to satisfy.
    #[schemars(length(min = 1))]
    pub validations: Vec<OidcValidation>,
}

/// A named value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OidcVariable {
    /// Name of the value.
    pub name: String,
    /// CEL expression over `claims` and `vars`.
    pub expression: String,
}

/// What a token has to satisfy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OidcValidation {
    /// CEL expression over `claims` and `vars`.
    pub expression: String,
    /// What to log when it is false.
    pub message: String,
}

/// What is known about a Receiver.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiverStatus {
    /// The value of the request annotation at the end of the last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// Conditions of the object.
    #[serde(default, skip_serializing_if = "Conditions::is_empty")]
    pub conditions: Conditions,
    /// Path of the webhook, `/hook/<hex>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_path: Option<String>,
    /// The generation that was last handled to its end; -1 means none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub observed_generation: i64,
}

//! Provider.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    meta::{Duration, LocalObjectReference},
    schema::is_false,
};

/// Where events are sent to, and how.
#[derive(Clone, Debug, Default, PartialEq, CustomResource, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "notification.toolkit.fluxcd.io",
    version = "v1beta3",
    kind = "Provider",
    plural = "providers",
    category = "all",
    category = "fluxcd",
    category = "fluxcd-notifications",
    namespaced,
    derive = "Default",
    derive = "PartialEq",
    doc = "Where events are sent to, and how.",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.type == 'github' || self.type == 'gitlab' || self.type == 'gitea' || self.type == 'bitbucketserver' || self.type == 'bitbucket' || self.type == 'azuredevops' || !has(self.commitStatusExpr)")
        .message("spec.commitStatusExpr is only supported for the 'github', 'gitlab', 'gitea', 'bitbucketserver', 'bitbucket', 'azuredevops' provider types")
)]
pub struct ProviderSpec {
    /// The kind of receiver.
    #[serde(rename = "type")]
    pub kind: ProviderType,
    /// Deprecated and not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,
    /// Channel, topic, routing key or the like; the type says which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub channel: Option<String>,
    /// Name to send under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub username: Option<String>,
    /// Address to send to. The key `address` of the Secret wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub address: Option<String>,
    /// Longest duration of one delivery with its retries, by default 15 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::timeout")]
    pub timeout: Option<Duration>,
    /// Deprecated: address of the proxy. Use `proxySecretRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(http|https)://.*$"), length(max = 2048))]
    pub proxy: Option<String>,
    /// Secret with the proxy to use: `address`, and optionally `username` and `password`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_secret_ref: Option<LocalObjectReference>,
    /// Secret with credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// ServiceAccount whose cloud identity is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// Secret with `ca.crt`, and `tls.crt` and `tls.key` of a client certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<LocalObjectReference>,
    /// Whether the Provider rests: events for it are dropped.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
    /// CEL expression for the id of a commit status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_status_expr: Option<String>,
}

impl ProviderSpec {
    /// Longest duration of one delivery with its retries.
    pub fn timeout(&self) -> std::time::Duration {
        self.timeout.as_ref().map_or(std::time::Duration::from_secs(15), Duration::to_std)
    }
}

/// The kind of receiver of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProviderType {
    /// Slack.
    Slack,
    /// Discord.
    Discord,
    /// Microsoft Teams.
    MsTeams,
    /// Rocket.
    Rocket,
    /// Any webhook.
    #[default]
    Generic,
    /// Any webhook, with a signed body.
    #[serde(rename = "generic-hmac")]
    GenericHmac,
    /// GitHub commit status.
    Github,
    /// GitLab commit status.
    Gitlab,
    /// Gitea commit status.
    Gitea,
    /// A comment on a Gitea pull request.
    GiteaPullRequestComment,
    /// Bitbucket Server commit status.
    BitbucketServer,
    /// Bitbucket Cloud commit status.
    Bitbucket,
    /// Azure DevOps commit status.
    AzureDevOps,
    /// Google Chat.
    GoogleChat,
    /// Google Pub/Sub.
    GooglePubSub,
    /// Webex.
    Webex,
    /// Sentry.
    Sentry,
    /// Azure Event Hub.
    AzureEventHub,
    /// Telegram.
    Telegram,
    /// Lark.
    Lark,
    /// Matrix.
    Matrix,
    /// Opsgenie.
    Opsgenie,
    /// Alertmanager.
    Alertmanager,
    /// Grafana.
    Grafana,
    /// GitHub repository dispatch.
    GithubDispatch,
    /// A comment on a GitHub pull request.
    GithubPullRequestComment,
    /// A comment on a GitLab merge request.
    GitlabMergeRequestComment,
    /// PagerDuty.
    PagerDuty,
    /// Datadog.
    Datadog,
    /// NATS.
    Nats,
    /// Zulip.
    Zulip,
    /// OpenTelemetry.
    Otel,
    /// Zoom.
    Zoom,
    /// incident.io.
    #[serde(rename = "incident.io")]
    IncidentIo,
}

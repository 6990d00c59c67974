//! Settings of Helm actions.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    meta::Duration,
    schema::{is_false, is_zero},
};

/// The action `install`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Install {
    /// Longest duration of the action, by default that of the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// What follows a failure. By default it is remedied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<InstallStrategy>,
    /// How failures are remedied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediation: Option<InstallRemediation>,
    /// Whether objects of other releases are left alone.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_take_ownership: bool,
    /// Whether readiness is not awaited.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait: bool,
    /// Whether the completion of Jobs is not awaited.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait_for_jobs: bool,
    /// Whether hooks are left out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_hooks: bool,
    /// Whether objects are not checked against the API schema.
    #[serde(default, skip_serializing_if = "is_false", rename = "disableOpenAPIValidation")]
    pub disable_open_api_validation: bool,
    /// Whether values are not checked against the schema of the chart.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_schema_validation: bool,
    /// Whether the name of an uninstalled or failed release may be used again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub replace: bool,
    /// Deprecated and not read; use `crds: Skip`.
    #[serde(default, skip_serializing_if = "is_false", rename = "skipCRDs")]
    pub skip_crds: bool,
    /// What happens to the CRDs of the chart. By default they are created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crds: Option<CrdPolicy>,
    /// Whether the target namespace is created.
    #[serde(default, skip_serializing_if = "is_false")]
    pub create_namespace: bool,
    /// Whether objects are applied by the server. By default they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_side_apply: Option<bool>,
}

/// What follows a failed installation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.retryInterval) || self.name != 'RemediateOnFailure'")
        .message(".retryInterval cannot be set when .name is 'RemediateOnFailure'")
)]
pub struct InstallStrategy {
    /// What is done.
    pub name: FailureStrategy,
    /// Time between tries, by default 5 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_interval: Option<Duration>,
}

/// What follows a failed upgrade.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.retryInterval) || self.name == 'RetryOnFailure'")
        .message(".retryInterval can only be set when .name is 'RetryOnFailure'")
)]
pub struct UpgradeStrategy {
    /// What is done.
    pub name: FailureStrategy,
    /// Time between tries, by default 5 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_interval: Option<Duration>,
}

/// What follows a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FailureStrategy {
    /// The failure is remedied.
    #[default]
    RemediateOnFailure,
    /// The action is tried again.
    RetryOnFailure,
}

/// How failed installations are remedied: by uninstalling.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstallRemediation {
    /// How often a failure is remedied before it is final; a negative number means without limit.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(schema_with = "crate::schema::int")]
    pub retries: i64,
    /// Whether failed tests are no failure, by default as the tests say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore_test_failures: Option<bool>,
    /// Whether the last failure is remedied as well. By default it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediate_last_failure: Option<bool>,
}

/// The action `upgrade`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Upgrade {
    /// Longest duration of the action, by default that of the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// What follows a failure. By default it is remedied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<UpgradeStrategy>,
    /// How failures are remedied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediation: Option<UpgradeRemediation>,
    /// Whether objects of other releases are left alone.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_take_ownership: bool,
    /// Whether readiness is not awaited.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait: bool,
    /// Whether the completion of Jobs is not awaited.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait_for_jobs: bool,
    /// Whether hooks are left out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_hooks: bool,
    /// Whether objects are not checked against the API schema.
    #[serde(default, skip_serializing_if = "is_false", rename = "disableOpenAPIValidation")]
    pub disable_open_api_validation: bool,
    /// Whether values are not checked against the schema of the chart.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_schema_validation: bool,
    /// Whether objects are replaced instead of patched. Not with server-side apply.
    #[serde(default, skip_serializing_if = "is_false")]
    pub force: bool,
    /// Whether values of the previous release stay in force.
    #[serde(default, skip_serializing_if = "is_false")]
    pub preserve_values: bool,
    /// Whether a failed upgrade deletes the objects that it created.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cleanup_on_fail: bool,
    /// What happens to the CRDs of the chart. By default nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crds: Option<CrdPolicy>,
    /// Whether objects are applied by the server. By default as in the previous release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_side_apply: Option<ServerSideApply>,
    /// What happens when the chart has a new name. By default the release is made anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart_name_change_strategy: Option<ChartNameChangeStrategy>,
}

/// How failed upgrades are remedied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpgradeRemediation {
    /// How often a failure is remedied before it is final; a negative number means without limit.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(schema_with = "crate::schema::int")]
    pub retries: i64,
    /// Whether failed tests are no failure, by default as the tests say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore_test_failures: Option<bool>,
    /// Whether the last failure is remedied as well. By default it is if `retries` is positive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediate_last_failure: Option<bool>,
    /// The remedy. By default a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<RemediationStrategy>,
}

/// The remedy of a failed upgrade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RemediationStrategy {
    /// Return to the previous release.
    #[default]
    Rollback,
    /// Uninstall.
    Uninstall,
}

/// What happens to the CRDs of a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CrdPolicy {
    /// Nothing.
    Skip,
    /// New ones are created.
    Create,
    /// New ones are created, existing ones replaced. None is deleted.
    CreateReplace,
}

/// Whether objects are applied by the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ServerSideApply {
    /// They are.
    Enabled,
    /// They are not.
    Disabled,
    /// As in the previous release.
    #[default]
    Auto,
}

/// What happens when the chart has a new name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ChartNameChangeStrategy {
    /// The release is upgraded.
    InPlaceUpdate,
    /// The release is uninstalled and installed.
    #[default]
    Reinstall,
}

/// The tests of a release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Test {
    /// Whether tests run after each action.
    #[serde(default, skip_serializing_if = "is_false")]
    pub enable: bool,
    /// Longest duration of a test, by default that of the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Whether failed tests are no failure.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ignore_failures: bool,
    /// Which tests run. Without any, all do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<TestFilter>,
}

/// Chooses a test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestFilter {
    /// Name of the test.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Whether the test is left out rather than chosen.
    #[serde(default, skip_serializing_if = "is_false")]
    pub exclude: bool,
}

/// The action `rollback`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rollback {
    /// Longest duration of the action, by default that of the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Whether readiness is not awaited.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait: bool,
    /// Whether the completion of Jobs is not awaited.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait_for_jobs: bool,
    /// Whether hooks are left out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_hooks: bool,
    /// Deprecated and without effect.
    #[serde(default, skip_serializing_if = "is_false")]
    pub recreate: bool,
    /// Whether objects are replaced instead of patched. Not with server-side apply.
    #[serde(default, skip_serializing_if = "is_false")]
    pub force: bool,
    /// Whether a failed rollback deletes the objects that it created.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cleanup_on_fail: bool,
    /// Whether objects are applied by the server. By default as in the release returned to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_side_apply: Option<ServerSideApply>,
}

/// The action `uninstall`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Uninstall {
    /// Longest duration of the action, by default that of the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Whether hooks are left out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_hooks: bool,
    /// Whether release records are kept.
    #[serde(default, skip_serializing_if = "is_false")]
    pub keep_history: bool,
    /// Whether the end of the objects is not awaited.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disable_wait: bool,
    /// How dependents are deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "background"))]
    pub deletion_propagation: Option<DeletionPropagation>,
}

/// How dependents are deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeletionPropagation {
    /// After the object.
    #[default]
    Background,
    /// Before the object.
    Foreground,
    /// Not at all.
    Orphan,
}

//! Identities of clouds, with made-up replies: each call on the way to a token, and the one that uses it.

use std::collections::BTreeMap;

use api::notification::ProviderType;
use serde_json::{Value, json};

use super::offline::{body, event, header, play_as, settings};
use super::step::Call;

const TRUST: &str = "projects/1/locations/global/workloadIdentityPools/pool/providers/cluster";

fn form(call: &Call) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(&call.body).into_owned().collect()
}

fn hub() -> super::Settings {
    let mut settings = settings(ProviderType::AzureEventHub, "hub", "ns", "");
    settings.service_account = Some("sender".to_owned());
    settings
}

fn topic() -> super::Settings {
    let mut settings = settings(ProviderType::GooglePubSub, "project", "topic", "");
    settings.service_account = Some("sender".to_owned());
    settings
}

#[test]
fn azure_believes_the_cluster() {
    let annotations =
        [("azure.workload.identity/client-id", "client"), ("azure.workload.identity/tenant-id", "ten/ant")];
    let token = |_: &Call| (200, json!({ "access_token": "obtained", "expires_in": "3600" }));
    let calls = play_as(&hub(), &event("info"), &annotations, token).expect("calls");
    assert_eq!(calls[0].url.as_str(), "https://login.microsoftonline.com/ten%2Fant/oauth2/v2.0/token");
    let sent = form(&calls[0]);
    assert_eq!(sent["client_assertion"], "sender for api://AzureADTokenExchange");
    assert_eq!(
        (sent["client_id"].as_str(), sent["scope"].as_str()),
        ("client", "https://eventhubs.azure.net//.default")
    );
    assert!(calls[0].own && !calls[1].own);
    assert_eq!(header(&calls[1], "authorization"), "Bearer obtained");

    let error = play_as(&hub(), &event("info"), &annotations[..1], token).err().expect("an error");
    assert!(error.to_string().contains("no annotation azure.workload.identity/tenant-id"), "{error}");

    // The account of `--default-service-account` does as well; a token of the Secret goes before it.
    let mut locked = settings(ProviderType::AzureDevOps, "https://dev.azure.com/o/p/_git/r", "", "");
    locked.default_account = Some("default".to_owned());
    let calls = play_as(&locked, &event("info"), &annotations, token).expect("calls");
    assert_eq!(form(&calls[0])["client_assertion"], "default for api://AzureADTokenExchange");
    locked.token = Some(net::Secret::new("pat"));
    let calls = play_as(&locked, &event("info"), &[], |_| (200, json!({ "value": [] }))).expect("calls");
    assert_eq!(header(&calls[0], "authorization"), "Basic OnBhdA==");
}

#[test]
fn google_believes_clusters_of_others() {
    let audience = format!("//iam.googleapis.com/{TRUST}");
    let replies = |call: &Call| match call.url.host_str() {
        Some("sts.googleapis.com") => (200, json!({ "access_token": "exchanged", "expires_in": 3600 })),
        Some("iamcredentials.googleapis.com") => (200, json!({ "accessToken": "acting" })),
        _ => (200, json!({})),
    };
    let trust = ("gcp.auth.fluxcd.io/workload-identity-provider", TRUST);
    let calls = play_as(&topic(), &event("info"), &[trust], replies).expect("calls");
    assert_eq!(calls[0].url.as_str(), "https://sts.googleapis.com/v1/token");
    let sent = form(&calls[0]);
    assert_eq!(sent["audience"], audience);
    assert_eq!(sent["subject_token"], format!("sender for {audience}"));
    assert_eq!(header(&calls[1], "authorization"), "Bearer exchanged");

    let email = ("iam.gke.io/gcp-service-account", "sender@project.iam.gserviceaccount.com");
    let calls = play_as(&topic(), &event("info"), &[trust, email], replies).expect("calls");
    assert_eq!(
        calls[1].url.as_str(),
        "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/sender@project.iam.gserviceaccount.com:generateAccessToken"
    );
    assert_eq!(header(&calls[1], "authorization"), "Bearer exchanged");
    assert_eq!(body(&calls[1])["scope"], json!(["https://www.googleapis.com/auth/cloud-platform"]));
    assert_eq!(header(&calls[2], "authorization"), "Bearer acting");

    for (key, value) in [
        (trust.0, "projects/x/locations/global/workloadIdentityPools/pool/providers/cluster"),
        (trust.0, "anything"),
        (email.0, "sender@evil.example/x?"),
    ] {
        let error = play_as(&topic(), &event("info"), &[(key, value)], replies).err().expect("an error");
        assert!(error.to_string().starts_with(&format!("invalid {key} annotation")), "{error}");
    }
}

#[test]
fn clusters_of_google_know_themselves() {
    let replies = |call: &Call| -> (u16, Value) {
        match (call.url.host_str(), call.url.path().rsplit('/').next()) {
            (Some("metadata.google.internal"), Some("project-id")) => (200, json!("shop")),
            (Some("metadata.google.internal"), Some("cluster-location")) => (200, json!("europe-west1")),
            (Some("metadata.google.internal"), Some("cluster-name")) => (200, json!("main")),
            (Some("sts.googleapis.com"), _) => (200, json!({ "access_token": "exchanged" })),
            _ => (200, json!({})),
        }
    };
    let calls = play_as(&topic(), &event("info"), &[], replies).expect("calls");
    assert!(calls[..4].iter().all(|call| call.own));
    let sent = form(&calls[3]);
    assert_eq!(sent["subject_token"], "sender for shop.svc.id.goog");
    assert_eq!(
        sent["audience"],
        "identitynamespace:shop.svc.id.goog:https://container.googleapis.com/v1/projects/shop/locations/europe-west1/clusters/main"
    );
    assert_eq!(header(&calls[4], "authorization"), "Bearer exchanged");
}

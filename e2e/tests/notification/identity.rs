//! A ServiceAccount as the identity of a Provider: the API server signs, and a server in the place of Azure believes it.

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use testkit::Controller;

use super::recorder::Recorder;
use super::scene::{Scene, plane};

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_logs_in() -> Result<()> {
    let azure = Recorder::with(|_, request| match request.method.as_str() {
        "POST" if request.uri.contains("/oauth2/") => {
            (200, r#"{"access_token":"from-azure","expires_in":3600}"#.to_owned())
        }
        "POST" => (201, "{}".to_owned()),
        _ => (200, r#"{"value":[]}"#.to_owned()),
    })
    .await?;
    let controller = Controller::notification(plane().await?)?
        .flag("--feature-gates=ObjectLevelWorkloadIdentity=true")
        .env("AZURE_AUTHORITY_HOST", &azure.url);
    let scene = Scene::of_controller(controller).await?;
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": { "name": "sender", "namespace": scene.namespace, "annotations": {
            "azure.workload.identity/client-id": "client", "azure.workload.identity/tenant-id": "tenant",
        } },
    });
    scene.plane.apply(&account.to_string()).await?;
    let repository = format!("{}/org/project/_git/app", azure.url);
    for name in ["sender", "nobody"] {
        let spec = json!({ "type": "azuredevops", "address": repository, "serviceAccountName": name });
        scene.provider(name, spec).await?;
        scene.alert(name, json!({ "providerRef": { "name": name } })).await?;
    }
    scene.settle().await?;
    let revision = "main@sha1:69b59063470310ebbd88a9156325322a124e55a3";
    let metadata = json!({ "kustomize.toolkit.fluxcd.io/revision": revision });
    scene.send("failed", json!({ "severity": "error", "metadata": metadata })).await?;
    let exchange = azure.wait("the exchange", |request| request.uri == "/tenant/oauth2/v2.0/token").await?;
    let form = String::from_utf8(exchange.body)?;
    let assertion = form
        .split('&')
        .find_map(|field| field.strip_prefix("client_assertion="))
        .context("there is no assertion")?;
    let claims = assertion.split('.').nth(1).context("the assertion is no token")?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims)?)?;
    assert_eq!(claims["sub"], format!("system:serviceaccount:{}:sender", scene.namespace));
    assert_eq!(claims["aud"], json!(["api://AzureADTokenExchange"]));
    let status = azure
        .wait("the status", |request| request.method == "POST" && request.uri.contains("/statuses"))
        .await?;
    // Basic, without a user: `:from-azure`.
    assert_eq!(status.headers["authorization"], "Basic OmZyb20tYXp1cmU=");
    let complaint = scene.complaint("nobody", "NotificationDispatchFailed").await?;
    assert!(
        complaint.contains("failed to get service account") && complaint.contains("/nobody'"),
        "{complaint}"
    );
    Ok(())
}

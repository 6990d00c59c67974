//! The plane behaves as a cluster does: workloads become ready, RBAC is enforced, namespaces go away.

use serde_json::Value;
use testkit::ControlPlane;

fn deployment(namespace: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: {namespace}}}\nspec:\n  replicas: 3\n  \
         selector: {{matchLabels: {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    \
         spec: {{containers: [{{name: web, image: example.org/web:1}}]}}\n"
    )
}

#[tokio::test]
async fn a_deployment_becomes_ready_on_simulated_nodes() {
    let plane = ControlPlane::shared().await.unwrap();
    let namespace = plane.namespace("rollout").await.unwrap();
    plane.apply(&deployment(&namespace)).await.unwrap();
    let deployments = plane.objects("apps/v1", "Deployment", Some(&namespace)).unwrap();
    let ready = |object: &Value| object.pointer("/status/readyReplicas").and_then(Value::as_u64) == Some(3);
    let object = plane.wait_for(&deployments, "web", "3 ready replicas", ready).await.unwrap();
    assert_eq!(object["status"]["observedGeneration"], 1);
}

#[tokio::test]
async fn a_namespace_is_deleted_with_everything_in_it() {
    let plane = ControlPlane::shared().await.unwrap();
    let namespace = plane.namespace("gone").await.unwrap();
    plane.apply(&deployment(&namespace)).await.unwrap();
    let namespaces = plane.objects("v1", "Namespace", None).unwrap();
    namespaces.delete(&namespace, &Default::default()).await.unwrap();
    plane.gone(&namespaces, &namespace).await.unwrap();
}

#[tokio::test]
async fn a_service_account_without_rights_is_refused() {
    let plane = ControlPlane::shared().await.unwrap();
    let mut config = plane.config();
    config.auth_info.impersonate = Some("system:serviceaccount:default:default".into());
    let client = kube::Client::try_from(config).unwrap();
    let pods: kube::Api<k8s_openapi::api::core::v1::Pod> = kube::Api::all(client);
    let error = pods.list(&Default::default()).await.unwrap_err();
    assert!(matches!(&error, kube::Error::Api(status) if status.code == 403), "{error}");
}

#[tokio::test]
async fn what_the_api_server_refuses_is_an_error_with_its_words() {
    let plane = ControlPlane::shared().await.unwrap();
    let error = plane.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Upper}\n").await.unwrap_err();
    assert!(error.to_string().contains("lowercase RFC 1123"), "{error}");
}

//! The install manifests in config/: our engine builds them as kustomize does, the API server takes them, and they keep
//! the positions that `flux install` patches.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

use kustomize::{DiskFileSystem, Options};
use testkit::{ControlPlane, places};

fn build(folder: &str) -> String {
    let files = DiskFileSystem::open(places::root()).unwrap();
    let built = kustomize::build(&files, folder, &Options::command_line())
        .unwrap_or_else(|errors| panic!("{folder}: {errors}"));
    built.to_yaml()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_manifests_install() {
    let plane = ControlPlane::start().await.unwrap();
    let kustomize = plane.peers().await.unwrap().kustomize;
    plane.apply("{apiVersion: v1, kind: Namespace, metadata: {name: flux-system}}").await.unwrap();
    for folder in ["config/default", "config/tenancy", "config/sharding"] {
        let yaml = build(folder);
        let peer = std::process::Command::new(&kustomize)
            .args(["build", folder])
            .current_dir(places::root())
            .output()
            .unwrap();
        assert_eq!(yaml, String::from_utf8(peer.stdout).unwrap(), "{folder}");
        plane.apply(&yaml).await.unwrap();
    }
    let deployments = plane.objects("apps/v1", "Deployment", Some("flux-system")).unwrap();
    let arguments = |deployment: &kube::core::DynamicObject| -> Vec<String> {
        let list = &deployment.data["spec"]["template"]["spec"]["containers"][0]["args"];
        list.as_array().unwrap().iter().map(|argument| argument.as_str().unwrap().to_owned()).collect()
    };
    let kustomize = arguments(&deployments.get("kustomize-controller").await.unwrap());
    let source = arguments(&deployments.get("source-controller").await.unwrap());
    let common = [
        "--events-addr=http://notification-controller.$(RUNTIME_NAMESPACE).svc.cluster.local./",
        "--watch-all-namespaces",
        "--log-level=info",
        "--log-encoding=json",
        "--enable-leader-election",
    ];
    let notification = arguments(&deployments.get("notification-controller").await.unwrap());
    assert_eq!(notification[..4], common[1..]);
    let helm = arguments(&deployments.get("helm-controller").await.unwrap());
    assert_eq!(kustomize[..5], common);
    assert_eq!(helm[..5], common);
    assert_eq!(source[..5], common);
    assert!(
        source[5].starts_with("--storage-path=") && source[6].starts_with("--storage-adv-addr="),
        "{source:?}"
    );
}

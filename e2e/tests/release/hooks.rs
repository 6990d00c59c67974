//! Hooks: their order, their deletion, their failures, tests.

use std::time::Duration;

use anyhow::Result;
use chart::Status;
use release::{Hooks, Test};
use serde_json::{Value, json};

use crate::stage::{Files, Stage};

const HOOKED: Files<'static> = &[
    ("Chart.yaml", "apiVersion: v2\nname: hooked\nversion: 1.0.0\n"),
    ("values.yaml", "fails: none\n"),
    (
        "templates/config.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: config\ndata:\n  revision: \"{{ .Release.Revision }}\"\n",
    ),
    (
        "templates/hooks.yaml",
        r#"{{- range $event := list "pre-install" "post-install" "pre-upgrade" "post-upgrade" "pre-rollback" "post-rollback" "pre-delete" "post-delete" }}
{{- range $weight := list 5 -1 }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $event }}-{{ add 10 $weight }}
  annotations:
    helm.sh/hook: {{ $event }}
    helm.sh/hook-weight: {{ $weight | quote }}
    {{- if eq $weight 5 }}
    helm.sh/hook-delete-policy: hook-succeeded,before-hook-creation
    {{- end }}
spec:
  backoffLimit: 0
  {{- if eq $.Values.fails $event }}
  activeDeadlineSeconds: 1
  {{- end }}
  template:
    spec:
      restartPolicy: Never
      {{- if eq $.Values.fails $event }}
      nodeSelector:
        nowhere: "true"
      {{- end }}
      containers:
      - name: c
        image: job:1
{{- end }}
{{- end }}
"#,
    ),
];

/// Which hooks ran, and how it went.
fn runs(record: &Value) -> Vec<String> {
    let mut runs: Vec<String> = record["release"]["hooks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|hook| hook["last_run"]["phase"] != "")
        .map(|hook| {
            format!("{} {}", hook["name"].as_str().unwrap(), hook["last_run"]["phase"].as_str().unwrap())
        })
        .collect();
    runs.sort();
    runs
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_run_and_go_as_helms() -> Result<()> {
    let stage = Stage::new("hooks").await?;
    let folder = stage.folder("hooked", HOOKED);
    stage.helm(&["install", "web", &folder, "--wait", "--timeout", "60s"]);
    stage.do_install(stage.install("web", HOOKED, json!({}))).await.unwrap();
    stage.compare("web");
    let ran = runs(&stage.records(&stage.ours, "web")[0]);
    assert_eq!(
        ran,
        [
            "post-install-15 Succeeded",
            "post-install-9 Succeeded",
            "pre-install-15 Succeeded",
            "pre-install-9 Succeeded"
        ]
    );
    let names = stage.names(&stage.ours);
    assert_eq!(names, ["ConfigMap/config", "Job/post-install-9", "Job/pre-install-9"]);

    stage.helm(&["upgrade", "web", &folder, "--wait", "--timeout", "60s"]);
    stage.do_upgrade(stage.upgrade("web", HOOKED, json!({}))).await.unwrap();
    stage.compare("web");

    stage.helm(&["uninstall", "web", "--keep-history", "--wait", "--timeout", "60s"]);
    let mut uninstall = release::Uninstall::new("web");
    uninstall.history = release::History::Keep;
    uninstall.waiting.timeout = Duration::from_secs(60);
    uninstall.run(&stage.cluster, &stage.storage()).await.unwrap();
    stage.compare("web");
    let again = release::Uninstall { history: release::History::Keep, ..release::Uninstall::new("web") };
    let again = again.run(&stage.cluster, &stage.storage()).await.unwrap_err();
    assert_eq!(again.to_string(), "the release named \"web\" is already deleted");
    stage.do_uninstall("web").await.unwrap();
    assert_eq!(stage.records(&stage.ours, "web"), Vec::<Value>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_fails_fails_the_action() -> Result<()> {
    let stage = Stage::new("badhooks").await?;
    let folder = stage.folder("hooked", HOOKED);
    for (name, event) in [("pre", "pre-install"), ("post", "post-install")] {
        let set = format!("fails={event}");
        let namespaces = [stage.plane.namespace(name).await?, stage.plane.namespace(name).await?];
        stage
            .helm_in(&namespaces[1], &["install", name, &folder, "--set", &set, "--wait", "--timeout", "20s"])
            .unwrap_err();
        let mut install = stage.install(name, HOOKED, json!({"fails": event}));
        install.namespace.clone_from(&namespaces[0]);
        let storage = release::Storage::new(&stage.cluster, &namespaces[0]);
        let failed = install.run(&stage.cluster, &storage).await.unwrap_err();
        let text = failed.to_string();
        let place = &namespaces[0];
        let expected = format!(
            "failed {event}: failed early due to stalled resources: [Job/{place}/{event}-9 status: 'Failed'"
        );
        assert!(text.starts_with(&expected), "{text}");
        assert!(!failed.log.is_empty());
        let (ours, theirs) =
            (&stage.records(&namespaces[0], name)[0], &stage.records(&namespaces[1], name)[0]);
        assert_eq!(runs(ours), runs(theirs));
        assert_eq!(ours["release"]["info"]["status"], "failed");
        assert_eq!(
            ours["release"]["info"]["description"],
            json!(format!("Release \"{name}\" failed: {text}").replace(place, "NAMESPACE"))
        );
        assert_eq!(stage.names(&namespaces[0]), stage.names(&namespaces[1]));
    }
    let mut skipped = stage.install("web", HOOKED, json!({"fails": "pre-install"}));
    skipped.hooks = Hooks::Skip;
    assert_eq!(stage.do_install(skipped).await.unwrap().release.info.status, Status::Deployed);
    Ok(())
}

const TESTED: Files<'static> = &[
    ("Chart.yaml", "apiVersion: v2\nname: tested\nversion: 1.0.0\n"),
    ("templates/config.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\n"),
    (
        "templates/tests.yaml",
        r#"{{- range $name := list "one" "two" "bad" }}
---
apiVersion: v1
kind: Pod
metadata:
  name: {{ $name }}
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation{{ if eq $name "two" }},hook-succeeded{{ end }}
spec:
  restartPolicy: Never
  {{- if eq $name "bad" }}
  nodeSelector:
    nowhere: "true"
  {{- else }}
  activeDeadlineSeconds: 600
  {{- end }}
  containers:
  - name: c
    image: test:1
{{- end }}
"#,
    ),
];

/// Ends the Pods of tests, which no real node runs.
async fn end_pods(stage: &Stage, namespace: &str, names: &[&str]) {
    let client = stage.plane.client().unwrap();
    let pods: kube::Api<kube::api::DynamicObject> = kube::Api::namespaced_with(
        client,
        namespace,
        &kube::api::ApiResource::from_gvk(&kube::api::GroupVersionKind::gvk("", "v1", "Pod")),
    );
    for name in names {
        for _ in 0..400 {
            // A Pod that ends before its node has started it would be started by the node again.
            let found = pods.get_opt(name).await.unwrap();
            if found.is_some_and(|pod| pod.data["status"]["phase"] == "Running") {
                let patch = json!({"status": {"phase": "Succeeded"}});
                pods.patch_status(name, &Default::default(), &kube::api::Patch::Merge(&patch)).await.unwrap();
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tests_run_by_their_filters() -> Result<()> {
    let stage = Stage::new("tests").await?;
    stage.do_install(stage.install("web", TESTED, json!({}))).await.unwrap();
    let mut test = Test::new("web");
    test.exclude.insert("bad".to_owned());
    test.waiting.timeout = Duration::from_secs(60);
    let storage = stage.storage();
    let (tested, ()) =
        tokio::join!(test.run(&stage.cluster, &storage), end_pods(&stage, &stage.ours, &["one", "two"]));
    let tested = tested.unwrap();
    let phases: Vec<_> =
        tested.release.hooks.iter().map(|hook| format!("{} {}", hook.name, hook.last_run.phase)).collect();
    assert_eq!(phases, ["bad ", "one Succeeded", "two Succeeded"]);
    assert_eq!(stage.names(&stage.ours), ["ConfigMap/config", "Pod/one"]);
    assert_eq!(runs(&stage.records(&stage.ours, "web")[0]), ["one Succeeded", "two Succeeded"]);

    let mut test = Test::new("web");
    test.include.insert("bad".to_owned());
    test.waiting.timeout = Duration::from_secs(2);
    let failed = test.run(&stage.cluster, &storage).await.unwrap_err();
    let text = failed.to_string();
    assert!(
        text.starts_with(&format!("timeout waiting for: [Pod/{}/bad status: 'InProgress'", stage.ours)),
        "{text}"
    );
    assert_eq!(runs(&stage.records(&stage.ours, "web")[0]), ["bad Failed", "one Succeeded", "two Succeeded"]);
    Ok(())
}

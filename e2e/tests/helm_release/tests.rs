//! The tests of a release.

use anyhow::Result;
use serde_json::json;

use super::charts;
use super::scene::{Scene, history, message, reason};

/// Jobs as tests; the simulated nodes complete Pods, and one that nobody can schedule never is.
fn chart() -> Result<Vec<u8>> {
    let test = |name: &str, stuck: &str| {
        format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: '{{{{ .Release.Name }}}}-{name}'\n  annotations: {{helm.sh/hook: test}}\n\
             spec:\n  backoffLimit: 0\n  template:\n    spec:\n      restartPolicy: Never\n      containers: [{{name: test, image: test}}]\n{stuck}"
        )
    };
    let stuck = "{{- if .Values.stuck }}\n      nodeSelector: {no: such-node}\n{{- end }}\n";
    let (one, two) = (test("one", ""), test("two", stuck));
    charts::archive(
        "web",
        &[
            ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
            ("values.yaml", "color: red\nstuck: false\n"),
            charts::CONFIG,
            ("templates/one.yaml", &one),
            ("templates/two.yaml", &two),
        ],
    )
}

/// Cases 38 and 39.
#[tokio::test(flavor = "multi_thread")]
async fn tests_run_after_an_action() -> Result<()> {
    let scene = Scene::new().await?;
    let ns = scene.namespace.clone();
    scene.chart("web", &chart()?).await?;
    scene.release("web", json!({"test": {"enable": true}})).await?;
    let object = scene.ready("web").await?;
    let text = format!(
        "Helm test succeeded for release {ns}/web.v1 with chart web@1.0.0: 2 test hooks completed successfully"
    );
    assert_eq!((reason(&object, "Ready"), message(&object, "TestSuccess")), ("TestSucceeded", text.as_str()));
    let hooks = &object["status"]["history"][0]["testHooks"];
    assert_eq!(
        (&hooks["web-one"]["phase"], &hooks["web-two"]["phase"]),
        (&json!("Succeeded"), &json!("Succeeded"))
    );

    let remedy = json!({"remediation": {"retries": 0, "remediateLastFailure": true}});
    scene
        .patch(
            "web",
            json!({"spec": {"test": {"timeout": "2s"}, "upgrade": remedy, "values": {"stuck": true}}}),
        )
        .await?;
    let object = scene.reason("web", "Remediated", "RollbackSucceeded").await?;
    assert_eq!(reason(&object, "TestSuccess"), "TestFailed");
    assert_eq!(object["status"]["upgradeFailures"], 1);

    let ignored = json!({"enable": true, "ignoreFailures": true, "timeout": "2s", "filters": null});
    scene
        .patch("web", json!({"spec": {"test": ignored, "values": {"stuck": true, "color": "blue"}}}))
        .await?;
    let object = scene
        .until("web", "a failed test that is ignored", |object| {
            reason(object, "Ready") == "UpgradeSucceeded" && reason(object, "TestSuccess") == "TestFailed"
        })
        .await?;
    assert_eq!(object["status"]["history"][0]["status"], "deployed", "{:?}", history(&object));

    let filters = json!([{"name": "web-two", "exclude": true}]);
    let test = json!({"enable": true, "ignoreFailures": false, "filters": filters});
    scene.patch("web", json!({"spec": {"test": test, "values": {"stuck": true, "color": "green"}}})).await?;
    let object = scene
        .until("web", "the other test", |object| {
            message(object, "TestSuccess").ends_with(": 1 test hook completed successfully")
        })
        .await?;
    let hooks = object["status"]["history"][0]["testHooks"].as_object().unwrap();
    assert_eq!(hooks.keys().collect::<Vec<_>>(), ["web-one"]);
    Ok(())
}

//! Drift and its correction.

use anyhow::Result;
use apply::{IgnoreRule, IgnoreRules};
use release::drift::{DriftOptions, Found, brief, correct, diff, summary};
use serde_json::json;

use crate::actions::SHOP;
use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_or_deleted_is_found_and_corrected() -> Result<()> {
    let stage = Stage::new("drift").await?;
    let release = stage.do_install(stage.install("web", SHOP, json!({}))).await.unwrap().release;
    let rules = IgnoreRules::default();
    let mut options =
        DriftOptions { ignore: &rules, exclusion: ("x/drift", "disabled"), override_managers: &[] };
    let look = async |options: &DriftOptions<'_>| {
        let (drift, problems) = diff(&stage.cluster, &release, options).await.unwrap();
        assert_eq!(problems, []);
        drift
    };
    assert!(look(&options).await.iter().all(|one| one.found == Found::Same));

    let kubectl = |arguments: &[&str]| stage.plane.kubectl().run(&[arguments, &["-n", &stage.ours]].concat());
    kubectl(&["delete", "service", "web"])?;
    kubectl(&["scale", "deployment", "web", "--replicas=5"])?;
    kubectl(&[
        "patch",
        "configmap",
        "web-config",
        "--type=merge",
        "-p",
        r#"{"data": {"plain": "no", "more": "1"}}"#,
    ])?;
    kubectl(&["annotate", "configmap", "web-plain", "x/drift=disabled"])?;
    kubectl(&["label", "serviceaccount", "web", "team=blue"])?;
    let drift = look(&options).await;
    let lines = summary(&drift);
    assert_eq!(
        lines.lines().map(|line| line.replace(&stage.ours, "NS")).collect::<Vec<_>>(),
        [
            "ConfigMap/NS/web-config changed (0 additions, 1 changes, 0 removals)",
            "ConfigMap/NS/web-plain excluded",
            "Service/NS/web removed",
            "Deployment/NS/web changed (0 additions, 1 changes, 0 removals)",
        ],
    );
    assert_eq!(brief(&drift), "removed: 1, changed: 2, excluded: 1");

    let replicas = IgnoreRule {
        paths: vec!["/spec/replicas".to_owned()],
        kind: "Deployment".to_owned(),
        ..IgnoreRule::default()
    };
    let rules = IgnoreRules::compile(&[replicas])?;
    options.ignore = &rules;
    let drift = look(&options).await;
    let corrected = correct(&stage.cluster, &drift).await;
    assert_eq!(corrected.errors, []);
    assert_eq!(
        corrected.to_string().replace(&stage.ours, "NS"),
        "Service/NS/web created\nConfigMap/NS/web-config configured"
    );
    let drift = look(&options).await;
    assert!(!drift.iter().any(|one| one.is_drift()), "{}", summary(&drift));
    let deployments = stage.plane.objects("apps/v1", "Deployment", Some(&stage.ours))?;
    assert_eq!(deployments.get("web").await?.data["spec"]["replicas"], 5);
    Ok(())
}

//! Release records: the real Helm's are read, and the real Helm reads ours.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chart::{Driver, Release, Stamp, Status};
use serde_json::{Value, json};
use testkit::ControlPlane;

const FILES: [(&str, &str); 8] = [
    (
        "Chart.yaml",
        "apiVersion: v2\nname: shop\nversion: 1.2.3\nappVersion: 7\ndescription: <a & b>\nkubeVersion: '>=1.20'\n\
         annotations: {a: b}\nmaintainers: [{name: n, email: e@x.y}]\n\
         dependencies: [{name: db, version: '>=1', repository: '', alias: data, import-values: [data]}]\n",
    ),
    ("values.yaml", "replicas: 2\nratio: 0.5\nlarge: 1e30\nnothing: null\nlist: [1, a, {b: c}]\n"),
    ("values.schema.json", r#"{"properties": {"replicas": {"type": "integer"}}}"#),
    ("templates/NOTES.txt", "Shop {{ .Release.Name }} is at revision {{ .Release.Revision }}\n"),
    (
        "templates/config.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-config'}\ndata: {replicas: '{{ .Values.replicas }}', exported: '{{ .Values.exported }}'}\n",
    ),
    (
        "templates/hook.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: '{{ .Release.Name }}-hook'\n  annotations: {helm.sh/hook: 'pre-install,post-upgrade', helm.sh/hook-weight: '-5', helm.sh/hook-delete-policy: hook-succeeded}\n",
    ),
    ("charts/db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.0.0\n"),
    ("charts/db/values.yaml", "exports: {data: {exported: yes}}\n"),
];

struct Stage {
    plane: &'static ControlPlane,
    namespace: String,
    helm: std::path::PathBuf,
    chart: tempfile::TempDir,
}

impl Stage {
    async fn new(prefix: &str) -> Result<Stage> {
        let plane = ControlPlane::shared().await?;
        let chart = tempfile::tempdir()?;
        for (path, content) in FILES {
            let path = chart.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap())?;
            std::fs::write(path, content)?;
        }
        let helm = plane.peers().await?.helm;
        Ok(Stage { plane, namespace: plane.namespace(prefix).await?, helm, chart })
    }

    fn helm(&self, driver: Driver, arguments: &[&str]) -> Result<String> {
        let home = tempfile::tempdir()?;
        let output = Command::new(&self.helm)
            .args(arguments)
            .args(["--namespace", &self.namespace])
            .env("KUBECONFIG", self.plane.kubeconfig())
            .env("HOME", home.path())
            .env("HELM_DRIVER", if driver == Driver::Secret { "secret" } else { "configmap" })
            .output()?;
        let error = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "helm {arguments:?}: {error}");
        Ok(String::from_utf8(output.stdout)?)
    }

    fn json(&self, driver: Driver, arguments: &[&str]) -> Result<Value> {
        Ok(serde_json::from_str(&self.helm(driver, &[arguments, &["-o", "json"]].concat())?)?)
    }

    /// The object with a record, as the API server has it.
    fn record(&self, driver: Driver, name: &str) -> Result<Value> {
        let kind = if driver == Driver::Secret { "secret" } else { "configmap" };
        let text = self.plane.kubectl().run(&["get", kind, name, "-n", &self.namespace, "-o", "json"])?;
        Ok(serde_json::from_str(&text)?)
    }

    fn store(&self, object: &Value) -> Result<String> {
        self.plane.kubectl().run_with_input(&["apply", "--server-side", "-f", "-"], &object.to_string())
    }

    fn chart(&self) -> &str {
        Path::to_str(self.chart.path()).expect("a temporary folder has a plain name")
    }
}

/// The JSON in a record.
fn text(object: &Value, driver: Driver) -> Value {
    let data = object["data"]["release"].as_str().unwrap();
    let text = if driver == Driver::Secret { STANDARD.decode(data).unwrap() } else { data.into() };
    let packed = STANDARD.decode(text).unwrap();
    serde_json::from_reader(flate2::read::GzDecoder::new(&*packed)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_the_real_helm_are_read_and_written_again() -> Result<()> {
    for (driver, prefix) in [(Driver::Secret, "records-s"), (Driver::ConfigMap, "records-c")] {
        let stage = Stage::new(prefix).await?;
        let install =
            ["install", "shop", stage.chart(), "--set", "replicas=3,extra.a=<b>", "--labels", "team=a"];
        stage.helm(driver, &install)?;
        stage.helm(
            driver,
            &["upgrade", "shop", stage.chart(), "--set", "replicas=4", "--description", "more"],
        )?;
        for (revision, status) in [(1, Status::Superseded), (2, Status::Deployed)] {
            let object = stage.record(driver, &format!("sh.helm.release.v1.shop.v{revision}"))?;
            let release = Release::from_object(&object)?;
            assert_eq!((&*release.name, release.version, release.info.status), ("shop", revision, status));
            assert_eq!(release.labels.get("team").map(String::as_str), Some("a"));
            assert!(release.manifest.contains("replicas: '"), "{}", release.manifest);
            assert_eq!(release.hooks[0].weight, -5);
            assert_eq!(release.info.notes, format!("Shop shop is at revision {revision}\n"));
            let stored = release.chart.as_ref().unwrap();
            assert_eq!(stored.values.as_ref().unwrap()["exported"], json!(true));
            assert_eq!(stored.metadata.as_ref().unwrap().app_version, "7");

            let again = release.object(driver, &stage.namespace, Stamp::Created(1))?;
            assert_eq!(
                text(&again, driver),
                text(&object, driver),
                "revision {revision} has another meaning"
            );
            for field in ["name", "namespace"] {
                assert_eq!(again["metadata"][field], object["metadata"][field]);
            }
            for label in ["name", "owner", "status", "version", "team"] {
                assert_eq!(again["metadata"]["labels"][label], object["metadata"]["labels"][label]);
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_helm_works_with_records_of_ours() -> Result<()> {
    for (driver, prefix) in [(Driver::Secret, "ours-s"), (Driver::ConfigMap, "ours-c")] {
        let stage = Stage::new(prefix).await?;
        // Three revisions of which only the first was ever Helm's: it gives the shape of a real release.
        stage.helm(driver, &["install", "first", stage.chart(), "--set", "replicas=3"])?;
        let first = Release::from_object(&stage.record(driver, "sh.helm.release.v1.first.v1")?)?;
        let manifest = first.manifest.replace("first-config", "ours-config");
        let mut ours = Release { name: "ours".to_owned(), manifest, hooks: Vec::new(), ..first };
        for version in 1..=3 {
            ours.version = version;
            ours.info.status = if version == 3 { Status::Deployed } else { Status::Superseded };
            ours.info.description = format!("step {version}");
            ours.config.insert("replicas".to_owned(), json!(f64::from(i32::try_from(version)?)));
            stage.store(&ours.object(driver, &stage.namespace, Stamp::Created(1_700_000_000))?)?;
        }

        let listed = stage.json(driver, &["list", "--filter", "ours"])?;
        assert_eq!(listed[0]["revision"], json!("3"), "{listed}");
        assert_eq!(listed[0]["status"], json!("deployed"));
        assert_eq!(listed[0]["chart"], json!("shop-1.2.3"));
        let history = stage.json(driver, &["history", "ours"])?;
        let steps: Vec<_> =
            history.as_array().context("no list")?.iter().map(|r| r["description"].clone()).collect();
        assert_eq!(steps, ["step 1", "step 2", "step 3"]);
        assert_eq!(stage.json(driver, &["get", "values", "ours"])?["replicas"], json!(3));
        assert_eq!(stage.helm(driver, &["get", "manifest", "ours"])?.trim(), ours.manifest.trim());
        assert!(stage.helm(driver, &["get", "notes", "ours"])?.contains("Shop first is at revision 1"));

        stage.helm(driver, &["rollback", "ours", "2"])?;
        let rolled = Release::from_object(&stage.record(driver, "sh.helm.release.v1.ours.v4")?)?;
        assert_eq!(rolled.info.status, Status::Deployed);
        assert_eq!(rolled.config.get("replicas"), Some(&json!(2.0)));
        stage.helm(driver, &["upgrade", "ours", stage.chart(), "--reuse-values"])?;
        stage.helm(driver, &["uninstall", "ours"])?;
        assert_eq!(stage.json(driver, &["list", "--filter", "ours"])?, json!([]));
    }
    Ok(())
}

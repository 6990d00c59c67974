//! A chart repository made with the real Helm, served beside the Git repositories of a scene, and charts from it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use kube::Api;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use testkit::git::ServerOptions;

use super::scene::{API, Scene, reason};

const REPOSITORY: &str = "HelmRepository";
const CHART: &str = "HelmChart";

/// A scene whose server has a chart repository below `charts`.
pub struct Charts {
    pub scene: Scene,
    pub helm: PathBuf,
    pub repositories: Api<DynamicObject>,
    pub charts: Api<DynamicObject>,
}

impl Charts {
    pub async fn new(options: ServerOptions, flags: &[&str]) -> Result<Self> {
        let scene = Scene::with(options, flags).await?;
        let helm = scene.plane.peers().await?.helm;
        let repositories = scene.plane.objects(API, REPOSITORY, Some(&scene.namespace))?;
        let objects = scene.plane.objects(API, CHART, Some(&scene.namespace))?;
        let charts = Self { scene, helm, repositories, charts: objects };
        std::fs::create_dir(charts.folder())?;
        Ok(charts)
    }

    pub fn folder(&self) -> PathBuf {
        self.scene.git.root().join("charts")
    }

    pub fn url(&self) -> String {
        self.scene.git.url("charts")
    }

    /// Packs versions of a chart and makes the index anew.
    pub fn publish(&self, chart: &str, versions: &[&str]) -> Result<()> {
        versions.iter().try_for_each(|version| {
            let text = format!(
                "apiVersion: v2\nname: {chart}\nversion: {version}\ndescription: |\n  Two\n\n  lines\n"
            );
            self.publish_files(&[("Chart.yaml", &text)])
        })
    }

    /// Packs a chart of these files and makes the index anew.
    pub fn publish_files(&self, files: &[(&str, &str)]) -> Result<()> {
        let source = folder(files)?;
        self.helm(&["package".as_ref(), source.path(), "--destination".as_ref(), &self.folder()])?;
        self.helm(&["repo".as_ref(), "index".as_ref(), &self.folder()])
    }

    /// What the real Helm packs of a folder. `flags` are further ones of `helm package`.
    pub fn package(&self, folder: &Path, flags: &[&str]) -> Result<Vec<u8>> {
        let packed = tempfile::tempdir()?;
        let mut arguments: Vec<&Path> =
            vec!["package".as_ref(), folder, "--destination".as_ref(), packed.path()];
        arguments.extend(flags.iter().map(Path::new));
        self.helm(&arguments)?;
        let file = std::fs::read_dir(packed.path())?.next().context("a package")??;
        Ok(std::fs::read(file.path())?)
    }

    /// Applies a HelmChart; `spec` is merged over an interval of an hour and HelmRepository `shop`.
    pub async fn chart(&self, name: &str, spec: Value) -> Result<()> {
        let mut whole =
            json!({ "interval": "1h", "sourceRef": { "kind": "HelmRepository", "name": "shop" } });
        let (Value::Object(fields), Value::Object(spec)) = (&mut whole, spec) else { unreachable!() };
        fields.extend(spec);
        self.scene.apply_kind(CHART, name, whole).await
    }

    pub async fn chart_ready(&self, name: &str) -> Result<Value> {
        self.scene.plane.ready(API, CHART, &self.scene.namespace, name).await
    }

    pub async fn chart_until(&self, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Result<Value> {
        self.scene.plane.wait_for(&self.charts, name, what, holds).await
    }

    /// Waits until a chart has an artifact of this revision.
    pub async fn chart_of(&self, name: &str, revision: &str) -> Result<Value> {
        let holds = |object: &Value| object["status"]["artifact"]["revision"] == revision;
        self.chart_until(name, &format!("revision {revision}"), holds).await?;
        self.chart_ready(name).await
    }

    /// Waits until a chart stalls for this reason.
    pub async fn chart_stalled(&self, name: &str, wanted: &str) -> Result<Value> {
        self.chart_until(name, &format!("Stalled {wanted}"), |object| reason(object, "Stalled") == wanted)
            .await
    }

    /// Waits until a condition of a chart has this reason.
    pub async fn chart_because(&self, name: &str, type_: &str, wanted: &str) -> Result<Value> {
        let holds = |object: &Value| reason(object, type_) == wanted;
        self.chart_until(name, &format!("{type_} {wanted}"), holds).await
    }

    /// Asks for a run of a chart and waits until it was handled.
    pub async fn reconcile_chart(&self, name: &str, token: &str) -> Result<Value> {
        self.scene.annotate(&self.charts, name, "reconcile.fluxcd.io/requestedAt", token).await?;
        let handled = |object: &Value| object["status"]["lastHandledReconcileAt"] == token;
        self.chart_until(name, "the request is handled", handled).await
    }

    pub fn helm(&self, arguments: &[&Path]) -> Result<()> {
        let output = Command::new(&self.helm).args(arguments).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    pub fn index(&self) -> PathBuf {
        self.folder().join("index.yaml")
    }

    pub async fn apply(&self, name: &str, spec: Value) -> Result<()> {
        let mut whole = json!({ "url": self.url(), "interval": "1h" });
        let (Value::Object(whole_), Value::Object(spec)) = (&mut whole, spec) else { unreachable!() };
        whole_.extend(spec);
        self.scene.apply_kind(REPOSITORY, name, whole).await
    }

    pub async fn ready(&self, name: &str) -> Result<Value> {
        self.scene.plane.ready(API, REPOSITORY, &self.scene.namespace, name).await
    }

    pub async fn until(&self, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Result<Value> {
        self.scene.plane.wait_for(&self.repositories, name, what, holds).await
    }

    /// Asks for a run and waits until it was handled.
    pub async fn reconcile(&self, name: &str, token: &str) -> Result<Value> {
        self.scene.annotate(&self.repositories, name, "reconcile.fluxcd.io/requestedAt", token).await?;
        self.until(name, "the request is handled", |object| {
            object["status"]["lastHandledReconcileAt"] == token
        })
        .await
    }
}

/// A folder with these files, all of 1970, so that what is packed of it has no times of its own.
pub fn folder(files: &[(&str, &str)]) -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    for (path, content) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().context("a folder")?)?;
        std::fs::write(&path, content)?;
        std::fs::File::options().write(true).open(&path)?.set_modified(std::time::UNIX_EPOCH)?;
    }
    Ok(folder)
}

/// The tar file within an archive.
pub fn unzipped(archive: &[u8]) -> Result<Vec<u8>> {
    let mut tar = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(archive), &mut tar)?;
    Ok(tar)
}

/// Paths and contents of an archive, in its order.
pub fn contents(archive: &[u8]) -> Result<Vec<(String, String)>> {
    let tar = unzipped(archive)?;
    let mut found = Vec::new();
    for entry in tar::Archive::new(&*tar).entries()? {
        let mut entry = entry?;
        let mut content = String::new();
        std::io::Read::read_to_string(&mut entry, &mut content)?;
        found.push((entry.path()?.display().to_string(), content));
    }
    Ok(found)
}

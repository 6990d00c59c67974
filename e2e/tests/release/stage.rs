//! Two namespaces of one plane: in one the real Helm acts, in the other we do.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chart::{ArchiveLimits, Chart, File, Table};
use release::{Cluster, Failed, Install, Outcome, Storage, Uninstall, Upgrade};
use serde_json::{Value, json};
use testkit::ControlPlane;

use crate::compare::{plain, same, timeless};

pub struct Stage {
    pub plane: &'static ControlPlane,
    /// Where we act.
    pub ours: String,
    /// Where Helm acts.
    pub theirs: String,
    pub cluster: Cluster,
    helm: PathBuf,
    home: tempfile::TempDir,
}

/// The files of a chart.
pub type Files<'a> = &'a [(&'a str, &'a str)];

impl Stage {
    pub async fn new(prefix: &str) -> Result<Stage> {
        Stage::on(ControlPlane::shared().await?, prefix).await
    }

    pub async fn on(plane: &'static ControlPlane, prefix: &str) -> Result<Stage> {
        Ok(Stage {
            plane,
            ours: plane.namespace(&format!("{prefix}-ours")).await?,
            theirs: plane.namespace(&format!("{prefix}-theirs")).await?,
            // As the real Helm names itself, so that managed fields can be compared.
            cluster: Cluster::from_client(plane.client()?, "helm"),
            helm: plane.peers().await?.helm,
            home: tempfile::tempdir()?,
        })
    }

    pub fn storage(&self) -> Storage {
        Storage::new(&self.cluster, &self.ours)
    }

    /// Runs Helm in a namespace. Gives what it printed, or its error.
    pub fn helm_in(&self, namespace: &str, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new(&self.helm)
            .args(arguments)
            .args(["--namespace", namespace])
            .env("KUBECONFIG", self.plane.kubeconfig())
            .env("HOME", self.home.path())
            .output()
            .unwrap();
        if output.status.success() {
            Ok(String::from_utf8(output.stdout).unwrap())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// Runs Helm where it acts.
    pub fn helm(&self, arguments: &[&str]) -> String {
        self.helm_in(&self.theirs, arguments).unwrap_or_else(|error| panic!("helm {arguments:?}: {error}"))
    }

    /// Runs Helm where we act, and reads its JSON.
    pub fn helm_here(&self, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["-o", "json"]].concat();
        let text = self
            .helm_in(&self.ours, &arguments)
            .unwrap_or_else(|error| panic!("helm {arguments:?}: {error}"));
        serde_json::from_str(&text).unwrap()
    }

    /// A chart as a folder, for Helm.
    pub fn folder(&self, name: &str, files: Files<'_>) -> String {
        let folder = self.home.path().join(name);
        for (path, content) in files {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        folder.to_str().unwrap().to_owned()
    }

    pub fn install(&self, name: &str, files: Files<'_>, values: Value) -> Install {
        let mut install = Install::new(name, &self.ours, chart(files), table(values));
        install.waiting.timeout = Duration::from_secs(60);
        // As this Helm does; the one in helm-controller is older.
        install.render.separators = chart::Separators::Strict;
        install
    }

    pub fn upgrade(&self, name: &str, files: Files<'_>, values: Value) -> Upgrade {
        let mut upgrade = Upgrade::new(name, chart(files), table(values));
        upgrade.waiting.timeout = Duration::from_secs(60);
        upgrade.render.separators = chart::Separators::Strict;
        upgrade
    }

    pub async fn do_install(&self, install: Install) -> Result<Outcome, Box<Failed>> {
        install.run(&self.cluster, &self.storage()).await
    }

    pub async fn do_upgrade(&self, upgrade: Upgrade) -> Result<Outcome, Box<Failed>> {
        upgrade.run(&self.cluster, &self.storage()).await
    }

    pub async fn do_uninstall(&self, name: &str) -> Result<Outcome, Box<Failed>> {
        let mut uninstall = Uninstall::new(name);
        uninstall.waiting.timeout = Duration::from_secs(60);
        uninstall.run(&self.cluster, &self.storage()).await
    }

    fn kubectl(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.plane.kubectl().run(arguments).unwrap()).unwrap()
    }

    /// The objects of some kinds in a namespace, with everything that differs from run to run taken out.
    pub fn objects(&self, namespace: &str) -> Vec<Value> {
        const KINDS: &str = "configmaps,secrets,services,deployments,statefulsets,jobs,pods,serviceaccounts,roles,rolebindings,ingresses,poddisruptionbudgets";
        let list = self.kubectl(&["get", KINDS, "-n", namespace, "-o", "json", "--show-managed-fields"]);
        let mut objects: Vec<Value> = list["items"].as_array().unwrap().clone();
        objects.retain(|object| {
            let name = object["metadata"]["name"].as_str().unwrap();
            let made = ["kube-root-ca.crt", "default"].contains(&name) || name.starts_with("sh.helm.release");
            // What controllers make of them is not Helm's.
            !made && object["metadata"].get("ownerReferences").is_none()
        });
        objects.iter_mut().for_each(plain);
        let text = serde_json::to_string(&objects).unwrap();
        serde_json::from_str(&text.replace(namespace, "NAMESPACE")).unwrap()
    }

    /// The objects of a release, wherever they are, as [`Stage::objects`] shows them.
    pub fn owned(&self, release: &str) -> Vec<Value> {
        const KINDS: &str = "configmaps,secrets,services,deployments,statefulsets,daemonsets,jobs,cronjobs,pods,serviceaccounts,\
            roles,rolebindings,clusterroles,clusterrolebindings,ingresses,ingressclasses,networkpolicies,horizontalpodautoscalers,\
            poddisruptionbudgets,persistentvolumeclaims,validatingwebhookconfigurations,mutatingwebhookconfigurations,\
            apiservices,customresourcedefinitions,priorityclasses,servicemonitors,podmonitors,prometheusrules";
        let kinds = KINDS.replace(' ', "");
        let selector = "app.kubernetes.io/managed-by=Helm";
        for attempt in 0..600 {
            let list =
                self.kubectl(&["get", &kinds, "-A", "-l", selector, "-o", "json", "--show-managed-fields"]);
            let mut objects: Vec<Value> = list["items"].as_array().unwrap().clone();
            objects.retain(|object| {
                object["metadata"]["annotations"]["meta.helm.sh/release-name"] == release
                    && object["metadata"].get("ownerReferences").is_none()
            });
            // A rollback deletes, and does not wait.
            let going: Vec<&Value> = objects
                .iter()
                .filter(|object| object["metadata"].get("deletionTimestamp").is_some())
                .map(|object| &object["metadata"]["name"])
                .collect();
            if going.is_empty() {
                objects.iter_mut().for_each(plain);
                return objects;
            }
            // The API server may not be able to list the objects of a definition that was made a moment ago, and tries
            // that again ever more rarely, after minutes at last, unless somebody touches the definition.
            let touch = format!("e2e.millrace.dev/look={attempt}");
            for name in going {
                let arguments = ["annotate", "--overwrite", "crd", name.as_str().unwrap(), &touch];
                _ = self.plane.kubectl().run(&arguments);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("some objects of {release} are deleted, and do not go");
    }

    /// The names of the objects in a namespace, as `Kind/name`.
    pub fn names(&self, namespace: &str) -> Vec<String> {
        let name = |object: &Value| {
            format!("{}/{}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap())
        };
        self.objects(namespace).iter().map(name).collect()
    }

    /// The records of a release, oldest first: labels and content, without times.
    pub fn records(&self, namespace: &str, name: &str) -> Vec<Value> {
        let selector = format!("owner=helm,name={name}");
        let list = self.kubectl(&["get", "secrets", "-n", namespace, "-l", &selector, "-o", "json"]);
        let mut records: Vec<Value> = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|secret| {
                let packed = STANDARD.decode(secret["data"]["release"].as_str().unwrap()).unwrap();
                let packed = STANDARD.decode(packed).unwrap();
                let text: Value = serde_json::from_reader(flate2::read::GzDecoder::new(&*packed)).unwrap();
                let text: Value =
                    serde_json::from_str(&text.to_string().replace(namespace, "NAMESPACE")).unwrap();
                let mut labels = secret["metadata"]["labels"].clone();
                for stamp in ["createdAt", "modifiedAt"] {
                    labels.as_object_mut().unwrap().remove(stamp);
                }
                json!({"name": secret["metadata"]["name"], "type": secret["type"], "labels": labels, "release": timeless(text)})
            })
            .collect();
        records.sort_by_key(|record| record["release"]["version"].as_i64());
        records
    }

    /// Checks that both namespaces hold the same.
    pub fn compare(&self, name: &str) {
        let (ours, theirs) = (self.objects(&self.ours), self.objects(&self.theirs));
        same("objects", &ours.into(), &theirs.into());
        let (ours, theirs) = (self.records(&self.ours, name), self.records(&self.theirs, name));
        same("records", &ours.into(), &theirs.into());
    }
}

pub fn chart(files: Files<'_>) -> Chart {
    let mut files: Vec<File> =
        files.iter().map(|(path, content)| File::new(*path, content.as_bytes())).collect();
    // As they come from a disk.
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Chart::from_files(files, &ArchiveLimits::default()).unwrap()
}

pub fn table(values: Value) -> Table {
    match chart::floats(values) {
        Value::Object(table) => table,
        _ => Table::new(),
    }
}

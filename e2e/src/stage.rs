//! A plane with both controllers, a Git server and one source: what the scenarios play on.

use anyhow::{Context, Result};
use jiff::Timestamp;
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use testkit::git::{Change, HttpServer, Repo};
use testkit::{Audit, ControlPlane, Controller, Options, Running, is_ready};

use crate::audit::{self, Request};

/// The namespace of the Flux objects.
pub const HOME: &str = "flux-system";
/// The namespace that manifests are deployed to.
pub const TARGET: &str = "target";

/// Everything a scenario needs. All of it ends when it is dropped.
pub struct Stage {
    /// The cluster.
    pub plane: ControlPlane,
    /// Serves the repository.
    pub git: HttpServer,
    /// The repository that the source `apps` follows.
    pub repository: Repo,
    /// Our source-controller.
    pub source: Running,
    /// Our kustomize-controller.
    pub kustomize: Running,
}

impl Stage {
    /// Starts it all, with the GitRepository `apps` not yet created.
    ///
    /// # Errors
    /// When anything does not start.
    pub async fn set() -> Result<Self> {
        Self::set_with(&[]).await
    }

    /// As [`Self::set`], with further flags for kustomize-controller.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub async fn set_with(flags: &[&str]) -> Result<Self> {
        let plane =
            ControlPlane::start_with(Options { audit: Audit::Requests, ..Options::default() }).await?;
        plane.install_crds().await?;
        for namespace in [HOME, TARGET] {
            plane.kubectl().run(&["create", "namespace", namespace])?;
        }
        let git = HttpServer::start().await?;
        let repository = git.create("apps")?;
        let source = Controller::source(&plane)?.start().await?;
        let controller = Controller::kustomize(&plane)?;
        let kustomize = flags.iter().fold(controller, |with, flag| with.flag(*flag)).start().await?;
        Ok(Self { plane, git, repository, source, kustomize })
    }

    /// Commits to `main` and gives the revision that artifacts of the commit carry.
    ///
    /// # Errors
    /// When git refuses.
    pub fn commit(&self, message: &str, changes: &[Change]) -> Result<String> {
        Ok(format!("main@sha1:{}", self.repository.commit("main", message, changes)?))
    }

    /// Creates the source.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn create_source(&self) -> Result<()> {
        let source = json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": {"name": "apps", "namespace": HOME},
            "spec": {"url": self.git.url("apps"), "ref": {"branch": "main"}, "interval": "1h"}});
        self.plane.apply(&source.to_string()).await
    }

    /// Creates a Kustomization of the folder of the same name. `more` is merged into its spec.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn create_kustomization(&self, name: &str, more: Value) -> Result<()> {
        let mut spec = json!({"interval": "1h", "path": format!("./{name}"), "prune": true,
            "sourceRef": {"kind": "GitRepository", "name": "apps"}});
        if let (Some(spec), Value::Object(more)) = (spec.as_object_mut(), more) {
            spec.extend(more);
        }
        let object = json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": name, "namespace": HOME}, "spec": spec});
        self.plane.apply(&object.to_string()).await
    }

    /// The GitRepositories.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn sources(&self) -> Result<Api<DynamicObject>> {
        self.plane.objects("source.toolkit.fluxcd.io/v1", "GitRepository", Some(HOME))
    }

    /// The Kustomizations.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn kustomizations(&self) -> Result<Api<DynamicObject>> {
        self.plane.objects("kustomize.toolkit.fluxcd.io/v1", "Kustomization", Some(HOME))
    }

    /// Asks for a reconcile now, as `flux reconcile` does. Each request needs a token of its own.
    ///
    /// # Errors
    /// When the object does not exist.
    pub async fn request(&self, objects: &Api<DynamicObject>, name: &str, token: &str) -> Result<()> {
        let patch = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": token}}});
        objects.patch_metadata(name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        Ok(())
    }

    /// Waits until the Kustomization has applied `revision` and is Ready.
    ///
    /// # Errors
    /// After a minute.
    pub async fn applied(&self, name: &str, revision: &str) -> Result<Value> {
        let what = format!("Ready at {revision}");
        self.plane
            .wait_for(&self.kustomizations()?, name, &what, |object| at_revision(object, revision))
            .await
    }

    /// What was asked of the API server from `from` to now.
    ///
    /// # Errors
    /// When there is no record.
    pub async fn requests(&self, from: Timestamp) -> Result<Vec<Request>> {
        let to = Timestamp::now();
        // The API server writes its record in batches of at most a second.
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        let record = self.plane.record().context("the plane is ours")?;
        audit::requests(&record.dir.join("audit.log"), from, to)
    }
}

/// Whether a Kustomization has applied a revision and is Ready.
pub fn at_revision(object: &Value, revision: &str) -> bool {
    is_ready(object)
        && object.pointer("/status/lastAppliedRevision").and_then(Value::as_str) == Some(revision)
}

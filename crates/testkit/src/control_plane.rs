//! A control plane and how tests talk to it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, TypeMeta};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use plane::programs::{Peers, Servers};
use plane::{Kubectl, Options, Plane, Record, Watchdog, places};

/// A running cluster that tests may fill.
pub struct ControlPlane {
    kubeconfig: PathBuf,
    config: Config,
    kubectl: Kubectl,
    /// Where the plane keeps its logs, when it is one of ours.
    record: Option<Record>,
    /// Holds and ends the controllers that are started on it.
    keeper: Arc<Watchdog>,
    /// Stops it when dropped, and when this process ends.
    _plane: Option<Plane>,
}

impl ControlPlane {
    /// Starts a plane of its own, which stops when it is dropped or when this process ends.
    ///
    /// # Errors
    /// When a binary cannot be built or a server does not start.
    pub async fn start() -> Result<Self> {
        Self::start_with(Options::default()).await
    }

    /// As [`Self::start`], with options.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_with(options: Options) -> Result<Self> {
        let plane = tokio::task::spawn_blocking(move || Plane::start(&options)).await??;
        let record = plane.record().clone();
        let config = read_config(&record.kubeconfig).await?;
        Ok(Self {
            kubeconfig: record.kubeconfig.clone(),
            config,
            kubectl: plane.kubectl(),
            record: Some(record),
            keeper: Arc::new(Watchdog::with_new_folder()?),
            _plane: Some(plane),
        })
    }

    /// The plane of this test process, started on first use: tests keep apart by namespace. With `MILLRACE_PLANE=NAME`
    /// it is the plane that `cargo xtask cluster up --name NAME` started.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<ControlPlane> = OnceLock::new();
        static STARTING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let _one_at_a_time = STARTING.lock().await;
        if let Some(plane) = SHARED.get() {
            return Ok(plane);
        }
        let plane = match std::env::var("MILLRACE_PLANE") {
            Ok(name) => Self::named(&name).await?,
            Err(_) => Self::start().await?,
        };
        Ok(SHARED.get_or_init(|| plane))
    }

    /// A plane that `cargo xtask cluster up --name NAME` started.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn named(name: &str) -> Result<Self> {
        let record = Record::find(name)?.filter(Record::healthy).with_context(|| {
            format!("plane {name} does not run: start it with `cargo xtask cluster up --name {name}`")
        })?;
        Ok(Self {
            kubeconfig: record.kubeconfig.clone(),
            config: read_config(&record.kubeconfig).await?,
            kubectl: Kubectl::new(&record.kubectl, &record.kubeconfig),
            record: Some(record),
            keeper: Arc::new(Watchdog::with_new_folder()?),
            _plane: None,
        })
    }

    /// An existing cluster: the current context of `kubeconfig`.
    ///
    /// # Errors
    /// When the file cannot be read, or kubectl cannot be built.
    pub async fn existing(kubeconfig: &Path) -> Result<Self> {
        let servers = tokio::task::spawn_blocking(Servers::ensure).await??;
        Ok(Self {
            kubeconfig: kubeconfig.to_owned(),
            config: read_config(kubeconfig).await?,
            kubectl: Kubectl::new(&servers.kubectl, kubeconfig),
            record: None,
            keeper: Arc::new(Watchdog::with_new_folder()?),
            _plane: None,
        })
    }

    /// The kubeconfig of the cluster's administrator.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The client configuration, to be changed (impersonation, user agent) before a client is made of it.
    pub fn config(&self) -> Config {
        self.config.clone()
    }

    /// A new client. It belongs to the current tokio runtime, and each `#[tokio::test]` has its own: do not share one
    /// between tests.
    ///
    /// # Errors
    /// When the certificate authority cannot be read.
    pub fn client(&self) -> Result<Client> {
        install_crypto();
        Ok(Client::try_from(self.config())?)
    }

    /// The real kubectl.
    pub fn kubectl(&self) -> &Kubectl {
        &self.kubectl
    }

    /// Builds the peers (kustomize, helm) if needed and says where they are.
    ///
    /// # Errors
    /// When a build fails.
    pub async fn peers(&self) -> Result<Peers> {
        tokio::task::spawn_blocking(Peers::ensure).await?
    }

    /// Ends the controllers, and removes their folders, when this process ends or the plane is dropped.
    pub(crate) fn keeper(&self) -> &Arc<Watchdog> {
        &self.keeper
    }

    /// What is known of the plane's processes; `None` for an existing cluster.
    pub fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    /// Installs Millrace's CRDs from `crds/` and waits until they are served.
    ///
    /// # Errors
    /// When one is refused.
    pub async fn install_crds(&self) -> Result<()> {
        let dir = places::root().join("crds");
        let dir = dir.to_str().context("the checkout's path is not UTF-8")?.to_owned();
        self.kubectl_in_background(move |kubectl| {
            kubectl.run(&["apply", "--server-side", "--force-conflicts", "-f", &dir])?;
            kubectl.run(&["wait", "--for=condition=Established", "--timeout=60s", "-f", &dir])
        })
        .await?;
        Ok(())
    }

    /// Applies manifests, server-side, as kubectl does.
    ///
    /// # Errors
    /// When an object is refused.
    pub async fn apply(&self, manifests: &str) -> Result<()> {
        let manifests = manifests.to_owned();
        self.kubectl_in_background(move |kubectl| {
            kubectl.run_with_input(&["apply", "--server-side", "--force-conflicts", "-f", "-"], &manifests)
        })
        .await?;
        Ok(())
    }

    /// Creates a namespace whose name begins with `prefix` and gives its full name. Nobody removes it: the plane ends.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn namespace(&self, prefix: &str) -> Result<String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{prefix}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let namespaces = self.objects("v1", "Namespace", None)?;
        let mut namespace = DynamicObject::new(&name, &resource("v1", "Namespace")?);
        namespace.types = Some(TypeMeta { api_version: "v1".into(), kind: "Namespace".into() });
        namespaces
            .create(&Default::default(), &namespace)
            .await
            .with_context(|| format!("creating namespace {name}"))?;
        Ok(name)
    }

    /// The objects of a kind: `objects("apps/v1", "Deployment", Some("shop"))`.
    ///
    /// # Errors
    /// When `api_version` is not one, or no client can be made.
    pub fn objects(
        &self,
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
    ) -> Result<Api<DynamicObject>> {
        let resource = resource(api_version, kind)?;
        let client = self.client()?;
        Ok(match namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &resource),
            None => Api::all_with(client, &resource),
        })
    }

    async fn kubectl_in_background(
        &self,
        run: impl FnOnce(&Kubectl) -> Result<String> + Send + 'static,
    ) -> Result<String> {
        let kubectl = self.kubectl.clone();
        tokio::task::spawn_blocking(move || run(&kubectl)).await?
    }
}

async fn read_config(kubeconfig: &Path) -> Result<Config> {
    let text = Kubeconfig::read_from(kubeconfig)?;
    let mut config = Config::from_custom_kubeconfig(text, &KubeConfigOptions::default()).await?;
    // A test wants to see an error when it happens.
    config.default_retry = false;
    Ok(config)
}

fn resource(api_version: &str, kind: &str) -> Result<ApiResource> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    anyhow::ensure!(!version.is_empty(), "`{api_version}` is not an apiVersion");
    Ok(ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind)))
}

/// TLS needs one provider a process, and a test process may have installed it already.
pub(crate) fn install_crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

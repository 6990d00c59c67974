//! The programs that we run and do not write: the control plane's servers, and the peers used as oracles.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::go_build::Module;

const SERVERS: Module = Module {
    dir: "hack/controlplane",
    output: "controlplane",
    programs: &[
        ("etcd", "go.etcd.io/etcd/server/v3"),
        ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
        ("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
        ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
        ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
    ],
    // Without these the server reports v0.0.0-master, which no chart accepts. They follow go.mod.
    linker_flags: "-X k8s.io/component-base/version.gitVersion=v1.35.4 \
                   -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=35",
};

const SIMULATOR: Module = Module {
    dir: "hack/controlplane/kwok",
    output: "kwok",
    programs: &[("kwok", "sigs.k8s.io/kwok/cmd/kwok")],
    linker_flags: "",
};

const PEERS: Module = Module {
    dir: "hack/tools",
    output: "tools",
    programs: &[("kustomize", "sigs.k8s.io/kustomize/kustomize/v5"), ("helm", "helm.sh/helm/v4/cmd/helm")],
    linker_flags: "",
};

const REGISTRY: Module = Module {
    dir: "hack/registry",
    output: "registry",
    programs: &[("registry", "millrace.dev/hack/registry")],
    linker_flags: "",
};

/// The servers of a plane, and kubectl.
#[derive(Clone, Debug)]
pub struct Servers {
    pub(crate) etcd: PathBuf,
    pub(crate) apiserver: PathBuf,
    pub(crate) controller_manager: PathBuf,
    pub(crate) scheduler: PathBuf,
    pub(crate) kwok: PathBuf,
    pub(crate) stages: Vec<PathBuf>,
    /// The command line client of the same release.
    pub kubectl: PathBuf,
}

impl Servers {
    /// Takes what `KUBEBUILDER_ASSETS` holds, when it is set, and builds the rest if it is not built yet (minutes on a
    /// cold Go cache, with progress on stderr).
    ///
    /// # Errors
    /// When Go is missing or a build fails.
    pub fn ensure() -> Result<Self> {
        let assets = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
        Self::ensure_with(assets.as_deref())
    }

    fn ensure_with(assets: Option<&Path>) -> Result<Self> {
        let given = |name: &str| assets.map(|dir| dir.join(name)).filter(|path| path.is_file());
        let names: Vec<&str> = SERVERS.programs.iter().map(|(name, _)| *name).collect();
        let missing: Vec<&str> = names.iter().copied().filter(|name| given(name).is_none()).collect();
        let mut built = if missing.is_empty() { Vec::new() } else { SERVERS.ensure(&missing)? }.into_iter();
        let mut next = |name: &str| given(name).or_else(|| built.next()).context("a server was not built");
        Ok(Self {
            etcd: next("etcd")?,
            apiserver: next("kube-apiserver")?,
            controller_manager: next("kube-controller-manager")?,
            scheduler: next("kube-scheduler")?,
            kubectl: next("kubectl")?,
            stages: stages()?,
            kwok: match given("kwok") {
                Some(path) => path,
                None => SIMULATOR.ensure(&["kwok"])?.pop().context("kwok was not built")?,
            },
        })
    }
}

/// The files that move simulated pods and nodes along, copied out of kwok's own module once, next to its binary, so
/// that starting a plane needs no Go.
fn stages() -> Result<Vec<PathBuf>> {
    const FILES: [&str; 5] = [
        "pod/fast/pod-ready.yaml",
        "pod/fast/pod-complete.yaml",
        "pod/fast/pod-delete.yaml",
        "node/fast/node-initialize.yaml",
        "node/heartbeat/node-heartbeat.yaml",
    ];
    let dir = SIMULATOR.folder()?;
    let kept = FILES.map(|file| dir.join(file.rsplit('/').next().unwrap_or(file)));
    if !kept.iter().all(|path| path.is_file()) {
        let module = SIMULATOR.source("sigs.k8s.io/kwok")?;
        fs::create_dir_all(&dir)?;
        for (file, to) in FILES.iter().zip(&kept) {
            let from = module.join("kustomize/stage").join(file);
            let text = fs::read(&from).with_context(|| format!("reading {}", from.display()))?;
            fs::write(to, text)?;
        }
    }
    Ok(kept.to_vec())
}

/// The peers whose output tests compare ours with.
#[derive(Clone, Debug)]
pub struct Peers {
    /// kustomize, of the version that Flux pins.
    pub kustomize: PathBuf,
    /// helm, the newest stable version.
    pub helm: PathBuf,
}

impl Peers {
    /// Builds what is not built yet.
    ///
    /// # Errors
    /// When Go is missing or a build fails.
    pub fn ensure() -> Result<Self> {
        Ok(Self {
            kustomize: PEERS.ensure(&["kustomize"])?.pop().context("kustomize was not built")?,
            helm: PEERS.ensure(&["helm"])?.pop().context("helm was not built")?,
        })
    }
}

/// The OCI registry, built if it is not yet.
///
/// # Errors
/// When Go is missing or the build fails.
pub fn registry() -> Result<PathBuf> {
    REGISTRY.ensure(&["registry"])?.pop().context("the registry was not built")
}

//! Our controllers (or their peers) as real processes.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use plane::{Process, Signal, free_port, signal};
use tempfile::TempDir;

use crate::ControlPlane;
use crate::metrics::Samples;

/// How a controller will be started.
pub struct Controller {
    name: String,
    program: PathBuf,
    kubeconfig: PathBuf,
    arguments: Vec<String>,
    metrics_port: u16,
    health_port: u16,
    /// Where source-controller keeps and serves artifacts.
    storage: Option<(Arc<TempDir>, u16)>,
}

/// How long a controller may take to answer its probe or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

impl Controller {
    /// Our source-controller, built if needed, with a storage folder of its own.
    ///
    /// # Errors
    /// When it does not build.
    pub fn source(plane: &ControlPlane) -> Result<Self> {
        Self::source_at(plane, &built("source-controller")?)
    }

    /// Our kustomize-controller, built if needed.
    ///
    /// # Errors
    /// When it does not build.
    pub fn kustomize(plane: &ControlPlane) -> Result<Self> {
        Self::kustomize_at(plane, &built("kustomize-controller")?)
    }

    /// A source-controller at a path, with the flags that ours and its peer have in common.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn source_at(plane: &ControlPlane, program: &Path) -> Result<Self> {
        let storage = Arc::new(TempDir::with_prefix("millrace-storage-")?);
        let port = free_port()?;
        let controller = Self::new(plane, "source-controller", program)?
            .flag(format!("--storage-path={}", storage.path().display()))
            .flag(format!("--storage-addr=127.0.0.1:{port}"))
            .flag(format!("--storage-adv-addr=127.0.0.1:{port}"));
        Ok(Self { storage: Some((storage, port)), ..controller })
    }

    /// A kustomize-controller at a path, with the flags that ours and its peer have in common.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn kustomize_at(plane: &ControlPlane, program: &Path) -> Result<Self> {
        Self::new(plane, "kustomize-controller", program)
    }

    fn new(plane: &ControlPlane, name: &str, program: &Path) -> Result<Self> {
        let (metrics_port, health_port) = (free_port()?, free_port()?);
        let controller = Self {
            name: name.to_owned(),
            program: program.to_owned(),
            kubeconfig: plane.kubeconfig().to_owned(),
            arguments: Vec::new(),
            metrics_port,
            health_port,
            storage: None,
        };
        Ok(controller
            .flag(format!("--metrics-addr=127.0.0.1:{metrics_port}"))
            .flag(format!("--health-addr=127.0.0.1:{health_port}")))
    }

    /// Adds a flag such as `--concurrent=20`.
    #[must_use]
    pub fn flag(mut self, flag: impl Into<String>) -> Self {
        self.arguments.push(flag.into());
        self
    }

    /// Starts it and waits until its readiness probe answers.
    ///
    /// # Errors
    /// When it ends or stays unready; with the end of its log.
    pub async fn start(self) -> Result<Running> {
        let running = self.spawn()?;
        running.wait_until_ready().await?;
        Ok(running)
    }

    /// Starts it and does not wait.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn spawn(self) -> Result<Running> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("RUNTIME_NAMESPACE", "flux-system")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", self.program.display()))?;
        let log = Arc::new(Mutex::new(Vec::new()));
        if let Some(stderr) = child.stderr.take() {
            let log = Arc::clone(&log);
            std::thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            });
        }
        let process = Process::of(&self.name, child.id());
        Ok(Running { controller: self, child: Mutex::new(child), process, log })
    }
}

/// A controller that runs. Dropping it kills it.
pub struct Running {
    controller: Controller,
    child: Mutex<Child>,
    process: Process,
    log: Arc<Mutex<Vec<String>>>,
}

impl Running {
    /// Its process: id, CPU time, peak resident size.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// What it wrote to stderr so far, by line.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where source-controller keeps artifacts.
    pub fn storage(&self) -> Option<&Path> {
        self.controller.storage.as_ref().map(|(dir, _)| dir.path())
    }

    /// The address that artifacts are served at.
    pub fn storage_port(&self) -> Option<u16> {
        self.controller.storage.as_ref().map(|(_, port)| *port)
    }

    /// The address of `/metrics`.
    pub fn metrics_url(&self) -> String {
        format!("http://127.0.0.1:{}/metrics", self.controller.metrics_port)
    }

    /// Scrapes its metrics.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn metrics(&self) -> Result<Samples> {
        Samples::scrape(&self.metrics_url()).await
    }

    /// Waits until its readiness probe answers 200.
    ///
    /// # Errors
    /// When it ends first, or after a minute; with the end of its log.
    pub async fn wait_until_ready(&self) -> Result<()> {
        crate::control_plane::install_crypto();
        let url = format!("http://127.0.0.1:{}/readyz", self.controller.health_port);
        let deadline = Instant::now() + PATIENCE;
        loop {
            if reqwest::get(&url).await.is_ok_and(|response| response.status().is_success()) {
                return Ok(());
            }
            if let Some(status) = self.ended()? {
                bail!("{} ended ({status}):\n{}", self.controller.name, self.end_of_log());
            }
            ensure!(
                Instant::now() < deadline,
                "{} is not ready:\n{}",
                self.controller.name,
                self.end_of_log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How it ended, if it did.
    ///
    /// # Errors
    /// When the operating system does not say.
    pub fn ended(&self) -> Result<Option<ExitStatus>> {
        Ok(self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait()?)
    }

    /// Kills it, as `kill -9` does, and waits until it is gone.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn kill(&self) -> Result<()> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Asks it to stop, as `kill` and Kubernetes do, and waits for its end.
    ///
    /// # Errors
    /// When it runs on after a minute.
    pub async fn terminate(&self) -> Result<ExitStatus> {
        signal(self.process.pid, Signal::Terminate)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            ensure!(Instant::now() < deadline, "{} ignores SIGTERM", self.controller.name);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills it if it still runs and starts it again with the same flags, ports and storage.
    ///
    /// # Errors
    /// As [`Controller::start`].
    pub async fn restart(self) -> Result<Self> {
        if self.ended()?.is_none() {
            self.kill()?;
        }
        let old = &self.controller;
        let again = Controller {
            name: old.name.clone(),
            program: old.program.clone(),
            kubeconfig: old.kubeconfig.clone(),
            arguments: old.arguments.clone(),
            metrics_port: old.metrics_port,
            health_port: old.health_port,
            storage: old.storage.clone(),
        };
        again.start().await
    }

    fn end_of_log(&self) -> String {
        let log = self.log();
        log.get(log.len().saturating_sub(20)..).unwrap_or_default().join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The path of one of our programs, built once a test process in the profile that the test itself was built in.
fn built(program: &str) -> Result<PathBuf> {
    static BUILT: OnceLock<Mutex<BTreeMap<String, PathBuf>>> = OnceLock::new();
    let mut built = BUILT.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = built.get(program) {
        return Ok(path.clone());
    }
    let me = std::env::current_exe()?;
    // target/debug/deps/test-0123, target/debug/examples/x or target/debug/e2e
    let profile = me
        .ancestors()
        .find(|dir| dir.file_name().is_some_and(|name| name == "debug" || name == "release"))
        .with_context(|| format!("{} is not in a cargo target folder", me.display()))?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(plane::places::root()).args(["build", "--quiet", "--package", program]);
    if let Some(target) = profile.parent() {
        cargo.arg("--target-dir").arg(target);
    }
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let status = cargo.stdin(Stdio::null()).status().context("starting cargo")?;
    ensure!(status.success(), "`cargo build --package {program}` failed");
    let path = profile.join(program);
    built.insert(program.to_owned(), path.clone());
    Ok(path)
}

//! Our controllers (or their peers) as real processes.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use plane::{Process, Signal, Watchdog, free_port, signal};
use serde_json::Value;
use tempfile::TempDir;

use crate::ControlPlane;
use crate::metrics::Samples;

/// How a controller will be started.
#[derive(Clone)]
pub struct Controller {
    name: String,
    program: PathBuf,
    kubeconfig: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    metrics_port: u16,
    health_port: u16,
    /// Holds its log and, for source-controller, its artifacts.
    home: Arc<TempDir>,
    /// The port that source-controller serves artifacts at.
    storage_port: Option<u16>,
    /// The ports that notification-controller takes events and webhooks in at.
    event_and_hook_ports: Option<(u16, u16)>,
    keeper: Arc<Watchdog>,
}

/// How long a controller may take to answer its probe or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

impl Controller {
    /// Our source-controller, built if needed, with a storage folder of its own.
    ///
    /// # Errors
    /// When it does not build.
    pub fn source(plane: &ControlPlane) -> Result<Self> {
        Self::source_at(plane, &built("source-controller", Profile::Same)?)
    }

    /// Our kustomize-controller, built if needed.
    ///
    /// # Errors
    /// When it does not build.
    pub fn kustomize(plane: &ControlPlane) -> Result<Self> {
        Self::kustomize_at(plane, &built("kustomize-controller", Profile::Same)?)
    }

    /// Our helm-controller, built if needed.
    ///
    /// # Errors
    /// When it does not build.
    pub fn helm(plane: &ControlPlane) -> Result<Self> {
        Self::helm_at(plane, &built("helm-controller", Profile::Same)?)
    }

    /// Our notification-controller, built if needed.
    ///
    /// # Errors
    /// When it does not build.
    pub fn notification(plane: &ControlPlane) -> Result<Self> {
        Self::notification_at(plane, &built("notification-controller", Profile::Same)?)
    }

    /// A notification-controller at a path, with the flags that ours and its peer have in common.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn notification_at(plane: &ControlPlane, program: &Path) -> Result<Self> {
        let (events, hooks) = (free_port()?, free_port()?);
        let mut controller = Self::new(plane, "notification-controller", program)?;
        controller.event_and_hook_ports = Some((events, hooks));
        Ok(controller
            .flag(format!("--events-addr=127.0.0.1:{events}"))
            .flag(format!("--receiverAddr=127.0.0.1:{hooks}")))
    }

    /// A source-controller at a path, with the flags that ours and its peer have in common.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn source_at(plane: &ControlPlane, program: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut controller = Self::new(plane, "source-controller", program)?;
        let storage = controller.storage();
        fs::create_dir(&storage)?;
        controller.storage_port = Some(port);
        Ok(controller
            .flag(format!("--storage-path={}", storage.display()))
            .flag(format!("--storage-addr=127.0.0.1:{port}"))
            .flag(format!("--storage-adv-addr=127.0.0.1:{port}")))
    }

    /// A kustomize-controller at a path, with the flags that ours and its peer have in common.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn kustomize_at(plane: &ControlPlane, program: &Path) -> Result<Self> {
        Self::new(plane, "kustomize-controller", program)
    }

    /// A helm-controller at a path, with the flags that ours and its peer have in common.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn helm_at(plane: &ControlPlane, program: &Path) -> Result<Self> {
        Self::new(plane, "helm-controller", program)
    }

    fn new(plane: &ControlPlane, name: &str, program: &Path) -> Result<Self> {
        let (metrics_port, health_port) = (free_port()?, free_port()?);
        let keeper = Arc::clone(plane.keeper());
        let controller = Self {
            name: name.to_owned(),
            program: program.to_owned(),
            kubeconfig: plane.kubeconfig().to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            metrics_port,
            health_port,
            home: Arc::new(TempDir::with_prefix_in(format!("{name}-"), keeper.dir())?),
            storage_port: None,
            event_and_hook_ports: None,
            keeper,
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

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Uses another kubeconfig than the administrator's.
    #[must_use]
    pub fn kubeconfig(mut self, path: impl Into<PathBuf>) -> Self {
        self.kubeconfig = path.into();
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
        let log = OpenOptions::new().create(true).append(true).open(self.log_file())?;
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("RUNTIME_NAMESPACE", "flux-system")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", self.program.display()))?;
        let process = Process::of(&self.name, child.id());
        self.keeper.adopt(&process)?;
        Ok(Running { controller: self, child: Mutex::new(child), process })
    }

    fn storage(&self) -> PathBuf {
        self.home.path().join("storage")
    }

    fn log_file(&self) -> PathBuf {
        self.home.path().join("stderr.log")
    }
}

/// A controller that runs. Dropping it kills it.
pub struct Running {
    controller: Controller,
    child: Mutex<Child>,
    process: Process,
}

impl Running {
    /// Its process: id, CPU time, peak resident size.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// What it wrote to stderr so far, by line; a restart appends.
    pub fn log(&self) -> Vec<String> {
        let text = fs::read(self.log_file()).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().map(String::from).collect()
    }

    /// Waits for the first line of the log that fulfils `condition`, which sees it as JSON: a line may come after the
    /// status that it tells of.
    ///
    /// # Errors
    /// After a minute: what was waited for and the whole log.
    pub async fn logged(&self, what: &str, condition: impl Fn(&Value) -> bool) -> Result<Value> {
        let search = async {
            loop {
                let lines = self.log().into_iter().filter_map(|line| serde_json::from_str(&line).ok());
                if let Some(line) = lines.into_iter().find(&condition) {
                    return line;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, search).await {
            Ok(line) => Ok(line),
            Err(_) => bail!("waited a minute for a line on {what}; the log:\n{}", self.log().join("\n")),
        }
    }

    /// The file it logs to.
    pub fn log_file(&self) -> PathBuf {
        self.controller.log_file()
    }

    /// Where source-controller keeps artifacts.
    pub fn storage(&self) -> PathBuf {
        self.controller.storage()
    }

    /// The port that source-controller serves artifacts at.
    pub fn storage_port(&self) -> Option<u16> {
        self.controller.storage_port
    }

    /// Where notification-controller takes events in, for the flag `--events-addr` of the others.
    pub fn events_url(&self) -> Option<String> {
        self.controller.event_and_hook_ports.map(|(events, _)| format!("http://127.0.0.1:{events}/"))
    }

    /// What the paths of webhooks are appended to.
    pub fn hooks_url(&self) -> Option<String> {
        self.controller.event_and_hook_ports.map(|(_, hooks)| format!("http://127.0.0.1:{hooks}"))
    }

    /// The address of `/metrics`.
    pub fn metrics_url(&self) -> String {
        format!("http://127.0.0.1:{}/metrics", self.controller.metrics_port)
    }

    /// What `/readyz` and `/healthz` are appended to.
    pub fn health_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.controller.health_port)
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
        let url = format!("{}/readyz", self.health_url());
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
        self.controller.clone().start().await
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

/// How our programs are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// As the program that asks.
    Same,
    /// As it ships.
    Release,
}

/// The path of one of our programs, built once a process, with cargo's progress on stderr. With
/// `MILLRACE_CONTROLLERS=DIR` it is the one in that folder, whatever the profile.
///
/// # Errors
/// When it does not build.
pub fn built(program: &str, profile: Profile) -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("MILLRACE_CONTROLLERS") {
        return Ok(PathBuf::from(dir).join(program));
    }
    static BUILT: OnceLock<Mutex<BTreeMap<String, PathBuf>>> = OnceLock::new();
    let mut built = BUILT.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    let key = format!("{program} {profile:?}");
    if let Some(path) = built.get(&key) {
        return Ok(path.clone());
    }
    let me = std::env::current_exe()?;
    // target/debug/deps/test-0123, target/debug/examples/x or target/debug/demo
    let own = me
        .ancestors()
        .find(|dir| dir.file_name().is_some_and(|name| name == "debug" || name == "release"))
        .with_context(|| format!("{} is not in a cargo target folder", me.display()))?;
    let target = own.parent().context("a profile's folder has a parent")?;
    let release = profile == Profile::Release || own.ends_with("release");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(plane::places::root())
        // All of the workspace is selected, as for the tests: cargo would choose other features of dependencies for one
        // package and compile these again.
        .args(["build", "--workspace", "--bin", program, "--target-dir"])
        .arg(target);
    if release {
        cargo.arg("--release");
    }
    let status = cargo.stdin(Stdio::null()).status().context("starting cargo")?;
    ensure!(status.success(), "`cargo build --workspace --bin {program}` failed");
    let path = target.join(if release { "release" } else { "debug" }).join(program);
    built.insert(key, path.clone());
    Ok(path)
}

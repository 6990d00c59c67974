//! Starting and stopping a plane.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::certificates::Certificates;
use crate::components::{self, Ports};
use crate::kubectl::Kubectl;
use crate::ports;
use crate::process::Process;
use crate::programs::Servers;
use crate::record::Record;
use crate::watchdog::Watchdog;

/// How a plane is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its name; by default one made of the process id.
    pub name: Option<String>,
    /// When it stops.
    pub lifetime: Lifetime,
    /// What the API server records of requests.
    pub audit: Audit,
    /// Simulated nodes.
    pub nodes: u8,
}

impl Default for Options {
    fn default() -> Self {
        Self { name: None, lifetime: Lifetime::ThisProcess, audit: Audit::Off, nodes: 2 }
    }
}

/// When a plane stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// With the process that started it, even when that is killed.
    ThisProcess,
    /// When [`Record::stop`] is called, by any process.
    UntilStopped,
}

/// What the API server records of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audit {
    /// Nothing.
    Off,
    /// One line of JSON a finished request in `audit.log`, without bodies: who, verb, object, answer.
    Requests,
}

/// A running plane. Dropping it stops it, unless it runs until stopped.
pub struct Plane {
    record: Record,
    children: Vec<(&'static str, Child)>,
    watchdog: Option<Watchdog>,
}

/// A busy machine takes ten times as long as an idle one.
const PATIENCE: Duration = Duration::from_secs(120);

impl Plane {
    /// Starts a plane and waits until its API server is ready, service accounts are served and its nodes are ready.
    ///
    /// # Errors
    /// When a binary cannot be built, the name is taken, or a process ends early (with the end of its log).
    pub fn start(options: &Options) -> Result<Self> {
        let servers = Servers::ensure()?;
        let mut attempt = 1;
        loop {
            match Self::start_once(&servers, options) {
                // Somebody else may have taken a port between our check and its use.
                Err(error) if attempt < 3 && format!("{error:#}").contains("address already in use") => {
                    attempt += 1
                }
                outcome => return outcome,
            }
        }
    }

    fn start_once(servers: &Servers, options: &Options) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = options.name.clone().unwrap_or_else(|| {
            format!("process-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
        });
        let dir = Record::folder(&name)?;
        if let Some(old) = Record::find(&name)? {
            ensure!(
                !old.running(),
                "plane {name} runs already: stop it with `cargo xtask cluster down --name {name}`"
            );
        }
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;

        let [api, etcd, etcd_peer, kwok] = ports::free()?;
        let ports = Ports { api, etcd, etcd_peer, kwok };
        let certificates = Certificates::write(&dir.join("certificates"))?;
        let kubeconfig = write_kubeconfig(&dir, &name, api, &certificates.ca)?;
        let audit_policy = match options.audit {
            Audit::Off => None,
            Audit::Requests => Some(write_audit_policy(&dir)?),
        };
        let watchdog = match options.lifetime {
            Lifetime::ThisProcess => Some(Watchdog::start(&dir)?),
            Lifetime::UntilStopped => None,
        };
        let record = Record {
            name,
            dir: dir.clone(),
            kubeconfig: kubeconfig.clone(),
            kubectl: servers.kubectl.clone(),
            port: api,
            processes: Vec::new(),
            leased: watchdog.is_some(),
        };
        let mut plane = Self { record, children: Vec::new(), watchdog };
        let started = plane.bring_up(servers, options, ports, &certificates, audit_policy.as_deref());
        if started.is_err() && options.lifetime == Lifetime::UntilStopped {
            plane.kill();
        }
        started.map(|()| plane)
    }

    fn bring_up(
        &mut self,
        servers: &Servers,
        options: &Options,
        ports: Ports,
        certificates: &Certificates,
        audit_policy: Option<&Path>,
    ) -> Result<()> {
        let (dir, kubeconfig) = (self.record.dir.clone(), self.record.kubeconfig.clone());
        let tokens = dir.join("tokens.csv");
        self.spawn("etcd", components::etcd(servers, &dir, ports))?;
        self.spawn(
            "kube-apiserver",
            components::apiserver(servers, &dir, ports, certificates, &tokens, audit_policy),
        )?;
        self.wait("the API server's port", || TcpStream::connect((Ipv4Addr::LOCALHOST, ports.api)).is_ok())?;
        let kubectl = self.kubectl();
        let answers = |path: &str| kubectl.run(&["get", "--raw", path]).is_ok();
        self.wait("the API server", || answers("/readyz"))?;

        self.spawn(
            "kube-controller-manager",
            components::controller_manager(servers, &kubeconfig, certificates),
        )?;
        self.spawn("kube-scheduler", components::scheduler(servers, &kubeconfig))?;
        self.spawn("kwok", components::kwok(servers, &dir, ports, &kubeconfig))?;
        for number in 0..options.nodes {
            kubectl.run_with_input(&["create", "--raw", "/api/v1/nodes", "-f", "-"], &node(number))?;
        }
        self.wait("service accounts", || answers("/api/v1/namespaces/default/serviceaccounts/default"))?;
        self.wait("ready nodes", || {
            let jsonpath = r#"jsonpath={.items[?(@.spec.taints)].metadata.name}"#;
            kubectl.run(&["get", "nodes", "-o", jsonpath]).is_ok_and(|tainted| tainted.trim().is_empty())
        })?;
        Ok(())
    }

    /// The running plane's name, folder, ports and processes.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// kubectl for this plane.
    pub fn kubectl(&self) -> Kubectl {
        Kubectl::new(&self.record.kubectl, &self.record.kubeconfig)
    }

    /// Stops it now.
    pub fn stop(mut self) {
        self.kill();
    }

    fn spawn(&mut self, name: &'static str, mut command: Command) -> Result<()> {
        let log = File::create(self.record.dir.join(format!("{name}.log")))?;
        let child = command
            // Ctrl-C in a terminal reaches its whole group; the plane's end is ours to order.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let process = Process::of(name, child.id());
        if let Some(watchdog) = &self.watchdog {
            watchdog.adopt(&process)?;
        }
        self.record.processes.push(process);
        self.children.push((name, child));
        self.record.write()
    }

    /// Waits for `condition`, while all processes run.
    fn wait(&mut self, what: &str, mut condition: impl FnMut() -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !condition() {
            for (name, child) in &mut self.children {
                if let Some(status) = child.try_wait()? {
                    let end = end_of_log(&self.record.dir, name);
                    bail!("{name} ended ({status}) while the plane started:\n{end}");
                }
            }
            ensure!(
                Instant::now() < deadline,
                "{what} did not come up; see the logs in {}",
                self.record.dir.display()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn kill(&mut self) {
        for (_, child) in &mut self.children {
            let _ = child.kill();
        }
        for (_, child) in &mut self.children {
            let _ = child.wait();
        }
        self.children.clear();
        self.watchdog = None;
        let _ = fs::remove_dir_all(&self.record.dir);
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        if self.watchdog.is_some() {
            self.kill();
        }
    }
}

fn end_of_log(dir: &Path, name: &str) -> String {
    let log = fs::read_to_string(dir.join(format!("{name}.log"))).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines.get(lines.len().saturating_sub(15)..).unwrap_or_default().join("\n")
}

/// Writes the administrator's token and the kubeconfig that uses it.
fn write_kubeconfig(dir: &Path, name: &str, port: u16, ca: &Path) -> Result<PathBuf> {
    // The server listens on loopback only and lives for minutes; the token keeps a stray client out, no more.
    let token = format!("millrace-{name}-{port}");
    fs::write(dir.join("tokens.csv"), format!("{token},admin,admin,system:masters\n"))?;
    let path = dir.join("kubeconfig");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {name}\n\
         contexts:\n- name: {name}\n  context: {{cluster: {name}, user: admin}}\n\
         clusters:\n- name: {name}\n  cluster:\n    server: https://127.0.0.1:{port}\n    certificate-authority: {}\n\
         users:\n- name: admin\n  user: {{token: {token}}}\n",
        ca.display()
    );
    fs::write(&path, text)?;
    Ok(path)
}

fn write_audit_policy(dir: &Path) -> Result<PathBuf> {
    let path = dir.join("audit-policy.yaml");
    fs::write(
        &path,
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n",
    )?;
    Ok(path)
}

/// A node that kwok plays; it needs no more than room for pods.
fn node(number: u8) -> String {
    let room = r#"{"cpu":"64","memory":"256Gi","pods":"5000"}"#;
    format!(
        r#"{{"apiVersion":"v1","kind":"Node","metadata":{{"name":"node-{number}","labels":{{"kubernetes.io/hostname":"node-{number}","kubernetes.io/os":"linux","kubernetes.io/arch":"amd64"}}}},"status":{{"allocatable":{room},"capacity":{room}}}}}"#
    )
}

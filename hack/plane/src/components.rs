//! The command lines of the plane's processes.

use std::path::Path;
use std::process::Command;

use crate::certificates::Certificates;
use crate::programs::Servers;

/// The addresses of one plane.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) api: u16,
    pub(crate) etcd: u16,
    pub(crate) etcd_peer: u16,
    pub(crate) kwok: u16,
}

/// Go collects garbage often while its heap is small, which is all that a plane's life long; the limit keeps many planes
/// side by side in memory.
const ROOMY: [(&str, &str); 3] =
    [("GOGC", "400"), ("GOMEMLIMIT", "1GiB"), ("GODEBUG", "adaptivestackstart=1")];

/// etcd without fsync: what it holds is worth nothing after a crash.
pub(crate) fn etcd(servers: &Servers, dir: &Path, ports: Ports) -> Command {
    let client = format!("http://127.0.0.1:{}", ports.etcd);
    let peer = format!("http://127.0.0.1:{}", ports.etcd_peer);
    let mut command = Command::new(&servers.etcd);
    command
        .envs(ROOMY)
        .arg(format!("--data-dir={}", dir.join("etcd").display()))
        .args(["--unsafe-no-fsync", "--log-level=warn"])
        .arg(format!("--listen-client-urls={client}"))
        .arg(format!("--advertise-client-urls={client}"))
        .arg(format!("--listen-peer-urls={peer}"))
        .arg(format!("--initial-advertise-peer-urls={peer}"))
        .arg(format!("--initial-cluster=default={peer}"));
    command
}

/// The API server: RBAC, default admission plugins, one static administrator's token.
pub(crate) fn apiserver(
    servers: &Servers,
    dir: &Path,
    ports: Ports,
    certificates: &Certificates,
    tokens: &Path,
    audit_policy: Option<&Path>,
) -> Command {
    let mut command = Command::new(&servers.apiserver);
    command
        .envs(ROOMY)
        .arg(format!("--etcd-servers=http://127.0.0.1:{}", ports.etcd))
        .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"])
        // Loopback may not be published as the endpoint of the service `kubernetes`.
        .arg("--endpoint-reconciler-type=none")
        .arg(format!("--secure-port={}", ports.api))
        .arg(format!("--tls-cert-file={}", certificates.serving.display()))
        .arg(format!("--tls-private-key-file={}", certificates.serving_key.display()))
        .arg(format!("--cert-dir={}", dir.display()))
        .arg(format!("--token-auth-file={}", tokens.display()))
        .arg("--authorization-mode=RBAC")
        .arg("--service-cluster-ip-range=10.96.0.0/16")
        .arg("--service-account-issuer=https://kubernetes.default.svc.cluster.local")
        .arg(format!("--service-account-key-file={}", certificates.accounts_public.display()))
        .arg(format!("--service-account-signing-key-file={}", certificates.accounts_key.display()))
        .args(["--allow-privileged", "--profiling=false"]);
    if let Some(policy) = audit_policy {
        command
            .arg(format!("--audit-policy-file={}", policy.display()))
            .arg(format!("--audit-log-path={}", dir.join("audit.log").display()))
            .args(["--audit-log-mode=batch", "--audit-log-batch-max-wait=1s"]);
    }
    command
}

/// All controllers that Kubernetes runs by default: deployments, endpoints, garbage collection, namespaces and so on.
pub(crate) fn controller_manager(
    servers: &Servers,
    kubeconfig: &Path,
    certificates: &Certificates,
) -> Command {
    let mut command = behind(&servers.controller_manager);
    command
        .arg(format!("--kubeconfig={}", kubeconfig.display()))
        .args(["--secure-port=0", "--leader-elect=false", "--profiling=false"])
        .arg(format!("--service-account-private-key-file={}", certificates.accounts_key.display()))
        .arg(format!("--root-ca-file={}", certificates.ca.display()))
        .arg("--kube-api-qps=200")
        .arg("--kube-api-burst=400");
    command
}

pub(crate) fn scheduler(servers: &Servers, kubeconfig: &Path) -> Command {
    let mut command = behind(&servers.scheduler);
    command
        .arg(format!("--kubeconfig={}", kubeconfig.display()))
        .args(["--secure-port=0", "--leader-elect=false", "--profiling=false"])
        .args(["--kube-api-qps=200", "--kube-api-burst=400"]);
    command
}

/// kwok plays the kubelet of every node: pods become Ready as soon as they are scheduled.
pub(crate) fn kwok(servers: &Servers, dir: &Path, ports: Ports, kubeconfig: &Path) -> Command {
    let mut command = behind(&servers.kwok);
    command
        // kwok would read ~/.kwok otherwise.
        .env("HOME", dir)
        .arg(format!("--kubeconfig={}", kubeconfig.display()))
        .arg("--manage-all-nodes")
        .arg(format!("--server-address=127.0.0.1:{}", ports.kwok));
    for stage in &servers.stages {
        command.arg(format!("--config={}", stage.display()));
    }
    command
}

/// A program that gets the processor when the API server leaves it: what the cluster does with an object comes after
/// what its users ask for.
fn behind(program: &Path) -> Command {
    let mut command = Command::new("nice");
    command.args(["-n", "10"]).arg(program);
    command
}

//! A real OCI registry, CNCF Distribution, as a process that keeps everything in memory.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use plane::{Process, free_port};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::ControlPlane;

/// User and password of a registry that asks for them.
pub const LOGIN: (&str, &str) = ("robot", "pass:word");

/// Who may read and write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// Who knows [`LOGIN`].
    Password,
}

/// A registry that runs, over plain HTTP. It ends when it is dropped.
pub struct Registry {
    child: Child,
    port: u16,
    access: Access,
    _home: tempfile::TempDir,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Registry {
    /// Starts a registry, built first if need be, on a free port.
    ///
    /// # Errors
    /// The build fails, or the registry does not answer within a minute.
    pub async fn start(plane: &ControlPlane, access: Access) -> Result<Self> {
        let program = tokio::task::spawn_blocking(plane::programs::registry).await??;
        let (home, port) = (tempfile::tempdir()?, free_port()?);
        let mut auth = json!({});
        if access == Access::Password {
            let passwords = home.path().join("htpasswd");
            let hash = bcrypt::hash(LOGIN.1, 4).map_err(|error| anyhow::anyhow!("hashing: {error}"))?;
            std::fs::write(&passwords, format!("{}:{hash}\n", LOGIN.0))?;
            auth = json!({ "htpasswd": { "realm": "test", "path": passwords } });
        }
        let config = json!({
            "version": 0.1,
            "log": { "level": "error" },
            "storage": { "inmemory": {} },
            "http": { "addr": format!("127.0.0.1:{port}") },
            "auth": auth,
        });
        let file = home.path().join("config.yaml");
        std::fs::write(&file, config.to_string())?;
        let log = std::fs::File::create(home.path().join("log"))?;
        let child = Command::new(program)
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("starting the registry")?;
        plane.keeper().adopt(&Process::of("registry", child.id()))?;
        let registry = Self { child, port, access, _home: home };
        for _ in 0..600 {
            if reqwest::get(format!("http://{}/v2/", registry.host())).await.is_ok() {
                return Ok(registry);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("the registry does not answer: {}", std::fs::read_to_string(registry._home.path().join("log"))?)
    }

    /// Host and port.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A docker configuration with [`LOGIN`].
    pub fn docker_config(&self) -> String {
        json!({ "auths": { self.host(): { "username": LOGIN.0, "password": LOGIN.1 } } }).to_string()
    }

    /// Pushes an artifact with these layers (media type and bytes) and gives the digest of its manifest.
    ///
    /// # Errors
    /// What the registry answers.
    pub async fn push(
        &self,
        name: &str,
        tag: &str,
        layers: &[(&str, &[u8])],
        annotations: Value,
    ) -> Result<String> {
        let config = self.push_blob(name, "application/vnd.cncf.flux.config.v1+json", b"{}").await?;
        let mut descriptors = Vec::new();
        for (media_type, bytes) in layers {
            descriptors.push(self.push_blob(name, media_type, bytes).await?);
        }
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2, "mediaType": media_type, "config": config, "layers": descriptors,
            "annotations": annotations,
        });
        self.push_manifest(name, tag, media_type, &manifest).await
    }

    /// Pushes a manifest, or a list of manifests, and gives its digest.
    ///
    /// # Errors
    /// What the registry answers.
    pub async fn push_manifest(
        &self,
        name: &str,
        tag: &str,
        media_type: &str,
        manifest: &Value,
    ) -> Result<String> {
        let body = manifest.to_string();
        let digest = digest(body.as_bytes());
        let url = format!("http://{}/v2/{name}/manifests/{tag}", self.host());
        let request = self.authorized(reqwest::Client::new().put(url)).header("content-type", media_type);
        let answer = request.body(body).send().await?;
        ensure!(answer.status() == 201, "{}: {}", answer.status(), answer.text().await?);
        Ok(digest)
    }

    async fn push_blob(&self, name: &str, media_type: &str, bytes: &[u8]) -> Result<Value> {
        let client = reqwest::Client::new();
        let url = format!("http://{}/v2/{name}/blobs/uploads/", self.host());
        let answer = self.authorized(client.post(url)).send().await?;
        let place = answer.headers().get("location").context("a place to upload to")?.to_str()?.to_owned();
        let digest = digest(bytes);
        let separator = if place.contains('?') { '&' } else { '?' };
        let answer = self
            .authorized(client.put(format!("{place}{separator}digest={digest}")))
            .body(bytes.to_vec())
            .send()
            .await?;
        ensure!(answer.status() == 201, "{}: {}", answer.status(), answer.text().await?);
        Ok(json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() }))
    }

    fn authorized(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match self.access {
            Access::Open => request,
            Access::Password => request.basic_auth(LOGIN.0, Some(LOGIN.1)),
        }
    }
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

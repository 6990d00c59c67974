//! An SSH server that runs `git-upload-pack`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, EcdsaCurve, PrivateKey, PublicKey};
use russh::server::{self, Auth, Msg, Session};
use russh::{Channel, ChannelId};
use tokio::net::TcpListener;

use super::repo::{Repo, command};

/// The kind of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SshKey {
    /// Ed25519.
    Ed25519,
    /// ECDSA on the curve P-256.
    Ecdsa256,
    /// ECDSA on the curve P-384.
    Ecdsa384,
    /// ECDSA on the curve P-521.
    Ecdsa521,
    /// RSA with 2048 bits.
    Rsa,
}

impl SshKey {
    /// Makes a new key of this kind.
    ///
    /// # Errors
    /// RSA keys are made by `ssh-keygen`, which must be installed.
    pub fn generate(self) -> Result<PrivateKey> {
        let algorithm = match self {
            Self::Ed25519 => Algorithm::Ed25519,
            Self::Ecdsa256 => Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
            Self::Ecdsa384 => Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
            Self::Ecdsa521 => Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
            Self::Rsa => return rsa(),
        };
        Ok(PrivateKey::random(&mut russh::keys::key::safe_rng(), algorithm)?)
    }

    /// The private key as OpenSSH writes it, encrypted if there is a passphrase.
    ///
    /// # Errors
    /// The key cannot be encrypted.
    pub fn private(key: &PrivateKey, passphrase: Option<&str>) -> Result<String> {
        let key = match passphrase {
            Some(passphrase) => &key.encrypt(&mut russh::keys::key::safe_rng(), passphrase)?,
            None => key,
        };
        Ok(key.to_openssh(LineEnding::LF)?.to_string())
    }
}

/// Looking for primes takes minutes in a build without optimisation, so the real tool does it.
fn rsa() -> Result<PrivateKey> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("key");
    let status = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f"])
        .arg(&file)
        .stdin(Stdio::null())
        .status()
        .context("ssh-keygen cannot be started: install openssh-client")?;
    if !status.success() {
        bail!("ssh-keygen failed");
    }
    Ok(PrivateKey::read_openssh_file(&file)?)
}

/// A running server. It stops, and its repositories vanish, when it is dropped.
pub struct SshServer {
    root: Arc<tempfile::TempDir>,
    address: SocketAddr,
    host_key: PublicKey,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for SshServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl SshServer {
    /// Starts a server on a free port, with a new host key, that lets the user `git` in with one of `authorized`.
    ///
    /// # Errors
    /// No port, or no directory for the repositories.
    pub async fn start(host_key: SshKey, authorized: &[&PrivateKey]) -> Result<Self> {
        let host_key = host_key.generate()?;
        let public = host_key.public_key().clone();
        let config = Arc::new(server::Config {
            keys: vec![host_key],
            auth_rejection_time: std::time::Duration::ZERO,
            preferred: russh::Preferred {
                // The old one is offered too: whether it is used is the client's choice.
                kex: [russh::Preferred::DEFAULT.kex.as_ref(), &[russh::kex::DH_G14_SHA1]].concat().into(),
                ..Default::default()
            },
            ..Default::default()
        });
        let authorized: Arc<[PublicKey]> = authorized.iter().map(|key| key.public_key().clone()).collect();
        let root = Arc::new(tempfile::tempdir()?);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::clone(&root);
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let login = Login {
                    root: Arc::clone(&shared),
                    authorized: Arc::clone(&authorized),
                    channel: None,
                    protocol: String::new(),
                };
                let config = Arc::clone(&config);
                tokio::spawn(async move {
                    if let Ok(session) = server::run_stream(config, socket, login).await {
                        // A client that goes away ends its session with an error, as it may.
                        let _ = session.await;
                    }
                });
            }
        });
        Ok(Self { root, address, host_key: public, task })
    }

    /// Makes an empty repository that is served as `name`.
    ///
    /// # Errors
    /// git fails.
    pub fn create(&self, name: &str) -> Result<Repo> {
        Repo::create(&self.root.path().join(name))
    }

    /// The directory of the repositories.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// The URL of the repository `name`.
    pub fn url(&self, name: &str) -> String {
        format!("ssh://git@127.0.0.1:{}/{name}", self.address.port())
    }

    /// The line that makes a client trust this server.
    ///
    /// # Errors
    /// The key cannot be written.
    pub fn known_hosts(&self) -> Result<String> {
        Ok(format!("[127.0.0.1]:{} {}\n", self.address.port(), self.host_key.to_openssh()?))
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

/// One connection.
struct Login {
    root: Arc<tempfile::TempDir>,
    authorized: Arc<[PublicKey]>,
    channel: Option<Channel<Msg>>,
    protocol: String,
}

impl server::Handler for Login {
    type Error = anyhow::Error;

    async fn auth_publickey(&mut self, user: &str, key: server::VerifiedPublicKey<'_>) -> Result<Auth> {
        let known =
            self.authorized.iter().any(|authorized| authorized.key_data() == key.public_key.key_data());
        Ok(if user == "git" && known { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: russh::server::ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<()> {
        self.channel = Some(channel);
        reply.accept().await;
        Ok(())
    }

    async fn env_request(
        &mut self,
        _channel: ChannelId,
        name: &str,
        value: &str,
        _session: &mut Session,
    ) -> Result<()> {
        if name == "GIT_PROTOCOL" {
            self.protocol = value.to_owned();
        }
        Ok(())
    }

    async fn exec_request(&mut self, id: ChannelId, line: &[u8], session: &mut Session) -> Result<()> {
        let line = String::from_utf8_lossy(line).into_owned();
        let path = line.strip_prefix("git-upload-pack '").and_then(|rest| rest.strip_suffix('\''));
        let (Some(path), Some(channel)) = (path, self.channel.take()) else {
            session.channel_failure(id)?;
            return Ok(());
        };
        session.channel_success(id)?;
        // What a shell would make of the quotes.
        let path = path.replace("'\\''", "'").replace("'\\!'", "!");
        let directory = self.root.path().join(path.trim_start_matches('/'));
        let mut program = tokio::process::Command::from(command());
        program
            .arg("upload-pack")
            .arg(directory)
            .env("GIT_PROTOCOL", &self.protocol)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = program.spawn()?;
        let (mut input, mut output, mut complaints) = (
            child.stdin.take().context("stdin")?,
            child.stdout.take().context("stdout")?,
            child.stderr.take().context("stderr")?,
        );
        tokio::spawn(async move {
            let (mut reading, writing) = channel.split();
            let mut reader = reading.make_reader();
            let mut writer = writing.make_writer();
            let mut errors = writing.make_writer_ext(Some(1));
            let feeding = async {
                let _ = tokio::io::copy(&mut reader, &mut input).await;
                drop(input);
                std::future::pending::<()>().await;
            };
            let answering = async {
                let _ = tokio::io::copy(&mut output, &mut writer).await;
                let _ = tokio::io::copy(&mut complaints, &mut errors).await;
                child.wait().await
            };
            tokio::select! {
                () = feeding => {}
                status = answering => {
                    let code = status.ok().and_then(|status| status.code()).unwrap_or(1);
                    let _ = writing.exit_status(u32::try_from(code).unwrap_or(1)).await;
                }
            }
            let _ = writing.eof().await;
            let _ = writing.close().await;
        });
        Ok(())
    }
}

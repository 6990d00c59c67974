//! A smart HTTP server: the real `git http-backend` behind a small HTTP server that can also misbehave. Files beside the
//! repositories are served as they are.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use bytes::Bytes;
use futures::StreamExt as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::rustls;

use super::repo::{Repo, command};

/// Who may fetch.
#[derive(Clone, Debug, Default)]
pub enum Access {
    /// Everybody.
    #[default]
    Open,
    /// Whoever knows user and password.
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: String,
    },
    /// Whoever shows the token.
    Bearer(String),
}

/// How the server misbehaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// It does not.
    #[default]
    None,
    /// It accepts requests and never answers.
    Hang,
    /// It answers every request with this status.
    Status(u16),
    /// It closes the connection after this many bytes of an answer to a POST request.
    Cut(usize),
    /// It says nothing more after this many bytes of an answer to a POST request.
    Stall(usize),
}

/// How a server is set up. The default is open, plain HTTP, and speaks every protocol version.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// Who may fetch and push.
    pub access: Access,
    /// HTTPS with a certificate of the server's own CA.
    pub tls: bool,
    /// Ask for a client certificate of the server's own CA.
    pub client_certificates: bool,
    /// Know nothing of protocol version 2, as servers before 2018.
    pub old_protocol: bool,
}

/// A request that the server has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Whether it came with an `Authorization` header.
    pub authorized: bool,
}

struct State {
    root: tempfile::TempDir,
    options: ServerOptions,
    fault: Mutex<Fault>,
    requests: Mutex<Vec<Request>>,
}

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A running server. It stops, and its repositories vanish, when it is dropped.
pub struct HttpServer {
    state: Arc<State>,
    address: SocketAddr,
    authority: Option<Authority>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl HttpServer {
    /// Starts an open server on a free port.
    ///
    /// # Errors
    /// No port, or no directory for the repositories.
    pub async fn start() -> Result<Self> {
        Self::with(ServerOptions::default()).await
    }

    /// Starts a server on a free port.
    ///
    /// # Errors
    /// No port, no directory, or no certificate.
    pub async fn with(options: ServerOptions) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (authority, acceptor) = match options.tls {
            false => (None, None),
            true => {
                let authority = Authority::new()?;
                let acceptor = authority.acceptor(options.client_certificates)?;
                (Some(authority), Some(acceptor))
            }
        };
        let state = Arc::new(State {
            root: tempfile::tempdir()?,
            options,
            fault: Mutex::default(),
            requests: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (state, acceptor) = (Arc::clone(&shared), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => serve(state, socket).await,
                        Some(acceptor) => {
                            if let Ok(socket) = acceptor.accept(socket).await {
                                serve(state, socket).await;
                            }
                        }
                    }
                });
            }
        });
        Ok(Self { state, address, authority, task })
    }

    /// Makes an empty repository that is served as `name`.
    ///
    /// # Errors
    /// git fails.
    pub fn create(&self, name: &str) -> Result<Repo> {
        Repo::create(&self.root().join(name))
    }

    /// The directory of the repositories; what else is put there is served as it is.
    pub fn root(&self) -> &Path {
        self.state.root.path()
    }

    /// The URL of the repository or file `name`.
    pub fn url(&self, name: &str) -> String {
        // The certificate is for the name, not for the address.
        match self.authority {
            Some(_) => format!("https://localhost:{}/{name}", self.address.port()),
            None => format!("http://{}/{name}", self.address),
        }
    }

    /// The CA of the server as PEM; empty without TLS.
    pub fn ca(&self) -> String {
        self.authority.as_ref().map(|authority| authority.issuer.pem()).unwrap_or_default()
    }

    /// A client certificate of the server's CA with its key, both PEM.
    ///
    /// # Errors
    /// There is no CA without TLS.
    pub fn client_certificate(&self) -> Result<(String, String)> {
        let authority = self.authority.as_ref().context("a server without TLS has no CA")?;
        let key = KeyPair::generate()?;
        let certificate =
            CertificateParams::new(vec!["client".to_owned()])?.signed_by(&key, &authority.issuer)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }

    /// Makes the server misbehave from now on.
    pub fn set_fault(&self, fault: Fault) {
        *self.state.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// The requests seen since the last call.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut *self.state.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Authority {
    fn new() -> Result<Self> {
        let mut parameters = CertificateParams::new(Vec::new())?;
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ok(Self { issuer: CertifiedIssuer::self_signed(parameters, KeyPair::generate()?)? })
    }

    fn acceptor(&self, client_certificates: bool) -> Result<tokio_rustls::TlsAcceptor> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = KeyPair::generate()?;
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names)?.signed_by(&key, &self.issuer)?;
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = if client_certificates {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(self.issuer.der().clone())?;
            let verifier =
                rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .build()?;
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let key =
            rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        let config = builder.with_single_cert(vec![certificate.der().clone()], key)?;
        Ok(tokio_rustls::TlsAcceptor::from(Arc::new(config)))
    }
}

async fn serve(state: Arc<State>, socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let state = Arc::clone(&state);
        async move { answer(&state, request.map(Body::new)).await }
    });
    // A connection that breaks is the client's doing, or the fault that was asked for.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(hyper_util::rt::TokioIo::new(socket), service)
        .await;
}

async fn answer(state: &State, request: axum::extract::Request) -> Result<Response, std::io::Error> {
    let authorization = request.headers().get(header::AUTHORIZATION).cloned();
    state.requests.lock().unwrap_or_else(PoisonError::into_inner).push(Request {
        method: request.method().to_string(),
        target: request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
        authorized: authorization.is_some(),
    });
    let fault = *state.fault.lock().unwrap_or_else(PoisonError::into_inner);
    match fault {
        Fault::Hang => std::future::pending().await,
        Fault::Status(status) => {
            return Ok(StatusCode::from_u16(status)
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
                .into_response());
        }
        _ => {}
    }
    if !state.options.access.admits(authorization.as_ref()) {
        let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"git\"")];
        return Ok((StatusCode::UNAUTHORIZED, challenge).into_response());
    }
    if let Some(file) = file(state, request.uri().path()) {
        return Ok(Body::from(tokio::fs::read(file).await?).into_response());
    }
    let is_post = request.method() == axum::http::Method::POST;
    let response = backend(state, request).await.map_err(std::io::Error::other)?;
    Ok(match fault {
        Fault::Cut(bytes) if is_post => response.map(|body| limited(body, bytes, End::Cut)),
        Fault::Stall(bytes) if is_post => response.map(|body| limited(body, bytes, End::Stall)),
        _ => response,
    })
}

/// A file that lies beside the repositories.
fn file(state: &State, path: &str) -> Option<PathBuf> {
    let path = percent_encoding::percent_decode_str(path.trim_start_matches('/')).decode_utf8().ok()?;
    let in_repository = path.split('/').any(|part| part.ends_with(".git"));
    Some(state.root.path().join(&*path)).filter(|file| !in_repository && file.is_file())
}

impl Access {
    fn admits(&self, shown: Option<&HeaderValue>) -> bool {
        let wanted = match self {
            Self::Open => return true,
            Self::Basic { username, password } => {
                let pair = base64::engine::general_purpose::STANDARD.encode(format!("{username}:{password}"));
                format!("Basic {pair}")
            }
            Self::Bearer(token) => format!("Bearer {token}"),
        };
        shown.is_some_and(|shown| shown.as_bytes() == wanted.as_bytes())
    }
}

/// Runs `git http-backend` as a CGI program.
async fn backend(state: &State, request: axum::extract::Request) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let text = |name: &str| {
        parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let path = percent_encoding::percent_decode_str(parts.uri.path()).decode_utf8_lossy().into_owned();
    let mut program = tokio::process::Command::from(command());
    program
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", state.root.path())
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REMOTE_USER", "test")
        .env("REMOTE_ADDR", "127.0.0.1")
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("PATH_INFO", path)
        .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", text("content-type"))
        .env("HTTP_CONTENT_ENCODING", text("content-encoding"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let length = text("content-length");
    if !length.is_empty() {
        program.env("CONTENT_LENGTH", length);
    }
    if !state.options.old_protocol {
        program.env("GIT_PROTOCOL", text("git-protocol"));
    }
    let mut child = program.spawn().context("git http-backend cannot be started: is git installed?")?;
    let mut input = child.stdin.take().context("no standard input")?;
    tokio::spawn(async move {
        let mut body = body.into_data_stream();
        while let Some(Ok(piece)) = body.next().await {
            if input.write_all(&piece).await.is_err() {
                break;
            }
        }
    });
    let mut output = BufReader::new(child.stdout.take().context("no standard output")?);
    let mut response = Response::new(Body::empty());
    let mut headers = HeaderMap::new();
    loop {
        let mut line = String::new();
        output.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("status") {
            let code = value.split_whitespace().next().unwrap_or_default();
            *response.status_mut() = StatusCode::from_bytes(code.as_bytes())?;
        } else {
            headers.insert(header::HeaderName::try_from(name)?, HeaderValue::from_str(value.trim())?);
        }
    }
    *response.headers_mut() = headers;
    // The program lives as long as somebody reads what it writes.
    let pieces = tokio_util::io::ReaderStream::new(output).map(move |piece| {
        let _running = &child;
        piece
    });
    *response.body_mut() = Body::from_stream(pieces);
    Ok(response)
}

#[derive(Clone, Copy)]
enum End {
    Cut,
    Stall,
}

/// The first `left` bytes of a body, then a broken connection or silence.
fn limited(body: Body, left: usize, end: End) -> Body {
    let pieces =
        futures::stream::unfold((body.into_data_stream(), left), move |(mut body, left)| async move {
            if left == 0 {
                match end {
                    End::Stall => std::future::pending().await,
                    End::Cut => return Some((Err(std::io::Error::other("cut")), (body, 0))),
                }
            }
            let piece: Bytes = body.next().await?.ok()?;
            let piece = piece.slice(..piece.len().min(left));
            let left = left - piece.len();
            Some((Ok(piece), (body, left)))
        });
    Body::from_stream(pieces)
}

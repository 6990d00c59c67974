//! What a kustomization names on the network: files, by HTTP, and directories of Git repositories.
//!
//! Nothing is kept from one build to the next but the objects of repositories, so that a branch that has moved is met at
//! the next build.

mod checkout;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use checkout::Checkout;
use kustomize::{Fetched, FileSystem, FsError, Remote, RemoteDirectory};
use net::Secret;
use net::auth::HttpAuth;
use sha2::{Digest as _, Sha256};
use tokio::runtime::{Handle, Runtime};

/// How long a file may take.
const TIMEOUT: Duration = Duration::from_secs(27);

/// The largest file, in bytes: that of a build.
const LARGEST: u64 = 64 << 20;

/// The largest pack of a repository, in bytes.
const LARGEST_PACK: u64 = 1 << 30;

/// First part of the name of a checkout.
const PREFIX: &str = "kustomize-remote-";

/// Fetches for builds. Clones share what they have set up, which is nothing before the first fetch.
#[derive(Clone)]
pub struct Remotes(Arc<Inner>);

struct Inner {
    /// Runs what is asynchronous while a build waits on a thread of its own. Without one, a runtime of its own does.
    given: Option<Handle>,
    own: OnceLock<Result<Runtime, String>>,
    /// Where the objects of repositories lie. It belongs to this process alone.
    directory: PathBuf,
    files: OnceLock<Result<reqwest::blocking::Client, String>>,
    repositories: OnceLock<Result<git::Stores, String>>,
}

impl std::fmt::Debug for Remotes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Remotes").field("directory", &self.0.directory).finish_non_exhaustive()
    }
}

impl Remotes {
    /// Fetches with `runtime`, or one that the first repository starts, and keeps objects of repositories in `directory`.
    #[must_use]
    pub fn new(runtime: Option<Handle>, directory: PathBuf) -> Self {
        let (own, files, repositories) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Self(Arc::new(Inner { given: runtime, own, directory, files, repositories }))
    }

    fn runtime(&self) -> Result<&Handle, String> {
        if let Some(given) = &self.0.given {
            return Ok(given);
        }
        let own = self.0.own.get_or_init(|| {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
            runtime.map_err(|error| format!("cannot start a thread: {error}"))
        });
        own.as_ref().map(Runtime::handle).map_err(Clone::clone)
    }

    /// A directory for this process below that of the system for temporary files.
    #[must_use]
    pub fn own_directory() -> PathBuf {
        std::env::temp_dir().join(format!("kustomize-controller-{}", std::process::id()))
    }

    /// The files of a build, with what it fetches. Blocks, so that the build must have a thread of its own.
    #[must_use]
    pub fn visit<'a>(&'a self, files: &'a dyn FileSystem) -> Visit<'a> {
        Visit { remotes: self, files, checkouts: Mutex::default(), fetched: OnceLock::new() }
    }

    fn file(&self, url: &str) -> Result<Vec<u8>, String> {
        // The query of a URL may hold a token, and its user a password, which an error must not tell.
        let shown = url::Url::parse(url).map_or_else(
            |_| "the URL".to_owned(),
            |mut url| {
                url.set_query(None);
                let _ = url.set_username("");
                let _ = url.set_password(None);
                url.to_string()
            },
        );
        let client = self.0.files.get_or_init(|| {
            // An error only says that there is a provider, which is what we want.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let client = reqwest::blocking::Client::builder().timeout(TIMEOUT).build();
            client.map_err(|error| format!("cannot make an HTTP client: {error}"))
        });
        let failed = |error: reqwest::Error| format!("cannot fetch {shown}: {}", error.without_url());
        let response = client.as_ref().map_err(Clone::clone)?.get(url).send();
        let response = response.and_then(|response| response.error_for_status()).map_err(failed)?;
        let mut content = Vec::new();
        response
            .take(LARGEST + 1)
            .read_to_end(&mut content)
            .map_err(|error| format!("cannot fetch {shown}: {error}"))?;
        if content.len() as u64 > LARGEST {
            return Err(format!("{shown} has more than {LARGEST} bytes; that is the limit"));
        }
        Ok(content)
    }

    fn directory(&self, directory: &RemoteDirectory) -> Result<Checkout, String> {
        let remote = remote(directory)?;
        let shown = remote.display_url();
        let stores = self.0.repositories.get_or_init(|| {
            let options = git::Options { largest_pack: LARGEST_PACK, ..git::Options::default() };
            git::Stores::open(&self.0.directory, options).map_err(|error| error.to_string())
        });
        let stores = stores.as_ref().map_err(Clone::clone)?;
        let submodules = if directory.submodules { git::Submodules::Recurse } else { git::Submodules::Skip };
        let fetched = self.runtime()?.block_on(async {
            let mut problem = None;
            for reference in references(&directory.reference) {
                match stores.resolve(&remote, &reference).await {
                    Ok(resolved) => return stores.fetch(&remote, &resolved, submodules).await,
                    Err(error) => {
                        problem.get_or_insert(error);
                    }
                }
            }
            Err(problem.unwrap_or(git::Error::EmptyRepository))
        });
        let snapshot = fetched.map_err(|error| format!("cannot fetch {shown}: {error}"))?;
        Checkout::new(snapshot).map_err(|error| format!("cannot read {shown}: {error}"))
    }
}

/// What a reference may be, in the order in which Git tries: a commit, a full name, a branch, a tag; the default branch
/// where there is none.
fn references(text: &str) -> Vec<git::Reference> {
    let is_id = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match text {
        "" => vec![git::Reference::Name("HEAD".to_owned())],
        id if is_id => vec![git::Reference::Commit { sha: id.to_owned(), branch: None }],
        name if name.starts_with("refs/") => vec![git::Reference::Name(name.to_owned())],
        name => vec![git::Reference::Branch(name.to_owned()), git::Reference::Tag(name.to_owned())],
    }
}

fn remote(directory: &RemoteDirectory) -> Result<git::Remote, String> {
    let no_login = || {
        "a repository is fetched over http:// or https:// only: for SSH there are no credentials here"
            .to_owned()
    };
    let mut url = url::Url::parse(&directory.repository).map_err(|_| no_login())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(no_login());
    }
    let auth = match (url.username(), url.password()) {
        ("", None) => HttpAuth::None,
        (user, password) => HttpAuth::Basic {
            username: decoded(user),
            password: Secret::new(decoded(password.unwrap_or_default())),
        },
    };
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Ok(git::Remote {
        url,
        auth: git::Auth::Http(auth),
        tls: net::Tls::default(),
        proxy: None,
        timeout: directory.timeout,
    })
}

/// Text of a URL without its escapes.
fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// One build with what it fetches: its files, and a directory for each repository.
pub struct Visit<'a> {
    remotes: &'a Remotes,
    files: &'a dyn FileSystem,
    checkouts: Mutex<BTreeMap<String, Arc<Checkout>>>,
    fetched: OnceLock<()>,
}

impl Visit<'_> {
    /// What the build asks for.
    ///
    /// # Errors
    /// Why it cannot be fetched, without credentials.
    pub fn fetch(&self, remote: &Remote) -> Result<Fetched, String> {
        let _ = self.fetched.set(());
        match remote {
            Remote::File { url } => self.remotes.file(url).map(Fetched::Content),
            Remote::Directory(directory) => {
                let wanted =
                    format!("{} {} {}", directory.repository, directory.reference, directory.submodules);
                let hash = Sha256::digest(wanted.as_bytes());
                let short: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
                let name = format!("{PREFIX}{short}");
                // Two bases of one repository are of one commit.
                if !self.checkouts().contains_key(&name) {
                    let checkout = Arc::new(self.remotes.directory(directory)?);
                    self.checkouts().insert(name.clone(), checkout);
                }
                Ok(Fetched::Checkout(name))
            }
        }
    }

    /// Whether anything was asked for, so that the build can have another result with the same files.
    #[must_use]
    pub fn has_fetched(&self) -> bool {
        self.fetched.get().is_some()
    }

    fn checkouts(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<Checkout>>> {
        self.checkouts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The checkout that a path lies in, its name, and the path in it.
    fn inside<'p>(&self, path: &'p str) -> Option<(Arc<Checkout>, &'p str, &'p str)> {
        let (name, rest) = path.split_once('/').unwrap_or((path, ""));
        if !name.starts_with(PREFIX) {
            return None;
        }
        self.checkouts().get(name).cloned().map(|checkout| (checkout, name, rest))
    }
}

impl FileSystem for Visit<'_> {
    fn read(&self, path: &str) -> Result<Cow<'_, [u8]>, FsError> {
        match self.inside(path) {
            Some((checkout, _, rest)) => checkout.read(path, rest).map(Cow::Owned),
            None => self.files.read(path),
        }
    }

    fn size(&self, path: &str) -> Option<u64> {
        if self.inside(path).is_some() { None } else { self.files.size(path) }
    }

    fn is_file(&self, path: &str) -> bool {
        match self.inside(path) {
            Some((checkout, _, rest)) => checkout.is_file(rest),
            None => self.files.is_file(path),
        }
    }

    fn is_dir(&self, path: &str) -> bool {
        match self.inside(path) {
            Some((checkout, _, rest)) => checkout.is_dir(rest),
            None => self.files.is_dir(path),
        }
    }

    fn list(&self, dir: &str) -> Result<Vec<String>, FsError> {
        match self.inside(dir) {
            Some((checkout, _, rest)) => checkout.list(dir, rest),
            None => self.files.list(dir),
        }
    }

    fn resolve(&self, path: &str) -> Result<String, FsError> {
        match self.inside(path) {
            Some((checkout, name, rest)) => {
                let real = checkout.resolve(path, rest)?;
                Ok(if real.is_empty() { name.to_owned() } else { format!("{name}/{real}") })
            }
            None => self.files.resolve(path),
        }
    }

    fn relative(&self, absolute: &str) -> Option<String> {
        self.files.relative(absolute)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;

    use kustomize::{MemoryFileSystem, Options, Outside, build_with};

    use super::*;

    #[test]
    fn references_are_tried_as_git_tries_them() {
        let name = |text: &str| references(text).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(name(""), ["ref 'HEAD'"]);
        assert_eq!(name("v1"), ["branch 'v1'", "tag 'v1'"]);
        assert_eq!(name("refs/pull/1/head"), ["ref 'refs/pull/1/head'"]);
        assert_eq!(name(&"a".repeat(40)), [format!("commit '{}'", "a".repeat(40))]);
    }

    #[test]
    fn only_http_has_a_login() {
        for repository in ["git@example.com:a/b", "ssh://git@example.com/a/b", "file:///a/b"] {
            let directory = RemoteDirectory {
                repository: repository.to_owned(),
                path: String::new(),
                reference: String::new(),
                timeout: TIMEOUT,
                submodules: false,
            };
            assert!(remote(&directory).is_err_and(|problem| problem.contains("https://")), "{repository}");
        }
    }

    /// Answers every request with a status and a body.
    fn server(status: &'static str, body: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = [0; 4096];
                let _ = std::io::Read::read(&mut stream, &mut request);
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
            }
        });
        format!("http://{address}")
    }

    fn built(kustomization: &str) -> Result<String, String> {
        let directory = tempfile::tempdir().unwrap();
        let remotes = Remotes::new(None, directory.path().to_owned());
        let mut files = MemoryFileSystem::new();
        files.insert("kustomization.yaml", kustomization);
        let visit = remotes.visit(&files);
        let fetch = |remote: &Remote| visit.fetch(remote);
        let outside = Outside { fetch: Some(&fetch), ..Outside::default() };
        let build = build_with(&visit, "", &Options::command_line(), outside);
        assert!(visit.has_fetched());
        build.map(|build| build.to_yaml()).map_err(|errors| errors.to_string())
    }

    #[test]
    fn files_come_by_http() {
        let host = server("200 OK", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: far}\n");
        let text = built(&format!("resources: ['{host}/a.yaml']\nnamePrefix: so-\n")).unwrap();
        assert!(text.contains("name: so-far"), "{text}");
    }

    #[test]
    fn a_failure_tells_no_token() {
        let host = server("404 Not Found", "");
        let error = built(&format!("resources: ['{host}/a.yaml?token=hidden']\n")).unwrap_err();
        assert!(error.contains("404") && !error.contains("hidden"), "{error}");
    }
}

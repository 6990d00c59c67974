//! What the tests of this crate share.
#![allow(dead_code, reason = "each test program uses its own part")]

use std::time::Duration;

use git::{Auth, Kind, Options, Reference, Remote, Selection, Snapshot, Stores, Submodules};
use net::auth::HttpAuth;
use testkit::git::Change;

/// Stores in a directory of their own.
pub struct Bench {
    pub stores: Stores,
    pub directory: tempfile::TempDir,
}

pub fn bench() -> Bench {
    bench_with(Options::default())
}

pub fn bench_with(options: Options) -> Bench {
    let directory = tempfile::tempdir().expect("a directory");
    Bench { stores: Stores::open(directory.path(), options).expect("stores"), directory }
}

/// An anonymous remote over HTTP. The timeout is far beyond what any test needs.
pub fn remote(url: &str) -> Remote {
    Remote {
        url: url.parse().expect("a URL"),
        auth: Auth::Http(HttpAuth::None),
        tls: net::Tls::default(),
        proxy: None,
        timeout: Duration::from_secs(120),
    }
}

pub fn branch(name: &str) -> Reference {
    Reference::Branch(name.to_owned())
}

impl Bench {
    pub async fn get(&self, remote: &Remote, reference: &Reference) -> Result<Snapshot, git::Error> {
        let resolved = self.stores.resolve(remote, reference).await?;
        self.stores.fetch(remote, &resolved, Submodules::Skip).await
    }

    pub async fn error(&self, remote: &Remote, reference: &Reference) -> String {
        self.get(remote, reference).await.err().expect("an error").to_string()
    }
}

/// `path kind content` of every entry.
pub fn listing(snapshot: &Snapshot) -> Vec<String> {
    sparse_listing(snapshot, &[])
}

pub fn sparse_listing(snapshot: &Snapshot, sparse: &[&str]) -> Vec<String> {
    let sparse: Vec<String> = sparse.iter().map(|prefix| (*prefix).to_owned()).collect();
    let mut walk = snapshot.walk(&Selection { sparse: &sparse }).expect("a walk");
    let mut lines = Vec::new();
    while let Some(entry) = walk.next_entry().expect("an entry") {
        let kind = match entry.kind {
            Kind::Directory => {
                lines.push(format!("{}/", entry.path));
                continue;
            }
            Kind::File => "",
            Kind::Executable => "* ",
            Kind::Symlink => "-> ",
        };
        let content = String::from_utf8_lossy(walk.read(&entry).expect("a file")).into_owned();
        lines.push(format!("{} {kind}{content}", entry.path));
    }
    lines
}

pub fn file(path: &str, content: &str) -> Change {
    Change::file(path, content)
}

//! Every kind of reference, incremental fetches and every fault, against the real `git http-backend`.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

mod harness;

use std::time::Duration;

use git::{Auth, Error, Reference, Submodules};
use harness::{bench, branch, file, listing, remote, sparse_listing};
use net::Secret;
use net::auth::HttpAuth;
use testkit::git::{Access, Change, Fault, HttpServer, ServerOptions};

#[tokio::test]
async fn a_branch_is_resolved_fetched_and_walked_in_archive_order() {
    let server = HttpServer::start().await.unwrap();
    let repo = server.create("r").unwrap();
    let changes = [
        file("a.b", "1"),
        file("a/z", "2"),
        file("a/b/c", "3"),
        file("a-b", "4"),
        Change::executable("run.sh", "#!"),
        Change::symlink("link", "a/z"),
        file("é/ü", "5"),
    ];
    let id = repo.commit("feature/x", "Subject\n\nBody", &changes).unwrap();
    let bench = bench();
    let snapshot = bench.get(&remote(&server.url("r")), &branch("feature/x")).await.unwrap();
    assert_eq!(snapshot.resolved().revision, format!("feature/x@sha1:{id}"));
    assert_eq!(snapshot.resolved().reference, "refs/heads/feature/x");
    let commit = snapshot.commit();
    assert_eq!((commit.id.as_str(), commit.subject().as_str()), (id.as_str(), "Subject"));
    assert_eq!((commit.author.name.as_str(), commit.author.seconds), ("Test Author", 1_700_000_000));
    assert!(commit.signature.is_none() && snapshot.tag().is_none());
    assert_eq!(
        listing(&snapshot),
        ["a/", "a/b/", "a/b/c 3", "a/z 2", "a-b 4", "a.b 1", "link -> a/z", "run.sh * #!", "é/", "é/ü 5"]
    );
    assert_eq!(snapshot.read_file("a/z").unwrap().as_deref(), Some(b"2".as_slice()));
    assert_eq!(snapshot.read_file("a").unwrap(), None);
    assert!(snapshot.contains("./a/b").unwrap() && !snapshot.contains("a/q").unwrap());
    let tree = repo.git(&["rev-parse", "feature/x:a/b"]).unwrap();
    assert_eq!(snapshot.content_id("a/b").unwrap(), Some(tree));
}

#[tokio::test]
async fn sparse_paths_select_by_prefix() {
    let server = HttpServer::start().await.unwrap();
    let repo = server.create("r").unwrap();
    let changes =
        [file("app/x", "1"), file("apple/y", "2"), file("b/c/d", "3"), file("b/e", "4"), file("root", "5")];
    repo.commit("main", "m", &changes).unwrap();
    let snapshot = bench().get(&remote(&server.url("r")), &branch("main")).await.unwrap();
    assert_eq!(sparse_listing(&snapshot, &["app"]), ["app/", "app/x 1", "apple/", "apple/y 2"]);
    assert_eq!(sparse_listing(&snapshot, &["./b/c"]), ["b/", "b/c/", "b/c/d 3"]);
    assert_eq!(sparse_listing(&snapshot, &["b/", "root"]), ["b/", "b/c/", "b/c/d 3", "b/e 4", "root 5"]);
    assert_eq!(sparse_listing(&snapshot, &["nothing"]), Vec::<String>::new());
}

#[tokio::test]
async fn tags_names_and_commits() {
    let server = HttpServer::start().await.unwrap();
    let repo = server.create("r").unwrap();
    let first = repo.commit("main", "first", &[file("f", "1")]).unwrap();
    repo.tag("light", "main").unwrap();
    let tag = repo.annotated_tag("v1.0.0", "main", "the first").unwrap();
    let second = repo.commit("main", "second", &[file("f", "2")]).unwrap();
    repo.set_reference("refs/pull/1/head", "main").unwrap();
    let (bench, remote) = (bench(), remote(&server.url("r")));

    let light = bench.get(&remote, &Reference::Tag("light".into())).await.unwrap();
    assert_eq!(light.resolved().revision, format!("light@sha1:{first}"));
    assert!(light.tag().is_none());

    let annotated = bench.get(&remote, &Reference::Tag("v1.0.0".into())).await.unwrap();
    assert_eq!(annotated.resolved().revision, format!("v1.0.0@sha1:{first}"));
    let found = annotated.tag().unwrap();
    assert_eq!(
        (found.id.as_str(), found.name.as_str(), found.message.as_str()),
        (tag.as_str(), "v1.0.0", "the first\n")
    );

    for name in ["refs/pull/1/head", "refs/heads/main"] {
        let named = bench.get(&remote, &Reference::Name(name.into())).await.unwrap();
        assert_eq!(named.resolved().revision, format!("{name}@sha1:{second}"));
        assert_eq!(listing(&named), ["f 2"]);
    }
    for name in ["refs/tags/v1.0.0", "refs/tags/v1.0.0^{}"] {
        let named = bench.get(&remote, &Reference::Name(name.into())).await.unwrap();
        assert_eq!(named.resolved().revision, format!("{name}@sha1:{first}"));
    }

    let commit = |sha: &str, branch: Option<&str>| Reference::Commit {
        sha: sha.into(),
        branch: branch.map(str::to_owned),
    };
    let alone = bench.get(&remote, &commit(&first, None)).await.unwrap();
    assert_eq!(alone.resolved().revision, format!("sha1:{first}"));
    assert_eq!(listing(&alone), ["f 1"]);
    let on_branch = bench.get(&remote, &commit(&first, Some("main"))).await.unwrap();
    assert_eq!(on_branch.resolved().revision, format!("main@sha1:{first}"));
    assert_eq!(on_branch.resolved().reference, "refs/heads/main");
}

#[tokio::test]
async fn semver_takes_the_highest_and_of_equals_the_newest() {
    let server = HttpServer::start().await.unwrap();
    let repo = server.create("r").unwrap();
    for (number, tag) in ["v1.0.0", "v1.2.0", "1.3.0-rc.1", "v2.0.0", "1.9", "nonsense"].iter().enumerate() {
        repo.commit("main", tag, &[file("f", &number.to_string())]).unwrap();
        repo.tag(tag, "main").unwrap();
    }
    // The newer commit belongs to the tag that sorts first.
    repo.commit_at("main", "new", 1_800_000_000, &[file("f", "new")]).unwrap();
    repo.tag("3.0.0+a", "main").unwrap();
    repo.commit_at("side", "old", 1_600_000_000, &[file("f", "old")]).unwrap();
    repo.annotated_tag("3.0.0+b", "side", "m").unwrap();
    let (bench, remote) = (bench(), remote(&server.url("r")));
    let chosen = async |range: &str| {
        let resolved = bench.stores.resolve(&remote, &Reference::Semver(range.into())).await.unwrap();
        resolved.revision.split('@').next().unwrap().to_owned()
    };
    assert_eq!(chosen(">=1.0.0 <2.0.0").await, "v1.2.0");
    assert_eq!(chosen(">=1.0.0-0 <2.0.0").await, "1.3.0-rc.1");
    assert_eq!(chosen("*").await, "3.0.0+a");
    assert_eq!(bench.error(&remote, &Reference::Semver("^7".into())).await, "no match found for semver: ^7");
    let error = bench.error(&remote, &Reference::Semver("nonsense".into())).await;
    assert_eq!(error, "semver parse error: improper constraint: \"nonsense\"");
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let server = HttpServer::start().await.unwrap();
    let repo = server.create("r").unwrap();
    repo.commit("main", "m", &[file("f", "1")]).unwrap();
    server.create("empty").unwrap();
    let bench = bench();
    let (url, empty) = (server.url("r"), remote(&server.url("empty")));
    let there = remote(&url);
    assert_eq!(
        bench.error(&there, &branch("gone")).await,
        format!("unable to clone '{url}': couldn't find remote ref \"refs/heads/gone\"")
    );
    assert_eq!(
        bench.error(&there, &Reference::Tag("gone".into())).await,
        format!("unable to clone '{url}': couldn't find remote ref \"refs/tags/gone\"")
    );
    assert_eq!(
        bench.error(&there, &Reference::Name("refs/heads/gone".into())).await,
        "unable to resolve ref 'refs/heads/gone' to a specific commit"
    );
    assert!(
        bench
            .error(&there, &Reference::Name("refs/heads/".into()))
            .await
            .contains("cannot begin or end with a slash")
    );
    let sha = "0123456789012345678901234567890123456789";
    let unknown = Reference::Commit { sha: sha.into(), branch: None };
    let error = bench.error(&there, &unknown).await;
    assert!(error.starts_with(&format!("unable to resolve commit object for '{sha}': ")), "{error}");
    let short = Reference::Commit { sha: "0123456".into(), branch: None };
    assert!(bench.error(&there, &short).await.starts_with("unable to resolve commit object for '0123456': "));
    assert!(matches!(bench.get(&empty, &branch("main")).await.err(), Some(Error::EmptyRepository)));
    let nowhere = remote(&server.url("nowhere"));
    assert_eq!(
        bench.error(&nowhere, &branch("main")).await,
        format!("unable to list remote for '{}': repository not found", server.url("nowhere"))
    );
}

#[tokio::test]
async fn a_second_look_costs_one_request_and_a_second_fetch_none() {
    let server = HttpServer::start().await.unwrap();
    let repo = server.create("r").unwrap();
    repo.commit("main", "m", &[file("f", "1")]).unwrap();
    let (bench, remote) = (bench(), remote(&server.url("r")));
    let resolved = bench.stores.resolve(&remote, &branch("main")).await.unwrap();
    assert_eq!(server.take_requests().len(), 2, "advertisement and listing");
    bench.stores.fetch(&remote, &resolved, Submodules::Skip).await.unwrap();
    assert_eq!(server.take_requests().len(), 1, "the pack");
    assert_eq!(bench.stores.resolve(&remote, &branch("main")).await.unwrap(), resolved);
    let seen = server.take_requests();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(listing(&bench.stores.fetch(&remote, &resolved, Submodules::Skip).await.unwrap()), ["f 1"]);
    assert_eq!(server.take_requests(), []);
}

/// Bytes below the stores' directory.
fn size(directory: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    entries
        .map(
            |entry| if entry.path().is_dir() { size(&entry.path()) } else { entry.metadata().unwrap().len() },
        )
        .sum()
}

/// Bytes that no compression makes smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

#[tokio::test]
async fn a_new_commit_brings_only_what_is_new() {
    let server = HttpServer::start().await.unwrap();
    let repo = server.create("r").unwrap();
    repo.commit("main", "m", &[Change::file("big", noise(1 << 20)), file("dir/small", "1")]).unwrap();
    let (bench, remote) = (bench(), remote(&server.url("r")));
    let first = bench.get(&remote, &branch("main")).await.unwrap();
    let before = size(bench.directory.path());
    assert!(before > 1 << 20);
    repo.commit("main", "m", &[file("dir/small", "2")]).unwrap();
    let second = bench.get(&remote, &branch("main")).await.unwrap();
    let added = size(bench.directory.path()) - before;
    assert!(added < 20_000, "{added} bytes for a commit of one line");
    assert_eq!(second.read_file("dir/small").unwrap().as_deref(), Some(b"2".as_slice()));
    assert_eq!(second.read_file("big").unwrap().map(|data| data.len()), Some(1 << 20));
    // The first one is still there for whoever holds it.
    assert_eq!(first.read_file("dir/small").unwrap().as_deref(), Some(b"1".as_slice()));
}

#[tokio::test]
async fn many_fetches_do_not_pile_up() {
    let server = HttpServer::start().await.unwrap();
    let repo = server.create("r").unwrap();
    let (bench, remote) = (bench(), remote(&server.url("r")));
    let mut most = 0;
    for number in 0..60 {
        repo.commit("main", "m", &[file("f", &number.to_string())]).unwrap();
        let snapshot = bench.get(&remote, &branch("main")).await.unwrap();
        assert_eq!(listing(&snapshot), [format!("f {number}")]);
        drop(snapshot);
        let store = std::fs::read_dir(bench.directory.path()).unwrap().next().unwrap().unwrap().path();
        let files: usize = std::fs::read_dir(&store)
            .unwrap()
            .flatten()
            .filter(|entry| entry.path().is_dir())
            .map(|entry| std::fs::read_dir(entry.path().join("objects/pack")).unwrap().count())
            .sum();
        most = most.max(files);
    }
    assert!(most <= 60, "{most} files of packs after 60 fetches");
    assert!(most > 2, "fetches are incremental");
}

#[tokio::test]
async fn branches_that_share_nothing_and_force_pushes() {
    let server = HttpServer::start().await.unwrap();
    let repo = server.create("r").unwrap();
    repo.commit("one", "m", &[file("f", "one")]).unwrap();
    repo.commit("two", "m", &[file("g", "two")]).unwrap();
    let (bench, remote) = (bench(), remote(&server.url("r")));
    assert_eq!(listing(&bench.get(&remote, &branch("one")).await.unwrap()), ["f one"]);
    assert_eq!(listing(&bench.get(&remote, &branch("two")).await.unwrap()), ["g two"]);
    repo.set_reference("refs/heads/one", "two").unwrap();
    assert_eq!(listing(&bench.get(&remote, &branch("one")).await.unwrap()), ["g two"]);
    repo.git(&["reflog", "expire", "--all", "--expire=now"]).unwrap();
    repo.git(&["gc", "--quiet", "--prune=now"]).unwrap();
    // The server no longer knows a commit that we still have and tell it about.
    repo.commit("two", "m", &[file("g", "three")]).unwrap();
    assert_eq!(listing(&bench.get(&remote, &branch("two")).await.unwrap()), ["g three"]);
}

#[tokio::test]
async fn stores_survive_a_restart_and_what_a_kill_leaves_behind() {
    let server = HttpServer::start().await.unwrap();
    let repo = server.create("r").unwrap();
    repo.commit("main", "m", &[Change::file("big", noise(200_000)), file("f", "1")]).unwrap();
    let remote = remote(&server.url("r"));
    let first = bench();
    first.get(&remote, &branch("main")).await.unwrap();
    let directory = first.directory;
    drop(first.stores);
    let packs = || {
        let store = std::fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap().path();
        let newest =
            std::fs::read_dir(store).unwrap().flatten().find(|entry| entry.path().is_dir()).unwrap().path();
        newest.join("objects/pack")
    };
    // A pack without index, an unfinished file and a generation without tips: what a kill at various moments leaves.
    std::fs::write(packs().join("pack-00.pack"), b"PACK").unwrap();
    std::fs::write(packs().join(".tmpAbC"), noise(1000)).unwrap();
    let half = packs().join("../../../9/objects/pack");
    std::fs::create_dir_all(&half).unwrap();
    std::fs::write(half.join("tmp"), b"x").unwrap();
    server.take_requests();

    let stores = git::Stores::open(directory.path(), git::Options::default()).unwrap();
    let resolved = stores.resolve(&remote, &branch("main")).await.unwrap();
    let snapshot = stores.fetch(&remote, &resolved, Submodules::Skip).await.unwrap();
    assert_eq!(snapshot.read_file("f").unwrap().as_deref(), Some(b"1".as_slice()));
    assert_eq!(server.take_requests().len(), 2, "only the listing: the objects were here");
    assert_eq!(std::fs::read_dir(packs()).unwrap().count(), 2, "the whole pack and its index");
    assert!(!half.exists());
}

#[tokio::test]
async fn a_damaged_store_is_fetched_anew() {
    let server = HttpServer::start().await.unwrap();
    let repo = server.create("r").unwrap();
    repo.commit("main", "m", &[file("f", "1")]).unwrap();
    let (bench, remote) = (bench(), remote(&server.url("r")));
    let resolved = bench.stores.resolve(&remote, &branch("main")).await.unwrap();
    drop(bench.stores.fetch(&remote, &resolved, Submodules::Skip).await.unwrap());
    let store = std::fs::read_dir(bench.directory.path()).unwrap().next().unwrap().unwrap().path();
    for entry in std::fs::read_dir(store.join("1/objects/pack")).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let snapshot = bench.stores.fetch(&remote, &resolved, Submodules::Skip).await.unwrap();
    assert_eq!(listing(&snapshot), ["f 1"]);
}

#[tokio::test]
async fn the_same_remote_at_the_same_time() {
    let server = HttpServer::start().await.unwrap();
    let repo = server.create("r").unwrap();
    for number in 0..8 {
        repo.commit(&format!("b{number}"), "m", &[file("f", &number.to_string())]).unwrap();
    }
    let (bench, remote) = (bench(), remote(&server.url("r")));
    let (stores, remote) = (&bench.stores, &remote);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..8 {
        let (stores, remote) = (stores.clone(), remote.clone());
        tasks.spawn(async move {
            let resolved = stores.resolve(&remote, &branch(&format!("b{number}"))).await.unwrap();
            let snapshot = stores.fetch(&remote, &resolved, Submodules::Skip).await.unwrap();
            assert_eq!(listing(&snapshot), [format!("f {number}")]);
        });
    }
    while let Some(result) = tasks.join_next().await {
        result.unwrap();
    }
}

fn basic(username: &str, password: &str) -> Auth {
    Auth::Http(HttpAuth::Basic { username: username.into(), password: Secret::new(password) })
}

#[tokio::test]
async fn credentials() {
    let access = Access::Basic { username: "u".into(), password: "p w".into() };
    let server = HttpServer::with(ServerOptions { access, ..Default::default() }).await.unwrap();
    server.create("r").unwrap().commit("main", "m", &[file("f", "1")]).unwrap();
    let bench = bench();
    let mut remote = remote(&server.url("r"));
    let prefix = format!("unable to list remote for '{}': ", server.url("r"));
    assert_eq!(bench.error(&remote, &branch("main")).await, format!("{prefix}authentication required"));
    remote.auth = basic("u", "wrong");
    let error = bench.error(&remote, &branch("main")).await;
    assert_eq!(error, format!("{prefix}authentication required: the server did not accept the credentials"));
    remote.auth = basic("u", "p w");
    assert_eq!(listing(&bench.get(&remote, &branch("main")).await.unwrap()), ["f 1"]);

    let server = HttpServer::with(ServerOptions { access: Access::Bearer("t".into()), ..Default::default() })
        .await
        .unwrap();
    server.create("r").unwrap().commit("main", "m", &[file("f", "2")]).unwrap();
    let mut remote = harness::remote(&server.url("r"));
    remote.auth = Auth::Http(HttpAuth::Bearer(Secret::new("t")));
    assert_eq!(listing(&bench.get(&remote, &branch("main")).await.unwrap()), ["f 2"]);
    server.set_fault(Fault::Status(403));
    assert!(
        bench
            .error(&remote, &branch("main"))
            .await
            .ends_with("authorization failed: the credentials do not give access to the repository")
    );
}

#[tokio::test]
async fn tls_with_an_own_ca_and_client_certificates() {
    let options = ServerOptions { tls: true, client_certificates: true, ..Default::default() };
    let server = HttpServer::with(options).await.unwrap();
    server.create("r").unwrap().commit("main", "m", &[file("f", "1")]).unwrap();
    let bench = bench();
    let mut remote = remote(&server.url("r"));
    let error = bench.error(&remote, &branch("main")).await;
    assert!(error.contains("UnknownIssuer"), "{error}");
    let (certificate, key) = server.client_certificate().unwrap();
    let mut data = net::auth::Data::from([("ca.crt".to_owned(), server.ca().into_bytes())]);
    remote.tls = net::Tls::from_secret("ns/s", &data).unwrap();
    let error = bench.error(&remote, &branch("main")).await;
    assert!(error.contains("CertificateRequired"), "{error}");
    let broken = net::auth::Data::from([("ca.crt".to_owned(), b"nonsense".to_vec())]);
    let tls = net::auth::git_tls("ns/s", &broken).unwrap();
    let error = bench.error(&git::Remote { tls, ..remote.clone() }, &branch("main")).await;
    assert!(error.contains("x509"), "{error}");
    data.insert("tls.crt".to_owned(), certificate.into_bytes());
    data.insert("tls.key".to_owned(), key.into_bytes());
    remote.tls = net::Tls::from_secret("ns/s", &data).unwrap();
    assert_eq!(listing(&bench.get(&remote, &branch("main")).await.unwrap()), ["f 1"]);
}

#[tokio::test]
async fn servers_that_fail_in_every_way() {
    let server = HttpServer::start().await.unwrap();
    let repo = server.create("r").unwrap();
    repo.commit("main", "m", &[Change::file("big", noise(1 << 20))]).unwrap();
    let (bench, mut remote) = (bench(), remote(&server.url("r")));
    let resolved = bench.stores.resolve(&remote, &branch("main")).await.unwrap();
    let fetch = async |remote: &git::Remote| {
        bench.stores.fetch(remote, &resolved, Submodules::Skip).await.err().expect("an error").to_string()
    };
    server.set_fault(Fault::Status(500));
    let error = bench.error(&remote, &branch("main")).await;
    assert!(error.contains("unexpected status '500 Internal Server Error' from"), "{error}");
    for bytes in [0, 3, 100, 300_000] {
        server.set_fault(Fault::Cut(bytes));
        let error = fetch(&remote).await;
        assert!(error.starts_with("unable to clone"), "{error}");
    }
    remote.timeout = Duration::from_millis(300);
    server.set_fault(Fault::Stall(300_000));
    assert!(fetch(&remote).await.contains("timed out"));
    server.set_fault(Fault::Hang);
    assert!(fetch(&remote).await.contains("timed out"));
    let error = bench.error(&remote, &branch("main")).await;
    assert!(error.starts_with("unable to list remote for") && error.contains("timed out"), "{error}");
    // Whatever was left behind does not matter.
    server.set_fault(Fault::None);
    remote.timeout = Duration::from_secs(120);
    let snapshot = bench.stores.fetch(&remote, &resolved, Submodules::Skip).await.unwrap();
    assert_eq!(snapshot.read_file("big").unwrap(), Some(noise(1 << 20)));
    let nobody = harness::remote("http://127.0.0.1:1/r");
    let error = bench.error(&nobody, &branch("main")).await;
    assert!(error.contains("127.0.0.1:1") && error.contains("refused"), "{error}");
}

#[tokio::test]
async fn no_git_server_is_said_so() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/r", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        while let Ok((mut socket, _)) = listener.accept().await {
            let _ = socket.read(&mut [0; 4096]).await;
            let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>";
            let _ = socket.write_all(page.as_bytes()).await;
        }
    });
    let error = bench().error(&remote(&url), &branch("main")).await;
    assert!(error.contains("answers with content type 'text/html' where a git server"), "{error}");
    task.abort();
}

#[tokio::test]
async fn a_server_of_the_old_protocol() {
    let server = HttpServer::with(ServerOptions { old_protocol: true, ..Default::default() }).await.unwrap();
    let repo = server.create("r").unwrap();
    let first = repo.commit("main", "m", &[Change::file("big", noise(300_000)), file("f", "1")]).unwrap();
    repo.annotated_tag("v1.0.0", "main", "m").unwrap();
    let (bench, remote) = (bench(), remote(&server.url("r")));
    assert_eq!(listing(&bench.get(&remote, &branch("main")).await.unwrap()).len(), 2);
    let before = size(bench.directory.path());
    repo.commit("main", "m", &[file("f", "2")]).unwrap();
    let second = bench.get(&remote, &branch("main")).await.unwrap();
    assert_eq!(second.read_file("f").unwrap().as_deref(), Some(b"2".as_slice()));
    assert!(size(bench.directory.path()) - before < 20_000);
    let tag = bench.get(&remote, &Reference::Semver("1.x".into())).await.unwrap();
    assert_eq!(tag.resolved().revision, format!("v1.0.0@sha1:{first}"));
    assert!(tag.tag().is_some());
    // A server of old does not hand out a commit that no reference names: it is found in the history.
    let older = bench::fresh()
        .get(&remote, &Reference::Commit { sha: first.clone(), branch: Some("main".into()) })
        .await
        .unwrap();
    assert_eq!(older.read_file("f").unwrap().as_deref(), Some(b"1".as_slice()));
    server.create("empty").unwrap();
    let empty = harness::remote(&server.url("empty"));
    assert!(matches!(bench.get(&empty, &branch("main")).await.err(), Some(Error::EmptyRepository)));
}

mod bench {
    pub(crate) fn fresh() -> crate::harness::Bench {
        crate::harness::bench()
    }
}

#[tokio::test]
async fn a_sha256_repository() {
    let server = HttpServer::start().await.unwrap();
    let repo =
        testkit::git::Repo::create_with(&server.root().join("r"), &["--object-format=sha256"]).unwrap();
    let first = repo.commit("main", "m", &[file("d/f", "1")]).unwrap();
    let (bench, remote) = (bench(), remote(&server.url("r")));
    let snapshot = bench.get(&remote, &branch("main")).await.unwrap();
    assert_eq!(snapshot.resolved().revision, format!("main@sha256:{first}"));
    assert_eq!(listing(&snapshot), ["d/", "d/f 1"]);
    repo.commit("main", "m", &[file("d/f", "2")]).unwrap();
    assert_eq!(listing(&bench.get(&remote, &branch("main")).await.unwrap()), ["d/", "d/f 2"]);
}

#[tokio::test]
async fn submodules_are_filled_in_or_empty() {
    let server = HttpServer::start().await.unwrap();
    let deep = server.create("deep").unwrap();
    let deep_id = deep.commit("main", "m", &[file("deepest", "3")]).unwrap();
    let inner = server.create("inner").unwrap();
    let modules = "[submodule \"deep\"]\n\tpath = deep\n\turl = ../deep\n";
    let changes = [file("f", "2"), file(".gitmodules", modules), Change::submodule("deep", deep_id)];
    let inner_id = inner.commit("main", "m", &changes).unwrap();
    inner.commit("main", "later", &[file("f", "later")]).unwrap();
    let outer = server.create("outer").unwrap();
    let modules = format!("[submodule \"x\"]\n\tpath = libs/inner\n\turl = {}\n", server.url("inner"));
    let changes = [file("a", "1"), file(".gitmodules", &modules), Change::submodule("libs/inner", inner_id)];
    outer.commit("main", "m", &changes).unwrap();
    let (bench, remote) = (bench(), remote(&server.url("outer")));
    let resolved = bench.stores.resolve(&remote, &branch("main")).await.unwrap();
    let plain = bench.stores.fetch(&remote, &resolved, Submodules::Skip).await.unwrap();
    let names = |lines: Vec<String>| -> Vec<String> {
        lines.into_iter().filter(|line| !line.contains(".gitmodules")).collect()
    };
    assert_eq!(names(listing(&plain)), ["a 1", "libs/", "libs/inner/"]);
    let full = bench.stores.fetch(&remote, &resolved, Submodules::Recurse).await.unwrap();
    assert_eq!(
        names(listing(&full)),
        ["a 1", "libs/", "libs/inner/", "libs/inner/deep/", "libs/inner/deep/deepest 3", "libs/inner/f 2"]
    );
    assert_eq!(full.read_file("libs/inner/deep/deepest").unwrap().as_deref(), Some(b"3".as_slice()));
    let modules = "[submodule \"x\"]\n\tpath = libs/inner\n\turl = ../nowhere\n";
    outer.commit("main", "m", &[file(".gitmodules", modules)]).unwrap();
    let resolved = bench.stores.resolve(&remote, &branch("main")).await.unwrap();
    let error = bench.stores.fetch(&remote, &resolved, Submodules::Recurse).await.err().unwrap().to_string();
    assert!(
        error.starts_with("submodule 'libs/inner': ") && error.contains("repository not found"),
        "{error}"
    );
}

#[tokio::test]
async fn thousands_of_files_and_a_large_one() {
    let server = HttpServer::start().await.unwrap();
    let repo = server.create("r").unwrap();
    let mut changes: Vec<Change> = (0..10_000)
        .map(|number| file(&format!("d{}/f{number}.yaml", number % 100), &format!("n: {number}\n")))
        .collect();
    changes.push(Change::file("large.yaml", noise(5 << 20)));
    repo.commit("main", "m", &changes).unwrap();
    let snapshot = bench().get(&remote(&server.url("r")), &branch("main")).await.unwrap();
    let mut walk = snapshot.walk(&git::Selection::default()).unwrap();
    let (mut files, mut bytes) = (0, 0);
    let mut paths = Vec::new();
    while let Some(entry) = walk.next_entry().unwrap() {
        if entry.kind == git::Kind::File {
            files += 1;
            bytes += walk.read(&entry).unwrap().len();
        }
        paths.push(entry.path);
    }
    assert_eq!(files, 10_001);
    assert!(bytes > 5 << 20);
    assert_eq!(paths.len(), 10_101);
}

#[tokio::test]
async fn redirects_are_followed_and_credentials_stay_at_home() {
    let server = HttpServer::start().await.unwrap();
    server.create("r").unwrap().commit("main", "m", &[file("f", "1")]).unwrap();
    let target = server.url("r");
    let front = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/moved", front.local_addr().unwrap());
    let task = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        while let Ok((mut socket, _)) = front.accept().await {
            let _ = socket.read(&mut [0; 4096]).await;
            let answer = format!(
                "HTTP/1.1 301 Moved\r\nLocation: {target}/info/refs?service=git-upload-pack\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    let mut remote = remote(&url);
    remote.auth = basic("u", "p");
    assert_eq!(listing(&bench().get(&remote, &branch("main")).await.unwrap()), ["f 1"]);
    let seen = server.take_requests();
    assert!(!seen.is_empty() && seen.iter().all(|request| !request.authorized), "{seen:?}");
    task.abort();
}

#[tokio::test]
async fn forgotten_and_unused_stores_go() {
    let server = HttpServer::start().await.unwrap();
    server.create("r").unwrap().commit("main", "m", &[file("f", "1")]).unwrap();
    let (bench, remote) = (bench(), remote(&server.url("r")));
    let snapshot = bench.get(&remote, &branch("main")).await.unwrap();
    bench.stores.forget(&remote).await;
    assert_eq!(listing(&snapshot), ["f 1"], "whoever reads it may finish");
    drop(snapshot);
    assert!(size(bench.directory.path()) == 0);
    bench.get(&remote, &branch("main")).await.unwrap();
    drop(bench.stores);
    let options = git::Options { keep: Duration::ZERO, ..Default::default() };
    git::Stores::open(bench.directory.path(), options).unwrap();
    assert_eq!(std::fs::read_dir(bench.directory.path()).unwrap().count(), 0);
}

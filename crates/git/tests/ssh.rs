//! SSH: every kind of key, host key checking and what the server may refuse.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

mod harness;

use git::{Auth, Options, Reference, Remote, SshOptions};
use harness::{bench, bench_with, branch, file, listing};
use net::Secret;
use net::auth::SshAuth;
use testkit::git::{SshKey, SshServer};

fn remote(url: &str, identity: &str, passphrase: Option<&str>, known_hosts: &str) -> Remote {
    let auth = SshAuth {
        username: "git".to_owned(),
        identity: Secret::new(identity),
        passphrase: passphrase.map(Secret::new),
        known_hosts: known_hosts.as_bytes().to_vec(),
    };
    Remote { auth: Auth::Ssh(auth), ..harness::remote(url) }
}

#[tokio::test]
async fn every_kind_of_identity() {
    let kinds = [SshKey::Ed25519, SshKey::Ecdsa256, SshKey::Ecdsa384, SshKey::Ecdsa521, SshKey::Rsa];
    let keys: Vec<_> = kinds.iter().map(|kind| kind.generate().unwrap()).collect();
    let server = SshServer::start(SshKey::Ed25519, &keys.iter().collect::<Vec<_>>()).await.unwrap();
    let repo = server.create("group/it's a repo").unwrap();
    let id = repo.commit("main", "m", &[file("f", "1")]).unwrap();
    let known = server.known_hosts().unwrap();
    for key in &keys {
        for passphrase in [None, Some("open sesame")] {
            let identity = SshKey::private(key, passphrase).unwrap();
            assert_eq!(git::is_encrypted_identity(identity.as_bytes()), passphrase.is_some());
            let url = server.url("group/it's a repo");
            let snapshot =
                bench().get(&remote(&url, &identity, passphrase, &known), &branch("main")).await.unwrap();
            assert_eq!(snapshot.resolved().revision, format!("main@sha1:{id}"));
            assert_eq!(listing(&snapshot), ["f 1"]);
        }
    }
}

#[tokio::test]
async fn references_and_incremental_fetches() {
    let key = SshKey::Ed25519.generate().unwrap();
    let server = SshServer::start(SshKey::Ecdsa256, &[&key]).await.unwrap();
    let repo = server.create("r").unwrap();
    let first = repo.commit("main", "m", &[file("f", "1")]).unwrap();
    repo.annotated_tag("v1.0.0", "main", "m").unwrap();
    let bench = bench();
    let identity = SshKey::private(&key, None).unwrap();
    let remote = remote(&server.url("r"), &identity, None, &server.known_hosts().unwrap());
    assert_eq!(listing(&bench.get(&remote, &branch("main")).await.unwrap()), ["f 1"]);
    repo.commit("main", "m", &[file("f", "2")]).unwrap();
    assert_eq!(listing(&bench.get(&remote, &branch("main")).await.unwrap()), ["f 2"]);
    let tagged = bench.get(&remote, &Reference::Semver("^1".into())).await.unwrap();
    assert_eq!(tagged.resolved().revision, format!("v1.0.0@sha1:{first}"));
    let commit = Reference::Commit { sha: first, branch: None };
    assert_eq!(listing(&bench.get(&remote, &commit).await.unwrap()), ["f 1"]);
    let missing = bench.error(&remote, &branch("gone")).await;
    assert!(missing.ends_with("couldn't find remote ref \"refs/heads/gone\""), "{missing}");
}

#[tokio::test]
async fn a_host_key_must_be_known() {
    let key = SshKey::Ed25519.generate().unwrap();
    let server = SshServer::start(SshKey::Rsa, &[&key]).await.unwrap();
    server.create("r").unwrap().commit("main", "m", &[file("f", "1")]).unwrap();
    let (url, known, identity) =
        (server.url("r"), server.known_hosts().unwrap(), SshKey::private(&key, None).unwrap());
    let bench = bench();
    assert_eq!(
        listing(&bench.get(&remote(&url, &identity, None, &known), &branch("main")).await.unwrap()),
        ["f 1"]
    );
    let error = async |known: &str| bench.error(&remote(&url, &identity, None, known), &branch("main")).await;
    let unknown = error("github.com ssh-ed25519 AAAA\n").await;
    assert!(unknown.contains("ssh: handshake failed: knownhosts: key is unknown"), "{unknown}");
    let other = SshKey::Rsa.generate().unwrap().public_key().to_openssh().unwrap();
    let changed = error(&format!("[127.0.0.1]:{} {other}\n", server.port())).await;
    assert!(changed.contains("knownhosts: key mismatch"), "{changed}");
    let revoked = error(&format!("{known}@revoked {known}")).await;
    assert!(revoked.contains("is revoked"), "{revoked}");
}

#[tokio::test]
async fn what_the_server_refuses() {
    let (key, stranger) = (SshKey::Ed25519.generate().unwrap(), SshKey::Ed25519.generate().unwrap());
    let server = SshServer::start(SshKey::Ed25519, &[&key]).await.unwrap();
    server.create("r").unwrap().commit("main", "m", &[file("f", "1")]).unwrap();
    let known = server.known_hosts().unwrap();
    let bench = bench();
    let identity = SshKey::private(&key, Some("p")).unwrap();
    let error = async |url: &str, identity: &str, passphrase: Option<&str>| {
        bench.error(&remote(url, identity, passphrase, &known), &branch("main")).await
    };
    let url = server.url("r");
    let wrong = error(&url, &SshKey::private(&stranger, None).unwrap(), None).await;
    assert!(wrong.contains("unable to authenticate user 'git'"), "{wrong}");
    assert!(error(&url, &identity, None).await.contains("is encrypted but no 'password'"));
    assert!(error(&url, &identity, Some("q")).await.contains("'password' is not its passphrase"));
    assert!(error(&url, "nonsense", None).await.contains("the identity key cannot be read"));
    let nowhere = error(&server.url("nowhere"), &identity, Some("p")).await;
    assert!(nowhere.contains("does not appear to be a git repository"), "{nowhere}");
    let nobody = error("ssh://git@127.0.0.1:1/r", &identity, Some("p")).await;
    assert!(nobody.contains("cannot connect to 127.0.0.1:1"), "{nobody}");
}

#[tokio::test]
async fn algorithms_of_the_flags_are_used() {
    let key = SshKey::Rsa.generate().unwrap();
    let server = SshServer::start(SshKey::Rsa, &[&key]).await.unwrap();
    server.create("r").unwrap().commit("main", "m", &[file("f", "1")]).unwrap();
    let identity = SshKey::private(&key, None).unwrap();
    let remote = remote(&server.url("r"), &identity, None, &server.known_hosts().unwrap());
    let with = |hosts: &[&str], kex: &[&str]| {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let ssh = SshOptions { host_key_algorithms: names(hosts), kex_algorithms: names(kex) };
        bench_with(Options { ssh, ..Default::default() })
    };
    let old = with(&["rsa-sha2-256"], &["diffie-hellman-group14-sha1"]);
    assert_eq!(listing(&old.get(&remote, &branch("main")).await.unwrap()), ["f 1"]);
    // The server has no such host key.
    let error = with(&["ssh-ed25519"], &[]).error(&remote, &branch("main")).await;
    assert!(error.contains("ssh: handshake with 127.0.0.1"), "{error}");
}

#[tokio::test]
async fn a_server_that_says_nothing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ssh://git@{}/r", listener.local_addr().unwrap());
    let key = SshKey::private(&SshKey::Ed25519.generate().unwrap(), None).unwrap();
    let mut remote = remote(&url, &key, None, "* ssh-ed25519 AAAA");
    remote.timeout = std::time::Duration::from_millis(300);
    assert!(bench().error(&remote, &branch("main")).await.contains("timed out"));
    drop(listener);
}

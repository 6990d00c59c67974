//! A process that is killed while it fetches leaves a store that the next one can use.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test")]

mod harness;

use std::process::{Command, Stdio};
use std::time::Duration;

use git::{Options, Stores, Submodules};
use harness::{branch, file, remote};
use testkit::git::{Change, HttpServer};

const STORE: &str = "MILLRACE_TEST_STORE";
const URL: &str = "MILLRACE_TEST_URL";
const BRANCHES: usize = 40;

/// Not a test but the process that is killed: fetches one branch after the other, for as long as it lives.
#[tokio::test]
#[ignore = "started by the other test"]
async fn fetch_until_killed() {
    let (Ok(store), Ok(url)) = (std::env::var(STORE), std::env::var(URL)) else { return };
    let stores = Stores::open(store.as_ref(), Options::default()).unwrap();
    let remote = remote(&url);
    for number in 0..BRANCHES {
        let resolved = stores.resolve(&remote, &branch(&format!("b{number}"))).await.unwrap();
        stores.fetch(&remote, &resolved, Submodules::Skip).await.unwrap();
    }
}

#[tokio::test]
async fn killed_at_any_moment() {
    let server = HttpServer::start().await.unwrap();
    let repo = server.create("r").unwrap();
    for number in 0..BRANCHES {
        let content: Vec<u8> = (0..60_000u32)
            .flat_map(|n| (n ^ number as u32).wrapping_mul(2_654_435_761).to_le_bytes())
            .collect();
        let changes = [Change::file("noise", content), file("f", &number.to_string())];
        repo.commit(&format!("b{number}"), "m", &changes).unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    let mut left_behind = 0;
    for round in 0..12u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "fetch_until_killed", "--ignored", "--nocapture"])
            .env(STORE, directory.path())
            .env(URL, server.url("r"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Later and later: during start-up, between fetches, in the middle of one.
        tokio::time::sleep(Duration::from_millis(40 + 53 * round)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        left_behind += usize::from(std::fs::read_dir(directory.path()).unwrap().count() > 0);

        let stores = Stores::open(directory.path(), Options::default()).unwrap();
        let remote = remote(&server.url("r"));
        for number in [0, round as usize % BRANCHES, BRANCHES - 1] {
            let resolved = stores.resolve(&remote, &branch(&format!("b{number}"))).await.unwrap();
            let snapshot = stores.fetch(&remote, &resolved, Submodules::Skip).await.unwrap();
            assert_eq!(
                snapshot.read_file("f").unwrap(),
                Some(number.to_string().into_bytes()),
                "round {round}"
            );
            assert_eq!(snapshot.read_file("noise").unwrap().map(|data| data.len()), Some(240_000));
        }
        drop(stores);
        if round % 3 == 2 {
            // Begin with nothing again.
            std::fs::remove_dir_all(directory.path()).unwrap();
        }
    }
    assert!(left_behind > 6, "most rounds were killed after they had begun: {left_behind}");
}

//! Fetches a branch over HTTP twice and walks its files; prints times and the peak of resident memory.
//!
//! `cargo run --release -p git --example measure -- http://host/repo main`
#![allow(clippy::print_stdout, reason = "a program")]

use std::time::{Duration, Instant};

use git::{Auth, Options, Reference, Remote, Selection, Stores, Submodules};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(branch)) = (arguments.next(), arguments.next()) else {
        anyhow::bail!("usage: measure URL BRANCH");
    };
    let remote = Remote {
        url: url.parse()?,
        auth: Auth::Http(net::auth::HttpAuth::None),
        tls: net::Tls::default(),
        proxy: None,
        timeout: Duration::from_secs(600),
    };
    let directory = tempfile::tempdir()?;
    let stores = Stores::open(directory.path(), Options::default())?;
    for round in ["first", "again"] {
        let start = Instant::now();
        let resolved = stores.resolve(&remote, &Reference::Branch(branch.clone())).await?;
        let resolving = start.elapsed();
        let snapshot = stores.fetch(&remote, &resolved, Submodules::Skip).await?;
        let fetching = start.elapsed().saturating_sub(resolving);
        let (files, bytes) = tokio::task::spawn_blocking(move || -> Result<(u64, u64), git::Error> {
            let mut walk = snapshot.walk(&Selection::default())?;
            let (mut files, mut bytes) = (0, 0);
            while let Some(entry) = walk.next_entry()? {
                if entry.kind != git::Kind::Directory {
                    files += 1;
                    bytes += walk.read(&entry)?.len() as u64;
                }
            }
            Ok((files, bytes))
        })
        .await??;
        let walking = start.elapsed().saturating_sub(resolving).saturating_sub(fetching);
        println!(
            "{round}: resolve {resolving:.1?}, fetch {fetching:.1?}, walk {walking:.1?}: {files} files, {bytes} bytes"
        );
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    for line in status.lines().filter(|line| line.starts_with("VmHWM") || line.starts_with("RssAnon")) {
        println!("{line}");
    }
    Ok(())
}

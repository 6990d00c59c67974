//! `cargo xtask test`, `check` and `fuzz`.

use std::process::ExitCode;

use anyhow::Result;
use plane::places;
use plane::programs::{Peers, Servers};

use crate::{cargo, layers};

/// Everything that decides whether a commit may land.
pub(crate) fn test(arguments: &[String]) -> Result<ExitCode> {
    plane::require("git", "git (https://git-scm.com, or your system's package `git`)")?;
    Servers::ensure()?;
    Peers::ensure()?;
    let layers = layers::run()?;
    if layers != ExitCode::SUCCESS {
        return Ok(layers);
    }
    let corpus = places::root().join("../shared/conformance");
    if !corpus.is_dir() {
        println!("skipped: the conformance cases of ../shared/conformance, which is not there");
    }
    // One answer tells everything.
    let mut all = ["test", "--workspace", "--no-fail-fast"].map(str::to_owned).to_vec();
    all.extend_from_slice(arguments);
    cargo::run(all)
}

/// Formatting, lints, layers, generated files, and what is installed of cargo-deny and cargo-machete. All are run, so
/// that one answer tells everything.
pub(crate) fn check() -> Result<ExitCode> {
    let mut failed = Vec::new();
    let mut note = |what: &'static str, code: ExitCode| {
        if code != ExitCode::SUCCESS {
            failed.push(what);
        }
    };
    note("formatting (`cargo fmt`)", cargo::run(["fmt", "--all", "--check"])?);
    note(
        "lints",
        cargo::run(["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"])?,
    );
    note("layers", layers::run()?);
    note("CRDs (`cargo xtask crds`)", crds(Mode::Check)?);
    if cargo::installed("deny") {
        note("licences, advisories, bans", cargo::run(["deny", "--log-level=error", "check"])?);
    } else {
        println!("skipped: licences and advisories; `cargo install --locked cargo-deny` enables them");
    }
    if cargo::installed("machete") {
        note("unused dependencies", cargo::run(["machete"])?);
    } else {
        println!("skipped: unused dependencies; `cargo install --locked cargo-machete` enables them");
    }
    if failed.is_empty() {
        println!("check: all passed");
        return Ok(ExitCode::SUCCESS);
    }
    println!("check: failed: {}", failed.join(", "));
    Ok(ExitCode::from(1))
}

/// What to do with a generated file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Write,
    Check,
}

/// `crds/` from the types of crates/api.
pub(crate) fn crds(mode: Mode) -> Result<ExitCode> {
    let mut arguments = vec!["run", "--quiet", "--package", "api", "--example", "crds", "--"];
    if mode == Mode::Check {
        arguments.push("--check");
    }
    arguments.push("crds");
    cargo::run(arguments)
}

/// The property tests of the parsers and readers, with many more cases than a test run gives them.
pub(crate) fn fuzz(cases: u32, packages: &[String]) -> Result<ExitCode> {
    let wanted: Vec<String> =
        if packages.is_empty() { packages_with_properties()? } else { packages.to_vec() };
    let mut command = cargo::command();
    command.arg("test").env("PROPTEST_CASES", cases.to_string());
    for package in &wanted {
        command.args(["--package", package]);
    }
    eprintln!("{cases} cases for each property of {}", wanted.join(", "));
    let status = command.status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The packages whose tests use proptest.
fn packages_with_properties() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for dir in ["crates", "controllers"] {
        for entry in std::fs::read_dir(places::root().join(dir))?.flatten() {
            let manifest = std::fs::read_to_string(entry.path().join("Cargo.toml")).unwrap_or_default();
            if manifest.lines().any(|line| line.starts_with("proptest")) {
                found.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    anyhow::ensure!(!found.is_empty(), "no package has property tests");
    Ok(found)
}

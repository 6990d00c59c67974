//! Running cargo and its sub-commands.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

/// Runs `cargo ARGUMENTS` in the root of the checkout and takes its exit code as ours.
pub(crate) fn run<I, S>(arguments: I) -> Result<ExitCode>
where
    I: IntoIterator<Item = S>,
    S: AsRef<std::ffi::OsStr>,
{
    let status = command().args(arguments).status().context("starting cargo")?;
    // Ended by a signal: an error like any other.
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::from(2), ExitCode::from))
}

/// Cargo in the root of the checkout.
pub(crate) fn command() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(plane::places::root());
    command
}

/// Whether `cargo NAME` is installed.
pub(crate) fn installed(name: &str) -> bool {
    let program = format!("cargo-{name}");
    let home = std::env::home_dir().map(|home| home.join(".cargo/bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs: Vec<PathBuf> = std::env::split_paths(&path).chain(home).collect();
    dirs.iter().any(|dir| dir.join(&program).is_file())
}

//! `kustomize-controller diff`: what applying a Kustomization would change.

use std::process::ExitCode;

use clap::Args;

use crate::flags::Own;

/// Arguments of `diff`.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// Name of the Kustomization.
    pub name: String,
}

/// Runs the command.
///
/// # Errors
/// The text for the user.
pub fn run(_arguments: &Arguments, _own: &Own) -> Result<ExitCode, String> {
    Ok(ExitCode::SUCCESS)
}

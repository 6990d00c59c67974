//! The commands beside the controller: `build` and `diff`.

pub mod build;
mod charts;
pub mod diff;

use std::process::ExitCode;

use crate::flags::{Command, Flags};

/// Runs a command. Exit codes: 0 done or the same, 1 different, 2 an error.
pub fn run(command: Command, flags: &Flags) -> ExitCode {
    let outcome = match command {
        Command::Build(arguments) => build::run(&arguments, flags.own.no_remote_bases),
        Command::Diff(arguments) => diff::run(&arguments, flags),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("Error: {error}");
        ExitCode::from(2)
    })
}

//! The commands beside the controller.

pub mod diff;
mod disk;
pub mod template;
mod values;

use std::process::ExitCode;

use crate::flags::{Command, Flags};

/// Runs a command. Exit codes: 0 done, or nothing would change; 1 something would. An error is 1 for `template`, as `helm`
/// has it, and 2 for `diff`.
pub fn run(command: &Command, flags: &Flags) -> ExitCode {
    let (outcome, failed) = match command {
        Command::Template(arguments) => {
            let done = template::run(arguments).map(|()| ExitCode::SUCCESS);
            (done.map_err(|error| error.to_string()), ExitCode::FAILURE)
        }
        Command::Diff(arguments) => (diff::run(arguments, flags), ExitCode::from(2)),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("Error: {error}");
        failed
    })
}

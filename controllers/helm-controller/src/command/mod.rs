//! The commands beside the controller.

mod disk;
pub mod template;
mod values;

use std::process::ExitCode;

use crate::flags::Command;

/// Runs a command. Exit codes: 0 done, 1 it failed, as `helm` has it.
pub fn run(command: Command) -> ExitCode {
    let outcome = match command {
        Command::Template(arguments) => template::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}

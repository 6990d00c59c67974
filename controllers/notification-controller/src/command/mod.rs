//! The commands beside the controller itself.

pub mod test_alert;

use std::process::ExitCode;

use crate::flags::{Command, Flags};

/// Runs a command. Exit codes: 0 done, 2 failed.
pub fn run(command: Command, flags: &Flags) -> ExitCode {
    runtime::log::init(flags.common.log_level, flags.common.log_encoding);
    let outcome = match command {
        Command::TestAlert(arguments) => runtime::process::command(test_alert::run(&arguments, flags)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

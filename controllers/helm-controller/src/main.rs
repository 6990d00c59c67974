//! helm-controller: for now only its command that renders charts.

mod command;
mod flags;

use std::process::ExitCode;

use clap::Parser;

use flags::Flags;

fn main() -> ExitCode {
    let flags = Flags::parse();
    match flags.command {
        Some(command) => command::run(command),
        None => {
            eprintln!(
                "Error: this helm-controller does not reconcile HelmReleases yet; it only has the command \
                 `helm-controller template`, see `helm-controller --help`"
            );
            ExitCode::from(2)
        }
    }
}

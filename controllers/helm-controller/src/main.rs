//! helm-controller: installs, upgrades and keeps Helm releases.

mod act;
mod command;
mod flags;
mod helmrelease;
mod oom;
mod run;

use std::process::ExitCode;

use flags::{BINARY, Flags};

fn main() -> ExitCode {
    let flags: Flags = runtime::options::parse(&BINARY);
    match &flags.command {
        Some(command) => command::run(command, &flags),
        None => runtime::process::main::<Flags, _, _, _>(&BINARY, run::run),
    }
}

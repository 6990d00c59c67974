//! kustomize-controller: builds Kustomizations and keeps clusters equal to them.

mod command;
mod flags;
mod kustomization;
mod remotes;
mod run;

use std::process::ExitCode;

use flags::{BINARY, Flags};

fn main() -> ExitCode {
    let flags: Flags = runtime::options::parse(&BINARY);
    match flags.command.clone() {
        Some(command) => command::run(command, &flags),
        None => runtime::process::main::<Flags, _, _, _>(&BINARY, run::run),
    }
}

//! notification-controller: takes the events of the other controllers, tells people and systems, and takes webhooks in.

mod alert;
mod command;
mod digest;
mod event;
mod finalizers;
mod flags;
mod provider;
mod receiver;
mod run;
mod secrets;
mod server;
mod wording;

use std::process::ExitCode;

use flags::{BINARY, Flags};

fn main() -> ExitCode {
    let flags: Flags = runtime::options::parse(&BINARY);
    match flags.command.clone() {
        Some(command) => command::run(command, &flags),
        None => runtime::process::main::<Flags, _, _, _>(&BINARY, run::run),
    }
}

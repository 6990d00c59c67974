//! source-controller: fetches sources and publishes them as artifacts over HTTP.

mod flags;
mod gitrepository;
mod helmchart;
mod helmrepository;
mod ocirepository;
mod run;
mod source;
mod storage;

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::process::main(&flags::BINARY, run::run)
}

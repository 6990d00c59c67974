//! Compares this engine with the answers of the real `kustomize build`:
//! `cargo run -p kustomize --example conformance -- DIR [--verbose] [--errors] [--filter TEXT]`.
//!
//! The exit code is 1 when a case differs that `known-differences.txt` does not list.

mod case;
mod corpus;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| args.iter().any(|arg| arg == name);
    let only = args
        .iter()
        .position(|arg| arg == "--filter")
        .and_then(|i| args.get(i + 1))
        .map_or("", String::as_str);
    let dir = args.first().map_or("../shared/conformance/kustomize", String::as_str);
    if !Path::new(dir).is_dir() {
        println!("skipped: there is no {dir}");
        return ExitCode::SUCCESS;
    }
    if flag("--errors") {
        print_errors(Path::new(dir), only);
    }
    std::panic::set_hook(Box::new(|_| {}));
    let report = corpus::run(Path::new(dir), only);
    for (name, text) in report.failures.iter().filter(|_| flag("--verbose")) {
        println!("==== {name}\n{text}");
    }
    for (name, _) in &report.failures {
        println!("different: {name}");
    }
    for name in &report.healed {
        println!("equal now, and still listed in known-differences.txt: {name}");
    }
    for (feature, counts) in &report.features {
        println!("{feature}: {counts}");
    }
    println!("total: {}", report.total());
    ExitCode::from(u8::from(!report.failures.is_empty()))
}

/// The messages of both programs next to each other, for people who improve ours.
fn print_errors(dir: &Path, only: &str) {
    for case in corpus::files(dir).iter().filter_map(|path| case::Case::read(path).ok()) {
        if let Some((theirs, ours)) = case.errors().filter(|_| case.name.contains(only)) {
            println!(
                "== {}\n  kustomize: {}\n  ours:      {}",
                case.name,
                theirs.trim_end(),
                ours.trim_end()
            );
        }
    }
}

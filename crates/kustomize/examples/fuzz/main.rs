//! Builds random kustomizations with this engine and with the real one, and compares:
//! `cargo run -p kustomize --example fuzz -- [--seconds N] [--seed S] [--keep-going]`.
//!
//! A case that differs is made as small as it gets and printed; the exit code is then 1. The real program is
//! `hack/tools/cmd/kustomizeloop`, built when it is missing; it needs Go.

mod grammar;
mod oracle;
mod shrink;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use grammar::{Case, Random};
use kustomize::{LoadRestrictions, MemoryFileSystem, Options, Reorder, RootDecoding, build};
use oracle::Oracle;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default: u64| {
        let value = args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
        value.and_then(|value| value.parse().ok()).unwrap_or(default)
    };
    let (seconds, mut seed) = (number("--seconds", 60), number("--seed", 1));
    let keep_going = args.iter().any(|arg| arg == "--keep-going");
    let mut oracle = match Oracle::start() {
        Ok(oracle) => oracle,
        Err(error) => {
            eprintln!("cannot start the real kustomize: {error}");
            return ExitCode::from(2);
        }
    };
    std::panic::set_hook(Box::new(|_| {}));
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut cases, mut outputs, mut different) = (0u64, 0u64, 0u64);
    while Instant::now() < end {
        let case = grammar::case(&mut Random::new(seed));
        match compare(&case, &mut oracle) {
            Verdict::Same { output } => outputs += u64::from(output),
            Verdict::Different => {
                different += 1;
                let small = shrink::shrink(case, |candidate| {
                    matches!(compare(candidate, &mut oracle), Verdict::Different)
                });
                report(seed, &small, &mut oracle);
                if !keep_going {
                    break;
                }
            }
        }
        cases += 1;
        seed += 1;
    }
    println!("{cases} cases, {outputs} with output, {different} different; next seed {seed}");
    ExitCode::from(u8::from(different > 0))
}

enum Verdict {
    Same { output: bool },
    Different,
}

fn compare(case: &Case, oracle: &mut Oracle) -> Verdict {
    match (ours(case), oracle.build(case)) {
        (Ok(ours), Ok(theirs)) if ours == theirs => Verdict::Same { output: true },
        (Err(error), _) if error == PANICKED => Verdict::Different,
        (Err(_), Err(_)) => Verdict::Same { output: false },
        _ => Verdict::Different,
    }
}

const PANICKED: &str = "it panicked";

fn ours(case: &Case) -> Result<String, String> {
    let mut files = MemoryFileSystem::new();
    for (path, content) in &case.files {
        files.insert(path, content.as_str());
    }
    let options = Options {
        reorder: match case.reorder {
            "legacy" => Reorder::Legacy,
            "unspecified" => Reorder::Unspecified,
            _ => Reorder::None,
        },
        load_restrictions: LoadRestrictions::RootOnly,
        root_decoding: RootDecoding::Strict,
        ..Options::default()
    };
    let built = catch_unwind(AssertUnwindSafe(|| build(&files, &case.path, &options)));
    match built {
        Ok(Ok(built)) => Ok(built.to_yaml().to_owned()),
        Ok(Err(errors)) => Err(errors.to_string()),
        Err(_) => Err(PANICKED.to_owned()),
    }
}

fn report(seed: u64, case: &Case, oracle: &mut Oracle) {
    println!("==== seed {seed}, path {:?}, reorder {}", case.path, case.reorder);
    for (path, content) in &case.files {
        println!("-- {path} --\n{content}");
    }
    let show = |answer: Result<String, String>| match answer {
        Ok(text) => text,
        Err(error) => format!("error: {error}\n"),
    };
    println!("-- kustomize --\n{}-- ours --\n{}", show(oracle.build(case)), show(ours(case)));
}

//! Renders random charts with this engine and with the real Helm, and compares:
//! `cargo xtask fuzz charts [--seconds N] [--seed S] [--keep-going] [--keep FOLDER]`.
//!
//! A case that differs is made as small as it gets and printed; the exit code is then 1. A case to which the real Helm
//! gives several answers (it loads sub-charts in random order) is counted and left alone. The real one is
//! `hack/tools/cmd/helmcommand`, built when it is missing; it needs Go.
#![allow(clippy::indexing_slicing, reason = "indexes come from below()")]

mod case;
mod grammar;
mod manifests;
mod schemas;
mod shrink;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use case::Case;
use oracle::{Oracle, Random};
use serde_json::Value as Json;

/// How long the real Helm may take for a case.
const PATIENCE: Duration = Duration::from_secs(20);

struct Settings {
    seconds: u64,
    seed: u64,
    keep_going: bool,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default: u64| {
        let value = args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
        value.and_then(|value| value.parse().ok()).unwrap_or(default)
    };
    let settings = Settings {
        seconds: number("--seconds", 60),
        seed: number("--seed", 1),
        keep_going: args.iter().any(|arg| arg == "--keep-going"),
    };
    match sprig::with_stack(|| run(&settings)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}

type Outcome = Result<String, String>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Output,
    Failure,
    Random,
    Died,
    Different,
}

fn run(settings: &Settings) -> Result<u64, String> {
    let mut oracle = real_helm()?;
    let folder = scratch()?;
    if std::env::var_os("FUZZ_PANICS").is_none() {
        std::panic::set_hook(Box::new(|_| {}));
    }
    let end = Instant::now() + Duration::from_secs(settings.seconds);
    let (mut seed, mut different) = (settings.seed, 0);
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    while Instant::now() < end {
        let case = grammar::case(&mut Random::new(seed));
        let verdict = compare(&case, &folder, &mut oracle)?;
        let name = match verdict {
            Verdict::Output => "with output",
            Verdict::Failure => "with an error",
            Verdict::Random => "random",
            Verdict::Died => "deadly for the real Helm",
            Verdict::Different => "different",
        };
        *counts.entry(name).or_default() += 1;
        if verdict == Verdict::Different {
            different += 1;
            let small = shrink(case, &folder, &mut oracle)?;
            println!("--- seed {seed}\n{small}");
            report(&small, &folder, &mut oracle)?;
            if !settings.keep_going {
                break;
            }
        }
        seed += 1;
    }
    let counted: Vec<String> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    println!("{} cases: {}; next seed {seed}", counts.values().sum::<u64>(), counted.join(", "));
    let _ = std::fs::remove_dir_all(&folder);
    Ok(different)
}

/// In memory where there is such a place.
fn scratch() -> Result<PathBuf, String> {
    let memory = PathBuf::from("/dev/shm");
    let parent = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = parent.join(format!("millrace-chart-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// The real Helm, with no cluster and no configuration.
fn real_helm() -> Result<Oracle, String> {
    let nowhere = std::env::temp_dir().join("millrace-chart-fuzz-home");
    let mut command = Command::new(oracle::tool("helmcommand")?);
    command
        .envs(["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"].map(|name| (name, &nowhere)))
        .env("KUBECONFIG", "/nowhere")
        .env("TZ", "UTC");
    Oracle::start(command, PATIENCE)
}

/// What the real Helm prints, or its error; nothing when it died.
fn theirs(case: &Case, folder: &Path, oracle: &mut Oracle) -> Result<Option<Outcome>, String> {
    let arguments = case.write(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let Ok(answer) = oracle.ask(Json::from(arguments)) else { return Ok(None) };
    let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
    let error = text("error");
    let outcome = if error.is_empty() { Ok(text("output")) } else { Err(error) };
    Ok(Some(normal(&outcome, folder)))
}

fn ours(case: &Case, folder: &Path) -> Outcome {
    let found = catch_unwind(AssertUnwindSafe(|| case.render(folder)));
    normal(&found.unwrap_or_else(|_| Err("it panicked".to_owned())), folder)
}

/// Without what is random or names this machine.
fn normal(outcome: &Outcome, folder: &Path) -> Outcome {
    let Err(text) = outcome else { return outcome.clone() };
    let text = text.trim_end().replace(&folder.display().to_string(), "FOLDER");
    // The real one walks properties in random order.
    if text.starts_with("values don't meet") {
        let mut lines: Vec<String> = text.lines().map(any_order).collect();
        lines.sort_unstable();
        return Err(lines.join("\n"));
    }
    Err(text)
}

/// A line whose names between quotes stand in an order of their own.
fn any_order(line: &str) -> String {
    let mut parts: Vec<&str> = line.split('\'').collect();
    let mut names: Vec<&str> = parts.iter().skip(3).step_by(2).copied().collect();
    names.sort_unstable();
    parts.iter_mut().skip(3).step_by(2).zip(names).for_each(|(part, name)| *part = name);
    parts.join("'")
}

fn compare(case: &Case, folder: &Path, oracle: &mut Oracle) -> Result<Verdict, String> {
    let Some(wanted) = theirs(case, folder, oracle)? else { return Ok(Verdict::Died) };
    let found = ours(case, folder);
    if found == wanted {
        return Ok(if wanted.is_ok() { Verdict::Output } else { Verdict::Failure });
    }
    for _ in 0..6 {
        if theirs(case, folder, oracle)?.as_ref() != Some(&wanted) {
            return Ok(Verdict::Random);
        }
    }
    Ok(Verdict::Different)
}

/// Leaves out files, then lines, for as long as the outcomes differ.
fn shrink(mut case: Case, folder: &Path, oracle: &mut Oracle) -> Result<Case, String> {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let mut smaller = None;
        for candidate in shrink::smaller(&case) {
            if Instant::now() > end {
                return Ok(case);
            }
            if compare(&candidate, folder, oracle)? == Verdict::Different {
                smaller = Some(candidate);
                break;
            }
        }
        match smaller {
            Some(found) => case = found,
            None => return Ok(case),
        }
    }
}

fn report(case: &Case, folder: &Path, oracle: &mut Oracle) -> Result<(), String> {
    match (theirs(case, folder, oracle)?, ours(case, folder)) {
        (Some(Ok(theirs)), Ok(ours)) => {
            let (mut theirs, mut ours) = (theirs.lines(), ours.lines());
            loop {
                match (theirs.next(), ours.next()) {
                    (None, None) => return Ok(()),
                    (a, b) if a == b => {}
                    (a, b) => {
                        println!("helm {a:?}\nours {b:?}");
                        return Ok(());
                    }
                }
            }
        }
        (theirs, ours) => println!("helm {theirs:?}\nours {ours:?}"),
    }
    Ok(())
}

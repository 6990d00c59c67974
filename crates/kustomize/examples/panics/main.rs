//! Looks for inputs on which something panics: `cargo xtask fuzz kustomize-panics [--seconds N] [--seed S] [--only TARGET]`.
//!
//! Targets: `yaml` (the reader and both writers), `kustomization`, `patches`, `replacements`. Each takes files that people
//! could have written, from the grammar of the differential fuzzer, and spoils them. Everything runs on a stack of 2 MiB,
//! as in a controller; the slowest input is told at the end.

#[path = "../fuzz/case.rs"]
mod case;
#[path = "../fuzz/grammar/mod.rs"]
mod grammar;
mod spoil;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use case::Case;
use grammar::Random;
use kustomize::{MemoryFileSystem, Options, Reorder, build};
use yaml::{Profile, ReadLimits};

/// How often progress is told.
const PROGRESS: Duration = Duration::from_secs(30);

/// The stack of a worker thread of a controller.
const STACK: usize = 2 << 20;

const TARGETS: [&str; 4] = ["yaml", "kustomization", "patches", "replacements"];

fn main() -> ExitCode {
    let worker = std::thread::Builder::new().stack_size(STACK).spawn(run);
    worker.ok().and_then(|worker| worker.join().ok()).unwrap_or(ExitCode::from(2))
}

fn run() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    let number = |name: &str| after(name).and_then(|value| value.parse::<u64>().ok());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let first = number("--seed").unwrap_or(now.as_secs() * 1_000_000);
    let seconds = number("--seconds").unwrap_or(60);
    let targets: Vec<&str> =
        TARGETS.into_iter().filter(|name| after("--only").is_none_or(|only| only == name)).collect();
    println!("looking for panics in {} for {seconds} s, from seed {first}", targets.join(", "));
    std::panic::set_hook(Box::new(|_| {}));
    let start = Instant::now();
    let (mut told, mut seed, mut panics) = (start, first, 0);
    let mut slowest = (Duration::ZERO, first, "");
    while start.elapsed() < Duration::from_secs(seconds) {
        for target in &targets {
            let mut random = Random::new(seed);
            let case = spoiled(&mut random, target);
            let begin = Instant::now();
            let done = catch_unwind(AssertUnwindSafe(|| try_out(target, &case)));
            if begin.elapsed() > slowest.0 {
                slowest = (begin.elapsed(), seed, target);
            }
            if done.is_err() {
                panics += 1;
                println!("==== {target} panics, seed {seed}");
                for (path, content) in &case.files {
                    println!("-- {path} --\n{content}");
                }
            }
        }
        seed += 1;
        if told.elapsed() >= PROGRESS {
            told = Instant::now();
            println!("{:5} s: {} inputs a target, {panics} panics", start.elapsed().as_secs(), seed - first);
        }
    }
    let (took, at, target) = slowest;
    println!(
        "{} inputs a target, {panics} panics; the slowest took {} ms ({target}, seed {at}); next seed {seed}",
        seed - first,
        took.as_millis()
    );
    ExitCode::from(u8::from(panics > 0))
}

/// A case with some of the files that matter to a target spoiled.
fn spoiled(random: &mut Random, target: &str) -> Case {
    let mut case = grammar::case(random);
    for (path, content) in &mut case.files {
        let name = path.rsplit('/').next().unwrap_or_default();
        let matters = match target {
            "kustomization" => name.to_ascii_lowercase().starts_with("kustomization"),
            "patches" => name.starts_with('p') || content.contains("patch"),
            "replacements" => content.contains("fieldPath"),
            _ => true,
        };
        if matters && !random.one_in(4) {
            *content = spoil::spoiled(random, content);
        }
    }
    case
}

fn try_out(target: &str, case: &Case) {
    if target == "yaml" {
        case.files.iter().for_each(|(_, content)| read_and_write(content.as_bytes()));
        return;
    }
    let mut files = MemoryFileSystem::new();
    for (path, content) in &case.files {
        files.insert(path, content.as_str());
    }
    let reorder = if case.reorder == "none" { Reorder::None } else { Reorder::Legacy };
    let _ = build(&files, &case.path, &Options { reorder, ..Options::default() });
    let _ = build(&files, &case.path, &Options::command_line());
}

/// Reads a text in every dialect, writes what was read in every form, and reads that again.
fn read_and_write(text: &[u8]) {
    let limits = ReadLimits::default();
    let mut values = yaml::read_documents(text, &limits).unwrap_or_default();
    for profile in [Profile::V2, Profile::V3] {
        values.extend(yaml::read_all(text, profile, &limits).unwrap_or_default());
        values.extend(yaml::read_first(text, profile, &limits).ok().flatten());
    }
    for value in &values {
        let _ = (value.to_json(), yaml::to_go_json(value));
        if let Ok(written) = yaml::to_yaml(value) {
            let _ = yaml::read_all(written.as_bytes(), Profile::V2, &limits);
        }
    }
}

//! Builds random kustomizations with this engine and with the real one, and compares:
//! `cargo xtask fuzz kustomize [--seconds N] [--seed S] [--keep-going] [--errors]`.
//!
//! A case that differs is made as small as it gets, printed, and kept as a conformance case below the system's folder
//! for temporary files; the exit code is then 1. Only where both programs fail, their messages may differ. What the real
//! program answers is asked several times before it counts as a difference, because some of its answers depend on the
//! order of Go's maps. The real program is `hack/tools/cmd/kustomizeloop`, built when it is missing; it needs Go.

mod case;
mod grammar;
mod known;
mod real;
mod save;
mod shrink;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use case::Case;
use grammar::Random;
use kustomize::{LoadRestrictions, MemoryFileSystem, Options, Reorder, RootDecoding, build};
use real::Kustomize;

/// How often progress is told.
const PROGRESS: Duration = Duration::from_secs(30);

/// How often the real program is asked again before a difference counts.
const REPEATS: usize = 5;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default: u64| {
        let value = args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
        value.and_then(|value| value.parse().ok()).unwrap_or(default)
    };
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
    // Later runs go on where earlier ones cannot have been.
    let (seconds, mut seed) = (number("--seconds", 60), number("--seed", now * 1_000_000));
    let keep_going = args.iter().any(|arg| arg == "--keep-going");
    let show_errors = args.iter().any(|arg| arg == "--errors");
    if args.iter().any(|arg| arg == "--show") {
        for (path, content) in grammar::case(&mut Random::new(seed)).files {
            println!("-- {path} --\n{content}");
        }
        return ExitCode::SUCCESS;
    }
    let mut real = match Kustomize::start() {
        Ok(real) => real,
        Err(error) => {
            eprintln!("cannot start the real kustomize: {error}");
            return ExitCode::from(2);
        }
    };
    println!("fuzzing against the real kustomize for {seconds} s, from seed {seed}");
    std::panic::set_hook(Box::new(|_| {}));
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds);
    let mut told = start;
    let mut counts = Counts::default();
    while Instant::now() < end {
        let case = grammar::case(&mut Random::new(seed));
        match compare(&case, &mut real) {
            Verdict::Same { output: true } => counts.outputs += 1,
            Verdict::Same { output: false } => {
                counts.errors += 1;
                if show_errors {
                    println!("seed {seed}: {:?}\n    ours: {:?}", real.build(&case).err(), ours(&case).err());
                }
            }
            Verdict::Varies => counts.varying += 1,
            Verdict::Known => counts.known += 1,
            Verdict::Different => {
                counts.different += 1;
                let small = shrink::shrink(case, |candidate| {
                    matches!(compare(candidate, &mut real), Verdict::Different)
                });
                report(seed, &small, &mut real);
                if !keep_going {
                    break;
                }
            }
        }
        counts.cases += 1;
        seed += 1;
        if told.elapsed() >= PROGRESS {
            told = Instant::now();
            println!("{:5} s: {counts}", start.elapsed().as_secs());
        }
    }
    println!("{counts}; next seed {seed}");
    ExitCode::from(u8::from(counts.different > 0))
}

#[derive(Default)]
struct Counts {
    cases: u64,
    outputs: u64,
    errors: u64,
    varying: u64,
    known: u64,
    different: u64,
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Counts { cases, outputs, errors, varying, known, different } = self;
        write!(
            f,
            "{cases} cases, {outputs} equal outputs, {errors} errors in both, {varying} for which the real program \
             answers now this, now that, {known} known to differ, {different} different"
        )
    }
}

enum Verdict {
    Same {
        output: bool,
    },
    /// The real program does not always answer the same.
    Varies,
    /// They differ, for a reason that is listed.
    Known,
    Different,
}

fn compare(case: &Case, real: &mut Kustomize) -> Verdict {
    let ours = ours(case);
    let theirs = real.build(case);
    if ours.as_ref().is_err_and(|error| error == PANICKED) {
        return Verdict::Different;
    }
    let same = |theirs: &Result<String, String>| match (&ours, theirs) {
        (Ok(ours), Ok(theirs)) => ours == theirs,
        (Err(_), Err(_)) => true,
        _ => false,
    };
    if same(&theirs) {
        return Verdict::Same { output: ours.is_ok() };
    }
    if known::known(case, &theirs, &ours).is_some() {
        return Verdict::Known;
    }
    for _ in 0..REPEATS {
        let again = real.build(case);
        if same(&again) || again.is_ok() != theirs.is_ok() || again.ok() != theirs.as_ref().ok().cloned() {
            return Verdict::Varies;
        }
    }
    Verdict::Different
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

fn report(seed: u64, case: &Case, real: &mut Kustomize) {
    let (theirs, ours) = (real.build(case), ours(case));
    println!("==== seed {seed}, path {:?}, reorder {}", case.path, case.reorder);
    for (path, content) in &case.files {
        println!("-- {path} --\n{content}");
    }
    let show = |answer: &Result<String, String>| match answer {
        Ok(text) => text.clone(),
        Err(error) => format!("error: {error}\n"),
    };
    println!("-- kustomize --\n{}-- ours --\n{}", show(&theirs), show(&ours));
    match save::save(seed, case, &theirs) {
        Ok(path) => println!(
            "kept in {}; run it with `cargo xtask conformance {}`",
            path.display(),
            save::folder().display()
        ),
        Err(error) => eprintln!("cannot keep the case: {error}"),
    }
}

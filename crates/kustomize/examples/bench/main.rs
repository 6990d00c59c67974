//! Times builds of this engine (processor time of one thread) and of the real one (processor time or time on the clock,
//! whichever is shorter: it uses more than one thread, and the machine may be busy), side by side:
//! `cargo xtask bench kustomize [--sizes 10,1000,4000] [--peer-limit 4000]`.
//!
//! The input has a Deployment for each resource, and an overlay with a namespace, labels, images and one patch on all. The
//! outputs of both are compared before their times are.

#[path = "../fuzz/case.rs"]
mod case;
#[path = "../fuzz/real.rs"]
mod real;

use std::process::ExitCode;
use std::time::Duration;

use case::Case;
use kustomize::{MemoryFileSystem, Options, build};
use real::Kustomize;

/// Runs of a size; the fastest counts.
const RUNS: usize = 5;

/// The real program's time grows with the square: beyond this many resources it is not asked unless told so.
const PEER_LIMIT: u32 = 4000;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    if let Some(size) = after("--alone").and_then(|size| size.parse().ok()) {
        return alone(size);
    }
    let sizes = after("--sizes").map_or("10,1000,2000,4000,8000,16000", String::as_str);
    let peer_limit = after("--peer-limit").and_then(|limit| limit.parse().ok()).unwrap_or(PEER_LIMIT);
    let mut real = match Kustomize::start() {
        Ok(real) => real,
        Err(error) => {
            eprintln!("cannot start the real kustomize: {error}");
            return ExitCode::from(2);
        }
    };
    println!("resources   input kB    ours ms   us each  peak memory/input  kustomize ms   ratio");
    for size in sizes.split(',').filter_map(|size| size.parse().ok()) {
        let Some((milliseconds, memory)) = measure(size) else { return ExitCode::from(2) };
        let case = scenario(size);
        let bytes: usize = case.files.iter().map(|(_, content)| content.len()).sum();
        let mut peer = "-".to_owned();
        let mut ratio = "-".to_owned();
        if size <= peer_limit && (size <= 1000 || size == 4000) {
            let theirs = real.build(&case);
            if theirs.as_deref() != ours(&case).as_deref() {
                eprintln!("{size} resources: the outputs differ");
                return ExitCode::FAILURE;
            }
            if let Some(took) = real.last_build() {
                peer = format!("{:.0}", took.as_secs_f64() * 1e3);
                ratio = format!("{:.0}", took.as_secs_f64() * 1e3 / milliseconds);
            }
        }
        println!(
            "{size:9} {:10} {milliseconds:10.2} {:9.1} {:>18.1} {peer:>13} {ratio:>7}",
            bytes / 1000,
            milliseconds * 1e3 / f64::from(size),
            memory / bytes as f64,
        );
    }
    ExitCode::SUCCESS
}

/// Milliseconds and peak bytes of a process that builds nothing but this.
fn measure(size: u32) -> Option<(f64, f64)> {
    let program = std::env::current_exe().ok()?;
    let output = std::process::Command::new(program).args(["--alone", &size.to_string()]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (milliseconds, memory) = text.trim().split_once(' ')?;
    Some((milliseconds.parse().ok()?, memory.parse().ok()?))
}

/// Builds once for the memory, then for the time; prints both.
fn alone(size: u32) -> ExitCode {
    let case = scenario(size);
    let mut files = MemoryFileSystem::new();
    for (path, content) in case.files {
        files.insert(&path, content);
    }
    // The first build of a process also reads the built-in tables, and loads the program: that is no cost of the input.
    let mut few = MemoryFileSystem::new();
    for (path, content) in scenario(10).files {
        few.insert(&path, content);
    }
    drop(build(&few, &case.path, &Options::default()));
    let before = peak_memory().unwrap_or_default();
    let built = build(&files, &case.path, &Options::default());
    let peak = peak_memory().unwrap_or_default();
    if let Err(errors) = built {
        eprintln!("{size} resources: {errors}");
        return ExitCode::from(2);
    }
    drop(built);
    // The system counts processor time in steps of some milliseconds.
    let repeats = (1000 / size.max(1)).max(1);
    let mut best = Duration::MAX;
    for _ in 0..RUNS {
        let start = processor_time();
        for _ in 0..repeats {
            drop(build(&files, &case.path, &Options::default()));
        }
        best = best.min((processor_time() - start) / repeats);
    }
    println!("{} {}", best.as_secs_f64() * 1e3, peak.saturating_sub(before));
    ExitCode::SUCCESS
}

fn ours(case: &Case) -> Result<String, String> {
    let mut files = MemoryFileSystem::new();
    for (path, content) in &case.files {
        files.insert(path, content.as_str());
    }
    let built = build(&files, &case.path, &Options::default()).map_err(|errors| errors.to_string())?;
    Ok(built.to_yaml().to_owned())
}

/// What this process has used of a core, which tells more than a clock on a busy machine.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}

/// The most memory this process has had, in bytes, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

fn scenario(size: u32) -> Case {
    let mut resources = String::new();
    for number in 0..size {
        if number > 0 {
            resources.push_str("---\n");
        }
        resources.push_str(&format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app-{number}\n  labels:\n    app: app-{number}\nspec:\n  \
             replicas: 2\n  selector:\n    matchLabels:\n      app: app-{number}\n  template:\n    metadata:\n      labels:\n        \
             app: app-{number}\n    spec:\n      containers:\n      - name: main\n        image: nginx:1.25\n        ports:\n        \
             - containerPort: 80\n"
        ));
    }
    let overlay = "resources:\n- ../base\nnamespace: prod\nlabels:\n- pairs:\n    team: core\n  includeSelectors: true\nimages:\n\
                   - name: nginx\n  newTag: \"1.27\"\npatches:\n- target:\n    kind: Deployment\n  patch: |-\n    apiVersion: apps/v1\n    \
                   kind: Deployment\n    metadata:\n      name: any\n    spec:\n      template:\n        spec:\n          containers:\n          \
                   - name: main\n            env:\n            - name: LEVEL\n              value: info\n";
    Case {
        files: vec![
            ("base/resources.yaml".to_owned(), resources),
            ("base/kustomization.yaml".to_owned(), "resources:\n- resources.yaml\n".to_owned()),
            ("overlay/kustomization.yaml".to_owned(), overlay.to_owned()),
        ],
        path: "overlay".to_owned(),
        reorder: "none",
    }
}

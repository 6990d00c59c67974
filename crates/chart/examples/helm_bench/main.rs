//! Times Helm's engine and ours on the charts of the conformance data, in process and as commands, side by side:
//! `cargo xtask bench helm [--charts DIR]`.
//!
//! In process: parsing and executing all templates of a loaded chart with ready values, which is what Helm's
//! `engine.Render` does; and executing alone, since a chart of ours keeps its compiled templates; the real one runs in `hack/tools/cmd/helmloop` and tells its own time. As commands: `helm
//! template` and `helm-controller template`, from start to exit. The fastest of several runs counts.
#![allow(clippy::indexing_slicing, reason = "serde_json indexes absent keys as null; sizes are fixed")]

#[expect(dead_code, reason = "cases are timed here, not compared")]
#[path = "../charts/cases.rs"]
mod cases;
mod process;
mod synthetic;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use chart::{ArchiveLimits, Chart, CompiledChart, SchemaCheck, Table, to_json, unpack};
use oracle::Oracle;
use process::{fastest, peak_memory};
use serde_json::{Value as Json, json};

/// Helm and ours take turns, since the machine is not always as fast.
const TURNS: usize = 3;
/// Runs of each kind in a turn; the fastest of all counts.
const RUNS: usize = 7;
/// How long Helm's engine may take for a chart.
const PATIENCE: Duration = Duration::from_secs(60);
/// With `--long`, for profilers.
const LONG: usize = 400;
/// Charts that render less than this are too small to tell anything.
const LARGE: usize = 8_000;

struct Arguments {
    charts: PathBuf,
    helm: Option<PathBuf>,
    controller: Option<PathBuf>,
    helm_loop: Option<PathBuf>,
    runs: usize,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1).map(PathBuf::from)
    };
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let arguments = Arguments {
        charts: after("--charts").unwrap_or_else(|| home.join("../../../shared/conformance/helm/charts")),
        helm: after("--helm"),
        controller: after("--controller"),
        helm_loop: after("--loop"),
        runs: if args.iter().any(|arg| arg == "--long") { LONG } else { RUNS },
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let cases = large(&arguments.charts)?;
    println!("In process: parse and execute the templates, milliseconds");
    println!(
        "{:44} {:>9} {:>9} {:>9} {:>7} {:>9} {:>7}",
        "chart/values", "output kB", "helm", "ours", "ratio", "compiled", "ratio"
    );
    let mut helm_loop =
        arguments.helm_loop.as_deref().map(|path| Oracle::start(Command::new(path), PATIENCE)).transpose()?;
    let (mut ratios, mut compiled) = (Vec::new(), Vec::new());
    for case in &cases {
        let (mut first, mut again, mut theirs) = (f64::INFINITY, f64::INFINITY, f64::NAN);
        for _ in 0..TURNS {
            let ours = sprig::with_stack(|| case.render(arguments.runs))?;
            (first, again) = (first.min(milliseconds(ours.0)), again.min(milliseconds(ours.1)));
            if let Some(helm_loop) = &mut helm_loop {
                theirs = theirs.min(milliseconds(case.render_with_helm(helm_loop)?));
            }
        }
        println!(
            "{:44} {:9} {theirs:9.2} {first:9.2} {:6.1}x {again:9.2} {:6.1}x",
            case.name,
            case.bytes / 1000,
            theirs / first,
            theirs / again,
        );
        ratios.push(theirs / first);
        compiled.push(theirs / again);
    }
    print!("parsed and executed: ");
    summary(&ratios, 5.0);
    print!("executed, templates compiled before: ");
    summary(&compiled, 5.0);
    if let (Some(helm), Some(controller)) = (&arguments.helm, &arguments.controller) {
        commands(&cases, helm, controller)?;
    }
    println!("\nGrowth: twice the input should take twice the time");
    synthetic::run()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn summary(ratios: &[f64], goal: f64) {
    if ratios.is_empty() {
        return;
    }
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
    println!("ratio: least {least:.1}x, geometric mean {mean:.1}x, goal {goal:.0}x");
}

/// A chart with values, loaded.
struct Large {
    name: String,
    archive: PathBuf,
    values: Option<PathBuf>,
    bytes: usize,
    chart: Chart,
    user: Table,
}

/// The default values and one more of each chart that renders enough.
fn large(folder: &Path) -> Result<Vec<Large>, String> {
    let mut found: Vec<Large> = Vec::new();
    for case in cases::read(folder)? {
        let chart = case.name.split('/').next().unwrap_or_default().to_owned();
        let of_chart = found.iter().filter(|other| other.name.starts_with(&format!("{chart}/"))).count();
        // Nothing but values, as the real engine in the loop has no other flags.
        let flags = ["error", "is_upgrade", "include_crds", "kube_version", "api_versions"];
        if of_chart >= 2 || flags.iter().any(|flag| !case.fields[flag].is_null()) {
            continue;
        }
        let archive = case.folder.join(&case.archive);
        let values = case.fields["values"].as_str().map(|path| case.folder.join(path));
        let bytes = std::fs::read(&archive).map_err(|error| format!("{}: {error}", archive.display()))?;
        let mut loaded = Chart::from_archive(&bytes, &ArchiveLimits::default()).map_err(|e| e.to_string())?;
        let user = case.user()?;
        loaded.process_dependencies(&user, &mut Vec::new()).map_err(|error| error.to_string())?;
        let bytes = case.fields["bytes"].as_u64().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0);
        if bytes >= LARGE {
            found.push(Large { name: case.name.clone(), archive, values, bytes, chart: loaded, user });
        }
    }
    Ok(found)
}

impl Large {
    /// The first rendering of a chart, and a further one with templates that are compiled.
    fn render(&self, runs: usize) -> Result<(Duration, Duration), String> {
        let request = cases::request();
        let (mut first, mut again) = (Duration::MAX, Duration::MAX);
        for _ in 0..runs {
            let values = self.chart.render_values(&self.user, SchemaCheck::Skip, &mut Vec::new());
            let values = values.map_err(|error| error.to_string())?;
            let copy = chart::to_value(&to_json(&values));
            let chart = self.chart.clone();
            let start = Instant::now();
            let compiled = CompiledChart::new(chart).map_err(|error| error.to_string())?;
            let files = compiled.render_templates(&values, &request, sprig::Options::new(0, [7; 32]));
            first = first.min(start.elapsed());
            files.map_err(|error| error.to_string())?;
            let start = Instant::now();
            let files = compiled.render_templates(&copy, &request, sprig::Options::new(0, [7; 32]));
            again = again.min(start.elapsed());
            files.map_err(|error| error.to_string())?;
        }
        Ok((first, again))
    }

    fn render_with_helm(&self, helm_loop: &mut Oracle) -> Result<Duration, String> {
        let archive = std::fs::read(&self.archive).map_err(|error| error.to_string())?;
        let files = unpack(&archive, &ArchiveLimits::default()).map_err(|error| error.to_string())?;
        let files: serde_json::Map<String, Json> =
            files.into_iter().map(|file| (file.name.clone(), json!(file.data.text()))).collect();
        let question = json!({"files": files, "values": self.user}).to_string();
        let mut best = Duration::MAX;
        for _ in 0..RUNS {
            let answer = helm_loop.ask(&question)?;
            if let Some(problem) = answer["error"].as_str() {
                return Err(format!("{}: helm: {problem}", self.name));
            }
            best = best.min(Duration::from_nanos(answer["nanoseconds"].as_u64().unwrap_or(u64::MAX)));
        }
        Ok(best)
    }
}

fn commands(cases: &[Large], helm: &Path, controller: &Path) -> Result<(), String> {
    println!("\nAs commands: from start to exit, milliseconds, and peak memory, MB");
    println!(
        "{:44} {:>9} {:>9} {:>7} {:>8} {:>8} {:>7}",
        "chart/values", "helm", "ours", "ratio", "helm MB", "ours MB", "ratio"
    );
    let (mut times, mut sizes) = (Vec::new(), Vec::new());
    for case in cases {
        let mut arguments = vec!["template".to_owned(), "rel".to_owned(), case.archive.display().to_string()];
        if let Some(values) = &case.values {
            arguments.extend(["-f".to_owned(), values.display().to_string()]);
        }
        let (mut helm_time, mut time) = (Duration::MAX, Duration::MAX);
        for _ in 0..TURNS {
            helm_time = helm_time.min(fastest(helm, &arguments, RUNS)?);
            time = time.min(fastest(controller, &arguments, RUNS)?);
        }
        let (helm_memory, memory) = (peak_memory(helm, &arguments)?, peak_memory(controller, &arguments)?);
        let (faster, smaller) = (helm_time.as_secs_f64() / time.as_secs_f64(), helm_memory / memory);
        println!(
            "{:44} {:9.1} {:9.1} {faster:6.1}x {helm_memory:8.1} {memory:8.1} {smaller:6.1}x",
            case.name,
            milliseconds(helm_time),
            milliseconds(time),
        );
        times.push(faster);
        sizes.push(smaller);
    }
    print!("time ");
    summary(&times, 10.0);
    print!("memory ");
    summary(&sizes, 3.0);
    Ok(())
}

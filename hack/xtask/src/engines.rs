//! The engines: fuzzing and benchmarking them against the programs they replace.
//!
//! Each engine brings its runners as examples of its package; they take the rest of the command line.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::cargo;

/// Where the runners of an engine are; `None` where it has none.
struct Engine {
    name: &'static str,
    package: &'static str,
    /// Builds random inputs with both programs and compares: `--seconds N`, `--seed S`.
    fuzz: Option<&'static str>,
    /// Prints both programs' times side by side.
    bench: Option<&'static str>,
}

/// A new engine is a line here.
const ENGINES: &[Engine] = &[
    Engine { name: "kustomize", package: "kustomize", fuzz: Some("fuzz"), bench: Some("bench") },
    Engine { name: "kustomize-panics", package: "kustomize", fuzz: Some("panics"), bench: None },
    Engine { name: "charts", package: "chart", fuzz: Some("chart_fuzz"), bench: None },
    Engine { name: "gotemplate", package: "sprig", fuzz: Some("template_fuzz"), bench: None },
    Engine { name: "template-panics", package: "gotemplate", fuzz: Some("template_panics"), bench: None },
];

/// The engine of that name, if there is one.
fn engine(name: &str) -> Option<&'static Engine> {
    ENGINES.iter().find(|engine| engine.name == name)
}

/// Fuzzes an engine against the program it replaces.
pub(crate) fn fuzz(name: &str, arguments: &[String]) -> Result<ExitCode> {
    match engine(name).and_then(|engine| Some((engine, engine.fuzz?))) {
        // The profile for development optimises the engines; a release build takes longer than it saves.
        Some((engine, example)) => run(engine.package, example, &[], arguments),
        None => bail!("there is nothing to fuzz called {name:?}; known: {}", names(|engine| engine.fuzz)),
    }
}

/// Whether there is a benchmark of an engine of that name.
pub(crate) fn has_bench(name: &str) -> bool {
    engine(name).is_some_and(|engine| engine.bench.is_some())
}

/// Benchmarks an engine against the program it replaces.
pub(crate) fn bench(name: &str, arguments: &[String]) -> Result<ExitCode> {
    match engine(name).and_then(|engine| Some((engine, engine.bench?))) {
        Some((engine, example)) => run(engine.package, example, &["--release"], arguments),
        None => bail!("there is nothing to measure called {name:?}; known: {}", names(|engine| engine.bench)),
    }
}

fn names(runner: impl Fn(&Engine) -> Option<&'static str>) -> String {
    let known: Vec<&str> =
        ENGINES.iter().filter(|engine| runner(engine).is_some()).map(|engine| engine.name).collect();
    known.join(", ")
}

fn run(package: &str, example: &str, flags: &[&str], arguments: &[String]) -> Result<ExitCode> {
    let mut command = vec!["run", "--quiet", "--package", package, "--example", example];
    command.extend_from_slice(flags);
    command.push("--");
    cargo::run(command.into_iter().map(String::from).chain(arguments.iter().cloned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_runner_is_there() {
        for engine in ENGINES {
            for example in [engine.fuzz, engine.bench].into_iter().flatten() {
                let examples = plane::places::root().join("crates").join(engine.package).join("examples");
                let found = examples.join(example).join("main.rs").is_file();
                assert!(found || examples.join(format!("{example}.rs")).is_file(), "{example}");
            }
        }
    }

    #[test]
    fn an_unknown_engine_is_named() {
        let error = fuzz("nothing", &[]).unwrap_err().to_string();
        assert_eq!(
            error,
            "there is nothing to fuzz called \"nothing\"; known: kustomize, kustomize-panics, charts, gotemplate, template-panics"
        );
        assert!(!has_bench("converge"));
    }
}

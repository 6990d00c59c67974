//! Renders the small templates of a folder of `*.jsonl` files and counts how many agree with Helm:
//! `functions DIR [--results FILE] [--show N]`, or `cargo xtask conformance helm-functions DIR …`.
//!
//! Prints a line for each file and level. `--results` writes what was rendered, a JSON object a line; `--show` prints
//! the first cases that differ. The exit code is 1 when a case differs at level 1.
#![allow(clippy::indexing_slicing, reason = "serde_json indexes absent keys as null")]

mod cases;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Equal and different, for each level.
#[derive(Default, Clone, Copy)]
struct Count([(usize, usize); 3]);

impl Count {
    fn add(&mut self, levels: [bool; 3]) {
        for ((equal, different), same) in self.0.iter_mut().zip(levels) {
            *equal += usize::from(same);
            *different += usize::from(!same);
        }
    }

    fn print(&self, name: &str) {
        for (level, (equal, different)) in (1..).zip(self.0) {
            println!("{name} level {level}: {equal} equal, {different} different, 0 skipped");
        }
    }
}

struct Arguments {
    folder: PathBuf,
    results: Option<PathBuf>,
    show: usize,
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("error: {problem}\nusage: functions DIR [--results FILE] [--show N]");
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}

fn arguments() -> Result<Arguments, String> {
    let mut found = Arguments { folder: PathBuf::new(), results: None, show: 0 };
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--results" => found.results = Some(given.next().ok_or("--results needs a file")?.into()),
            "--show" => {
                let number = given.next().and_then(|number| number.parse().ok());
                found.show = number.ok_or("--show needs a number")?;
            }
            flag if flag.starts_with('-') => return Err(format!("unknown flag {flag}")),
            folder => found.folder = folder.into(),
        }
    }
    if found.folder.as_os_str().is_empty() { Err("which folder?".to_owned()) } else { Ok(found) }
}

/// How many cases differ at level 1.
fn run(arguments: &Arguments) -> Result<usize, String> {
    let problem = |error: std::io::Error| error.to_string();
    let mut results = arguments.results.as_ref().map(std::fs::File::create).transpose().map_err(problem)?;
    let mut total = Count::default();
    let mut show = arguments.show;
    for path in cases::files(&arguments.folder)? {
        let mut count = Count::default();
        for case in cases::read(&path)? {
            let outcome = cases::run(&case);
            let record = cases::record(&case, &outcome);
            if let Some(results) = &mut results {
                writeln!(results, "{record}").map_err(problem)?;
            }
            let levels = cases::judge(&case, &outcome);
            count.add(levels);
            total.add(levels);
            if levels != [true; 3] && show > 0 {
                show -= 1;
                println!(
                    "--- {}\n  template {}\n  wanted   {}",
                    case["name"], case["template"], case["expect"]
                );
                println!("  found    {record}");
            }
        }
        count.print(&path.file_name().unwrap_or_default().to_string_lossy());
    }
    total.print("total");
    Ok(total.0[0].1)
}

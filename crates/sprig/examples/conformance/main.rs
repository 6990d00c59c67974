//! Runs the template cases of a folder of `*.jsonl` files and counts how many agree with Helm.
//!
//! `conformance DIR [--results FILE] [--show N]`. Levels: 1 outputs, and errors where errors are expected; 2 texts of
//! `fail` and `required`, too; 3 all error texts.

#![allow(
    clippy::indexing_slicing,
    reason = "serde_json indexes absent keys as null; counts have fixed sizes"
)]

mod chart;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Map, Value as Json, json};

use chart::{Outcome, render};

struct Count {
    equal: [usize; 3],
    different: [usize; 3],
    skipped: usize,
}

impl Count {
    const NONE: Count = Count { equal: [0; 3], different: [0; 3], skipped: 0 };

    fn add(&mut self, other: &Count) {
        for level in 0..3 {
            self.equal[level] += other.equal[level];
            self.different[level] += other.different[level];
        }
        self.skipped += other.skipped;
    }

    fn print(&self, name: &str) {
        println!("{name}");
        for level in 0..3 {
            println!(
                "  level {}: {} equal, {} different, {} skipped",
                level + 1,
                self.equal[level],
                self.different[level],
                self.skipped
            );
        }
    }
}

fn main() -> ExitCode {
    // Templates may recurse deeply.
    let work = std::thread::Builder::new().stack_size(1 << 30).spawn(run);
    match work.map(std::thread::JoinHandle::join) {
        Ok(Ok(Ok(true))) => ExitCode::SUCCESS,
        Ok(Ok(Ok(false))) => ExitCode::from(1),
        Ok(Ok(Err(problem))) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
        _ => ExitCode::from(2),
    }
}

fn run() -> Result<bool, String> {
    let mut folder = None;
    let mut results = None;
    let mut show = 0;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--results" => results = args.next(),
            "--show" => show = args.next().and_then(|n| n.parse().ok()).unwrap_or(20),
            _ => folder = Some(PathBuf::from(arg)),
        }
    }
    let folder = folder.ok_or("usage: conformance DIR [--results FILE] [--show N]")?;
    let mut out = match &results {
        Some(path) => Some(std::fs::File::create(path).map_err(|error| format!("{path}: {error}"))?),
        None => None,
    };
    let capabilities = capabilities(&folder);
    let listed = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<PathBuf> = listed.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|ext| ext == "jsonl"));
    files.sort();
    let mut total = Count::NONE;
    for path in files {
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut count = Count::NONE;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let case: Json =
                serde_json::from_str(line).map_err(|error| format!("{}: {error}", path.display()))?;
            let outcome = render(&case, &capabilities);
            if let Some(out) = &mut out {
                let line = record(&case, &outcome);
                writeln!(out, "{line}").map_err(|error| error.to_string())?;
            }
            judge(&case, &outcome, &mut count, &mut show);
        }
        count.print(&path.file_name().unwrap_or_default().to_string_lossy());
        total.add(&count);
    }
    total.print("total");
    Ok(total.different[0] == 0)
}

/// The capabilities that the cases were recorded with: beside the folder.
fn capabilities(folder: &Path) -> Json {
    let path = folder.join("../capabilities.json");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or(Json::Null)
}

fn record(case: &Json, outcome: &Outcome) -> Json {
    let mut line = Map::new();
    line.insert("name".into(), case["name"].clone());
    match outcome {
        Outcome::Rendered(files) => match files.iter().next() {
            Some((path, text)) if files.len() == 1 && path == "t/templates/t.yaml" => {
                line.insert("output".into(), json!(text));
            }
            _ => _ = line.insert("outputs".into(), json!(files)),
        },
        Outcome::Failed(text) => _ = line.insert("error".into(), json!(text)),
        Outcome::Skipped(why) => _ = line.insert("skipped".into(), json!(why)),
    }
    Json::Object(line)
}

fn judge(case: &Json, outcome: &Outcome, count: &mut Count, show: &mut usize) {
    let expect = &case["expect"];
    let levels = match outcome {
        Outcome::Skipped(_) => {
            count.skipped += 1;
            return;
        }
        Outcome::Rendered(files) => {
            let same = match (&expect["output"], &expect["outputs"]) {
                (Json::String(text), _) => files.len() == 1 && files.values().next() == Some(text),
                (_, Json::Object(wanted)) => {
                    files.len() == wanted.len()
                        && wanted
                            .iter()
                            .all(|(path, text)| files.get(path).map(String::as_str) == text.as_str())
                }
                _ => expect["error"].is_null() && files.is_empty(),
            };
            [same; 3]
        }
        Outcome::Failed(text) => match expect["error"].as_str() {
            None => [false; 3],
            Some(wanted) => {
                let same = wanted == text;
                [true, same || expect["kind"] != "fail", same]
            }
        },
    };
    for (level, same) in levels.into_iter().enumerate() {
        if same {
            count.equal[level] += 1;
        } else {
            count.different[level] += 1;
        }
    }
    if !levels[2] && *show > 0 {
        *show -= 1;
        println!("--- {}\n  template {}\n  wanted {}", case["name"], case["template"], expect);
        println!("  got    {}", record(case, outcome));
    }
}

//! Charts written in the ways of well-known public ones, and odd ones: the real Helm prints the same text, or the same
//! error. Each is a file of `tests/charts`: a line that says what it is about, then its files behind `-- PATH --`, where
//! `crlf` and `bom` behind the path say how it is stored, and `user values` is a file of values.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

#[path = "../examples/chart_fuzz/case.rs"]
mod case;

use std::path::{Path, PathBuf};
use std::process::Command;

use case::Case;

/// The real Helm, built if it is not yet.
fn helm() -> PathBuf {
    plane::programs::Peers::ensure().unwrap().helm
}

fn read(text: &str) -> Case {
    let mut case = Case::default();
    let mut parts = text.split("\n-- ");
    parts.next().unwrap();
    for part in parts {
        let (head, content) = part.split_once(" --\n").unwrap_or_else(|| panic!("no end: {part}"));
        let mut content = format!("{}\n", content.strip_suffix('\n').unwrap_or(content));
        if head == "user values" {
            case.values.push(content);
            continue;
        }
        let mut words = head.split(' ');
        let path = words.next().unwrap();
        for word in words {
            content = match word {
                "crlf" => content.replace('\n', "\r\n"),
                "bom" => format!("\u{feff}{content}"),
                other => panic!("{path}: {other}"),
            };
        }
        case.files.insert(path.to_owned(), content);
    }
    case
}

fn theirs(helm: &Path, arguments: &[String]) -> Result<String, String> {
    let output = Command::new(helm).args(arguments).output().unwrap();
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout).unwrap());
    }
    // Helm logs on standard error, too.
    let text = String::from_utf8_lossy(&output.stderr);
    let start = text.find("Error: ").unwrap_or_else(|| panic!("{text}"));
    Err(text[start + "Error: ".len()..].to_owned())
}

/// Errors without what is in random order: Helm walks the properties of a schema as they come.
fn ordered(outcome: Result<String, String>) -> Result<String, String> {
    outcome.map_err(|text| {
        let mut lines: Vec<&str> = text.trim_end().lines().collect();
        if text.starts_with("values don't meet") {
            lines.sort_unstable();
        }
        lines.join("\n")
    })
}

#[test]
fn charts_in_the_ways_of_public_ones_are_as_helm_has_them() {
    let helm = helm();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/charts");
    let mut names: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert!(names.len() > 30, "{} charts", names.len());
    let mut problems = Vec::new();
    for path in names {
        let case = read(&std::fs::read_to_string(&path).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let arguments = case.write(folder.path()).unwrap();
        let theirs = ordered(theirs(&helm, &arguments));
        let ours = ordered(sprig::with_stack(|| case.render(folder.path())));
        let name = path.file_stem().unwrap().to_string_lossy();
        if (name.contains("fails") || name.starts_with("schema")) != theirs.is_err() {
            problems.push(format!("=== {name}: the chart does not show what it should\n{theirs:?}"));
        }
        if ours != theirs {
            problems.push(format!("=== {name}\nhelm {theirs:?}\nours {ours:?}"));
        }
    }
    assert!(problems.is_empty(), "{} differ\n{}", problems.len(), problems.join("\n"));
}

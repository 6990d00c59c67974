//! `kustomize-controller build` next to the real `kustomize build`, over a part of the conformance corpus.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Every so many cases are built; each takes the real program a process.
const STEP: usize = 6;

#[test]
fn prints_and_exits_as_kustomize_does() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let corpus = root.join("../shared/conformance/kustomize");
    if !corpus.is_dir() {
        eprintln!("skipped: there is no {}", corpus.display());
        return;
    }
    let Some(kustomize) = built_tool(&root) else {
        eprintln!("skipped: the real kustomize is not built; `cargo xtask tools` builds it");
        return;
    };
    let (mut same, mut older) = (0, 0);
    for path in cases(&corpus).into_iter().step_by(STEP) {
        let bytes = std::fs::read(&path).unwrap();
        let Some(case) = Case::read(&bytes) else { continue };
        let inputs = tempfile::tempdir().unwrap();
        case.write(inputs.path());
        let theirs = case.run(Command::new(&kustomize), inputs.path());
        // The cases were made with a later kustomize than the release that Flux pins.
        if case.expected.as_ref() != theirs.status.success().then_some(&theirs.stdout) {
            older += 1;
            continue;
        }
        let ours = case.run(Command::new(env!("CARGO_BIN_EXE_kustomize-controller")), inputs.path());
        let shown = |output: &Output| {
            let (out, err) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            format!("{}\n{out}{err}", output.status)
        };
        assert!(
            ours.status.success() == theirs.status.success() && ours.stdout == theirs.stdout,
            "{}\n--- kustomize\n{}\n--- ours\n{}",
            path.display(),
            shown(&theirs),
            shown(&ours)
        );
        same += 1;
    }
    assert!(same > 50, "only {same} cases were comparable");
    println!(
        "{same} cases equal; skipped: {older} that the pinned kustomize answers otherwise than the corpus"
    );
}

/// `target/tools/*/kustomize`, if it was built.
fn built_tool(root: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(root.join("target/tools")).ok()?;
    entries.flatten().map(|entry| entry.path().join("kustomize")).find(|path| path.is_file())
}

fn cases(corpus: &Path) -> Vec<PathBuf> {
    let list = |dir: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let folders = list(corpus).into_iter().filter(|path| path.is_dir());
    let mut found: Vec<PathBuf> = folders.flat_map(|folder| list(&folder)).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "txtar"));
    found.sort();
    found
}

/// A case of which all files are plain text.
struct Case {
    files: Vec<(String, Vec<u8>)>,
    flags: Vec<String>,
    /// `None` for an error.
    expected: Option<Vec<u8>>,
}

impl Case {
    fn read(bytes: &[u8]) -> Option<Case> {
        let sections = sections(bytes);
        let raw = |name: &str| sections.iter().find(|(found, _)| found == name).map(|(_, content)| content);
        let json: Value = serde_json::from_slice(raw("case.json")?).ok()?;
        if json.get("base64").is_some() || json.get("dirs").is_some() || json["match"] == "varies" {
            return None;
        }
        let without_end = |name: &str| {
            json["noeol"].as_array().is_some_and(|names| names.iter().any(|listed| listed == name))
        };
        let content = |name: &str, raw: &[u8]| {
            let kept = if without_end(name) { raw.len().saturating_sub(1) } else { raw.len() };
            raw[..kept].to_vec()
        };
        let mut flags = vec!["build".to_owned(), json["path"].as_str()?.to_owned()];
        if let Some(order @ ("none" | "legacy")) = json["options"]["reorder"].as_str() {
            flags.extend(["--reorder".to_owned(), order.to_owned()]);
        }
        if json["options"]["loadRestrictions"] == "none" {
            flags.extend(["--load-restrictor".to_owned(), "LoadRestrictionsNone".to_owned()]);
        }
        if json["options"]["managedByLabel"] == true {
            flags.push("--enable-managedby-label".to_owned());
        }
        let files = sections.iter().filter_map(|(name, raw)| {
            name.strip_prefix("input/").map(|path| (path.to_owned(), content(name, raw)))
        });
        let version = |expected: Vec<u8>| {
            String::from_utf8_lossy(&expected).replace("kustomize-VERSION", "kustomize-v5.8.1").into_bytes()
        };
        Some(Case {
            files: files.collect(),
            flags,
            expected: raw("expected.yaml").map(|raw| version(content("expected.yaml", raw))),
        })
    }

    fn write(&self, folder: &Path) {
        for (path, content) in &self.files {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
    }

    fn run(&self, mut program: Command, folder: &Path) -> Output {
        program.args(&self.flags).current_dir(folder).output().unwrap()
    }
}

/// Names and contents; a section ends where the next begins.
fn sections(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut sections: Vec<(String, Vec<u8>)> = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let name = line.strip_prefix(b"-- ").and_then(|rest| rest.trim_ascii_end().strip_suffix(b" --"));
        match (name, sections.last_mut()) {
            (Some(name), _) => sections.push((String::from_utf8_lossy(name).into_owned(), Vec::new())),
            (None, Some((_, content))) => content.extend_from_slice(line),
            (None, None) => {}
        }
    }
    sections
}

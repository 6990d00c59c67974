//! Cases that differ, kept in the format of the conformance corpus, outside of the repository.

use std::fmt::Write as _;
use std::path::PathBuf;

use base64::Engine as _;
use serde_json::json;

use crate::case::Case;

/// Where cases are kept.
pub fn folder() -> PathBuf {
    std::env::temp_dir().join("millrace-fuzz/kustomize")
}

/// Writes a case with what the real program answers; returns its path.
pub fn save(seed: u64, case: &Case, theirs: &Result<String, String>) -> std::io::Result<PathBuf> {
    let mut encoded = Vec::new();
    let mut body = String::new();
    let mut section = |name: String, content: &str, body: &mut String| {
        let plain = content.is_empty() || content.ends_with('\n');
        let odd = content.contains(['\r', '\0']) || content.lines().any(|line| line.starts_with("-- "));
        if plain && !odd {
            let _ = write!(body, "-- {name} --\n{content}");
        } else {
            let _ =
                writeln!(body, "-- {name} --\n{}", base64::engine::general_purpose::STANDARD.encode(content));
            encoded.push(name);
        }
    };
    for (path, content) in &case.files {
        section(format!("input/{path}"), content, &mut body);
    }
    match theirs {
        Ok(text) => section("expected.yaml".to_owned(), text, &mut body),
        Err(error) => section("expected-error.txt".to_owned(), error, &mut body),
    }
    let description = json!({
        "path": case.path,
        "options": {"reorder": case.reorder, "loadRestrictions": "rootOnly"},
        "expect": if theirs.is_ok() { "output" } else { "error" },
        "match": "exact",
        "feature": "fuzz",
        "base64": encoded,
    });
    let dir = folder().join("fuzz");
    std::fs::create_dir_all(&dir)?;
    let path = dir.join(format!("seed-{seed}.txtar"));
    std::fs::write(&path, format!("-- case.json --\n{description}\n{body}"))?;
    Ok(path)
}

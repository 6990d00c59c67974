//! A folder on disk as a commit.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use testkit::git::Change;

/// The files of a folder, each as a change that writes it, with paths relative to the folder.
///
/// # Errors
/// When a file cannot be read or its name is not UTF-8.
pub fn changes(root: &Path) -> Result<Vec<Change>> {
    let mut found = Vec::new();
    collect(root, root, &mut found)?;
    Ok(found)
}

/// A change of one file in the folder: the one occurrence of `old` becomes `new`.
///
/// # Errors
/// When `old` does not occur exactly once.
pub fn edit(root: &Path, path: &str, old: &str, new: &str) -> Result<Change> {
    let content = fs::read_to_string(root.join(path)).with_context(|| format!("reading {path}"))?;
    ensure!(content.matches(old).count() == 1, "`{old}` does not occur exactly once in {path}");
    Ok(Change::file(path, content.replace(old, new)))
}

fn collect(root: &Path, dir: &Path, found: &mut Vec<Change>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("reading {}", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, found)?;
            continue;
        }
        let name = path.strip_prefix(root)?.to_str().context("a file name is not UTF-8")?;
        found.push(Change::file(name, fs::read(&path)?));
    }
    Ok(())
}

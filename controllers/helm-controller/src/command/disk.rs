//! Charts on the disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use chart::{ArchiveLimits, Chart, Entry, EntryKind, FileTree, Time};

use super::template::{Problem, words};

/// The full path of a chart, if there is something at it.
pub fn locate(path: &Path) -> Result<PathBuf, Problem> {
    let trimmed = path.to_string_lossy().trim().to_owned();
    if fs::metadata(&trimmed).is_err() {
        return Err(Problem::NoChart { path: trimmed.into() });
    }
    // Helm names files in full.
    let full = std::path::absolute(&trimmed).unwrap_or_else(|_| path.to_owned());
    Ok(full.components().collect())
}

/// Loads the chart in a folder or an archive.
pub fn load(path: &Path) -> Result<Chart, Problem> {
    let limits = ArchiveLimits::default();
    let disk = |verb: &'static str| {
        let path = path.to_owned();
        move |source| Problem::Disk { verb, path, source }
    };
    if path.is_dir() {
        let metadata = path.join("Chart.yaml");
        if let Err(source) = fs::metadata(&metadata) {
            return Err(Problem::NoMetadata { path: metadata, source });
        }
        return Ok(Chart::from_folder(&Folder(path.to_owned()), &limits)?);
    }
    let bytes = fs::read(path).map_err(disk("open"))?;
    if !bytes.starts_with(b"\x1f\x8b\x08") {
        let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        let path = path.to_owned();
        return Err(if yaml {
            Problem::YamlFile { path }
        } else {
            Problem::NoArchive { path, kind: kind_of(&bytes) }
        });
    }
    Chart::from_archive(&bytes, &limits).map_err(|problem| match problem {
        chart::Error::Archive(problem) => Problem::Archive { problem },
        problem => problem.into(),
    })
}

/// What Go's `http.DetectContentType` says of the first 512 bytes, which Helm fills up with zeros.
fn kind_of(bytes: &[u8]) -> &'static str {
    let binary = |b: &u8| matches!(b, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f);
    match bytes.get(..512) {
        _ if bytes.starts_with(b"PK\x03\x04") => "application/zip",
        Some(start) if !start.iter().any(binary) => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// A path with `..` resolved by name.
fn without_dots(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => _ = out.pop(),
            part => out.push(part),
        }
    }
    out
}

struct Folder(PathBuf);

impl FileTree for Folder {
    fn entries(&self, folder: &str) -> Result<Vec<Entry>, String> {
        let folder = self.0.join(folder);
        let problem = |error: std::io::Error| format!("open {}: {}", folder.display(), words(&error));
        let mut entries = Vec::new();
        for entry in fs::read_dir(&folder).map_err(problem)? {
            let entry = entry.map_err(problem)?;
            // Links are followed.
            let found = fs::metadata(entry.path()).map_err(|error| {
                let path = entry.path();
                let target = fs::read_link(&path)
                    .map_or_else(|_| path.clone(), |target| without_dots(&folder.join(target)));
                format!(
                    "error evaluating symlink {}: lstat {}: {}",
                    path.display(),
                    target.display(),
                    words(&error)
                )
            })?;
            let kind = match found.file_type() {
                kind if kind.is_dir() => EntryKind::Folder,
                kind if kind.is_file() => EntryKind::File,
                _ => EntryKind::Irregular,
            };
            let modified =
                found.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map(|age| {
                    let nanoseconds = i32::try_from(age.subsec_nanos()).unwrap_or(0);
                    Time::unix(i64::try_from(age.as_secs()).unwrap_or(0), nanoseconds)
                });
            let name = entry.file_name().to_string_lossy().into_owned();
            entries.push(Entry { name, kind, size: found.len(), modified });
        }
        Ok(entries)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let path = self.0.join(path);
        fs::read(&path).map_err(|error| format!("open {}: {}", path.display(), words(&error)))
    }
}

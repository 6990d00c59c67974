//! Charts on the disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use chart::{ArchiveLimits, Chart, Entry, EntryKind, FileTree, Time};

use super::template::Problem;

/// Loads the chart in a folder or an archive.
pub fn load(path: &Path) -> Result<Chart, Problem> {
    let limits = ArchiveLimits::default();
    let unreadable = |source| Problem::Read { path: path.to_owned(), source };
    let found = fs::metadata(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Problem::NoChart { path: path.to_owned() },
        _ => unreadable(source),
    })?;
    if found.is_dir() {
        return Ok(Chart::from_folder(&Folder(path.to_owned()), &limits)?);
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    // Helm names the file in full.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if !bytes.starts_with(b"\x1f\x8b\x08") {
        let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        return Err(if yaml { Problem::YamlFile { path } } else { Problem::NoArchive { path } });
    }
    Ok(Chart::from_archive(&bytes, &limits)?)
}

struct Folder(PathBuf);

impl FileTree for Folder {
    fn entries(&self, folder: &str) -> Result<Vec<Entry>, String> {
        let folder = self.0.join(folder);
        let problem = |error: std::io::Error| format!("{}: {error}", folder.display());
        let mut entries = Vec::new();
        for entry in fs::read_dir(&folder).map_err(problem)? {
            let entry = entry.map_err(problem)?;
            // Links are followed.
            let found =
                fs::metadata(entry.path()).map_err(|error| format!("{}: {error}", entry.path().display()))?;
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
        fs::read(self.0.join(path)).map_err(|error| error.to_string())
    }
}

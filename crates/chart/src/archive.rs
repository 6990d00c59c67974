//! Charts in gzipped tar files.

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};

use flate2::read::MultiGzDecoder;
use gotemplate::Str;

use crate::error::Error;
use crate::file::File;
use crate::time::Time;

/// How much is decompressed at a time, in bytes.
const PIECE: usize = 64 << 10;

/// What a chart may weigh when it is unpacked.
#[derive(Debug, Clone, Copy)]
pub struct ArchiveLimits {
    /// All files together, in bytes; reaching it is an error, too. Default: 100 MiB.
    pub total: u64,
    /// One file, in bytes. Default: 5 MiB.
    pub file: u64,
}

impl Default for ArchiveLimits {
    fn default() -> ArchiveLimits {
        ArchiveLimits { total: 100 << 20, file: 5 << 20 }
    }
}

/// A reader that can be moved forward: the one of tar skips nothing else than what lies before the next entry, and
/// without this it clears a large buffer to read each bit of padding into.
struct Forward<R> {
    inner: R,
    position: u64,
}

impl<R: Read> Read for Forward<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let length = self.inner.read(into)?;
        self.position += length as u64;
        Ok(length)
    }
}

impl<R: BufRead> Seek for Forward<R> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let left = if let SeekFrom::Current(offset) = to { u64::try_from(offset).ok() } else { None };
        let Some(mut left) = left else { return Err(std::io::ErrorKind::Unsupported.into()) };
        while left > 0 {
            let there = self.inner.fill_buf()?.len();
            if there == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let passed = there.min(usize::try_from(left).unwrap_or(usize::MAX));
            self.inner.consume(passed);
            self.position += passed as u64;
            left -= passed as u64;
        }
        Ok(self.position)
    }
}

/// Unpacks an archive into its files, without the first part of their paths. Nothing is followed: a link is an empty
/// file.
///
/// # Errors
/// When it is no gzipped tar file, holds no file, a file outside of its folder, or more than the limits allow.
pub fn unpack(bytes: &[u8], limits: &ArchiveLimits) -> Result<Vec<File>, Error> {
    unpack_some(bytes, limits, |_| true, |_| {})
}

/// As [`unpack`], but keeps only the files that are wanted, and shows each as soon as it is there. The others are looked
/// at all the same.
pub(crate) fn unpack_some(
    bytes: &[u8],
    limits: &ArchiveLimits,
    is_wanted: impl Fn(&str) -> bool,
    mut see: impl FnMut(&File),
) -> Result<Vec<File>, Error> {
    let too_large =
        || archive(format!("decompressed chart is larger than the maximum size {}", limits.total));
    let mut left = limits.total;
    let (mut files, mut is_empty) = (Vec::new(), true);
    if bytes.get(..2) != Some(b"\x1f\x8b") {
        return Err(archive(if bytes.len() < 10 { "unexpected EOF" } else { "gzip: invalid header" }));
    }
    // Headers and padding count as well, so that a stream of directories alone ends, too.
    let stream = MultiGzDecoder::new(bytes).take(limits.total.saturating_mul(2).saturating_add(1 << 20));
    // Headers are small, and to decompress in small pieces takes twice as long.
    let mut tar = tar::Archive::new(Forward { inner: BufReader::with_capacity(PIECE, stream), position: 0 });
    for entry in tar.entries_with_seek().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let kind = entry.header().entry_type();
        let raw = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if kind.is_dir() || raw.ends_with('/') || kind.is_pax_global_extensions() {
            continue;
        }
        let name = inner_path(&raw)?;
        let size = entry.size();
        if size > left {
            return Err(too_large());
        }
        if size > limits.file {
            let most = limits.file;
            return Err(archive(format!(
                "decompressed chart file {raw:?} is larger than the maximum file size {most}"
            )));
        }
        is_empty = false;
        let is_wanted = is_wanted(&name);
        left -= size;
        if left == 0 {
            return Err(too_large());
        }
        if !is_wanted {
            // The next entry begins behind it.
            continue;
        }
        let room = usize::try_from(size).map_err(|_| too_large())?;
        let data = Str::filled(room, |room| entry.read_exact(room)).map_err(unreadable)?;
        let modified =
            entry.header().mtime().ok().map(|seconds| Time::unix(i64::try_from(seconds).unwrap_or(0), 0));
        let file = File::of(name, data).modified(modified);
        see(&file);
        files.push(file);
    }
    if is_empty {
        return Err(archive("no files in chart archive"));
    }
    Ok(files)
}

fn archive(problem: impl Into<String>) -> Error {
    Error::Archive(problem.into())
}

fn unreadable(error: std::io::Error) -> Error {
    archive(match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "unexpected EOF".to_owned(),
        _ => format!("the chart archive cannot be read: {error}"),
    })
}

/// The path below the archive's top folder, or why it must not be used.
fn inner_path(raw: &str) -> Result<String, Error> {
    let delimiter = if raw.contains('\\') { '\\' } else { '/' };
    let (first, rest) = raw.split_once(delimiter).unwrap_or((raw, ""));
    let rest = rest.replace(delimiter, "/");
    if rest.starts_with('/') {
        return Err(archive("chart illegally contains absolute paths"));
    }
    let rest = clean(&rest);
    if rest == "." {
        return Err(archive(format!("chart illegally contains content outside the base directory: {raw:?}")));
    }
    if rest.starts_with("..") {
        return Err(archive("chart illegally references parent directory"));
    }
    if let [letter, b':', b'/', ..] = rest.as_bytes()
        && letter.is_ascii_alphabetic()
    {
        return Err(archive("chart contains illegally named files"));
    }
    if first == "Chart.yaml" {
        return Err(archive("chart yaml not in base directory"));
    }
    Ok(rest)
}

/// A relative path without `.`, `..` and empty parts where they can be resolved, as Go's `path.Clean`.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_leave_the_folder_are_refused() {
        let problem = |raw: &str| inner_path(raw).map_err(|error| error.to_string());
        assert_eq!(problem("c/templates/./a.yaml").unwrap(), "templates/a.yaml");
        assert_eq!(problem("c\\templates\\a.yaml").unwrap(), "templates/a.yaml");
        assert_eq!(problem("c//etc/passwd").unwrap_err(), "chart illegally contains absolute paths");
        assert_eq!(problem("c/../../x").unwrap_err(), "chart illegally references parent directory");
        assert_eq!(problem("c/c:/x").unwrap_err(), "chart contains illegally named files");
        assert_eq!(problem("Chart.yaml/x").unwrap_err(), "chart yaml not in base directory");
        assert_eq!(
            problem("Chart.yaml").unwrap_err(),
            "chart illegally contains content outside the base directory: \"Chart.yaml\""
        );
    }
}

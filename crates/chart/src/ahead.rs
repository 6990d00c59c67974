//! Default values, read by another thread while the rest of the chart is still being unpacked.

use std::collections::BTreeMap;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};

use gotemplate::Str;
use sprig::Beside;

use crate::file::File;
use crate::values::{PlainTable, read_documents};

/// From how many bytes on a file is worth a thread.
const WORTH_A_THREAD: usize = 24 << 10;
/// From how many bytes on others join it.
const WORTH_JOINING: usize = 2 << 10;

/// Files of values that are being read.
#[derive(Default)]
pub(crate) struct Ahead {
    /// By the addresses of their texts: paths may come twice.
    found: BTreeMap<usize, Arc<Reading>>,
    reader: Option<Reader>,
}

struct Reader {
    files: Sender<Arc<Reading>>,
    /// What it has not begun when the chart is loaded is not wanted any more.
    _thread: Beside<()>,
}

struct Reading {
    text: Str,
    values: OnceLock<Result<PlainTable, String>>,
}

impl Reading {
    fn values(&self) -> &Result<PlainTable, String> {
        self.values.get_or_init(|| read_documents(&self.text))
    }
}

impl Ahead {
    /// Reads a file ahead if its path, within the chart or above it, is that of default values.
    pub(crate) fn see(&mut self, file: &File) {
        let least = if self.reader.is_some() { WORTH_JOINING } else { WORTH_A_THREAD };
        if file.data.len() < least || !is_values(&file.name) {
            return;
        }
        let reading = Arc::new(Reading { text: file.data.clone(), values: OnceLock::new() });
        let reader = self.reader.get_or_insert_with(|| {
            let (files, found) = channel::<Arc<Reading>>();
            let read = move || {
                for reading in found {
                    reading.values();
                }
            };
            Reader { files, _thread: Beside::start(read) }
        });
        _ = reader.files.send(Arc::clone(&reading));
        self.found.insert(address(file), reading);
    }

    /// The values of a file: those that were read ahead, or else read now.
    pub(crate) fn values(&self, file: &File) -> Result<PlainTable, String> {
        match self.found.get(&address(file)) {
            Some(reading) => reading.values().clone(),
            None => read_documents(&file.data),
        }
    }
}

/// Where the text of a file is. Whoever holds a copy of the text keeps it there.
fn address(file: &File) -> usize {
    file.data.as_ptr().addr()
}

/// `values.yaml`, `charts/db/values.yaml`, …
fn is_values(path: &str) -> bool {
    let mut rest = path;
    while let Some((_, inner)) = rest.strip_prefix("charts/").and_then(|inner| inner.split_once('/')) {
        rest = inner;
    }
    rest == "values.yaml"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_values_are_told_by_their_paths() {
        for path in ["values.yaml", "charts/db/values.yaml", "charts/db/charts/charts/values.yaml"] {
            assert!(is_values(path), "{path}");
        }
        for path in ["ci/values.yaml", "charts/values.yaml", "charts/db/ci/values.yaml", "values.yaml/charts"]
        {
            assert!(!is_values(path), "{path}");
        }
    }

    #[test]
    fn values_are_the_same_whoever_reads_them() {
        let text = |n: usize| format!("# {}\nn: {n}\n", "long ".repeat(WORTH_A_THREAD - n * 600));
        let mut ahead = Ahead::default();
        let files: Vec<File> = (0..9).map(|n| File::new("values.yaml", text(n).as_bytes())).collect();
        let bad = File::new("values.yaml", format!("{}: [", "x".repeat(WORTH_A_THREAD)).as_bytes());
        files.iter().skip(1).chain([&bad]).for_each(|file| ahead.see(file));
        for file in files.iter().chain([&bad]).rev() {
            assert_eq!(ahead.values(file), read_documents(&file.data));
        }
        assert!(ahead.values(&bad).is_err());
        assert_eq!(ahead.found.len(), files.len());
    }
}

//! The files of a chart.

use gotemplate::Str;

use crate::Time;

/// A file. The content is shared: copies are cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Path within the chart, with `/`.
    pub name: String,
    /// Content, without a byte order mark.
    pub data: Str,
    /// When it was last changed, if known.
    pub modified: Option<Time>,
}

impl File {
    /// A file without a time. A UTF-8 byte order mark is dropped.
    #[must_use]
    pub fn new(name: impl Into<String>, data: &[u8]) -> File {
        File::of(name, data.into())
    }

    /// As [`File::new`], of a content that is shared.
    pub(crate) fn of(name: impl Into<String>, data: Str) -> File {
        let data = data.strip_prefix(b"\xef\xbb\xbf").map(Str::from).unwrap_or(data);
        File { name: name.into(), data, modified: None }
    }

    /// The same with a time.
    #[must_use]
    pub fn modified(self, time: Option<Time>) -> File {
        File { modified: time, ..self }
    }
}

/// The last part of a path.
pub(crate) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// What follows the last dot of the last part of a path, with the dot; as Go's `filepath.Ext`.
pub(crate) fn extension(path: &str) -> &str {
    let base = base_name(path);
    base.rfind('.').and_then(|dot| base.get(dot..)).unwrap_or_default()
}

//! A build to compare.

/// A tree of files and what to build.
#[derive(Clone)]
pub struct Case {
    /// Paths and contents.
    pub files: Vec<(String, String)>,
    /// The folder to build.
    pub path: String,
    /// `none`, `legacy` or `unspecified`.
    pub reorder: &'static str,
}

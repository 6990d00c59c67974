//! What a build looked at.

use std::collections::BTreeSet;

/// Every path that a build looked at, relative to the root. If none of them differs in another tree, neither does
/// the result of the build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Files whose content was read.
    pub files: BTreeSet<String>,
    /// Directories that were asked for, or looked into.
    pub directories: BTreeSet<String>,
    /// Paths at which nothing was found: an entry appearing there could change the result.
    pub absent: BTreeSet<String>,
}

//! What a build may do, and how its output is ordered.

/// Options of a build. The default is what a controller wants: no final sort, files from anywhere inside the file
/// system, nothing remote, a lenient root file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Final order when the root kustomization has no `sortOptions`. Default: [`Reorder::None`].
    pub reorder: Reorder,
    /// Where files may be loaded from. Default: [`LoadRestrictions::None`].
    pub load_restrictions: LoadRestrictions,
    /// How unknown fields of the root kustomization file are taken; bases are always strict.
    /// Default: [`RootDecoding::Lenient`].
    pub root_decoding: RootDecoding,
    /// Whether every object gets the label `app.kubernetes.io/managed-by: kustomize-VERSION`; `None` leaves it to
    /// `buildMetadata`, `Some(version)` sets it. Default: `None`.
    pub managed_by: Option<String>,
    /// Limits on what a build may read and make.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            reorder: Reorder::None,
            load_restrictions: LoadRestrictions::None,
            root_decoding: RootDecoding::Lenient,
            managed_by: None,
            limits: Limits::default(),
        }
    }
}

impl Options {
    /// What the `kustomize build` command does by default: legacy order, files from below the kustomization only, a
    /// strict root file.
    #[must_use]
    pub fn command_line() -> Self {
        Self {
            reorder: Reorder::Unspecified,
            load_restrictions: LoadRestrictions::RootOnly,
            root_decoding: RootDecoding::Strict,
            ..Self::default()
        }
    }
}

/// Final order of the output. `sortOptions` in the root kustomization file wins over all of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reorder {
    /// The order in which the objects were accumulated.
    None,
    /// Sorted by kind, group, version, namespace and name as kustomize has always done.
    Legacy,
    /// Nothing was asked for: the same as [`Reorder::Legacy`].
    Unspecified,
}

/// Where a kustomization may load files (not directories) from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadRestrictions {
    /// From its own directory and below.
    RootOnly,
    /// From anywhere inside the file system.
    None,
}

/// How unknown fields of a kustomization file are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootDecoding {
    /// Ignored, with a warning.
    Lenient,
    /// An error.
    Strict,
}

/// Limits that no input can get around.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one file. Default: 64 MiB.
    pub file_bytes: usize,
    /// Bytes of all files of a build, repeated reads included. Default: 256 MiB.
    pub total_bytes: usize,
    /// Files and directories read in a build. Default: 100,000.
    pub files: usize,
    /// Bases within bases. Default: 64.
    pub depth: usize,
    /// Nodes that the aliases of one YAML file may expand to. Default: 1,000,000.
    pub alias_nodes: usize,
    /// Bytes that a build may add by copying: through aliases, patches, replacements and vars. A node counts as 64 bytes
    /// and its text. Default: 256 MiB.
    pub copied_bytes: usize,
    /// Objects in the output. Default: 200,000.
    pub resources: usize,
    /// Bytes of the output. Default: 256 MiB.
    pub output_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 64 << 20,
            total_bytes: 256 << 20,
            files: 100_000,
            depth: 64,
            alias_nodes: 1_000_000,
            copied_bytes: 256 << 20,
            resources: 200_000,
            output_bytes: 256 << 20,
        }
    }
}

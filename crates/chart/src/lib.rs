//! Helm charts: loading, values, dependencies, schemas, rendering, hooks, manifests, release records.
//!
//! The way of a chart, each step as Helm 4.2 does it:
//!
//! 1. [`Chart::from_archive`] or [`Chart::from_folder`] loads it with its sub-charts;
//! 2. [`read_values`], [`overlay`] and [`set`] make the user's values;
//! 3. [`Chart::process_dependencies`] decides which sub-charts there are;
//! 4. [`Chart::render`] combines and checks the values and renders the templates;
//! 5. [`assemble`] cuts the files into hooks, manifests and notes, in install order.
//!    Between the two, [`post_render`] lets a post-renderer change the documents;
//! 6. [`Release`] is what Helm keeps of a revision, read and written as Helm does.
//!
//! [`Chart::package`] packs a chart as `helm package` does.
//!
//! Pure: no IO, no clock, nothing random; time and seed come with [`sprig::Options`], a disk through [`FileTree`]. A
//! [`Chart`] can be shared between threads. Charts are input from strangers: sizes, depths and steps are limited, and no
//! input makes this crate panic.

mod ahead;
mod archive;
mod capabilities;
mod context;
mod decode;
mod dependencies;
mod error;
mod file;
mod folder;
mod hook;
mod ignore;
mod index;
mod listing;
mod load;
mod manifest;
mod metadata;
mod order;
mod package;
mod postrender;
mod record;
mod release_name;
mod render;
mod schema;
mod time;
mod values;
mod wildcard;

pub use archive::{ArchiveLimits, unpack};
pub use capabilities::{Capabilities, KubeVersion};
pub use context::{Action, ReleaseOptions};
pub use error::Error;
pub use file::File;
pub use folder::{Entry, EntryKind, FileTree, read_folder};
pub use hook::{Event, Hook, HookRun};
pub use ignore::{IgnoreRules, PathKind};
pub use index::{
    IndexError, IndexVersion, choose as choose_in_index, find as find_in_index, normalise as normalise_index,
};
pub use listing::{Part, listing, show_only};
pub use load::Chart;
pub use manifest::{Manifest, Notes, Rendering, Separators, assemble, source, split};
pub use metadata::{Dependency, Lock, Maintainer, Metadata};
pub use order::{INSTALL_ORDER, UNINSTALL_ORDER, install_rank, uninstall_rank};
pub use package::Package;
pub use postrender::{PostRenderer, Stream, post_render};
pub use record::{
    Driver, Info, Release, SYSTEM_LABELS, Sorted, Stamp, Status, StoredChart, StoredFile, check_labels,
    to_go_json,
};
pub use release_name::{check_release_name, name_from_template};
pub use render::{CompiledChart, Files, Request, SchemaCheck};
pub use time::Time;
pub use values::{
    PlainTable, Set, Table, Warnings, coalesce_values, floats, overlay, read_first_values, read_json_table,
    read_values, set, to_json, to_value,
};
pub use wildcard::matches as matches_wildcard;

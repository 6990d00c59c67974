//! `kustomize build` (5.8 semantics) as a pure library: [`build`] turns a tree of files into Kubernetes objects.
//!
//! Files come from a [`FileSystem`], which nothing in a kustomization can leave. There is no global state: builds run
//! in parallel. Every independent error of a build is reported.
//!
//! ```
//! use kustomize::{MemoryFileSystem, Options, build};
//!
//! let mut files = MemoryFileSystem::new();
//! files
//!     .insert("base/kustomization.yaml", "resources: [map.yaml]\n")
//!     .insert("base/map.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n")
//!     .insert("prod/kustomization.yaml", "resources: [../base]\nnamespace: prod\n");
//! let built = build(&files, "prod", &Options::default())?;
//! assert_eq!(
//!     built.yaml(),
//!     "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n  namespace: prod\n"
//! );
//! # Ok::<(), kustomize::BuildErrors>(())
//! ```
//!
//! Remote bases and files, and charts (`helmCharts`), are refused by [`build`]; with [`build_with`] the caller fetches and
//! renders them. Not done here, each with an error that says so: KRM functions and exec plugins. What kustomize reads from
//! comments (kpt's schemas) is not read.

mod build;
mod config;
mod embedded;
mod error;
mod fs;
mod generate;
mod growth;
mod inputs;
mod kustomization;
mod load;
mod options;
mod origin;
mod refs;
mod resource;
mod select;
mod target;
mod transform;

pub use build::{Build, build, build_with};
pub use error::{BuildError, BuildErrors};
pub use fs::{
    DiskFileSystem, FileSystem, FsError, MemoryFileSystem, OverlayFileSystem, base_name, clean, join, parent,
};
pub use generate::{ChartInflation, Inflate};
pub use inputs::Inputs;
pub use load::{Fetch, Fetched, Outside, Remote, RemoteDirectory};
pub use options::{Limits, LoadRestrictions, Options, Reorder, RootDecoding};
pub use resource::{Gvk, Resource, ResourceId};

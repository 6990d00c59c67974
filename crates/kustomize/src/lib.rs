//! `kustomize build` (5.8 semantics) as a pure library: [`build`] turns a tree of files into Kubernetes objects.
//!
//! Files come from a [`FileSystem`], which nothing in a kustomization can leave. There is no global state: builds run
//! in parallel. Every independent error of a build is reported.

mod build;
mod config;
mod embedded;
mod error;
mod fs;
mod generate;
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

pub use build::{Build, build};
pub use error::{BuildError, BuildErrors};
pub use fs::{
    DiskFileSystem, FileSystem, FsError, MemoryFileSystem, OverlayFileSystem, base_name, clean, join, parent,
};
pub use inputs::Inputs;
pub use options::{Limits, LoadRestrictions, Options, Reorder, RootDecoding};
pub use resource::{Gvk, Resource, ResourceId};

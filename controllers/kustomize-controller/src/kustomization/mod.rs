//! The reconciler of Kustomizations, by its steps.

pub mod documents;
pub mod download;
pub mod files;
pub mod gate;
pub mod generate;
pub mod sources;
pub mod status;
pub mod variables;
pub mod wake;

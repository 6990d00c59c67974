//! What the scenarios, the demo and the benchmarks share.

pub mod converge;
pub mod folder;

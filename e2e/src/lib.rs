//! What the scenarios, the demo and the benchmarks share.

pub mod audit;
pub mod converge;
pub mod folder;
pub mod stage;

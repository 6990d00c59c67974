//! `cargo xtask check-layers`: the direction pure ← io ← kubernetes ← controllers ← e2e, from `cargo metadata`.

mod graph;
mod rules;

use std::process::ExitCode;

use anyhow::Result;

pub(crate) fn run() -> Result<ExitCode> {
    let graph = graph::Graph::of_workspace()?;
    let violations = rules::violations(&graph);
    for violation in &violations {
        eprintln!("{violation}");
    }
    if violations.is_empty() {
        eprintln!("layers: {} crates keep the direction", graph.members().count());
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("see the section Layout of the design: pure ← io ← kubernetes ← controllers ← e2e");
    Ok(ExitCode::from(1))
}

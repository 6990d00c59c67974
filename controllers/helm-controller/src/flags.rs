//! The command line.

use clap::{Parser, Subcommand};

use crate::command::template::Arguments;

/// Helm releases. The controller is not there yet: only `template` is.
#[derive(Parser)]
#[command(name = "helm-controller", version, max_term_width = 110)]
pub struct Flags {
    /// What to do; without it, a controller would run.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands beside the controller.
#[derive(Subcommand)]
pub enum Command {
    /// Renders a chart and prints its objects, as `helm template` does
    Template(Box<Arguments>),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Flags::command().debug_assert();
    }
}

//! The demonstration; run by `cargo xtask demo`.

mod chat;
mod cluster;
mod drift;
mod progress;
mod pushes;
mod shop;
mod stranger;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use cluster::{Cluster, Programs};
use progress::Story;

/// From a Git commit to healthy objects on a real cluster.
#[derive(Parser)]
#[command(name = "cargo xtask demo", bin_name = "cargo xtask demo", max_term_width = 110)]
pub(crate) struct Options {
    /// Use the cluster of the current kubeconfig context instead of starting one
    #[arg(long)]
    use_current_context: bool,
    /// Deploy this repository (http or https) instead of the shop
    #[arg(long)]
    url: Option<String>,
    /// Branch of --url
    #[arg(long, default_value = "main", requires = "url")]
    branch: String,
    /// Folder of --url
    #[arg(long, default_value = "./", requires = "url")]
    path: String,
    /// Leave everything running at the end, until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// Use the controllers in DIR
    #[arg(long, value_name = "DIR", hide = true)]
    controllers: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let told = async {
        let programs = Programs::ensure(&options).await?;
        let mut story = Story::begin();
        tell(&options, &programs, &mut story).await?;
        story.sum_up();
        anyhow::Ok(())
    };
    match told.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn tell(options: &Options, programs: &Programs, story: &mut Story) -> Result<()> {
    let cluster = Cluster::prepare(options, programs, story).await?;
    let told = async {
        match &options.url {
            Some(url) => stranger::tell(&cluster, url, options, story).await?,
            None => shop::tell(&cluster, story).await?,
        }
        if options.keep {
            cluster.keep(story).await?;
        }
        Ok(())
    };
    let outcome = tokio::select! {
        outcome = told => outcome,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    if outcome.is_err() {
        cluster.explain();
    }
    let cleaned = cluster.clean_up(story).await;
    outcome.and(cleaned)
}

//! What is printed.

use std::fmt::Write;
use std::time::Duration;

use jiff::Timestamp;

use crate::requests::Requests;

/// One contender's figures.
pub(crate) struct Run {
    pub(crate) title: &'static str,
    pub(crate) setup: String,
    pub(crate) phases: Vec<Phase>,
    pub(crate) source_peak_mib: f64,
    pub(crate) kustomize_peak_mib: f64,
}

/// One phase's figures.
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    /// Until the last object is in the state waited for.
    pub(crate) wall: Duration,
    /// CPU seconds, until two seconds later.
    pub(crate) source_cpu: f64,
    pub(crate) kustomize_cpu: f64,
    pub(crate) api_server_cpu: f64,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) requests: Requests,
}

impl Phase {
    fn controllers_cpu(&self) -> f64 {
        self.source_cpu + self.kustomize_cpu
    }
}

const CONTROLLERS: [&str; 2] = ["source-controller", "kustomize-controller"];

/// One contender's table.
pub(crate) fn table(run: &Run) -> String {
    let mut out = format!("\n{}: {}\n", run.title, run.setup);
    let _ = writeln!(
        out,
        "{:<14}{:>9}{:>12}{:>15}{:>13}",
        "", "wall s", "source CPU", "kustomize CPU", "API srv CPU"
    );
    for phase in &run.phases {
        let _ = writeln!(
            out,
            "{:<14}{:>9.2}{:>12.2}{:>15.2}{:>13.2}",
            phase.name,
            phase.wall.as_secs_f64(),
            phase.source_cpu,
            phase.kustomize_cpu,
            phase.api_server_cpu
        );
    }
    let _ = writeln!(
        out,
        "peak RSS: source-controller {:.1} MiB, kustomize-controller {:.1} MiB",
        run.source_peak_mib, run.kustomize_peak_mib
    );
    for phase in &run.phases {
        for controller in CONTROLLERS {
            let verbs = phase.requests.get(controller).into_iter().flatten();
            let shown: Vec<String> = verbs.map(|(verb, count)| format!("{verb} {count}")).collect();
            let shown = if shown.is_empty() { "none".to_owned() } else { shown.join(", ") };
            let _ = writeln!(out, "requests, {:<13} {controller:<21} {shown}", format!("{}:", phase.name));
        }
    }
    out
}

/// How many times less `ours` needs than `peer`.
pub(crate) fn ratios(peer: &Run, ours: &Run) -> String {
    let mut out = format!("\n{} / {}:\n", peer.title, ours.title);
    for (theirs, phase) in peer.phases.iter().zip(&ours.phases) {
        let _ = write!(out, "{:<14}", phase.name);
        if phase.name != "idle" {
            let _ = write!(out, " wall {:>6.1}x", ratio(theirs.wall.as_secs_f64(), phase.wall.as_secs_f64()));
        }
        let _ = writeln!(
            out,
            "  controllers' CPU {:>6.1}x  API server's CPU {:>5.1}x",
            ratio(theirs.controllers_cpu(), phase.controllers_cpu()),
            ratio(theirs.api_server_cpu, phase.api_server_cpu)
        );
    }
    let sum = |run: &Run| run.source_peak_mib + run.kustomize_peak_mib;
    let _ = writeln!(out, "peak RSS of both {:.1}x", ratio(sum(peer), sum(ours)));
    out
}

/// CPU time comes in steps of 10 ms: what is less counts as one step.
fn ratio(theirs: f64, ours: f64) -> f64 {
    theirs / ours.max(0.01)
}

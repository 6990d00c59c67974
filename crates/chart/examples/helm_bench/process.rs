//! Other programs, and what they take.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long the fastest of `runs` runs of a command takes.
pub fn fastest(program: &Path, arguments: &[String], runs: usize) -> Result<Duration, String> {
    let mut fastest = Duration::MAX;
    for _ in 0..runs {
        let start = Instant::now();
        let output = Command::new(program).args(arguments).stdout(Stdio::null()).output();
        let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
        fastest = fastest.min(start.elapsed());
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{} {arguments:?}: {error}", program.display()));
        }
    }
    Ok(fastest)
}

/// The largest memory of three runs of a command, in MB.
pub fn peak_memory(program: &Path, arguments: &[String]) -> Result<f64, String> {
    let problem = |error: std::io::Error| format!("{}: {error}", program.display());
    let mut largest = 0.0;
    for _ in 0..3 {
        let mut child = Command::new(program)
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(problem)?;
        // The system keeps the peak; the last look before the end is close to it.
        while child.try_wait().map_err(problem)?.is_none() {
            largest = peak(child.id()).map_or(largest, |found: f64| found.max(largest));
        }
    }
    Ok(largest)
}

fn peak(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1024.0)
}

//! Child processes by id: liveness and signals, safe against a re-used id.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// A process of a plane, as remembered across programs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Process {
    /// What it is, such as `kube-apiserver`.
    pub name: String,
    /// Its id.
    pub pid: u32,
    /// When it started, in clock ticks since boot: an id alone may have been given to another process since.
    pub(crate) started: Option<u64>,
}

/// The signals that tests send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ask to stop.
    Terminate,
    /// Stop at once, without a chance to clean up.
    Kill,
    /// Do nothing, until `Continue`.
    Pause,
    /// Go on after `Pause`.
    Continue,
}

impl Process {
    /// Remembers a process that runs now.
    pub fn of(name: &str, pid: u32) -> Self {
        Self { name: name.to_owned(), pid, started: started(pid) }
    }

    /// Whether this very process still runs.
    pub fn alive(&self) -> bool {
        self.started.is_some() && started(self.pid) == self.started
    }

    /// CPU time used so far, user and system, in seconds. `None` when the process is gone.
    pub fn cpu_seconds(&self) -> Option<f64> {
        let stat = stat_fields(self.pid)?;
        // After the name in brackets: state is field 0, utime 11, stime 12, in ticks of 1/100 s.
        let ticks = |at: usize| stat.get(at).and_then(|field| field.parse::<f64>().ok());
        Some((ticks(11)? + ticks(12)?) / 100.0)
    }

    /// The largest resident size so far, in KiB. `None` when the process is gone.
    pub fn peak_rss_kib(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.split_whitespace().next()?.parse().ok()
    }
}

/// The fields of `/proc/PID/stat` after the name. `None` when there is no such process, or when it is a zombie.
fn stat_fields(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<String> = stat.rsplit_once(')')?.1.split_whitespace().map(String::from).collect();
    (fields.first()? != "Z").then_some(fields)
}

fn started(pid: u32) -> Option<u64> {
    stat_fields(pid)?.get(19)?.parse().ok()
}

/// When this process started, in the same unit: with its id, it names it for good.
pub(crate) fn now() -> u64 {
    started(std::process::id()).unwrap_or_default()
}

/// Sends `signal` to one process.
///
/// # Errors
/// When the process does not exist or may not be signalled.
pub fn signal(pid: u32, signal: Signal) -> Result<()> {
    let name = match signal {
        Signal::Terminate => "TERM",
        Signal::Kill => "KILL",
        Signal::Pause => "STOP",
        Signal::Continue => "CONT",
    };
    // The shell's own `kill`: the standard library can signal only children, and only with KILL.
    let status = Command::new("sh")
        .args(["-c", r#"kill -"$0" "$1""#, name, &pid.to_string()])
        .stderr(Stdio::null())
        .status()?;
    ensure!(
        status.success(),
        "process {pid} cannot be sent SIG{name}: it does not run or belongs to somebody else"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_process_is_no_longer_alive_and_a_reused_id_is_not_it() {
        let mut child = Command::new("sleep").arg("100").spawn().unwrap();
        let process = Process::of("sleep", child.id());
        assert!(process.alive());
        assert!(process.cpu_seconds().is_some() && process.peak_rss_kib().is_some());
        let other = Process { started: Some(1), ..process.clone() };
        assert!(!other.alive());
        signal(process.pid, Signal::Kill).unwrap();
        child.wait().unwrap();
        assert!(!process.alive());
        assert!(signal(process.pid, Signal::Terminate).is_err());
    }
}

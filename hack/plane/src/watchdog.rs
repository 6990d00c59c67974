//! Stops a plane when the process that started it ends, however it ends.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use crate::process::Process;

/// The file of what the watchdog kills: process id and start time, one process a line.
const LIST: &str = "pids";

/// A shell that waits for its standard input to close, which the kernel does when we end, even by SIGKILL; then it
/// kills the plane's processes and removes its folder. It has a process group of its own, so that Ctrl-C spares it.
pub(crate) struct Watchdog {
    shell: Child,
}

impl Watchdog {
    pub(crate) fn start(dir: &Path) -> Result<Self> {
        // A process is the one listed only if it started when the list says: its id may have been given on.
        let script = format!(
            r#"cat >/dev/null
               while read -r pid start; do
                   stat=; {{ read -r stat <"/proc/$pid/stat"; }} 2>/dev/null
                   set -- ${{stat##*) }}
                   [ "${{20}}" = "$start" ] && kill -KILL "$pid"
               done <"$0/{LIST}"
               for _ in 1 2 3 4 5; do rm -rf "$0" && exit 0; sleep 0.2; done"#
        );
        let shell = Command::new("sh")
            .arg("-c")
            .arg(script)
            .arg(dir)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting the watchdog shell")?;
        Ok(Self { shell })
    }

    /// Closes the watchdog's input and waits until everything is gone.
    pub(crate) fn release(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// Puts a process under the watchdog of `dir`.
pub(crate) fn list(dir: &Path, process: &Process) -> Result<()> {
    let path = dir.join(LIST);
    let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
    let start = process.started.unwrap_or_default();
    writeln!(file, "{} {start}", process.pid).with_context(|| format!("writing {}", path.display()))
}

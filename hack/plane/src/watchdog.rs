//! Stops a plane when the process that started it ends, however it ends.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// The file, one process id a line, of what the watchdog kills.
const LIST: &str = "pids";

/// A shell that waits for its standard input to close, which the kernel does when we end, even by SIGKILL; then it
/// kills the plane's processes and removes its folder. It has a process group of its own, so that Ctrl-C spares it.
pub(crate) struct Watchdog {
    shell: Child,
}

impl Watchdog {
    pub(crate) fn start(dir: &Path) -> Result<Self> {
        let script = format!(
            "cat >/dev/null\n\
             while read -r pid; do kill -KILL \"$pid\"; done <\"$0/{LIST}\"\n\
             for _ in 1 2 3 4 5; do rm -rf \"$0\" && exit 0; sleep 0.2; done"
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
pub(crate) fn list(dir: &Path, pid: u32) -> Result<()> {
    let path = dir.join(LIST);
    let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
    writeln!(file, "{pid}").with_context(|| format!("writing {}", path.display()))
}

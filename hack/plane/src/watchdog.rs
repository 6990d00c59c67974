//! Ends processes and removes their folder when the process that started them ends, however it ends.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

use crate::process::{self, Process};

/// The file of what the watchdog kills: process id and start time, one process a line.
const LIST: &str = "pids";

/// A shell that waits for its standard input to close, which the kernel does when we end, even by SIGKILL; then it
/// kills the plane's processes and removes its folder. It has a process group of its own, so that Ctrl-C spares it.
pub struct Watchdog {
    dir: PathBuf,
    shell: Child,
}

impl Watchdog {
    /// Watches over a folder of its own in the system's folder for temporary files.
    ///
    /// # Errors
    /// When the folder cannot be created or there is no shell.
    pub fn with_new_folder() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("millrace-{}-{}-{count}", std::process::id(), process::now());
        let dir = std::env::temp_dir().join(name);
        fs::create_dir(&dir).with_context(|| format!("creating {}", dir.display()))?;
        Self::start(&dir)
    }

    /// Watches over `dir`, which exists.
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
        Ok(Self { dir: dir.to_owned(), shell })
    }

    /// The folder that ends with us.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Lets a process end with us.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn adopt(&self, process: &Process) -> Result<()> {
        let path = self.dir.join(LIST);
        let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
        let start = process.started.unwrap_or_default();
        writeln!(file, "{} {start}", process.pid).with_context(|| format!("writing {}", path.display()))
    }
}

impl Drop for Watchdog {
    /// Closes the shell's input, as our end would, and waits until everything is gone.
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

//! What is written down about a running plane, so that another program can use and stop it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::places;
use crate::process::{Process, Signal, signal};

/// A plane on this machine: `target/planes/NAME/plane.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Its name, unique in the checkout.
    pub name: String,
    /// Its data, logs and certificates.
    pub dir: PathBuf,
    /// How to reach it, as cluster administrator.
    pub kubeconfig: PathBuf,
    /// The client that fits it.
    pub kubectl: PathBuf,
    /// The API server, on loopback.
    pub port: u16,
    /// Its processes.
    pub processes: Vec<Process>,
    /// Whether it ends with the process that started it.
    pub leased: bool,
}

const FILE: &str = "plane.json";

impl Record {
    /// The folder of the plane called `name`.
    ///
    /// # Errors
    /// When the name could leave the folder of planes.
    pub fn folder(name: &str) -> Result<PathBuf> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        ensure!(
            !name.is_empty() && name.len() <= 40 && name.chars().all(plain),
            "`{name}` is no name for a plane: use up to 40 letters, digits and `-`"
        );
        Ok(places::planes().join(name))
    }

    /// The plane called `name`, running or not.
    ///
    /// # Errors
    /// When its record cannot be read.
    pub fn find(name: &str) -> Result<Option<Self>> {
        Self::read(&Self::folder(name)?)
    }

    /// All planes of this checkout, by name.
    ///
    /// # Errors
    /// When a record cannot be read.
    pub fn all() -> Result<Vec<Self>> {
        let entries = fs::read_dir(places::planes()).into_iter().flatten().flatten();
        let mut all = Vec::new();
        for entry in entries {
            all.extend(Self::read(&entry.path())?);
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    fn read(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(FILE);
        match fs::read(&path) {
            Ok(text) => Ok(Some(
                serde_json::from_slice(&text)
                    .with_context(|| format!("{} is damaged: remove it", path.display()))?,
            )),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    pub(crate) fn write(&self) -> Result<()> {
        let path = self.dir.join(FILE);
        fs::write(&path, serde_json::to_vec_pretty(self)?)
            .with_context(|| format!("writing {}", path.display()))
    }

    /// Whether every process of it runs.
    pub fn healthy(&self) -> bool {
        !self.processes.is_empty() && self.processes.iter().all(Process::alive)
    }

    /// Whether any process of it runs.
    pub fn running(&self) -> bool {
        self.processes.iter().any(Process::alive)
    }

    /// Kills what runs of it and removes its folder. There is no gentler way that would keep anything worth keeping.
    ///
    /// # Errors
    /// When a process survives, or the folder cannot be removed.
    pub fn stop(&self) -> Result<()> {
        for process in self.processes.iter().filter(|process| process.alive()) {
            // It may end between the check and the signal.
            let _ = signal(process.pid, Signal::Kill);
        }
        for _ in 0..100 {
            if !self.running() {
                return remove(&self.dir);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let left: Vec<String> =
            self.processes.iter().filter(|p| p.alive()).map(|p| format!("{} ({})", p.name, p.pid)).collect();
        bail!("plane {}: still running after SIGKILL: {}", self.name, left.join(", "))
    }
}

fn remove(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", dir.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_inside_the_folder_of_planes() {
        assert!(Record::folder("dev-2").unwrap().starts_with(places::planes()));
        for bad in ["", "..", "a/b", "a b", &"x".repeat(41)] {
            assert!(Record::folder(bad).is_err(), "{bad:?}");
        }
    }
}

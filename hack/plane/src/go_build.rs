//! Builds the tools of a Go module, once for each content of its `go.mod` and `go.sum`.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::places;

/// A Go module whose `tool` packages we run.
pub(crate) struct Module {
    /// Its folder, relative to the checkout.
    pub(crate) dir: &'static str,
    /// Where its binaries go, relative to `target/`.
    pub(crate) output: &'static str,
    /// The binaries, each with its package; a package's binary is named by us, not by its path.
    pub(crate) programs: &'static [(&'static str, &'static str)],
    /// Passed as `-ldflags`, after `-s -w`.
    pub(crate) linker_flags: &'static str,
}

impl Module {
    /// Builds what is missing of `wanted` and gives the path of each, in the order asked.
    pub(crate) fn ensure(&self, wanted: &[&str]) -> Result<Vec<PathBuf>> {
        let parent = self.parent();
        let dir = self.folder()?;
        let paths: Vec<PathBuf> = wanted.iter().map(|name| dir.join(name)).collect();
        if paths.iter().all(|path| path.is_file()) {
            return Ok(paths);
        }
        fs::create_dir_all(&dir)?;
        let lock = File::create(parent.join(".lock"))?;
        if lock.try_lock().is_err() {
            eprintln!("waiting for another build of {}", self.dir);
            lock.lock().with_context(|| format!("locking {}", parent.display()))?;
        }
        let missing: Vec<&(&str, &str)> = self
            .programs
            .iter()
            .filter(|(name, _)| wanted.contains(name) && !dir.join(name).is_file())
            .collect();
        if !missing.is_empty() {
            require_go()?;
            self.build(&missing, &dir)?;
            remove_older(&parent, &dir);
        }
        Ok(paths)
    }

    fn parent(&self) -> PathBuf {
        places::target().join(self.output)
    }

    /// The folder of the binaries that fit the module as it is now.
    pub(crate) fn folder(&self) -> Result<PathBuf> {
        Ok(self.parent().join(self.key()?))
    }

    /// The folder with the source of a module that this one uses, downloaded when it is not there yet.
    ///
    /// # Errors
    /// When Go is missing or the download fails.
    pub(crate) fn source(&self, module: &str) -> Result<PathBuf> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Download {
            dir: PathBuf,
        }
        require_go()?;
        let output = Command::new("go")
            .current_dir(places::root().join(self.dir))
            .args(["mod", "download", "-json", module])
            .output()
            .context("starting `go mod download`")?;
        ensure!(
            output.status.success(),
            "downloading {module} failed: {}{}",
            String::from_utf8_lossy(&output.stdout).trim(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
        let found: Download =
            serde_json::from_slice(&output.stdout).context("reading what `go mod download` says")?;
        Ok(found.dir)
    }

    fn build(&self, missing: &[&(&str, &str)], dir: &Path) -> Result<()> {
        let module = places::root().join(self.dir);
        let names: Vec<&str> = missing.iter().map(|(name, _)| *name).collect();
        let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
        let title = names.join(", ");
        eprintln!("building {title} (once; a few minutes on a cold Go cache)");
        let total = package_count(&module, &packages)?;

        // Built aside and renamed, so that a path that exists is a whole binary.
        let fresh = dir.join(".new");
        fs::create_dir_all(&fresh)?;
        let mut child = Command::new("go")
            .current_dir(&module)
            .args(["build", "-v", "-trimpath", "-p", &parallelism(), "-ldflags"])
            .arg(format!("-s -w {}", self.linker_flags))
            .arg("-o")
            .arg(format!("{}/", fresh.display()))
            .args(&packages)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("starting `go build`")?;
        let errors = match child.stderr.take() {
            Some(stderr) => follow(BufReader::new(stderr), &title, total),
            None => String::new(),
        };
        let status = child.wait()?;
        ensure!(status.success(), "`go build` in {} failed ({status}):\n{errors}", self.dir);
        for (name, package) in missing {
            fs::rename(fresh.join(default_name(package)), dir.join(name))?;
        }
        fs::remove_dir_all(&fresh)?;
        Ok(())
    }

    /// Changes when the module, the way it is built, or the set of programs changes.
    fn key(&self) -> Result<String> {
        let mut hasher = DefaultHasher::new();
        for file in ["go.mod", "go.sum"] {
            let path = places::root().join(self.dir).join(file);
            fs::read(&path).with_context(|| format!("reading {}", path.display()))?.hash(&mut hasher);
        }
        self.linker_flags.hash(&mut hasher);
        self.programs.hash(&mut hasher);
        Ok(format!("{:016x}", hasher.finish()))
    }
}

/// Fails with one line that says what to install when there is no Go.
pub(crate) fn require_go() -> Result<()> {
    require("go", "Go 1.26 or later (https://go.dev/dl, or your system's package `golang-go`)")
}

/// Fails with one line that says what to install when `program` is not on the `PATH`.
///
/// # Errors
/// When it is not there.
pub fn require(program: &str, what: &str) -> Result<()> {
    let dirs = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&dirs).any(|dir| dir.join(program).is_file()) {
        return Ok(());
    }
    bail!("`{program}` is not installed: install {what}")
}

/// Compiles as many packages at once as there are cores, but four at most: each may need a gigabyte of memory.
fn parallelism() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores.clamp(1, 4).to_string()
}

fn package_count(module: &Path, packages: &[&str]) -> Result<usize> {
    let output = Command::new("go")
        .current_dir(module)
        .args(["list", "-deps"])
        .args(packages)
        .stdin(Stdio::null())
        .output()
        .context("starting `go list`")?;
    ensure!(
        output.status.success(),
        "`go list` failed in {}: are the Go modules reachable (GOPROXY)?\n{}",
        module.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output.stdout.iter().filter(|byte| **byte == b'\n').count())
}

/// Shows progress from `go build -v`, which names each package as it compiles it; gives back what was no package name.
fn follow(lines: impl BufRead, title: &str, total: usize) -> String {
    let terminal = std::io::stderr().is_terminal();
    let begun = Instant::now();
    let mut shown: Option<Instant> = None;
    let mut compiled = 0usize;
    let mut errors = String::new();
    for line in lines.lines().map_while(Result::ok) {
        if line.is_empty() || line.contains(' ') || line.starts_with('#') {
            errors.push_str(&line);
            errors.push('\n');
            continue;
        }
        compiled += 1;
        let pause = if terminal { Duration::from_millis(200) } else { Duration::from_secs(15) };
        if shown.is_none_or(|at| at.elapsed() >= pause) {
            shown = Some(Instant::now());
            let seconds = begun.elapsed().as_secs();
            let text = format!("  {compiled} of at most {total} packages compiled, {seconds} s");
            if terminal {
                eprint!("\r\x1b[2K{text}");
                let _ = std::io::stderr().flush();
            } else {
                eprintln!("{text}");
            }
        }
    }
    if terminal {
        eprint!("\r\x1b[2K");
    }
    eprintln!("  {title}: {compiled} packages compiled in {} s", begun.elapsed().as_secs());
    errors
}

/// The name that `go build -o DIR/` gives: the last path element that is not a major version.
fn default_name(package: &str) -> &str {
    let major = |element: &str| {
        element
            .strip_prefix('v')
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    package.rsplit('/').find(|element| !major(element)).unwrap_or(package)
}

/// Binaries of an older `go.mod` are hundreds of megabytes of no use.
fn remove_older(parent: &Path, current: &Path) {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.path() != current && entry.path().is_dir()) {
        // Best effort: a plane that still runs from there keeps its open binaries.
        let _ = fs::remove_dir_all(entry.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binaries_are_named_as_go_names_them() {
        assert_eq!(default_name("go.etcd.io/etcd/server/v3"), "server");
        assert_eq!(default_name("sigs.k8s.io/kustomize/kustomize/v5"), "kustomize");
        assert_eq!(default_name("k8s.io/kubernetes/cmd/kube-apiserver"), "kube-apiserver");
        assert_eq!(default_name("example.org/vault"), "vault");
    }

    #[test]
    fn compiler_errors_are_told_apart_from_package_names() {
        let output = "k8s.io/api/core/v1\n# example.org/broken\n./a.go:1:2: undefined: x\nexample.org/ok\n";
        let errors = follow(output.as_bytes(), "test", 2);
        assert_eq!(errors, "# example.org/broken\n./a.go:1:2: undefined: x\n");
    }

    #[test]
    fn a_missing_program_says_what_to_install() {
        let error = require("surely-not-installed", "the package `nothing`").unwrap_err().to_string();
        assert_eq!(error, "`surely-not-installed` is not installed: install the package `nothing`");
    }
}

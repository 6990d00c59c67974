//! Bare repositories made from files in memory, with the real git.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// A change of one path, relative to the commit before on the same branch.
#[derive(Clone, Debug)]
pub enum Change {
    /// Writes a file.
    File {
        /// Its path.
        path: String,
        /// Its content.
        content: Vec<u8>,
    },
    /// Writes a file that can be run.
    Executable {
        /// Its path.
        path: String,
        /// Its content.
        content: Vec<u8>,
    },
    /// Makes a symbolic link.
    Symlink {
        /// Its path.
        path: String,
        /// Where it leads.
        target: String,
    },
    /// Pins a submodule; `.gitmodules` is a file of its own.
    Submodule {
        /// Its path.
        path: String,
        /// The commit it is pinned to.
        commit: String,
    },
    /// Deletes a file or directory.
    Delete {
        /// Its path.
        path: String,
    },
    /// Deletes everything.
    DeleteAll,
}

impl Change {
    /// Writes a file.
    pub fn file(path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self::File { path: path.into(), content: content.into() }
    }

    /// Writes a file that can be run.
    pub fn executable(path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self::Executable { path: path.into(), content: content.into() }
    }

    /// Makes a symbolic link.
    pub fn symlink(path: impl Into<String>, target: impl Into<String>) -> Self {
        Self::Symlink { path: path.into(), target: target.into() }
    }

    /// Pins a submodule.
    pub fn submodule(path: impl Into<String>, commit: impl Into<String>) -> Self {
        Self::Submodule { path: path.into(), commit: commit.into() }
    }

    /// Deletes a file or directory.
    pub fn delete(path: impl Into<String>) -> Self {
        Self::Delete { path: path.into() }
    }

    /// Appends the change to a stream for `git fast-import`.
    fn write(&self, stream: &mut Vec<u8>) {
        let mut blob = |mode: &str, path: &str, content: &[u8]| {
            stream.extend_from_slice(
                format!("M {mode} inline {}\ndata {}\n", quoted(path), content.len()).as_bytes(),
            );
            stream.extend_from_slice(content);
            stream.push(b'\n');
        };
        match self {
            Self::File { path, content } => blob("100644", path, content),
            Self::Executable { path, content } => blob("100755", path, content),
            Self::Symlink { path, target } => blob("120000", path, target.as_bytes()),
            Self::Submodule { path, commit } => {
                stream.extend_from_slice(format!("M 160000 {commit} {}\n", quoted(path)).as_bytes());
            }
            Self::Delete { path } => stream.extend_from_slice(format!("D {}\n", quoted(path)).as_bytes()),
            Self::DeleteAll => stream.extend_from_slice(b"deleteall\n"),
        }
    }
}

/// A path as `git fast-import` reads it whatever is in it.
fn quoted(path: &str) -> String {
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// A bare repository on disk.
#[derive(Clone, Debug)]
pub struct Repo {
    directory: PathBuf,
}

impl Repo {
    /// Makes an empty bare repository in `directory`, with `main` as its default branch and pushing allowed.
    ///
    /// # Errors
    /// git is not installed, or the directory cannot be used.
    pub fn create(directory: &Path) -> Result<Self> {
        Self::create_with(directory, &[])
    }

    /// As [`Repo::create`], with further arguments for `git init`, such as `--object-format=sha256`.
    ///
    /// # Errors
    /// git is not installed, or does not take the arguments.
    pub fn create_with(directory: &Path, arguments: &[&str]) -> Result<Self> {
        let repo = Self { directory: directory.to_owned() };
        std::fs::create_dir_all(directory)?;
        let mut init = vec!["init", "--quiet", "--bare", "--initial-branch=main"];
        init.extend_from_slice(arguments);
        init.push(".");
        repo.git(&init)?;
        repo.git(&["config", "http.receivepack", "true"])?;
        Ok(repo)
    }

    /// Where the repository is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes a commit with `changes` on top of `branch`, which is created if need be, and returns its id.
    ///
    /// # Errors
    /// git refuses.
    pub fn commit(&self, branch: &str, message: &str, changes: &[Change]) -> Result<String> {
        self.commit_at(branch, message, 1_700_000_000, changes)
    }

    /// As [`Repo::commit`] at `seconds` since 1970.
    ///
    /// # Errors
    /// git refuses.
    pub fn commit_at(&self, branch: &str, message: &str, seconds: u64, changes: &[Change]) -> Result<String> {
        let reference = format!("refs/heads/{branch}");
        let mut stream = format!(
            "commit {reference}\nauthor Test Author <author@example.com> {seconds} +0000\ncommitter Test Committer <committer@example.com> {seconds} +0000\ndata {}\n{message}\n",
            message.len()
        )
        .into_bytes();
        if self.git(&["rev-parse", "--verify", "--quiet", &reference]).is_ok() {
            stream.extend_from_slice(format!("from {reference}^0\n").as_bytes());
        }
        for change in changes {
            change.write(&mut stream);
        }
        self.git_with_input(&["fast-import", "--quiet", "--force"], &stream)?;
        self.id(&reference)
    }

    /// The id of the commit that `revision` leads to.
    ///
    /// # Errors
    /// There is none.
    pub fn id(&self, revision: &str) -> Result<String> {
        self.git(&["rev-parse", "--verify", &format!("{revision}^{{commit}}")])
    }

    /// Makes a lightweight tag at `revision`, or moves it there.
    ///
    /// # Errors
    /// git refuses.
    pub fn tag(&self, name: &str, revision: &str) -> Result<()> {
        self.git(&["tag", "--force", name, revision]).map(drop)
    }

    /// Makes an annotated tag at `revision`, or moves it there, and returns the id of the tag object.
    ///
    /// # Errors
    /// git refuses.
    pub fn annotated_tag(&self, name: &str, revision: &str, message: &str) -> Result<String> {
        self.git(&["tag", "--force", "--annotate", "--message", message, name, revision])?;
        self.git(&["rev-parse", "--verify", &format!("refs/tags/{name}")])
    }

    /// Points any reference, by its full name, at `revision`.
    ///
    /// # Errors
    /// git refuses.
    pub fn set_reference(&self, name: &str, revision: &str) -> Result<()> {
        self.git(&["update-ref", name, revision]).map(drop)
    }

    /// Runs git in the repository and returns what it printed, without the last newline.
    ///
    /// # Errors
    /// git is not installed or fails; the error holds what it said.
    pub fn git(&self, arguments: &[&str]) -> Result<String> {
        self.git_with_input(arguments, b"")
    }

    fn git_with_input(&self, arguments: &[&str], input: &[u8]) -> Result<String> {
        use std::io::Write as _;
        let mut child = command()
            .current_dir(&self.directory)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("git cannot be started: is it installed?")?;
        // What git prints before it has read its input is less than a pipe holds.
        child.stdin.take().context("no standard input")?.write_all(input)?;
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("git {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }
}

/// git, untouched by the configuration and the variables of whoever runs the tests.
pub(super) fn command() -> Command {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_AUTHOR_NAME", "Test Author")
        .env("GIT_AUTHOR_EMAIL", "author@example.com")
        .env("GIT_COMMITTER_NAME", "Test Committer")
        .env("GIT_COMMITTER_EMAIL", "committer@example.com")
        .env("GIT_COMMITTER_DATE", "1700000000 +0000");
    command
}

//! What fuzzers and benchmarks share: the real programs, kept running and asked line by line, and random numbers to make up
//! what they are asked.

mod random;

use std::fmt::Display;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

pub use random::Random;

/// Builds the program of `hack/tools/cmd/NAME` to `target/NAME`, which takes a moment when nothing changed.
///
/// # Errors
/// The problem, when Go is missing or finds an error.
pub fn tool(name: &str) -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (source, program) = (root.join("hack/tools/cmd").join(name), root.join("target").join(name));
    let mut go = Command::new("go");
    // Some are modules of their own.
    go.args(["build", "-C"]).arg(&source).arg("-o").arg(&program).arg(".");
    let built = go.status().map_err(|error| format!("go: {error}"))?;
    if built.success() { Ok(program) } else { Err(format!("go build failed in {}", source.display())) }
}

/// A command that may use so much memory, in KiB, and dies when it wants more.
#[must_use]
pub fn limited(program: &Path, memory: u32) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -v {memory}; exec \"$0\"")]).arg(program);
    command
}

/// A program that reads a question a line and answers each with a line of JSON.
pub struct Oracle {
    command: Command,
    patience: Duration,
    process: Running,
}

impl Oracle {
    /// Starts the command; `patience` is how long an answer may take.
    ///
    /// # Errors
    /// The program and the problem, when it cannot be started.
    pub fn start(command: Command, patience: Duration) -> Result<Oracle, String> {
        let mut command = command;
        let process = Running::start(&mut command)?;
        Ok(Oracle { command, patience, process })
    }

    /// Ends the program and starts it anew.
    ///
    /// # Errors
    /// As [`Oracle::start`].
    pub fn restart(&mut self) -> Result<(), String> {
        self.process = Running::start(&mut self.command)?;
        Ok(())
    }

    /// The answer to a question, which is one line.
    ///
    /// # Errors
    /// When the program died, answered something else, or was not done in time; it is started anew then.
    pub fn ask(&mut self, question: impl Display) -> Result<Value, String> {
        let answer = self.process.ask(question, self.patience);
        if answer.is_err() {
            self.restart()?;
        }
        answer
    }
}

struct Running {
    child: Child,
    questions: ChildStdin,
    answers: Receiver<String>,
}

impl Running {
    fn start(command: &mut Command) -> Result<Running, String> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("no pipes".to_owned());
        };
        // A thread reads, because a pipe can be waited for without end only.
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(answers).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Running { child, questions, answers: receiver })
    }

    fn ask(&mut self, question: impl Display, patience: Duration) -> Result<Value, String> {
        writeln!(self.questions, "{question}").map_err(|error| error.to_string())?;
        let line = self.answers.recv_timeout(patience).map_err(|error| error.to_string())?;
        serde_json::from_str(&line).map_err(|error| error.to_string())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use super::*;

    fn shell(script: &str, patience: Duration) -> Oracle {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Oracle::start(command, patience).unwrap()
    }

    #[test]
    fn it_answers_until_it_dies_and_then_anew() {
        let script = r#"n=0; while read -r q; do n=$((n+1)); [ "$q" = die ] && exit; echo "[$n, $q]"; done"#;
        let mut oracle = shell(script, Duration::from_secs(60));
        assert_eq!(oracle.ask("\"a\"").unwrap(), serde_json::json!([1, "a"]));
        assert_eq!(oracle.ask("\"b\"").unwrap(), serde_json::json!([2, "b"]));
        oracle.ask("die").unwrap_err();
        assert_eq!(oracle.ask(3).unwrap(), serde_json::json!([1, 3]));
        oracle.restart().unwrap();
        assert_eq!(oracle.ask(4).unwrap(), serde_json::json!([1, 4]));
    }

    #[test]
    fn an_answer_that_does_not_come_is_an_error() {
        let mut oracle = shell("while read -r q; do [ $q = 1 ] && echo 1; done", Duration::from_millis(200));
        oracle.ask(2).unwrap_err();
        oracle.patience = Duration::from_secs(60);
        assert_eq!(oracle.ask(1).unwrap(), serde_json::json!(1));
    }

    #[test]
    fn what_cannot_be_started_is_named() {
        let error = Oracle::start(Command::new("/nowhere/x"), Duration::ZERO).err().unwrap();
        assert!(error.starts_with("/nowhere/x: "), "{error}");
    }
}

//! The real Helm engine, kept running.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

/// How long the real engine may take for a case, and how much memory, in KiB: nothing limits it otherwise.
const PATIENCE: Duration = Duration::from_secs(5);
const MEMORY: u32 = 3_000_000;

/// A running `helmloop`.
pub struct Oracle {
    program: PathBuf,
    process: Running,
}

struct Running {
    child: Child,
    questions: ChildStdin,
    answers: Receiver<String>,
}

impl Oracle {
    /// Builds the program if it is missing, and starts it.
    pub fn start() -> Result<Oracle, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let program = root.join("target/helmloop");
        let build = ["build", "-C", "hack/tools", "-o", "../../target/helmloop", "./cmd/helmloop"];
        let built = Command::new("go")
            .current_dir(&root)
            .args(build)
            .status()
            .map_err(|error| format!("go: {error}"))?;
        if !built.success() {
            return Err("go build ./cmd/helmloop failed in hack/tools".to_owned());
        }
        Ok(Oracle { process: Running::start(&program)?, program })
    }

    /// Starts it anew.
    pub fn restart(&mut self) -> Result<(), String> {
        self.process = Running::start(&self.program)?;
        Ok(())
    }

    /// What the real engine answers; it is started anew when it dies.
    pub fn ask(&mut self, question: &Value) -> Result<Value, String> {
        let answer = self.process.ask(question);
        if answer.is_err() {
            self.process = Running::start(&self.program)?;
        }
        answer
    }
}

impl Running {
    fn start(program: &Path) -> Result<Running, String> {
        let limited = format!("ulimit -v {MEMORY}; exec \"$0\"");
        let mut child = Command::new("sh")
            .args(["-c", &limited])
            .arg(program)
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("no pipes".to_owned());
        };
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

    fn ask(&mut self, question: &Value) -> Result<Value, String> {
        writeln!(self.questions, "{question}").map_err(|error| error.to_string())?;
        let line = self.answers.recv_timeout(PATIENCE).map_err(|error| error.to_string())?;
        serde_json::from_str(&line).map_err(|error| error.to_string())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

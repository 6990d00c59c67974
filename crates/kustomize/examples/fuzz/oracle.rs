//! The real kustomize, kept running.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::case::Case;

/// A running `kustomizeloop`.
pub struct Oracle {
    program: PathBuf,
    process: Running,
    last: Option<Duration>,
}

struct Running {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    /// Builds the program if it is missing, and starts it.
    pub fn start() -> Result<Oracle, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let program = root.join("target/kustomizeloop");
        let built = Command::new("go")
            .arg("build")
            .arg("-C")
            .arg(root.join("hack/tools/cmd/kustomizeloop"))
            .arg("-o")
            .arg(&program)
            .arg(".")
            .status()
            .map_err(|error| format!("go: {error}"))?;
        if !built.success() {
            return Err("go build failed in hack/tools/cmd/kustomizeloop".to_owned());
        }
        let process = Running::start(&program)?;
        Ok(Oracle { program, process, last: None })
    }

    /// How long the last build took, without start-up and transport.
    #[allow(dead_code, reason = "the fuzzer does not ask")]
    pub fn last_build(&self) -> Option<Duration> {
        self.last
    }

    /// What the real program answers; it is started anew when it dies.
    pub fn build(&mut self, case: &Case) -> Result<String, String> {
        let files: serde_json::Map<String, Value> =
            case.files.iter().map(|(path, content)| (path.clone(), Value::from(content.as_str()))).collect();
        let question = json!({
            "files": files,
            "path": case.path,
            "reorder": case.reorder,
        });
        let answer = self.process.ask(&question);
        let nanoseconds =
            answer.as_ref().ok().and_then(|answer| answer.get("nanoseconds")).and_then(Value::as_u64);
        self.last = nanoseconds.map(Duration::from_nanos);
        match answer {
            Ok(answer) => match answer.get("ok").and_then(Value::as_str) {
                // A program that only links kustomize does not know its version.
                Some(text) => Ok(text.replace("kustomize-(devel)", "kustomize-v5.8.1")),
                None => Err(answer.get("error").and_then(Value::as_str).unwrap_or_default().to_owned()),
            },
            Err(error) => {
                self.process = Running::start(&self.program)?;
                Err(format!("the real program died: {error}"))
            }
        }
    }
}

impl Running {
    fn start(program: &Path) -> Result<Running, String> {
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("no pipes".to_owned());
        };
        Ok(Running { child, questions, answers: BufReader::new(answers) })
    }

    fn ask(&mut self, question: &Value) -> Result<Value, String> {
        writeln!(self.questions, "{question}").map_err(|error| error.to_string())?;
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(|error| error.to_string())?;
        serde_json::from_str(&line).map_err(|error| error.to_string())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

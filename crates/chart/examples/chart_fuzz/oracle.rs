//! The real Helm, kept running.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value as Json;

/// How long the real one may take for a case.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running `helmcommand`.
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
        let program = match std::env::var_os("HELMCOMMAND") {
            Some(path) => path.into(),
            None => root.join("target/helmcommand"),
        };
        if !program.exists() {
            let build = ["build", "-C", "hack/tools", "-o", "../../target/helmcommand", "./cmd/helmcommand"];
            let built = Command::new("go").current_dir(&root).args(build).status();
            if !built.map_err(|error| format!("go: {error}"))?.success() {
                return Err("go build ./cmd/helmcommand failed in hack/tools".to_owned());
            }
        }
        Ok(Oracle { process: Running::start(&program)?, program })
    }

    /// What the real Helm prints, or its error; it is started anew when it dies.
    pub fn ask(&mut self, arguments: &[String]) -> Result<Result<String, String>, String> {
        match self.process.ask(arguments) {
            Ok(answer) => {
                let text = |key: &str| answer.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
                let error = text("error");
                Ok(if error.is_empty() { Ok(text("output")) } else { Err(error) })
            }
            Err(problem) => {
                self.process = Running::start(&self.program)?;
                Err(problem)
            }
        }
    }
}

impl Running {
    fn start(program: &Path) -> Result<Running, String> {
        let nowhere = std::env::temp_dir().join("millrace-chart-fuzz-home");
        let mut child = Command::new(program)
            .envs(["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"].map(|name| (name, &nowhere)))
            .env("KUBECONFIG", "/nowhere")
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

    fn ask(&mut self, arguments: &[String]) -> Result<Json, String> {
        writeln!(self.questions, "{}", Json::from(arguments)).map_err(|error| error.to_string())?;
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

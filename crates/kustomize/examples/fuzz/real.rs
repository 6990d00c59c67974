//! The real kustomize, kept running.

use std::process::Command;
use std::time::Duration;

use oracle::Oracle;
use serde_json::{Value, json};

use crate::case::Case;

/// How long the real program may take: its time grows with the square of the input.
const PATIENCE: Duration = Duration::from_secs(600);

/// A running `kustomizeloop`.
pub struct Kustomize {
    process: Oracle,
    last: Option<Duration>,
}

impl Kustomize {
    /// Builds the program if it is missing, and starts it.
    pub fn start() -> Result<Kustomize, String> {
        let command = Command::new(oracle::tool("kustomizeloop")?);
        Ok(Kustomize { process: Oracle::start(command, PATIENCE)?, last: None })
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
        let answer = self.process.ask(question);
        let nanoseconds =
            answer.as_ref().ok().and_then(|answer| answer.get("nanoseconds")).and_then(Value::as_u64);
        self.last = nanoseconds.map(Duration::from_nanos);
        match answer {
            Ok(answer) => match answer.get("ok").and_then(Value::as_str) {
                // A program that only links kustomize does not know its version.
                Some(text) => Ok(text.replace("kustomize-(devel)", "kustomize-v5.8.1")),
                None => Err(answer.get("error").and_then(Value::as_str).unwrap_or_default().to_owned()),
            },
            Err(error) => Err(format!("the real program died: {error}")),
        }
    }
}

//! The user's values from files and flags.

use std::io::Read;

use chart::{Set, Table, overlay, read_values, set};
use clap::Args;

use super::template::Problem;

/// Flags with values; each may be repeated.
#[derive(Args, Debug, Default)]
pub struct ValueFlags {
    /// Values in a YAML file, `-` for standard input; separated by commas or repeated, later ones win
    #[arg(short = 'f', long = "values", value_name = "FILE", value_delimiter = ',')]
    files: Vec<String>,
    /// Values as name=value pairs, separated by commas
    #[arg(long = "set", value_name = "PAIRS")]
    typed: Vec<String>,
    /// As --set, all values are strings
    #[arg(long = "set-string", value_name = "PAIRS")]
    texts: Vec<String>,
    /// As --set, the values are JSON; or one JSON object
    #[arg(long = "set-json", value_name = "PAIRS")]
    jsons: Vec<String>,
    /// As --set, the values are paths whose contents become the values
    #[arg(long = "set-file", value_name = "PAIRS")]
    contents: Vec<String>,
    /// name=value; the value is taken as it stands
    #[arg(long = "set-literal", value_name = "PAIR")]
    literals: Vec<String>,
}

fn read(path: &str) -> Result<Vec<u8>, Problem> {
    let failed = |verb| move |source| Problem::Disk { verb, path: path.into(), source };
    if path.trim() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map_err(failed("read"))?;
        return Ok(bytes);
    }
    if path.starts_with("http://") || path.starts_with("https://") {
        return Err(Problem::RemoteValues { url: path.to_owned() });
    }
    std::fs::read(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::IsADirectory => failed("read")(source),
        _ => failed("open")(source),
    })
}

impl ValueFlags {
    /// The values, in Helm's order of precedence.
    pub fn table(&self) -> Result<Table, Problem> {
        let mut values = Table::new();
        for path in &self.files {
            let found = read_values(&read(path)?)
                .map_err(|error| Problem::Values(format!("failed to parse {path}: {error}")))?;
            values = overlay(values, found);
        }
        for text in &self.jsons {
            if text.trim_start().starts_with('{') {
                let found = chart::read_json_table(text.trim().as_bytes())
                    .map_err(|_| Problem::Values(format!("failed parsing --set-json data JSON: {text}")))?;
                values = overlay(values, found);
            } else {
                set(&mut values, text, Set::Json)
                    .map_err(|_| Problem::Values(format!("failed parsing --set-json data {text}")))?;
            }
        }
        let mut content = |path: &str| {
            read(path)
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .map_err(|error| error.to_string())
        };
        for text in &self.typed {
            set(&mut values, text, Set::Typed).map_err(|error| failed("--set", &error))?;
        }
        for text in &self.texts {
            set(&mut values, text, Set::Text).map_err(|error| failed("--set-string", &error))?;
        }
        for text in &self.contents {
            set(&mut values, text, Set::File(&mut content)).map_err(|error| failed("--set-file", &error))?;
        }
        for text in &self.literals {
            set(&mut values, text, Set::Literal).map_err(|error| failed("--set-literal", &error))?;
        }
        Ok(values)
    }
}

fn failed(flag: &str, error: &chart::Error) -> Problem {
    Problem::Values(format!("failed parsing {flag} data: {error}"))
}

//! A case of the conformance corpus: its files, options and what the real program answers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use base64::Engine as _;
use kustomize::{LoadRestrictions, MemoryFileSystem, Options, Reorder, RootDecoding, build};
use serde_json::Value;

/// One `.txtar` file.
pub struct Case {
    /// Folder and file name without `.txtar`, for example `vars/krusty.variableref.TestVariableRef`.
    pub name: String,
    /// The folder: the feature it is counted under.
    pub feature: String,
    path: String,
    options: Options,
    varies: bool,
    files: MemoryFileSystem,
    expected: Expected,
}

enum Expected {
    Output(String),
    Error(String),
}

/// How our answer compares.
pub enum Outcome {
    /// The same bytes, or an error where one is due.
    Equal,
    /// The same documents in another style.
    Style(String),
    /// Something else; the text says what was expected and what came.
    Different(String),
}

impl Case {
    /// Reads a case; the error says what is wrong with the file.
    pub fn read(path: &Path) -> Result<Case, String> {
        let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
        let sections = sections(&bytes);
        let raw = |name: &str| {
            sections.iter().find(|(found, _)| found == name).map(|(_, content)| content.as_slice())
        };
        let json: Value =
            serde_json::from_slice(raw("case.json").ok_or("no case.json")?).map_err(|e| e.to_string())?;
        let listed = |field: &str, name: &str| {
            json.get(field).and_then(Value::as_array).is_some_and(|list| list.iter().any(|item| item == name))
        };
        let content = |name: &str, raw: &[u8]| -> Result<Vec<u8>, String> {
            let mut content = raw.to_vec();
            if listed("base64", name) {
                content.retain(|byte| !byte.is_ascii_whitespace());
                return base64::engine::general_purpose::STANDARD
                    .decode(content)
                    .map_err(|error| error.to_string());
            }
            if listed("noeol", name) && content.last() == Some(&b'\n') {
                content.pop();
            }
            Ok(content)
        };
        let mut files = MemoryFileSystem::new();
        for (name, raw) in &sections {
            if let Some(path) = name.strip_prefix("input/") {
                files.insert(path, content(name, raw)?);
            }
        }
        for dir in json.get("dirs").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
        {
            files.insert_dir(dir);
        }
        let text = |name: &str| -> Result<String, String> {
            let raw = raw(name).ok_or_else(|| format!("no {name}"))?;
            Ok(String::from_utf8_lossy(&content(name, raw)?).into_owned())
        };
        let expected = match json.get("expect").and_then(Value::as_str) {
            Some("output") => Expected::Output(text("expected.yaml")?),
            _ => Expected::Error(text("expected-error.txt").unwrap_or_default()),
        };
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let feature =
            path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        Ok(Case {
            name: format!("{feature}/{stem}"),
            feature,
            path: json.get("path").and_then(Value::as_str).unwrap_or(".").to_owned(),
            options: options(json.get("options").unwrap_or(&Value::Null)),
            varies: json.get("match").and_then(Value::as_str) == Some("varies"),
            files,
            expected,
        })
    }

    /// Builds the case and compares.
    pub fn run(&self) -> Outcome {
        let root = match self.path.as_str() {
            "." => "",
            path => path,
        };
        let answer = catch_unwind(AssertUnwindSafe(|| {
            build(&self.files, root, &self.options)
                .map(|build| build.to_yaml().to_owned())
                .map_err(|errors| errors.to_string())
        }));
        let answer = match answer {
            Ok(answer) => answer,
            Err(_) => return Outcome::Different("it panicked".to_owned()),
        };
        match (&self.expected, answer) {
            _ if self.varies => Outcome::Equal,
            (Expected::Output(expected), Ok(output)) if *expected == output => Outcome::Equal,
            (Expected::Output(expected), Ok(output)) => {
                let text = format!("--- expected\n{expected}--- ours\n{output}");
                if same_documents(expected, &output) {
                    Outcome::Style(text)
                } else {
                    Outcome::Different(text)
                }
            }
            (Expected::Output(expected), Err(error)) => {
                Outcome::Different(format!("--- expected\n{expected}--- ours failed\n{error}\n"))
            }
            (Expected::Error(_), Err(_)) => Outcome::Equal,
            (Expected::Error(expected), Ok(output)) => {
                Outcome::Different(format!("--- expected failure\n{expected}\n--- ours\n{output}"))
            }
        }
    }

    /// The real program's message and ours, for cases in which both fail.
    pub fn errors(&self) -> Option<(String, String)> {
        let Expected::Error(expected) = &self.expected else { return None };
        let root = if self.path == "." { "" } else { &self.path };
        let ours = build(&self.files, root, &self.options).err()?;
        Some((expected.clone(), ours.to_string()))
    }
}

fn options(json: &Value) -> Options {
    let text = |name: &str| json.get(name).and_then(Value::as_str).unwrap_or_default();
    Options {
        reorder: match text("reorder") {
            "legacy" => Reorder::Legacy,
            "unspecified" => Reorder::Unspecified,
            _ => Reorder::None,
        },
        load_restrictions: match text("loadRestrictions") {
            "none" => LoadRestrictions::None,
            _ => LoadRestrictions::RootOnly,
        },
        root_decoding: RootDecoding::Strict,
        managed_by: (json.get("managedByLabel") == Some(&Value::Bool(true))).then(|| "VERSION".to_owned()),
        ..Options::default()
    }
}

fn same_documents(expected: &str, ours: &str) -> bool {
    let read = |text: &str| {
        let documents = yaml::read_documents(text.as_bytes(), &yaml::ReadLimits::default()).ok()?;
        documents.iter().map(yaml::Value::to_json).collect::<Result<Vec<_>, _>>().ok()
    };
    read(expected).is_some_and(|expected| Some(expected) == read(ours))
}

/// Names and contents; a section ends where the next begins.
fn sections(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut sections: Vec<(String, Vec<u8>)> = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let name = line.strip_prefix(b"-- ").and_then(|rest| rest.trim_ascii_end().strip_suffix(b" --"));
        match (name, sections.last_mut()) {
            (Some(name), _) => sections.push((String::from_utf8_lossy(name).into_owned(), Vec::new())),
            (None, Some((_, content))) => content.extend_from_slice(line),
            (None, None) => {}
        }
    }
    sections
}

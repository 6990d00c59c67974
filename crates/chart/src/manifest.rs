//! From rendered files to hooks, manifests and notes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value as Json;
use sprig::Beside;

use crate::decode::{self, Shape, Struct};
use crate::error::Error;
use crate::file::base_name;
use crate::hook::{Event, Hook};
use crate::order::install_rank;
use crate::render::{Files, render};

/// Where a file is cut into documents. The texts of manifests, and so their digests, depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separators {
    /// As Helm 4.2.1, which helm-controller 1.6 has in it: white space around `---` goes with it.
    Loose,
    /// As Helm 4.2.4: `---` at the beginning of a line, and blanks behind it.
    Strict,
}

/// Which `NOTES.txt` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notes {
    /// Only that of the chart itself.
    OwnOnly,
    /// Those of sub-charts, too.
    WithSubCharts,
}

/// An object as it was rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Path of the template.
    pub path: String,
    /// The text of the document.
    pub content: String,
    /// `apiVersion`, or empty.
    pub api_version: String,
    /// `kind`, or empty.
    pub kind: String,
    /// `metadata.name`, or empty.
    pub name: String,
}

/// What a chart has become.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendering {
    /// Hooks in install order.
    pub hooks: Vec<Hook>,
    /// Objects in install order.
    pub manifests: Vec<Manifest>,
    /// What the user shall read.
    pub notes: String,
}

impl Rendering {
    /// As [`Rendering::manifest`], behind a text.
    pub(crate) fn write_manifest(&self, out: &mut String) {
        // Charts can become megabytes: they are copied once.
        let size = |manifest: &Manifest| BEFORE_PATH.len() + manifest.path.len() + manifest.content.len() + 2;
        out.reserve(self.manifests.iter().map(size).sum());
        for manifest in &self.manifests {
            write_source(&manifest.path, &manifest.content, out);
        }
    }

    /// The text that release records keep and `helm get manifest` shows.
    #[must_use]
    pub fn manifest(&self) -> String {
        let mut out = String::new();
        self.write_manifest(&mut out);
        out
    }
}

/// A document with the lines that Helm puts before it.
#[must_use]
pub fn source(path: &str, content: &str) -> String {
    let mut out = String::new();
    write_source(path, content, &mut out);
    out
}

pub(crate) fn write_source(path: &str, content: &str, out: &mut String) {
    out.extend([BEFORE_PATH, path, "\n", content, "\n"]);
}

const BEFORE_PATH: &str = "---\n# Source: ";

/// Takes notes and hooks out of rendered files, cuts the rest into documents, and sorts all.
///
/// # Errors
/// The first document that is not YAML, or whose head is not an object's.
pub fn assemble(
    mut files: Files,
    chart: &str,
    notes: Notes,
    separators: Separators,
) -> Result<Rendering, Error> {
    let mut rendering = Rendering { notes: take_notes(&mut files, chart, notes), ..Rendering::default() };
    let texts: Vec<(&str, &[u8], Cow<'_, str>)> = files
        .iter()
        .filter(|(path, _)| !base_name(path).starts_with('_'))
        .map(|(path, bytes)| (path.as_str(), bytes.as_slice(), gotemplate::lossy(bytes)))
        .collect();
    let mut documents = Vec::new();
    for (path, bytes, text) in &texts {
        if matches!(text, Cow::Owned(_)) {
            documents.push(Document { path, bytes, content: None });
        }
        let cut = split(text, separators).into_iter();
        documents.extend(cut.map(|text| Document { path, bytes: text.as_bytes(), content: Some(text) }));
    }
    for (document, head) in documents.iter().zip(heads(&documents)?) {
        if let Some(content) = document.content {
            rendering.add(document.path, content, head);
        }
    }
    rendering.manifests.sort_by(|a, b| install_rank(&a.kind).cmp(&install_rank(&b.kind)));
    rendering.hooks.sort_by(|a, b| install_rank(&a.kind).cmp(&install_rank(&b.kind)));
    Ok(rendering)
}

fn take_notes(files: &mut Files, chart: &str, notes: Notes) -> String {
    let own = format!("{chart}/templates/NOTES.txt");
    let paths: Vec<String> = files.keys().filter(|path| path.ends_with("NOTES.txt")).cloned().collect();
    let mut out = String::new();
    for path in paths {
        let Some(text) = files.remove(&path) else { continue };
        if notes == Notes::WithSubCharts || path == own {
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(&gotemplate::lossy(&text));
        }
    }
    out
}

/// Go's idea of white space.
fn is_space(c: char) -> bool {
    c.is_whitespace()
}

/// Cuts a text into documents: white space before each is dropped, and so are those that have nothing else.
#[must_use]
pub fn split(text: &str, separators: Separators) -> Vec<&str> {
    let text = text.trim_start_matches(is_space);
    let pieces = match separators {
        Separators::Loose => split_loose(text),
        Separators::Strict => split_strict(text),
    };
    pieces
        .into_iter()
        .map(|piece| piece.trim_start_matches(is_space))
        .filter(|piece| !piece.is_empty())
        .collect()
}

fn split_strict(text: &str) -> Vec<&str> {
    let (mut pieces, mut start, mut from) = (Vec::new(), 0, 0);
    while let Some(rest) = text.get(from..) {
        let found = if from == 0 && rest.starts_with("---") {
            Some(0)
        } else {
            memchr::memmem::find(rest.as_bytes(), b"\n---").map(|i| from + i + 1)
        };
        let Some(at) = found else { break };
        pieces.push(text.get(start..at).unwrap_or_default());
        let behind = text.get(at + 3..).unwrap_or_default();
        start = at + 3 + (behind.len() - behind.trim_start_matches([' ', '\t']).len());
        from = start;
    }
    pieces.push(text.get(start..).unwrap_or_default());
    pieces
}

/// `(?:^|\s*\n)---\s*`
fn split_loose(text: &str) -> Vec<&str> {
    const SPACE: [char; 5] = ['\t', '\n', '\x0c', '\r', ' '];
    let (mut pieces, mut start) = (Vec::new(), 0);
    if let Some(behind) = text.strip_prefix("---") {
        pieces.push("");
        start = text.len() - behind.trim_start_matches(SPACE).len();
    }
    while let Some(rest) = text.get(start..) {
        let Some(at) = memchr::memmem::find(rest.as_bytes(), b"\n---") else { break };
        let before = rest.get(..at).unwrap_or_default();
        pieces.push(before.trim_end_matches(SPACE));
        let behind = rest.get(at + 4..).unwrap_or_default();
        start = text.len() - behind.trim_start_matches(SPACE).len();
    }
    pieces.push(text.get(start..).unwrap_or_default());
    pieces
}

const HEAD: Struct = Struct {
    name: "SimpleHead",
    package: "util.",
    fields: &[("apiVersion", Shape::Text), ("kind", Shape::Text), ("metadata", Shape::Struct(&OBJECT_META))],
};

const OBJECT_META: Struct = Struct {
    name: "",
    package: "struct { Name string \"json:\\\"name\\\"\"; Annotations map[string]string \"json:\\\"annotations\\\"\" }",
    fields: &[("name", Shape::Text), ("annotations", Shape::Map(&Shape::Text))],
};

/// What Helm looks at of an object.
struct Head {
    api_version: String,
    kind: String,
    name: String,
    annotations: BTreeMap<String, String>,
}

/// A piece of a rendered file.
struct Document<'a> {
    path: &'a str,
    bytes: &'a [u8],
    /// What becomes an object; nothing of a file that is no UTF-8 as a whole, and only has to be YAML.
    content: Option<&'a str>,
}

/// From how many bytes on documents are read by two threads.
const WORTH_A_THREAD: usize = 16 << 10;

/// The heads of documents, in their order, or what is wrong with the first that has none.
fn heads(documents: &[Document<'_>]) -> Result<Vec<Head>, Error> {
    let all: usize = documents.iter().map(|document| document.bytes.len()).sum();
    let mut front = 0;
    let half = documents.iter().position(|document| {
        front += document.bytes.len();
        front > all / 2
    });
    let half = half.filter(|_| all >= WORTH_A_THREAD).map_or(documents.len(), |half| half + 1);
    let (front, back) = documents.split_at_checked(half).unwrap_or((documents, &[]));
    // To copy them takes a hundredth of the time that it takes to read them.
    let back: Vec<(String, Vec<u8>)> =
        back.iter().map(|document| (document.path.to_owned(), document.bytes.to_owned())).collect();
    let beside = (!back.is_empty()).then(|| {
        Beside::start(move || {
            back.iter().map(|(path, bytes)| head(path, bytes)).collect::<Result<Vec<_>, _>>()
        })
    });
    let read = front.iter().map(|document| head(document.path, document.bytes));
    let mut found = read.collect::<Result<Vec<_>, _>>()?;
    if let Some(beside) = beside {
        found.extend(beside.end().map_err(render)??);
    }
    Ok(found)
}

fn head(path: &str, document: &[u8]) -> Result<Head, Error> {
    let fields = decode::read(document, &HEAD)
        .map_err(|problem| Error::Manifest { path: path.to_owned(), problem })?;
    let text = |value: Option<&Json>| value.and_then(Json::as_str).unwrap_or_default().to_owned();
    let metadata = fields.get("metadata");
    let annotations = metadata.and_then(|metadata| metadata.get("annotations")).and_then(Json::as_object);
    Ok(Head {
        api_version: text(fields.get("apiVersion")),
        kind: text(fields.get("kind")),
        name: text(metadata.and_then(|metadata| metadata.get("name"))),
        annotations: annotations
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), text(Some(value))))
            .collect(),
    })
}

impl Rendering {
    fn add(&mut self, path: &str, document: &str, head: Head) {
        let Head { api_version, kind, name, annotations } = head;
        let (path, content) = (path.to_owned(), document.to_owned());
        let Some(events) = annotations.get("helm.sh/hook") else {
            self.manifests.push(Manifest { path, content, api_version, kind, name });
            return;
        };
        let list =
            |text: &str| -> Vec<String> { text.split(',').map(|item| item.trim().to_lowercase()).collect() };
        let events: Option<Vec<Event>> = list(events).iter().map(|event| Event::parse(event)).collect();
        // An event that nobody knows: Helm drops the whole object.
        let Some(events) = events else { return };
        let policies =
            |annotation: &str| annotations.get(annotation).map(|text| list(text)).unwrap_or_default();
        self.hooks.push(Hook {
            name,
            kind,
            path,
            manifest: content,
            events,
            weight: annotations.get("helm.sh/hook-weight").and_then(|text| text.parse().ok()).unwrap_or(0),
            delete_policies: policies("helm.sh/hook-delete-policy"),
            output_log_policies: policies("helm.sh/hook-output-log-policy"),
            last_run: Default::default(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_cut_as_helm_cuts_them() {
        let text = "\n---\na: 1\n\n--- \n# only\n---b: 2\n---\n---\nc: '\n---x'\n";
        assert_eq!(split(text, Separators::Strict), ["a: 1\n\n", "# only\n", "b: 2\n", "c: '\n", "x'\n"]);
        assert_eq!(split(text, Separators::Loose), ["a: 1", "# only", "b: 2", "---\nc: '", "x'\n"]);
        assert!(split(" \n\t\n", Separators::Strict).is_empty());
    }
}

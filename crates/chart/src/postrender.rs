//! What happens to rendered files between the templates and the hooks and manifests: the documents become one stream, which
//! the caller changes, and go back into files.

use std::collections::BTreeMap;

use yaml::{ReadLimits, Value};

use crate::error::Error;
use crate::file::base_name;
use crate::manifest::{Notes, Separators, assemble, split};
use crate::render::Files;

/// Which documents the post-renderer gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// All in one stream: what Helm 4 does unless told otherwise.
    Combined,
    /// Hooks in a stream of their own, before the other documents.
    Separate,
    /// All but the hooks, which stay as they are: what Helm 3 did.
    NoHooks,
}

/// Where a document comes from, while it is in the stream.
const PATH: &str = "postrenderer.helm.sh/postrender-filename";

/// A post-renderer: objects as YAML documents in, objects out. They keep their annotations, by which they find back into
/// their files; new ones get files of their own.
pub type PostRenderer<'a> = &'a mut dyn FnMut(&str) -> Result<String, String>;

/// Hands the documents of rendered files to a post-renderer, and makes files of what comes back. Notes are left alone.
/// Comments are lost, as they are with every post-renderer that goes through Kustomize.
///
/// # Errors
/// A document that is no YAML, what the post-renderer says, or an answer that is no YAML.
///
/// ```
/// use chart::{Files, Separators, Stream, post_render};
///
/// let files: Files = [("a/templates/x.yaml".to_owned(), b"kind: X\nmetadata: {name: x}\n".to_vec())].into();
/// let changed = post_render(files, Stream::Combined, Separators::Loose, &mut |text| Ok(text.replace("name: x", "name: new")))?;
/// assert_eq!(changed["a/templates/x.yaml"], b"kind: X\nmetadata:\n  name: new\n");
/// # Ok::<(), chart::Error>(())
/// ```
pub fn post_render(
    files: Files,
    stream: Stream,
    separators: Separators,
    run: PostRenderer<'_>,
) -> Result<Files, Error> {
    let (notes, files): (Files, Files) = files.into_iter().partition(|(path, _)| path.ends_with("NOTES.txt"));
    let mut changed: BTreeMap<String, String> = BTreeMap::new();
    match stream {
        Stream::Combined => {
            let texts = files.into_iter().map(|(path, text)| (path, gotemplate::lossy(&text).into_owned()));
            changed = one_stream(
                &texts.collect(),
                separators,
                &Names { what: "manifests", on: "files", fallback: "" },
                run,
            )?;
        }
        Stream::Separate | Stream::NoHooks => {
            let rendering = assemble(files, "", Notes::OwnOnly, separators)?;
            let hooks = rendering.hooks.iter().map(|hook| (hook.path.as_str(), hook.manifest.as_str()));
            let hooks = joined(hooks);
            let manifests =
                rendering.manifests.iter().map(|found| (found.path.as_str(), found.content.as_str()));
            let names = Names { what: "hooks", on: "hooks", fallback: "hooks-" };
            let hooks = match stream {
                Stream::NoHooks => hooks,
                _ if hooks.is_empty() => hooks,
                _ => one_stream(&hooks, separators, &names, run)?,
            };
            append(&mut changed, hooks);
            let manifests = joined(manifests);
            if !manifests.is_empty() {
                let names = Names { what: "manifests", on: "manifests", fallback: "manifests-" };
                append(&mut changed, one_stream(&manifests, separators, &names, run)?);
            }
        }
    }
    let changed = changed.into_iter().map(|(path, text)| (path, text.into_bytes()));
    Ok(changed.chain(notes).collect())
}

/// What a stream is called in errors and file names.
struct Names {
    what: &'static str,
    on: &'static str,
    fallback: &'static str,
}

fn joined<'a>(documents: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for (path, text) in documents {
        append(&mut files, [(path.to_owned(), text.to_owned())].into());
    }
    files
}

fn append(files: &mut BTreeMap<String, String>, more: BTreeMap<String, String>) {
    for (path, text) in more {
        match files.get_mut(&path) {
            Some(file) => {
                file.push_str("\n---\n");
                file.push_str(&text);
            }
            None => _ = files.insert(path, text),
        }
    }
}

fn one_stream(
    files: &BTreeMap<String, String>,
    separators: Separators,
    names: &Names,
    run: PostRenderer<'_>,
) -> Result<BTreeMap<String, String>, Error> {
    let merged = merge(files, separators)
        .map_err(|problem| Error::PostRender(format!("error merging {}: {problem}", names.what)))?;
    let answer = run(&merged).map_err(|problem| {
        Error::PostRender(format!("error while running post render on {}: {problem}", names.on))
    })?;
    distribute(&answer, names.fallback).map_err(|problem| {
        let of = if names.fallback.is_empty() { String::new() } else { format!(" for {}", names.on) };
        Error::PostRender(format!("error while parsing post rendered output{of}: {problem}"))
    })
}

/// Every document with the path of its file, as one text.
fn merge(files: &BTreeMap<String, String>, separators: Separators) -> Result<String, String> {
    let mut out = Vec::new();
    for (path, text) in files {
        if base_name(path).starts_with('_') {
            continue;
        }
        for document in split(text, separators) {
            let found = parse(document).map_err(|problem| format!("parsing {path}: {problem}"))?;
            for mut object in found {
                let annotations = object.ensure_map(&["metadata", "annotations"]).ok_or_else(|| {
                    format!("annotating {path}: wrong Node Kind: an object must be a mapping")
                })?;
                annotations.insert(PATH, Value::str(path.as_str()));
                out.push(text_of(&object)?);
            }
        }
    }
    Ok(out.join("---\n"))
}

/// The documents of an answer, back in their files.
fn distribute(answer: &str, fallback: &str) -> Result<BTreeMap<String, String>, String> {
    let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let found = parse(answer).map_err(|problem| format!("error parsing YAML: {problem}"))?;
    for (i, mut object) in found.into_iter().enumerate() {
        let path = object.at(&["metadata", "annotations", PATH]).and_then(Value::text).map(str::to_owned);
        let path = path.filter(|path| !path.is_empty());
        let path = path.unwrap_or_else(|| format!("generated-by-postrender-{fallback}{i}.yaml"));
        if let Some(annotations) = object.at_mut(&["metadata", "annotations"]).and_then(Value::as_map_mut) {
            annotations.remove(PATH);
        }
        drop_empty(&mut object, &["metadata"], "annotations");
        drop_empty(&mut object, &[], "metadata");
        files.entry(path).or_default().push(text_of(&object)?);
    }
    Ok(files.into_iter().map(|(path, documents)| (path, documents.join("---\n"))).collect())
}

fn drop_empty(object: &mut Value, place: &[&str], key: &str) {
    if let Some(map) = object.at_mut(place).and_then(Value::as_map_mut)
        && map.get(key).is_some_and(Value::is_null_or_empty)
    {
        map.remove(key);
    }
}

/// The objects of a text; those of a list that stands alone are taken out of it.
fn parse(text: &str) -> Result<Vec<Value>, String> {
    let found =
        yaml::read_documents(text.as_bytes(), &ReadLimits::default()).map_err(|error| error.to_string())?;
    if let [one] = found.as_slice()
        && matches!(one.get("kind").and_then(Value::text), Some("List" | "ResourceList"))
        && let Some(items) = one.get("items").and_then(Value::as_seq)
    {
        return Ok(items.to_vec());
    }
    Ok(found)
}

fn text_of(object: &Value) -> Result<String, String> {
    yaml::to_yaml_unfolded(object).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        let file = |path: &str, text: &str| (path.to_owned(), text.as_bytes().to_vec());
        [
            file(
                "c/templates/a.yaml",
                "# remark\nkind: A\nmetadata:\n  name: a\n---\nkind: B\nmetadata: {annotations: {x: y}}\n",
            ),
            file(
                "c/templates/hook.yaml",
                "kind: H\nmetadata: {name: h, annotations: {helm.sh/hook: test}}\n",
            ),
            file("c/templates/list.yaml", "kind: List\nitems: [{kind: C}, {kind: D}]\n"),
            file("c/templates/NOTES.txt", "notes"),
            file("c/templates/blank.yaml", "\n"),
        ]
        .into()
    }

    #[test]
    fn documents_find_back_into_their_files() {
        let mut seen = Vec::new();
        let changed = post_render(files(), Stream::Combined, Separators::Strict, &mut |text| {
            seen.push(text.to_owned());
            Ok(format!("{text}---\nkind: New\n"))
        });
        let changed = changed.unwrap();
        let text = |path: &str| String::from_utf8(changed[path].clone()).unwrap();
        assert_eq!(seen.len(), 1);
        assert_eq!(
            text("c/templates/a.yaml"),
            "kind: A\nmetadata:\n  name: a\n---\nkind: B\nmetadata:\n  annotations:\n    x: \"y\"\n"
        );
        assert_eq!(text("c/templates/list.yaml"), "kind: C\n---\nkind: D\n");
        assert_eq!(text("generated-by-postrender-5.yaml"), "kind: New\n");
        assert_eq!(text("c/templates/NOTES.txt"), "notes");
        assert!(!changed.contains_key("c/templates/blank.yaml"));
    }

    #[test]
    fn hooks_can_go_their_own_way() {
        for (stream, streams) in [(Stream::Separate, 2), (Stream::NoHooks, 1)] {
            let mut seen = Vec::new();
            let changed = post_render(files(), stream, Separators::Strict, &mut |text| {
                seen.push(text.to_owned());
                Ok(text.replace("  name: ", "  name: new-"))
            });
            assert_eq!(seen.len(), streams);
            let hook = String::from_utf8(changed.unwrap()["c/templates/hook.yaml"].clone()).unwrap();
            assert_eq!(hook.contains("new-h"), stream == Stream::Separate, "{hook}");
        }
    }

    #[test]
    fn problems_name_their_step() {
        let run = |text: &str, answer: Result<&str, &str>| {
            let files: Files = [("c/templates/a.yaml".to_owned(), text.as_bytes().to_vec())].into();
            let answer = answer.map(str::to_owned).map_err(str::to_owned);
            post_render(files, Stream::Combined, Separators::Strict, &mut |_| answer.clone())
                .unwrap_err()
                .to_string()
        };
        assert!(
            run("a: [\n", Ok("")).starts_with("error merging manifests: parsing c/templates/a.yaml: yaml: ")
        );
        assert_eq!(run("a: 1\n", Err("why")), "error while running post render on files: why");
        assert!(
            run("a: 1\n", Ok("a: ["))
                .starts_with("error while parsing post rendered output: error parsing YAML: ")
        );
    }
}

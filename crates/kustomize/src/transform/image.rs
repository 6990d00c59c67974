//! Image names, tags and digests.

use patch::{Create, FieldError, FieldPath, set_text};
use regex::Regex;
use yaml::Value;

use super::{applicable, at_field, outcome};
use crate::config::FieldSpec;
use crate::kustomization::Image;
use crate::resource::{Resource, ResourceMap};
use crate::select::go_regex;

/// Changes the images that match one entry: first in every `containers` and `initContainers` list, wherever it is,
/// then in the fields of `specs`. A field in both is changed twice, as in kustomize.
#[derive(Debug, Clone)]
pub(crate) struct Images {
    image: Image,
    matcher: Matcher,
    specs: Vec<FieldSpec>,
}

#[derive(Debug, Clone)]
enum Matcher {
    /// The name has no operators but dots, which match any character.
    Name(String),
    Regex(Box<Regex>),
    /// The pattern is malformed: it matches nothing.
    Nothing,
}

impl Images {
    pub(crate) fn new(image: Image, specs: Vec<FieldSpec>) -> Self {
        let operators = ['\\', '+', '*', '?', '(', ')', '|', '[', ']', '{', '}', '^', '$'];
        let matcher = if image.name.contains(operators) {
            let pattern = format!(
                "^{}(:[a-zA-Z0-9_.{{}}-]*)?(@[a-zA-Z0-9]+([.+_-][a-zA-Z0-9]+)*:[a-zA-Z0-9_.{{}}-]*)?$",
                image.name
            );
            go_regex(&pattern).map_or(Matcher::Nothing, |regex| Matcher::Regex(Box::new(regex)))
        } else {
            Matcher::Name(image.name.clone())
        };
        Self { image, matcher, specs }
    }

    pub(super) fn run(&self, map: &mut ResourceMap) -> Result<(), Vec<String>> {
        let mut errors = Vec::new();
        for resource in map.iter_mut() {
            if resource.id().gvk.kind == "CustomResourceDefinition" {
                continue;
            }
            if let Err(error) = self.containers(resource.value_mut()) {
                errors.push(at_field(resource, "image", error));
            }
            self.fields(resource, &mut errors);
        }
        outcome(errors)
    }

    fn fields(&self, resource: &mut Resource, errors: &mut Vec<String>) {
        for spec in applicable(&self.specs, resource) {
            let path: &FieldPath = &spec.path;
            let done = path.each(resource.value_mut(), Create::No, &mut |node| self.update(node));
            if let Err(error) = done {
                errors.push(at_field(resource, path.text(), error));
            }
        }
    }

    /// Changes the images of all container lists below a node.
    fn containers(&self, node: &mut Value) -> Result<(), FieldError> {
        match node {
            Value::Map(map) => {
                for (name, value) in map.iter_mut() {
                    self.containers(value)?;
                    if let ("containers" | "initContainers", Value::Seq(containers)) = (name, value) {
                        for container in containers {
                            self.container(container)?;
                        }
                    }
                }
                Ok(())
            }
            Value::Seq(items) => items.iter_mut().try_for_each(|item| self.containers(item)),
            Value::Scalar(_) => Ok(()),
        }
    }

    fn container(&self, container: &mut Value) -> Result<(), FieldError> {
        match container {
            Value::Map(map) => map.get_mut("image").map_or(Ok(()), |image| self.update(image)),
            Value::Scalar(scalar) if scalar.is_null() => Ok(()),
            Value::Scalar(_) => Err(FieldError::NotMap { found: "a scalar" }),
            Value::Seq(_) => Err(FieldError::NotMap { found: "a list" }),
        }
    }

    fn update(&self, node: &mut Value) -> Result<(), FieldError> {
        let text = match &*node {
            Value::Scalar(scalar) => scalar.text(),
            Value::Seq(_) => return Err(FieldError::NotScalar { found: "a list" }),
            Value::Map(_) => return Err(FieldError::NotScalar { found: "a mapping" }),
        };
        if !self.matcher.matches(text) {
            return Ok(());
        }
        let after = self.changed(text);
        set_text(node, &after)
    }

    fn changed(&self, text: &str) -> String {
        let (name, mut tag, mut digest) = split(text);
        let image = &self.image;
        let tagged;
        match (image.new_tag.as_str(), image.digest.as_str(), image.tag_suffix.as_str()) {
            ("", "", "") => {}
            ("", "", suffix) => {
                tagged = format!("{tag}{suffix}");
                (tag, digest) = (&tagged, "");
            }
            (new_tag, new_digest, _) => (tag, digest) = (new_tag, new_digest),
        }
        let mut out = if image.new_name.is_empty() { name.to_owned() } else { image.new_name.clone() };
        for (mark, part) in [(':', tag), ('@', digest)] {
            if !part.is_empty() {
                out.push(mark);
                out.push_str(part);
            }
        }
        out
    }
}

impl Matcher {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Regex(regex) => regex.is_match(text),
            Self::Name(name) => after_name(text, name).is_some_and(is_tag_and_digest),
        }
    }
}

/// What follows the name in the text, if it begins with it.
fn after_name<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = text.chars();
    for wanted in name.chars() {
        let found = rest.next()?;
        if found != wanted && (wanted != '.' || found == '\n') {
            return None;
        }
    }
    Some(rest.as_str())
}

/// `:tag`, `@algorithm:digest`, both, or neither.
fn is_tag_and_digest(text: &str) -> bool {
    let tail = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.{}-".contains(&byte));
    let is_digest = |text: &str| {
        let Some((algorithm, digest)) = text.split_once(':') else { return false };
        let mut parts = algorithm.split(['.', '+', '_', '-']);
        parts.all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
            && tail(digest)
    };
    match text.as_bytes().first() {
        None => true,
        Some(b':') => match text.get(1..).unwrap_or_default().split_once('@') {
            None => tail(text.get(1..).unwrap_or_default()),
            Some((tag, digest)) => tail(tag) && is_digest(digest),
        },
        Some(b'@') => is_digest(text.get(1..).unwrap_or_default()),
        Some(_) => false,
    }
}

/// Name, tag and digest. A colon before the first slash belongs to the name.
fn split(text: &str) -> (&str, &str, &str) {
    let start = text.find('/').filter(|slash| *slash > 0).unwrap_or(0);
    let search = text.get(start..).unwrap_or_default();
    let at = search.find('@').map(|index| index + start);
    let colon = search.find(':').map(|index| index + start);
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    match (colon, at) {
        (None, None) => (text, "", ""),
        (Some(colon), Some(at)) if colon < at => {
            (part(0, colon), part(colon + 1, at), part(at + 1, text.len()))
        }
        (_, Some(at)) => (part(0, at), "", part(at + 1, text.len())),
        (Some(colon), None) => (part(0, colon), part(colon + 1, text.len()), ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(image: &Image, text: &str) -> String {
        let images = Images::new(image.clone(), Vec::new());
        let mut node = Value::str(text);
        images.update(&mut node).unwrap();
        node.text().unwrap().to_owned()
    }

    #[test]
    fn splits() {
        for (text, expected) in [
            ("nginx", ("nginx", "", "")),
            ("nginx:1", ("nginx", "1", "")),
            ("r.io:5000/nginx", ("r.io:5000/nginx", "", "")),
            ("r.io:5000/nginx:1@sha256:a", ("r.io:5000/nginx", "1", "sha256:a")),
            ("nginx@sha256:a", ("nginx", "", "sha256:a")),
        ] {
            assert_eq!(split(text), expected);
        }
    }

    #[test]
    fn changes_what_matches() {
        let tag = Image { name: "nginx".into(), new_tag: "2".into(), ..Image::default() };
        assert_eq!(change(&tag, "nginx:1"), "nginx:2");
        assert_eq!(change(&tag, "nginx@sha256:ab"), "nginx:2");
        assert_eq!(change(&tag, "my/nginx:1"), "my/nginx:1");
        assert_eq!(change(&tag, "nginx-x:1"), "nginx-x:1");
        let dots = Image { name: "a.b".into(), new_name: "c".into(), ..Image::default() };
        assert_eq!(change(&dots, "axb:1"), "c:1");
        let regex = Image { name: "(a|b)/x".into(), digest: "sha256:d".into(), ..Image::default() };
        assert_eq!(change(&regex, "b/x:1"), "b/x@sha256:d");
        let broken = Image { name: "a(".into(), new_tag: "2".into(), ..Image::default() };
        assert_eq!(change(&broken, "a(:1"), "a(:1");
        let suffix = Image { name: "a".into(), tag_suffix: "-x".into(), ..Image::default() };
        assert_eq!(change(&suffix, "a:1"), "a:1-x");
    }
}

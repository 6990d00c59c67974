//! Paths to fields as kustomize's configuration writes them: `spec/template/spec/containers[]/image`.

/// A compiled field path. A `/` inside a name is written `\/`; a name that ends in `[]` is a list, which is never
/// created, only entered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldPath {
    text: String,
    segments: Vec<Segment>,
}

/// One step of a [`FieldPath`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Segment {
    /// The name of the field.
    pub name: String,
    /// Whether it was written with `[]`.
    pub list: bool,
}

impl FieldPath {
    /// Compiles a path. There is no malformed path, only one that matches nothing.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let segments = split_escaped(text, '/')
            .into_iter()
            .map(|name| match name.strip_suffix("[]") {
                Some(name) => Segment { name: name.to_owned(), list: true },
                None => Segment { name, list: false },
            })
            .collect();
        Self { text: text.to_owned(), segments }
    }

    /// The path as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The steps, from the root of the object; never empty.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

/// Splits at `delimiter`; a backslash before a delimiter makes it part of the name. One leading delimiter is dropped.
#[must_use]
pub fn split_escaped(text: &str, delimiter: char) -> Vec<String> {
    let text = text.strip_prefix(delimiter).unwrap_or(text);
    let mut parts: Vec<String> = Vec::new();
    let mut open = false;
    for part in text.split(delimiter) {
        match parts.last_mut() {
            Some(last) if open => {
                last.pop();
                last.push(delimiter);
                last.push_str(part);
            }
            _ => parts.push(part.to_owned()),
        }
        open = parts.last().is_some_and(|last| last.ends_with('\\'));
    }
    parts
}

/// Splits a dotted path as replacements write it: like [`split_escaped`], but dots between `[` and `]` do not count,
/// and brackets without `=` only quote a name.
#[must_use]
pub fn split_bracketed(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut parts = split_escaped(text, '.').into_iter();
    while let Some(part) = parts.next() {
        if !part.starts_with('[') || part.ends_with(']') {
            out.push(part);
            continue;
        }
        let mut whole = part;
        for next in parts.by_ref() {
            whole.push('.');
            whole.push_str(&next);
            if next.ends_with(']') {
                break;
            }
        }
        out.push(if whole.contains('=') { whole } else { whole.trim_matches(['[', ']']).to_owned() });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_names() {
        for (text, expected) in [
            ("a/b", vec!["a", "b"]),
            ("/a/b", vec!["a", "b"]),
            ("a\\/b/c", vec!["a/b", "c"]),
            ("metadata/annotations/x.io\\/y\\/z", vec!["metadata", "annotations", "x.io/y/z"]),
            ("a//b", vec!["a", "", "b"]),
            ("a\\", vec!["a\\"]),
            ("", vec![""]),
        ] {
            assert_eq!(split_escaped(text, '/'), expected, "{text}");
        }
        let path = FieldPath::parse("spec/containers[]/image");
        let lists: Vec<bool> = path.segments().iter().map(|segment| segment.list).collect();
        assert_eq!(lists, [false, true, false]);
    }

    #[test]
    fn brackets_hold_dots() {
        for (text, expected) in [
            ("spec.containers.[name=nginx].image", vec!["spec", "containers", "[name=nginx]", "image"]),
            ("a.[b=c.d].e", vec!["a", "[b=c.d]", "e"]),
            ("metadata.annotations.[a.b/c]", vec!["metadata", "annotations", "a.b/c"]),
            ("a\\.b.c", vec!["a.b", "c"]),
            ("a.[b", vec!["a", "b"]),
            ("a.[b=c.d", vec!["a", "[b=c.d"]),
            ("a.[b].c", vec!["a", "[b]", "c"]),
        ] {
            assert_eq!(split_bracketed(text), expected, "{text}");
        }
    }
}

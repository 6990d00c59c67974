//! Where objects come from, and what transformed them: the annotations of `buildMetadata`.

use std::fmt::Write as _;

use crate::load::RemoteDirectory;

/// The origin of an object, or a transformer that changed it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Path of the file or directory, relative to where the build began.
    pub(crate) path: String,
    /// The repository that the path lies in; empty for the local one.
    pub(crate) repository: String,
    /// Branch, tag or commit of that.
    pub(crate) reference: String,
    /// The kustomization or plugin file that configured a generator or transformer.
    pub(crate) configured_in: String,
    /// The generator or transformer.
    pub(crate) configured_by: Plugin,
}

/// Identity of a plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plugin {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) namespace: String,
}

impl Origin {
    /// The origin of what lies at `path` from here.
    pub(crate) fn append(&self, path: &str) -> Self {
        Self { path: join(&self.path, path), ..self.clone() }
    }

    /// The origin of a directory in a fetched repository.
    pub(crate) fn in_repository(&self, directory: &RemoteDirectory) -> Self {
        Self {
            path: directory.path.clone(),
            repository: directory.repository.clone(),
            reference: directory.reference.clone(),
            ..self.clone()
        }
    }

    /// The origin of what a built-in generator or transformer of a kustomization file makes.
    pub(crate) fn builtin(&self, file_name: &str, kind: &str) -> Self {
        Self {
            path: String::new(),
            configured_in: join(&self.path, file_name),
            configured_by: Plugin {
                api_version: "builtin".to_owned(),
                kind: kind.to_owned(),
                ..Plugin::default()
            },
            ..self.clone()
        }
    }

    /// YAML, as it stands in the annotation.
    pub(crate) fn to_yaml(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, "");
        out
    }

    fn write(&self, out: &mut String, indent: &str) {
        let mut line = |name: &str, text: &str| {
            if !text.is_empty() {
                let _ = writeln!(out, "{indent}{name}: {}", quoted(text));
            }
        };
        line("path", &self.path);
        line("repo", &self.repository);
        line("ref", &self.reference);
        line("configuredIn", &self.configured_in);
        let by = &self.configured_by;
        if *by != Plugin::default() {
            let _ = writeln!(out, "{indent}configuredBy:");
            for (name, text) in [
                ("apiVersion", &by.api_version),
                ("kind", &by.kind),
                ("name", &by.name),
                ("namespace", &by.namespace),
            ] {
                if !text.is_empty() {
                    let _ = writeln!(out, "{indent}  {name}: {}", quoted(text));
                }
            }
        }
    }
}

/// A list of transformers as it stands in the annotation.
pub(crate) fn list_to_yaml(origins: &[Origin]) -> String {
    let mut out = String::new();
    for origin in origins {
        let mut one = String::new();
        origin.write(&mut one, "  ");
        out.push('-');
        out.push_str(one.get(1..).unwrap_or_default());
    }
    out
}

/// Joins paths and cleans the result, keeping what leads out of the start.
fn join(base: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

/// Quotes what would not read as a string.
fn quoted(text: &str) -> String {
    match yaml::style_of(text) {
        yaml::Style::Plain => text.to_owned(),
        yaml::Style::SingleQuoted => format!("'{}'", text.replace('\'', "''")),
        _ => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_yaml() {
        let root = Origin::default();
        assert_eq!(root.append("../base").append("x.yaml").to_yaml(), "path: ../base/x.yaml\n");
        let builtin = root.append("../base").builtin("kustomization.yaml", "LabelTransformer");
        assert_eq!(
            list_to_yaml(&[builtin]),
            "- configuredIn: ../base/kustomization.yaml\n  configuredBy:\n    apiVersion: builtin\n    kind: LabelTransformer\n"
        );
    }
}

//! The kustomization file of a directory.

use yaml::Value;

use super::Target;
use crate::fs::join;
use crate::kustomization::parse;
use crate::load::{Place, Session, to_json};
use crate::options::RootDecoding;
use crate::origin::Origin;

/// Names that a kustomization file can have.
const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Loads the kustomization of a directory. Errors are recorded; `None` if there is nothing to go on with.
pub(crate) fn load_target(
    session: &mut Session<'_>,
    dir: &str,
    asked: &Place,
    parents: Vec<String>,
    origin: Origin,
) -> Option<Target> {
    let dir = match session.fs.resolve(dir) {
        Ok(dir) => dir,
        Err(error) => {
            session.fail(asked, error.to_string());
            return None;
        }
    };
    let mut found = Vec::new();
    for name in NAMES {
        let path = join(&dir, name).unwrap_or_default();
        if session.is_file(&path) {
            found.push((name, path));
        }
    }
    let shown = if dir.is_empty() { "the root of the source" } else { &dir };
    let (name, path) = match found.as_slice() {
        [] => {
            session
                .fail(asked, format!("no kustomization.yaml, kustomization.yml or Kustomization in {shown}"));
            return None;
        }
        [(name, path)] => (*name, path.clone()),
        [_, ..] => {
            let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
            session.fail(asked, format!("{} in {shown}; keep one of them", names.join(" and ")));
            return None;
        }
    };
    let place = Place { file: path.clone(), ..Place::default() };
    let content = match session.read(&path) {
        Ok(content) => content,
        Err(error) => {
            session.fail(asked, error.to_string());
            return None;
        }
    };
    let (tree, json) = match session.document(&content).and_then(|tree| {
        let json = to_json(&tree)?;
        Ok((tree, json))
    }) {
        Ok(both) => both,
        Err(error) => {
            session.fail(&place, error);
            return None;
        }
    };
    let parsed = parse(&json);
    let target = Target {
        dir,
        file_name: name.to_owned(),
        kustomization: parsed.kustomization,
        tree,
        parents,
        repository: None,
        origin,
    };
    for (field, successor) in parsed.deprecated {
        session.warnings.push(format!("{path}: {field} is deprecated, use {successor}"));
    }
    let lenient = target.parents.is_empty() && session.options.root_decoding == RootDecoding::Lenient;
    for field in parsed.findings.unknown {
        if lenient {
            session.warnings.push(format!("{path}: unknown field {field} is ignored"));
        } else {
            session.fail(&target.at(field), "unknown field");
        }
    }
    for (field, error) in parsed.findings.errors {
        session.fail(&target.at(field), error);
    }
    Some(target)
}

/// The line of a field like `patches[2].target.kind`, or of the nearest field above it that is there.
pub(super) fn line_of(tree: &Value, field: &str) -> Option<u32> {
    let mut value = tree;
    let mut line = 0;
    for part in field.split(['.', '[']).filter(|part| !part.is_empty()) {
        let next = match part.strip_suffix(']').and_then(|index| index.parse::<usize>().ok()) {
            Some(index) => value.as_seq().and_then(|items| items.get(index)),
            None => {
                let entry = value.as_map().and_then(|map| map.entry(part));
                if let Some(entry) = entry {
                    line = entry.key.line();
                }
                entry.map(|entry| &entry.value)
            }
        };
        match next {
            Some(next) => {
                value = next;
                if part.ends_with(']') && next.line() > 0 {
                    line = next.line();
                }
            }
            None => break,
        }
    }
    (line > 0).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_lines() {
        let text = "resources:\n- a\n- b\npatches:\n- target:\n    kind: X\n";
        let tree = yaml::read_first(text.as_bytes(), yaml::Profile::V2, &yaml::ReadLimits::default())
            .unwrap()
            .unwrap();
        for (field, line) in [
            ("resources[1]", Some(3)),
            ("patches[0].target.kind", Some(6)),
            ("patches[0].target.nope", Some(5)),
            ("nope", None),
        ] {
            assert_eq!(line_of(&tree, field), line, "{field}");
        }
    }
}

//! Replacements: a value of one object, copied into fields of others.

use std::cell::RefCell;
use std::collections::HashMap;

use patch::{PathError, lookup, select, split_bracketed};
use regex::Regex;
use yaml::{Kind, Scalar, Value};

use super::{World, outcome};
use crate::embedded;
use crate::growth::Growth;
use crate::kustomization::{FieldOptions, Replacement, SelectorEntry, Source, Target};
use crate::resource::{Resource, ResourceMap, effective_namespace};
use crate::select::{Selector, go_regex};

const DEFAULT_FIELD: &str = "metadata.name";

/// Compiled replacements, each with the place in the kustomization that it came from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Replacements(pub(crate) Vec<CompiledReplacement>);

/// One compiled replacement.
#[derive(Debug, Clone)]
pub(crate) struct CompiledReplacement {
    label: String,
    value: ValueSource,
    targets: Vec<CompiledTarget>,
}

#[derive(Debug, Clone)]
enum ValueSource {
    Literal(String),
    Field(Box<Source>),
}

#[derive(Debug, Clone)]
struct CompiledTarget {
    select: Selector,
    reject: Vec<Reject>,
    fields: Vec<(String, Vec<String>)>,
    options: Option<FieldOptions>,
}

#[derive(Debug, Clone)]
struct Reject {
    selector: Selector,
    by_id: bool,
}

impl CompiledReplacement {
    /// Checks and compiles a replacement.
    ///
    /// # Errors
    /// What is missing, contradictory or malformed.
    pub(crate) fn compile(label: String, replacement: Replacement) -> Result<Self, String> {
        let value = match (replacement.source, replacement.source_value) {
            (Some(_), Some(_)) => return Err("give either source or sourceValue, not both".to_owned()),
            (None, Some(text)) => ValueSource::Literal(text),
            (Some(source), None) => ValueSource::Field(Box::new(source)),
            (None, None) => return Err("a source is missing".to_owned()),
        };
        let Some(targets) = replacement.targets else { return Err("targets are missing".to_owned()) };
        let targets = targets.into_iter().map(CompiledTarget::compile).collect::<Result<_, _>>()?;
        Ok(Self { label, value, targets })
    }
}

impl CompiledTarget {
    fn compile(target: Target) -> Result<Self, String> {
        let Some(entry) = target.select else { return Err("a target needs select".to_owned()) };
        let reject = |entry: SelectorEntry| {
            let by_id = entry
                != SelectorEntry {
                    annotation_selector: entry.annotation_selector.clone(),
                    label_selector: entry.label_selector.clone(),
                    ..SelectorEntry::default()
                };
            Selector::compile(&entry).map(|selector| Reject { selector, by_id })
        };
        let mut fields = target.field_paths;
        if fields.is_empty() {
            fields.push(DEFAULT_FIELD.to_owned());
        }
        Ok(Self {
            select: Selector::compile(&entry)?,
            reject: target.reject.into_iter().map(reject).collect::<Result<_, _>>()?,
            fields: (fields.into_iter())
                .map(|path| {
                    let parts = split_bracketed(&path);
                    (path, parts)
                })
                .collect(),
            options: target.options,
        })
    }

    fn accepts(&self, resource: &Resource) -> bool {
        self.select.matches_labels_and_annotations(resource)
            && self.select.matches_any_id(resource)
            && !self.reject.iter().any(|reject| {
                let selector = &reject.selector;
                selector.selects_by_labels() && selector.matches_labels_and_annotations(resource)
                    || reject.by_id && selector.matches_any_id(resource)
            })
    }
}

impl Replacements {
    pub(super) fn run(&self, world: &World<'_>, map: &mut ResourceMap) -> Result<(), Vec<String>> {
        let mut errors = Vec::new();
        let tools = Tools { growth: world.growth, patterns: RefCell::default() };
        for replacement in &self.0 {
            let fail = |error: String| format!("{}: {error}", replacement.label);
            let (mut value, origin) = match &replacement.value {
                ValueSource::Literal(text) => (Value::plain(text.as_str()), None),
                ValueSource::Field(source) => match source_value(source, map) {
                    Ok((value, place)) => (value, Some(place)),
                    Err(error) => {
                        errors.push(fail(error));
                        continue;
                    }
                },
            };
            let mut ids_changed = false;
            for target in &replacement.targets {
                for (place, resource) in map.iter_mut().enumerate() {
                    if !target.accepts(resource) {
                        continue;
                    }
                    let shared = resource.shared();
                    let source = replacement.value.live_at(place, origin);
                    let copied = copy(resource, &mut value, target, source, &tools);
                    resource.settle_shared(&shared);
                    if let Err(error) = copied {
                        errors.push(fail(format!("{}: {error}", resource.id())));
                    }
                    ids_changed |= resource.refresh_id(|gvk| world.is_cluster_scoped(gvk));
                }
            }
            if ids_changed {
                map.ids_changed();
            }
        }
        outcome(errors)
    }
}

impl ValueSource {
    /// The source, if it is the object at `place` and its value is used as it stands there. Kustomize then holds on to
    /// the field itself: where a target is the very same field, further targets get what was put there.
    fn live_at(&self, place: usize, origin: Option<usize>) -> Option<&Source> {
        match self {
            Self::Field(source) if origin == Some(place) && !source.is_split() => Some(source),
            _ => None,
        }
    }
}

impl Source {
    fn is_split(&self) -> bool {
        self.options.as_ref().is_some_and(|options| !options.delimiter.is_empty())
    }

    fn path(&self) -> &str {
        if self.field_path.is_empty() { DEFAULT_FIELD } else { &self.field_path }
    }
}

/// The value that a source names, and the place of its object.
fn source_value(source: &Source, map: &ResourceMap) -> Result<(Value, usize), String> {
    let mut found: Option<(usize, &Resource)> = None;
    let candidates = map.iter().enumerate().filter(|(_, resource)| is_source(&source.selector, resource));
    for (place, resource) in candidates {
        if let Some((_, first)) = found {
            return Err(format!(
                "the source {} is ambiguous: {} and {} match",
                described(&source.selector),
                first.id(),
                resource.id()
            ));
        }
        found = Some((place, resource));
    }
    let Some((place, resource)) = found else {
        return Err(format!("no object matches the source {}", described(&source.selector)));
    };
    let path = source.path();
    let value = lookup(resource.value(), &split_bracketed(path))
        .map_err(|error| format!("field {path} of the source {}: {error}", resource.id()))?
        .filter(|value| !value.is_null_or_empty())
        .ok_or_else(|| format!("the source {} has no field {path}", resource.id()))?;
    let Some(options) = source.options.as_ref().filter(|options| !options.delimiter.is_empty()) else {
        return Ok((value.clone(), place));
    };
    let Value::Scalar(scalar) = value else {
        return Err(format!("field {path} of the source {} is no scalar to be split", resource.id()));
    };
    let part = usize::try_from(options.index)
        .ok()
        .and_then(|index| scalar.text().split(options.delimiter.as_str()).nth(index))
        .ok_or_else(|| {
            format!("field {path} of the source {} has no part {}", resource.id(), options.index)
        })?;
    let mut scalar = scalar.clone();
    scalar.set_text(part);
    Ok((Value::Scalar(scalar), place))
}

fn described(entry: &SelectorEntry) -> String {
    let or = |text: &str, missing: &str| if text.is_empty() { missing.to_owned() } else { text.to_owned() };
    format!("{}/{}.{}", entry.gvk, or(&entry.name, "[noName]"), or(&entry.namespace, "[noNs]"))
}

/// Sources are selected by equality, by any identity that the object has or had.
fn is_source(entry: &SelectorEntry, resource: &Resource) -> bool {
    let id = resource.id();
    let wanted = &entry.gvk;
    let part = |own: &str, wanted: &str| wanted.is_empty() || own == wanted;
    if !part(&id.gvk.group, &wanted.group) || !part(&id.gvk.version, &wanted.version) {
        return false;
    }
    let namespace = effective_namespace(&entry.namespace, false);
    let one = |kind: &str, name: &str, own_namespace: &str| {
        part(kind, &wanted.kind)
            && part(name, &entry.name)
            && (entry.namespace.is_empty() || effective_namespace(own_namespace, false) == namespace)
    };
    one(&id.gvk.kind, &id.name, &id.namespace)
        || (resource.previous.iter()).any(|previous| one(&previous.kind, &previous.name, &previous.namespace))
}

/// Copies a value into the fields of one object; if that is the object of the source, reads the value again after each.
fn copy(
    resource: &mut Resource,
    value: &mut Value,
    target: &CompiledTarget,
    source: Option<&Source>,
    tools: &Tools<'_>,
) -> Result<(), String> {
    let options = target.options.as_ref();
    for (text, path) in &target.fields {
        if let Some(source) = source
            && let Ok(Some(now)) = lookup(resource.value(), &split_bracketed(source.path()))
        {
            value.clone_from(now);
        }
        if text.is_empty() {
            return Err("an empty path names no field".to_owned());
        }
        let create = options.is_some_and(|options| options.create).then(|| value.kind());
        if into_embedded(resource.value_mut(), path, value, options, create, tools) {
            continue;
        }
        if let (Some(source), Some(_)) = (source, create.filter(|kind| *kind != Kind::Scalar)) {
            // What is copied may then have the field in it that is made for the copy.
            let _ =
                select(resource.value_mut(), path, create, &|pattern| tools.compile(pattern), &mut |_, _| {
                    Ok(())
                });
            if let Ok(Some(now)) = lookup(resource.value(), &split_bracketed(source.path())) {
                value.clone_from(now);
            }
        }
        let found = source.map(|source| lookup(resource.value(), &split_bracketed(source.path())));
        let own = found.and_then(Result::ok).flatten().map(|node| std::ptr::from_ref(node).addr());
        let set = &mut |node: &mut Value, fresh: bool| {
            put(node, fresh, value, options, tools)?;
            if own == Some(std::ptr::from_ref(&*node).addr()) {
                value.clone_from(node);
            }
            Ok(())
        };
        match select(resource.value_mut(), path, create, &|pattern| tools.compile(pattern), set) {
            Ok(0) if create.is_some() => return Err(format!("field {text:?} can neither be found nor made")),
            Ok(0) => return Err(format!("field {text:?} is not there; set options.create to make it")),
            Ok(_) => {}
            Err(error) => return Err(format!("field {text:?}: {error}")),
        }
    }
    if let Some(source) = source
        && let Ok(Some(now)) = lookup(resource.value(), &split_bracketed(source.path()))
    {
        value.clone_from(now);
    }
    Ok(())
}

/// What all replacements of a list share.
struct Tools<'w> {
    growth: &'w Growth,
    /// Compiled patterns of paths; `None` for those that are malformed.
    patterns: RefCell<HashMap<String, Option<Regex>>>,
}

impl Tools<'_> {
    fn compile(&self, pattern: &str) -> Option<Regex> {
        let mut patterns = self.patterns.borrow_mut();
        patterns.entry(pattern.to_owned()).or_insert_with(|| go_regex(pattern).ok()).clone()
    }
}

/// Sets one node. A scalar keeps its type, or takes that of the text if it was just made.
fn put(
    node: &mut Value,
    fresh: bool,
    value: &Value,
    options: Option<&FieldOptions>,
    tools: &Tools<'_>,
) -> Result<(), PathError> {
    let mut value = value.clone();
    if let Some(options) = options.filter(|options| !options.delimiter.is_empty()) {
        let Value::Scalar(target) = &*node else {
            return Err(PathError::Set("only a scalar can be split by a delimiter".to_owned()));
        };
        let part = value.text().filter(|_| !value.is_null()).unwrap_or_default().to_owned();
        let joined = join(target.text(), &options.delimiter, options.index, &part);
        tools.growth.bytes(joined.len()).map_err(PathError::Set)?;
        match &mut value {
            Value::Scalar(scalar) => scalar.set_text(joined),
            other => *other = Value::str(joined),
        }
    }
    if value.kind() != Kind::Scalar {
        tools.growth.copies(&value, 1).map_err(PathError::Set)?;
    }
    match node {
        Value::Scalar(target) => {
            let text = value.as_scalar().map(Scalar::shared_text).unwrap_or_default();
            if fresh {
                *target = Scalar::untagged(text);
            } else {
                target.set_text(text);
            }
        }
        other => *other = value,
    }
    Ok(())
}

/// Puts a part at an index of a split text: below 0 in front, beyond the end behind.
fn join(text: &str, delimiter: &str, index: i64, part: &str) -> String {
    let mut parts: Vec<&str> = text.split(delimiter).collect();
    match usize::try_from(index) {
        Err(_) => parts.insert(0, part),
        Ok(index) => match parts.get_mut(index) {
            Some(slot) => *slot = part,
            None => parts.push(part),
        },
    }
    parts.join(delimiter)
}

/// Follows a path through a scalar that holds YAML or JSON itself. Returns whether the value was put there.
fn into_embedded(
    object: &mut Value,
    path: &[String],
    value: &Value,
    options: Option<&FieldOptions>,
    create: Option<Kind>,
    tools: &Tools<'_>,
) -> bool {
    for end in 1..path.len() {
        let (Some(head), Some(tail)) = (path.get(..end), path.get(end..)) else { return false };
        let Ok(Some(Value::Scalar(scalar))) = lookup(object, head) else { continue };
        let text = scalar.text().to_owned();
        let Some(mut document) = embedded::parse(&text) else { continue };
        let mut edits = Vec::new();
        let set = &mut |node: &mut Value, fresh: bool| {
            let before = node.clone();
            put(node, fresh, value, options, tools)?;
            edits.push(embedded::Edit::of(&before, node, fresh));
            Ok(())
        };
        return match select(&mut document, tail, create, &|pattern| tools.compile(pattern), set) {
            Ok(0) | Err(_) => false,
            Ok(_) => match embedded::write(&document, &text, &edits) {
                Some(written) if tools.growth.bytes(written.len()).is_err() => false,
                Some(written) => set_first(object, head, &written),
                None => false,
            },
        };
    }
    false
}

/// Sets the text of the scalar that [`lookup`] finds.
fn set_first(value: &mut Value, path: &[String], text: &str) -> bool {
    let Some((part, rest)) = path.split_first() else {
        return match value {
            Value::Scalar(scalar) => {
                scalar.set_text(text);
                true
            }
            _ => false,
        };
    };
    let next = match value {
        Value::Map(map) => map.get_mut(part),
        Value::Seq(items) => {
            let place = match part.as_str() {
                "-" => items.len().checked_sub(1),
                _ => part.parse::<usize>().ok().or_else(|| {
                    let key = part.trim_start_matches('[').trim_end_matches(']');
                    let (key, wanted) = key.split_once('=')?;
                    items.iter().position(|item| {
                        let own = if key.is_empty() { Some(item) } else { item.get(key) };
                        own.is_some_and(|own| own.text().unwrap_or_default() == wanted)
                    })
                }),
            };
            place.and_then(|place| items.get_mut(place))
        }
        Value::Scalar(_) => None,
    };
    next.is_some_and(|next| set_first(next, rest, text))
}

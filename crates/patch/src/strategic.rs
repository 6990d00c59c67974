//! Strategic merge as kustomize does it: mappings merge deeply, `null` deletes, lists are replaced unless the schema
//! gives them merge keys, and `$patch` directives delete, replace or merge.
//!
//! A merge visits the whole object, not only what the patch names, because kustomize's does: empty nulls vanish, and
//! list items with equal merge keys collapse, wherever they are.

use schema::{Node, Schema};
use yaml::{Kind, Map, Scalar, Style, Tag, Value};

use crate::list::{self, List};

/// A patch that cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// A mapping meets a list, or a scalar meets either.
    #[error("{}: the object has {found} there, the patch has {patch}", at(path))]
    Kind {
        /// Where, as field names.
        path: String,
        /// What the object has.
        found: &'static str,
        /// What the patch has.
        patch: &'static str,
    },
    /// An item of a list that merges by keys has none.
    #[error("{}: expected only mappings in this list, found {found}", at(path))]
    Item {
        /// Where the list is, as field names.
        path: String,
        /// What is among its items.
        found: &'static str,
    },
    /// A `$patch` that is none of `delete`, `replace` and `merge`.
    #[error("{}: unknown $patch directive {directive:?}; use delete, replace or merge", at(path))]
    Directive {
        /// Where, as field names.
        path: String,
        /// What was written.
        directive: String,
    },
    /// A field whose name is empty, which kustomize cannot merge.
    #[error("{}: a field with an empty name cannot be merged", at(path))]
    EmptyName {
        /// Where, as field names.
        path: String,
    },
}

fn at(path: &str) -> &str {
    if path.is_empty() { "the object" } else { path }
}

/// Merges `patch` into `target`; `None` if the patch deletes the whole object.
///
/// # Errors
/// [`MergeError`] if the shapes do not fit or a directive is unknown.
pub fn strategic_merge(schema: &Schema, target: Value, patch: Value) -> Result<Option<Value>, MergeError> {
    let mut merge = Merge { schema, path: Vec::new() };
    merge.node(Some(target), Patch::Other(patch), None)
}

/// The patch's side of a merge.
pub(crate) enum Patch {
    /// The patch does not name the node.
    Absent,
    /// The node came from the patch; its own directives apply.
    Same,
    /// The patch's node.
    Other(Value),
}

/// What `$patch` asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Directive {
    Merge,
    Replace,
    Delete,
}

pub(crate) struct Merge<'s> {
    schema: &'s Schema,
    path: Vec<String>,
}

impl<'s> Merge<'s> {
    pub(crate) fn error_path(&self) -> String {
        self.path.join(".")
    }

    /// Merges one node; `None` if nothing remains of it.
    pub(crate) fn node(
        &mut self,
        target: Option<Value>,
        patch: Patch,
        node: Option<Node<'s>>,
    ) -> Result<Option<Value>, MergeError> {
        let node = node.or_else(|| self.schema_of(target.as_ref(), &patch));
        // A list that is taken over keeps its own directive; one within something that is taken over does not.
        let fresh = target.as_ref().is_none_or(Value::is_null);
        // An absent or null target takes the patch's node, whose own directives then apply.
        let (target, patch) = match (target, patch) {
            (None, Patch::Absent | Patch::Same) => return Ok(None),
            (Some(target), Patch::Absent) if target.is_null() => {
                return Ok(target.text().is_some_and(|text| !text.is_empty()).then_some(target));
            }
            (Some(target), Patch::Same) if target.is_null() => return Ok(None),
            (None, Patch::Other(patch)) => (patch, Patch::Same),
            (Some(target), Patch::Other(patch)) if target.is_null() => (patch, Patch::Same),
            (Some(target), patch) => (target, patch),
        };
        if target.is_null() {
            return Ok(None);
        }
        if let Patch::Other(other) = &patch {
            if other.is_null() {
                return Ok(None);
            }
            if other.kind() != target.kind() {
                return Err(MergeError::Kind {
                    path: self.error_path(),
                    found: kind_name(target.kind()),
                    patch: kind_name(other.kind()),
                });
            }
        }
        match (target, patch) {
            (Value::Map(target), Patch::Other(Value::Map(patch))) => self.maps(target, patch, node),
            (Value::Map(target), Patch::Same) => self.own_map(target, node),
            (Value::Map(target), _) => self.untouched_map(target, node).map(Some),
            (Value::Seq(target), patch) => {
                let keys = node.as_ref().and_then(merge_keys);
                match (keys, patch) {
                    (Some(keys), _) if fresh => {
                        List::own(target).merge(self, &keys, node.and_then(|node| node.items())).map(Some)
                    }
                    (Some(keys), patch) => self.associative(target, patch, &keys, node),
                    (None, Patch::Other(patch)) => Ok(Some(patch)),
                    (None, _) => Ok(Some(Value::Seq(target))),
                }
            }
            (Value::Scalar(target), Patch::Other(Value::Scalar(patch))) => {
                let patch = patch.with_style(target.style());
                Ok(Some(Value::Scalar(match target.share() {
                    Some(number) => patch.shared_as(number),
                    None => patch,
                })))
            }
            (target, _) => Ok(Some(target)),
        }
    }

    /// The schema of an object that names its own type, for places whose schema is unknown.
    fn schema_of(&self, target: Option<&Value>, patch: &Patch) -> Option<Node<'s>> {
        let patch = if let Patch::Other(patch) = patch { Some(patch) } else { None };
        [target, patch].into_iter().flatten().find_map(|value| {
            let map = value.as_map()?;
            let text = |name| map.get(name).filter(|value| !value.is_null()).and_then(Value::text);
            let (api_version, kind) = (text("apiVersion")?, text("kind")?);
            let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
            self.schema.lookup(group, version, kind)
        })
    }

    fn maps(
        &mut self,
        mut target: Map,
        mut patch: Map,
        node: Option<Node<'s>>,
    ) -> Result<Option<Value>, MergeError> {
        match self.take_directive(&mut patch)? {
            Directive::Delete => return Ok(None),
            Directive::Replace => return self.fields_of_own(patch, node).map(Some),
            Directive::Merge => {}
        }
        self.visit(&mut target, node, |name| !patch.contains_key(name), |_| Patch::Absent)?;
        for entry in patch {
            let name = entry.key.text();
            self.check_name(name)?;
            self.path.push(name.to_owned());
            let field = node.as_ref().and_then(|node| node.field(name));
            let before = target.get_mut(name).map(std::mem::take);
            match self.node(before, Patch::Other(entry.value), field)? {
                Some(value) => {
                    target.insert_entry(yaml::Entry { key: entry.key, value });
                }
                None => {
                    target.remove(name);
                }
            }
            self.path.pop();
        }
        Ok(Some(Value::Map(target)))
    }

    /// A mapping that came from the patch.
    fn own_map(&mut self, mut map: Map, node: Option<Node<'s>>) -> Result<Option<Value>, MergeError> {
        if self.take_directive(&mut map)? == Directive::Delete {
            return Ok(None);
        }
        self.fields_of_own(map, node).map(Some)
    }

    fn fields_of_own(&mut self, mut map: Map, node: Option<Node<'s>>) -> Result<Value, MergeError> {
        self.visit(&mut map, node, |_| true, |_| Patch::Same)?;
        Ok(Value::Map(map))
    }

    /// A mapping that the patch does not name.
    fn untouched_map(&mut self, mut map: Map, node: Option<Node<'s>>) -> Result<Value, MergeError> {
        self.visit(&mut map, node, |_| true, |_| Patch::Absent)?;
        Ok(Value::Map(map))
    }

    /// Merges the chosen fields of a mapping with what `patch` says, and drops those of which nothing remains.
    fn visit(
        &mut self,
        map: &mut Map,
        node: Option<Node<'s>>,
        chosen: impl Fn(&str) -> bool,
        patch: impl Fn(&str) -> Patch,
    ) -> Result<(), MergeError> {
        let mut dropped = Vec::new();
        for (name, value) in map.iter_mut().filter(|(name, _)| chosen(name)) {
            self.check_name(name)?;
            // Scalars that are not null stay as they are.
            if let Value::Scalar(scalar) = value
                && !scalar.is_null()
            {
                quote_what_reads_otherwise(scalar);
                continue;
            }
            self.path.push(name.to_owned());
            let field = node.as_ref().and_then(|node| node.field(name));
            match self.node(Some(std::mem::take(value)), patch(name), field)? {
                Some(merged) => *value = merged,
                None => dropped.push(name.to_owned()),
            }
            self.path.pop();
        }
        for name in dropped {
            map.remove(&name);
        }
        Ok(())
    }

    fn check_name(&self, name: &str) -> Result<(), MergeError> {
        if name.is_empty() { Err(MergeError::EmptyName { path: self.error_path() }) } else { Ok(()) }
    }

    /// Reads and removes the `$patch` of a mapping.
    pub(crate) fn take_directive(&self, patch: &mut Map) -> Result<Directive, MergeError> {
        let Some(value) = patch.get("$patch") else { return Ok(Directive::Merge) };
        let directive = self.directive(value.text().unwrap_or_default())?;
        patch.remove("$patch");
        Ok(directive)
    }

    pub(crate) fn directive(&self, text: &str) -> Result<Directive, MergeError> {
        match text {
            "delete" => Ok(Directive::Delete),
            "replace" => Ok(Directive::Replace),
            "merge" => Ok(Directive::Merge),
            other => Err(MergeError::Directive { path: self.error_path(), directive: other.to_owned() }),
        }
    }

    fn associative(
        &mut self,
        mut target: Vec<Value>,
        patch: Patch,
        keys: &[String],
        node: Option<Node<'s>>,
    ) -> Result<Option<Value>, MergeError> {
        let items = node.and_then(|node| node.items());
        let patch = match patch {
            Patch::Other(Value::Seq(mut patch)) => match self.list_directive(&mut patch)? {
                Directive::Delete => return Ok(None),
                Directive::Replace => return List::own(patch).merge(self, keys, items).map(Some),
                Directive::Merge => Some(patch),
            },
            Patch::Same => match self.list_directive(&mut target)? {
                Directive::Delete => return Ok(None),
                Directive::Replace | Directive::Merge => {
                    return List::own(target).merge(self, keys, items).map(Some);
                }
            },
            Patch::Absent | Patch::Other(_) => None,
        };
        List::new(target, patch).merge(self, keys, items).map(Some)
    }

    /// Reads and removes the directive of a list: an item that holds nothing but `$patch`.
    fn list_directive(&self, patch: &mut Vec<Value>) -> Result<Directive, MergeError> {
        let found = patch.iter().filter_map(Value::as_map).find(|map| map.contains_key("$patch"));
        let Some(map) = found.filter(|map| map.len() == 1) else { return Ok(Directive::Merge) };
        let text = map.get("$patch").and_then(Value::text).unwrap_or_default().to_owned();
        let directive = self.directive(&text)?;
        list::remove_matching(patch, &["$patch".to_owned()], &[text]);
        Ok(directive)
    }
}

/// A merge sets every field that it visits, and that puts strings in quotes which YAML 1.1 takes for something else. It
/// matters when a later patch puts a value in its place.
fn quote_what_reads_otherwise(scalar: &mut Scalar) {
    if (scalar.tag() == Tag::Str || scalar.is_untagged())
        && scalar.style() == Style::Plain
        && !yaml::reads_as_string(scalar.text(), yaml::Profile::V2)
    {
        let quoted = Scalar::str(scalar.shared_text()).with_style(Style::DoubleQuoted);
        *scalar = match scalar.share() {
            Some(number) => quoted.shared_as(number),
            None => quoted,
        };
    }
}

/// The merge keys of a list, if its items merge: none for lists of scalars.
fn merge_keys(node: &Node<'_>) -> Option<Vec<String>> {
    node.merges().then(|| node.merge_keys().iter().map(|key| key.to_string()).collect())
}

pub(crate) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Scalar => "a scalar",
        Kind::Seq => "a list",
        Kind::Map => "a mapping",
    }
}

//! OpenAPI v2 documents of users.

use std::collections::HashMap;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::table::{KindData, KindName, NodeData, Table};
use crate::{Relation, builtin};

/// A document that is no OpenAPI.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OpenApiError {
    /// A part of the document has the wrong type.
    #[error("OpenAPI schema: {at} is not {wanted}")]
    WrongType {
        /// Path of the part, for example `definitions.io.example.v1.Thing`.
        at: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// Types nest too deeply without a reference.
    #[error("OpenAPI schema: {at} nests deeper than {DEPTH_LIMIT} levels")]
    TooDeep {
        /// Name of the definition.
        at: String,
    },
}

/// Levels within one definition.
const DEPTH_LIMIT: usize = 200;

/// References that lead to references.
const REFERENCE_LIMIT: usize = 32;

pub(crate) fn read(document: &Value, relation: Relation) -> Result<Table, OpenApiError> {
    let definitions = match document.get("definitions") {
        None | Some(Value::Null) => &Map::new(),
        Some(Value::Object(definitions)) => definitions,
        Some(_) => return Err(OpenApiError::WrongType { at: "definitions".to_owned(), wanted: "a mapping" }),
    };
    let (builtin, builtin_definitions) = match relation {
        Relation::Replaces => (None, HashMap::new()),
        Relation::Over | Relation::Under => (Some(builtin::table()), builtin::definitions()),
    };
    let first = builtin.map_or(0, |table| table.nodes().len());
    let names = definitions.keys().enumerate().map(|(number, name)| (name.as_str(), Some(first + number)));
    let mut reader = Reader {
        definitions,
        numbers: names.collect(),
        nodes: builtin.map(|table| table.nodes().to_vec()).unwrap_or_default(),
    };
    reader.nodes.extend(definitions.iter().map(|_| NodeData::default()));
    for (name, number) in builtin_definitions {
        if relation == Relation::Under || !definitions.contains_key(name) {
            reader.numbers.insert(name, number);
        }
    }
    let mut kinds = Vec::new();
    for (number, (name, definition)) in definitions.iter().enumerate() {
        if !definition.is_object() {
            return Err(OpenApiError::WrongType { at: format!("definitions.{name}"), wanted: "a mapping" });
        }
        let data = reader.data(definition, name, 0)?;
        if let Some(slot) = reader.nodes.get_mut(first + number) {
            *slot = data;
        }
        let listed = definition.get("x-kubernetes-group-version-kind").and_then(Value::as_array);
        for kind in listed.into_iter().flatten().filter_map(kind_name) {
            kinds.push((kind, KindData { namespaced: None, node: Some(first + number) }));
        }
    }
    add_scopes(document, &mut kinds);
    let builtin_kinds = builtin.map(|table| table.kinds().iter().cloned()).into_iter().flatten();
    if relation == Relation::Under {
        kinds = builtin_kinds.chain(kinds).collect();
    } else {
        kinds.extend(builtin_kinds);
    }
    Ok(Table::new(kinds, reader.nodes))
}

fn kind_name(value: &Value) -> Option<KindName> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    Some(KindName {
        kind: text("kind")?.into(),
        group: text("group").unwrap_or_default().into(),
        version: text("version")?.into(),
    })
}

/// A kind is namespaced when one of its API paths is, and cluster-scoped when it has paths and none is.
fn add_scopes(document: &Value, kinds: &mut Vec<(KindName, KindData)>) {
    for (path, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
        let kind = item.get("get").and_then(|get| get.get("x-kubernetes-group-version-kind"));
        let Some(name) = kind.and_then(kind_name) else { continue };
        let namespaced = path.contains("namespaces/{namespace}");
        match kinds.iter_mut().find(|(known, _)| *known == name) {
            Some((_, data)) => data.namespaced = Some(data.namespaced == Some(true) || namespaced),
            None => kinds.push((name, KindData { namespaced: Some(namespaced), node: None })),
        }
    }
}

struct Reader<'d> {
    definitions: &'d Map<String, Value>,
    /// Nodes of the definitions, built-in ones included; `None` where nothing merges.
    numbers: HashMap<&'d str, Option<usize>>,
    nodes: Vec<NodeData>,
}

impl<'d> Reader<'d> {
    /// The number of a type: that of a definition, or a new one. `None` when it refers to nothing.
    fn number(
        &mut self,
        mut schema: &'d Value,
        name: &str,
        depth: usize,
    ) -> Result<Option<usize>, OpenApiError> {
        for _ in 0..REFERENCE_LIMIT {
            let Some(reference) = schema.get("$ref").and_then(Value::as_str) else {
                let data = self.data(schema, name, depth + 1)?;
                self.nodes.push(data);
                return Ok(Some(self.nodes.len() - 1));
            };
            let target = reference.strip_prefix("#/definitions/").unwrap_or_default();
            match (self.numbers.get(target), self.definitions.get(target)) {
                (None, _) => return Ok(None),
                (Some(_), Some(definition)) if definition.get("$ref").is_some() => schema = definition,
                (Some(number), _) => return Ok(*number),
            }
        }
        Ok(None)
    }

    fn data(&mut self, schema: &'d Value, name: &str, depth: usize) -> Result<NodeData, OpenApiError> {
        if depth > DEPTH_LIMIT {
            return Err(OpenApiError::TooDeep { at: name.to_owned() });
        }
        let mut data = NodeData::default();
        if let Some(strategy) = schema.get("x-kubernetes-patch-strategy").and_then(Value::as_str) {
            data.strategy = strategy.into();
            let list = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
            let single = schema.get("x-kubernetes-patch-merge-key").and_then(Value::as_str);
            data.keys = match list {
                Some(keys) => keys.iter().filter_map(Value::as_str).map(Box::from).collect(),
                None => single.into_iter().map(Box::from).collect(),
            };
        }
        let is_array = match schema.get("type") {
            Some(Value::String(kind)) => kind == "array",
            Some(Value::Array(kinds)) => matches!(kinds.as_slice(), [Value::String(kind)] if kind == "array"),
            _ => false,
        };
        if let Some(items) = schema.get("items").filter(|items| is_array && items.is_object()) {
            data.items = self.number(items, name, depth)?;
        }
        if let Some(values) = schema.get("additionalProperties").filter(|values| values.is_object()) {
            data.values = self.number(values, name, depth)?;
        }
        for (field, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if let Some(number) = self.number(schema, name, depth)? {
                data.fields.push((field.as_str().into(), number));
            }
        }
        Ok(data)
    }
}

//! What `crds` files say about the fields of custom resources: OpenAPI definitions with `x-kubernetes-…` marks.

use patch::FieldPath;
use serde_json::{Map, Value};

use super::{BackReference, Config, FieldSpec};
use crate::config::merge::merge_specs;
use crate::resource::Gvk;

/// References deeper than this are a cycle.
const MAX_DEPTH: usize = 32;

/// Reads the definitions of one file, by type name.
///
/// # Errors
/// If the definitions contradict each other, or refer to each other in a circle.
pub(crate) fn from_crds(definitions: &Map<String, Value>) -> Result<Config, String> {
    let mut config = Config::default();
    let mut names: Vec<&String> = definitions.keys().collect();
    names.sort_unstable();
    for name in names {
        let Some(properties) = properties(definitions, name) else { continue };
        if ["kind", "apiVersion", "metadata"].iter().all(|field| properties.contains_key(*field)) {
            let kind = name.rsplit('.').next().unwrap_or(name);
            let gvk = Gvk { kind: kind.to_owned(), ..Gvk::default() };
            let mut walk = Walk { definitions, gvk, path: Vec::new() };
            walk.definition(&mut config, name)?;
        }
    }
    config.sort();
    Ok(config)
}

fn properties<'a>(definitions: &'a Map<String, Value>, name: &str) -> Option<&'a Map<String, Value>> {
    let definition = definitions.get(name)?;
    field(field(definition, "Schema")?, "properties")?.as_object()
}

/// A field by its name in any case, as Go decodes it.
fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let map = value.as_object()?;
    map.get(name)
        .or_else(|| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

struct Walk<'a> {
    definitions: &'a Map<String, Value>,
    gvk: Gvk,
    path: Vec<&'a str>,
}

impl<'a> Walk<'a> {
    fn definition(&mut self, config: &mut Config, name: &str) -> Result<(), String> {
        if self.path.len() > MAX_DEPTH {
            return Err(format!("the definition of {} refers to itself through {name}", self.gvk.kind));
        }
        let definitions = self.definitions;
        let Some(properties) = properties(definitions, name) else { return Ok(()) };
        for (property, schema) in properties {
            self.path.push(property);
            self.property(config, schema)?;
            self.path.pop();
        }
        Ok(())
    }

    fn property(&mut self, config: &mut Config, schema: &Value) -> Result<(), String> {
        let text = |name: &str| schema.get(name).and_then(Value::as_str);
        if text("x-kubernetes-annotation").is_some() {
            merge_specs(&mut config.common_annotations, &[self.spec(None)])?;
        }
        if text("x-kubernetes-label-selector").is_some() {
            merge_specs(&mut config.common_labels, &[self.spec(None)])?;
        }
        if text("x-kubernetes-identity").is_some() {
            merge_specs(&mut config.name_prefix, &[self.spec(None)])?;
        }
        if let (Some(version), Some(kind)) =
            (text("x-kubernetes-object-ref-api-version"), text("x-kubernetes-object-ref-kind"))
        {
            let key = text("x-kubernetes-object-ref-name-key").unwrap_or("name");
            config.merge_reference(&BackReference {
                target: Gvk { group: String::new(), version: version.to_owned(), kind: kind.to_owned() },
                referrers: vec![self.spec(Some(key))],
            })?;
        }
        match text("$ref") {
            Some(reference) => self.definition(config, reference),
            None => Ok(()),
        }
    }

    fn spec(&self, last: Option<&str>) -> FieldSpec {
        let path: Vec<&str> = self.path.iter().copied().chain(last).collect();
        FieldSpec { gvk: self.gvk.clone(), path: FieldPath::parse(&path.join("/")), create: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn finds_references_and_refuses_circles() {
        let definitions = json!({
            "example.com/v1.Bee": {"Schema": {"properties": {
                "kind": {}, "apiVersion": {}, "metadata": {}, "spec": {"$ref": "example.com/v1.BeeSpec"}
            }}},
            "example.com/v1.BeeSpec": {"Schema": {"properties": {
                "secretRef": {
                    "x-kubernetes-object-ref-api-version": "v1",
                    "x-kubernetes-object-ref-kind": "Secret"
                }
            }}}
        });
        let config = from_crds(definitions.as_object().unwrap()).unwrap();
        let reference = &config.name_reference[0];
        assert_eq!(reference.target.kind, "Secret");
        assert_eq!(reference.referrers[0].path.text(), "spec/secretRef/name");
        assert_eq!(reference.referrers[0].gvk.kind, "Bee");

        let circle = json!({"Bee": {"Schema": {"properties": {
            "kind": {}, "apiVersion": {}, "metadata": {}, "next": {"$ref": "Bee"}
        }}}});
        assert!(from_crds(circle.as_object().unwrap()).is_err());
    }
}

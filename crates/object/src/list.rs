use serde_json::Value;

/// True for a document that is an object to apply: it has kind and apiVersion, and is not a kustomize configuration.
pub fn is_object(document: &Value) -> bool {
    let text = |key| document.get(key).and_then(Value::as_str).unwrap_or("");
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let kustomize = kind == "Kustomization" && api_version.starts_with("kustomize.config.k8s.io/");
    !api_version.is_empty() && !kind.is_empty() && !kustomize
}

/// Keeps what [`is_object`] accepts and replaces each list (a kind that ends in `List` and has `items`) by its items,
/// however deep lists are nested.
pub fn expand_lists(documents: Vec<Value>) -> Vec<Value> {
    let mut objects = Vec::with_capacity(documents.len());
    let mut stack: Vec<Value> = documents.into_iter().rev().collect();
    while let Some(mut document) = stack.pop() {
        if !is_object(&document) {
            continue;
        }
        let is_list = document.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
        match document.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) if is_list => stack.extend(items.into_iter().rev()),
            Some(other) => {
                if let Some(items) = document.get_mut("items") {
                    *items = other;
                }
                objects.push(document);
            }
            None => objects.push(document),
        }
    }
    objects
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_expand_in_order() {
        let map = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
        let documents = vec![
            map("a"),
            json!({"apiVersion": "v1", "kind": "List", "items": [map("b"),
                {"apiVersion": "v1", "kind": "ConfigMapList", "items": [map("c")]}]}),
            json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}),
            json!({"just": "data"}),
            json!({"apiVersion": "example.com/v1", "kind": "Menu", "items": ["soup"]}),
        ];
        let expanded = expand_lists(documents);
        let names: Vec<_> = expanded
            .iter()
            .map(|o| o.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("-"))
            .collect();
        assert_eq!(names, ["a", "b", "c", "-"]);
        assert_eq!(expanded[3]["items"], json!(["soup"]));
    }
}

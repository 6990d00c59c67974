use serde_json::json;

use super::*;

fn keys(node: Node<'_>) -> Vec<&str> {
    node.merge_keys().iter().map(|key| &**key).collect()
}

fn at<'s>(schema: &'s Schema, kind: (&str, &str, &str), path: &[&str]) -> Option<Node<'s>> {
    let root = schema.lookup(kind.0, kind.1, kind.2)?;
    path.iter().try_fold(root, |node, name| if *name == "[]" { node.items() } else { node.field(name) })
}

#[test]
fn containers_and_their_lists_merge() {
    let schema = Schema::builtin();
    let deployment = ("apps", "v1", "Deployment");
    let pod = ["spec", "template", "spec", "containers"];
    let containers = at(&schema, deployment, &pod).unwrap();
    assert!(containers.merges());
    assert_eq!(keys(containers), ["name"]);
    let ports = at(&schema, deployment, &[&pod[..], &["[]", "ports"]].concat()).unwrap();
    assert_eq!(keys(ports), ["containerPort", "protocol"]);
    assert!(at(&schema, deployment, &[&pod[..], &["[]", "args"]].concat()).is_none());
    let finalizers = at(&schema, deployment, &["metadata", "finalizers"]).unwrap();
    assert!(finalizers.merges() && keys(finalizers).is_empty());
    let volumes = at(&schema, deployment, &["spec", "template", "spec", "volumes"]).unwrap();
    assert_eq!(volumes.patch_strategy(), "merge,retainKeys");
    assert!(volumes.merges());
}

#[test]
fn scopes_are_known() {
    let schema = Schema::builtin();
    assert_eq!(schema.is_namespaced("", "v1", "Namespace"), Some(false));
    assert_eq!(schema.is_namespaced("", "v1", "ConfigMap"), Some(true));
    assert_eq!(schema.is_namespaced("rbac.authorization.k8s.io", "v1", "ClusterRole"), Some(false));
    assert_eq!(schema.is_namespaced("example.com", "v1", "Thing"), None);
}

#[test]
fn a_document_of_the_user_replaces_the_builtin_types() {
    let schema = Schema::from_openapi(&json!({
        "definitions": {
            "v1.Thing": {
                "properties": {"spec": {"$ref": "#/definitions/v1.Spec"}},
                "x-kubernetes-group-version-kind": [{"group": "example.com", "kind": "Thing", "version": "v1"}],
            },
            "v1.Spec": {"properties": {
                "self": {"$ref": "#/definitions/v1.Thing"},
                "parts": {
                    "type": "array",
                    "items": {"properties": {"lost": {"$ref": "#/definitions/nowhere"}}},
                    "x-kubernetes-patch-merge-key": "id",
                    "x-kubernetes-patch-strategy": "merge",
                },
                "by-name": {"additionalProperties": {"$ref": "#/definitions/v1.Thing"}},
            }},
        },
        "paths": {
            "/apis/example.com/v1/things": {"get": {"x-kubernetes-group-version-kind":
                {"group": "example.com", "kind": "Thing", "version": "v1"}}},
        },
    }), Relation::Replaces)
    .unwrap();
    let thing = ("example.com", "v1", "Thing");
    let parts = at(&schema, thing, &["spec", "self", "spec", "by-name", "any", "spec", "parts"]).unwrap();
    assert!(parts.merges());
    assert_eq!(keys(parts), ["id"]);
    assert!(parts.items().unwrap().field("lost").is_none());
    assert_eq!(schema.is_namespaced("example.com", "v1", "Thing"), Some(false));
    assert!(schema.lookup("apps", "v1", "Deployment").is_none());
    assert_eq!(schema.is_namespaced("", "v1", "Namespace"), Some(false));
}

#[test]
fn references_in_a_circle_end() {
    let schema = Schema::from_openapi(
        &json!({"definitions": {
            "A": {"$ref": "#/definitions/B"},
            "B": {"$ref": "#/definitions/A"},
            "C": {"properties": {"a": {"$ref": "#/definitions/A"}},
                  "x-kubernetes-group-version-kind": [{"kind": "C", "version": "v1"}]},
        }}),
        Relation::Replaces,
    )
    .unwrap();
    assert!(schema.lookup("", "v1", "C").unwrap().field("a").is_none());
    assert!(Schema::from_openapi(&json!({"definitions": []}), Relation::Replaces).is_err());
}

#[test]
fn a_document_can_stand_next_to_the_builtin_types() {
    let document = json!({"definitions": {
        "Config": {
            "properties": {"template": {"$ref": "#/definitions/io.k8s.api.core.v1.PodTemplateSpec"}},
            "x-kubernetes-group-version-kind": [{"group": "example.com", "kind": "Config", "version": "v1"}],
        },
        "io.k8s.api.core.v1.PodTemplateSpec": {"properties": {}},
    }});
    let (config, containers) = (("example.com", "v1", "Config"), ["template", "spec", "containers"]);
    for (relation, found) in [(Relation::Replaces, false), (Relation::Over, false), (Relation::Under, true)] {
        let schema = Schema::from_openapi(&document, relation).unwrap();
        assert_eq!(at(&schema, config, &containers).is_some(), found, "{relation:?}");
        let builtin = schema.lookup("apps", "v1", "Deployment").is_some();
        assert_eq!(builtin, relation != Relation::Replaces, "{relation:?}");
    }
}

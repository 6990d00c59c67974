use kustomize::MemoryFileSystem;

use super::*;

fn files(entries: &[(&str, &str)]) -> MemoryFileSystem {
    let mut files = MemoryFileSystem::new();
    for (path, content) in entries {
        files.insert(path, *content);
    }
    files
}

fn spec(change: Value) -> KustomizationSpec {
    let mut value =
        json!({"interval": "1m", "prune": true, "sourceRef": {"kind": "GitRepository", "name": "x"}});
    for (key, field) in change.as_object().unwrap() {
        value[key] = field.clone();
    }
    serde_json::from_value(value).unwrap()
}

fn content(entries: &[(&str, &str)], change: Value) -> Value {
    let generated = generate(&files(entries), "app", &spec(change)).unwrap();
    serde_json::from_str(&generated.content).unwrap()
}

const OBJECT: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

#[test]
fn a_directory_without_a_file_is_walked() {
    let entries = [
        ("app/b.yaml", OBJECT),
        ("app/a.yml", OBJECT),
        ("app/notes.txt", ""),
        ("app/.hidden/c.yaml", OBJECT),
        ("app/deep/deeper/d.yaml", OBJECT),
        ("app/overlay/kustomization.yml", "resources: []"),
        ("app/overlay/ignored.yaml", OBJECT),
        ("other/e.yaml", OBJECT),
    ];
    let generated = generate(&files(&entries), "app", &spec(json!({}))).unwrap();
    assert_eq!((generated.path.as_str(), generated.walked), ("app/kustomization.yaml", true));
    assert_eq!(
        serde_json::from_str::<Value>(&generated.content).unwrap(),
        json!({
            "resources": ["./.hidden/c.yaml", "./a.yml", "./b.yaml", "./deep/deeper/d.yaml", "./overlay"],
            "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        })
    );
}

#[test]
fn an_empty_directory_is_legal() {
    assert_eq!(content(&[("app/readme.md", "")], json!({}))["namespace"], "_placeholder");
}

#[test]
fn an_existing_file_is_kept_and_completed() {
    let file = "resources: [a.yaml]\nnamePrefix: x-\nlabels: [{pairs: {a: b}}]\n---\nignored: true\n";
    let entries = [("app/Kustomization", "resources: [wrong]"), ("app/kustomization.yml", file)];
    let generated = generate(&files(&entries), "app", &spec(json!({"targetNamespace": "ns"}))).unwrap();
    assert_eq!((generated.path.as_str(), generated.walked), ("app/kustomization.yml", false));
    assert_eq!(
        serde_json::from_str::<Value>(&generated.content).unwrap(),
        json!({
            "resources": ["a.yaml"], "namePrefix": "x-", "labels": [{"pairs": {"a": "b"}}], "namespace": "ns",
            "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        })
    );
}

#[test]
fn a_file_without_resources_gets_origin_annotations() {
    let file = "configMapGenerator: [{name: a}]\n";
    assert_eq!(
        content(&[("app/kustomization.yaml", file)], json!({}))["buildMetadata"],
        json!(["originAnnotations"])
    );
    let replaced =
        content(&[("app/kustomization.yaml", file)], json!({"buildMetadata": ["transformerAnnotations"]}));
    assert_eq!(replaced["buildMetadata"], json!(["transformerAnnotations"]));
    let with = content(&[("app/kustomization.yaml", "Resources: [a.yaml]")], json!({}));
    assert_eq!(with.get("buildMetadata"), None, "field names match whatever their case");
}

#[test]
fn the_spec_wins_and_lists_grow() {
    let file = "resources: [a.yaml]\nnamespace: old\nNamePrefix: old-\npatches: [{path: p.yaml}]\ncomponents: [../one]\n";
    let change = json!({
        "targetNamespace": "new", "namePrefix": "new-", "nameSuffix": "-s",
        "patches": [{"patch": "a: b", "target": {"kind": "Deployment", "labelSelector": "x=y"}}, {"patch": "c: d"}],
        "components": ["../two"],
    });
    let merged = content(&[("app/kustomization.yaml", file), ("two/kustomization.yaml", "")], change);
    assert_eq!(
        (&merged["namespace"], &merged["NamePrefix"], &merged["nameSuffix"]),
        (&json!("new"), &json!("new-"), &json!("-s"))
    );
    assert_eq!(
        merged["patches"],
        json!([
            {"path": "p.yaml"},
            {"patch": "a: b", "target": {"kind": "Deployment", "labelSelector": "x=y"}},
            {"patch": "c: d"},
        ])
    );
    assert_eq!(merged["components"], json!(["../one", "../two"]));
}

#[test]
fn images_merge_by_name() {
    let file = "resources: [a.yaml]\nimages:\n- {name: a, newTag: v1}\n- {name: b, digest: 'sha256:1'}\n- {name: c, newTag: v1}\n- {name: d, newName: x}\n";
    let change = json!({"images": [
        {"name": "a", "newName": "mirror/a"},
        {"name": "b", "newTag": "v2"},
        {"name": "c", "digest": "sha256:2"},
        {"name": "e", "newTag": "v3"},
    ]});
    assert_eq!(
        content(&[("app/kustomization.yaml", file)], change)["images"],
        json!([
            {"name": "a", "newTag": "v1", "newName": "mirror/a"},
            {"name": "b", "newTag": "v2"},
            {"name": "c", "digest": "sha256:2"},
            {"name": "d", "newName": "x"},
            {"name": "e", "newTag": "v3"},
        ])
    );
}

#[test]
fn components_are_local() {
    for bad in ["/abs", "https://x/y", "git@host:x", "", "github.com/x/y?ref=1", "git::ssh://x"] {
        let error = generate(&files(&[]), "app", &spec(json!({"components": [bad]}))).unwrap_err();
        assert_eq!(error, Error::Component(bad.to_owned()));
    }
    let entries = [("app/kustomization.yaml", "resources: [a]"), ("c/kustomization.yaml", "")];
    let skipped = content(&entries, json!({"components": ["../c", "../d"], "ignoreMissingComponents": true}));
    assert_eq!(skipped["components"], json!(["../c"]));
    assert_eq!(
        content(&entries, json!({"components": ["../c", "../d"]}))["components"],
        json!(["../c", "../d"])
    );
}

#[test]
fn what_is_no_kubernetes_yaml_is_named() {
    let cases = [
        ("a: b\n", "missing"),
        ("apiVersion: v1\nkind: ConfigMap\n", "missing"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: x-}\n", "missing metadata.name"),
        ("apiVersion: v1\nmetadata: {name: a}\n", "missing kind"),
        ("a: [\n", ""),
        ("- a\n", ""),
    ];
    for (text, why) in cases {
        let files =
            files(&[("app/ok.yaml", OBJECT), ("app/x.yaml", text), ("app/comment.yaml", "# nothing\n")]);
        let generated = generate(&files, "app", &spec(json!({}))).unwrap();
        let error = undecodable(&files, "app", &generated).expect(text);
        assert!(
            error.starts_with("failed to decode Kubernetes YAML from app/x.yaml: ") && error.contains(why),
            "{error}"
        );
    }
    let files = files(&[("app/ok.yaml", OBJECT), ("app/comment.yaml", "# nothing\n")]);
    let generated = generate(&files, "app", &spec(json!({}))).unwrap();
    assert_eq!(undecodable(&files, "app", &generated), None);
}

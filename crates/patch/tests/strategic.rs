//! Strategic merge, case by case. The expectations are the answers of `kustomize build` (5.8) to the same input.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use patch::strategic_merge;
use schema::Schema;
use yaml::{ReadLimits, Value};

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  annotations: {a: x}
spec:
  template:
    spec:
      containers:
      - name: a
        image: nginx
        ports:
        - containerPort: 80
        - {containerPort: 90, protocol: UDP}
        env:
        - {name: A, value: one}
        - {name: B, value: two}
      - {name: b, image: busybox}
      volumes:
      - {name: v, emptyDir: {}}
";

fn read(text: &str) -> Value {
    let documents = yaml::read_documents(text.as_bytes(), &ReadLimits::default()).unwrap();
    documents.into_iter().next().unwrap()
}

/// The merge of a patch of the Deployment's pod, as JSON of that pod.
fn pod(patch: &str) -> Option<serde_json::Value> {
    let patch = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec: {{template: {{spec: {patch}}}}}\n"
    );
    let merged = strategic_merge(&Schema::builtin(), read(DEPLOYMENT), read(&patch)).unwrap();
    Some(merged?.at(&["spec", "template", "spec"])?.to_json().unwrap())
}

fn names(list: &serde_json::Value, key: &str) -> Vec<String> {
    let items = list.as_array().unwrap();
    items
        .iter()
        .map(|item| item.get(key).map_or("-".to_owned(), ToString::to_string).replace('"', ""))
        .collect()
}

#[test]
fn items_merge_by_key_in_the_order_of_the_patch() {
    let pod = pod("{containers: [{name: b, tty: true}, {name: new}, {name: a, env: [{name: B, value: three}, {name: Z}]}]}").unwrap();
    assert_eq!(names(&pod["containers"], "name"), ["b", "new", "a"]);
    assert_eq!(pod["containers"][0]["image"], "busybox");
    assert_eq!(names(&pod["containers"][2]["env"], "value"), ["three", "-", "one"]);
    assert_eq!(names(&pod["containers"][2]["env"], "name"), ["B", "Z", "A"]);
}

#[test]
fn several_keys_keep_the_order_of_the_object() {
    let pod = pod(
        "{containers: [{name: a, ports: [{containerPort: 90, protocol: UDP, name: u}, {containerPort: 7}]}]}",
    )
    .unwrap();
    assert_eq!(names(&pod["containers"][0]["ports"], "containerPort"), ["7", "80", "90"]);
    assert_eq!(names(&pod["containers"][0]["ports"], "name"), ["-", "-", "u"]);
}

#[test]
fn directives_replace_delete_and_merge() {
    let volumes = |patch: &str| pod(patch).unwrap().get("volumes").cloned();
    assert_eq!(volumes("{volumes: [{$patch: delete}]}"), None);
    assert_eq!(names(&volumes("{volumes: [{$patch: replace}, {name: w}]}").unwrap(), "name"), ["w"]);
    assert_eq!(names(&volumes("{volumes: [{$patch: merge}, {name: w}]}").unwrap(), "name"), ["w", "v"]);
    assert_eq!(names(&volumes("{volumes: [{name: v, $patch: delete}, {name: w}]}").unwrap(), "name"), ["w"]);
    assert_eq!(
        pod("{$patch: replace, hostNetwork: true}").unwrap(),
        serde_json::json!({"hostNetwork": true})
    );
    assert_eq!(pod("{$patch: delete}"), None);
}

#[test]
fn nulls_delete_and_empty_nulls_vanish() {
    let target =
        "apiVersion: v1\nkind: Thing\nmetadata: {name: t}\nspec: {a: 1, gone: , kept: null, b: {c: }}\n";
    let patch = "apiVersion: v1\nkind: Thing\nmetadata: {name: t}\nspec: {a: null, n: {x: null, y: {}}}\n";
    let merged = strategic_merge(&Schema::builtin(), read(target), read(patch)).unwrap().unwrap();
    let spec = merged.get("spec").unwrap().to_json().unwrap();
    assert_eq!(spec, serde_json::json!({"kept": null, "b": {}, "n": {"y": {}}}));
}

#[test]
fn lists_of_unknown_kinds_are_replaced_but_embedded_objects_are_known() {
    let target = "apiVersion: x/v1\nkind: T\nmetadata: {name: t}\nspec:\n  list: [{name: a}, {name: b}]\n  pod: {apiVersion: v1, kind: Pod, spec: {containers: [{name: a}]}}\n";
    let patch = "apiVersion: x/v1\nkind: T\nmetadata: {name: t}\nspec:\n  list: [{name: b}]\n  pod: {spec: {containers: [{name: b}]}}\n";
    let merged =
        strategic_merge(&Schema::builtin(), read(target), read(patch)).unwrap().unwrap().to_json().unwrap();
    assert_eq!(names(&merged["spec"]["list"], "name"), ["b"]);
    assert_eq!(names(&merged["spec"]["pod"]["spec"]["containers"], "name"), ["b", "a"]);
}

#[test]
fn scalars_and_shapes() {
    assert_eq!(pod("{finalizers: x}").unwrap()["finalizers"], "x");
    for patch in ["{containers: x}", "{containers: {}}", "{$patch: frob}", "{\"\": 1}"] {
        let text = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec: {{template: {{spec: {patch}}}}}\n"
        );
        assert!(strategic_merge(&Schema::builtin(), read(DEPLOYMENT), read(&text)).is_err(), "{patch}");
    }
}

#[test]
fn equal_keys_collapse_even_where_the_patch_is_silent() {
    let target = DEPLOYMENT.replace("name: B, value: two", "name: A, value: last");
    let patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 1}\n";
    let merged =
        strategic_merge(&Schema::builtin(), read(&target), read(patch)).unwrap().unwrap().to_json().unwrap();
    let env = &merged["spec"]["template"]["spec"]["containers"][0]["env"];
    assert_eq!(names(env, "value"), ["last"]);
}

//! What the fuzzer found, each with the answer of the real kustomize.

use kustomize::{MemoryFileSystem, Options, build};

/// Builds the folder `top` or, without one, the root.
fn output(files: &[(&str, &str)]) -> String {
    let mut fs = MemoryFileSystem::new();
    for (path, content) in files {
        fs.insert(path, *content);
    }
    let root = if files.iter().any(|(path, _)| path.starts_with("top/")) { "top" } else { "" };
    match build(&fs, root, &Options::default()) {
        Ok(built) => built.yaml().to_owned(),
        Err(errors) => format!("error: {errors}\n"),
    }
}

const CONFIG_MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n";

#[test]
fn a_label_that_was_new_in_several_places_is_one_node_there() {
    let deployment =
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {spec: {}}}\n";
    let base = [
        (
            "base/kustomization.yaml",
            "resources: [r.yaml]\nlabels:\n- pairs: {team: a}\n  includeTemplates: true\n",
        ),
        ("base/r.yaml", deployment),
    ];
    let expected = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  labels:\n    team: b\n  name: d\nspec:\n  template:\n    \
                    metadata:\n      labels:\n        team: b\n    spec: {}\n";
    for top in [
        "resources: [../base]\nlabels:\n- pairs: {team: b}\n",
        "resources: [../base]\npatches:\n- patch: |-\n    {apiVersion: apps/v1, kind: Deployment, metadata: {name: d, labels: {team: b}}}\n",
        "resources: [../base]\nreplacements:\n- sourceValue: b\n  targets:\n  - select: {kind: Deployment}\n    fieldPaths: \
         [metadata.labels.team]\n",
    ] {
        assert_eq!(output(&[&base[..], &[("top/kustomization.yaml", top)]].concat()), expected, "{top}");
    }
}

#[test]
fn patches_meet_the_annotations_in_which_kustomize_keeps_its_notes() {
    let patch = |text: &str| {
        format!("resources: [r.yaml]\npatches:\n- target: {{kind: ConfigMap}}\n  patch: '{text}'\n")
    };
    let add = patch("[{\"op\": \"add\", \"path\": \"/metadata/annotations/a\", \"value\": \"b\"}]");
    assert_eq!(
        output(&[("kustomization.yaml", &add), ("r.yaml", CONFIG_MAP)]),
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  annotations:\n    a: b\n  name: x\n"
    );
    // Without them, the hash of a generated name is forgotten, too.
    let forget = "configMapGenerator:\n- name: x\n  literals: [a=b]\npatches:\n- patch: |-\n    {apiVersion: v1, kind: ConfigMap, \
                  metadata: {name: x, annotations: null}}\n";
    assert_eq!(
        output(&[("kustomization.yaml", forget)]),
        "apiVersion: v1\ndata:\n  a: b\nkind: ConfigMap\nmetadata:\n  name: x\n"
    );
}

#[test]
fn a_json_patch_replaces_a_field_that_is_not_there() {
    let kustomization = "resources: [r.yaml]\npatches:\n- target: {kind: ConfigMap}\n  patch: |-\n    - {op: replace, path: /data, value: \
                         {a: b}}\n    - {op: copy, from: /gone, path: /data/c}\n";
    assert_eq!(
        output(&[("kustomization.yaml", kustomization), ("r.yaml", CONFIG_MAP)]),
        "apiVersion: v1\ndata:\n  a: b\n  c: null\nkind: ConfigMap\nmetadata:\n  name: x\n"
    );
}

#[test]
fn a_value_takes_the_quotes_of_what_it_replaces() {
    let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: \"one\", b: one}\n";
    let kustomization = "resources: [r.yaml]\npatches:\n- patch: |-\n    {apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {a: 1, b: 1}}\n";
    assert_eq!(
        output(&[("kustomization.yaml", kustomization), ("r.yaml", object)]),
        "apiVersion: v1\ndata:\n  a: \"1\"\n  b: 1\nkind: ConfigMap\nmetadata:\n  name: x\n"
    );
}

#[test]
fn a_replaced_source_is_what_later_targets_get() {
    let objects = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: v}\n---\napiVersion: v1\nkind: ConfigMap\n\
                   metadata: {name: b}\ndata: {k: w}\n";
    let kustomization = "resources: [r.yaml]\nreplacements:\n- source: {name: a, fieldPath: data.k}\n  targets:\n  - select: {kind: \
                         ConfigMap}\n    fieldPaths: [data.k]\n    options: {delimiter: '.', index: -1}\n";
    let built = output(&[("kustomization.yaml", kustomization), ("r.yaml", objects)]);
    assert!(built.contains("k: v.v\n") && built.contains("k: v.v.w\n"), "{built}");
}

#[test]
fn the_string_data_of_a_secret_is_merged_as_data() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: b}\n";
    let kustomization =
        "resources: [r.yaml]\nsecretGenerator:\n- name: s\n  behavior: merge\n  literals: [c=d]\n";
    assert_eq!(
        output(&[("kustomization.yaml", kustomization), ("r.yaml", secret)]),
        "apiVersion: v1\ndata:\n  a: Yg==\n  c: ZA==\nkind: Secret\nmetadata:\n  name: s\ntype: Opaque\n"
    );
}

#[test]
fn a_directive_alone_in_a_new_list_is_followed() {
    let object = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n";
    for (list, expected) in
        [("[{$patch: delete}]", "spec: {}"), ("[{$patch: replace}]", "spec:\n      containers: []")]
    {
        let kustomization = format!(
            "resources: [r.yaml]\npatches:\n- patch: |-\n    {{apiVersion: apps/v1, kind: Deployment, metadata: {{name: d}}, spec: \
             {{template: {{spec: {{containers: {list}}}}}}}}}\n"
        );
        let built = output(&[("kustomization.yaml", &kustomization), ("r.yaml", object)]);
        assert!(built.trim_end().ends_with(expected), "{built}");
    }
}

#[test]
fn a_component_must_not_make_two_objects_one() {
    let objects = format!("{CONFIG_MAP}---\n{}", CONFIG_MAP.replace("name: x", "name: y"));
    let component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n- target: {kind: ConfigMap}\n  patch: \
                     '[{\"op\": \"replace\", \"path\": \"/metadata/name\", \"value\": \"z\"}]'\n";
    let built = output(&[
        ("kustomization.yaml", "resources: [r.yaml]\ncomponents: [c]\n"),
        ("r.yaml", &objects),
        ("c/kustomization.yaml", component),
    ]);
    assert!(
        built.starts_with("error: kustomization.yaml:2: components[0]: ConfigMap.v1.[noGrp]/z"),
        "{built}"
    );
}

#[test]
fn refused_features_are_named() {
    for (kustomization, expected) in [
        ("helmCharts: [{name: x}]\n", "charts are rendered with --enable-helm only"),
        ("resources: ['https://example.com/x.yaml']\n", "remote bases are not fetched"),
        ("resources: ['github.com/a/b?ref=v1']\n", "remote bases are not fetched"),
        ("components: ['https://example.com/x']\n", "remote components are not fetched"),
        (
            "transformers:\n- |-\n  {apiVersion: example.com/v1, kind: Fn, metadata: {name: f, annotations: {config.kubernetes.io/function: \
             'container: {image: x}'}}}\n",
            "KRM functions and exec plugins are not run",
        ),
    ] {
        let built = output(&[("kustomization.yaml", kustomization)]);
        assert!(
            built.starts_with("error: kustomization.yaml:") && built.contains(expected),
            "{kustomization}{built}"
        );
    }
}

#[test]
fn files_of_configurations_are_merged_with_each_other_first() {
    let built = |configuration: &str| {
        output(&[
            ("kustomization.yaml", "resources: [r.yaml]\nconfigurations: [c.yaml]\n"),
            ("r.yaml", CONFIG_MAP),
            ("c.yaml", configuration),
        ])
    };
    let any = "templateLabels:\n- path: spec/template/metadata/labels\n";
    assert!(built(any).contains("conflicting field specifications"));
    assert!(
        !built(&format!("{any}- path: spec/template/metadata/labels\n  kind: Service\n")).contains("error")
    );
}

#[test]
fn what_is_local_stays_if_another_object_has_taken_its_name() {
    let objects = format!(
        "{}---\n{CONFIG_MAP}",
        CONFIG_MAP.replace("{name: x}", "{name: l, annotations: {config.kubernetes.io/local-config: a}}")
    );
    let kustomization =
        "resources: [r.yaml]\nreplacements:\n- sourceValue: m\n  targets: [{select: {kind: ConfigMap}}]\n";
    let built = output(&[("kustomization.yaml", kustomization), ("r.yaml", &objects)]);
    assert_eq!(built.matches("name: m\n").count(), 2, "{built}");
    let built = output(&[("kustomization.yaml", "resources: [r.yaml]\n"), ("r.yaml", &objects)]);
    assert_eq!(built.matches("kind: ConfigMap").count(), 1, "{built}");
}

#[test]
fn a_scalar_among_items_that_merge_is_an_error() {
    let object = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {spec: {containers: [x]}}}\n";
    let kustomization = "resources: [r.yaml]\npatches:\n- patch: '{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {replicas: 1}}'\n";
    let built = output(&[("kustomization.yaml", kustomization), ("r.yaml", object)]);
    assert!(built.contains("spec.template.spec.containers: expected only mappings"), "{built}");
}

#[test]
fn a_scalar_keeps_its_type_in_yaml_inside_of_a_string() {
    let object = format!("{CONFIG_MAP}data:\n  app.yaml: |\n    a: 1 # one\n    b:\n");
    let kustomization = "resources: [r.yaml]\nreplacements:\n- sourceValue: z\n  targets:\n  - select: {kind: ConfigMap}\n    fieldPaths: \
                         ['data.[app.yaml].a', 'data.[app.yaml].b']\n";
    let built = output(&[("kustomization.yaml", kustomization), ("r.yaml", &object)]);
    assert!(built.contains("a: !!int z # one\n    b: !!null z\n"), "{built}");
}

#[test]
fn two_objects_that_a_patch_made_one_cannot_be_patched_again() {
    let objects = format!("{CONFIG_MAP}---\n{}", CONFIG_MAP.replace("{name: x}", "{name: y}"));
    let kustomization = "resources: [r.yaml]\npatches:\n- target: {kind: ConfigMap}\n  patch: '[{\"op\": \"replace\", \"path\": \
                         \"/metadata/name\", \"value\": \"z\"}]'\n- target: {name: x}\n  options: {allowKindChange: true}\n  patch: \
                         '{apiVersion: v1, kind: Secret, metadata: {name: any}}'\n";
    let built = output(&[("kustomization.yaml", kustomization), ("r.yaml", &objects)]);
    assert!(built.contains("two objects the same identity"), "{built}");
}

#[test]
fn a_validator_finds_two_objects_that_have_become_one() {
    let objects = format!("{CONFIG_MAP}---\n{}", CONFIG_MAP.replace("{name: x}", "{name: y}"));
    let replacement = "replacements:\n- sourceValue: z\n  targets: [{select: {kind: ConfigMap}}]\n";
    let validator =
        "validators:\n- '{apiVersion: builtin, kind: AnnotationsTransformer, metadata: {name: v}}'\n";
    let kustomization = format!("resources: [r.yaml]\n{replacement}{validator}");
    let built = output(&[("kustomization.yaml", &kustomization), ("r.yaml", &objects)]);
    assert!(built.contains("validators[0]: two objects have the same identity"), "{built}");
}

#[test]
fn a_folded_text_is_written_and_read_before_a_json_patch() {
    let object = format!("{CONFIG_MAP}data:\n  script: >\n    one\n    two\n\n    if\n      deep\n    end\n");
    let patches = "patches:\n- target: {kind: ConfigMap}\n  patch: '[{\"op\": \"add\", \"path\": \"/data/y\", \"value\": \"z\"}]'\n";
    let built =
        output(&[("kustomization.yaml", &format!("resources: [r.yaml]\n{patches}")), ("r.yaml", &object)]);
    assert!(
        built.contains("  script: |\n    one two\n    if\n\n      deep\n    end\n  \"y\": z\n"),
        "{built}"
    );
}

#[test]
fn a_field_specification_has_no_wildcards() {
    let object = format!("{CONFIG_MAP}data: {{a: $(NAME)}}\n");
    let vars = "vars: [{name: NAME, objref: {apiVersion: v1, kind: ConfigMap, name: x}}]\nconfigurations: [c.yaml]\n";
    let configuration = "varReference: [{kind: ConfigMap, path: data/*}]\n";
    let built = output(&[
        ("kustomization.yaml", &format!("resources: [r.yaml]\n{vars}")),
        ("c.yaml", configuration),
        ("r.yaml", &object),
    ]);
    assert!(built.contains("\"*\" is not a field of a mapping"), "{built}");
}

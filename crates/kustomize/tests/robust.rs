//! No input makes a build panic or hang: kustomizations, resources, patches, replacements put together at random.

use kustomize::{MemoryFileSystem, Options, build};
use proptest::prelude::*;

/// Pieces of kustomization files and of what they name.
fn pieces(choices: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(choices), 0..24).prop_map(|pieces| pieces.concat())
}

const KUSTOMIZATION: &[&str] = &[
    "resources:\n",
    "- r.yaml\n",
    "- .\n",
    "- ..\n",
    "- ../base\n",
    "components: [c]\n",
    "namePrefix: ",
    "nameSuffix: x\n",
    "namespace: n\n",
    "labels:\n- pairs: {a: b}\n  includeSelectors: true\n",
    "commonLabels: {a: b}\n",
    "patches:\n",
    "- path: r.yaml\n",
    "- patch: |-\n    ",
    "- target: {kind: '.*'}\n  patch: '",
    "[{op: add, path: /a, value: 1}]",
    "'\n",
    "images:\n- name: 'a('\n  newTag: x\n",
    "replicas: [{name: a, count: 3}]\n",
    "vars:\n- name: V\n  objref: {kind: ConfigMap, name: a}\n",
    "configMapGenerator:\n- name: a\n  literals: [a=b]\n",
    "  behavior: merge\n",
    "secretGenerator: [{}]\n",
    "sortOptions: {order: legacy}\n",
    "transformers: [r.yaml]\n",
    "validators: [r.yaml]\n",
    "generators: [r.yaml]\n",
    "crds: [r.yaml]\n",
    "openapi: {path: r.yaml}\n",
    "configurations: [r.yaml]\n",
    "buildMetadata: [originAnnotations]\n",
    "replacements: [{path: r.yaml}]\n",
    "helmCharts: [{}]\n",
    "null\n",
    "  ",
    "- ",
    "{",
    "}",
    ": ",
    "\n",
    "&a ",
    "*a\n",
    "é",
    "\t",
    "kind: Component\n",
];

const OBJECT: &[&str] = &[
    "apiVersion: v1\n",
    "kind: ConfigMap\n",
    "kind: List\n",
    "kind: Deployment\n",
    "kind: PatchTransformer\n",
    "apiVersion: builtin\n",
    "metadata: {name: a}\n",
    "metadata:\n",
    "  name: a\n",
    "  labels:\n",
    "  annotations: {a: 1}\n",
    "data: {a: b, c: null}\n",
    "items:\n",
    "- ",
    "spec:\n",
    "  template: {spec: {containers: [{name: a}]}}\n",
    "$patch: delete\n",
    "  $patch: replace\n",
    "---\n",
    "definitions: {a: {$ref: '#/definitions/a'}}\n",
    "source: {kind: ConfigMap}\n",
    "targets: [{select: {}}]\n",
    "patch: x\n",
    "spec: {template: {spec: {containers: [{$patch: delete}]}}}\n",
    "\"\": x\n",
    "1: x\n",
    "a: .nan\n",
    "a: !!binary x\n",
    "<<: *a\n",
    "&a ",
    "*a\n",
    "\u{feff}",
    "\r\n",
    "\t",
    "{",
    "[",
    "null\n",
    "'",
    "x: |\n  ",
];

const PATH: &[&str] = &[
    "metadata",
    ".",
    "spec",
    "[name=a]",
    "*",
    "-",
    "0",
    "-1",
    "[",
    "]",
    "\\.",
    "a/b",
    "=",
    "data",
    "é",
    "[.*]",
    "99999999999999999999",
];

proptest! {
    #[test]
    fn any_kustomization_is_answered(kustomization in pieces(KUSTOMIZATION), object in pieces(OBJECT)) {
        let mut files = MemoryFileSystem::new();
        files.insert("kustomization.yaml", kustomization).insert("r.yaml", object);
        let _ = build(&files, "", &Options::default());
        let _ = build(&files, "", &Options::command_line());
    }

    #[test]
    fn any_patch_is_answered(patch in pieces(OBJECT), json in any::<bool>(), path in pieces(PATH)) {
        let object = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{name: a}]}}}\n";
        let patch = if json { format!("- op: add\n  path: /{path}\n  from: /{path}\n  value: 1\n") } else { patch };
        let mut files = MemoryFileSystem::new();
        files
            .insert("kustomization.yaml", "resources: [r.yaml]\npatches:\n- {path: p.yaml, target: {name: a}}\n- path: p.yaml\n")
            .insert("r.yaml", object)
            .insert("p.yaml", patch);
        let _ = build(&files, "", &Options::default());
    }

    #[test]
    fn any_replacement_is_answered(
        from in pieces(PATH),
        to in pieces(PATH),
        delimiter in ".{0,2}",
        index in any::<i64>(),
        create in any::<bool>(),
    ) {
        let (from, to, delimiter) = (quoted(&from), quoted(&to), quoted(&delimiter));
        let replacement = format!(
            "resources: [r.yaml]\nreplacements:\n- source: {{kind: ConfigMap, fieldPath: {from}, options: {{delimiter: {delimiter}}}}}\n  \
             targets:\n  - select: {{kind: ConfigMap}}\n    fieldPaths: [{to}]\n    options: {{delimiter: {delimiter}, index: {index}, \
             create: {create}}}\n"
        );
        let mut files = MemoryFileSystem::new();
        files
            .insert("kustomization.yaml", replacement)
            .insert("r.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: 'x: [1, {y: z}]', spec: b}\n");
        let _ = build(&files, "", &Options::default());
    }
}

fn quoted(text: &str) -> String {
    format!("{:?}", text.chars().filter(|c| !c.is_control()).collect::<String>())
}

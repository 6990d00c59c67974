//! The kustomization file as a whole.

use serde_json::Value;

use super::decode::Findings;
use super::parts::{decode_label, decode_replacement_entry, decode_var};
use super::{
    Kustomization, decode_generator, decode_generator_options, decode_image, decode_patch, decode_replica,
    decode_sort_options,
};

const API_VERSION: &str = "kustomize.config.k8s.io/v1beta1";
const COMPONENT_API_VERSION: &str = "kustomize.config.k8s.io/v1alpha1";

const FIELDS: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata",
    "openapi",
    "namePrefix",
    "nameSuffix",
    "namespace",
    "commonLabels",
    "labels",
    "commonAnnotations",
    "patchesStrategicMerge",
    "patchesJson6902",
    "patches",
    "images",
    "imageTags",
    "replacements",
    "replicas",
    "vars",
    "sortOptions",
    "resources",
    "components",
    "crds",
    "bases",
    "configMapGenerator",
    "secretGenerator",
    "helmGlobals",
    "helmCharts",
    "helmChartInflationGenerator",
    "generatorOptions",
    "configurations",
    "generators",
    "transformers",
    "validators",
    "buildMetadata",
];

/// Deprecated fields, and what to write instead.
const DEPRECATED: &[(&str, &str)] = &[
    ("bases", "resources"),
    ("commonLabels", "labels"),
    ("imageTags", "images"),
    ("patchesJson6902", "patches"),
    ("patchesStrategicMerge", "patches"),
    ("vars", "replacements"),
];

/// A decoded file with everything that is to be said about it.
pub(crate) struct Parsed {
    pub(crate) kustomization: Kustomization,
    /// Wrong types, unknown fields, wrong kinds.
    pub(crate) findings: Findings,
    /// Deprecated fields: the field, and its successor.
    pub(crate) deprecated: Vec<(&'static str, &'static str)>,
}

/// Decodes the JSON form of a kustomization file.
pub(crate) fn parse(value: &Value) -> Parsed {
    let mut findings = Findings::default();
    let f = &mut findings;
    let nothing = Value::Object(serde_json::Map::new());
    let value = if value.is_null() { &nothing } else { value };
    let Some(fields) = f.object("", value, FIELDS) else {
        return Parsed { kustomization: Kustomization::default(), findings, deprecated: Vec::new() };
    };
    let kind = fields.string(f, "kind");
    let api_version = fields.string(f, "apiVersion");
    let mut resources = fields.strings(f, "resources");
    let bases = fields.strings(f, "bases");
    let mut images = fields.list(f, "images", decode_image);
    let image_tags = fields.list(f, "imageTags", decode_image);
    let folded_empty = |name, empty: bool| if empty { name } else { "" };
    let ignored = [
        "apiVersion",
        "kind",
        folded_empty("bases", bases.is_empty()),
        folded_empty("imageTags", image_tags.is_empty()),
    ];
    let given = fields.any_but(&ignored);
    let first_base = resources.len();
    resources.extend(bases);
    images.extend(image_tags);
    if let Some((path, value)) = fields.value("metadata") {
        let known = &["name", "namespace", "labels", "annotations"];
        if let Some(metadata) = f.object(&path, value, known) {
            metadata.string(f, "name");
            metadata.string(f, "namespace");
            metadata.string_map(f, "labels");
            metadata.string_map(f, "annotations");
        }
    }
    let kustomization = Kustomization {
        component: kind == "Component",
        openapi: fields.string_map(f, "openapi"),
        name_prefix: fields.string(f, "namePrefix"),
        name_suffix: fields.string(f, "nameSuffix"),
        namespace: fields.string(f, "namespace"),
        common_labels: fields.string_map(f, "commonLabels"),
        labels: fields.list(f, "labels", decode_label),
        common_annotations: fields.string_map(f, "commonAnnotations"),
        patches_strategic_merge: fields.strings(f, "patchesStrategicMerge"),
        patches_json6902: fields.list(f, "patchesJson6902", decode_patch),
        patches: fields.list(f, "patches", decode_patch),
        images,
        replacements: fields.list(f, "replacements", decode_replacement_entry),
        replicas: fields.list(f, "replicas", decode_replica),
        vars: fields.list(f, "vars", decode_var),
        sort_options: fields.nested(f, "sortOptions", decode_sort_options),
        resources,
        first_base,
        components: fields.strings(f, "components"),
        crds: fields.strings(f, "crds"),
        config_map_generator: fields
            .list(f, "configMapGenerator", |f, path, value| decode_generator(f, path, value, false)),
        secret_generator: fields
            .list(f, "secretGenerator", |f, path, value| decode_generator(f, path, value, true)),
        helm_charts: super::charts::decode(f, &fields),
        generator_options: fields.nested(f, "generatorOptions", decode_generator_options),
        configurations: fields.strings(f, "configurations"),
        generators: fields.strings(f, "generators"),
        transformers: fields.strings(f, "transformers"),
        validators: fields.strings(f, "validators"),
        build_metadata: fields.strings(f, "buildMetadata"),
    };
    if !given && f.errors.is_empty() && f.unknown.is_empty() {
        f.errors.push((String::new(), "the kustomization is empty; list at least its resources".to_owned()));
    }
    check_type(f, &kind, &api_version);
    let deprecated = DEPRECATED.iter().copied().filter(|(name, _)| fields.has(name)).collect();
    Parsed { kustomization, findings, deprecated }
}

fn check_type(findings: &mut Findings, kind: &str, api_version: &str) {
    let expected = match kind {
        "" | "Kustomization" => API_VERSION,
        "Component" => COMPONENT_API_VERSION,
        other => {
            let message = format!("must be Kustomization or Component, not {other}");
            findings.errors.push(("kind".to_owned(), message));
            return;
        }
    };
    if !api_version.is_empty() && api_version != expected {
        let kind = if kind.is_empty() { "Kustomization" } else { kind };
        let message = format!("of a {kind} must be {expected}, not {api_version}");
        findings.errors.push(("apiVersion".to_owned(), message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn folds_deprecated_fields() {
        let parsed = parse(&json!({
            "resources": ["a"], "bases": ["b"], "imageTags": [{"name": "n"}],
            "configMapGenerator": [{"name": "c", "envs": ["x"], "env": "y"}]
        }));
        assert!(parsed.findings.errors.is_empty());
        assert_eq!(parsed.kustomization.resources, ["a", "b"]);
        assert_eq!(parsed.kustomization.images.len(), 1);
        assert_eq!(parsed.kustomization.config_map_generator[0].envs, ["x", "y"]);
        assert_eq!(parsed.deprecated, [("bases", "resources"), ("imageTags", "images")]);
    }

    #[test]
    fn finds_all_errors_at_once() {
        let parsed = parse(&json!({"kind": "Nope", "namespace": true, "patches": {}, "extra": 1}));
        let paths: Vec<&str> = parsed.findings.errors.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["namespace", "patches", "kind"]);
        assert_eq!(parsed.findings.unknown, ["extra"]);
        assert_eq!(parse(&Value::Null).findings.errors.len(), 1);
        assert!(parse(&json!({"resources": []})).findings.errors.is_empty());
        assert_eq!(parse(&json!({"bases": []})).findings.errors.len(), 1);
    }
}

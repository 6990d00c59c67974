//! Configuration files of transformers.

use patch::FieldPath;
use serde_json::Value;

use super::merge::merge_specs;
use super::{BackReference, Config, FieldSpec};
use crate::kustomization::decode::{Fields, Findings};
use crate::kustomization::{FieldSpecEntry, decode_field_spec};
use crate::resource::Gvk;

const FIELDS: &[&str] = &[
    "namePrefix",
    "nameSuffix",
    "namespace",
    "commonLabels",
    "labels",
    "templateLabels",
    "volumeClaimTemplateLabels",
    "commonAnnotations",
    "nameReference",
    "varReference",
    "images",
    "replicas",
];

/// Turns specifications as written into compiled ones.
pub(crate) fn field_specs(entries: Vec<FieldSpecEntry>) -> Vec<FieldSpec> {
    (entries.into_iter())
        .map(|entry| FieldSpec { gvk: entry.gvk, path: FieldPath::parse(&entry.path), create: entry.create })
        .collect()
}

/// Decodes a file named in `configurations`. Unknown fields are errors.
pub(crate) fn from_file(value: &Value, findings: &mut Findings) -> Config {
    let Some(fields) = findings.object("", value, FIELDS) else { return Config::default() };
    let mut config = Config {
        name_prefix: specs(&fields, findings, "namePrefix"),
        name_suffix: specs(&fields, findings, "nameSuffix"),
        namespace: specs(&fields, findings, "namespace"),
        common_labels: specs(&fields, findings, "commonLabels"),
        labels: specs(&fields, findings, "labels"),
        template_labels: specs(&fields, findings, "templateLabels"),
        volume_claim_template_labels: specs(&fields, findings, "volumeClaimTemplateLabels"),
        common_annotations: specs(&fields, findings, "commonAnnotations"),
        name_reference: fields.list(findings, "nameReference", reference),
        var_reference: specs(&fields, findings, "varReference"),
        images: specs(&fields, findings, "images"),
        replicas: specs(&fields, findings, "replicas"),
    };
    for path in std::mem::take(&mut findings.unknown) {
        findings.errors.push((path, "unknown field".to_owned()));
    }
    config.sort();
    config
}

fn specs(fields: &Fields<'_>, findings: &mut Findings, name: &str) -> Vec<FieldSpec> {
    field_specs(fields.list(findings, name, decode_field_spec))
}

fn reference(findings: &mut Findings, path: &str, value: &Value) -> BackReference {
    let known = &["group", "version", "kind", "fieldSpecs"];
    let Some(fields) = findings.object(path, value, known) else {
        return BackReference { target: Gvk::default(), referrers: Vec::new() };
    };
    let target = Gvk {
        group: fields.string(findings, "group"),
        version: fields.string(findings, "version"),
        kind: fields.string(findings, "kind"),
    };
    let mut referrers = Vec::new();
    // Within one entry, later contradictions of earlier fields are dropped.
    for spec in specs(&fields, findings, "fieldSpecs") {
        let _ = merge_specs(&mut referrers, std::slice::from_ref(&spec));
    }
    BackReference { target, referrers }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_references() {
        let mut findings = Findings::default();
        let config = from_file(
            &json!({
                "nameReference": [{"kind": "Bee", "fieldSpecs": [{"path": "spec/bee/name", "kind": "Hive"}]}],
                "varReference": [{"path": "spec/x"}],
                "typo": []
            }),
            &mut findings,
        );
        assert_eq!(config.name_reference[0].referrers[0].path.text(), "spec/bee/name");
        assert_eq!(config.var_reference.len(), 1);
        assert_eq!(findings.errors, [("typo".into(), "unknown field".into())]);
    }
}

//! Decoders of the parts of a kustomization file, which built-in plugins take as well.

use serde_json::Value;

use super::decode::{Fields, Findings};
use super::{
    FieldOptions, FieldSpecEntry, Generator, GeneratorOptions, Image, Label, LegacySortOptions, Patch,
    Replacement, ReplacementEntry, Replica, SelectorEntry, SortOptions, Source, Target, Var,
};
use crate::resource::Gvk;

fn decode_gvk(findings: &mut Findings, fields: &Fields<'_>) -> Gvk {
    Gvk {
        group: fields.string(findings, "group"),
        version: fields.string(findings, "version"),
        kind: fields.string(findings, "kind"),
    }
}

/// Name, namespace, group, version and kind.
fn decode_id(findings: &mut Findings, fields: &Fields<'_>) -> SelectorEntry {
    SelectorEntry {
        gvk: decode_gvk(findings, fields),
        name: fields.string(findings, "name"),
        namespace: fields.string(findings, "namespace"),
        ..SelectorEntry::default()
    }
}

pub(crate) fn decode_selector(findings: &mut Findings, path: &str, value: &Value) -> SelectorEntry {
    const KNOWN: &[&str] =
        &["group", "version", "kind", "name", "namespace", "annotationSelector", "labelSelector"];
    let Some(fields) = findings.object(path, value, KNOWN) else { return SelectorEntry::default() };
    SelectorEntry {
        annotation_selector: fields.string(findings, "annotationSelector"),
        label_selector: fields.string(findings, "labelSelector"),
        ..decode_id(findings, &fields)
    }
}

pub(crate) fn decode_field_spec(findings: &mut Findings, path: &str, value: &Value) -> FieldSpecEntry {
    const KNOWN: &[&str] = &["group", "version", "kind", "path", "create"];
    let Some(fields) = findings.object(path, value, KNOWN) else { return FieldSpecEntry::default() };
    FieldSpecEntry {
        gvk: decode_gvk(findings, &fields),
        path: fields.string(findings, "path"),
        create: fields.bool(findings, "create"),
    }
}

pub(super) fn decode_label(findings: &mut Findings, path: &str, value: &Value) -> Label {
    const KNOWN: &[&str] =
        &["pairs", "includeSelectors", "includeTemplates", "includeVolumeClaimTemplates", "fields"];
    let Some(fields) = findings.object(path, value, KNOWN) else { return Label::default() };
    Label {
        pairs: fields.string_map(findings, "pairs"),
        include_selectors: fields.bool(findings, "includeSelectors"),
        include_templates: fields.bool(findings, "includeTemplates"),
        include_volume_claim_templates: fields.bool(findings, "includeVolumeClaimTemplates"),
        fields: fields.list(findings, "fields", decode_field_spec),
    }
}

pub(crate) fn decode_patch(findings: &mut Findings, path: &str, value: &Value) -> Patch {
    let known = &["path", "patch", "target", "options"];
    let Some(fields) = findings.object(path, value, known) else { return Patch::default() };
    let mut patch = Patch {
        path: fields.string(findings, "path"),
        patch: fields.string(findings, "patch"),
        target: fields.nested(findings, "target", decode_selector),
        ..Patch::default()
    };
    if let Some((path, value)) = fields.value("options")
        && let Some(options) = findings.object(&path, value, &["allowNameChange", "allowKindChange"])
    {
        patch.allow_name_change = options.bool(findings, "allowNameChange");
        patch.allow_kind_change = options.bool(findings, "allowKindChange");
    }
    patch
}

pub(crate) fn decode_image(findings: &mut Findings, path: &str, value: &Value) -> Image {
    let known = &["name", "newName", "tagSuffix", "newTag", "digest"];
    let Some(fields) = findings.object(path, value, known) else { return Image::default() };
    Image {
        name: fields.string(findings, "name"),
        new_name: fields.string(findings, "newName"),
        tag_suffix: fields.string(findings, "tagSuffix"),
        new_tag: fields.string(findings, "newTag"),
        digest: fields.string(findings, "digest"),
    }
}

pub(crate) fn decode_replica(findings: &mut Findings, path: &str, value: &Value) -> Replica {
    let Some(fields) = findings.object(path, value, &["name", "count"]) else { return Replica::default() };
    Replica { name: fields.string(findings, "name"), count: fields.integer(findings, "count") }
}

fn decode_field_options(findings: &mut Findings, path: &str, value: &Value) -> FieldOptions {
    let known = &["delimiter", "index", "encoding", "create"];
    let Some(fields) = findings.object(path, value, known) else { return FieldOptions::default() };
    fields.string(findings, "encoding");
    FieldOptions {
        delimiter: fields.string(findings, "delimiter"),
        index: fields.integer(findings, "index"),
        create: fields.bool(findings, "create"),
    }
}

fn decode_source(findings: &mut Findings, path: &str, value: &Value) -> Source {
    const KNOWN: &[&str] = &["group", "version", "kind", "name", "namespace", "fieldPath", "options"];
    let Some(fields) = findings.object(path, value, KNOWN) else { return Source::default() };
    Source {
        selector: decode_id(findings, &fields),
        field_path: fields.string(findings, "fieldPath"),
        options: fields.nested(findings, "options", decode_field_options),
    }
}

fn decode_target(findings: &mut Findings, path: &str, value: &Value) -> Target {
    let known = &["select", "reject", "fieldPaths", "options"];
    let Some(fields) = findings.object(path, value, known) else { return Target::default() };
    Target {
        select: fields.nested(findings, "select", decode_selector),
        reject: fields.list(findings, "reject", decode_selector),
        field_paths: fields.strings(findings, "fieldPaths"),
        options: fields.nested(findings, "options", decode_field_options),
    }
}

pub(crate) fn decode_replacement_entry(
    findings: &mut Findings,
    path: &str,
    value: &Value,
) -> ReplacementEntry {
    let known = &["source", "targets", "sourceValue", "path"];
    let Some(fields) = findings.object(path, value, known) else { return ReplacementEntry::default() };
    let targets = fields.has("targets").then(|| fields.list(findings, "targets", decode_target));
    ReplacementEntry {
        path: fields.string(findings, "path"),
        replacement: Replacement {
            source: fields.nested(findings, "source", decode_source),
            source_value: fields.has("sourceValue").then(|| fields.string(findings, "sourceValue")),
            targets,
        },
    }
}

/// A file of replacements: one, or a list. `None` if it is neither.
pub(crate) fn decode_replacements(findings: &mut Findings, value: &Value) -> Option<Vec<Replacement>> {
    let mut one = |path: &str, value| decode_replacement_entry(findings, path, value).replacement;
    match value {
        Value::Array(items) => {
            Some((items.iter().enumerate()).map(|(index, item)| one(&format!("[{index}]"), item)).collect())
        }
        Value::Object(_) => Some(vec![one("", value)]),
        _ => None,
    }
}

pub(super) fn decode_var(findings: &mut Findings, path: &str, value: &Value) -> Var {
    let known = &["name", "objref", "fieldref"];
    let Some(fields) = findings.object(path, value, known) else { return Var::default() };
    let mut var = Var { name: fields.string(findings, "name"), ..Var::default() };
    if let Some((path, value)) = fields.value("objref") {
        let known = &["apiVersion", "group", "version", "kind", "name", "namespace"];
        if let Some(object) = findings.object(&path, value, known) {
            var.gvk = decode_gvk(findings, &object);
            let api_version = object.string(findings, "apiVersion");
            match api_version.split('/').collect::<Vec<_>>().as_slice() {
                [""] => {}
                [version] => var.gvk.version = (*version).to_owned(),
                [group, version] => {
                    var.gvk.group = (*group).to_owned();
                    var.gvk.version = (*version).to_owned();
                }
                _ => {}
            }
            var.object_name = object.string(findings, "name");
            var.object_namespace = object.string(findings, "namespace");
        }
    }
    if let Some((path, value)) = fields.value("fieldref")
        && let Some(reference) = findings.object(&path, value, &["fieldPath"])
    {
        var.field_path = reference.string(findings, "fieldPath");
    }
    if var.field_path.is_empty() {
        var.field_path = "metadata.name".to_owned();
    }
    var
}

pub(crate) fn decode_sort_options(findings: &mut Findings, path: &str, value: &Value) -> SortOptions {
    let known = &["order", "legacySortOptions"];
    let Some(fields) = findings.object(path, value, known) else { return SortOptions::default() };
    let legacy = fields.nested(findings, "legacySortOptions", |findings, path, value| {
        let fields = findings.object(path, value, &["orderFirst", "orderLast"])?;
        Some(LegacySortOptions {
            first: fields.strings(findings, "orderFirst"),
            last: fields.strings(findings, "orderLast"),
        })
    });
    SortOptions { order: fields.string(findings, "order"), legacy: legacy.flatten() }
}

pub(crate) fn decode_generator_options(
    findings: &mut Findings,
    path: &str,
    value: &Value,
) -> GeneratorOptions {
    let known = &["labels", "annotations", "disableNameSuffixHash", "immutable"];
    let Some(fields) = findings.object(path, value, known) else { return GeneratorOptions::default() };
    GeneratorOptions {
        labels: fields.string_map(findings, "labels"),
        annotations: fields.string_map(findings, "annotations"),
        disable_name_suffix_hash: fields.bool(findings, "disableNameSuffixHash"),
        immutable: fields.bool(findings, "immutable"),
    }
}

/// A generator of ConfigMaps, or of Secrets, which have a `type` too.
pub(crate) fn decode_generator(
    findings: &mut Findings,
    path: &str,
    value: &Value,
    secret: bool,
) -> Generator {
    const KNOWN: &[&str] =
        &["name", "namespace", "behavior", "literals", "files", "envs", "env", "options", "type"];
    let known = if secret { KNOWN } else { KNOWN.get(..8).unwrap_or(KNOWN) };
    let Some(fields) = findings.object(path, value, known) else { return Generator::default() };
    let mut envs = fields.strings(findings, "envs");
    let env = fields.string(findings, "env");
    if !env.is_empty() {
        envs.push(env);
    }
    Generator {
        name: fields.string(findings, "name"),
        namespace: fields.string(findings, "namespace"),
        behavior: fields.string(findings, "behavior"),
        literals: fields.strings(findings, "literals"),
        files: fields.strings(findings, "files"),
        envs,
        options: fields.nested(findings, "options", decode_generator_options),
        secret_type: fields.string(findings, "type"),
    }
}

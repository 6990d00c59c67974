//! `generators`, `transformers` and `validators`: built-in plugins configured by objects of their own. Other plugins
//! are programs, which are never run.

use patch::FieldPath;
use serde_json::Value as Json;

use super::accumulate::add_entry;
use super::configure::{
    Step, generate, inflated, json6902_entry, patch_entry, replacements, strategic_merge_list,
};
use super::settings::load_json;
use super::{Accumulator, Target};
use crate::config::{FieldSpec, field_specs};
use crate::fs::base_name;
use crate::generate::Kind;
use crate::kustomization::decode::{Fields, Findings};
use crate::kustomization::{
    Patch, decode_chart_plugin, decode_field_spec, decode_generator, decode_image, decode_patch,
    decode_replacement_entry, decode_replica, decode_selector,
};
use crate::load::{Place, Session};
use crate::origin::{Origin, Plugin};
use crate::resource::Resource;
use crate::select::Selector;
use crate::transform::{
    Affix, Annotations, Images, Labels, Names, Namespace, Replicas, SubjectMode, Transformer, ValueAdd,
    ValueTarget, World,
};

/// The objects that `generators` make.
pub(super) fn generated(session: &mut Session<'_>, target: &Target) -> Vec<(Place, Resource)> {
    let mut out = Vec::new();
    for (place, plugin) in load(session, target, &target.kustomization.generators, "generators") {
        let Some(json) = config(session, &place, &plugin) else { continue };
        let kind = plugin.id().gvk.kind.clone();
        let made = match kind.as_str() {
            "ConfigMapGenerator" => {
                config_map_or_secret(session, target, Kind::ConfigMap, &json).into_iter().collect()
            }
            "SecretGenerator" => {
                config_map_or_secret(session, target, Kind::Secret, &json).into_iter().collect()
            }
            "IAMPolicyGenerator" => iam_policy(session, &place, &json).into_iter().collect(),
            "HelmChartInflationGenerator" => {
                let mut findings = Findings::of_configuration();
                let chart = decode_chart_plugin(&mut findings, &json);
                if findings.errors.is_empty() {
                    inflated(session, target, &chart, &place)
                } else {
                    for (field, error) in findings.errors {
                        session.fail(&place, format!("{}: {field} {error}", plugin.id()));
                    }
                    Vec::new()
                }
            }
            _ => {
                session.fail(&place, format!("{kind} is not a built-in generator"));
                Vec::new()
            }
        };
        for mut resource in made {
            if session.tracks_origin {
                resource.origin = plugin_origin(&plugin);
            }
            out.push((place.clone(), resource));
        }
    }
    out
}

/// The transformers that the objects of a list configure.
pub(super) fn transformers(
    session: &mut Session<'_>,
    target: &Target,
    entries: &[String],
    field: &str,
) -> Vec<Step> {
    let mut out = Vec::new();
    for (place, plugin) in load(session, target, entries, field) {
        let Some(json) = config(session, &place, &plugin) else { continue };
        let origin = plugin_origin(&plugin);
        for transformer in compile(session, target, &place, &plugin, &json) {
            out.push(Step { transformer, place: place.clone(), origin: None });
        }
        if let Some(last) = out.last_mut() {
            last.origin = origin.filter(|_| session.tracks_origin);
        }
    }
    out
}

/// Loads the configuration objects of a list: those written inline first, then files and kustomizations.
fn load(
    session: &mut Session<'_>,
    target: &Target,
    entries: &[String],
    field: &str,
) -> Vec<(Place, Resource)> {
    let mut out = Vec::new();
    let (schema, growth) = (session.schema.clone(), session.growth.clone());
    let world = World { schema: &schema, growth: &growth };
    let mut acc = Accumulator::default();
    let mut paths = Vec::new();
    let mut places: Vec<Place> = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let place = target.at(format!("{field}[{index}]"));
        let Ok(values) = session.objects(entry.as_bytes()) else {
            paths.push((entry, place));
            continue;
        };
        for value in values {
            let mut resource = Resource::new(value, |gvk| world.is_cluster_scoped(gvk));
            if session.tracks_origin {
                resource.origin = Some(target.origin.append(&target.file_name));
            }
            if !world.is_known(&resource.id().gvk) {
                session.need_schema();
            }
            match acc.resources.append(resource) {
                Ok(()) => places.push(place.clone()),
                Err(resource) => session.fail(&place, format!("{} is there already", resource.id())),
            }
        }
    }
    for (entry, place) in paths {
        add_entry(session, target, &mut acc, entry, &place);
        places.resize(acc.resources.len(), place);
    }
    for (resource, place) in acc.resources.into_list().into_iter().zip(places) {
        out.push((place, resource));
    }
    out
}

fn plugin_origin(plugin: &Resource) -> Option<Origin> {
    let origin = plugin.origin.as_ref()?;
    let id = plugin.id();
    Some(Origin {
        path: String::new(),
        configured_in: origin.path.clone(),
        configured_by: Plugin {
            api_version: id.gvk.api_version(),
            kind: id.gvk.kind.clone(),
            name: id.name.clone(),
            namespace: id.namespace.clone(),
        },
        ..origin.clone()
    })
}

/// The configuration of a built-in plugin as JSON; anything else is refused.
fn config(session: &mut Session<'_>, place: &Place, plugin: &Resource) -> Option<Json> {
    let id = plugin.id();
    if !id.gvk.group.is_empty() || id.gvk.version != "builtin" {
        session.fail(
            place,
            format!(
                "external plugins are disabled: {} is no built-in plugin, and KRM functions and exec plugins are not run; \
                 commit what it makes",
                id.gvk.kind
            ),
        );
        return None;
    }
    match plugin.value().to_json() {
        Ok(json) => Some(json),
        Err(error) => {
            session.fail(place, format!("{id}: {error}"));
            None
        }
    }
}

const FIELDS: &[&str] = &[
    "metadata",
    "annotations",
    "labels",
    "fieldSpecs",
    "imageTag",
    "unsetOnly",
    "setRoleBindingSubjects",
    "target",
    "path",
    "jsonOp",
    "paths",
    "patches",
    "patch",
    "options",
    "prefix",
    "suffix",
    "replica",
    "replacements",
    "value",
    "targets",
    "targetFilePath",
];

fn compile(
    session: &mut Session<'_>,
    target: &Target,
    place: &Place,
    plugin: &Resource,
    json: &Json,
) -> Vec<Transformer> {
    let mut findings = Findings::of_configuration();
    let Some(fields) = findings.object("", json, FIELDS) else { return Vec::new() };
    let f = &mut findings;
    let kind = plugin.id().gvk.kind.as_str();
    let has_specs = fields.has("fieldSpecs");
    let specs: Vec<FieldSpec> = field_specs(fields.list(f, "fieldSpecs", decode_field_spec));
    let mut out = Vec::new();
    match kind {
        "AnnotationsTransformer" => {
            out.push(Transformer::Annotations(Annotations {
                pairs: fields.string_map(f, "annotations"),
                specs,
            }));
        }
        "LabelTransformer" => {
            out.push(Transformer::Labels(Labels { pairs: fields.string_map(f, "labels"), specs }));
        }
        "ImageTagTransformer" => {
            let image = fields.nested(f, "imageTag", decode_image).unwrap_or_default();
            out.push(Transformer::Images(Images::new(image, specs)));
        }
        "NamespaceTransformer" => out.extend(namespace(session, place, f, &fields, specs)),
        "PrefixTransformer" | "SuffixTransformer" | "PrefixSuffixTransformer" => {
            if !has_specs {
                session.fail(place, format!("{kind}: fieldSpecs are missing"));
            }
            for (affix, field) in [(Affix::Prefix, "prefix"), (Affix::Suffix, "suffix")] {
                if kind == "PrefixSuffixTransformer" || kind.to_ascii_lowercase().starts_with(field) {
                    let text = fields.string(f, field);
                    out.push(Transformer::Names(Names { affix, text, specs: specs.clone() }));
                }
            }
        }
        "PatchJson6902Transformer" => {
            let patch = Patch {
                path: fields.string(f, "path"),
                patch: fields.string(f, "jsonOp"),
                target: fields.nested(f, "target", decode_selector),
                ..Patch::default()
            };
            out.extend(json6902_entry(session, target, &patch, place));
        }
        "PatchStrategicMergeTransformer" => {
            let paths = fields.strings(f, "paths");
            let inline = fields.string(f, "patches");
            if paths.is_empty() && inline.is_empty() {
                session.fail(place, "give one of paths and patches");
            } else {
                out.extend(strategic_merge_list(session, target, &paths, &inline, place));
            }
        }
        "PatchTransformer" => {
            let patch = decode_patch(f, "", json);
            out.extend(patch_entry(session, target, &patch, place));
        }
        "ReplicaCountTransformer" => {
            let replica = fields.nested(f, "replica", decode_replica).unwrap_or_default();
            out.push(Transformer::Replicas(Replicas { replica, specs }));
        }
        "ReplacementTransformer" => {
            let entries = fields.list(f, "replacements", decode_replacement_entry);
            let replacements = replacements(session, target, &entries, "replacements");
            out.push(Transformer::Replacements(replacements));
        }
        "ValueAddTransformer" => {
            out.extend(value_add(session, target, place, f, &fields).map(Transformer::ValueAdd));
        }
        "HashTransformer" => out.push(Transformer::Hash),
        _ => session.fail(place, format!("{kind} is not a built-in transformer")),
    }
    for (field, error) in findings.errors {
        session.fail(place, format!("{}: {field} {error}", plugin.id()));
    }
    out
}

fn namespace(
    session: &mut Session<'_>,
    place: &Place,
    findings: &mut Findings,
    fields: &Fields<'_>,
    specs: Vec<FieldSpec>,
) -> Option<Transformer> {
    let namespace = fields.nested(findings, "metadata", metadata_namespace).unwrap_or_default();
    let subjects = match fields.string(findings, "setRoleBindingSubjects").as_str() {
        "" | "defaultOnly" => SubjectMode::DefaultOnly,
        "allServiceAccounts" => SubjectMode::AllServiceAccounts,
        "none" => SubjectMode::None,
        other => {
            let message = format!(
                "setRoleBindingSubjects must be defaultOnly, allServiceAccounts or none, not {other:?}"
            );
            session.fail(place, message);
            return None;
        }
    };
    let unset_only = fields.bool(findings, "unsetOnly");
    Some(Transformer::Namespace(Namespace { namespace, specs, unset_only, subjects }))
}

fn metadata_namespace(findings: &mut Findings, path: &str, value: &Json) -> String {
    let fields = findings.object(path, value, &["namespace"]);
    fields.map_or_else(String::new, |fields| fields.string(findings, "namespace"))
}

fn config_map_or_secret(
    session: &mut Session<'_>,
    target: &Target,
    kind: Kind,
    json: &Json,
) -> Option<Resource> {
    let mut findings = Findings::of_configuration();
    // The old name of `envs` is only known in kustomization files.
    let mut json = json.clone();
    if let Json::Object(fields) = &mut json {
        fields.remove("env");
    }
    let mut generator = decode_generator(&mut findings, "", &json, kind == Kind::Secret);
    if let Some(metadata) = json.get("metadata")
        && let Some(fields) = findings.object("metadata", metadata, &["name", "namespace"])
    {
        let (name, namespace) =
            (fields.string(&mut findings, "name"), fields.string(&mut findings, "namespace"));
        if generator.name.is_empty() {
            generator.name = name;
        }
        if generator.namespace.is_empty() {
            generator.namespace = namespace;
        }
    }
    for (field, error) in findings.errors {
        session.fail(&target.at("generators"), format!("{field} {error}"));
    }
    let options = generator.options.clone().unwrap_or_default();
    generate(session, target, kind, &generator, &options, "generators")
}

/// A service account of GKE's workload identity.
fn iam_policy(session: &mut Session<'_>, place: &Place, json: &Json) -> Option<Resource> {
    let text = |path: &str| json.pointer(path).and_then(Json::as_str).unwrap_or_default();
    if text("/cloud") != "gke" {
        session.fail(place, format!("cloud provider {} is not supported, gke is", text("/cloud")));
        return None;
    }
    let account = format!(
        "{}@{}.iam.gserviceaccount.com",
        text("/serviceAccount/name"),
        text("/serviceAccount/projectId")
    );
    let mut metadata = serde_json::json!({
        "annotations": {"iam.gke.io/gcp-service-account": account},
        "name": text("/kubernetesService/name"),
    });
    let namespace = text("/kubernetesService/namespace");
    if let (false, Some(fields)) = (namespace.is_empty(), metadata.as_object_mut()) {
        fields.insert("namespace".to_owned(), Json::from(namespace));
    }
    let object = serde_json::json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata});
    Some(Resource::new(yaml::Value::from(object), |_| false))
}

fn value_add(
    session: &mut Session<'_>,
    target: &Target,
    place: &Place,
    findings: &mut Findings,
    fields: &Fields<'_>,
) -> Option<ValueAdd> {
    let mut value = fields.string(findings, "value").trim().to_owned();
    if value.is_empty() {
        value = base_name(&target.dir).to_owned();
    }
    let mut targets = fields.list(findings, "targets", value_target);
    let path = fields.string(findings, "targetFilePath");
    if !path.is_empty() {
        let (_, json) = load_json(session, target, &path, place)?;
        if let Some(file) = findings.object("", &json, &["targets"]) {
            targets.extend(file.list(findings, "targets", value_target));
        }
    }
    if targets.is_empty() {
        session.fail(place, "targets are missing");
    }
    let mut compiled = Vec::new();
    for entry in targets {
        match entry {
            Ok(target) => compiled.push(target),
            Err(error) => session.fail(place, error),
        }
    }
    Some(ValueAdd { value, targets: compiled })
}

fn value_target(findings: &mut Findings, path: &str, value: &Json) -> Result<ValueTarget, String> {
    let known = &["selector", "fieldPath", "filePathPosition"];
    let fields = findings.object(path, value, known).ok_or_else(|| format!("{path} is empty"))?;
    let selector = match fields.nested(findings, "selector", decode_selector) {
        Some(entry) => Some(Selector::compile(&entry)?),
        None => None,
    };
    let field = fields.string(findings, "fieldPath");
    if field.is_empty() {
        return Err(format!("{path}.fieldPath is missing"));
    }
    let position = usize::try_from(fields.integer(findings, "filePathPosition"))
        .map_err(|_| format!("{path}.filePathPosition must not be negative"))?;
    Ok(ValueTarget { selector, field: FieldPath::parse(&field), position })
}

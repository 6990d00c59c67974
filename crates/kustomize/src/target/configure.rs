//! The built-in generators and transformers of a kustomization file, compiled.

use patch::JsonPatch;

use super::Target;
use super::settings::load_json;
use crate::config::{Config, FieldSpec, field_specs, merge_specs};
use crate::generate::{Kind, inflate, make, merged_options, read_pairs};
use crate::kustomization::decode::Findings;
use crate::kustomization::{
    Generator, GeneratorOptions, HelmChart, Label, Patch, ReplacementEntry, decode_replacements,
};
use crate::load::{Place, Session, json_patch};
use crate::origin::Origin;
use crate::resource::Resource;
use crate::select::Selector;
use crate::transform::{
    Affix, Annotations, CompiledReplacement, Images, Json6902, Labels, Names, Namespace, Replacements,
    Replicas, StrategicMerge, SubjectMode, Transformer, World,
};

/// A transformer, the place that asked for it, and what it leaves in annotations.
pub(super) struct Step {
    pub(super) transformer: Transformer,
    pub(super) place: Place,
    pub(super) origin: Option<Origin>,
}

/// A generated object and the place that asked for it.
pub(super) struct Generated {
    pub(super) resource: Resource,
    pub(super) place: Place,
}

/// Runs the generators of the file. Errors are recorded.
pub(super) fn generators(session: &mut Session<'_>, target: &Target) -> Vec<Generated> {
    let kustomization = &target.kustomization;
    let mut out = Vec::new();
    for (kind, field, generators) in [
        (Kind::ConfigMap, "configMapGenerator", &kustomization.config_map_generator),
        (Kind::Secret, "secretGenerator", &kustomization.secret_generator),
    ] {
        for (index, generator) in generators.iter().enumerate() {
            let options =
                merged_options(generator.options.as_ref(), kustomization.generator_options.as_ref());
            let field = format!("{field}[{index}]");
            let Some(mut resource) = generate(session, target, kind, generator, &options, &field) else {
                continue;
            };
            if session.tracks_origin {
                let name = if kind == Kind::Secret { "SecretGenerator" } else { "ConfigMapGenerator" };
                resource.origin = Some(target.origin.builtin(&target.file_name, name));
            }
            out.push(Generated { resource, place: target.at(field) });
        }
    }
    for (index, chart) in kustomization.helm_charts.iter().enumerate() {
        let place = target.at(format!("helmCharts[{index}]"));
        let resources = inflated(session, target, chart, &place);
        let origin = session
            .tracks_origin
            .then(|| target.origin.builtin(&target.file_name, "HelmChartInflationGenerator"));
        out.extend(resources.into_iter().map(|mut resource| {
            resource.origin.clone_from(&origin);
            Generated { resource, place: place.clone() }
        }));
    }
    out
}

/// The objects of a chart. Errors are recorded.
pub(super) fn inflated(
    session: &mut Session<'_>,
    target: &Target,
    chart: &HelmChart,
    place: &Place,
) -> Vec<Resource> {
    match inflate(session, &target.dir, chart) {
        Ok(values) => {
            let (schema, growth) = (session.schema.clone(), session.growth.clone());
            let world = World { schema: &schema, growth: &growth };
            let made = values.into_iter().map(|value| {
                let mut resource = Resource::new(value, |gvk| world.is_cluster_scoped(gvk));
                resource.from_chart = true;
                resource
            });
            made.collect()
        }
        Err((part, error)) => {
            let separator = if part.is_empty() { "" } else { "." };
            let place = Place { field: format!("{}{separator}{part}", place.field), ..place.clone() };
            session.fail(&place, error);
            Vec::new()
        }
    }
}

/// Runs one generator.
pub(super) fn generate(
    session: &mut Session<'_>,
    target: &Target,
    kind: Kind,
    generator: &Generator,
    options: &GeneratorOptions,
    field: &str,
) -> Option<Resource> {
    let read = read_pairs(generator, &mut |path| {
        session.load(&target.dir, path).map(|content| content.into_owned())
    });
    let pairs = match read {
        Ok(pairs) => pairs,
        Err(errors) => {
            for (entry, error) in errors {
                session.fail(&target.at(format!("{field}.{entry}")), error);
            }
            return None;
        }
    };
    let (schema, growth) = (session.schema.clone(), session.growth.clone());
    match make(&World { schema: &schema, growth: &growth }, kind, generator, options, pairs) {
        Ok(resource) => Some(resource),
        Err(error) => {
            session.fail(&target.at(field), error);
            None
        }
    }
}

/// Compiles the transformers of the file, in kustomize's order. Errors are recorded.
pub(super) fn transformers(session: &mut Session<'_>, target: &Target, config: &Config) -> Vec<Step> {
    let kustomization = &target.kustomization;
    let mut steps = Steps { target, tracks: session.tracks_origin, list: Vec::new() };
    if !kustomization.patches_strategic_merge.is_empty() {
        let paths = &kustomization.patches_strategic_merge;
        if let Some(transformer) =
            strategic_merge_list(session, target, paths, "", &target.at("patchesStrategicMerge"))
        {
            steps.push("patchesStrategicMerge".to_owned(), "PatchStrategicMergeTransformer", transformer);
        }
    }
    for (index, patch) in kustomization.patches.iter().enumerate() {
        let field = format!("patches[{index}]");
        if let Some(transformer) = patch_entry(session, target, patch, &target.at(field.as_str())) {
            steps.push(field, "PatchTransformer", transformer);
        }
    }
    if !kustomization.namespace.is_empty() {
        let namespace = Namespace {
            namespace: kustomization.namespace.clone(),
            specs: config.namespace.clone(),
            unset_only: false,
            subjects: SubjectMode::DefaultOnly,
        };
        steps.push("namespace".to_owned(), "NamespaceTransformer", Transformer::Namespace(namespace));
    }
    for (field, kind, affix, text, specs) in [
        ("namePrefix", "PrefixTransformer", Affix::Prefix, &kustomization.name_prefix, &config.name_prefix),
        ("nameSuffix", "SuffixTransformer", Affix::Suffix, &kustomization.name_suffix, &config.name_suffix),
    ] {
        if !text.is_empty() {
            let names = Names { affix, text: text.clone(), specs: specs.clone() };
            steps.push(field.to_owned(), kind, Transformer::Names(names));
        }
    }
    labels(session, config, &mut steps);
    if !kustomization.common_annotations.is_empty() {
        let annotations = Annotations {
            pairs: kustomization.common_annotations.clone(),
            specs: config.common_annotations.clone(),
        };
        steps.push(
            "commonAnnotations".to_owned(),
            "AnnotationsTransformer",
            Transformer::Annotations(annotations),
        );
    }
    for (index, patch) in kustomization.patches_json6902.iter().enumerate() {
        let field = format!("patchesJson6902[{index}]");
        let place = target.at(field.as_str());
        if let Some(transformer) = json6902_entry(session, target, patch, &place) {
            steps.push(field, "PatchJson6902Transformer", transformer);
        }
    }
    for (index, replica) in kustomization.replicas.iter().enumerate() {
        let replicas = Replicas { replica: replica.clone(), specs: config.replicas.clone() };
        steps.push(format!("replicas[{index}]"), "ReplicaCountTransformer", Transformer::Replicas(replicas));
    }
    for (index, image) in kustomization.images.iter().enumerate() {
        let images = Images::new(image.clone(), config.images.clone());
        steps.push(format!("images[{index}]"), "ImageTagTransformer", Transformer::Images(images));
    }
    if !kustomization.replacements.is_empty() {
        let replacements = replacements(session, target, &kustomization.replacements, "replacements");
        steps.push(
            "replacements".to_owned(),
            "ReplacementTransformer",
            Transformer::Replacements(replacements),
        );
    }
    steps.list
}

struct Steps<'t> {
    target: &'t Target,
    tracks: bool,
    list: Vec<Step>,
}

impl Steps<'_> {
    fn push(&mut self, field: String, kind: &str, transformer: Transformer) {
        let origin = self.tracks.then(|| self.target.origin.builtin(&self.target.file_name, kind));
        self.list.push(Step { transformer, place: self.target.at(field), origin });
    }
}

fn labels(session: &mut Session<'_>, config: &Config, steps: &mut Steps<'_>) {
    let kustomization = &steps.target.kustomization;
    if kustomization.labels.is_empty() && kustomization.common_labels.is_empty() {
        return;
    }
    for (index, label) in kustomization.labels.iter().enumerate() {
        let field = format!("labels[{index}]");
        match label_specs(label, config) {
            Ok(specs) => {
                let labels = Labels { pairs: label.pairs.clone(), specs };
                steps.push(field, "LabelTransformer", Transformer::Labels(labels));
            }
            Err(error) => session.fail(&steps.target.at(field), error),
        }
    }
    let common = Labels { pairs: kustomization.common_labels.clone(), specs: config.common_labels.clone() };
    steps.push("commonLabels".to_owned(), "LabelTransformer", Transformer::Labels(common));
}

fn label_specs(label: &Label, config: &Config) -> Result<Vec<FieldSpec>, String> {
    let mut specs = field_specs(label.fields.clone());
    merge_specs(&mut specs, &config.labels)?;
    if label.include_selectors {
        merge_specs(&mut specs, &config.common_labels)?;
        return Ok(specs);
    }
    if label.include_templates {
        merge_specs(&mut specs, &config.template_labels)?;
    }
    if label.include_volume_claim_templates {
        merge_specs(&mut specs, &config.volume_claim_template_labels)?;
    }
    merge_specs(&mut specs, &[FieldSpec::everywhere("metadata/labels", true)])?;
    Ok(specs)
}

/// Parses patches as objects.
fn patch_objects(session: &Session<'_>, text: &[u8]) -> Result<Vec<Resource>, String> {
    let world = World { schema: &session.schema, growth: &session.growth };
    let values = session.objects(text)?;
    Ok(values.into_iter().map(|value| Resource::new(value, |gvk| world.is_cluster_scoped(gvk))).collect())
}

/// Compiles `patchesStrategicMerge`: each entry is a patch, or a file of patches.
pub(super) fn strategic_merge_list(
    session: &mut Session<'_>,
    target: &Target,
    paths: &[String],
    inline: &str,
    place: &Place,
) -> Option<Transformer> {
    let mut patches = Vec::new();
    let before = session.errors.len();
    for entry in paths {
        if let Ok(more) = patch_objects(session, entry.as_bytes()) {
            patches.extend(more);
            continue;
        }
        let read = session.load(&target.dir, entry).and_then(|content| patch_objects(session, &content));
        match read {
            Ok(more) => patches.extend(more),
            Err(error) => {
                session.fail(place, format!("{}: {error}", entry.lines().next().unwrap_or_default()))
            }
        }
    }
    if !inline.is_empty() {
        match patch_objects(session, inline.as_bytes()) {
            Ok(more) => patches.extend(more),
            Err(error) => session.fail(place, error),
        }
    }
    if session.errors.len() > before {
        return None;
    }
    if patches.is_empty() {
        session.fail(place, "the patches are empty");
        return None;
    }
    Some(Transformer::StrategicMerge(StrategicMerge {
        patches,
        target: None,
        allow_name_change: false,
        allow_kind_change: false,
        copies_metadata: true,
    }))
}

/// Compiles an entry of `patches`.
pub(super) fn patch_entry(
    session: &mut Session<'_>,
    target: &Target,
    patch: &Patch,
    place: &Place,
) -> Option<Transformer> {
    match compile_patch(session, target, patch) {
        Ok(transformer) => Some(transformer),
        Err(error) => {
            session.fail(place, error);
            None
        }
    }
}

fn compile_patch(session: &mut Session<'_>, target: &Target, patch: &Patch) -> Result<Transformer, String> {
    let inline = patch.patch.trim();
    let text = match (inline, patch.path.as_str()) {
        ("", "") => return Err("give one of patch and path".to_owned()),
        ("", path) => {
            let content = session.load(&target.dir, path)?;
            String::from_utf8_lossy(&content).into_owned()
        }
        (inline, "") => inline.to_owned(),
        _ => return Err("patch and path cannot both be given".to_owned()),
    };
    let selector = match &patch.target {
        Some(entry) => Some(Selector::compile(entry).map_err(|error| format!("target.{error}"))?),
        None => None,
    };
    // What reads as objects is no list of operations.
    let merge_error = match patch_objects(session, text.as_bytes()) {
        Ok(patches) if patches.len() > 1 && selector.is_some() => {
            return Err("a patch with a target must be a single document".to_owned());
        }
        Ok(patches) => {
            return Ok(Transformer::StrategicMerge(StrategicMerge {
                patches,
                copies_metadata: selector.is_some(),
                target: selector,
                allow_name_change: patch.allow_name_change,
                allow_kind_change: patch.allow_kind_change,
            }));
        }
        Err(error) => error,
    };
    let patch = json_patch(&text, &session.read_limits()).map_err(|error| {
        format!("neither a strategic merge patch ({merge_error}) nor a JSON patch ({error})")
    })?;
    match selector {
        None => Err("a JSON patch needs a target".to_owned()),
        Some(target) => Ok(Transformer::Json6902(Json6902 { patch, target, keeps_identity: true })),
    }
}

/// Compiles an entry of `patchesJson6902`.
pub(super) fn json6902_entry(
    session: &mut Session<'_>,
    target: &Target,
    patch: &Patch,
    place: &Place,
) -> Option<Transformer> {
    match compile_json6902(session, target, patch) {
        Ok((patch, target)) => Some(Transformer::Json6902(Json6902 { patch, target, keeps_identity: false })),
        Err(error) => {
            session.fail(place, error);
            None
        }
    }
}

fn compile_json6902(
    session: &mut Session<'_>,
    target: &Target,
    patch: &Patch,
) -> Result<(JsonPatch, Selector), String> {
    let Some(entry) = patch.target.as_ref().filter(|entry| !entry.name.is_empty()) else {
        return Err("a JSON patch needs the name of its target".to_owned());
    };
    let selector = Selector::compile(entry).map_err(|error| format!("target.{error}"))?;
    let text = match (patch.patch.as_str(), patch.path.as_str()) {
        ("", "") => return Err("give one of patch and path".to_owned()),
        ("", path) => {
            let content = session.load(&target.dir, path)?;
            if content.is_empty() {
                return Err(format!("{path} is empty"));
            }
            String::from_utf8_lossy(&content).into_owned()
        }
        (inline, "") => inline.to_owned(),
        _ => return Err("patch and path cannot both be given".to_owned()),
    };
    let operations = json_patch(&text, &session.read_limits())?;
    if operations.is_empty() {
        return Err("the patch is empty".to_owned());
    }
    Ok((operations, selector))
}

/// Compiles `replacements`, loading those in files.
pub(super) fn replacements(
    session: &mut Session<'_>,
    target: &Target,
    entries: &[ReplacementEntry],
    field: &str,
) -> Replacements {
    let mut compiled = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let label = format!("{field}[{index}]");
        let place = target.at(label.as_str());
        let own = &entry.replacement;
        let mut list = Vec::new();
        if entry.path.is_empty() {
            list.push(own.clone());
        } else if own.source.is_some() || own.targets.as_ref().is_some_and(|targets| !targets.is_empty()) {
            session.fail(&place, "path and an inline replacement cannot both be given");
        } else if let Some((_, json)) = load_json(session, target, &entry.path, &place) {
            let mut findings = Findings::default();
            match decode_replacements(&mut findings, &json) {
                Some(more) => list.extend(more),
                None => session.fail(&place, format!("{} holds no replacements", entry.path)),
            }
            for (field, error) in findings.errors {
                session.fail(&place, format!("{}: {field}: {error}", entry.path));
            }
        }
        for replacement in list {
            match CompiledReplacement::compile(label.clone(), replacement) {
                Ok(replacement) => compiled.push(replacement),
                Err(error) => session.fail(&place, error),
            }
        }
    }
    Replacements(compiled)
}

//! A build from its root to its output.

use std::collections::HashSet;

use yaml::Value;

use crate::error::BuildErrors;
use crate::fs::{FileSystem, clean};
use crate::inputs::Inputs;
use crate::kustomization::SortOptions;
use crate::load::{Outside, Place, Session};
use crate::options::{Options, Reorder};
use crate::origin::{Origin, list_to_yaml};
use crate::refs::{resolve_vars, update_names};
use crate::resource::{Previous, Resource, ResourceId};
use crate::target::{Accumulator, Target, accumulate, load_target};
use crate::transform::{World, sort};

/// What a build made.
#[derive(Debug, Clone, Default)]
pub struct Build {
    /// The objects, in output order.
    pub resources: Vec<Resource>,
    /// Deprecated or ignored fields, in the order met; each names its file.
    pub warnings: Vec<String>,
    /// What was read on the way.
    pub inputs: Inputs,
    yaml: String,
}

impl Build {
    /// What `kustomize build` prints, without a copy.
    #[must_use]
    pub fn yaml(&self) -> &str {
        &self.yaml
    }

    /// What `kustomize build` prints: every object as YAML, separated by `---`.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        self.yaml.clone()
    }
}

/// Builds the kustomization in the directory `root` of `fs`.
///
/// # Errors
/// Every independent problem of the inputs, each with its file, field and, where known, line.
pub fn build(fs: &dyn FileSystem, root: &str, options: &Options) -> Result<Build, BuildErrors> {
    build_with(fs, root, options, Outside::default())
}

/// As [`build`], with the caller's ways to fetch what lies on the network and to render charts.
///
/// # Errors
/// As [`build`]; and what could not be fetched or rendered.
pub fn build_with(
    fs: &dyn FileSystem,
    root: &str,
    options: &Options,
    outside: Outside<'_>,
) -> Result<Build, BuildErrors> {
    let mut session = Session::new(fs, options, outside);
    let resources = run(&mut session, root);
    let mut yaml = String::new();
    if session.errors.is_empty() {
        for resource in &resources {
            if !yaml.is_empty() {
                yaml.push_str("---\n");
            }
            if let Err(error) = yaml::write_yaml(resource.value(), &mut yaml) {
                session.fail(&Place::default(), format!("{}: {error}", resource.id()));
            }
            if yaml.len() > options.limits.output_bytes {
                let limit = options.limits.output_bytes;
                session.fail(
                    &Place::default(),
                    format!("the output has more than {limit} bytes; that is the limit"),
                );
                break;
            }
        }
    }
    match BuildErrors::new(session.errors) {
        Some(errors) => Err(errors),
        None => Ok(Build { resources, warnings: session.warnings, inputs: session.inputs, yaml }),
    }
}

fn run(session: &mut Session<'_>, root: &str) -> Vec<Resource> {
    let nowhere = Place::default();
    let Some(dir) = clean(root).filter(|dir| session.is_dir(dir)) else {
        session.fail(
            &nowhere,
            format!("{root} is not a directory; a build starts at a directory with a kustomization"),
        );
        return Vec::new();
    };
    let Some(target) = load_target(session, &dir, &nowhere, Vec::new(), Origin::default()) else {
        return Vec::new();
    };
    let asks = |option: &str| target.kustomization.build_metadata.iter().any(|asked| asked == option);
    let (origins, transformers) = (asks("originAnnotations"), asks("transformerAnnotations"));
    session.tracks_origin = !target.kustomization.build_metadata.is_empty();
    session.tracks_transformers = transformers;
    let mut acc = Accumulator::default();
    accumulate(session, &target, &mut acc);
    if !session.errors.is_empty() {
        return Vec::new();
    }
    finish(session, &target, &mut acc);
    if !session.errors.is_empty() {
        return Vec::new();
    }
    let managed_by =
        session.options.managed_by.clone().or_else(|| asks("managedByLabel").then(|| VERSION.to_owned()));
    let mut resources = acc.resources.into_list();
    for resource in &mut resources {
        if let Some(version) = &managed_by {
            let text = format!("kustomize-{version}");
            match resource.value_mut().ensure_map(&["metadata", "labels"]) {
                Some(labels) => {
                    labels.insert("app.kubernetes.io/managed-by", Value::str(text));
                }
                None => session.fail(&nowhere, format!("{}: labels are not a mapping", resource.id())),
            }
        }
        resource.finish_annotations();
        if let Some(origin) = resource.origin.as_ref().filter(|_| origins) {
            let text = origin.to_yaml();
            resource.set_annotation("config.kubernetes.io/origin", &text);
        }
        if transformers && !resource.transformations.is_empty() {
            let text = list_to_yaml(&resource.transformations);
            resource.set_annotation("alpha.config.kubernetes.io/transformations", &text);
        }
    }
    resources
}

/// The version of kustomize whose behaviour this is.
const VERSION: &str = "v5.8.1";

/// What happens once, at the root: hashes, references, vars, local configuration, order.
fn finish(session: &mut Session<'_>, target: &Target, acc: &mut Accumulator) {
    let (schema, growth) = (session.schema.clone(), session.growth.clone());
    let world = World { schema: &schema, growth: &growth };
    let config = acc.config();
    let fail = |session: &mut Session<'_>, field: &str, errors: Vec<String>| {
        for error in errors {
            session.fail(&target.at(field), error);
        }
    };
    if let Err(errors) = crate::generate::add_hashes(&world, &mut acc.resources) {
        return fail(session, "", errors);
    }
    if let Err(errors) = update_names(&world, &config.name_reference, &mut acc.resources) {
        return fail(session, "", errors);
    }
    match resolve_vars(&growth, &acc.vars, &config.var_reference, &mut acc.resources) {
        Ok(unused) => {
            for name in unused {
                session.warnings.push(format!("{}: the var {name} is nowhere used", target.file()));
            }
        }
        Err(errors) => return fail(session, "vars", errors),
    }
    for resource in acc.resources.iter() {
        if resource.id().gvk.kind.is_empty()
            || resource.id().name.is_empty() && !resource.id().gvk.kind.ends_with("List")
        {
            session.fail(&target.at(""), format!("{} has lost its kind or name", resource.id()));
        }
    }
    for resource in acc.resources.iter() {
        let odd = |previous: &Previous| {
            [&previous.name, &previous.namespace, &previous.kind].iter().any(|text| text.contains(','))
                || previous.name.is_empty() && resource.previous.len() > 1 && !previous.kind.ends_with("List")
        };
        if resource.previous.iter().any(odd) {
            let id = resource.id();
            let message = format!(
                "{id} had a name that is empty, or a name or namespace with a comma; such objects cannot be followed"
            );
            session.fail(&target.at(""), message);
        }
    }
    for resource in acc.resources.iter() {
        let api_version = resource.value().get("apiVersion");
        if api_version.is_some_and(|value| value.is_null() && value.text() != Some("")) {
            session.fail(&target.at(""), format!("{}: apiVersion must not be null", resource.id()));
        }
    }
    if let Some(id) = acc.resources.first_conflict_among(|resource| !is_local(resource)) {
        let message = format!("two objects have the same identity: {id}");
        session.fail(&target.at(""), message);
    }
    // Kustomize drops what has no identity of those that stay.
    let stays = |id: &ResourceId| acc.resources.iter().any(|other| !is_local(other) && other.id() == id);
    let dropped: HashSet<ResourceId> = (acc.resources.iter())
        .filter(|resource| is_local(resource) && !stays(resource.id()))
        .map(|resource| resource.id().clone())
        .collect();
    acc.resources.retain(|resource| !is_local(resource) || !dropped.contains(resource.id()));
    let sorted = match (&target.kustomization.sort_options, session.options.reorder) {
        (Some(options), _) => sort(options, &mut acc.resources),
        (None, Reorder::None) => Ok(()),
        (None, Reorder::Legacy | Reorder::Unspecified) => {
            let legacy = SortOptions { order: "legacy".to_owned(), legacy: None };
            sort(&legacy, &mut acc.resources)
        }
    };
    if let Err(error) = sorted {
        session.fail(&target.at("sortOptions"), error);
    }
}

/// Whether an object is meant for tools that run before, and not for the output.
fn is_local(resource: &Resource) -> bool {
    resource.annotation("config.kubernetes.io/local-config").is_some_and(|local| local != "false")
}

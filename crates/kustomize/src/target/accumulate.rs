//! What a kustomization makes: its resources and bases, generated objects, components, then the transformers.

use super::settings::add_config;
use super::validate::validate;
use super::{Accumulator, Target, configure, load_target, plugins, schema};
use crate::fs::join;
use crate::generate::merge_generated;
use crate::load::{Place, Remote, Session, is_remote};
use crate::origin::Origin;
use crate::refs::mark_var_sources;
use crate::resource::{Behavior, Resource};
use crate::transform::{Transformer, World, stringify};

/// Accumulates a kustomization into `acc`. Errors are recorded in the session; once there are any, objects are still
/// loaded and configurations still checked, but nothing is transformed.
pub(crate) fn accumulate(session: &mut Session<'_>, target: &Target, acc: &mut Accumulator) {
    schema::choose(session, target);
    let kustomization = &target.kustomization;
    let outer_namespace = session.namespace.clone();
    if !kustomization.namespace.is_empty() {
        session.namespace.clone_from(&kustomization.namespace);
    }
    for (index, entry) in kustomization.resources.iter().enumerate() {
        let field = match index.checked_sub(kustomization.first_base) {
            Some(base) => format!("bases[{base}]"),
            None => format!("resources[{index}]"),
        };
        add_entry(session, target, acc, entry, &target.at(field));
    }
    add_config(session, target, acc);
    for generated in configure::generators(session, target) {
        absorb(session, &generated.place, acc, generated.resource);
    }
    for (place, resource) in plugins::generated(session, target) {
        absorb(session, &place, acc, resource);
    }
    for (index, entry) in kustomization.components.iter().enumerate() {
        add_component(session, target, acc, entry, &target.at(format!("components[{index}]")));
    }
    let config = acc.config();
    let mut steps = configure::transformers(session, target, &config);
    steps.extend(plugins::transformers(session, target, &kustomization.transformers, "transformers"));
    let validators = plugins::transformers(session, target, &kustomization.validators, "validators");
    if session.errors.is_empty() {
        run(session, acc, steps);
    }
    if session.errors.is_empty() {
        validate(session, acc, validators);
    }
    if session.errors.is_empty() {
        let marked = mark_var_sources(&kustomization.vars, &mut acc.resources);
        for error in marked.err().into_iter().flatten() {
            session.fail(&target.at("vars"), error);
        }
    }
    if let Err(error) = acc.merge_vars(kustomization.vars.clone()) {
        session.fail(&target.at("vars"), error);
    }
    session.namespace = outer_namespace;
}

fn run(session: &mut Session<'_>, acc: &mut Accumulator, steps: Vec<configure::Step>) {
    let (schema, growth) = (session.schema.clone(), session.growth.clone());
    let world = World { schema: &schema, growth: &growth };
    for step in steps {
        if matches!(step.transformer, Transformer::StrategicMerge(_)) {
            session.schema_used = true;
            session.need_schema();
        }
        if let Err(errors) = step.transformer.run(&world, &mut acc.resources) {
            for error in errors {
                session.fail(&step.place, error);
            }
        }
        if let Some(origin) = step.origin.filter(|_| session.tracks_origin || session.tracks_transformers) {
            for resource in acc.resources.iter_mut() {
                if resource.origin.is_none() {
                    resource.origin = Some(origin.clone());
                } else if session.tracks_transformers {
                    resource.transformations.push(origin.clone());
                }
                // Kustomize notes it among the annotations, which it writes anew.
                stringify(resource.value_mut(), "annotations");
            }
        }
    }
}

/// Adds one entry of `resources`: a file, or a directory with a kustomization.
pub(super) fn add_entry(
    session: &mut Session<'_>,
    target: &Target,
    acc: &mut Accumulator,
    entry: &str,
    place: &Place,
) {
    if entry.is_empty() {
        session.fail(place, "the entry is empty; give the path of a file or directory");
        return;
    }
    if is_remote(entry) {
        if !session.can_fetch() {
            session.fail(
                place,
                format!("{entry} is remote; remote bases are not fetched, add it to the source"),
            );
        } else if matches!(Remote::parse(entry), Ok(Remote::File { .. })) {
            add_file(session, target, acc, entry, place);
        } else if let Some(base) = open_remote(session, target, entry, place) {
            add_base(session, target, acc, entry, base, place);
        }
        return;
    }
    let path = match session.path(&target.dir, entry) {
        Ok(path) => path,
        Err(error) => {
            session.fail(place, error);
            return;
        }
    };
    if session.is_file(&path) {
        add_file(session, target, acc, entry, place);
    } else if session.is_dir(&path) {
        if let Some(base) = open(session, target, entry, &path, place) {
            add_base(session, target, acc, entry, base, place);
        }
    } else {
        session.fail(place, format!("no such file or directory: {path}"));
    }
}

fn add_base(
    session: &mut Session<'_>,
    target: &Target,
    acc: &mut Accumulator,
    entry: &str,
    mut base: Target,
    place: &Place,
) {
    if base.kustomization.component {
        session.fail(place, format!("{entry} is a component; list it under components"));
        return;
    }
    base.kustomization.build_metadata.clone_from(&target.kustomization.build_metadata);
    let mut inner = Accumulator::default();
    accumulate(session, &base, &mut inner);
    merge(session, place, acc, inner);
}

fn add_component(
    session: &mut Session<'_>,
    target: &Target,
    acc: &mut Accumulator,
    entry: &str,
    place: &Place,
) {
    if entry.is_empty() || is_remote(entry) && !session.can_fetch() {
        session.fail(place, format!("{entry:?} is not a local directory; remote components are not fetched"));
        return;
    }
    let component = if is_remote(entry) {
        open_remote(session, target, entry, place)
    } else {
        let path = match session.path(&target.dir, entry) {
            Ok(path) => path,
            Err(error) => {
                session.fail(place, error);
                return;
            }
        };
        if !session.is_dir(&path) {
            session.fail(
                place,
                format!("{path} is not a directory; a component is a directory with a kustomization"),
            );
            return;
        }
        open(session, target, entry, &path, place)
    };
    let Some(component) = component else { return };
    if !component.kustomization.component {
        session.fail(place, format!("{entry} is not a component; its kind must be Component"));
        return;
    }
    // A component works on what was accumulated so far.
    let mut own = Accumulator {
        resources: std::mem::take(&mut acc.resources),
        config: acc.config.clone(),
        vars: std::mem::take(&mut acc.vars),
    };
    accumulate(session, &component, &mut own);
    *acc = own;
    if session.errors.is_empty()
        && let Some(id) = acc.resources.first_conflict()
    {
        let message = format!("{id} is there already; an object can be added only once");
        session.fail(place, message);
    }
    // Kustomize then merges the configuration into an empty one, where it may contradict itself.
    if let Some(config) = acc.config.take()
        && let Err(error) = acc.merge_config(&config)
    {
        session.fail(place, error);
    }
}

/// Loads the kustomization of a directory that another one names.
fn open(
    session: &mut Session<'_>,
    target: &Target,
    entry: &str,
    path: &str,
    place: &Place,
) -> Option<Target> {
    let odd = |segment: &str| segment.contains("..") && segment != "..";
    if entry.split('/').any(odd) {
        session.fail(place, format!("path {entry:?} is ambiguous; check the indentation of the list"));
        return None;
    }
    let origin = target.origin.append(entry);
    open_at(session, target, path, target.repository.clone(), origin, place)
}

/// Fetches a repository, and loads the kustomization of a directory in it.
fn open_remote(session: &mut Session<'_>, target: &Target, entry: &str, place: &Place) -> Option<Target> {
    let fetched = Remote::parse(entry).and_then(|remote| match remote {
        Remote::File { .. } => Err("is a file, not a directory".to_owned()),
        Remote::Directory(directory) => {
            let root = session.fetch_directory(directory.clone())?;
            let path = join(&root, &directory.path).unwrap_or_default();
            Ok((root, path, target.origin.in_repository(&directory)))
        }
    });
    match fetched {
        Ok((root, path, origin)) => open_at(session, target, &path, Some(root), origin, place),
        Err(error) => {
            session.fail(place, format!("{entry}: {error}"));
            None
        }
    }
}

/// Loads the kustomization at a path, which must not lead out of `repository` or back to where the build came from.
fn open_at(
    session: &mut Session<'_>,
    target: &Target,
    path: &str,
    repository: Option<String>,
    origin: Origin,
    place: &Place,
) -> Option<Target> {
    let dir = match session.fs.resolve(path) {
        Ok(dir) => dir,
        Err(error) => {
            session.fail(place, error.to_string());
            return None;
        }
    };
    if let Some(root) = &repository
        && !is_same_or_below(&dir, root)
    {
        session
            .fail(place, format!("{dir} is outside of the repository in {root}, whose bases must lie in it"));
        return None;
    }
    let mut parents = target.parents.clone();
    parents.push(target.dir.clone());
    if parents.len() > session.options.limits.depth {
        session.fail(place, format!("bases nest deeper than {}", session.options.limits.depth));
        return None;
    }
    if let Some(parent) = parents.iter().find(|parent| is_same_or_below(parent, &dir)) {
        let shown = |dir: &str| if dir.is_empty() { ".".to_owned() } else { dir.to_owned() };
        session.fail(place, format!("cycle: {} contains {}, which led here", shown(&dir), shown(parent)));
        return None;
    }
    let mut loaded = load_target(session, &dir, place, parents, origin)?;
    loaded.repository = repository;
    Some(loaded)
}

/// Whether `path` is `dir` or lies below it.
fn is_same_or_below(path: &str, dir: &str) -> bool {
    dir.is_empty() || path == dir || path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'))
}

fn add_file(session: &mut Session<'_>, target: &Target, acc: &mut Accumulator, entry: &str, place: &Place) {
    let content = match session.load(&target.dir, entry) {
        Ok(content) => content,
        Err(error) => {
            session.fail(place, error);
            return;
        }
    };
    let values = match session.objects(&content) {
        Ok(values) => values,
        Err(error) => {
            let path = session.path(&target.dir, entry).unwrap_or_default();
            session.fail(place, format!("{path}: {error}"));
            return;
        }
    };
    let (schema, growth) = (session.schema.clone(), session.growth.clone());
    let world = World { schema: &schema, growth: &growth };
    let origin = session.tracks_origin.then(|| target.origin.append(entry));
    for value in values {
        let mut resource = Resource::new(value, |gvk| world.is_cluster_scoped(gvk));
        resource.origin.clone_from(&origin);
        resource.read_marks();
        if origin.is_some() && resource.has_odd_annotations() {
            // Kustomize keeps the origin there.
            let id = resource.id();
            session.fail(
                place,
                format!("{entry}: {id}: metadata.annotations must be a mapping for buildMetadata"),
            );
            continue;
        }
        if !world.is_known(&resource.id().gvk) {
            session.met_unknown_kind = true;
            session.need_schema();
        }
        add(session, place, acc, resource);
    }
}

fn add(session: &mut Session<'_>, place: &Place, acc: &mut Accumulator, resource: Resource) {
    if acc.resources.len() >= session.options.limits.resources {
        session
            .fail(place, format!("the build makes more than {} objects", session.options.limits.resources));
        return;
    }
    if let Err(resource) = acc.resources.append(resource) {
        session.fail(place, format!("{} is there already; an object can be added only once", resource.id()));
    }
}

fn merge(session: &mut Session<'_>, place: &Place, acc: &mut Accumulator, inner: Accumulator) {
    if let Some(config) = &inner.config
        && let Err(error) = acc.merge_config(config)
    {
        session.fail(place, error);
    }
    for resource in inner.resources.into_list() {
        add(session, place, acc, resource);
    }
    if let Err(error) = acc.merge_vars(inner.vars) {
        session.fail(place, error);
    }
}

/// Adds a generated object, or merges it with the one that is there.
fn absorb(session: &mut Session<'_>, place: &Place, acc: &mut Accumulator, mut resource: Resource) {
    let places = acc.resources.by_any_id(resource.id());
    let behavior = resource.behavior;
    match (places.as_slice(), behavior) {
        ([], Behavior::Create) => add(session, place, acc, resource),
        ([], _) => session
            .fail(place, format!("{} is not there; only behavior create makes a new object", resource.id())),
        ([at], Behavior::Merge | Behavior::Replace) => {
            let Some(old) = acc.resources.get(*at) else { return };
            let merges = behavior == Behavior::Merge;
            if let Err(error) = merge_generated(&mut resource, old, merges) {
                session.fail(place, error);
                return;
            }
            if merges && old.origin.is_some() {
                resource.origin.clone_from(&old.origin);
            }
            let (schema, growth) = (session.schema.clone(), session.growth.clone());
            let world = World { schema: &schema, growth: &growth };
            resource.refresh_id(|gvk| world.is_cluster_scoped(gvk));
            acc.resources.replace(*at, resource);
        }
        ([_], Behavior::Create) => session
            .fail(place, format!("{} is there already; set behavior to merge or replace", resource.id())),
        (_, _) => session.fail(place, format!("several objects could be meant by {}", resource.id())),
    }
}

//! `configurations` and `crds`: which fields the transformers work on; and files of settings in general.

use std::sync::Arc;

use serde_json::Value as Json;

use super::{Accumulator, Target};
use crate::config::{Config, default_config, from_crds, from_file};
use crate::kustomization::decode::Findings;
use crate::load::{Place, Session, definitions, to_json};

/// Merges the default configuration, `configurations` and `crds`.
pub(super) fn add_config(session: &mut Session<'_>, target: &Target, acc: &mut Accumulator) {
    let kustomization = &target.kustomization;
    let mut config = default_config();
    // The files are merged with each other first, in which a field of one kind hides the same field of any kind.
    let mut files = Config::default();
    for (index, entry) in kustomization.configurations.iter().enumerate() {
        let place = target.at(format!("configurations[{index}]"));
        let Some((_, json)) = load_strict_json(session, target, entry, &place) else { continue };
        let mut findings = Findings::default();
        let own = from_file(&json, &mut findings);
        for (field, error) in findings.errors {
            session.fail(&place, format!("{entry}: {field}: {error}"));
        }
        if let Err(error) = files.merge(&own) {
            session.fail(&place, error);
        }
    }
    if files != Config::default() {
        merge_into(session, &mut config, &files, &target.at("configurations"));
    }
    for (index, entry) in kustomization.crds.iter().enumerate() {
        let place = target.at(format!("crds[{index}]"));
        let Some((empty, json)) = load_definitions(session, target, entry, &place) else { continue };
        match (&json, empty) {
            (Json::Object(definitions), false) => match from_crds(definitions) {
                Ok(own) => merge_into(session, &mut config, &own, &place),
                Err(error) => session.fail(&place, format!("{entry}: {error}")),
            },
            _ => session.fail(&place, format!("{entry} holds no OpenAPI definitions")),
        }
    }
    if let Err(error) = acc.merge_config(&config) {
        session.fail(&target.at("configurations"), error);
    }
}

fn merge_into(session: &mut Session<'_>, config: &mut Arc<Config>, own: &Config, place: &Place) {
    if let Err(error) = Arc::make_mut(config).merge(own) {
        session.fail(place, error);
    }
}

/// A YAML or JSON file as JSON, and whether it is empty.
pub(super) fn load_json(
    session: &mut Session<'_>,
    target: &Target,
    entry: &str,
    place: &Place,
) -> Option<(bool, Json)> {
    load_checked(session, target, entry, place, |_| Ok(()))
}

/// OpenAPI definitions, and whether the file is empty.
fn load_definitions(
    session: &mut Session<'_>,
    target: &Target,
    entry: &str,
    place: &Place,
) -> Option<(bool, Json)> {
    let read = session
        .load(&target.dir, entry)
        .and_then(|content| Ok((content.is_empty(), definitions(session, &content)?)));
    read.map_err(|error| session.fail(place, format!("{entry}: {error}"))).ok()
}

/// As [`load_json`], where no key may occur twice.
fn load_strict_json(
    session: &mut Session<'_>,
    target: &Target,
    entry: &str,
    place: &Place,
) -> Option<(bool, Json)> {
    load_checked(session, target, entry, place, |tree| match first_duplicate(tree) {
        Some((key, line)) => Err(format!("line {line}: key {key:?} already set in map")),
        None => Ok(()),
    })
}

/// The first key that occurs twice in a mapping, and its line.
fn first_duplicate(tree: &yaml::Value) -> Option<(&str, u32)> {
    match tree {
        yaml::Value::Scalar(_) => None,
        yaml::Value::Seq(items) => items.iter().find_map(first_duplicate),
        yaml::Value::Map(map) => map.duplicate().or_else(|| map.values().find_map(first_duplicate)),
    }
}

fn load_checked(
    session: &mut Session<'_>,
    target: &Target,
    entry: &str,
    place: &Place,
    check: impl Fn(&yaml::Value) -> Result<(), String>,
) -> Option<(bool, Json)> {
    let read = session.load(&target.dir, entry).and_then(|content| {
        let tree = session.document(&content)?;
        check(&tree)?;
        Ok((content.is_empty(), to_json(&tree)?))
    });
    match read {
        Ok(read) => Some(read),
        Err(error) => {
            session.fail(place, format!("{entry}: {error}"));
            None
        }
    }
}

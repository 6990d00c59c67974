//! `openapi`: the schema that a kustomization chooses.

use schema::{Relation, Schema};

use super::Target;
use crate::load::{Session, definitions};

/// The version of Kubernetes whose schema is built in.
const BUILTIN: &str = "v1.21.2";

/// Takes the schema that the kustomization names, unless one was chosen before. The root's choice comes first.
///
/// In kustomize, what was loaded before decides what becomes of the built-in types: a merge has read them, so that the
/// user's come on top; an object of a kind that is not built in has marked them to be read, after the user's.
pub(super) fn choose(session: &mut Session<'_>, target: &Target) {
    let openapi = &target.kustomization.openapi;
    let content = match openapi.get("path") {
        None => None,
        Some(path) => match session.load(&target.dir, path) {
            Ok(content) => Some(content),
            Err(error) => {
                session.fail(&target.at("openapi.path"), error);
                return;
            }
        },
    };
    if session.schema_chosen {
        return;
    }
    match (content, openapi.get("version")) {
        (Some(_), Some(_)) => {
            session.fail(&target.at("openapi"), "give either a version or a path, not both");
        }
        (Some(content), None) => {
            let read = match content.is_empty() {
                true => Err("the file is empty; it must hold an OpenAPI document".to_owned()),
                false => definitions(session, &content),
            };
            let schema = read.and_then(|json| {
                Schema::from_openapi(&json, relation(session)).map_err(|error| error.to_string())
            });
            match schema {
                Ok(schema) => {
                    session.schema = schema;
                    session.schema_chosen = true;
                }
                // Kustomize reads it when it has a question.
                Err(error) => session.broken_schema = Some((target.at("openapi.path"), error)),
            }
        }
        (None, Some(version)) if version == BUILTIN => session.schema_chosen = true,
        (None, Some(version)) if !version.is_empty() => {
            session.fail(
                &target.at("openapi.version"),
                format!("the schema of Kubernetes {version} is not built in; {BUILTIN} is"),
            );
        }
        (None, _) => {}
    }
}

fn relation(session: &Session<'_>) -> Relation {
    match (session.schema_used, session.met_unknown_kind) {
        (true, _) => Relation::Over,
        (false, true) => Relation::Under,
        (false, false) => Relation::Replaces,
    }
}

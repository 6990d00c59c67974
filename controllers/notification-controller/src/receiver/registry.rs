//! Docker Hub, Quay and Azure Container Registry, which sign nothing: the path is their secret.

use serde_json::Value;

use super::hook::{Accepted, Hook, Refusal, refused};

/// `{push_data: {tag}, repository: {repo_url}}`
pub fn docker_hub(hook: &Hook) -> Result<Accepted, Refusal> {
    shaped(hook, "DockerHub", &["/push_data", "/repository"], &["/push_data/tag", "/repository/repo_url"])
}

/// `{docker_url, updated_tags: []}`
pub fn quay(hook: &Hook) -> Result<Accepted, Refusal> {
    let accepted = shaped(hook, "Quay", &[], &["/docker_url"])?;
    let document = hook.object("Quay")?;
    let are_texts = match document.get("updated_tags") {
        None | Some(Value::Null) => true,
        Some(Value::Array(tags)) => tags.iter().all(|tag| tag.is_string() || tag.is_null()),
        Some(_) => false,
    };
    if are_texts {
        Ok(accepted)
    } else {
        refused("cannot decode Quay webhook payload: updated_tags is no list of texts")
    }
}

/// `{action, target: {repository, tag}}`
pub fn acr(hook: &Hook) -> Result<Accepted, Refusal> {
    shaped(hook, "ACR", &["/target"], &["/action", "/target/repository", "/target/tag"])
}

/// What is there has the right type; nothing has to be there.
fn shaped(hook: &Hook, who: &str, objects: &[&str], texts: &[&str]) -> Result<Accepted, Refusal> {
    let document = hook.object(who)?;
    let is = |path: &str, fits: fn(&Value) -> bool| {
        document.pointer(path).is_none_or(|value| value.is_null() || fits(value))
    };
    let wrong = objects
        .iter()
        .find(|path| !is(path, Value::is_object))
        .or_else(|| texts.iter().find(|path| !is(path, Value::is_string)));
    match wrong {
        Some(path) => refused(format!(
            "cannot decode {who} webhook payload: {} has the wrong type",
            path.trim_start_matches('/')
        )),
        None => Ok(Accepted::default()),
    }
}

//! Azure DevOps commit statuses.

use http::Method;
use net::Secret;
use serde_json::{Value, json};

use super::azure;
use super::commit_status::{Words, required_id, status, unless_said};
use super::git_address::Repository;
use super::settings::Settings;
use super::step::{Call, Error, Step, setup};
use crate::event::Event;

/// What tokens of managed identities are for.
const SCOPE: &str = "499b84ac-1321-427f-aa17-267ca6975798/.default";
const WORDS: Words = Words {
    pending: None,
    success: "succeeded",
    failure: "error",
    neither: "can't convert to azure devops state",
};

/// A commit status.
pub fn plan(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let id = required_id(&settings.status_id)?;
    let repository = Repository::parse(&settings.address)?;
    let Some([organisation, project, _, name]) = repository.parts::<4>() else {
        return setup(format!("invalid repository id \"{}\", expected org/project/_git/repo", repository.id));
    };
    let genre = match event.metadata.get("summary") {
        Some(summary) => format!("fluxcd:{summary}"),
        None => "fluxcd".to_owned(),
    };
    let Some(status) = status(id, event, &WORDS)? else { return Ok(Step::Done) };
    let url = repository.url(&format!(
        "{organisation}/{project}/_apis/git/repositories/{name}/commits/{}/statuses?api-version=6.0",
        status.commit
    ))?;
    azure::login(
        settings,
        SCOPE,
        Box::new(move |token: &Secret| {
            let list = Call::new(Method::GET, url.clone())
                .basic("", token.expose())?
                .header("accept", "application/json")
                .context("could not list commit statuses: ");
            let write = Call::new(Method::POST, url)
                .json(&json!({
                    "state": status.state,
                    "description": status.description,
                    "context": { "genre": genre, "name": status.id },
                }))
                .basic("", token.expose())?
                .header("accept", "application/json")
                .context("could not create commit status: ");
            let said = move |known: &Value| {
                let text = |entry: &Value, path: &str| {
                    entry.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
                };
                // The list comes wrapped.
                let list = known.get("value").unwrap_or(known);
                list.as_array()
                    .into_iter()
                    .flatten()
                    .find(|entry| {
                        text(entry, "/context/name") == status.id && text(entry, "/context/genre") == genre
                    })
                    .is_some_and(|entry| {
                        text(entry, "/state") == status.state
                            && text(entry, "/description") == status.description
                    })
            };
            Ok(unless_said(list, false, said, write))
        }),
    )
}

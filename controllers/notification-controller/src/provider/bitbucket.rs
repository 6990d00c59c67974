//! Bitbucket: build statuses of the cloud and of the server.

use http::Method;
use serde_json::{Value, json};

use super::commit_status::{Status, Words, required_id, status, unless_said};
use super::git_address::Repository;
use super::settings::Settings;
use super::step::{Call, Error, Step, address, setup};
use crate::digest::sha1_hex;
use crate::event::Event;
use crate::wording::status_name;

const CLOUD: &str = "https://api.bitbucket.org/2.0";
const WORDS: Words = Words {
    pending: None,
    success: "SUCCESSFUL",
    failure: "FAILED",
    neither: "can't convert to bitbucket state",
};
const SERVER_WORDS: Words =
    Words { neither: "bitbucket server state generated on info or error events only", ..WORDS };

/// A build status of the cloud.
pub fn cloud(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let id = required_id(&settings.status_id)?;
    let token = settings.token.as_ref().map(|token| token.expose_text().into_owned()).unwrap_or_default();
    let Some((username, password)) = token.split_once(':') else {
        return setup("invalid token format, expected to be <user>:<password>");
    };
    let repository = Repository::parse(&settings.address)?;
    let Some([owner, name]) = repository.parts::<2>() else {
        return setup(format!("invalid repository id \"{}\"", repository.id));
    };
    let Some(status) = status(id, event, &WORDS)? else { return Ok(Step::Done) };
    let key = sha1_hex(status.id.as_bytes());
    let build = format!("{CLOUD}/repositories/{owner}/{name}/commit/{}/statuses/build", status.commit);
    let list = Call::new(Method::GET, address(&format!("{build}/{key}"))?)
        .basic(username, password.as_bytes())?
        .context("could not list commit statuses: ");
    let write = Call::new(Method::POST, address(&build)?)
        .json(&json!({
            "key": key,
            "state": status.state,
            "name": status_name(event),
            "description": status.description,
            "url": "https://bitbucket.org",
        }))
        .basic(username, password.as_bytes())?
        .context("could not create commit status: ");
    let said =
        move |known: &Value| is(known, &[("state", status.state), ("description", &status.description)]);
    Ok(unless_said(list, true, said, write))
}

/// A build status of a server.
pub fn server(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let id = required_id(&settings.status_id)?;
    let repository = Repository::parse(&settings.address)?;
    let login = |call: Call| match &settings.token {
        Some(token) => call.bearer(token),
        None if !settings.username.is_empty() && settings.password.is_some() => {
            call.basic(&settings.username, settings.password_bytes())
        }
        None => setup("invalid credentials, expected to be one of username/password or API Token"),
    };
    if !repository.host.starts_with("http") {
        return setup("invalid address: expected the http(s) clone URL of the repository");
    }
    let full = format!("/{}", repository.id);
    let Some((context, rest)) = full.rsplit_once("/scm/") else {
        return setup(format!(
            "invalid repository id \"{}\": supported is the HTTP clone URL with /scm/",
            repository.id
        ));
    };
    let Some((project, name)) = rest.split_once('/').filter(|(_, name)| !name.contains('/')) else {
        return setup(format!("invalid repository id \"{rest}\""));
    };
    let context = context.trim_matches('/');
    let context = if context.is_empty() { String::new() } else { format!("{context}/") };
    let address_of = |query: &str, status: &Status| {
        repository.url(&format!(
            "{context}rest/api/latest/projects/{project}/repos/{name}/commits/{}/builds{query}",
            status.commit
        ))
    };
    let probe = login(Call::new(Method::GET, repository.url("")?))?;
    drop(probe);
    let Some(status) = status(id, event, &SERVER_WORDS)? else { return Ok(Step::Done) };
    let key = sha1_hex(status.id.as_bytes());
    let title = format!("{} [{}]", status_name(event), status.description);
    let marked = |call: Call| {
        login(call.header("x-atlassian-token", "no-check").header("x-requested-with", "XMLHttpRequest"))
    };
    let list = marked(Call::new(Method::GET, address_of(&format!("?key={key}"), &status)?))?
        .context("could not list commit statuses: ");
    let write = marked(Call::new(Method::POST, address_of("", &status)?).json(&json!({
        "description": status.description,
        "key": key,
        "name": title,
        "state": status.state,
        "url": settings.address,
    })))?
    .context("could not create commit status: ");
    let said = move |known: &Value| {
        is(
            known,
            &[
                ("key", key.as_str()),
                ("state", status.state),
                ("description", &status.description),
                ("name", &title),
            ],
        )
    };
    Ok(unless_said(list, true, said, write))
}

fn is(known: &Value, pairs: &[(&str, &str)]) -> bool {
    pairs.iter().all(|(key, value)| known.get(*key).and_then(Value::as_str) == Some(value))
}

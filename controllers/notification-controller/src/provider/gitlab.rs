//! GitLab: commit statuses, notes on merge requests.

use http::Method;
use net::Secret;
use serde_json::{Value, json};
use url::Url;

use super::comment::{self, Comments};
use super::commit_status::{Words, required_id, status, unless_said};
use super::git_address::{Repository, segment};
use super::settings::Settings;
use super::step::{Again, Call, Error, Step};
use crate::event::Event;

const WORDS: Words =
    Words { pending: None, success: "success", failure: "failed", neither: "can't convert to gitlab state" };

fn login(settings: &Settings) -> Result<&Secret, Error> {
    settings.token_or_password().ok_or_else(|| Error::Setup("gitlab token cannot be empty".to_owned()))
}

fn call(method: Method, url: Url, token: &Secret) -> Result<Call, Error> {
    Call::new(method, url).again(Again::Quick).value("private-token", token.expose())
}

/// A commit status.
pub fn plan(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let token = login(settings)?;
    let id = required_id(&settings.status_id)?;
    let repository = Repository::parse(&settings.address)?;
    let project = segment(&repository.id);
    let Some(status) = status(id, event, &WORDS)? else { return Ok(Step::Done) };
    let list = repository.url(&format!(
        "api/v4/projects/{project}/repository/commits/{}/statuses?name={}",
        status.commit,
        segment(&status.id)
    ))?;
    let list = call(Method::GET, list, token)?.context("unable to list commit status: ");
    let write = repository.url(&format!("api/v4/projects/{project}/statuses/{}", status.commit))?;
    let write = call(Method::POST, write, token)?
        .json(&json!({ "state": status.state, "name": status.id, "description": status.description }))
        .context("unable to set commit status: ");
    let said = move |known: &Value| {
        known.as_array().into_iter().flatten().any(|entry| {
            [
                ("sha", status.commit.as_str()),
                ("name", &status.id),
                ("status", status.state),
                ("description", &status.description),
            ]
            .iter()
            .all(|(key, value)| entry.get(*key).and_then(Value::as_str) == Some(value))
        })
    };
    Ok(unless_said(list, false, said, write))
}

/// A note on a merge request.
pub fn comment(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let token = login(settings)?;
    let repository = Repository::parse(&settings.address)?;
    let notes = format!(
        "api/v4/projects/{}/merge_requests/{}/notes",
        segment(&repository.id),
        comment::number(event)?
    );
    let marker = comment::marker("flux-mr-comment-key", &settings.uid, event);
    let text = comment::body(&marker, event);
    let whoami = call(Method::GET, repository.url("api/v4/user")?, token)?
        .context("could not get the authenticated user: ");
    let owned = Secret::new(token.expose());
    let comments = Comments {
        list: call(
            Method::GET,
            repository.url(&format!("{notes}?order_by=created_at&per_page=100&sort=asc"))?,
            token,
        )?
        .context("could not list merge request notes: "),
        create: call(Method::POST, repository.url(&notes)?, token)?
            .json(&json!({ "body": text }))
            .context("could not create merge request note: "),
        update: Box::new(move |id| {
            Ok(call(Method::PUT, repository.url(&format!("{notes}/{id}"))?, &owned)?
                .json(&json!({ "body": text }))
                .context("could not update merge request note: "))
        }),
        author: "/author/username",
        marker,
    };
    Ok(whoami.then(move |reply| {
        let user = reply.document()?;
        Ok(comments.upsert(user.get("username").and_then(Value::as_str).unwrap_or_default()))
    }))
}

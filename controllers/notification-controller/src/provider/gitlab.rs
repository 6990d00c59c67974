//! GitLab: commit statuses, notes on merge requests.

use http::Method;
use net::Secret;
use serde_json::{Value, json};
use url::Url;

use super::comment::{self, Comments, Thread};
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
    let thread = Thread {
        list: repository.url(&format!("{notes}?order_by=created_at&per_page=100&sort=asc"))?,
        create: repository.url(&notes)?,
        one: repository.url(&notes)?.into(),
        edit: Method::PUT,
        author: "/author/username",
        key: "flux-mr-comment-key",
    };
    let token = token.clone();
    let comments =
        Comments::new(settings, event, thread).by(Box::new(move |method, url| call(method, url, &token)));
    comments.under_own_name(repository.url("api/v4/user")?, "username")
}

//! Gitea: commit statuses, comments on pull requests.

use http::Method;
use net::Secret;
use serde_json::{Value, json};
use url::Url;

use super::comment::{self, Comments};
use super::commit_status::{Words, newest_says, required_id, status, unless_said};
use super::git_address::Repository;
use super::settings::Settings;
use super::step::{Call, Error, Step, setup};
use crate::event::Event;

const WORDS: Words = Words {
    pending: Some("pending"),
    success: "success",
    failure: "failure",
    neither: "can't convert to gitea state",
};

struct Host {
    repository: Repository,
    path: String,
}

fn host(settings: &Settings) -> Result<(Host, &Secret), Error> {
    let Some(token) = settings.token_or_password() else { return setup("gitea token cannot be empty") };
    let repository = Repository::parse(&settings.address)?;
    let Some([owner, name]) = repository.parts::<2>() else {
        return setup(format!("invalid repository id \"{}\"", repository.id));
    };
    let path = format!("api/v1/repos/{owner}/{name}");
    Ok((Host { repository, path }, token))
}

impl Host {
    fn url(&self, path: &str) -> Result<Url, Error> {
        self.repository.url(&format!("{}/{path}", self.path))
    }
}

fn call(method: Method, url: Url, token: &Secret) -> Result<Call, Error> {
    Call::new(method, url).authorized("token", token)
}

/// A commit status.
pub fn plan(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let (host, token) = host(settings)?;
    let id = required_id(&settings.status_id)?;
    let Some(status) = status(id, event, &WORDS)? else { return Ok(Step::Done) };
    let list = host.url(&format!("commits/{}/statuses?limit=50&page=1", status.commit))?;
    let list = call(Method::GET, list, token)?.context("could not list commit statuses: ");
    let write = call(Method::POST, host.url(&format!("statuses/{}", status.commit))?, token)?
        .json(&json!({
            "state": status.state, "target_url": "", "description": status.description, "context": status.id,
        }))
        .context("could not create commit status: ");
    // The list names the state `status`.
    let said = move |known: &Value| {
        newest_says(
            known,
            ("context", &status.id),
            &[("status", status.state), ("description", &status.description)],
        )
    };
    Ok(unless_said(list, false, said, write))
}

/// A comment on a pull request.
pub fn comment(settings: &Settings, event: &Event) -> Result<Step, Error> {
    let (host, token) = host(settings)?;
    let number = comment::number(event)?;
    let marker = comment::marker("flux-pr-comment-key", &settings.uid, event);
    let text = comment::body(&marker, event);
    let whoami = call(Method::GET, host.repository.url("api/v1/user")?, token)?
        .context("could not get the authenticated user: ");
    let owned = Secret::new(token.expose());
    let comments = Comments {
        list: call(Method::GET, host.url(&format!("issues/{number}/comments?limit=100&page=1"))?, token)?
            .context("could not list pull request comments: "),
        create: call(Method::POST, host.url(&format!("issues/{number}/comments"))?, token)?
            .json(&json!({ "body": text }))
            .context("could not create pull request comment: "),
        update: Box::new(move |id| {
            Ok(call(Method::PATCH, host.url(&format!("issues/comments/{id}"))?, &owned)?
                .json(&json!({ "body": text }))
                .context("could not update pull request comment: "))
        }),
        author: "/user/login",
        marker,
    };
    Ok(whoami.then(move |reply| {
        let user = reply.document()?;
        Ok(comments.upsert(user.get("login").and_then(Value::as_str).unwrap_or_default()))
    }))
}

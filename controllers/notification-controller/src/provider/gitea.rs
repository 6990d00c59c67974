//! Gitea: commit statuses, comments on pull requests.

use http::Method;
use net::Secret;
use serde_json::{Value, json};
use url::Url;

use super::comment::{self, Comments, Thread};
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
    let thread = Thread {
        list: host.url(&format!("issues/{number}/comments?limit=100&page=1"))?,
        create: host.url(&format!("issues/{number}/comments"))?,
        one: host.url("issues/comments")?.into(),
        edit: Method::PATCH,
        author: "/user/login",
        key: "flux-pr-comment-key",
    };
    let token = token.clone();
    let comments =
        Comments::new(settings, event, thread).by(Box::new(move |method, url| call(method, url, &token)));
    comments.under_own_name(host.repository.url("api/v1/user")?, "login")
}

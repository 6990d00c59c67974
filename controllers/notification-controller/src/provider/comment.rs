//! Comments on change requests: one an object, edited as events come.

use http::Method;
use serde_json::{Value, json};
use url::Url;

use super::markup;
use super::settings::Settings;
use super::step::{Call, Error, Step, address, failed};
use crate::event::Event;
use crate::wording::markdown;

/// The number of the change request.
pub fn number(event: &Event) -> Result<u64, Error> {
    let Some(text) = event.metadata.get("change_request") else {
        return failed("missing \"change_request\" metadata key");
    };
    text.parse()
        .or_else(|_| failed(format!("invalid \"change_request\" metadata value '{text}': it is no number")))
}

/// Where the comments of a change request are on a host.
pub struct Thread {
    /// Lists them, oldest first.
    pub list: Url,
    /// Takes a new one.
    pub create: Url,
    /// What the id of one is appended to.
    pub one: String,
    /// How one is edited.
    pub edit: Method,
    /// Where one says who wrote it.
    pub author: &'static str,
    /// What the marker begins with.
    pub key: &'static str,
}

/// Makes requests with the credentials of a host.
pub type Caller = Box<dyn Fn(Method, Url) -> Result<Call, Error> + Send>;

/// A comment to be written.
pub struct Comments {
    thread: Thread,
    marker: String,
    text: String,
}

/// A comment to be written, with credentials.
pub struct Writer {
    comments: Comments,
    call: Caller,
}

impl Comments {
    /// The comment of an event.
    pub fn new(settings: &Settings, event: &Event, thread: Thread) -> Self {
        // What tells the comment of an object from others.
        let marker = format!("<!-- {}:{}/{} -->", thread.key, settings.uid, event.involved.id());
        let text = format!("{marker}\n\n{}", markdown(event, markup::comment, markup::comment_value));
        Self { thread, marker, text }
    }

    /// With credentials.
    pub fn by(self, call: Caller) -> Writer {
        Writer { comments: self, call }
    }
}

impl Writer {
    /// Asks the host who we are, a text of its reply, and goes on.
    pub fn under_own_name(self, whoami: Url, name: &'static str) -> Result<Step, Error> {
        let whoami = (self.call)(Method::GET, whoami)?.context("could not get the authenticated user: ");
        Ok(whoami.then(move |reply| {
            let user = reply.document()?;
            self.upsert(user.get(name).and_then(Value::as_str).unwrap_or_default())
        }))
    }

    /// Edits the comment that `identity` wrote about the object, or writes one.
    pub fn upsert(self, identity: &str) -> Result<Step, Error> {
        let Self { comments: Comments { thread, marker, text }, call } = self;
        let identity = identity.to_owned();
        let list = call(Method::GET, thread.list)?.context("could not list comments: ");
        Ok(list.then(move |reply| {
            let comments = reply.document()?;
            let ours = comments.as_array().into_iter().flatten().find(|comment| {
                comment.pointer(thread.author).and_then(Value::as_str) == Some(identity.as_str())
                    && comment.get("body").and_then(Value::as_str).is_some_and(|body| body.contains(&marker))
            });
            let write = match ours.and_then(|comment| comment.get("id")).and_then(Value::as_i64) {
                Some(id) => call(thread.edit, address(&format!("{}/{id}", thread.one))?)?
                    .context("could not update the comment: "),
                None => call(Method::POST, thread.create)?.context("could not create the comment: "),
            };
            Ok(write.json(&json!({ "body": text })).last())
        }))
    }
}

//! Comments on change requests: one an object, edited as events come.

use serde_json::Value;

use super::markup;
use super::step::{Call, Error, Step, failed};
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

/// What tells the comment of an object from others.
pub fn marker(prefix: &str, provider_uid: &str, event: &Event) -> String {
    format!("<!-- {prefix}:{provider_uid}/{} -->", event.involved.id())
}

/// The text of a comment.
pub fn body(marker: &str, event: &Event) -> String {
    format!("{marker}\n\n{}", markdown(event, markup::comment, markup::comment_value))
}

/// The calls that a host needs.
pub struct Comments {
    /// Lists the comments, oldest first.
    pub list: Call,
    /// Writes a new one.
    pub create: Call,
    /// Writes over one.
    pub update: Box<dyn FnOnce(i64) -> Result<Call, Error> + Send>,
    /// Where a comment says who wrote it.
    pub author: &'static str,
    /// See [`marker`].
    pub marker: String,
}

impl Comments {
    /// Edits the comment that `identity` wrote about the object, or writes one.
    pub fn upsert(self, identity: &str) -> Step {
        let Self { list, create, update, author, marker } = self;
        let identity = identity.to_owned();
        list.then(move |reply| {
            let comments = reply.document()?;
            let ours = comments.as_array().into_iter().flatten().find(|comment| {
                comment.pointer(author).and_then(Value::as_str) == Some(identity.as_str())
                    && comment.get("body").and_then(Value::as_str).is_some_and(|body| body.contains(&marker))
            });
            match ours.and_then(|comment| comment.get("id")).and_then(Value::as_i64) {
                Some(id) => Ok(update(id)?.last()),
                None => Ok(create.last()),
            }
        })
    }
}

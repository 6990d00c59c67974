//! CDEvents: the event is verified as CDEvents 0.4 describes it, with the rules of its Go SDK, which Flux uses; nothing is
//! signed.

use api::notification::ReceiverSpec;
use jiff::Timestamp;
use serde_json::{Map, Value};
use url::Url;

use super::cdevents_types::{Field, TYPES};
use super::hook::{Accepted, Hook, Refusal, refused, takes_event};

/// Verifies the body.
pub fn verify(spec: &ReceiverSpec, hook: &Hook) -> Result<Accepted, Refusal> {
    let document = hook.object("CDEvents")?;
    if let Err(why) = check(&document) {
        return refused(format!("unable to validate CDEvent event: {why}"));
    }
    takes_event(spec, "CDEvents", hook.header("ce-type"))?;
    Ok(Accepted::default())
}

/// What is wrong with an event.
fn check(document: &Value) -> Result<(), String> {
    let top = Object::of(document, "the event")?;
    let context = Object::of(top.get("context"), "context")?;
    let subject = Object::of(top.get("subject"), "subject")?;
    for key in ["version", "id", "source"] {
        context.filled(key)?;
    }
    context.reference("source")?;
    context.text("chainId")?;
    let time = context.text("timestamp")?;
    // Capital letters and an offset, as Go reads times.
    let is_time =
        time.as_bytes().get(10) == Some(&b'T') && !time.ends_with('z') && time.parse::<Timestamp>().is_ok();
    // Without one it is Go's zero time.
    if !context.get("timestamp").is_null() && !is_time {
        return Err("context.timestamp is no time".to_owned());
    }
    if !context.text("schemaUri")?.is_empty() {
        return Err("context.schemaUri names a schema that is not known here".to_owned());
    }
    links(context.get("links"))?;
    subject.filled("id")?;
    subject.reference("source")?;
    let content = Object::of(subject.get("content"), "subject.content")?;
    let (type_, about) = (context.text("type")?, subject.text("type")?);
    if let Some(own) = type_.strip_prefix("dev.cdeventsx.") {
        custom(own, about)?;
        content.fields.ok_or("subject.content is missing")?;
    } else {
        let Some((_, expected, fields)) = TYPES.iter().find(|(known, ..)| type_ == *known) else {
            return Err("context.type is not one of CDEvents 0.4".to_owned());
        };
        if about != *expected {
            return Err(format!("subject.type is not {expected}"));
        }
        content.check(fields)?;
    }
    top.text("customDataContentType")?;
    match top.get("customData") {
        Value::Null | Value::Object(_) | Value::String(_) => Ok(()),
        _ => Err("customData is neither an object nor text".to_owned()),
    }
}

/// `<tool>-<subject>.<predicate>.<version>`, about `<tool>-<subject>`.
fn custom(type_: &str, about: &str) -> Result<(), String> {
    let is = |text: &str, fits: fn(&u8) -> bool| !text.is_empty() && text.bytes().all(|byte| fits(&byte));
    let parts: Vec<&str> = type_.split('.').collect();
    let well_formed = match parts.as_slice() {
        [subject, predicate, version @ ..] => {
            subject.split_once('-').is_some_and(|(tool, subject)| {
                is(tool, u8::is_ascii_lowercase) && is(subject, u8::is_ascii_lowercase)
            }) && is(predicate, u8::is_ascii_lowercase)
                && version.len() == 3
                && version.iter().all(|number| number.len() == 1 && is(number, u8::is_ascii_digit))
        }
        _ => false,
    };
    if !well_formed {
        return Err(
            "context.type: a custom type has the form dev.cdeventsx.<tool>-<subject>.<predicate>.<version>"
                .to_owned(),
        );
    }
    let fits = about.split_once('-').is_some_and(|(tool, subject)| {
        is(tool, u8::is_ascii_alphanumeric) && is(subject, u8::is_ascii_alphabetic)
    });
    if fits { Ok(()) } else { Err("subject.type has not the form <tool>-<subject>".to_owned()) }
}

/// Links to other events, each of one of three kinds.
fn links(links: &Value) -> Result<(), String> {
    let list = match links {
        Value::Null => return Ok(()),
        Value::Array(list) => list,
        _ => return Err("context.links is no list".to_owned()),
    };
    for link in list {
        let link = Object::of(link, "context.links")?;
        let end = match link.text("linkType")? {
            "PATH" | "END" => "from",
            "RELATION" => {
                link.filled("linkKind")?;
                "target"
            }
            _ => return Err("context.links: the linkType is unknown".to_owned()),
        };
        Object::of(link.get(end), end)?.filled("contextId")?;
        if !link.get("tags").is_object() {
            return Err("context.links: tags are missing".to_owned());
        }
    }
    Ok(())
}

/// An object of the event. What is missing and what is null are the same, as they are to Go.
struct Object<'a> {
    fields: Option<&'a Map<String, Value>>,
    name: &'a str,
}

impl<'a> Object<'a> {
    fn of(value: &'a Value, name: &'a str) -> Result<Self, String> {
        match value {
            Value::Object(fields) => Ok(Self { fields: Some(fields), name }),
            Value::Null => Ok(Self { fields: None, name }),
            _ => Err(format!("{name} is no object")),
        }
    }

    fn get(&self, key: &str) -> &'a Value {
        self.fields.and_then(|fields| fields.get(key)).unwrap_or(&Value::Null)
    }

    fn text(&self, key: &str) -> Result<&'a str, String> {
        match self.get(key) {
            Value::Null => Ok(""),
            Value::String(text) => Ok(text),
            _ => Err(format!("{}.{key} is no text", self.name)),
        }
    }

    fn filled(&self, key: &str) -> Result<&'a str, String> {
        match self.text(key)? {
            "" => Err(format!("{}.{key} is missing", self.name)),
            text => Ok(text),
        }
    }

    fn reference(&self, key: &str) -> Result<(), String> {
        if is_uri_reference(self.text(key)?) {
            Ok(())
        } else {
            Err(format!("{}.{key} is no address", self.name))
        }
    }

    fn check(&self, fields: &[Field]) -> Result<(), String> {
        for field in fields {
            match field {
                Field::Text(key) => drop(self.text(key)?),
                Field::Filled(key) => drop(self.filled(key)?),
                Field::Package(key) => {
                    if !is_package(self.text(key)?) {
                        return Err(format!("{}.{key} is no package URL", self.name));
                    }
                }
                Field::OneOf(key, words) => {
                    let text = self.text(key)?;
                    if !text.is_empty() && !words.contains(&text) {
                        return Err(format!("{}.{key} is none of {}", self.name, words.join(", ")));
                    }
                }
                Field::List(key) => {
                    let fits = match self.get(key) {
                        Value::Null => true,
                        Value::Array(list) => list.iter().all(|item| item.is_string() || item.is_null()),
                        _ => false,
                    };
                    if !fits {
                        return Err(format!("{}.{key} is no list of texts", self.name));
                    }
                }
                Field::Object(key, fields) => match self.get(key) {
                    Value::Null => {}
                    value => Object::of(value, key)?.check(fields)?,
                },
                Field::Reference(key) => {
                    let value = self.get(key);
                    if !value.is_null() {
                        let target = Object::of(value, key)?;
                        target.filled("id")?;
                        target.reference("source")?;
                    }
                }
                Field::Required(key) => {
                    if matches!(self.get(key), Value::Null) || self.get(key).as_str() == Some("") {
                        return Err(format!("{}.{key} is missing", self.name));
                    }
                }
            }
        }
        Ok(())
    }
}

/// An address, or part of one, as Go reads it.
fn is_uri_reference(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_escaped = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%').all(|(at, _)| {
        bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    let before = text.split(['/', '?', '#']).next().unwrap_or_default();
    let is_scheme = |text: &str| {
        text.starts_with(|first: char| first.is_ascii_alphabetic())
            && text.chars().all(|next| next.is_ascii_alphanumeric() || matches!(next, '+' | '-' | '.'))
    };
    let colon_fits = before.split_once(':').is_none_or(|(scheme, _)| is_scheme(scheme));
    let host_fits = match text.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            host.is_empty() || Url::parse(&format!("http://{host}/")).is_ok()
        }
        _ => true,
    };
    is_escaped && colon_fits && host_fits && !text.bytes().any(|byte| byte.is_ascii_control())
}

/// `pkg:<type>/…/<name>`
fn is_package(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("pkg:") else { return false };
    let path = rest.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
    path.split_once('/').is_some_and(|(_, name)| {
        let name = name.rsplit('/').next().unwrap_or_default();
        !name.split('@').next().unwrap_or_default().is_empty()
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Cases {
        bases: Vec<Value>,
        cases: Vec<Case>,
    }

    /// A base, changed at a place: to a value, or without one.
    #[derive(Deserialize)]
    struct Case {
        base: usize,
        at: Option<String>,
        #[serde(default, deserialize_with = "given")]
        value: Option<Value>,
        valid: bool,
    }

    /// Null is a value too.
    fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
        Value::deserialize(deserializer).map(Some)
    }

    /// The verdicts in `cdevents.json` are those of the Go SDK 0.5.1, to whose functions `NewFromJsonBytes` and `Validate`
    /// the events were given one by one. The events are our own.
    #[test]
    fn events_are_judged_as_the_sdk_judges() {
        let all: Cases =
            serde_json::from_str(include_str!("../../tests/receivers/cdevents.json")).expect("cases");
        assert_eq!(all.bases.len(), TYPES.len() + 1, "each type and a custom one");
        let mut wrong = Vec::new();
        for case in &all.cases {
            let mut event = all.bases[case.base].clone();
            if let Some(at) = &case.at {
                let (parent, key) = at.rsplit_once('/').expect("a place");
                let parent = event.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
                match &case.value {
                    Some(value) => drop(parent.insert(key.to_owned(), value.clone())),
                    None => drop(parent.remove(key)),
                }
            }
            let verdict = check(&event);
            if verdict.is_ok() != case.valid {
                wrong.push(format!("{event} at {:?}: {verdict:?}", case.at));
            }
        }
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.cases.len(), wrong.join("\n"));
    }
}

//! CDEvents: the shape of the event is verified; nothing is signed.

use api::notification::ReceiverSpec;
use jiff::Timestamp;
use serde_json::Value;

use super::hook::{Accepted, Hook, Refusal, refused, takes_event};

/// Subjects with their predicates, as CDEvents 0.4 has them.
const KNOWN: &[(&str, &[&str])] = &[
    ("artifact", &["deleted", "downloaded", "packaged", "published", "signed"]),
    ("branch", &["created", "deleted"]),
    ("build", &["finished", "queued", "started"]),
    ("change", &["abandoned", "created", "merged", "reviewed", "updated"]),
    ("environment", &["created", "deleted", "modified"]),
    ("incident", &["detected", "reported", "resolved"]),
    ("pipelinerun", &["finished", "queued", "started"]),
    ("repository", &["created", "deleted", "modified"]),
    ("service", &["deployed", "published", "removed", "rolledback", "upgraded"]),
    ("taskrun", &["finished", "started"]),
    ("testcaserun", &["finished", "queued", "skipped", "started"]),
    ("testoutput", &["published"]),
    ("testsuiterun", &["finished", "queued", "started"]),
    ("ticket", &["closed", "created", "updated"]),
];
/// The major version of all of their types.
const MAJOR: &str = "0";

/// Verifies the body.
pub fn verify(spec: &ReceiverSpec, hook: &Hook) -> Result<Accepted, Refusal> {
    let invalid = |why: String| refused(format!("unable to validate CDEvent event: {why}"));
    let document = hook.object("CDEvents")?;
    let text = |path: &str| document.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty());
    for path in ["/context/version", "/context/id", "/context/source", "/context/type", "/subject/id"] {
        if text(path).is_none() {
            return invalid(format!("{} is missing", path.trim_start_matches('/').replace('/', ".")));
        }
    }
    if text("/context/timestamp").and_then(|time| time.parse::<Timestamp>().ok()).is_none() {
        return invalid("context.timestamp is no time".to_owned());
    }
    let type_ = text("/context/type").unwrap_or_default();
    if let Err(why) = is_known(type_) {
        return invalid(format!("context.type: {why}"));
    }
    takes_event(spec, "CDEvents", hook.header("ce-type"))?;
    Ok(Accepted::default())
}

/// `dev.cdevents.<subject>.<predicate>.<version>`, or a custom one, `dev.cdeventsx.<tool>-<subject>.<predicate>.<version>`.
fn is_known(type_: &str) -> Result<(), &'static str> {
    if let Some(rest) = type_.strip_prefix("dev.cdeventsx.") {
        let (subject, rest) = rest.split_once('.').ok_or("a custom type has a subject and a predicate")?;
        return if subject.contains('-') && rest.contains('.') {
            Ok(())
        } else {
            Err("a custom type has the form dev.cdeventsx.<tool>-<subject>.<predicate>.<version>")
        };
    }
    let rest = type_.strip_prefix("dev.cdevents.").ok_or("it does not begin with dev.cdevents.")?;
    let (subject, rest) = rest.split_once('.').ok_or("it has no predicate")?;
    let (predicate, version) = rest.split_once('.').ok_or("it has no version")?;
    let known = KNOWN.iter().any(|(known, predicates)| *known == subject && predicates.contains(&predicate));
    if !known {
        return Err("the subject or predicate is unknown");
    }
    if version.split('.').next() != Some(MAJOR) {
        return Err("the version is not compatible with CDEvents 0.4");
    }
    Ok(())
}

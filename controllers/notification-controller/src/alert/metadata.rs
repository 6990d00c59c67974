//! The metadata of an event on its way: what is kept, and what an Alert adds.

use std::collections::BTreeMap;

use api::meta::keys::EVENT_PREFIX;
use api::notification::Alert;

use crate::event::Event;

/// Metadata by key.
pub type Metadata = BTreeMap<String, String>;

/// Drops what does not belong to the object's controller or to a user, and the checksums.
pub fn clean(event: &mut Event) {
    let own = prefix(event);
    let dropped = [format!("{own}checksum"), format!("{own}digest")];
    event.metadata.retain(|key, _| {
        (key.starts_with(EVENT_PREFIX) || key.starts_with(&own))
            && !dropped.iter().any(|dropped| dropped.eq_ignore_ascii_case(key))
    });
}

/// The prefix of the keys of the object's controller.
pub fn prefix(event: &Event) -> String {
    format!("{}/", event.involved.group())
}

/// The value of a key of the object's controller.
pub fn own<'a>(event: &'a Event, key: &str) -> Option<&'a str> {
    event.metadata.get(&format!("{}{key}", prefix(event))).map(String::as_str)
}

/// The value of a key of a user, if it is not empty.
pub fn given<'a>(event: &'a Event, key: &str) -> Option<&'a str> {
    event.metadata.get(&format!("{EVENT_PREFIX}{key}")).map(String::as_str).filter(|value| !value.is_empty())
}

/// Keys that several sources define, each with their names.
pub type Conflicts = BTreeMap<String, Vec<&'static str>>;

/// What is sent to the provider of an Alert: annotations of the object, what the Alert adds, what the controller says;
/// later ones win.
pub fn merge(event: &Event, alert: &Alert) -> (Metadata, Conflicts) {
    let with_prefix = |prefix: &str| -> Vec<(String, String)> {
        let stripped =
            |(key, value): (&String, &String)| Some((key.strip_prefix(prefix)?.to_owned(), value.clone()));
        event.metadata.iter().filter_map(stripped).collect()
    };
    let summary = alert.spec.summary.iter().filter(|summary| !summary.is_empty());
    let sources: [(&'static str, Vec<(String, String)>); 4] = [
        ("involved object annotations", with_prefix(EVENT_PREFIX)),
        (
            "Alert object .spec.eventMetadata",
            alert.spec.event_metadata.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        ),
        (
            "Alert object .spec.summary",
            summary.map(|summary| ("summary".to_owned(), summary.clone())).collect(),
        ),
        ("involved object controller metadata", with_prefix(&prefix(event))),
    ];
    let mut merged = Metadata::new();
    let mut definers: Conflicts = BTreeMap::new();
    for (source, pairs) in sources {
        for (key, value) in pairs {
            definers.entry(key.clone()).or_default().push(source);
            merged.insert(key, value);
        }
    }
    definers.retain(|_, sources| sources.len() > 1);
    (merged, definers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(pairs: &[(&str, &str)]) -> Event {
        let mut event = Event::default();
        event.involved.api_version = "kustomize.toolkit.fluxcd.io/v1".to_owned();
        event.metadata = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        event
    }

    fn alert(spec: &str) -> Alert {
        serde_json::from_str(&format!(
            r#"{{"metadata":{{"name":"a"}},"spec":{{"providerRef":{{"name":"p"}},"eventSources":[],{spec}}}}}"#
        ))
        .expect("an alert")
    }

    #[test]
    fn foreign_keys_and_checksums_go() {
        let mut event = event(&[
            ("kustomize.toolkit.fluxcd.io/revision", "r"),
            ("kustomize.toolkit.fluxcd.io/Checksum", "c"),
            ("kustomize.toolkit.fluxcd.io/digest", "d"),
            ("event.toolkit.fluxcd.io/env", "e"),
            ("helm.toolkit.fluxcd.io/x", "x"),
            ("plain", "x"),
        ]);
        clean(&mut event);
        let keys: Vec<&str> = event.metadata.keys().map(String::as_str).collect();
        assert_eq!(keys, ["event.toolkit.fluxcd.io/env", "kustomize.toolkit.fluxcd.io/revision"]);
        assert_eq!((own(&event, "revision"), given(&event, "env")), (Some("r"), Some("e")));
    }

    #[test]
    fn later_sources_win_and_conflicts_are_told() {
        let event = event(&[
            ("event.toolkit.fluxcd.io/env", "dev"),
            ("kustomize.toolkit.fluxcd.io/revision", "controller"),
        ]);
        let alert = alert(
            r#""summary":"from spec","eventMetadata":{"env":"prod","revision":"alert","summary":"from metadata","own":"1"}"#,
        );
        let (merged, conflicts) = merge(&event, &alert);
        let value = |key: &str| merged.get(key).map(String::as_str);
        assert_eq!(value("env"), Some("prod"));
        assert_eq!(value("revision"), Some("controller"));
        assert_eq!(value("summary"), Some("from spec"));
        assert_eq!(value("own"), Some("1"));
        assert_eq!(
            conflicts.get("env").map(|sources| sources.join(", ")).as_deref(),
            Some("involved object annotations, Alert object .spec.eventMetadata")
        );
        assert_eq!(conflicts.keys().map(String::as_str).collect::<Vec<_>>(), ["env", "revision", "summary"]);
    }
}

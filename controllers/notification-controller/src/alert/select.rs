//! Which Alerts an event is for.

use std::collections::BTreeMap;

use api::notification::{Alert, EventSeverity, EventSource};
use kube::ResourceExt as _;

use super::pattern::Patterns;
use crate::event::{ERROR, Event};

/// What is wrong with an Alert, found on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// The reason of the Kubernetes Event.
    pub reason: &'static str,
    /// Its message.
    pub message: String,
}

/// The labels of the event's object, as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Labels {
    /// Not looked at.
    Unread,
    /// These.
    Known(BTreeMap<String, String>),
    /// The object is not there, or cannot be read.
    Unreadable,
}

/// Whether the decision needs the labels of the object.
pub fn needs_labels(alert: &Alert, event: &Event) -> bool {
    !alert.spec.suspend
        && alert
            .spec
            .event_sources
            .iter()
            .any(|source| !source.match_labels.is_empty() && matches_without_labels(alert, source, event))
}

/// Whether the event is for the Alert, and what is wrong with the Alert.
pub fn selects(alert: &Alert, event: &Event, labels: &Labels, patterns: &Patterns) -> (bool, Vec<Complaint>) {
    let mut complaints = Vec::new();
    if alert.spec.suspend {
        return (false, complaints);
    }
    let matched = alert.spec.event_sources.iter().any(|source| {
        if !matches_without_labels(alert, source, event) {
            return false;
        }
        match labels {
            _ if source.match_labels.is_empty() => true,
            Labels::Known(labels) => {
                source.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            }
            Labels::Unread | Labels::Unreadable => {
                complaints.push(Complaint {
                    reason: "SourceFetchFailed",
                    message: format!("error getting source object {}", event.involved.id()),
                });
                false
            }
        }
    });
    if !matched {
        return (false, complaints);
    }
    let mut any = |list: &[String], what: &str| {
        list.iter().any(|text| match patterns.get(text) {
            Some(regex) => regex.is_match(&event.message),
            None => {
                complaints.push(Complaint {
                    reason: "InvalidConfig",
                    message: format!("failed to compile {what} regex: {text}"),
                });
                false
            }
        })
    };
    let spec = &alert.spec;
    let included = spec.inclusion_list.is_empty() || any(&spec.inclusion_list, "inclusion");
    let selected = included && !any(&spec.exclusion_list, "exclusion");
    (selected, complaints)
}

fn matches_without_labels(alert: &Alert, source: &EventSource, event: &Event) -> bool {
    let object = &event.involved;
    let own = alert.namespace().unwrap_or_default();
    let severity = match alert.spec.event_severity {
        Some(EventSeverity::Info) => true,
        Some(EventSeverity::Error) => event.severity == ERROR,
        None => false,
    };
    source.namespace.as_deref().unwrap_or(&own) == object.namespace
        && source.kind.as_str() == object.kind
        && severity
        && (source.name == "*" || source.name == object.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(spec: &str) -> Alert {
        serde_json::from_str(&format!(
            r#"{{"metadata":{{"name":"al","namespace":"a"}},"spec":{{"providerRef":{{"name":"p"}},"eventSeverity":"info",{spec}}}}}"#
        ))
        .expect("an alert")
    }

    fn event(name: &str, namespace: &str, severity: &str, message: &str) -> Event {
        let mut event =
            Event { severity: severity.to_owned(), message: message.to_owned(), ..Event::default() };
        event.involved.kind = "Kustomization".to_owned();
        event.involved.name = name.to_owned();
        event.involved.namespace = namespace.to_owned();
        event
    }

    const ALL: &str = r#""eventSources":[{"kind":"Kustomization","name":"*"}]"#;

    fn selected(spec: &str, event: &Event) -> bool {
        selects(&alert(spec), event, &Labels::Unread, &Patterns::default()).0
    }

    #[test]
    fn sources_match_by_kind_namespace_name_and_severity() {
        let apps = r#""eventSources":[{"kind":"Kustomization","name":"apps"}]"#;
        assert!(selected(apps, &event("apps", "a", "info", "")));
        assert!(!selected(apps, &event("apps2", "a", "info", "")));
        assert!(!selected(ALL, &event("apps", "b", "info", "")));
        let mut small = event("apps", "a", "info", "");
        small.involved.kind = "kustomization".to_owned();
        assert!(!selected(ALL, &small));
        let star = r#""eventSources":[{"kind":"Kustomization","name":"*","namespace":"*"}]"#;
        assert!(!selected(star, &event("apps", "a", "info", "")));
        assert!(!selected(r#""eventSources":[]"#, &event("apps", "a", "info", "")));
        assert!(!selected(&format!(r#"{ALL},"suspend":true"#), &event("apps", "a", "info", "")));
        for (severity, on_info, on_error) in
            [("trace", true, false), ("info", true, false), ("error", true, true)]
        {
            let event = event("apps", "a", severity, "");
            assert_eq!(selected(ALL, &event), on_info);
            let mut strict = alert(ALL);
            strict.spec.event_severity = Some(EventSeverity::Error);
            assert_eq!(selects(&strict, &event, &Labels::Unread, &Patterns::default()).0, on_error);
        }
        let mut bypassed = alert(ALL);
        bypassed.spec.event_severity = None;
        assert!(
            !selects(&bypassed, &event("apps", "a", "error", ""), &Labels::Unread, &Patterns::default()).0
        );
    }

    #[test]
    fn labels_have_to_be_equal() {
        let labelled = alert(
            r#""eventSources":[{"kind":"Kustomization","name":"apps","matchLabels":{"a":"1","b":"2"}}]"#,
        );
        let event = event("apps", "a", "info", "");
        let decide = |labels: &Labels| selects(&labelled, &event, labels, &Patterns::default());
        assert!(needs_labels(&labelled, &event));
        let known = |pairs: &[(&str, &str)]| {
            Labels::Known(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
        };
        assert!(decide(&known(&[("a", "1"), ("b", "2"), ("c", "3")])).0);
        assert!(!decide(&known(&[("a", "1")])).0);
        let (selected, complaints) = decide(&Labels::Unreadable);
        assert!(!selected);
        assert_eq!(complaints[0].reason, "SourceFetchFailed");
        assert_eq!(complaints[0].message, "error getting source object Kustomization/a/apps");
    }

    #[test]
    fn messages_are_included_and_excluded() {
        let spec = format!(r#"{ALL},"inclusionList":["succeeded$"],"exclusionList":["test"]"#);
        for (message, expected) in [("x succeeded", true), ("test x succeeded", false), ("failed", false)] {
            assert_eq!(selected(&spec, &event("apps", "a", "info", message)), expected, "{message}");
        }
        let event = event("apps", "a", "info", "m");
        let decide = |list: &str| {
            selects(
                &alert(&format!(r#"{ALL},"{list}":["("]"#)),
                &event,
                &Labels::Unread,
                &Patterns::default(),
            )
        };
        let (selected, complaints) = decide("inclusionList");
        assert!(!selected);
        assert_eq!(complaints[0].message, "failed to compile inclusion regex: (");
        let (selected, complaints) = decide("exclusionList");
        assert!(selected);
        assert_eq!((complaints[0].reason, complaints.len()), ("InvalidConfig", 1));
    }
}

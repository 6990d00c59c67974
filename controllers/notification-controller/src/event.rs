//! Events on the wire: read as leniently as Go reads them, written as Go writes them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

/// Something that happened to an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    /// The object.
    pub involved: Involved,
    /// `info`, `error` or `trace`; not checked.
    pub severity: String,
    /// When it happened, in whole seconds.
    pub timestamp: Option<Timestamp>,
    /// What happened, for people.
    pub message: String,
    /// What happened, for programs.
    pub reason: String,
    /// Further facts.
    pub metadata: BTreeMap<String, String>,
    /// Who says so.
    pub controller: String,
    /// The host of who says so.
    pub instance: String,
}

/// The object of an event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Involved {
    /// Kind.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
    /// Group and version.
    pub api_version: String,
    /// Version of the object at that time.
    pub resource_version: String,
    /// Part of the object.
    pub field_path: String,
}

/// Why a document is not an event: which field has which type.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Malformed {
    /// Not JSON at all.
    #[error("the body is not JSON")]
    Json,
    /// A field of another type.
    #[error("{0} has the wrong type")]
    Type(&'static str),
}

/// Severity of a failure.
pub const ERROR: &str = "error";
/// Severity of a success.
pub const INFO: &str = "info";

impl Involved {
    /// The group of the API version; empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// `Kind/namespace/name`.
    pub fn id(&self) -> String {
        format!("{}/{}/{}", self.kind, self.namespace, self.name)
    }

    /// The object for the log, as JSON.
    pub fn logged(&self) -> Vec<u8> {
        self.json().to_string().into_bytes()
    }

    fn json(&self) -> Value {
        let mut map = Map::new();
        for (key, value) in [
            ("kind", &self.kind),
            ("namespace", &self.namespace),
            ("name", &self.name),
            ("uid", &self.uid),
            ("apiVersion", &self.api_version),
            ("resourceVersion", &self.resource_version),
            ("fieldPath", &self.field_path),
        ] {
            if !value.is_empty() {
                map.insert(key.to_owned(), Value::from(value.as_str()));
            }
        }
        Value::Object(map)
    }
}

impl Event {
    /// Reads an event. Keys match without regard to case, unknown ones are ignored, missing ones are empty.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let document: Value =
            serde_json::from_str(&String::from_utf8_lossy(body)).map_err(|_| Malformed::Json)?;
        let fields = Fields::of(&document, "the event")?;
        let involved = Fields::of(fields.get("involvedObject"), "involvedObject")?;
        let object = |key| involved.text(key, "involvedObject");
        let mut metadata = BTreeMap::new();
        match fields.get("metadata") {
            Value::Null => {}
            Value::Object(map) => {
                for (key, value) in map {
                    let text = match value {
                        Value::String(text) => text.clone(),
                        Value::Null => String::new(),
                        _ => return Err(Malformed::Type("a value of metadata")),
                    };
                    metadata.insert(key.clone(), text);
                }
            }
            _ => return Err(Malformed::Type("metadata")),
        }
        let timestamp = match fields.get("timestamp") {
            Value::Null => None,
            Value::String(text) => Some(text.parse().map_err(|_| Malformed::Type("timestamp"))?),
            _ => return Err(Malformed::Type("timestamp")),
        };
        Ok(Self {
            involved: Involved {
                kind: object("kind")?,
                namespace: object("namespace")?,
                name: object("name")?,
                uid: object("uid")?,
                api_version: object("apiVersion")?,
                resource_version: object("resourceVersion")?,
                field_path: object("fieldPath")?,
            },
            severity: fields.text("severity", "severity")?,
            timestamp,
            message: fields.text("message", "message")?,
            reason: fields.text("reason", "reason")?,
            metadata,
            controller: fields.text("reportingController", "reportingController")?,
            instance: fields.text("reportingInstance", "reportingInstance")?,
        })
    }

    /// The event as a JSON document, keys in Flux's order.
    pub fn json(&self) -> Value {
        let mut map = Map::new();
        map.insert("involvedObject".to_owned(), self.involved.json());
        map.insert("severity".to_owned(), Value::from(self.severity.as_str()));
        map.insert("timestamp".to_owned(), self.rfc3339().map_or(Value::Null, Value::from));
        map.insert("message".to_owned(), Value::from(self.message.as_str()));
        map.insert("reason".to_owned(), Value::from(self.reason.as_str()));
        if !self.metadata.is_empty() {
            let metadata =
                self.metadata.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str())));
            map.insert("metadata".to_owned(), Value::Object(metadata.collect()));
        }
        map.insert("reportingController".to_owned(), Value::from(self.controller.as_str()));
        if !self.instance.is_empty() {
            map.insert("reportingInstance".to_owned(), Value::from(self.instance.as_str()));
        }
        Value::Object(map)
    }

    /// The time as RFC 3339 in whole seconds.
    pub fn rfc3339(&self) -> Option<String> {
        self.timestamp.map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
    }

    /// The time as Go prints an absent one: the zero time.
    pub fn rfc3339_or_zero(&self) -> String {
        self.rfc3339().unwrap_or_else(|| ZERO_TIME.to_owned())
    }

    /// The time in seconds since 1970; without one, the zero time of Go.
    pub fn unix(&self) -> i64 {
        self.timestamp.map_or(-62_135_596_800, |time| time.as_second())
    }

    /// About how many bytes its texts have.
    pub fn size(&self) -> usize {
        let metadata: usize = self.metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
        self.message.len() + self.reason.len() + metadata
    }

    /// Whether the event tells of a failure.
    pub fn is_error(&self) -> bool {
        self.severity == ERROR
    }
}

/// Go's zero time.
pub const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// The fields of an object, found without regard to case; an exact match wins.
struct Fields<'a>(Option<&'a Map<String, Value>>);

impl<'a> Fields<'a> {
    fn of(value: &'a Value, what: &'static str) -> Result<Self, Malformed> {
        match value {
            Value::Object(map) => Ok(Self(Some(map))),
            Value::Null => Ok(Self(None)),
            _ => Err(Malformed::Type(what)),
        }
    }

    fn get(&self, key: &str) -> &'a Value {
        let Some(map) = self.0 else { return &Value::Null };
        map.get(key)
            .or_else(|| map.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value))
            .unwrap_or(&Value::Null)
    }

    fn text(&self, key: &str, what: &'static str) -> Result<String, Malformed> {
        match self.get(key) {
            Value::Null => Ok(String::new()),
            Value::String(text) => Ok(text.clone()),
            _ => Err(Malformed::Type(what)),
        }
    }
}

/// Compact JSON as Go writes it: what could end a script or a line stands as an escape.
pub fn encode(value: &Value) -> Vec<u8> {
    let text = value.to_string();
    if !text.contains(['<', '>', '&', '\u{2028}', '\u{2029}']) {
        return text.into_bytes();
    }
    let mut out = String::with_capacity(text.len() + 32);
    for character in text.chars() {
        // In JSON these stand only within strings.
        match character {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            other => out.push(other),
        }
    }
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"involvedObject":{"kind":"Kustomization","namespace":"a","name":"apps","uid":"1","apiVersion":"kustomize.toolkit.fluxcd.io/v1","resourceVersion":"7","fieldPath":"x"},"severity":"info","timestamp":"2026-11-21T10:00:00Z","message":"m","reason":"R","metadata":{"a":"1","b":"2"},"reportingController":"kustomize-controller","reportingInstance":"pod"}"#;

    #[test]
    fn an_event_is_written_as_it_was_read() {
        let event = Event::parse(WHOLE.as_bytes()).expect("an event");
        assert_eq!(String::from_utf8(encode(&event.json())).expect("text"), WHOLE);
        assert_eq!(event.involved.group(), "kustomize.toolkit.fluxcd.io");
        assert_eq!(event.unix(), 1_795_255_200);
    }

    #[test]
    fn reading_is_lenient_where_go_is() {
        let event = Event::parse(br#"{"INVOLVEDOBJECT":{"Kind":"A"},"Message":"x","unknown":[1],"timestamp":null,"metadata":null}"#)
            .expect("an event");
        assert_eq!((event.involved.kind.as_str(), event.message.as_str()), ("A", "x"));
        assert_eq!(
            String::from_utf8(encode(&event.json())).expect("text"),
            r#"{"involvedObject":{"kind":"A"},"severity":"","timestamp":null,"message":"x","reason":"","reportingController":""}"#
        );
        for wrong in [
            "",
            "[]",
            "5",
            "{}x",
            r#"{"metadata":{"a":5}}"#,
            r#"{"message":5}"#,
            r#"{"involvedObject":[]}"#,
            r#"{"timestamp":"yesterday"}"#,
        ] {
            assert!(Event::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn writing_escapes_what_go_escapes() {
        let event = Event { message: "<a> & \u{2028}\"ä\n".to_owned(), ..Event::default() };
        let text = String::from_utf8(encode(&event.json())).expect("text");
        assert!(text.contains(r#""message":"\u003ca\u003e \u0026 \u2028\"ä\n""#), "{text}");
    }

    proptest::proptest! {
        #[test]
        fn no_body_panics(body: Vec<u8>) {
            let _ = Event::parse(&body);
        }

        #[test]
        fn any_event_survives_the_wire(message: String, name: String, key: String, value: String) {
            let mut event = Event { message, ..Event::default() };
            event.involved.name = name;
            event.metadata.insert(key, value);
            proptest::prop_assert_eq!(Event::parse(&encode(&event.json())).expect("an event"), event);
        }
    }
}

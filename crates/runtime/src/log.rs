//! The log: one JSON object a line on stderr, in the form that `flux logs` and the dashboards read.
//!
//! Keys of the current span come before those of the event. A reconcile's span is made by [`reconcile_span`].

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::str::FromStr;

use jiff::{Timestamp, tz::TimeZone};
use tracing::field::{Field, Visit};
use tracing::{Event, Span, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

/// Longest line in bytes: `flux logs` stops at a line of 64 KiB.
const LINE_LIMIT: usize = 60 * 1024;
/// Longest value of one key.
const VALUE_LIMIT: usize = 48 * 1024;

/// Least severe level that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Errors only.
    Error,
    /// What changed, and errors.
    Info,
    /// And what was looked at.
    Debug,
    /// And everything the libraries say.
    Trace,
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "error" => Ok(Self::Error),
            "info" => Ok(Self::Info),
            "debug" => Ok(Self::Debug),
            "trace" => Ok(Self::Trace),
            _ => Err("expected trace, debug, info or error".to_owned()),
        }
    }
}

/// Form of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// One JSON object a line.
    Json,
    /// For people: time, level, message, keys.
    Console,
}

impl FromStr for Encoding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "json" => Ok(Self::Json),
            "console" => Ok(Self::Console),
            _ => Err("expected json or console".to_owned()),
        }
    }
}

/// Starts logging for the process. A second call has no effect.
pub fn init(level: Level, encoding: Encoding) {
    let layer = Lines { level, encoding };
    // Fails only when a subscriber is set already, as in tests.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer));
}

/// The span of one run of one object. Lines within it carry the object's keys.
#[must_use]
pub fn reconcile_span(controller: &str, group: &str, kind: &str, key: &crate::Key, run: &str) -> Span {
    tracing::error_span!(
        "reconcile",
        controller,
        controllerGroup = group,
        controllerKind = kind,
        namespace = key.namespace(),
        name = key.name(),
        reconcileID = run
    )
}

/// A random identifier of a run, in the form of a UUID.
#[must_use]
pub fn run_id() -> String {
    let bits: u128 = rand::random();
    let bits =
        (bits & !(0xf000_u128 << 64) & !(0xc000_u128 << 48)) | (0x4000_u128 << 64) | (0x8000_u128 << 48);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        (bits >> 96) as u32,
        (bits >> 80) as u16,
        (bits >> 64) as u16,
        (bits >> 48) as u16,
        bits & 0xffff_ffff_ffff
    )
}

struct Lines {
    level: Level,
    encoding: Encoding,
}

/// The keys of a span, written once when it is entered into the tree.
struct Keys(String);

/// Libraries that report on their own work; the controllers report failures with their context themselves.
const LIBRARIES: [&str; 12] =
    ["kube", "hyper", "h2", "tower", "rustls", "reqwest", "gix", "russh", "mio", "tokio", "want", "axum"];

impl Lines {
    fn wants(&self, metadata: &tracing::Metadata<'_>) -> bool {
        if self.level == Level::Trace {
            return true;
        }
        let limit = match self.level {
            Level::Error => tracing::Level::ERROR,
            Level::Info => tracing::Level::INFO,
            Level::Debug | Level::Trace => tracing::Level::DEBUG,
        };
        *metadata.level() <= limit && !LIBRARIES.iter().any(|library| metadata.target().starts_with(library))
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn register_callsite(
        &self,
        metadata: &'static tracing::Metadata<'static>,
    ) -> tracing::subscriber::Interest {
        if self.wants(metadata) {
            tracing::subscriber::Interest::always()
        } else {
            tracing::subscriber::Interest::never()
        }
    }

    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn on_new_span(
        &self,
        attributes: &tracing::span::Attributes<'_>,
        id: &tracing::span::Id,
        context: Context<'_, S>,
    ) {
        let Some(span) = context.span(id) else { return };
        let mut keys = Collector::new(self.encoding);
        attributes.record(&mut keys);
        keys.add_object();
        span.extensions_mut().insert(Keys(keys.text));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut collected = Collector::new(self.encoding);
        if let Some(scope) = context.event_scope(event) {
            for span in scope.from_root() {
                if let Some(Keys(keys)) = span.extensions().get::<Keys>() {
                    collected.text.push_str(keys);
                }
            }
        }
        event.record(&mut collected);
        let line = line(self.encoding, *event.metadata().level(), &zoned_now(), &collected);
        // A log that cannot be written has nowhere to complain.
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }
}

fn zoned_now() -> String {
    let zone = TimeZone::system();
    let now = Timestamp::now().to_zoned(zone);
    let time = now.strftime("%Y-%m-%dT%H:%M:%S.%3f");
    if now.offset().is_zero() { format!("{time}Z") } else { format!("{time}{}", now.strftime("%z")) }
}

fn line(encoding: Encoding, level: tracing::Level, time: &str, collected: &Collector) -> String {
    let level = match level {
        tracing::Level::ERROR => "error",
        tracing::Level::WARN | tracing::Level::INFO => "info",
        tracing::Level::DEBUG => "debug",
        tracing::Level::TRACE => "trace",
    };
    let mut line = String::with_capacity(160 + collected.text.len() + collected.message.len());
    match encoding {
        Encoding::Json => {
            let _ = write!(line, r#"{{"level":"{level}","ts":"{time}","msg":"#);
            json_string(&mut line, &collected.message);
            // Too much detail is left out rather than cut in the middle of a key.
            if line.len() + collected.text.len() < LINE_LIMIT {
                line.push_str(&collected.text);
            }
            line.push_str("}\n");
        }
        Encoding::Console => {
            let _ =
                writeln!(line, "{time}\t{}\t{}{}", level.to_uppercase(), collected.message, collected.text);
        }
    }
    line
}

struct Collector {
    encoding: Encoding,
    message: String,
    text: String,
    kind: String,
    namespace: String,
    name: String,
}

impl Collector {
    fn new(encoding: Encoding) -> Self {
        let empty = String::new;
        Self { encoding, message: empty(), text: empty(), kind: empty(), namespace: empty(), name: empty() }
    }

    fn key(&mut self, key: &str) {
        match self.encoding {
            Encoding::Json => {
                self.text.push(',');
                json_string(&mut self.text, key);
                self.text.push(':');
            }
            Encoding::Console => {
                let _ = write!(self.text, "\t{key}=");
            }
        }
    }

    fn text(&mut self, key: &str, value: &str) {
        let value = value.get(..value.floor_char_boundary(VALUE_LIMIT)).unwrap_or(value);
        match key {
            "message" => {
                self.message = value.to_owned();
                return;
            }
            "controllerKind" => value.clone_into(&mut self.kind),
            "namespace" => value.clone_into(&mut self.namespace),
            "name" => value.clone_into(&mut self.name),
            _ => {}
        }
        self.key(key);
        match self.encoding {
            Encoding::Json => json_string(&mut self.text, value),
            Encoding::Console => {
                let _ = write!(self.text, "{value:?}");
            }
        }
    }

    fn raw(&mut self, key: &str, value: impl fmt::Display) {
        self.key(key);
        let _ = write!(self.text, "{value}");
    }

    /// The key named after the kind that Flux's lines carry next to `namespace` and `name`.
    fn add_object(&mut self) {
        if self.kind.is_empty() || self.encoding == Encoding::Console {
            return;
        }
        self.text.push(',');
        json_string(&mut self.text, &self.kind);
        self.text.push_str(r#":{"name":"#);
        json_string(&mut self.text, &self.name);
        self.text.push_str(r#","namespace":"#);
        json_string(&mut self.text, &self.namespace);
        self.text.push('}');
    }
}

impl Visit for Collector {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field.name(), &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.raw(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.raw(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.raw(field.name(), value);
    }

    /// Bytes are a JSON document of the caller's, for values that are objects or lists.
    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        self.raw(field.name(), String::from_utf8_lossy(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.text(field.name(), &value.to_string());
    }
}

fn json_string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(encoding: Encoding) -> Collector {
        let mut keys = Collector::new(encoding);
        keys.text("controllerKind", "GitRepository");
        keys.text("namespace", "apps");
        keys.text("name", "shop");
        keys.add_object();
        keys.text("message", "stored \"it\"\n");
        keys.text("error", "no\u{1}route");
        keys.raw("attempt", 3);
        keys
    }

    #[test]
    fn a_line_is_json_with_the_keys_of_flux() {
        let line = line(
            Encoding::Json,
            tracing::Level::ERROR,
            "2026-11-21T10:00:00.123Z",
            &collected(Encoding::Json),
        );
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["level"], "error");
        assert_eq!(value["ts"], "2026-11-21T10:00:00.123Z");
        assert_eq!(value["msg"], "stored \"it\"\n");
        assert_eq!(value["error"], "no\u{1}route");
        assert_eq!(value["controllerKind"], "GitRepository");
        assert_eq!(value["GitRepository"]["name"], "shop");
        assert_eq!(value["namespace"], "apps");
        assert_eq!(value["attempt"], 3);
        assert!(line.ends_with("}\n") && line.matches('\n').count() == 1);
    }

    #[test]
    fn a_long_line_stays_readable_for_the_cli() {
        let mut keys = Collector::new(Encoding::Json);
        keys.text("message", &"ä".repeat(40_000));
        keys.text("error", &"x".repeat(100_000));
        let line = line(Encoding::Json, tracing::Level::INFO, "t", &keys);
        assert!(line.len() < 64 * 1024);
        serde_json::from_str::<serde_json::Value>(&line).unwrap();
    }

    #[test]
    fn the_console_form_is_for_people() {
        let line = line(Encoding::Console, tracing::Level::WARN, "t", &collected(Encoding::Console));
        assert!(line.starts_with("t\tINFO\tstored"), "{line}");
        assert!(line.contains("\tname=\"shop\""), "{line}");
    }

    #[test]
    fn run_ids_are_uuids_of_version_four() {
        let id = run_id();
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'4');
        assert!(matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
        assert_ne!(id, run_id());
    }
}

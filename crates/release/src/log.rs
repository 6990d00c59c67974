//! What an action did, in its last few lines.

use std::collections::VecDeque;
use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value};

/// How many lines are kept.
const KEPT: usize = 10;

/// The last lines of an action's log. A line that repeats the one before it is counted.
#[derive(Debug, Clone, Default)]
pub struct Log {
    lines: VecDeque<Line>,
}

#[derive(Debug, Clone)]
struct Line {
    first: Timestamp,
    last: Timestamp,
    text: String,
    repeats: u64,
}

impl Log {
    /// Whether nothing was logged.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// A step, with what it is about: pairs of name and value.
    pub(crate) fn debug(&mut self, message: &str, about: &[(&str, Value)]) {
        self.add(message, about, Timestamp::now());
    }

    /// Something that a user should know.
    pub(crate) fn warn(&mut self, message: &str, about: &[(&str, Value)]) {
        self.add(&format!("warning: {message}"), about, Timestamp::now());
    }

    fn add(&mut self, message: &str, about: &[(&str, Value)], now: Timestamp) {
        let mut pairs: Vec<_> = about.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        let text = format!("{message}: {}", Value::Object(Map::from_iter(pairs)));
        tracing::debug!("{text}");
        if let Some(line) = self.lines.back_mut()
            && line.text == text
        {
            line.last = now;
            line.repeats += 1;
            return;
        }
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(Line { first: now, last: now, text, repeats: 0 });
    }
}

impl fmt::Display for Log {
    /// One line each, without a newline at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, line) in self.lines.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{}: {}", line.first, line.text)?;
            if line.repeats > 0 {
                write!(f, "\n{}: {}", line.last, line.text)?;
            }
            match line.repeats.saturating_sub(1) {
                0 => {}
                1 => write!(f, " (1 duplicate line omitted)")?,
                omitted => write!(f, " ({omitted} duplicate lines omitted)")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_lines_are_counted_and_old_ones_dropped() {
        let mut log = Log::default();
        let at = |seconds: i64| Timestamp::from_second(seconds).unwrap();
        for i in 0..12 {
            log.add(&format!("line {i}"), &[], at(i));
        }
        for i in 12..16 {
            log.add("same", &[("b", 1.into()), ("a", "x".into())], at(i));
        }
        let text = log.to_string();
        assert!(text.starts_with("1970-01-01T00:00:03Z: line 3: {}\n"), "{text}");
        assert!(
            text.ends_with(
                "1970-01-01T00:00:12Z: same: {\"a\":\"x\",\"b\":1}\n1970-01-01T00:00:15Z: same: {\"a\":\"x\",\"b\":1} (2 duplicate lines omitted)"
            ),
            "{text}"
        );
    }
}

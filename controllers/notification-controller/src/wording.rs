//! The words that several kinds of messages share.

use crate::event::Event;

/// `kind/name.namespace`, the kind in lower case.
pub fn dot_name(event: &Event) -> String {
    let object = &event.involved;
    format!("{}/{}.{}", object.kind.to_lowercase(), object.name, object.namespace)
}

/// `kind/name` in lower case.
pub fn status_name(event: &Event) -> String {
    format!("{}/{}", event.involved.kind, event.involved.name).to_lowercase()
}

/// The words of a reason: `HealthCheckFailed` is `health check failed`.
pub fn words(reason: &str) -> String {
    camel_case(reason).join(" ").to_lowercase()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Lower,
    Upper,
    Digit,
    Other,
}

fn class(character: char) -> Class {
    if character.is_lowercase() {
        Class::Lower
    } else if character.is_uppercase() {
        Class::Upper
    } else if character.is_numeric() {
        Class::Digit
    } else {
        Class::Other
    }
}

/// Splits where the class of characters changes. The last capital of a run belongs to the small letters that follow.
fn camel_case(text: &str) -> Vec<String> {
    let mut runs: Vec<(Class, String)> = Vec::new();
    for character in text.chars() {
        let class = class(character);
        match runs.last_mut() {
            Some((last, run)) if *last == class => run.push(character),
            _ => runs.push((class, character.to_string())),
        }
    }
    let mut carried: Option<char> = None;
    let mut words = Vec::with_capacity(runs.len());
    let mut runs = runs.into_iter().peekable();
    while let Some((class, mut run)) = runs.next() {
        if let Some(character) = carried.take() {
            run.insert(0, character);
        }
        if class == Class::Upper && runs.peek().is_some_and(|(next, _)| *next == Class::Lower) {
            carried = run.pop();
        }
        if !run.is_empty() {
            words.push(run);
        }
    }
    words
}

/// Every word with a capital and otherwise small letters.
pub fn title(text: &str) -> String {
    let mut within = false;
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if within {
            out.extend(character.to_lowercase());
        } else {
            out.extend(character.to_uppercase());
        }
        within = character.is_alphanumeric() || (within && matches!(character, '\'' | '_'));
    }
    out
}

/// The first line of a text.
pub fn first_line(text: &str) -> &str {
    text.split('\n').next().unwrap_or_default()
}

/// Whether a title stands for a failure or not, as telegram, lark and matrix show it.
pub fn emoji(event: &Event) -> &'static str {
    if event.is_error() { "\u{1F6A8}" } else { "\u{1F4AB}" }
}

/// The event as a Markdown document, for comments and Zulip. Its texts go through `plain`, values of metadata through
/// `value_of`.
pub fn markdown(event: &Event, plain: fn(&str) -> String, value_of: fn(&str) -> String) -> String {
    let emoji = if event.is_error() { "\u{26A0}\u{FE0F}" } else { "\u{2139}\u{FE0F}" };
    let mut text = format!(
        "## Flux Status\n\n{emoji} {}\n\n{}\n\nMetadata:\n",
        plain(&event.involved.id()),
        plain(&event.message)
    );
    for (key, value) in event.metadata.iter().filter(|(key, _)| *key != "change_request") {
        text.push_str(&format!("* `{key}`: {}\n", value_of(value)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_fall_into_words() {
        for (reason, expected) in [
            ("HealthCheckFailed", "health check failed"),
            ("OCIArtifactFailed", "oci artifact failed"),
            ("Succeeded", "succeeded"),
            ("Failed2Times", "failed 2 times"),
            ("aB", "a b"),
            ("ABC", "abc"),
            ("", ""),
        ] {
            assert_eq!(words(reason), expected);
        }
    }

    #[test]
    fn titles_have_one_capital_a_word() {
        assert_eq!(title("HealthCheckFailed"), "Healthcheckfailed");
        assert_eq!(title("two words"), "Two Words");
    }
}

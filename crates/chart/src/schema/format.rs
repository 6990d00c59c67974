//! The formats of texts that are asserted up to draft 7.

mod spans;
mod versions;

use std::net::{Ipv4Addr, Ipv6Addr};

/// Why a text is not of a format; unknown formats admit everything.
pub(super) fn check(name: &str, text: &str) -> Result<(), String> {
    match name {
        "ipv4" => ipv4(text),
        "ipv6" => ipv6(text),
        "hostname" => hostname(text),
        "email" => email(text),
        "date" => date(text),
        "time" => time(text),
        "date-time" => date_time(text),
        "uuid" => uuid(text),
        "uri" | "iri" => uri(text),
        "uri-reference" | "iri-reference" if text.contains('\\') => fail("contains \\"),
        "regex" => sprig::check_regex(text.as_bytes()),
        "json-pointer" => json_pointer(text),
        "relative-json-pointer" => relative_json_pointer(text),
        "duration" => spans::duration(text),
        "period" => spans::period(text),
        "semver" => versions::semver(text),
        "uri-template" => uri_template(text),
        _ => Ok(()),
    }
}

fn fail(why: impl Into<String>) -> Result<(), String> {
    Err(why.into())
}

fn ipv4(text: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() != 4 {
        return fail("expected four decimals");
    }
    if parts.iter().any(|part| part.len() > 1 && part.starts_with('0')) {
        return fail("leading zeros");
    }
    for part in parts {
        match part.parse::<i64>() {
            Ok(0..=255) => {}
            Ok(_) => return fail("decimal must be between 0 and 255"),
            Err(_) => {
                let part = gotemplate::quote(part.as_bytes());
                return fail(format!("strconv.Atoi: parsing {part}: invalid syntax"));
            }
        }
    }
    text.parse::<Ipv4Addr>().map(|_| ()).map_err(|error| error.to_string())
}

fn ipv6(text: &str) -> Result<(), String> {
    if !text.contains(':') {
        return fail("missing colon");
    }
    if text.contains('%') {
        return fail("zone id is not a part of ipv6 address");
    }
    text.parse::<Ipv6Addr>()
        .map(|_| ())
        .map_err(|_| format!("ParseAddr({}): unable to parse IP", gotemplate::quote(text.as_bytes())))
}

fn hostname(text: &str) -> Result<(), String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.len() > 253 {
        return fail("more than 253 characters long");
    }
    for label in text.split('.') {
        if !(1..=63).contains(&label.len()) {
            return fail("label must be 1 to 63 characters long");
        }
        if label.starts_with('-') {
            return fail("label starts with hyphen");
        }
        if label.ends_with('-') {
            return fail("label ends with hyphen");
        }
        if let Some(c) = label.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
            return fail(format!("invalid character {c:?}"));
        }
    }
    Ok(())
}

fn email(text: &str) -> Result<(), String> {
    if text.len() > 255 {
        return fail("more than 255 characters long");
    }
    let Some((local, domain)) = text.rsplit_once('@') else { return fail("missing @") };
    if local.len() > 64 {
        return fail("local part more than 64 characters long");
    }
    if local.starts_with('.') {
        return fail("starts with dot");
    }
    if local.ends_with('.') {
        return fail("ends with dot");
    }
    if local.contains("..") {
        return fail("consecutive dots");
    }
    let quoted = local.len() > 1 && local.starts_with('"') && local.ends_with('"');
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(c);
    if !quoted && let Some(c) = local.chars().find(|c| !allowed(*c)) {
        return fail(format!("invalid character {c:?}"));
    }
    if domain.starts_with('[') && domain.ends_with(']') {
        return Ok(());
    }
    hostname(domain).map_err(|why| format!("invalid domain: {why}"))
}

fn date(text: &str) -> Result<(), String> {
    sprig::check_time("2006-01-02", text)
}

fn time(text: &str) -> Result<(), String> {
    if text.len() < 9 {
        return fail("less than 9 characters long");
    }
    let [h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = text.as_bytes() else {
        return fail("missing colon in correct place");
    };
    let two = |tens: &u8, ones: &u8| {
        let digit = |d: &u8| d.is_ascii_digit().then(|| u32::from(d - b'0'));
        Some(digit(tens)? * 10 + digit(ones)?)
    };
    let (Some(hour), Some(minute), Some(second)) = (two(h1, h2), two(m1, m2), two(s1, s2)) else {
        return fail("invalid hour/min/sec");
    };
    if hour > 23 || minute > 59 || second > 60 {
        return fail("hour/min/sec out of range");
    }
    let rest = match rest {
        [b'.', fraction @ ..] => {
            let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 {
                return fail("no digits in second fraction");
            }
            fraction.get(digits..).unwrap_or_default()
        }
        rest => rest,
    };
    match rest {
        [b'z' | b'Z'] => Ok(()),
        [sign, h1, h2, colon, m1, m2] => {
            if !matches!(sign, b'+' | b'-') {
                return fail("offset must begin with plus/minus");
            }
            if *colon != b':' {
                return fail("missing colon in offset in correct place");
            }
            match (two(h1, h2), two(m1, m2)) {
                (Some(0..=23), Some(0..=59)) => Ok(()),
                (Some(_), Some(_)) => fail("hour/min in offset out of range"),
                _ => fail("invalid hour/min in offset"),
            }
        }
        _ => fail("offset must be 6 characters long"),
    }
}

fn date_time(text: &str) -> Result<(), String> {
    if text.len() < 20 {
        return fail("less than 20 characters long");
    }
    let parts = (text.get(..10), text.get(10..11), text.get(11..));
    let (Some(day), Some("t" | "T"), Some(hour)) = parts else {
        return fail("11th character must be t or T");
    };
    date(day).map_err(|why| format!("invalid date element: {why}"))?;
    time(hour).map_err(|why| format!("invalid time element: {why}"))
}

fn uuid(text: &str) -> Result<(), String> {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let parts: Vec<&str> = text.split('-').collect();
    if parts.len() != GROUPS.len() {
        return fail("must have 5 elements");
    }
    for ((i, part), wanted) in parts.iter().enumerate().zip(GROUPS) {
        if part.len() != wanted {
            return fail(format!("element {} must be {wanted} characters long", i + 1));
        }
        if let Some(c) = part.chars().find(|c| !c.is_ascii_hexdigit()) {
            return fail(format!("non-hex character {c:?}"));
        }
    }
    Ok(())
}

fn uri(text: &str) -> Result<(), String> {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    match scheme {
        None => fail("relative url"),
        Some(_) if text.chars().any(char::is_control) => {
            let text = gotemplate::quote(text.as_bytes());
            fail(format!("parse {text}: net/url: invalid control character in URL"))
        }
        Some(_) => Ok(()),
    }
}

/// Braces in a path, which may not nest.
fn uri_template(text: &str) -> Result<(), String> {
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let path = path
        .split_once("://")
        .map_or(path, |(_, rest)| rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default());
    for part in path.split('/') {
        let mut open = false;
        for brace in part.chars().filter(|c| matches!(c, '{' | '}')) {
            if open == (brace == '{') {
                return fail("nested curly braces");
            }
            open = !open;
        }
        if open {
            return fail("no matching closing brace");
        }
    }
    Ok(())
}

/// How many levels up, then a pointer or `#`.
fn relative_json_pointer(text: &str) -> Result<(), String> {
    let pointer = text.trim_start_matches(|c: char| c.is_ascii_digit());
    match text.len() - pointer.len() {
        0 => fail("must start with non-negative integer"),
        2.. if text.starts_with('0') => fail("starts with zero"),
        _ if pointer == "#" => Ok(()),
        _ => json_pointer(pointer),
    }
}

fn json_pointer(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    if !text.starts_with('/') {
        return fail("not starting with /");
    }
    let escapes = text.split('~').skip(1);
    if escapes.into_iter().all(|after| after.starts_with(['0', '1'])) {
        return Ok(());
    }
    fail("~ must be followed by 0 or 1")
}

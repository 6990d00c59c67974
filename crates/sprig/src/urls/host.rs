//! Hosts of URLs, as Go's `net/url` reads them, with the errors of its `net/netip`.

use gotemplate::quote;

use super::{shown, unescape};
use crate::time::carried;

/// The host and port of a URL, with what was escaped in them.
pub(super) fn parse(scheme: &[u8], text: &str) -> Result<Vec<u8>, String> {
    match text.rfind('[') {
        Some(0) => literal(text),
        Some(_) => Err("invalid IP-literal".to_owned()),
        None => {
            // Names with several ports exist for databases.
            let strict = matches!(scheme, b"http" | b"https");
            let colon = if strict { text.find(':') } else { text.rfind(':') };
            check_port(colon.and_then(|at| text.get(at..)).unwrap_or_default())?;
            unescape_host(text, false)
        }
    }
}

/// `[address]:port`
fn literal(text: &str) -> Result<Vec<u8>, String> {
    let Some((inner, port)) = text.get(1..).and_then(|text| text.rsplit_once(']')) else {
        return Err("missing ']' in host".to_owned());
    };
    check_port(port)?;
    let port = unescape_host(port, false)?;
    let (address, zone) = inner.split_at(inner.find("%25").unwrap_or(inner.len()));
    let mut host = unescape_host(address, false)?;
    host.extend(unescape_host(zone, true)?);
    if is_v4(&carried(&host)).map_err(|problem| format!("invalid host: {problem}"))? {
        return Err("invalid IP-literal".to_owned());
    }
    Ok([b"[", &*host, b"]", &*port].concat())
}

fn check_port(port: &str) -> Result<(), String> {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if port.is_empty() || port.strip_prefix(':').is_some_and(digits) {
        return Ok(());
    }
    Err(format!("invalid port {} after host", shown(port)))
}

/// Whether a byte may stand in a host as it is.
fn is_plain(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b >= 0x80 || b"-_.~!$&'()*+,;=:[]<>\"".contains(&b)
}

/// A part of a host, in which only what cannot stand there otherwise is escaped. In a zone that may be anything that can
/// stand there, and spaces.
fn unescape_host(text: &str, is_zone: bool) -> Result<Vec<u8>, String> {
    let mut at = 0;
    while let Some(b) = text.as_bytes().get(at).copied() {
        if b != b'%' {
            if !is_plain(b) {
                return Err(format!("invalid character {} in host name", quote(&[b])));
            }
            at += 1;
            continue;
        }
        let code = text.as_bytes().get(at..text.len().min(at + 3)).unwrap_or_default();
        let value = unescape(&carried(code))?.first().copied().unwrap_or_default();
        let is_wide = value >= 0x80;
        let allowed = if is_zone { value == b' ' || (is_plain(value) && !is_wide) } else { is_wide };
        if code != b"%25" && !allowed {
            return Err(format!("invalid URL escape {}", quote(code)));
        }
        at += 3;
    }
    unescape(text)
}

/// Whether an IP address is one of version 4.
fn is_v4(text: &str) -> Result<bool, String> {
    let problem = |(message, at): Problem<'_>| {
        let place = if at.is_empty() { String::new() } else { format!(" (at {})", shown(at)) };
        format!("ParseAddr({}): {message}{place}", shown(text))
    };
    match text.find(['.', ':', '%']).and_then(|at| text.as_bytes().get(at)) {
        Some(b'.') => v4(text).map(|()| true).map_err(problem),
        Some(b':') => v6(text).map(|()| false).map_err(problem),
        Some(_) => Err(problem(("missing IPv6 address", ""))),
        None => Err(problem(("unable to parse IP", ""))),
    }
}

/// What is wrong, and with which rest of the text.
type Problem<'t> = (&'static str, &'t str);

fn v4(text: &str) -> Result<(), Problem<'_>> {
    let (mut fields, mut digits, mut value) = (1, 0, 0u32);
    for (at, c) in text.char_indices() {
        let rest = text.get(at..).unwrap_or_default();
        match c {
            '0'..='9' if digits == 1 && value == 0 => {
                return Err(("IPv4 field has octet with leading zero", ""));
            }
            '0'..='9' => {
                value = value * 10 + c.to_digit(10).unwrap_or_default();
                digits += 1;
                if value > 255 {
                    return Err(("IPv4 field has value >255", ""));
                }
            }
            '.' if digits == 0 || rest.len() == 1 => {
                return Err(("IPv4 field must have at least one digit", rest));
            }
            '.' if fields == 4 => return Err(("IPv4 address too long", "")),
            '.' => (fields, digits, value) = (fields + 1, 0, 0),
            _ => return Err(("unexpected character", rest)),
        }
    }
    if fields < 4 { Err(("IPv4 address too short", "")) } else { Ok(()) }
}

fn v6(text: &str) -> Result<(), Problem<'_>> {
    const GROUPS: usize = 8;
    let (mut rest, zone) = text.split_once('%').map_or((text, None), |(rest, zone)| (rest, Some(zone)));
    if zone == Some("") {
        return Err(("zone must be a non-empty string", ""));
    }
    let (mut groups, mut gap) = (0, false);
    if let Some(behind) = rest.strip_prefix("::") {
        (rest, gap) = (behind, true);
        if rest.is_empty() {
            return Ok(());
        }
    }
    while groups < GROUPS {
        let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        match digits {
            0 => return Err(("each colon-separated field must have at least one digit", rest)),
            5.. => return Err(("each group must have 4 or less digits", rest)),
            _ => {}
        }
        let behind = rest.get(digits..).unwrap_or_default();
        if behind.starts_with('.') {
            if !gap && groups != GROUPS - 2 {
                return Err(("embedded IPv4 address must replace the final 2 fields of the address", rest));
            }
            if groups + 2 > GROUPS {
                let message = "too many hex fields to fit an embedded IPv4 at the end of the address";
                return Err((message, rest));
            }
            v4(rest)?;
            (rest, groups) = ("", groups + 2);
            break;
        }
        groups += 1;
        rest = behind;
        if rest.is_empty() {
            break;
        }
        let Some(behind) = rest.strip_prefix(':') else {
            return Err(("unexpected character, want colon", rest));
        };
        if behind.is_empty() {
            return Err(("colon must be followed by more characters", rest));
        }
        rest = behind;
        if let Some(behind) = rest.strip_prefix(':') {
            if std::mem::replace(&mut gap, true) {
                return Err(("multiple :: in address", rest));
            }
            rest = behind;
            if rest.is_empty() {
                break;
            }
        }
    }
    match (rest.is_empty(), groups < GROUPS, gap) {
        (false, ..) => Err(("trailing garbage after address", rest)),
        (_, true, false) => Err(("address string too short", "")),
        (_, false, true) => Err(("the :: must expand to at least one field of zeros", "")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn problem(scheme: &str, host: &str) -> String {
        parse(scheme.as_bytes(), host).unwrap_err()
    }

    #[test]
    fn hosts_are_read_as_go_reads_them() {
        for good in
            ["a", "a:80", "[::1]:80", "[::ffff:1.2.3.4]", "[1:2:3:4:5:6:1.2.3.4]", "[::]", "[1::]", "", ":"]
        {
            assert_eq!(parse(b"http", good).as_deref(), Ok(good.as_bytes()));
        }
        assert_eq!(parse(b"http", "[fe80::1%25en%200]"), Ok(b"[fe80::1%en 0]".to_vec()));
        assert_eq!(parse(b"mongodb", "a:1,b:2"), Ok(b"a:1,b:2".to_vec()));
        assert_eq!(problem("http", "a:1,b:2"), "invalid port \":1,b:2\" after host");
        assert_eq!(problem("", "a b"), "invalid character \" \" in host name");
        assert_eq!(problem("", "%41"), "invalid URL escape \"%41\"");
        assert_eq!(problem("", "a[b "), "invalid IP-literal");
        assert_eq!(problem("", "[::1"), "missing ']' in host");
        assert_eq!(problem("", "[1.2.3.4]"), "invalid IP-literal");
    }

    #[test]
    fn addresses_have_their_errors() {
        for (host, expected) in [
            ("abc", "unable to parse IP"),
            ("%25x", "missing IPv6 address"),
            ("1.2.3", "IPv4 address too short"),
            ("1..2.3", "IPv4 field must have at least one digit (at \".2.3\")"),
            ("1.2.3.4.5", "IPv4 address too long"),
            ("1.2.x.4", "unexpected character (at \"x.4\")"),
            ("::1.2.3.400", "IPv4 field has value >255"),
            ("::01.2.3.4", "IPv4 field has octet with leading zero"),
            ("::%25", "zone must be a non-empty string"),
            ("12345::", "each group must have 4 or less digits (at \"12345::\")"),
            ("1::2::3", "multiple :: in address (at \":3\")"),
            ("1:2", "address string too short"),
            ("1:", "colon must be followed by more characters (at \":\")"),
            ("::g", "each colon-separated field must have at least one digit (at \"g\")"),
            ("1:2x", "unexpected character, want colon (at \"x\")"),
            ("1:2:3:4:5:6:7:8:9", "trailing garbage after address (at \"9\")"),
            ("1::2:3:4:5:6:7:8", "the :: must expand to at least one field of zeros"),
        ] {
            let host = format!("[{host}]");
            let address = host.replace("%25", "%");
            let address = address.trim_matches(['[', ']']);
            assert_eq!(problem("http", &host), format!("invalid host: ParseAddr({address:?}): {expected}"));
        }
    }
}

//! URLs as Go takes them apart.

mod host;

use std::collections::BTreeMap;

use gotemplate::Ty::{Dict, Str as Text};
use gotemplate::{Exec, Function, Str, Value, quote};

use crate::args::{Args, Outcome};
use crate::time::{carried, uncarried};

pub(crate) const FUNCTIONS: &[Function] =
    &[Function::new("urlParse", &[Text], url_parse), Function::new("urlJoin", &[Dict], url_join)];

#[derive(Default)]
struct Url {
    scheme: Vec<u8>,
    opaque: Vec<u8>,
    user: Option<(Vec<u8>, Option<Vec<u8>>)>,
    host: Vec<u8>,
    path: Vec<u8>,
    query: Vec<u8>,
    force_query: bool,
    fragment: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Path,
    Host,
    User,
    Fragment,
}

/// Whether a byte is escaped in a part.
fn escapes(b: u8, part: Part) -> bool {
    match b {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => false,
        b'$' | b'&' | b'+' | b',' | b'/' | b':' | b';' | b'=' | b'?' | b'@' => match part {
            Part::Path => b == b'?',
            Part::User => matches!(b, b'@' | b'/' | b'?' | b':'),
            Part::Fragment => false,
            Part::Host => matches!(b, b'/' | b'?' | b'@'),
        },
        b'!' | b'(' | b')' | b'*' => !matches!(part, Part::Fragment | Part::Host),
        b'\'' | b'[' | b']' | b'<' | b'>' | b'"' => part != Part::Host,
        _ => true,
    }
}

fn escape(text: &[u8], part: Part) -> String {
    let mut out = String::new();
    for b in text {
        if escapes(*b, part) {
            out.push_str(&format!("%{b:02X}"));
        } else {
            out.push(char::from(*b));
        }
    }
    out
}

fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let bytes = uncarried(text);
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = &*bytes;
    while let Some((b, tail)) = rest.split_first() {
        rest = tail;
        if *b != b'%' {
            out.push(*b);
            continue;
        }
        let code = tail.get(..2).filter(|pair| pair.iter().all(u8::is_ascii_hexdigit));
        let code =
            code.and_then(|pair| std::str::from_utf8(pair).ok()).and_then(|t| u8::from_str_radix(t, 16).ok());
        let Some(code) = code else {
            let mut shown = vec![b'%'];
            shown.extend_from_slice(tail.get(..tail.len().min(2)).unwrap_or_default());
            return Err(format!("invalid URL escape {}", quote(&shown)));
        };
        out.push(code);
        rest = tail.get(2..).unwrap_or_default();
    }
    Ok(out)
}

/// A text that may be [`carried`], as errors quote it.
fn shown(text: &str) -> String {
    quote(&uncarried(text))
}

/// Takes apart a text, [`carried`] if it is not UTF-8.
fn parse(text: &str) -> Result<Url, String> {
    let (main, fragment) = text.split_once('#').unwrap_or((text, ""));
    // An error shows the part that is wrong.
    let wrap = |part: &str, problem: String| format!("parse {}: {problem}", shown(part));
    let mut url = without_fragment(main).map_err(|problem| wrap(main, problem))?;
    url.fragment = unescape(fragment).map_err(|problem| wrap(text, problem))?;
    Ok(url)
}

fn without_fragment(text: &str) -> Result<Url, String> {
    let mut url = Url::default();
    if text.bytes().any(|b| b < b' ' || b == 0x7f) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    let mut rest = text;
    if rest == "*" {
        url.path = b"*".to_vec();
        return Ok(url);
    }
    if let Some(scheme) = scheme(rest)? {
        url.scheme = scheme.to_ascii_lowercase().into();
        rest = rest.get(scheme.len() + 1..).unwrap_or_default();
    }
    if rest.ends_with('?') && rest.matches('?').count() == 1 {
        url.force_query = true;
        rest = rest.trim_end_matches('?');
    } else if let Some((before, query)) = rest.split_once('?') {
        url.query = uncarried(query).into();
        rest = before;
    }
    if !rest.starts_with('/') {
        if !url.scheme.is_empty() {
            url.opaque = uncarried(rest).into();
            return Ok(url);
        }
        if rest.split('/').next().is_some_and(|first| first.contains(':')) {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
    }
    if let Some(after) = rest.strip_prefix("//")
        && (!url.scheme.is_empty() || !after.starts_with('/'))
    {
        let end = after.find('/').unwrap_or(after.len());
        let (authority, path) = after.split_at(end);
        self::authority(authority, &mut url)?;
        rest = path;
    }
    url.path = unescape(rest)?;
    Ok(url)
}

fn scheme(text: &str) -> Result<Option<&str>, String> {
    for (at, c) in text.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if at > 0 => {}
            ':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            ':' => return Ok(text.get(..at)),
            _ => return Ok(None),
        }
    }
    Ok(None)
}

fn authority(text: &str, url: &mut Url) -> Result<(), String> {
    let (user, host) = match text.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, text),
    };
    url.host = host::parse(&url.scheme, host)?;
    if let Some(user) = user {
        if !user.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&b)) {
            return Err("net/url: invalid userinfo".to_owned());
        }
        let (name, password) = match user.split_once(':') {
            Some((name, password)) => (name, Some(password)),
            None => (user, None),
        };
        url.user = Some((unescape(name)?, password.map(unescape).transpose()?));
    }
    Ok(())
}

impl Url {
    fn hostname(&self) -> &[u8] {
        if let Some(inner) = self.host.strip_prefix(b"[") {
            return inner.split(|b| *b == b']').next().unwrap_or_default();
        }
        let colon = self.host.iter().rposition(|b| *b == b':');
        match colon.and_then(|at| self.host.split_at_checked(at)) {
            Some((name, [_, port @ ..])) if port.iter().all(u8::is_ascii_digit) => name,
            _ => &self.host,
        }
    }

    fn user_text(&self) -> String {
        match &self.user {
            None => String::new(),
            Some((name, None)) => escape(name, Part::User),
            Some((name, Some(password))) => {
                format!("{}:{}", escape(name, Part::User), escape(password, Part::User))
            }
        }
    }

    fn text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.scheme.is_empty() {
            out.extend_from_slice(&self.scheme);
            out.push(b':');
        }
        if self.opaque.is_empty() {
            if !self.scheme.is_empty() || !self.host.is_empty() || self.user.is_some() {
                if !self.host.is_empty() || !self.path.is_empty() || self.user.is_some() {
                    out.extend_from_slice(b"//");
                }
                if self.user.is_some() {
                    out.extend_from_slice(self.user_text().as_bytes());
                    out.push(b'@');
                }
                out.extend_from_slice(escape(&self.host, Part::Host).as_bytes());
            }
            let path = if self.path == b"*" { "*".to_owned() } else { escape(&self.path, Part::Path) };
            if !path.is_empty() && !path.starts_with('/') && !self.host.is_empty() {
                out.push(b'/');
            }
            if out.is_empty() && path.split('/').next().is_some_and(|first| first.contains(':')) {
                out.extend_from_slice(b"./");
            }
            out.extend_from_slice(path.as_bytes());
        } else {
            out.extend_from_slice(&self.opaque);
        }
        if self.force_query || !self.query.is_empty() {
            out.push(b'?');
            out.extend_from_slice(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push(b'#');
            out.extend_from_slice(escape(&self.fragment, Part::Fragment).as_bytes());
        }
        out
    }
}

fn url_parse(_: &mut Exec<'_>, a: &[Value]) -> Outcome {
    let url = parse(&carried(a.bytes(0))).map_err(|problem| format!("unable to parse url: {problem}"))?;
    let entries: [(&str, Value); 8] = [
        ("scheme", url.scheme.clone().into()),
        ("host", url.host.clone().into()),
        ("hostname", url.hostname().to_vec().into()),
        ("path", url.path.clone().into()),
        ("query", url.query.clone().into()),
        ("opaque", url.opaque.clone().into()),
        ("fragment", url.fragment.clone().into()),
        ("userinfo", url.user_text().into()),
    ];
    let map: BTreeMap<Str, Value> = entries.into_iter().map(|(key, value)| (key.into(), value)).collect();
    Ok(Value::dict(map))
}

fn url_join(_: &mut Exec<'_>, a: &[Value]) -> Outcome {
    let get = |key: &str| -> Result<Str, gotemplate::Fault> {
        match a.dict(0).and_then(|dict| dict.get(key.as_bytes())) {
            None => Ok(Str::default()),
            Some(Value::Str(text)) => Ok(text),
            Some(Value::Nil) => Err(crate::args::NIL_POINTER.into()),
            Some(other) => {
                let kind = other.kind_name();
                Err(format!("unable to parse {key} key, must be of type string, but {kind} found").into())
            }
        }
    };
    let bytes = |key: &str| get(key).map(|text| text.to_vec());
    let mut url = Url {
        scheme: bytes("scheme")?,
        host: bytes("host")?,
        path: bytes("path")?,
        query: bytes("query")?,
        opaque: bytes("opaque")?,
        fragment: bytes("fragment")?,
        ..Url::default()
    };
    let user = get("userinfo")?;
    if !user.is_empty() {
        let parsed = parse(&format!("proto://{}@host", carried(&user)))
            .map_err(|problem| format!("unable to parse userinfo in dict: {problem}"))?;
        url.user = parsed.user;
    }
    Ok(url.text().into())
}

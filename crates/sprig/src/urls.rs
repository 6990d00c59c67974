//! URLs as Go takes them apart.

mod host;

use std::collections::BTreeMap;

use gotemplate::Ty::{Dict, Str as Text};
use gotemplate::{Exec, Function, Str, Value, quote};

use crate::args::{Args, Outcome};

pub(crate) const FUNCTIONS: &[Function] =
    &[Function::new("urlParse", &[Text], url_parse), Function::new("urlJoin", &[Dict], url_join)];

#[derive(Default)]
struct Url {
    scheme: String,
    opaque: String,
    user: Option<(String, Option<String>)>,
    host: String,
    path: Vec<u8>,
    query: String,
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
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
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

fn parse(text: &str) -> Result<Url, String> {
    let (main, fragment) = text.split_once('#').unwrap_or((text, ""));
    // An error shows the part that is wrong.
    let wrap = |part: &str, problem: String| format!("parse {}: {problem}", quote(part.as_bytes()));
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
        url.scheme = scheme.to_ascii_lowercase();
        rest = rest.get(scheme.len() + 1..).unwrap_or_default();
    }
    if rest.ends_with('?') && rest.matches('?').count() == 1 {
        url.force_query = true;
        rest = rest.trim_end_matches('?');
    } else if let Some((before, query)) = rest.split_once('?') {
        url.query = query.to_owned();
        rest = before;
    }
    if !rest.starts_with('/') {
        if !url.scheme.is_empty() {
            url.opaque = rest.to_owned();
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
    if let Some(user) = user {
        if !user.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&b)) {
            return Err("net/url: invalid userinfo".to_owned());
        }
        let (name, password) = match user.split_once(':') {
            Some((name, password)) => (name, Some(password)),
            None => (user, None),
        };
        let decode = |t: &str| unescape(t).map(|t| String::from_utf8_lossy(&t).into_owned());
        url.user = Some((decode(name)?, password.map(decode).transpose()?));
    }
    url.host = String::from_utf8_lossy(&host::parse(&url.scheme, host)?).into_owned();
    Ok(())
}

impl Url {
    fn hostname(&self) -> &str {
        if let Some(inner) = self.host.strip_prefix('[') {
            return inner.split(']').next().unwrap_or_default();
        }
        match self.host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => &self.host,
        }
    }

    fn user_text(&self) -> String {
        match &self.user {
            None => String::new(),
            Some((name, None)) => escape(name.as_bytes(), Part::User),
            Some((name, Some(password))) => {
                format!("{}:{}", escape(name.as_bytes(), Part::User), escape(password.as_bytes(), Part::User))
            }
        }
    }

    fn text(&self) -> String {
        let mut out = String::new();
        if !self.scheme.is_empty() {
            out.push_str(&format!("{}:", self.scheme));
        }
        if self.opaque.is_empty() {
            if !self.scheme.is_empty() || !self.host.is_empty() || self.user.is_some() {
                if !self.host.is_empty() || !self.path.is_empty() || self.user.is_some() {
                    out.push_str("//");
                }
                if self.user.is_some() {
                    out.push_str(&format!("{}@", self.user_text()));
                }
                out.push_str(&escape(self.host.as_bytes(), Part::Host));
            }
            let path = escape(&self.path, Part::Path);
            if !path.is_empty() && !path.starts_with('/') && !self.host.is_empty() {
                out.push('/');
            }
            if out.is_empty() && path.split('/').next().is_some_and(|first| first.contains(':')) {
                out.push_str("./");
            }
            out.push_str(&path);
        } else {
            out.push_str(&self.opaque);
        }
        if self.force_query || !self.query.is_empty() {
            out.push_str(&format!("?{}", self.query));
        }
        if !self.fragment.is_empty() {
            out.push_str(&format!("#{}", escape(&self.fragment, Part::Fragment)));
        }
        out
    }
}

fn url_parse(_: &mut Exec<'_>, a: &[Value]) -> Outcome {
    let text = a.str(0);
    let url = parse(&text.text()).map_err(|problem| format!("unable to parse url: {problem}"))?;
    let entries: [(&str, Value); 8] = [
        ("scheme", url.scheme.clone().into()),
        ("host", url.host.clone().into()),
        ("hostname", url.hostname().into()),
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
    let text = |key: &str| get(key).map(|text| text.text().into_owned());
    let mut url = Url {
        scheme: text("scheme")?,
        host: text("host")?,
        path: get("path")?.to_vec(),
        query: text("query")?,
        opaque: text("opaque")?,
        fragment: get("fragment")?.to_vec(),
        ..Url::default()
    };
    let user = text("userinfo")?;
    if !user.is_empty() {
        let parsed = parse(&format!("proto://{user}@host"))
            .map_err(|problem| format!("unable to parse userinfo in dict: {problem}"))?;
        url.user = parsed.user;
    }
    Ok(url.text().into())
}

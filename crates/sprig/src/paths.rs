//! Paths with slashes.

use gotemplate::Ty::Str as Text;
use gotemplate::{Exec, Function, Value};

use crate::args::{Args, Outcome};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("base", &[Text], base),
    Function::new("osBase", &[Text], base),
    Function::new("dir", &[Text], dir),
    Function::new("osDir", &[Text], dir),
    Function::new("clean", &[Text], |_, a| Ok(clean(a.bytes(0)).into())),
    Function::new("osClean", &[Text], |_, a| Ok(clean(a.bytes(0)).into())),
    Function::new("ext", &[Text], ext),
    Function::new("osExt", &[Text], ext),
    Function::new("isAbs", &[Text], |_, a| Ok(a.bytes(0).starts_with(b"/").into())),
    Function::new("osIsAbs", &[Text], |_, a| Ok(a.bytes(0).starts_with(b"/").into())),
];

fn base(_: &mut Exec<'_>, a: &[Value]) -> Outcome {
    let path = a.bytes(0);
    if path.is_empty() {
        return Ok(".".into());
    }
    let end = path.iter().rposition(|b| *b != b'/').map_or(0, |at| at + 1);
    let last = path.get(..end).unwrap_or_default().rsplit(|b| *b == b'/').next().unwrap_or_default();
    Ok(if last.is_empty() { "/".into() } else { last.to_vec().into() })
}

fn dir(_: &mut Exec<'_>, a: &[Value]) -> Outcome {
    let path = a.bytes(0);
    let end = path.iter().rposition(|b| *b == b'/').map_or(0, |at| at + 1);
    Ok(clean(path.get(..end).unwrap_or_default()).into())
}

fn ext(_: &mut Exec<'_>, a: &[Value]) -> Outcome {
    let last = a.bytes(0).rsplit(|b| *b == b'/').next().unwrap_or_default();
    Ok(last
        .iter()
        .rposition(|b| *b == b'.')
        .and_then(|at| last.get(at..))
        .unwrap_or_default()
        .to_vec()
        .into())
}

/// The shortest path that means the same.
pub(crate) fn clean(path: &[u8]) -> Vec<u8> {
    let rooted = path.starts_with(b"/");
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => match parts.last() {
                Some(last) if *last != b".." => _ = parts.pop(),
                _ if rooted => {}
                _ => parts.push(part),
            },
            part => parts.push(part),
        }
    }
    let mut out = if rooted { b"/".to_vec() } else { Vec::new() };
    out.extend(parts.join(&b'/'));
    if out.is_empty() { b".".to_vec() } else { out }
}

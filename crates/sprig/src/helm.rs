//! `include`, `tpl`, `required`, `fail` and `lookup`.

use std::rc::Rc;
use std::sync::Arc;

use gotemplate::Ty::{Any, Str as Text};
use gotemplate::{Error, Exec, Fault, Function, Parsed, Set, Value, quote};

use crate::args::{Args, Outcome};
use crate::state::{Purpose, state};

/// Name of the template that Helm's others belong to, and of every `tpl` text.
pub(crate) const ROOT: &str = "gotpl";
/// How often a template may include itself, deep.
const MAX_NESTED: usize = 1000;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("include", &[Text, Any], include),
    Function::new("tpl", &[Text, Any], tpl),
    Function::new("required", &[Text, Any], |e, a| match a.any(1) {
        Value::Nil => notice(e, a.bytes(0)),
        Value::Str(text) if text.is_empty() => notice(e, a.bytes(0)),
        value => Ok(value.clone()),
    }),
    Function::new("fail", &[Text], |e, a| notice(e, a.bytes(0))),
    Function::new("lookup", &[Text, Text, Text, Text], |e, a| {
        let state = state(e)?;
        let text = |i: usize| gotemplate::lossy(a.bytes(i)).into_owned();
        match &mut state.lookup {
            Some(lookup) if state.purpose != Purpose::Lint => {
                lookup(&text(0), &text(1), &text(2), &text(3)).map_err(Fault::Text)
            }
            _ => Ok(Value::dict(Default::default())),
        }
    }),
    Function::new("getHostByName", &[Text], |e, a| match &mut state(e)?.resolve {
        Some(resolve) => Ok(resolve(&a.str(0).text())?.into()),
        None => Ok("".into()),
    }),
];

const NOTICE_START: &str = "HELM_ERR_START";
const NOTICE_END: &str = "HELM_ERR_END";

/// A message for the chart's user: it is all that they will see.
fn notice(exec: &mut Exec<'_>, message: &[u8]) -> Outcome {
    match state(exec)?.purpose {
        Purpose::Lint => Ok("".into()),
        Purpose::Render => Err(format!("{NOTICE_START}{}{NOTICE_END}", gotemplate::lossy(message)).into()),
    }
}

/// True when the run ended in `fail` or `required`.
pub(crate) fn is_notice(error: &Error) -> bool {
    error.text.contains(NOTICE_START) && error.text.contains(NOTICE_END)
}

fn include(exec: &mut Exec<'_>, a: &[Value]) -> Outcome {
    let name = a.str(0);
    let included = &mut state(exec)?.included;
    // Few templates are that deep: only then the name is counted.
    if included.len() > MAX_NESTED && included.iter().filter(|outer| **outer == name).count() > MAX_NESTED {
        let name = name.text();
        return Err(format!(
            "rendering template has a nested reference name: {name}: unable to execute template"
        )
        .into());
    }
    included.push(name.clone());
    let result = exec.render_text(&name, ROOT, a.any(1));
    state(exec)?.included.pop();
    Ok(result?.into())
}

fn tpl(exec: &mut Exec<'_>, a: &[Value]) -> Outcome {
    let text = a.str(0);
    let functions = exec.functions();
    let cached = state(exec)?.parsed.get(&text).cloned();
    let parsed = match cached {
        Some(parsed) => parsed,
        None => {
            let parsed = Rc::new(Parsed::new(ROOT, text.clone(), functions));
            state(exec)?.parsed.insert(text.clone(), Rc::clone(&parsed));
            parsed
        }
    };
    let wrapped = |what: &str, error: Error| {
        let text = format!("{what} {}: {}", quote(&text), error.text);
        Fault::Error(Box::new(Error { text, cause: Some(Box::new(error)) }))
    };
    let parsed = (*parsed).as_ref().map_err(|error| wrapped("cannot parse template", error.clone()))?;
    let mut set = Set::on(Arc::clone(exec.set()));
    set.add_main(ROOT.as_bytes(), parsed);
    let output = exec.with_set(Arc::new(set), |exec| exec.render_text(ROOT.as_bytes(), ROOT, a.any(1)));
    let output = output.map_err(|error| wrapped("error during tpl function execution for", *error))?;
    Ok(match crate::strings::find(&output, NO_VALUE) {
        Some(_) => without_no_value(output.to_vec()).into(),
        None => output.into(),
    })
}

const NO_VALUE: &[u8] = b"<no value>";

/// The text without `<no value>`, which Go prints for what is missing.
pub(crate) fn without_no_value(text: Vec<u8>) -> Vec<u8> {
    let Some(mut at) = crate::strings::find(&text, NO_VALUE) else { return text };
    let mut out = Vec::with_capacity(text.len());
    let mut rest = &*text;
    loop {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, b""));
        out.extend_from_slice(before);
        rest = after.get(NO_VALUE.len()..).unwrap_or_default();
        match crate::strings::find(rest, NO_VALUE) {
            Some(next) => at = next,
            None => break,
        }
    }
    out.extend_from_slice(rest);
    out
}

/// Helm's text of a template that does not parse.
pub(crate) fn parse_error(file: &str, error: &Error) -> String {
    let tokens: Vec<&str> = error.text.split(": ").collect();
    match tokens.as_slice() {
        [_, location, .., last] => format!("parse error at ({location}): {last}"),
        [_, location] => format!("parse error at ({location}): {location}"),
        _ => format!("parse error in ({file}): {}", error.text),
    }
}

/// Helm's text of a run that failed: the message of `fail` and `required` alone; the chain of templates, a line for
/// each part, where all of it is in known forms; otherwise Go's text.
pub(crate) fn exec_error(file: &str, error: &Error) -> String {
    let mut tokens = error.text.splitn(3, ": ");
    let (Some(_), Some(location), Some(rest)) = (tokens.next(), tokens.next(), tokens.next()) else {
        return format!("execution error in ({file}): {}", error.text);
    };
    if error.cause.is_none() && error.text.starts_with("template: no template ") {
        return error.text.clone();
    }
    if let Some(start) = rest.find(NOTICE_START)
        && let Some(end) = rest.rfind(NOTICE_END)
        && let Some(message) = rest.get(start + NOTICE_START.len()..end)
    {
        return format!("execution error at ({location}): {message}");
    }
    let whole = error.text.clone();
    let mut links: Vec<String> = Vec::new();
    let mut current = Some(error);
    while let Some(error) = current {
        let Some(link) = link(&error.text) else { return whole };
        if links.last() != Some(&link) {
            links.push(link);
        }
        current = error.cause.as_deref();
    }
    links.concat().trim().to_owned()
}

fn cut_chained(message: &str) -> &str {
    message.split(" template:").next().unwrap_or(message)
}

/// One link of the chain, in lines.
fn link(text: &str) -> Option<String> {
    let rest = text.strip_prefix("template: ")?;
    if rest.starts_with("no template ") {
        return Some(format!("{text}\n"));
    }
    if let Some((location, after)) = rest.split_once(": executing ")
        && let Some(quoted) = after.strip_prefix('"')
        && let Some((function, after)) = quoted.split_once('"')
        && let Some(after) = after.strip_prefix(" at <")
        && let Some((node, message)) = after.split_once(">: ")
    {
        let message = cut_chained(message);
        let message = if message.is_empty() { String::new() } else { format!("{message}\n") };
        return Some(format!("{location}\n  executing \"{function}\" at <{node}>:\n    {message}"));
    }
    let (location, message) = rest.rsplit_once(": ")?;
    Some(format!("{location}\n  {}\n", cut_chained(message)))
}

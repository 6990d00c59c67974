//! The grammar of `--set` and its kin.

use serde_json::{Number, Value as Json};

use super::{Table, floats};
use crate::error::Error;

/// Gets the content of a file for [`Set::File`].
pub type ReadFile<'a> = &'a mut dyn FnMut(&str) -> Result<String, String>;

/// How the values in a text are read.
pub enum Set<'a> {
    /// `--set`: booleans, null and decimal integers have their type; anything else is a string.
    Typed,
    /// `--set-string`: all strings.
    Text,
    /// `--set-json`: JSON.
    Json,
    /// `--set-file`: the value is a path; its content becomes the value.
    File(ReadFile<'a>),
    /// `--set-literal`: everything behind the first `=` as it stands.
    Literal,
}

const MAX_INDEX: i64 = 65_536;
const MAX_NESTED: usize = 30;

/// Changes values as `name=value,outer.inner=value,list[0]=value,list={a,b}` says. Existing tables and lists are
/// changed in place.
///
/// # Errors
/// Helm's text; what stands before the mistake has been set by then.
///
/// ```
/// use chart::{Set, Table, set};
/// let mut values = Table::new();
/// set(&mut values, r"a.b=1,l[1]=x\,y,s={p,q}", Set::Typed)?;
/// let expected = serde_json::json!({"a": {"b": 1}, "l": [null, "x,y"], "s": ["p", "q"]});
/// assert_eq!(serde_json::Value::Object(values), expected);
/// # Ok::<(), chart::Error>(())
/// ```
pub fn set(values: &mut Table, text: &str, how: Set<'_>) -> Result<(), Error> {
    let literal = matches!(how, Set::Literal);
    let mut parser = Parser { rest: text, how, literal };
    loop {
        match parser.key(values, 0) {
            Ok(()) => {}
            Err(Stop::End) => return Ok(()),
            Err(Stop::Problem(problem)) => return Err(Error::Values(problem)),
        }
    }
}

/// Why the parser does not go on.
enum Stop {
    /// The text has ended.
    End,
    Problem(String),
}

struct Parser<'t, 'f> {
    rest: &'t str,
    how: Set<'f>,
    literal: bool,
}

fn problem<T>(text: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Problem(text.into()))
}

fn quoted(text: &str) -> String {
    gotemplate::quote(text.as_bytes())
}

/// Go's message when a value is not of the type that the name asks for.
fn clash(found: &Json, wanted: &str) -> Stop {
    let found = match found {
        Json::Null => "nil",
        Json::Bool(_) => "bool",
        Json::Number(number) if number.is_f64() => "float64",
        Json::Number(_) => "int64",
        Json::String(_) => "string",
        Json::Array(_) => "[]interface {}",
        Json::Object(_) => "map[string]interface {}",
    };
    Stop::Problem(format!(
        "unable to parse key: interface conversion: interface {{}} is {found}, not {wanted}"
    ))
}

fn put(values: &mut Table, key: &str, value: Json) {
    if !key.is_empty() {
        values.insert(key.to_owned(), value);
    }
}

fn put_at(list: &mut Vec<Json>, index: i64, value: Json) -> Result<(), Stop> {
    if index > MAX_INDEX {
        return problem(format!("index of {index} is greater than maximum supported index of {MAX_INDEX}"));
    }
    let Ok(index) = usize::try_from(index) else {
        return problem(format!("negative {index} index not allowed"));
    };
    if list.len() <= index {
        list.resize(index + 1, Json::Null);
    }
    if let Some(place) = list.get_mut(index) {
        *place = value;
    }
    Ok(())
}

impl Parser<'_, '_> {
    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let found = chars.next();
        self.rest = chars.as_str();
        found
    }

    /// The text up to one of `stops`, and which one; none at the end of the text.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let mut text = String::new();
        while let Some(c) = self.next() {
            if stops.contains(&c) {
                return (text, Some(c));
            }
            match c {
                '\\' if !self.literal => match self.next() {
                    Some(escaped) => text.push(escaped),
                    None => break,
                },
                c => text.push(c),
            }
        }
        (text, None)
    }

    fn key(&mut self, values: &mut Table, depth: usize) -> Result<(), Stop> {
        let stops: &[char] = if self.literal { &['=', '[', '.'] } else { &['=', '[', ',', '.'] };
        let (key, stop) = self.until(stops);
        match stop {
            None if key.is_empty() => Err(Stop::End),
            None => problem(format!("key {} has no value", quoted(&key))),
            Some('[') => {
                let index = self.index()?;
                let mut list = match values.get_mut(&key) {
                    None => Vec::new(),
                    Some(Json::Array(list)) => std::mem::take(list),
                    Some(other) => return Err(clash(other, "[]interface {}")),
                };
                let result = self.item(&mut list, index, depth);
                put(values, &key, Json::Array(list));
                result
            }
            Some('=') => {
                let mut found = None;
                let result = self.value(&mut found);
                if let Some(found) = found {
                    put(values, &key, found);
                }
                result
            }
            Some(',') => {
                put(values, &key, "".into());
                problem(format!("key {} has no value (cannot end with ,)", quoted(&key)))
            }
            Some(_) => {
                if depth + 1 > MAX_NESTED {
                    return problem(format!(
                        "value name nested level is greater than maximum supported nested level of {MAX_NESTED}"
                    ));
                }
                let mut inner = match values.get_mut(&key) {
                    None => Table::new(),
                    Some(Json::Object(inner)) => std::mem::take(inner),
                    Some(other) => return Err(clash(other, "map[string]interface {}")),
                };
                let result = self.key(&mut inner, depth + 1);
                let empty = inner.is_empty();
                if !empty || values.contains_key(&key) {
                    put(values, &key, Json::Object(inner));
                }
                match result {
                    Ok(()) if empty => problem(format!("key map {} has no value", quoted(&key))),
                    result => result,
                }
            }
        }
    }

    /// The number before `]`.
    fn index(&mut self) -> Result<i64, Stop> {
        let (text, stop) = self.until(&[']']);
        if stop.is_none() {
            return Err(Stop::End);
        }
        let what = match text.parse::<i64>() {
            Ok(index) => return Ok(index),
            Err(error) if *error.kind() == std::num::IntErrorKind::PosOverflow => "value out of range",
            Err(error) if *error.kind() == std::num::IntErrorKind::NegOverflow => "value out of range",
            Err(_) => "invalid syntax",
        };
        problem(format!("error parsing index: strconv.Atoi: parsing {}: {what}", quoted(&text)))
    }

    /// What follows the index of a list.
    fn item(&mut self, list: &mut Vec<Json>, index: i64, depth: usize) -> Result<(), Stop> {
        let Ok(place) = usize::try_from(index) else {
            return problem(format!("negative {index} index not allowed"));
        };
        let (key, stop) = self.until(&['[', '.', '=']);
        if !key.is_empty() {
            return problem(format!("unexpected data at end of array index: {}", quoted(&key)));
        }
        match stop {
            None => Err(Stop::End),
            Some('=') => {
                let mut found = None;
                let result = self.value(&mut found);
                // Unlike for a name, the end of the text is no reason to stop here, and a value that failed is not set.
                match (result, found) {
                    (Ok(()) | Err(Stop::End), Some(found)) => put_at(list, index, found),
                    (result, _) => result,
                }
            }
            Some('[') => {
                let next = self.index()?;
                let mut inner = match list.get_mut(place) {
                    None | Some(Json::Null) => Vec::new(),
                    Some(Json::Array(inner)) => std::mem::take(inner),
                    Some(other) => return Err(clash(other, "[]interface {}")),
                };
                let had = place < list.len();
                let result = self.item(&mut inner, next, depth);
                if result.is_ok() || had {
                    put_at(list, index, Json::Array(inner))?;
                }
                result
            }
            Some(_) => {
                let had = place < list.len();
                let mut inner = match list.get_mut(place) {
                    Some(Json::Object(inner)) => std::mem::take(inner),
                    _ => Table::new(),
                };
                let result = self.key(&mut inner, depth);
                if result.is_ok() || had {
                    put_at(list, index, Json::Object(inner))?;
                }
                result
            }
        }
    }

    /// The value behind `=`, and the comma behind it. `found` is what shall be set, also when the text ends or is wrong.
    fn value(&mut self, found: &mut Option<Json>) -> Result<(), Stop> {
        if self.literal {
            *found = Some(std::mem::take(&mut self.rest).into());
            return Ok(());
        }
        if matches!(self.how, Set::Json) {
            return self.json(found);
        }
        if self.rest.is_empty() {
            *found = Some("".into());
            return Err(Stop::End);
        }
        let Some(rest) = self.rest.strip_prefix('{') else {
            let (text, _) = self.until(&[',']);
            *found = Some(Json::Null);
            *found = Some(self.read(text)?);
            return Ok(());
        };
        self.rest = rest;
        let mut list = Vec::new();
        loop {
            let (text, stop) = self.until(&[',', '}']);
            match stop {
                None => return problem("list must terminate with '}'"),
                Some(',') => list.push(self.read(text)?),
                Some(_) => {
                    self.rest = self.rest.strip_prefix(',').unwrap_or(self.rest);
                    list.push(self.read(text)?);
                    *found = Some(Json::Array(list));
                    return Ok(());
                }
            }
        }
    }

    fn read(&mut self, text: String) -> Result<Json, Stop> {
        match &mut self.how {
            Set::File(read) => read(&text).map(Json::String).map_err(Stop::Problem),
            Set::Typed => Ok(typed(text)),
            _ => Ok(Json::String(text)),
        }
    }

    fn json(&mut self, found: &mut Option<Json>) -> Result<(), Stop> {
        if self.blank() {
            *found = Some(Json::Null);
            return Ok(());
        }
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<Json>();
        match values.next() {
            Some(Ok(value)) => {
                *found = Some(floats(value));
                self.rest = self.rest.get(values.byte_offset()..).unwrap_or_default();
                self.blank();
                Ok(())
            }
            Some(Err(error)) => problem(error.to_string()),
            None => problem("EOF"),
        }
    }

    /// Skips spaces and a comma; true when there is nothing else before the comma or the end.
    fn blank(&mut self) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(',') {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => self.rest.is_empty(),
        }
    }
}

fn typed(text: String) -> Json {
    if text.eq_ignore_ascii_case("true") {
        return true.into();
    }
    if text.eq_ignore_ascii_case("false") {
        return false.into();
    }
    if text.eq_ignore_ascii_case("null") {
        return Json::Null;
    }
    if (text == "0" || !text.starts_with('0'))
        && let Ok(number) = text.parse::<i64>()
    {
        return Json::Number(Number::from(number));
    }
    Json::String(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(start: Json, text: &str, how: Set<'_>) -> Result<Json, String> {
        let Json::Object(mut values) = start else { panic!("a table") };
        set(&mut values, text, how).map_err(|error| error.to_string())?;
        Ok(Json::Object(values))
    }

    #[test]
    fn values_have_types() {
        let found = run(
            json!({}),
            "a=1,b=01,c=1.5,d=TRUE,e=null,f=-7,g=0,h=,i={1,x,true},j={},k= 1,l=9223372036854775808",
            Set::Typed,
        );
        assert_eq!(
            found.unwrap(),
            json!({"a": 1, "b": "01", "c": "1.5", "d": true, "e": null, "f": -7, "g": 0, "h": "",
                "i": [1, "x", true], "j": [""], "k": " 1", "l": "9223372036854775808"})
        );
        assert_eq!(run(json!({}), "a=1,b=true", Set::Text).unwrap(), json!({"a": "1", "b": "true"}));
        assert_eq!(run(json!({}), r"a.b=1,2={x\", Set::Literal).unwrap(), json!({"a": {"b": r"1,2={x\"}}));
        assert_eq!(
            run(json!({}), r#"a={"x": [1, 2]}, b=,c=[1,null] ,d=3"#, Set::Json).unwrap(),
            json!({"a": {"x": [1.0, 2.0]}, " b": null, "c": [1.0, null], "d": 3.0})
        );
        let mut read = |path: &str| Ok(format!("<{path}>"));
        assert_eq!(run(json!({}), "a=x/y", Set::File(&mut read)).unwrap(), json!({"a": "<x/y>"}));
    }

    #[test]
    fn names_go_deep() {
        let start = json!({"a": {"b": [{"c": 1}, 2]}, "k": "v"});
        assert_eq!(
            run(start.clone(), r"a.b[0].d=2,a.b[3]=x,n\.m=1,q[1][0]=z", Set::Typed).unwrap(),
            json!({"a": {"b": [{"c": 1, "d": 2}, 2, null, "x"]}, "k": "v", "n.m": 1, "q": [null, ["z"]]})
        );
        let fails = |text: &str| run(start.clone(), text, Set::Typed).unwrap_err();
        assert_eq!(fails("x"), "key \"x\" has no value");
        assert_eq!(fails("x,y=1"), "key \"x\" has no value (cannot end with ,)");
        assert_eq!(fails("x={a"), "list must terminate with '}'");
        assert_eq!(fails("x[-1]=a"), "negative -1 index not allowed");
        assert_eq!(fails("x[99999]=a"), "index of 99999 is greater than maximum supported index of 65536");
        assert_eq!(fails("x[a]=a"), "error parsing index: strconv.Atoi: parsing \"a\": invalid syntax");
        assert_eq!(fails("x[0]a=b"), "unexpected data at end of array index: \"a\"");
        assert_eq!(
            fails("k.x=1"),
            "unable to parse key: interface conversion: interface {} is string, not map[string]interface {}"
        );
        let deep = format!("{}=1", vec!["a"; 32].join("."));
        let found = run(json!({}), &deep, Set::Typed).unwrap_err();
        assert_eq!(found, "value name nested level is greater than maximum supported nested level of 30");
    }
}

//! Values against a schema.

use std::collections::BTreeSet;

use serde_json::{Map, Number, Value as Json};

use super::decimal::{is_integer, is_multiple, same};
use super::document::{Document, Draft, Place, Target};
use super::format;
use super::problem::{Form, Problem, count, number, quoted, quoted_list};

/// Schemas on values on schemas, deep: each level takes stack.
const DEEPEST: usize = 400;
/// Schemas looked at, in all: references can make it exponential.
const MOST: u64 = 5_000_000;

/// Checks values; the error is the text that Helm prints.
pub(super) fn check(document: &Document<'_>, values: &Json) -> Result<(), String> {
    let Some(root) = document.root_of(0) else { return Ok(()) };
    let mut checker = Checker { document, path: Vec::new(), steps: 0, exhausted: None };
    let outcome = checker.schema(root, values, None, false);
    if let Some(problem) = checker.exhausted {
        return Err(format!("unable to validate schema: {problem}"));
    }
    if let Some(problem) = document.unusable() {
        return Err(problem);
    }
    let Err(problem) = outcome else { return Ok(()) };
    let problems = if problem.form == Form::Group { problem.causes } else { vec![*problem] };
    let mut text = String::new();
    for problem in problems {
        problem.write(0, &mut text);
    }
    text.push('\n');
    Err(text)
}

/// The schemas that are being applied, innermost first.
#[derive(Clone, Copy)]
struct Scope<'a> {
    node: &'a Json,
    resource: usize,
    /// Where the value is: how often a schema was applied to a part of the value before.
    value: *const Json,
    depth: usize,
    parent: Option<&'a Scope<'a>>,
}

/// What no keyword has looked at.
#[derive(Default)]
struct Rest {
    names: BTreeSet<String>,
    places: BTreeSet<usize>,
}

impl Rest {
    fn is_empty(&self) -> bool {
        self.names.is_empty() && self.places.is_empty()
    }

    /// What another schema has looked at on the same value needs no further look.
    fn without(&mut self, other: &Rest) {
        self.names.retain(|name| other.names.contains(name));
        self.places.retain(|place| other.places.contains(place));
    }
}

type Checked = Result<Rest, Box<Problem>>;

struct Checker<'d, 's> {
    document: &'d Document<'s>,
    path: Vec<String>,
    steps: u64,
    exhausted: Option<&'static str>,
}

/// One schema on one value.
struct Run<'a, 's> {
    map: &'s Map<String, Json>,
    resource: usize,
    draft: Draft,
    scope: Scope<'a>,
    rest: Rest,
    problems: Vec<Problem>,
}

impl Run<'_, '_> {
    fn count_of(&self, key: &str) -> Option<usize> {
        let found = self.map.get(key)?.as_number()?;
        if !is_integer(found) {
            return None;
        }
        let value = found.as_f64()?;
        (value >= 0.0).then_some(value as usize)
    }

    fn number_of(&self, key: &str) -> Option<&Number> {
        self.map.get(key)?.as_number()
    }

    fn flag(&self, key: &str) -> bool {
        self.map.get(key) == Some(&Json::Bool(true))
    }

    fn take(&mut self, outcome: Checked) {
        if let Err(problem) = outcome {
            self.problems.push(*problem);
        }
    }
}

fn strings(list: &Json) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Json::as_str)
}

fn equal(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => same(a, b),
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        (a, b) => a == b,
    }
}

fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

/// In the order in which the library names them.
const KINDS: [&str; 7] = ["null", "boolean", "number", "integer", "string", "array", "object"];

fn shown(value: &Json) -> String {
    match value {
        Json::Null => "<nil>".to_owned(),
        Json::String(text) => quoted(text),
        Json::Array(_) | Json::Object(_) => "value".to_owned(),
        other => other.to_string(),
    }
}

fn missing<'l>(names: &'l Json, map: &Map<String, Json>) -> Vec<&'l str> {
    strings(names).filter(|name| !map.contains_key(*name)).collect()
}

fn sorted(map: &Map<String, Json>) -> Vec<(&String, &Json)> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    entries
}

impl<'s> Checker<'_, 's> {
    fn problem(&self, text: impl Into<String>) -> Problem {
        Problem { path: self.path.clone(), text: text.into(), form: Form::Keyword, causes: Vec::new() }
    }

    fn schema(&mut self, at: Place<'s>, value: &Json, parent: Option<&Scope<'_>>, needed: bool) -> Checked {
        let depth = parent.map_or(0, |scope| scope.depth + 1);
        self.steps += 1;
        if depth > DEEPEST {
            self.exhausted = Some("schemas refer to one another too deeply");
        } else if self.steps > MOST {
            self.exhausted = Some("it takes too many steps");
        }
        if self.exhausted.is_some() {
            return Ok(Rest::default());
        }
        let map = match at.node {
            Json::Bool(false) => return Err(Box::new(self.problem("false schema"))),
            Json::Object(map) if !map.is_empty() => map,
            Json::Object(_) | Json::Bool(true) => return Ok(Rest::default()),
            _ => return Ok(all_of(value, needed)),
        };
        let scope =
            Scope { node: at.node, resource: at.resource, value: std::ptr::from_ref(value), depth, parent };
        let mut above = parent;
        while let Some(outer) = above.filter(|outer| outer.value == scope.value) {
            if std::ptr::eq(outer.node, scope.node) {
                return Err(Box::new(self.problem("the schema refers to itself without end")));
            }
            above = outer.parent;
        }
        let draft = self.document.draft(at.resource);
        let rest = rest_of(map, draft, value, needed);
        let mut run = Run { map, resource: at.resource, draft, scope, rest, problems: Vec::new() };
        if let Some(problem) = self.whole(&run, value) {
            return Err(Box::new(problem));
        }
        if let Some(reference) = map.get("$ref").and_then(Json::as_str) {
            let outcome = self.reference(&mut run, reference, value);
            if draft < Draft::D2019 {
                return outcome.map(|()| run.rest);
            }
            run.problems.extend(outcome.err().map(|problem| *problem));
        }
        match value {
            Json::Object(object) => self.object(&mut run, object, value),
            Json::Array(items) => self.array(&mut run, items),
            Json::String(text) => self.text(&mut run, text),
            Json::Number(found) => self.number(&mut run, found),
            _ => {}
        }
        if draft >= Draft::D2019 {
            self.dynamic_references(&mut run, value);
        }
        self.combinations(&mut run, value);
        if draft >= Draft::D2019 {
            self.unevaluated(&mut run, value);
        }
        match run.problems.len() {
            0 => Ok(run.rest),
            1 => run.problems.pop().map_or_else(|| Ok(Rest::default()), |problem| Err(Box::new(problem))),
            _ => {
                let mut group = self.problem("validation failed");
                (group.form, group.causes) = (Form::Group, run.problems);
                Err(Box::new(group))
            }
        }
    }

    /// Another schema on the same value.
    fn same(&mut self, run: &mut Run<'_, 's>, node: &'s Json, value: &Json) -> Checked {
        let at = self.document.inner(node, run.resource);
        self.same_at(run, at, value)
    }

    fn same_at(&mut self, run: &mut Run<'_, 's>, at: Place<'s>, value: &Json) -> Checked {
        let rest = self.schema(at, value, Some(&run.scope), !run.rest.is_empty())?;
        run.rest.without(&rest);
        Ok(rest)
    }

    /// A schema on a part of the value.
    fn part(&mut self, run: &mut Run<'_, 's>, node: &'s Json, value: &Json, name: &str) -> Checked {
        let at = self.document.inner(node, run.resource);
        self.path.push(name.to_owned());
        let outcome = self.schema(at, value, Some(&run.scope), false);
        self.path.pop();
        outcome
    }

    /// Keywords that end the matter when they fail.
    fn whole(&self, run: &Run<'_, 's>, value: &Json) -> Option<Problem> {
        let map = run.map;
        if run.draft < Draft::D2019 && map.contains_key("$ref") {
            return None;
        }
        let types: Vec<&str> = match map.get("type") {
            Some(Json::String(name)) => vec![name],
            Some(list @ Json::Array(_)) => strings(list).collect(),
            _ => Vec::new(),
        };
        let wanted: Vec<&str> = KINDS.into_iter().filter(|kind| types.contains(kind)).collect();
        let found = kind(value);
        let whole = value.as_number().is_some_and(is_integer) && wanted.contains(&"integer");
        if !wanted.is_empty() && !wanted.contains(&found) && !whole {
            return Some(self.problem(format!("got {found}, want {}", wanted.join(" or "))));
        }
        if run.draft >= Draft::D6
            && let Some(wanted) = map.get("const")
            && !equal(value, wanted)
        {
            let collection = wanted.is_array() || wanted.is_object();
            return Some(self.problem(if collection {
                "'const' failed".to_owned()
            } else {
                format!("value must be {}", shown(wanted))
            }));
        }
        if let Some(wanted) = map.get("enum").and_then(Json::as_array)
            && !wanted.iter().any(|wanted| equal(value, wanted))
        {
            let text = match wanted.as_slice() {
                list if list.iter().any(|item| item.is_array() || item.is_object()) => {
                    "'enum' failed".to_owned()
                }
                [only] => format!("value must be {}", shown(only)),
                list => {
                    let list: Vec<String> = list.iter().map(shown).collect();
                    format!("value must be one of {}", list.join(", "))
                }
            };
            return Some(self.problem(text));
        }
        if run.draft <= Draft::D7
            && let (Some(name), Json::String(text)) = (map.get("format").and_then(Json::as_str), value)
            && let Err(why) = format::check(name, text)
        {
            return Some(self.problem(format!("{} is not valid {name}: {why}", quoted(text))));
        }
        None
    }

    fn reference(
        &mut self,
        run: &mut Run<'_, 's>,
        reference: &str,
        value: &Json,
    ) -> Result<(), Box<Problem>> {
        match self.document.resolve(reference, run.resource) {
            Ok(Target::Schema(at)) => self.refer(run, at, value),
            Ok(Target::Anything | Target::Remote(_)) => Ok(()),
            Err(problem) => Err(Box::new(self.problem(problem))),
        }
    }

    fn refer(&mut self, run: &mut Run<'_, 's>, at: Place<'s>, value: &Json) -> Result<(), Box<Problem>> {
        let Err(inner) = self.same_at(run, at, value) else { return Ok(()) };
        let mut problem = self.problem("validation failed");
        problem.form = Form::Reference;
        problem.causes = if inner.form == Form::Group { inner.causes } else { vec![*inner] };
        Err(Box::new(problem))
    }

    fn dynamic_references(&mut self, run: &mut Run<'_, 's>, value: &Json) {
        if let Some(reference) = run.map.get("$recursiveRef").and_then(Json::as_str)
            && run.draft == Draft::D2019
            && let Ok(Target::Schema(mut at)) = self.document.resolve(reference, run.resource)
        {
            let recursive = |node: &Json| node.get("$recursiveAnchor") == Some(&Json::Bool(true));
            if recursive(at.node) {
                let mut scope = Some(&run.scope);
                while let Some(current) = scope {
                    if let Some(root) =
                        self.document.root_of(current.resource).filter(|root| recursive(root.node))
                    {
                        at = root;
                    }
                    scope = current.parent;
                }
            }
            let outcome = self.refer(run, at, value);
            run.problems.extend(outcome.err().map(|problem| *problem));
        }
        if let Some(reference) = run.map.get("$dynamicRef").and_then(Json::as_str)
            && run.draft >= Draft::D2020
            && let Ok(Target::Schema(mut at)) = self.document.resolve(reference, run.resource)
        {
            let anchor = reference.split_once('#').map(|(_, anchor)| anchor).unwrap_or_default();
            let here = at.node.get("$dynamicAnchor").and_then(Json::as_str);
            if !anchor.is_empty() && here == Some(anchor) {
                let mut scope = Some(&run.scope);
                while let Some(current) = scope {
                    let resource = self.document.resources.get(current.resource);
                    if let Some(node) = resource.and_then(|resource| resource.dynamic_anchors.get(anchor)) {
                        at = self.document.inner(node, current.resource);
                    }
                    scope = current.parent;
                }
            }
            let outcome = self.refer(run, at, value);
            run.problems.extend(outcome.err().map(|problem| *problem));
        }
    }

    fn object(&mut self, run: &mut Run<'_, 's>, object: &Map<String, Json>, value: &Json) {
        let map = run.map;
        if let Some(least) = run.count_of("minProperties").filter(|least| object.len() < *least) {
            let text = format!("minProperties: got {}, want {}", count(object.len()), count(least));
            run.problems.push(self.problem(text));
        }
        if let Some(most) = run.count_of("maxProperties").filter(|most| object.len() > *most) {
            let text = format!("maxProperties: got {}, want {}", count(object.len()), count(most));
            run.problems.push(self.problem(text));
        }
        if let Some(required) = map.get("required") {
            match missing(required, object).as_slice() {
                [] => {}
                [name] => run.problems.push(self.problem(format!("missing property {}", quoted(name)))),
                names => {
                    let names = quoted_list(names.iter().copied());
                    run.problems.push(self.problem(format!("missing properties {names}")));
                }
            }
        }
        for (name, wanted) in map.get("dependencies").and_then(Json::as_object).into_iter().flat_map(sorted) {
            if !object.contains_key(name) {
                continue;
            }
            if wanted.is_array() {
                self.depends(run, name, wanted, object);
            } else {
                let outcome = self.same(run, wanted, value);
                run.take(outcome);
            }
        }
        self.properties(run, object);
        if run.draft >= Draft::D6
            && let Some(schema) = map.get("propertyNames")
        {
            for (name, _) in sorted(object) {
                let at = self.document.inner(schema, run.resource);
                let outer = std::mem::take(&mut self.path);
                let outcome = self.schema(at, &Json::String(name.clone()), None, false);
                self.path = outer;
                if let Err(inner) = outcome {
                    let mut problem = self.problem(format!("invalid propertyName {}", quoted(name)));
                    problem.causes = if inner.form == Form::Group { inner.causes } else { vec![*inner] };
                    run.problems.push(problem);
                }
            }
        }
        if run.draft >= Draft::D2019 {
            for (name, schema) in
                map.get("dependentSchemas").and_then(Json::as_object).into_iter().flat_map(sorted)
            {
                if object.contains_key(name) {
                    let outcome = self.same(run, schema, value);
                    run.take(outcome);
                }
            }
            for (name, wanted) in
                map.get("dependentRequired").and_then(Json::as_object).into_iter().flat_map(sorted)
            {
                if object.contains_key(name) {
                    self.depends(run, name, wanted, object);
                }
            }
        }
    }

    fn depends(&self, run: &mut Run<'_, 's>, name: &str, wanted: &Json, object: &Map<String, Json>) {
        let missing = missing(wanted, object);
        if !missing.is_empty() {
            let missing = quoted_list(missing);
            run.problems
                .push(self.problem(format!("properties {missing} required, if {} exists", quoted(name))));
        }
    }

    fn properties(&mut self, run: &mut Run<'_, 's>, object: &Map<String, Json>) {
        let map = run.map;
        let patterns: Vec<(&String, &Json)> =
            map.get("patternProperties").and_then(Json::as_object).into_iter().flat_map(sorted).collect();
        let additional = map.get("additionalProperties");
        let mut unwanted = Vec::new();
        for (name, value) in sorted(object) {
            let mut evaluated = false;
            if let Some(schema) = map.get("properties").and_then(|properties| properties.get(name)) {
                evaluated = true;
                let outcome = self.part(run, schema, value, name);
                run.take(outcome);
            }
            for (pattern, schema) in &patterns {
                if self.document.matches(pattern, name) {
                    evaluated = true;
                    let outcome = self.part(run, schema, value, name);
                    run.take(outcome);
                }
            }
            if !evaluated && let Some(additional) = additional {
                evaluated = true;
                match additional {
                    Json::Bool(true) => {}
                    Json::Bool(false) => unwanted.push(name.as_str()),
                    schema => {
                        let outcome = self.part(run, schema, value, name);
                        run.take(outcome);
                    }
                }
            }
            if evaluated {
                run.rest.names.remove(name);
            }
        }
        if !unwanted.is_empty() {
            let unwanted = quoted_list(unwanted);
            run.problems.push(self.problem(format!("additional properties {unwanted} not allowed")));
        }
    }

    fn array(&mut self, run: &mut Run<'_, 's>, items: &[Json]) {
        let map = run.map;
        if let Some(least) = run.count_of("minItems").filter(|least| items.len() < *least) {
            let text = format!("minItems: got {}, want {}", count(items.len()), count(least));
            run.problems.push(self.problem(text));
        }
        if let Some(most) = run.count_of("maxItems").filter(|most| items.len() > *most) {
            let text = format!("maxItems: got {}, want {}", count(items.len()), count(most));
            run.problems.push(self.problem(text));
        }
        if run.flag("uniqueItems")
            && let Some((first, second)) = self.duplicate(items)
        {
            run.problems.push(self.problem(format!(
                "items at {} and {} are equal",
                count(first),
                count(second)
            )));
        }
        let tuple_key = if run.draft >= Draft::D2020 { "prefixItems" } else { "items" };
        let tuple = map.get(tuple_key).and_then(Json::as_array);
        let rest_key = match (run.draft >= Draft::D2020, tuple.is_some()) {
            (true, _) | (false, false) => "items",
            (false, true) => "additionalItems",
        };
        let seen = tuple.map_or(0, |tuple| tuple.len().min(items.len()));
        for (i, (schema, item)) in tuple.into_iter().flatten().zip(items).enumerate() {
            let outcome = self.part(run, schema, item, &i.to_string());
            run.take(outcome);
        }
        match map.get(rest_key) {
            None | Some(Json::Bool(true) | Json::Array(_)) => {}
            Some(Json::Bool(false)) if rest_key == "additionalItems" => {
                let left = items.len() - seen;
                if left > 0 {
                    let text = format!("last {} additionalItem(s) not allowed", count(left));
                    run.problems.push(self.problem(text));
                }
            }
            Some(schema) => {
                for (i, item) in items.iter().enumerate().skip(seen) {
                    let outcome = self.part(run, schema, item, &i.to_string());
                    run.take(outcome);
                }
            }
        }
        if run.draft >= Draft::D6
            && let Some(schema) = map.get("contains")
        {
            self.contains(run, schema, items);
        }
    }

    fn duplicate(&mut self, items: &[Json]) -> Option<(usize, usize)> {
        for (second, item) in items.iter().enumerate() {
            let before = items.get(..second).unwrap_or_default();
            self.steps += before.len() as u64;
            if self.steps > MOST {
                self.exhausted = Some("it takes too many steps");
                return None;
            }
            if let Some(first) = before.iter().position(|other| equal(item, other)) {
                return Some((first, second));
            }
        }
        None
    }

    fn contains(&mut self, run: &mut Run<'_, 's>, schema: &'s Json, items: &[Json]) {
        let (mut problems, mut matched) = (Vec::new(), Vec::new());
        for (i, item) in items.iter().enumerate() {
            match self.part(run, schema, item, &i.to_string()) {
                Ok(_) => {
                    matched.push(i);
                    if run.draft >= Draft::D2020 {
                        run.rest.places.remove(&i);
                    }
                }
                Err(problem) => problems.push(*problem),
            }
        }
        let places = matched.iter().map(usize::to_string).collect::<Vec<_>>().join(" ");
        let bounds = run.draft >= Draft::D2019;
        let text = match run.count_of("minContains").filter(|_| bounds) {
            Some(least) if matched.len() < least && matched.is_empty() => Some(format!(
                "min {} items required to match contains schema, but none matched",
                count(least)
            )),
            Some(least) if matched.len() < least => Some(format!(
                "min {} items required to match contains schema, but matched {} items at {places}",
                count(least),
                count(matched.len())
            )),
            None if matched.is_empty() => Some("no items match contains schema".to_owned()),
            _ => None,
        };
        if let Some(text) = text {
            let mut problem = self.problem(text);
            problem.causes = problems;
            run.problems.push(problem);
        }
        if let Some(most) = run.count_of("maxContains").filter(|most| bounds && matched.len() > *most) {
            run.problems.push(self.problem(format!(
                "max {} items required to match contains schema, but matched {} items at {places}",
                count(most),
                count(matched.len())
            )));
        }
    }

    fn text(&self, run: &mut Run<'_, 's>, text: &str) {
        let length = text.chars().count();
        if let Some(least) = run.count_of("minLength").filter(|least| length < *least) {
            run.problems.push(self.problem(format!(
                "minLength: got {}, want {}",
                count(length),
                count(least)
            )));
        }
        if let Some(most) = run.count_of("maxLength").filter(|most| length > *most) {
            run.problems.push(self.problem(format!(
                "maxLength: got {}, want {}",
                count(length),
                count(most)
            )));
        }
        if let Some(pattern) = run.map.get("pattern").and_then(Json::as_str)
            && !self.document.matches(pattern, text)
        {
            let text = format!("{} does not match pattern {}", quoted(text), quoted(pattern));
            run.problems.push(self.problem(text));
        }
    }

    fn number(&self, run: &mut Run<'_, 's>, found: &Number) {
        let value = found.as_f64().unwrap_or_default();
        let bound = |key: &str| run.number_of(key).and_then(Number::as_f64);
        // In draft 4 the exclusive bounds are booleans.
        let (no_least, no_most) = (run.flag("exclusiveMinimum"), run.flag("exclusiveMaximum"));
        let least = bound("minimum");
        let most = bound("maximum");
        let above = if no_least { least } else { bound("exclusiveMinimum") };
        let below = if no_most { most } else { bound("exclusiveMaximum") };
        let checks = [
            ("minimum", least.filter(|least| !no_least && value < *least)),
            ("maximum", most.filter(|most| !no_most && value > *most)),
            ("exclusiveMinimum", above.filter(|least| value <= *least)),
            ("exclusiveMaximum", below.filter(|most| value >= *most)),
            ("multipleOf", {
                let of = run.number_of("multipleOf").filter(|of| !is_multiple(found, of));
                of.and_then(Number::as_f64)
            }),
        ];
        for (key, wanted) in checks {
            if let Some(wanted) = wanted {
                let text = format!("{key}: got {}, want {}", number(value), number(wanted));
                run.problems.push(self.problem(text));
            }
        }
    }

    fn combinations(&mut self, run: &mut Run<'_, 's>, value: &Json) {
        let map = run.map;
        if let Some(schema) = map.get("not")
            && self.same(run, schema, value).is_ok()
        {
            run.problems.push(self.problem("'not' failed"));
        }
        let list = |key: &str| map.get(key).and_then(Json::as_array).filter(|list| !list.is_empty());
        if let Some(schemas) = list("allOf") {
            let mut causes = Vec::new();
            for schema in schemas {
                causes.extend(self.same(run, schema, value).err().map(|problem| *problem));
            }
            if !causes.is_empty() {
                run.problems.push(Problem { causes, ..self.problem("'allOf' failed") });
            }
        }
        if let Some(schemas) = list("anyOf") {
            let (mut causes, mut matched) = (Vec::new(), false);
            for schema in schemas {
                match self.same(run, schema, value) {
                    Ok(_) => {
                        matched = true;
                        if run.rest.is_empty() {
                            break;
                        }
                    }
                    Err(problem) => causes.push(*problem),
                }
            }
            if !matched {
                run.problems.push(Problem { causes, ..self.problem("'anyOf' failed") });
            }
        }
        if let Some(schemas) = list("oneOf") {
            let (mut causes, mut matched) = (Vec::new(), None);
            for (i, schema) in schemas.iter().enumerate() {
                match (self.same(run, schema, value), matched) {
                    (Err(problem), None) => causes.push(*problem),
                    (Err(_), Some(_)) => {}
                    (Ok(_), None) => matched = Some(i),
                    (Ok(_), Some(first)) => {
                        let text =
                            format!("'oneOf' failed, subschemas {}, {} matched", count(first), count(i));
                        run.problems.push(self.problem(text));
                        break;
                    }
                }
            }
            if matched.is_none() {
                run.problems.push(Problem { causes, ..self.problem("'oneOf' failed, none matched") });
            }
        }
        if run.draft >= Draft::D7
            && let Some(condition) = map.get("if")
        {
            let holds = self.same(run, condition, value).is_ok();
            if let Some(schema) = map.get(if holds { "then" } else { "else" }) {
                let outcome = self.same(run, schema, value);
                run.take(outcome);
            }
        }
    }

    fn unevaluated(&mut self, run: &mut Run<'_, 's>, value: &Json) {
        match value {
            Json::Object(object) => {
                let Some(schema) = run.map.get("unevaluatedProperties") else { return };
                for name in std::mem::take(&mut run.rest.names) {
                    if let Some(value) = object.get(&name) {
                        let outcome = self.part(run, schema, value, &name);
                        run.take(outcome);
                    }
                }
            }
            Json::Array(items) => {
                let Some(schema) = run.map.get("unevaluatedItems") else { return };
                for place in std::mem::take(&mut run.rest.places) {
                    if let Some(value) = items.get(place) {
                        let outcome = self.part(run, schema, value, &place.to_string());
                        run.take(outcome);
                    }
                }
            }
            _ => {}
        }
    }
}

fn all_of(value: &Json, needed: bool) -> Rest {
    let mut rest = Rest::default();
    match value {
        Json::Object(object) if needed => rest.names = object.keys().cloned().collect(),
        Json::Array(items) if needed => rest.places = (0..items.len()).collect(),
        _ => {}
    }
    rest
}

/// What a schema must account for, if somebody asks.
fn rest_of(map: &Map<String, Json>, draft: Draft, value: &Json, needed: bool) -> Rest {
    match value {
        Json::Object(_) => {
            let asked = needed || (draft >= Draft::D2019 && map.contains_key("unevaluatedProperties"));
            all_of(value, asked && !map.contains_key("additionalProperties"))
        }
        Json::Array(_) => {
            let asked = needed || (draft >= Draft::D2019 && map.contains_key("unevaluatedItems"));
            let tuple = map.get(if draft >= Draft::D2020 { "prefixItems" } else { "items" });
            let tuple = tuple.and_then(Json::as_array);
            let whole = match (draft >= Draft::D2020, tuple) {
                (true, _) | (false, None) => map.contains_key("items"),
                (false, Some(_)) => map.contains_key("additionalItems"),
            };
            let mut rest = all_of(value, asked && !whole);
            let seen = tuple.map_or(0, Vec::len);
            rest.places.retain(|place| *place >= seen);
            rest
        }
        _ => Rest::default(),
    }
}

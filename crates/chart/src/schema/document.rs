//! A schema document: its parts, and what their references mean.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use regex::bytes::Regex;
use serde_json::{Map, Value as Json};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    D4,
    D6,
    D7,
    D2019,
    D2020,
}

/// Part of a document with an address of its own.
pub(super) struct Resource<'s> {
    uri: String,
    pub(super) draft: Draft,
    node: &'s Json,
    anchors: HashMap<&'s str, &'s Json>,
    pub(super) dynamic_anchors: HashMap<&'s str, &'s Json>,
}

/// Schemas in schemas, deep.
const DEEPEST: usize = 128;
/// Largest compiled pattern, in bytes.
const PATTERN_SIZE: usize = 1 << 20;
const HOME: &str = "file:///values.schema.json";

pub(super) struct Document<'s> {
    pub(super) resources: Vec<Resource<'s>>,
    /// The resource of each node that begins one, by its address in memory.
    starts: HashMap<usize, usize>,
    /// Expressions, compiled when they are used.
    patterns: HashMap<&'s str, OnceCell<Option<Regex>>>,
    /// The first expression that could not be used, and why.
    unusable: RefCell<Option<String>>,
    /// Nodes that were collected.
    seen: HashSet<usize>,
    /// Addresses of documents that are not downloaded.
    pub(super) remote: BTreeSet<String>,
}

/// A schema with the resource it belongs to.
#[derive(Clone, Copy)]
pub(super) struct Place<'s> {
    pub(super) node: &'s Json,
    pub(super) resource: usize,
}

pub(super) enum Target<'s> {
    Schema(Place<'s>),
    /// Something that admits everything.
    Anything,
    /// A document in the network, by its address: nothing is downloaded, so it admits everything.
    Remote(String),
}

fn address(node: &Json) -> usize {
    std::ptr::from_ref(node) as usize
}

impl<'s> Document<'s> {
    pub(super) fn new(root: &'s Json) -> Result<Document<'s>, String> {
        let mut document = Document {
            resources: Vec::new(),
            starts: HashMap::new(),
            patterns: HashMap::new(),
            unusable: RefCell::default(),
            seen: HashSet::new(),
            remote: BTreeSet::new(),
        };
        let draft = draft_of(root, Draft::D2020)?;
        let uri = match root.as_object().and_then(|map| id(map, draft)) {
            Some(id) => join(HOME, id),
            None => HOME.to_owned(),
        };
        document.start(root, uri, draft);
        document.seen.insert(address(root));
        document.collect(Place { node: root, resource: 0 }, 0)?;
        // Only what is used must have references that lead somewhere: no definition that nothing refers to.
        let mut used = HashSet::new();
        let mut waiting = VecDeque::from([Place { node: root, resource: 0 }]);
        while let Some(place) = waiting.pop_front() {
            if used.insert(address(place.node)) {
                document.targets(place, &mut waiting)?;
            }
        }
        Ok(document)
    }

    fn start(&mut self, node: &'s Json, uri: String, draft: Draft) -> usize {
        let place = self.resources.len();
        let (anchors, dynamic_anchors) = (HashMap::new(), HashMap::new());
        self.resources.push(Resource { uri, draft, node, anchors, dynamic_anchors });
        self.starts.insert(address(node), place);
        place
    }

    /// Finds resources, anchors and patterns.
    fn collect(&mut self, at: Place<'s>, depth: usize) -> Result<(), String> {
        if depth > DEEPEST {
            return Err(format!("unable to validate schema: it is nested more than {DEEPEST} deep"));
        }
        let Json::Object(map) = at.node else { return Ok(()) };
        let mut at = at;
        if let Some(outer) = self.resources.get(at.resource)
            && !std::ptr::eq(outer.node, at.node)
        {
            let draft = draft_of(at.node, outer.draft)?;
            if let Some(id) = id(map, draft) {
                let uri = join(&outer.uri, id);
                at.resource = self.start(at.node, uri, draft);
            }
        }
        if let Some(resource) = self.resources.get_mut(at.resource) {
            let text = |key: &str| map.get(key).and_then(Json::as_str);
            if resource.draft >= Draft::D2019 {
                resource.anchors.extend(text("$anchor").map(|name| (name, at.node)));
            } else if !map.contains_key("$ref") {
                let key = if resource.draft == Draft::D4 { "id" } else { "$id" };
                let name = text(key).and_then(|id| id.split_once('#')).map(|(_, name)| name);
                resource.anchors.extend(name.filter(|name| !name.is_empty()).map(|name| (name, at.node)));
            }
            if resource.draft >= Draft::D2020
                && let Some(name) = text("$dynamicAnchor")
            {
                resource.anchors.insert(name, at.node);
                resource.dynamic_anchors.insert(name, at.node);
            }
        }
        let patterns = map.get("pattern").and_then(Json::as_str).into_iter().chain(
            map.get("patternProperties")
                .and_then(Json::as_object)
                .into_iter()
                .flatten()
                .map(|(key, _)| key.as_str()),
        );
        for pattern in patterns {
            if !self.patterns.contains_key(pattern) {
                sprig::check_regex(pattern.as_bytes()).map_err(|why| invalid(pattern, &why))?;
                self.patterns.insert(pattern, OnceCell::new());
            }
        }
        let draft = self.draft(at.resource);
        for node in sub_schemas(map, draft) {
            self.seen.insert(address(node));
            self.collect(Place { node, resource: at.resource }, depth + 1)?;
        }
        Ok(())
    }

    /// What a schema uses: where its references lead, and its parts.
    fn targets(&mut self, at: Place<'s>, found: &mut VecDeque<Place<'s>>) -> Result<(), String> {
        let Json::Object(map) = at.node else { return Ok(()) };
        let resource = self.resource_at(at.node, at.resource);
        let draft = self.draft(resource);
        for (key, since) in
            [("$ref", Draft::D4), ("$recursiveRef", Draft::D2019), ("$dynamicRef", Draft::D2020)]
        {
            if draft >= since
                && let Some(reference) = map.get(key).and_then(Json::as_str)
            {
                match self.resolve(reference, resource)? {
                    Target::Schema(place) => {
                        // It may be no schema by its keyword: it counts from now on.
                        if self.seen.insert(address(place.node)) {
                            let draft = draft_of(place.node, self.draft(place.resource))?;
                            let base = self.resources.get(place.resource).map_or(HOME, |base| &base.uri);
                            let fragment = reference.split_once('#').map_or("", |(_, fragment)| fragment);
                            super::meta::validate(&format!("{base}#{fragment}"), place.node, draft)?;
                            self.collect(place, 0)?;
                        }
                        found.push_back(place);
                    }
                    Target::Anything => {}
                    Target::Remote(address) => _ = self.remote.insert(address),
                }
            }
        }
        if draft >= Draft::D2019 || !map.get("$ref").is_some_and(Json::is_string) {
            found.extend(used_parts(map, draft).map(|node| Place { node, resource }));
        }
        Ok(())
    }

    fn resource_at(&self, node: &Json, outer: usize) -> usize {
        self.starts.get(&address(node)).copied().unwrap_or(outer)
    }

    /// A schema within another.
    pub(super) fn inner(&self, node: &'s Json, outer: usize) -> Place<'s> {
        Place { node, resource: self.resource_at(node, outer) }
    }

    /// The first node of a resource.
    pub(super) fn root_of(&self, resource: usize) -> Option<Place<'s>> {
        self.resources.get(resource).map(|found| Place { node: found.node, resource })
    }

    pub(super) fn draft(&self, resource: usize) -> Draft {
        self.resources.get(resource).map_or(Draft::D2020, |resource| resource.draft)
    }

    pub(super) fn matches(&self, pattern: &str, text: &str) -> bool {
        let Some(place) = self.patterns.get(pattern) else { return false };
        let compiled = place.get_or_init(|| {
            let compiled = sprig::compile_regex(pattern.as_bytes(), PATTERN_SIZE);
            if let Err(why) = &compiled {
                self.unusable.borrow_mut().get_or_insert_with(|| invalid(pattern, why));
            }
            compiled.ok()
        });
        compiled.as_ref().is_some_and(|regex| regex.is_match(text.as_bytes()))
    }

    /// Why what was found so far may be wrong.
    pub(super) fn unusable(&self) -> Option<String> {
        self.unusable.borrow().clone()
    }

    pub(super) fn resolve(&self, reference: &str, from: usize) -> Result<Target<'s>, String> {
        let base = self.resources.get(from).map(|resource| resource.uri.as_str()).unwrap_or(HOME);
        let (uri, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let uri: Cow<'_, str> = if uri.is_empty() { base.into() } else { join(base, uri).into() };
        let place = self.resources.iter().position(|resource| resource.uri == uri);
        let place = place.or_else(|| (uri == HOME).then_some(0));
        let Some((place, resource)) = place.and_then(|place| Some((place, self.resources.get(place)?)))
        else {
            let bare = uri.trim_start_matches("https://").trim_start_matches("http://");
            if uri.starts_with("urn:") || bare.starts_with("json-schema.org/") {
                return Ok(Target::Anything);
            }
            // Helm downloads it. A chart must not fail for what only checks it, so that part is not checked.
            if bare.len() < uri.len() {
                return Ok(Target::Remote(uri.into_owned()));
            }
            let problem = "references to other documents are not followed";
            return Err(format!("failing loading {}: {problem}", gotemplate::quote(uri.as_bytes())));
        };
        let fragment = percent_decoded(fragment);
        let shown = || gotemplate::quote(format!("{uri}#{fragment}").as_bytes());
        if fragment.is_empty() {
            return Ok(Target::Schema(Place { node: resource.node, resource: place }));
        }
        if !fragment.starts_with('/') {
            let found = resource.anchors.get(&*fragment).copied();
            let node = found.ok_or_else(|| format!("anchor in {} not found in schema {HOME:?}", shown()))?;
            return Ok(Target::Schema(Place { node, resource: self.resource_at(node, place) }));
        }
        let mut at = Place { node: resource.node, resource: place };
        for part in fragment.split('/').skip(1) {
            let part = unescaped(part);
            let next = match at.node {
                Json::Object(map) => map.get(&*part),
                Json::Array(items) => part.parse().ok().and_then(|i: usize| items.get(i)),
                _ => None,
            };
            let node = next.ok_or_else(|| format!("json-pointer in {} not found", shown()))?;
            at = Place { node, resource: self.resource_at(node, at.resource) };
        }
        Ok(Target::Schema(at))
    }
}

fn invalid(pattern: &str, why: &str) -> String {
    format!("invalid regex {} in values.schema.json: {why}", gotemplate::quote(pattern.as_bytes()))
}

pub(super) fn draft_of(node: &Json, outer: Draft) -> Result<Draft, String> {
    let Some(schema) = node.get("$schema").and_then(Json::as_str) else { return Ok(outer) };
    let bare = schema.strip_suffix('#').unwrap_or(schema);
    let bare = bare.strip_prefix("http://").or_else(|| bare.strip_prefix("https://")).unwrap_or(bare);
    match bare {
        "json-schema.org/schema" | "json-schema.org/draft/2020-12/schema" => Ok(Draft::D2020),
        "json-schema.org/draft/2019-09/schema" => Ok(Draft::D2019),
        "json-schema.org/draft-07/schema" => Ok(Draft::D7),
        "json-schema.org/draft-06/schema" => Ok(Draft::D6),
        "json-schema.org/draft-04/schema" => Ok(Draft::D4),
        _ => {
            let shown = gotemplate::quote(schema.as_bytes());
            Err(format!("failing loading {shown}: references to other documents are not followed"))
        }
    }
}

fn id(map: &Map<String, Json>, draft: Draft) -> Option<&str> {
    if draft < Draft::D2019 && map.contains_key("$ref") {
        return None;
    }
    let id = map.get(if draft == Draft::D4 { "id" } else { "$id" })?.as_str()?;
    let id = id.split('#').next().unwrap_or_default();
    (!id.is_empty()).then_some(id)
}

/// How the schemas of a keyword stand.
#[derive(Clone, Copy)]
enum Shape {
    One,
    List,
    Map,
    OneOrList,
}

/// Keywords with schemas, in the order in which Helm's library looks at them: it tells the first problem.
const KEYWORDS: &[(&str, Shape)] = &[
    ("allOf", Shape::List),
    ("anyOf", Shape::List),
    ("oneOf", Shape::List),
    ("not", Shape::One),
    ("items", Shape::OneOrList),
    ("additionalItems", Shape::One),
    ("properties", Shape::Map),
    ("patternProperties", Shape::Map),
    ("additionalProperties", Shape::One),
    ("dependencies", Shape::Map),
    ("contains", Shape::One),
    ("propertyNames", Shape::One),
    ("if", Shape::One),
    ("then", Shape::One),
    ("else", Shape::One),
    ("dependentSchemas", Shape::Map),
    ("unevaluatedItems", Shape::One),
    ("unevaluatedProperties", Shape::One),
    ("contentSchema", Shape::One),
    ("prefixItems", Shape::List),
    ("definitions", Shape::Map),
    ("$defs", Shape::Map),
];

/// The schemas under the chosen keywords.
fn parts(map: &Map<String, Json>, chosen: impl Fn(&str) -> bool) -> impl Iterator<Item = &Json> {
    // Most schemas have a few keys: they are looked up among the keywords, not the other way round.
    let keyword = |key: &str| KEYWORDS.iter().position(|(keyword, _)| *keyword == key);
    let mut given: Vec<(usize, &Json)> = map
        .iter()
        .filter(|(key, _)| chosen(key))
        .filter_map(|(key, value)| Some((keyword(key)?, value)))
        .collect();
    given.sort_unstable_by_key(|(place, _)| *place);
    let nodes = given.into_iter().flat_map(|(place, value)| {
        let shape = KEYWORDS.get(place).map(|(_, shape)| *shape);
        let (list, table, one) = match (shape, value) {
            (Some(Shape::List | Shape::OneOrList), Json::Array(items)) => (Some(items), None, None),
            (Some(Shape::Map), Json::Object(map)) => (None, Some(map), None),
            (Some(Shape::One | Shape::OneOrList), value) => (None, None, Some(value)),
            _ => (None, None, None),
        };
        list.into_iter().flatten().chain(table.into_iter().flat_map(Map::values)).chain(one)
    });
    nodes.filter(|node| node.is_object())
}

/// The parts that are schemas in a draft.
fn sub_schemas(map: &Map<String, Json>, draft: Draft) -> impl Iterator<Item = &Json> {
    parts(map, move |key| draft >= since(key))
}

/// The first draft that knows a keyword with schemas.
fn since(key: &str) -> Draft {
    match key {
        "contains" | "propertyNames" => Draft::D6,
        "if" | "then" | "else" => Draft::D7,
        "$defs" | "contentSchema" | "dependentSchemas" | "unevaluatedItems" | "unevaluatedProperties" => {
            Draft::D2019
        }
        "prefixItems" => Draft::D2020,
        _ => Draft::D4,
    }
}

/// The parts that a draft looks at.
fn used_parts(map: &Map<String, Json>, draft: Draft) -> impl Iterator<Item = &Json> {
    let listed = map.get("items").is_some_and(Json::is_array);
    let applies = move |key: &str| match key {
        "definitions" | "$defs" | "contentSchema" => false,
        "then" | "else" => draft >= since(key) && map.contains_key("if"),
        "additionalItems" => draft < Draft::D2020 && listed,
        "items" => draft < Draft::D2020 || !listed,
        key => draft >= since(key),
    };
    parts(map, applies)
}

/// A reference relative to an address.
fn join(base: &str, reference: &str) -> String {
    let scheme = |text: &str| {
        let (scheme, _) = text.split_once(':')?;
        let valid = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        valid.then_some(scheme.len())
    };
    let Some(end) = scheme(base).filter(|_| scheme(reference).is_none()) else { return reference.to_owned() };
    let (scheme, rest) = base.split_at(end + 1);
    if reference.starts_with("//") {
        return format!("{scheme}{reference}");
    }
    let Some(rest) = rest.strip_prefix("//") else { return reference.to_owned() };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if reference.starts_with('/') {
        reference.to_owned()
    } else {
        let folder = path.rfind('/').and_then(|slash| path.get(..=slash)).unwrap_or("/");
        format!("{folder}{reference}")
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    format!("{scheme}//{host}/{}", parts.join("/"))
}

/// A part of a JSON pointer.
fn unescaped(part: &str) -> Cow<'_, str> {
    if part.contains('~') { part.replace("~1", "/").replace("~0", "~").into() } else { part.into() }
}

fn percent_decoded(text: &str) -> Cow<'_, str> {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_joined() {
        assert_eq!(join(HOME, "defs.json"), "file:///defs.json");
        assert_eq!(join("https://x.y/a/b", "../c"), "https://x.y/c");
        assert_eq!(join("https://x.y/a/b", "/c"), "https://x.y/c");
        assert_eq!(join(HOME, "https://x.y/a"), "https://x.y/a");
        assert_eq!(percent_decoded("a%25b%"), "a%b%");
    }
}

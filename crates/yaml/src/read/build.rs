//! Tokens to values: the grammar, anchors and aliases, merge keys, tags.

use std::collections::HashMap;

use super::ReadLimits;
use super::scan::Scanner;
use super::token::{Mark, Token, TokenKind};
use crate::error::{ReadError, ScalarError};
use crate::scalar::LAST_COLUMN;
use crate::{Entry, Map, Plain, Profile, Resolved, Scalar, Style, Tag, Text, Value, resolve_plain};

/// The first document of `text`, which stands `line` lines into its file.
pub(super) fn first(
    text: &str,
    line: u32,
    profile: Profile,
    limits: &ReadLimits,
) -> Result<Option<Value>, ReadError> {
    read(text, line, profile, limits, |builder| builder.document(true))
}

/// What `build` makes of a text. If it fails with an error that shows keys of mappings, it is done again for that.
fn read<'a, T>(
    text: &'a str,
    line: u32,
    profile: Profile,
    limits: &ReadLimits,
    build: impl Fn(&mut Builder<'a, '_>) -> Result<T, ReadError>,
) -> Result<T, ReadError> {
    let mut builder = Builder::new(text, line, profile, limits);
    let built = build(&mut builder);
    if !builder.shows_keys {
        return built;
    }
    build(&mut Builder { ranks_keys: true, ..Builder::new(text, line, profile, limits) })
}

/// As [`first`], where `text` goes on with something that cannot be read; none if that is met.
pub(super) fn first_within(
    text: &str,
    profile: Profile,
    limits: &ReadLimits,
) -> Option<Result<Option<Value>, ReadError>> {
    let mut builder = Builder::new(text, 0, profile, limits);
    let document = builder.document(true);
    if builder.scanner.is_near_end() {
        return None;
    }
    Some(if builder.shows_keys { first(text, 0, profile, limits) } else { document })
}

/// As [`first`], without the values of other keys than `keys`; everything if one of those is no value of JSON.
pub(super) fn first_keys(
    text: &str,
    profile: Profile,
    limits: &ReadLimits,
    keys: &[&str],
) -> Result<Option<Value>, ReadError> {
    let mut builder = Builder::new(text, 0, profile, limits);
    if matches!(builder.scanner.peek()?.kind, TokenKind::BlockMappingStart) {
        builder.keys = Some(keys);
    }
    let document = builder.document(true);
    if builder.shows_keys || builder.is_odd { first(text, 0, profile, limits) } else { document }
}

/// As [`first`] in go-yaml v3, and takes what its aliases add off the limit.
pub(super) fn counted(text: &str, line: u32, limits: &mut ReadLimits) -> Result<Option<Value>, ReadError> {
    let mut builder = Builder::new(text, line, Profile::V3, limits);
    let document = builder.document(true);
    limits.alias_nodes = builder.alias_nodes_left;
    document
}

/// Every document of `text`.
pub(super) fn all(text: &str, profile: Profile, limits: &ReadLimits) -> Result<Vec<Value>, ReadError> {
    read(text, 0, profile, limits, |builder| {
        let mut documents = Vec::new();
        while let Some(document) = builder.document(documents.is_empty())? {
            documents.push(document);
        }
        Ok(documents)
    })
}

/// Which collections may stand where a node is expected.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// In a flow collection: only flow collections.
    Flow,
    /// At the top or in a block sequence.
    Block,
    /// In a block mapping, where a sequence may stand at the mapping's own indentation.
    BlockMapping,
}

/// A key that JSON has no room for.
struct Unsupported {
    key: String,
    mark: Mark,
    error: ReadError,
}

/// Tag and anchor in front of a node.
#[derive(Default)]
struct Properties<'a> {
    anchor: Option<&'a str>,
    tag: Option<String>,
    mark: Mark,
}

struct Builder<'a, 'k> {
    scanner: Scanner<'a>,
    profile: Profile,
    /// Anchors by name; `None` while the anchored node is being read.
    anchors: HashMap<&'a str, Option<Value>>,
    /// Prefixes by handle, from `%TAG`.
    tag_prefixes: Vec<(&'a str, String)>,
    alias_nodes_left: usize,
    /// What Go finds wrong only once it has read the whole document: the first such thing.
    later: Option<ReadError>,
    /// What Go finds wrong behind all that: the first such key.
    unsupported: Option<Unsupported>,
    /// The keys that count in the mapping that comes next.
    keys: Option<&'k [&'k str]>,
    /// What is read is only checked, and nothing is built from it.
    drops: bool,
    /// Something was dropped that JSON cannot carry.
    is_odd: bool,
    /// An error shows a mapping with its keys.
    shows_keys: bool,
    /// Keys are [`ranked`](super::key::ranked), to be shown as they are.
    ranks_keys: bool,
}

impl<'a, 'k> Builder<'a, 'k> {
    fn new(text: &'a str, line: u32, profile: Profile, limits: &ReadLimits) -> Builder<'a, 'k> {
        Builder {
            scanner: Scanner::new(text, line, profile, limits),
            profile,
            anchors: HashMap::new(),
            tag_prefixes: Vec::new(),
            alias_nodes_left: limits.alias_nodes,
            later: None,
            unsupported: None,
            keys: None,
            drops: false,
            is_odd: false,
            shows_keys: false,
            ranks_keys: false,
        }
    }

    fn skip(&mut self) -> Result<(), ReadError> {
        self.scanner.next().map(drop)
    }

    /// Takes the next token if it is `wanted`.
    fn take(&mut self, wanted: &TokenKind<'_>) -> Result<bool, ReadError> {
        let found = self.scanner.peek()?.kind == *wanted;
        if found {
            self.skip()?;
        }
        Ok(found)
    }

    fn mark(&mut self) -> Result<Mark, ReadError> {
        Ok(self.scanner.peek()?.mark)
    }

    /// The next document; only the `first` one of a stream may start without `---`.
    fn document(&mut self, first: bool) -> Result<Option<Value>, ReadError> {
        self.tag_prefixes.clear();
        self.anchors.clear();
        while !first && self.take(&TokenKind::DocumentEnd)? {}
        let mut explicit = true;
        match self.scanner.peek()?.kind {
            TokenKind::StreamEnd => return Ok(None),
            TokenKind::VersionDirective { .. }
            | TokenKind::TagDirective { .. }
            | TokenKind::DocumentStart => {
                self.directives()?;
                if !self.take(&TokenKind::DocumentStart)? {
                    return self.fail("did not find expected <document start>");
                }
            }
            _ if first => explicit = false,
            _ => return self.fail("did not find expected <document start>"),
        }
        let mark = self.mark()?;
        let value = match self.scanner.peek()?.kind {
            TokenKind::VersionDirective { .. }
            | TokenKind::TagDirective { .. }
            | TokenKind::DocumentStart
            | TokenKind::DocumentEnd
            | TokenKind::StreamEnd
                if explicit =>
            {
                empty(mark)
            }
            _ => self.node(Place::Block)?,
        };
        self.take(&TokenKind::DocumentEnd)?;
        match self.later.take().or(self.unsupported.take().map(|found| found.error)) {
            Some(error) => Err(error),
            None => Ok(Some(value)),
        }
    }

    fn fail<T>(&mut self, message: impl Into<String>) -> Result<T, ReadError> {
        let mark = self.mark()?;
        Err(self.scanner.error_at(mark, message))
    }

    fn directives(&mut self) -> Result<(), ReadError> {
        let mut version_seen = false;
        loop {
            let mark = self.mark()?;
            match &self.scanner.peek()?.kind {
                TokenKind::VersionDirective { major, minor } => {
                    let known = (*major, *minor) == (1, 1);
                    if std::mem::replace(&mut version_seen, true) {
                        return Err(self.scanner.error_at(mark, "found duplicate %YAML directive"));
                    }
                    if !known {
                        return Err(self.scanner.error_at(mark, "found incompatible YAML document"));
                    }
                    self.skip()?;
                }
                TokenKind::TagDirective { .. } => {
                    if let TokenKind::TagDirective { handle, prefix } = self.scanner.next()?.kind {
                        if self.tag_prefixes.iter().any(|(known, _)| *known == handle) {
                            return Err(self.scanner.error_at(mark, "found duplicate %TAG directive"));
                        }
                        self.tag_prefixes.push((handle, prefix));
                    }
                }
                _ => return Ok(()),
            }
        }
    }

    fn node(&mut self, place: Place) -> Result<Value, ReadError> {
        if let TokenKind::Alias(name) = self.scanner.peek()?.kind {
            let mark = self.scanner.next()?.mark;
            return self.alias(name, mark);
        }
        let properties = self.properties()?;
        if let Some(name) = properties.anchor {
            self.anchors.insert(name, None);
        }
        // What has a name may be wanted later.
        let drops = self.drops && properties.anchor.is_none();
        let value = self.dropping(drops, |builder| builder.content(place, &properties))?;
        if let Some(name) = properties.anchor {
            // An anchor of the same name inside is the later one, and stays.
            self.anchors.entry(name).and_modify(|known| _ = known.get_or_insert_with(|| value.clone()));
        }
        Ok(value)
    }

    /// Reads something that is dropped, or not.
    fn dropping<T>(&mut self, drops: bool, read: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.drops, drops);
        let found = read(self);
        self.drops = before;
        found
    }

    fn alias(&mut self, name: &'a str, mark: Mark) -> Result<Value, ReadError> {
        let value = match self.anchors.get(name) {
            None => return Err(self.scanner.error_at(mark, format!("unknown anchor '{name}' referenced"))),
            Some(None) if self.profile == Profile::V2 => {
                let message = format!("anchor '{name}' value contains itself");
                self.later.get_or_insert(ReadError::at(0, 0, message));
                return Ok(empty(mark));
            }
            Some(None) => {
                return Err(self.scanner.error_at(mark, format!("anchor '{name}' value contains itself")));
            }
            Some(Some(value)) => value,
        };
        match self.alias_nodes_left.checked_sub(count(value)) {
            Some(left) => self.alias_nodes_left = left,
            None => return Err(self.scanner.error_at(mark, "document contains excessive aliasing")),
        }
        Ok(value.clone())
    }

    /// Anchor and tag, each at most once, in either order.
    fn properties(&mut self) -> Result<Properties<'a>, ReadError> {
        let mut properties = Properties { mark: self.mark()?, ..Properties::default() };
        let mut tag = None;
        loop {
            match &self.scanner.peek()?.kind {
                TokenKind::Anchor(_) if properties.anchor.is_none() => {
                    if let TokenKind::Anchor(name) = self.scanner.next()?.kind {
                        properties.anchor = Some(name);
                    }
                }
                TokenKind::Tag { .. } if tag.is_none() => {
                    let Token { kind, mark } = self.scanner.next()?;
                    if let TokenKind::Tag { handle, suffix } = kind {
                        tag = Some((handle, suffix, mark));
                    }
                }
                _ => break,
            }
        }
        if let Some((handle, suffix, mark)) = tag {
            properties.tag = Some(self.full_tag(handle, suffix, mark)?);
        }
        Ok(properties)
    }

    /// A tag whose handle stands for something; what follows it has been looked at before.
    fn full_tag(&self, handle: &str, suffix: String, mark: Mark) -> Result<String, ReadError> {
        if handle.is_empty() {
            return Ok(suffix);
        }
        match (self.tag_prefixes.iter().find(|(known, _)| *known == handle), handle) {
            (Some((_, prefix)), _) => Ok(format!("{prefix}{suffix}")),
            (None, "!") => Ok(format!("!{suffix}")),
            (None, "!!") => Ok(format!("tag:yaml.org,2002:{suffix}")),
            _ => Err(self.scanner.error_at(mark, "found undefined tag handle")),
        }
    }

    fn content(&mut self, place: Place, properties: &Properties<'a>) -> Result<Value, ReadError> {
        match &self.scanner.peek()?.kind {
            TokenKind::Scalar { .. } => {
                if let TokenKind::Scalar { text, style } = self.scanner.next()?.kind {
                    if self.drops {
                        return Ok(Value::Scalar(self.dropped(&text, style, properties)));
                    }
                    return Ok(Value::Scalar(self.scalar(text.into(), style, properties)));
                }
            }
            TokenKind::BlockEntry if place == Place::BlockMapping => return self.indentless_sequence(),
            TokenKind::FlowSequenceStart => return self.flow_sequence(),
            TokenKind::FlowMappingStart => return self.flow_mapping(),
            TokenKind::BlockSequenceStart if place != Place::Flow => return self.block_sequence(),
            TokenKind::BlockMappingStart if place != Place::Flow => return self.block_mapping(),
            _ => {}
        }
        if properties.anchor.is_some() || properties.tag.is_some() {
            return Ok(Value::Scalar(self.scalar(Text::new(), Style::Plain, properties)));
        }
        self.fail("did not find expected node content")
    }

    fn scalar(&mut self, text: Text, style: Style, properties: &Properties<'_>) -> Scalar {
        let tag = match properties.tag.as_deref() {
            None | Some("!") if style != Style::Plain => Tag::Str,
            Some("!") if self.profile == Profile::V2 => Tag::Str,
            None | Some("!") => return self.plain(text, properties.mark),
            Some(tag) => match tag.strip_prefix("tag:yaml.org,2002:").or(tag.strip_prefix("!!")) {
                Some("str") => Tag::Str,
                Some("int") => Tag::Int,
                Some("float") => Tag::Float,
                Some("bool") => Tag::Bool,
                Some("null") => Tag::Null,
                Some("timestamp") => Tag::Timestamp,
                Some("binary") => Tag::Binary,
                Some("merge") if text == "<<" => Tag::Merge,
                _ => Tag::Custom,
            },
        };
        // With an explicit tag, quotes do not make a string.
        let style = if tag == Tag::Str { style } else { Style::Plain };
        let text = match (self.profile, tag) {
            (Profile::V2, Tag::Bool) => match resolve_plain(&text, Profile::V2) {
                Plain::Bool(value) => bool_word(value).into(),
                _ => text,
            },
            _ => text,
        };
        let scalar = place(Scalar::new(text, tag).with_style(style), properties.mark);
        if self.profile == Profile::V2
            && self.later.is_none()
            && let Err(error @ (ScalarError::Base64 { .. } | ScalarError::Tag { .. })) = scalar.resolve()
        {
            self.later = Some(ReadError::at(0, 0, error.without_line().to_string()));
        }
        scalar
    }

    /// A scalar of which only the type matters.
    fn dropped(&mut self, text: &str, style: Style, properties: &Properties<'_>) -> Scalar {
        let word = text.len() > LONGEST_WORD && text.starts_with(|c: char| c.is_ascii_alphabetic());
        if properties.tag.is_none() && (style != Style::Plain || word) {
            return Scalar::str(Text::new());
        }
        let scalar = self.scalar(text.into(), style, properties);
        self.is_odd |= match scalar.resolve() {
            Ok(Resolved::Float(value)) => !value.is_finite(),
            Ok(_) => false,
            Err(_) => true,
        };
        scalar
    }

    fn plain(&self, text: Text, mark: Mark) -> Scalar {
        let meaning = resolve_plain(&text, self.profile);
        let scalar = match (self.profile, meaning) {
            (Profile::V2, Plain::Bool(value)) => Scalar::new(bool_word(value), Tag::Bool),
            // v2 gives dates as the text they are written in.
            (Profile::V2, Plain::Timestamp(_)) => Scalar::new(text, Tag::Str),
            (_, meaning) => Scalar::new(text, meaning.tag()),
        };
        place(scalar, mark)
    }

    fn block_sequence(&mut self) -> Result<Value, ReadError> {
        self.skip()?;
        let mut items = Vec::new();
        loop {
            if self.take(&TokenKind::BlockEnd)? {
                return Ok(sequence(items));
            }
            let mark = self.mark()?;
            if !self.take(&TokenKind::BlockEntry)? {
                return self.fail("did not find expected '-' indicator");
            }
            if let Some(item) = self.plain_node()? {
                items.push(item);
                continue;
            }
            items.push(match self.scanner.peek()?.kind {
                TokenKind::BlockEntry | TokenKind::BlockEnd => empty(behind(mark)),
                _ => self.node(Place::Block)?,
            });
        }
    }

    fn indentless_sequence(&mut self) -> Result<Value, ReadError> {
        let mut items = Vec::new();
        loop {
            let mark = self.mark()?;
            if !self.take(&TokenKind::BlockEntry)? {
                return Ok(sequence(items));
            }
            if let Some(item) = self.plain_node()? {
                items.push(item);
                continue;
            }
            items.push(match self.scanner.peek()?.kind {
                TokenKind::BlockEntry | TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => {
                    empty(mark)
                }
                _ => self.node(Place::Block)?,
            });
        }
    }

    fn block_mapping(&mut self) -> Result<Value, ReadError> {
        self.skip()?;
        let keys = self.keys.take();
        let mut mapping = Mapping::default();
        loop {
            let (key, mark, value_mark);
            if let Some((text, begin, colon)) = self.scanner.take_plain_key()? {
                key = Some(self.plain((&*text).into(), begin));
                (mark, value_mark) = (begin, Some(colon));
            } else {
                if self.take(&TokenKind::BlockEnd)? {
                    return self.finish(mapping);
                }
                mark = self.mark()?;
                if !self.take(&TokenKind::Key)? {
                    return self.fail("did not find expected key");
                }
                let found = self.dropping(false, |builder| builder.block_mapping_part(mark))?;
                key = self.scalar_key(found, mark);
                let colon = self.mark()?;
                value_mark = self.take(&TokenKind::Value)?.then_some(colon);
            }
            let drops = (self.drops || keys.is_some()) && key.as_ref().is_some_and(|key| drops(key, keys));
            let value = match value_mark {
                Some(colon) => self.dropping(drops, |builder| builder.block_mapping_value(behind(colon)))?,
                None => empty(self.mark()?),
            };
            if !drops {
                self.add(&mut mapping, key, value, mark)?;
            }
        }
    }

    fn block_mapping_value(&mut self, mark: Mark) -> Result<Value, ReadError> {
        match self.plain_node()? {
            Some(value) => Ok(value),
            None => self.block_mapping_part(mark),
        }
    }

    /// The plain scalar without tag and anchor that comes next, if one does.
    fn plain_node(&mut self) -> Result<Option<Value>, ReadError> {
        let Some((text, mark)) = self.scanner.take_plain()? else { return Ok(None) };
        Ok(Some(Value::Scalar(if self.drops {
            self.dropped(&text, Style::Plain, &Properties { mark, ..Properties::default() })
        } else {
            self.plain((&*text).into(), mark)
        })))
    }

    fn block_mapping_part(&mut self, mark: Mark) -> Result<Value, ReadError> {
        match self.scanner.peek()?.kind {
            TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => Ok(empty(mark)),
            _ => self.node(Place::BlockMapping),
        }
    }

    fn flow_sequence(&mut self) -> Result<Value, ReadError> {
        self.skip()?;
        let mut items = Vec::new();
        loop {
            if self.take(&TokenKind::FlowSequenceEnd)? {
                return Ok(sequence(items));
            }
            if !items.is_empty() {
                if !self.take(&TokenKind::FlowEntry)? {
                    return self.fail("did not find expected ',' or ']'");
                }
                if self.take(&TokenKind::FlowSequenceEnd)? {
                    return Ok(sequence(items));
                }
            }
            let mark = self.mark()?;
            if !self.take(&TokenKind::Key)? {
                items.push(self.node(Place::Flow)?);
                continue;
            }
            // `[a: b]` is a sequence of one mapping.
            let mut mapping = Mapping::default();
            let key = match self.scanner.peek()?.kind {
                // libyaml, and go-yaml after it, pass over what shows that there is no key.
                TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowSequenceEnd => {
                    let end = self.scanner.next()?.mark;
                    empty_in_flow(self.profile, behind(end))
                }
                _ => self.node(Place::Flow)?,
            };
            let key = self.scalar_key(key, mark);
            let value = self.flow_value(&[TokenKind::FlowEntry, TokenKind::FlowSequenceEnd])?;
            self.add(&mut mapping, key, value, mark)?;
            items.push(self.finish(mapping)?);
        }
    }

    fn flow_mapping(&mut self) -> Result<Value, ReadError> {
        self.skip()?;
        let ends = [TokenKind::FlowEntry, TokenKind::FlowMappingEnd];
        let mut mapping = Mapping::default();
        let mut first = true;
        loop {
            if self.take(&TokenKind::FlowMappingEnd)? {
                return self.finish(mapping);
            }
            if !std::mem::take(&mut first) {
                if !self.take(&TokenKind::FlowEntry)? {
                    return self.fail("did not find expected ',' or '}'");
                }
                if self.take(&TokenKind::FlowMappingEnd)? {
                    return self.finish(mapping);
                }
            }
            let mark = self.mark()?;
            let (key, value);
            if self.take(&TokenKind::Key)? {
                let found = self
                    .flow_part(&[TokenKind::Value, TokenKind::FlowEntry, TokenKind::FlowMappingEnd], mark)?;
                key = self.scalar_key(found, mark);
                value = self.flow_value(&ends)?;
            } else {
                let found = self.node(Place::Flow)?;
                key = self.scalar_key(found, mark);
                value = empty_in_flow(self.profile, self.mark()?);
            }
            self.add(&mut mapping, key, value, mark)?;
        }
    }

    fn flow_value(&mut self, ends: &[TokenKind<'_>]) -> Result<Value, ReadError> {
        let mark = self.mark()?;
        if self.take(&TokenKind::Value)? {
            self.flow_part(ends, behind(mark))
        } else {
            Ok(empty_in_flow(self.profile, mark))
        }
    }

    fn flow_part(&mut self, ends: &[TokenKind<'_>], mark: Mark) -> Result<Value, ReadError> {
        let next = &self.scanner.peek()?.kind;
        if ends.iter().any(|end| end == next) {
            Ok(empty_in_flow(self.profile, mark))
        } else {
            self.node(Place::Flow)
        }
    }

    /// The key of a mapping; anything but a scalar is wrong, which counts once the document is read.
    fn scalar_key(&mut self, key: Value, mark: Mark) -> Option<Scalar> {
        let key = match key {
            Value::Scalar(key) => return Some(key),
            key => key,
        };
        if self.later.is_none() {
            self.later = Some(match self.profile {
                Profile::V2 => {
                    self.shows_keys = true;
                    ReadError::at(0, 0, format!("invalid map key: {}", super::key::go_syntax(&key)))
                }
                Profile::V3 => {
                    self.scanner.error_at(mark, "invalid map key: a mapping or sequence cannot be a key")
                }
            });
        }
        None
    }

    fn add(
        &mut self,
        mapping: &mut Mapping,
        key: Option<Scalar>,
        value: Value,
        mark: Mark,
    ) -> Result<(), ReadError> {
        let Some(key) = key else { return Ok(()) };
        if key.tag() == Tag::Merge {
            if self.profile == Profile::V2 {
                // There may be several, and each replaces what stands in front of it.
                let sources = match merge_sources(value) {
                    Ok(sources) => sources,
                    Err(_) => {
                        self.later.get_or_insert(ReadError::at(0, 0, MERGE_WANTS_MAP));
                        return Ok(());
                    }
                };
                for source in sources.into_iter().rev() {
                    for entry in source {
                        mapping.merged.push(entry.key.text().to_owned());
                        mapping.map.insert_entry(entry);
                    }
                }
                return Ok(());
            }
            if mapping.merge.replace((value, mark)).is_some() {
                return Err(self.scanner.error_at(mark, "duplicate merge key"));
            }
            return Ok(());
        }
        let key = match self.profile {
            Profile::V3 => key,
            Profile::V2 => match self.string_key(key, &value, mark) {
                Some(key) => key,
                None => return Ok(()),
            },
        };
        if self.profile == Profile::V2 {
            // The last one counts, and the caller may ask whether there was one before that was not merged.
            let merged = mapping.merged.iter().position(|merged| merged == key.text());
            if let Some(at) = merged {
                mapping.merged.swap_remove(at);
            }
            if let Some(before) = mapping.map.insert_entry(Entry { key: key.clone(), value })
                && merged.is_none()
            {
                mapping.map.mark_duplicate(Entry { key, value: before });
            }
            return Ok(());
        }
        if mapping.map.contains_key(key.text()) {
            mapping.map.mark_duplicate(Entry { key, value });
            return Ok(());
        }
        mapping.map.push(Entry { key, value });
        Ok(())
    }

    /// The key as sigs.k8s.io/yaml turns it into JSON.
    fn string_key(&mut self, key: Scalar, value: &Value, mark: Mark) -> Option<Scalar> {
        let meaning = match key.resolve() {
            Ok(meaning) => meaning,
            Err(error) => {
                self.later.get_or_insert(ReadError::at(0, 0, error.to_string()));
                return None;
            }
        };
        let text = match &meaning {
            Resolved::Str(_) if !self.ranks_keys => return Some(key),
            Resolved::Str(_) => None,
            Resolved::Int(value) => Some(value.to_string()),
            Resolved::Bool(value) => Some(value.to_string()),
            Resolved::Float(value) => Some(match gofloat::general_of_single(*value).as_str() {
                "+Inf" => ".inf".to_owned(),
                "-Inf" => "-.inf".to_owned(),
                "NaN" => ".nan".to_owned(),
                text => text.to_owned(),
            }),
            Resolved::Null => {
                self.refuse_key("%!s(<nil>)", "<nil>".to_owned(), value, mark);
                None
            }
            Resolved::UInt(key) => {
                self.refuse_key("uint64", format!("0x{key:x}"), value, mark);
                None
            }
        };
        let text = if self.ranks_keys { Some(super::key::ranked(&meaning)) } else { text };
        text.map(|text| place(Scalar::str(text), mark))
    }

    /// Notes a key of a type that JSON has no room for, as it is `shown`.
    fn refuse_key(&mut self, kind: &str, shown: String, value: &Value, mark: Mark) {
        // The last value of a key counts, and the key counts before what is in its value.
        let counts = self.unsupported.as_ref().is_none_or(|known| {
            known.key == shown || (known.mark.line, known.mark.column) > (mark.line, mark.column)
        });
        if !counts {
            return;
        }
        let value = if value.is_null() {
            "<nil>".to_owned()
        } else {
            self.shows_keys = true;
            super::key::go_syntax(value)
        };
        let message = format!("unsupported map key of type: {kind}, key: {shown}, value: {value}");
        self.unsupported = Some(Unsupported { key: shown, mark, error: ReadError::at(0, 0, message) });
    }

    /// Adds what `<<` names in go-yaml v3: earlier mappings of a list win over later ones, own keys over all.
    fn finish(&self, mapping: Mapping) -> Result<Value, ReadError> {
        let Mapping { mut map, merge, .. } = mapping;
        map.shrink();
        let Some((value, mark)) = merge else { return Ok(Value::Map(map)) };
        let sources = merge_sources(value).map_err(|problem| self.scanner.error_at(mark, problem))?;
        for entry in sources.into_iter().flatten() {
            if !map.contains_key(entry.key.text()) {
                map.push(entry);
            }
        }
        Ok(Value::Map(map))
    }
}

/// The mappings that `<<` names, or what is wrong with them.
fn merge_sources(value: Value) -> Result<Vec<Map>, &'static str> {
    match value {
        Value::Map(source) => Ok(vec![source]),
        Value::Seq(items) => items
            .into_iter()
            .map(|item| match item {
                Value::Map(source) => Ok(source),
                Value::Seq(_) => Err("invalid map merge: received a nested sequence"),
                Value::Scalar(_) => Err(MERGE_WANTS_MAP),
            })
            .collect(),
        Value::Scalar(_) => Err(MERGE_WANTS_MAP),
    }
}

/// No plain scalar that begins with a letter and is longer has a meaning of its own: the longest is `false`.
const LONGEST_WORD: usize = 5;

/// Whether the value of a key is dropped, where only `keys` are kept if there are any. Keys whose values errors may show are
/// not for dropping.
fn drops(key: &Scalar, keys: Option<&[&str]>) -> bool {
    let is_wanted =
        |text: &str| keys.is_some_and(|keys| keys.iter().any(|key| key.eq_ignore_ascii_case(text)));
    key.as_str().is_some_and(|text| !is_wanted(text))
}

const MERGE_WANTS_MAP: &str = "map merge requires map or sequence of maps as the value";

/// A mapping while it is read.
#[derive(Default)]
struct Mapping {
    map: Map,
    /// What `<<` names, in go-yaml v3.
    merge: Option<(Value, Mark)>,
    /// Keys that a `<<` has set, in go-yaml v2.
    merged: Vec<String>,
}

/// A boolean in the words of v3, which the rest of the program knows: v2 has more.
fn bool_word(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn sequence(mut items: Vec<Value>) -> Value {
    items.shrink_to_fit();
    Value::Seq(items)
}

fn place(scalar: Scalar, mark: Mark) -> Scalar {
    let column = u16::try_from(mark.column.saturating_add(1)).unwrap_or(u16::MAX).min(LAST_COLUMN);
    scalar.at(mark.line.saturating_add(1), column)
}

fn empty(mark: Mark) -> Value {
    Value::Scalar(place(Scalar::new("", Tag::Null), mark))
}

/// Nothing behind an indicator in a flow collection: a null that turns into an empty string when go-yaml has written
/// it and read it again, because it writes quotes there.
fn empty_in_flow(profile: Profile, mark: Mark) -> Value {
    let style = if profile == Profile::V3 { Style::SingleQuoted } else { Style::Plain };
    Value::Scalar(place(Scalar::new("", Tag::Null).with_style(style), mark))
}

/// The place behind a one-character indicator.
fn behind(mark: Mark) -> Mark {
    Mark { line: mark.line, column: mark.column.saturating_add(1) }
}

fn count(value: &Value) -> usize {
    match value {
        // Texts are shared here, but not in what is made of them.
        Value::Scalar(scalar) => 1 + scalar.text().len() / 64,
        Value::Seq(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Map(map) => 1 + map.values().map(|value| 1 + count(value)).sum::<usize>(),
    }
}

//! Scalars: text, tag, style and where they stood.

use std::borrow::Cow;

use crate::error::ScalarError;
use crate::resolve::{Plain, resolve_plain};
use crate::{Profile, Text};

/// A scalar's type, as go-yaml's tags name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tag {
    /// `!!str`
    Str,
    /// `!!int`
    Int,
    /// `!!float`
    Float,
    /// `!!bool`
    Bool,
    /// `!!null`
    Null,
    /// `!!timestamp`
    Timestamp,
    /// `!!binary`
    Binary,
    /// `!!merge`: the plain key `<<`.
    Merge,
    /// A tag of the application (`!foo`): carried as a string.
    Custom,
}

impl Tag {
    /// The tag as YAML writes it in short form.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Tag::Str => "!!str",
            Tag::Int => "!!int",
            Tag::Float => "!!float",
            Tag::Bool => "!!bool",
            Tag::Null => "!!null",
            Tag::Timestamp => "!!timestamp",
            Tag::Binary => "!!binary",
            Tag::Merge => "!!merge",
            Tag::Custom => "!",
        }
    }
}

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Style {
    /// Without quotes.
    #[default]
    Plain,
    /// `'…'`
    SingleQuoted,
    /// `"…"`
    DoubleQuoted,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

/// Instead of a column: the scalar shares its node with others, and has the number of that instead of a line.
const SHARED: u16 = u16::MAX;

/// Instead of a column: the scalar has no tag of its own.
const UNTAGGED: u16 = u16::MAX - 1;

/// The last column that is told apart from those behind it.
pub(crate) const LAST_COLUMN: u16 = u16::MAX - 2;

/// A scalar node: 24 bytes and cheap to clone.
///
/// Equality compares tag and text: `1.0` and `1` differ, `"a"` and `a` do not.
#[derive(Debug, Clone)]
pub struct Scalar {
    text: Text,
    line: u32,
    column: u16,
    tag: Tag,
    style: Style,
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        self.tag == other.tag && self.text == other.text
    }
}

impl Eq for Scalar {}

/// What a scalar means, as go-yaml v3 decodes it into `any`.
#[derive(Debug, Clone, PartialEq)]
pub enum Resolved<'a> {
    /// null
    Null,
    /// true or false
    Bool(bool),
    /// An integer that fits.
    Int(i64),
    /// An integer above `i64::MAX`.
    UInt(u64),
    /// Any other number, `.inf` and `.nan` included.
    Float(f64),
    /// A string; timestamps come out in RFC 3339, as Go's JSON writes them.
    Str(Cow<'a, str>),
}

impl Scalar {
    /// A scalar with an explicit tag, in plain style, without a position.
    #[must_use]
    pub fn new(text: impl Into<Text>, tag: Tag) -> Scalar {
        Scalar { text: text.into(), line: 0, column: 0, tag, style: Style::Plain }
    }

    /// A string.
    #[must_use]
    pub fn str(text: impl Into<Text>) -> Scalar {
        Scalar::new(text, Tag::Str)
    }

    /// A scalar as if `text` stood unquoted in YAML: its tag is resolved from the text.
    #[must_use]
    pub fn plain(text: impl Into<Text>) -> Scalar {
        let text = text.into();
        let tag = resolve_plain(&text, Profile::V3).tag();
        Scalar::new(text, tag)
    }

    /// The same scalar written in `style`.
    #[must_use]
    pub fn with_style(mut self, style: Style) -> Scalar {
        self.style = style;
        self
    }

    /// The same scalar at a position, both counted from 1.
    #[must_use]
    pub fn at(mut self, line: u32, column: u16) -> Scalar {
        self.line = line;
        self.column = column;
        self
    }

    /// The text without quotes or escapes, whatever the tag.
    #[inline]
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text, shared.
    #[must_use]
    pub fn shared_text(&self) -> Text {
        self.text.clone()
    }

    /// The type.
    #[inline]
    #[must_use]
    pub fn tag(&self) -> Tag {
        self.tag
    }

    /// How it was written.
    #[inline]
    #[must_use]
    pub fn style(&self) -> Style {
        self.style
    }

    /// Line in the source, counted from 1; 0 when it was not read from a source.
    #[inline]
    #[must_use]
    pub fn line(&self) -> u32 {
        if self.column == SHARED { 0 } else { self.line }
    }

    /// Column in the source, counted from 1; 0 when it was not read from a source.
    #[must_use]
    pub fn column(&self) -> u16 {
        if self.column > LAST_COLUMN { 0 } else { self.column }
    }

    /// The same scalar, without a position, as one of those that share a node in Kustomize: where one of them is set,
    /// all are.
    #[must_use]
    pub fn shared_as(mut self, number: u32) -> Scalar {
        self.line = number;
        self.column = SHARED;
        self
    }

    /// The number of the node that this scalar shares with others, if it does.
    #[must_use]
    pub fn share(&self) -> Option<u32> {
        (self.column == SHARED).then_some(self.line)
    }

    /// A scalar without a tag, as a Go program makes it that sets only `node.Value`: its type is always what its text reads
    /// as.
    #[must_use]
    pub fn untagged(text: impl Into<Text>) -> Scalar {
        Scalar { column: UNTAGGED, ..Scalar::plain(text) }
    }

    /// Whether the scalar was made by [`Scalar::untagged`].
    #[must_use]
    pub fn is_untagged(&self) -> bool {
        self.column == UNTAGGED
    }

    /// Replaces the text and keeps tag, style and position, as a Go program that sets `node.Value` does.
    pub fn set_text(&mut self, text: impl Into<Text>) {
        self.text = text.into();
        if self.column == UNTAGGED {
            self.tag = resolve_plain(&self.text, Profile::V3).tag();
        }
    }

    /// Replaces the tag.
    pub fn set_tag(&mut self, tag: Tag) {
        self.tag = tag;
    }

    /// Replaces the style.
    pub fn set_style(&mut self, style: Style) {
        self.style = style;
    }

    /// Gives the scalar the tag that its text has when it stands unquoted.
    pub fn retag(&mut self) {
        self.tag = resolve_plain(&self.text, Profile::V3).tag();
        self.style = Style::Plain;
    }

    /// True for `!!null`, but not for what only reads as null because it has neither tag nor text.
    #[inline]
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.tag == Tag::Null && self.column != UNTAGGED
    }

    /// The string, if this is one.
    #[inline]
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        matches!(self.tag, Tag::Str | Tag::Custom).then_some(&*self.text)
    }

    /// What the scalar means.
    ///
    /// # Errors
    /// When the text does not fit the tag.
    pub fn resolve(&self) -> Result<Resolved<'_>, ScalarError> {
        match self.tag {
            Tag::Str | Tag::Custom | Tag::Merge => return Ok(Resolved::Str(Cow::Borrowed(&self.text))),
            Tag::Binary => {
                let bytes = crate::resolve::decode_base64(&self.text)
                    .ok_or(ScalarError::Base64 { line: self.line })?;
                return Ok(Resolved::Str(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())));
            }
            _ => {}
        }
        let plain = resolve_plain(&self.text, Profile::V3);
        let wrong = |found: &Plain| {
            Err(ScalarError::Tag { line: self.line, found: found.tag().name(), wanted: self.tag.name() })
        };
        match (self.tag, plain) {
            (Tag::Float, Plain::Int(n)) => Ok(Resolved::Float(n as f64)),
            (tag, plain) if tag != plain.tag() => wrong(&plain),
            // A value that took the place of a quoted one, or a null without text in a flow collection: go-yaml writes it
            // with quotes, and reads a string.
            _ if self.style != Style::Plain => Ok(Resolved::Str(Cow::Borrowed(&self.text))),
            (_, Plain::Null) => Ok(Resolved::Null),
            (_, Plain::Bool(b)) => Ok(Resolved::Bool(b)),
            (_, Plain::Int(n)) => Ok(Resolved::Int(n)),
            (_, Plain::UInt(n)) => Ok(Resolved::UInt(n)),
            (_, Plain::Float(n)) => Ok(Resolved::Float(n)),
            (_, Plain::Timestamp(time)) => match time.to_rfc3339() {
                Some(text) => Ok(Resolved::Str(Cow::Owned(text))),
                None => Err(ScalarError::Timestamp { line: self.line }),
            },
            (_, Plain::Str | Plain::Merge) => Ok(Resolved::Str(Cow::Borrowed(&self.text))),
        }
    }
}

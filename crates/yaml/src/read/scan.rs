//! Text to tokens: indentation, indicators, simple keys, directives, anchors and tags.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::ReadLimits;
use super::token::{Mark, Token, TokenKind};
use crate::error::ReadError;
use crate::{Profile, Style};

/// A key without `?` ends at most this many characters behind its start.
const SIMPLE_KEY_REACH: usize = 1024;

/// Something that is a key if a `:` follows.
#[derive(Debug, Clone, Copy)]
struct SimpleKey {
    /// It must be one: it stands where only a key can stand.
    required: bool,
    /// Number of its token, counted from the start of the text.
    token: usize,
    position: usize,
    mark: Mark,
    /// The older go-yaml hands out the start of a flow collection in which nothing can be a key without looking whether it
    /// is one itself.
    overlooked: bool,
}

pub(super) struct Scanner<'a> {
    pub(super) text: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) position: usize,
    pub(super) line: u32,
    /// The column is `position - line_start`: the start of the line, moved by what wide characters take beyond a byte.
    pub(super) line_start: usize,
    /// Column of the innermost block collection; -1 outside of all.
    pub(super) indent: i64,
    indents: Vec<i64>,
    pub(super) flow_level: usize,
    pub(super) simple_key_allowed: bool,
    /// The possible key of each flow level, the block level first.
    simple_keys: Vec<Option<SimpleKey>>,
    /// The number of the token that began each flow level, until something in it could be a key.
    keyless: Vec<Option<usize>>,
    tokens: VecDeque<Token<'a>>,
    /// How many tokens were taken.
    taken: usize,
    ended: bool,
    /// The first token is certain: no key can still be put before it.
    ready: bool,
    depth_limit: usize,
    /// How many tokens are fetched before the first is handed out. It decides whether an error behind the end of a
    /// document is met.
    lookahead: usize,
    profile: Profile,
    /// Behind a second byte order mark go-yaml passes over what stands in the first column: it means to allow a mark on
    /// every line, but looks for it at the start of the text.
    skips_columns: bool,
}

impl<'a> Scanner<'a> {
    /// A scanner of `text`, whose first line has `line` lines of the file before it.
    pub(super) fn new(text: &'a str, line: u32, profile: Profile, limits: &ReadLimits) -> Scanner<'a> {
        Scanner {
            text,
            bytes: text.as_bytes(),
            position: 0,
            line,
            line_start: 0,
            indent: -1,
            indents: Vec::new(),
            flow_level: 0,
            simple_key_allowed: true,
            simple_keys: vec![None],
            keyless: Vec::new(),
            tokens: VecDeque::new(),
            taken: 0,
            ended: false,
            ready: false,
            skips_columns: text.starts_with('\u{feff}'),
            depth_limit: limits.depth,
            lookahead: if profile == Profile::V3 { 3 } else { 1 },
            profile,
        }
    }

    /// The next token, which stays where it is.
    pub(super) fn peek(&mut self) -> Result<&Token<'a>, ReadError> {
        if !self.ready {
            self.make_ready()?;
        }
        match self.tokens.front() {
            Some(token) => Ok(token),
            None => Err(ReadError::at(self.line + 1, 0, "unexpected end of the text")),
        }
    }

    /// Takes the next token.
    pub(super) fn next(&mut self) -> Result<Token<'a>, ReadError> {
        if !self.ready {
            self.make_ready()?;
        }
        self.ready = false;
        self.taken += 1;
        match self.tokens.pop_front() {
            Some(token) => Ok(token),
            None => Err(ReadError::at(self.line + 1, 0, "unexpected end of the text")),
        }
    }

    /// Fetches tokens until the first one is certain.
    fn make_ready(&mut self) -> Result<(), ReadError> {
        while !self.ended && (self.tokens.len() < self.lookahead || self.head_may_be_key()?) {
            self.fetch()?;
        }
        // At the end a key that had to come is missed.
        if self.ended {
            self.head_may_be_key()?;
        }
        // After the end there is nothing but the end.
        if self.tokens.is_empty() {
            self.push(TokenKind::StreamEnd, self.mark());
        }
        self.ready = true;
        Ok(())
    }

    fn head_may_be_key(&mut self) -> Result<bool, ReadError> {
        let head = self.taken;
        match self
            .simple_keys
            .iter()
            .position(|key| key.is_some_and(|key| key.token == head && !key.overlooked))
        {
            Some(level) => self.key_still_possible(level),
            None => Ok(false),
        }
    }

    #[inline]
    pub(super) fn byte(&self, ahead: usize) -> u8 {
        self.bytes.get(self.position + ahead).copied().unwrap_or(0)
    }

    /// Whether the scanner has come to the end of the text, or so near that it looks beyond it.
    pub(super) fn is_near_end(&self) -> bool {
        self.position + 4 > self.bytes.len()
    }

    #[inline]
    pub(super) fn column(&self) -> usize {
        self.position - self.line_start
    }

    #[inline]
    pub(super) fn mark(&self) -> Mark {
        Mark { line: self.line, column: u32::try_from(self.column()).unwrap_or(u32::MAX) }
    }

    /// An error in what began at `mark`. The older go-yaml names the place where it noticed.
    pub(super) fn error(&self, mark: Mark, message: impl Into<String>) -> ReadError {
        match self.profile {
            Profile::V2 => self.error_at(self.mark(), message),
            Profile::V3 => self.error_at(mark, message),
        }
    }

    pub(super) fn error_at(&self, mark: Mark, message: impl Into<String>) -> ReadError {
        ReadError::at(mark.line + 1, mark.column.saturating_add(1), message)
    }

    /// Moves over one character that is no line break.
    pub(super) fn skip(&mut self) {
        let length = match self.byte(0) {
            0..=0x7f => 1,
            0x80..=0xdf => 2,
            0xe0..=0xef => 3,
            _ => 4,
        };
        self.position += length;
        self.line_start += length - 1;
    }

    /// Length of the line break here, 0 if there is none.
    #[inline]
    pub(super) fn break_length(&self) -> usize {
        self.break_length_at(0)
    }

    /// As [`Scanner::break_length`], `ahead` bytes from here.
    #[inline]
    pub(super) fn break_length_at(&self, ahead: usize) -> usize {
        match self.byte(ahead) {
            b'\n' => 1,
            b'\r' => 1 + usize::from(self.byte(ahead + 1) == b'\n'),
            0xc2 if self.byte(ahead + 1) == 0x85 => 2,
            0xe2 if self.byte(ahead + 1) == 0x80 && matches!(self.byte(ahead + 2), 0xa8 | 0xa9) => 3,
            _ => 0,
        }
    }

    /// How many bytes of this kind are here.
    #[inline]
    pub(super) fn run(&self, is_wanted: impl Fn(u8) -> bool) -> usize {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        rest.iter().position(|byte| !is_wanted(*byte)).unwrap_or(rest.len())
    }

    pub(super) fn skip_line(&mut self, length: usize) {
        self.position += length;
        self.line += 1;
        self.line_start = self.position;
    }

    /// Moves over a line break and appends what it means.
    pub(super) fn read_line(&mut self, length: usize, out: &mut String) {
        match self.text.get(self.position..self.position + length) {
            Some(separator) if length == 3 => out.push_str(separator),
            _ => out.push('\n'),
        }
        self.skip_line(length);
    }

    /// True for a space, a tab, a line break or the end, `ahead` bytes from here.
    #[inline]
    pub(super) fn blank_or_end(&self, ahead: usize) -> bool {
        matches!(self.byte(ahead), b' ' | b'\t' | 0) || self.break_length_at(ahead) > 0
    }

    /// True at the start of a line with `---` or `...`.
    pub(super) fn document_indicator(&self) -> bool {
        self.column() == 0
            && matches!((self.byte(0), self.byte(1), self.byte(2)), (b'-', b'-', b'-') | (b'.', b'.', b'.'))
            && self.blank_or_end(3)
    }

    fn push(&mut self, kind: TokenKind<'a>, mark: Mark) {
        self.tokens.push_back(Token { kind, mark });
    }

    fn push_indicator(&mut self, kind: TokenKind<'a>) {
        let mark = self.mark();
        self.skip();
        self.push(kind, mark);
    }

    fn fetch(&mut self) -> Result<(), ReadError> {
        self.skip_to_token();
        if self.skips_columns {
            // For these go-yaml moves the rest of the text to where the mark was.
            let rest = self.text.get(self.position..).unwrap_or_default();
            self.skips_columns = rest.chars().nth(3).is_some();
        }
        let column = i64::try_from(self.column()).unwrap_or(i64::MAX);
        self.unroll(column);
        let mark = self.mark();
        if self.position >= self.bytes.len() {
            return self.fetch_end();
        }
        if column == 0 && self.byte(0) == b'%' {
            return self.fetch_directive();
        }
        if self.document_indicator() {
            return self.fetch_document_indicator();
        }
        let flow = self.flow_level > 0;
        match self.byte(0) {
            b'[' => self.fetch_flow_start(TokenKind::FlowSequenceStart),
            b'{' => self.fetch_flow_start(TokenKind::FlowMappingStart),
            b']' => self.fetch_flow_end(TokenKind::FlowSequenceEnd),
            b'}' => self.fetch_flow_end(TokenKind::FlowMappingEnd),
            b',' => {
                self.drop_key()?;
                self.simple_key_allowed = true;
                self.push_indicator(TokenKind::FlowEntry);
                Ok(())
            }
            b'-' if self.blank_or_end(1) => self.fetch_block_entry(),
            b'?' if flow || self.blank_or_end(1) => self.fetch_key(),
            b':' if flow || self.blank_or_end(1) => self.fetch_value(),
            indicator @ (b'*' | b'&') => {
                self.save_key()?;
                self.simple_key_allowed = false;
                let name = self.scan_anchor()?;
                let kind = if indicator == b'*' { TokenKind::Alias(name) } else { TokenKind::Anchor(name) };
                self.push(kind, mark);
                Ok(())
            }
            b'!' => {
                self.save_key()?;
                self.simple_key_allowed = false;
                let tag = self.scan_tag()?;
                self.push(tag, mark);
                Ok(())
            }
            indicator @ (b'|' | b'>') if !flow => {
                self.drop_key()?;
                self.simple_key_allowed = true;
                let style = if indicator == b'|' { Style::Literal } else { Style::Folded };
                let text = self.scan_block_scalar(style)?;
                self.push(TokenKind::Scalar { text: text.into(), style }, mark);
                Ok(())
            }
            quote @ (b'\'' | b'"') => {
                self.save_key()?;
                self.simple_key_allowed = false;
                let text = self.scan_quoted(quote)?;
                let style = if quote == b'"' { Style::DoubleQuoted } else { Style::SingleQuoted };
                self.push(TokenKind::Scalar { text, style }, mark);
                Ok(())
            }
            first if self.starts_plain(first) => self.fetch_plain(mark),
            _ => Err(self.error(mark, "found character that cannot start any token")),
        }
    }

    /// A plain scalar; and the `:` behind it if it is a key, without a detour over the keys that are possible.
    fn fetch_plain(&mut self, mark: Mark) -> Result<(), ReadError> {
        let (text, is_key) = self.scan_plain_or_key(mark)?;
        self.push_plain(text, is_key, mark)
    }

    /// Moves over a plain scalar, and says whether a `:` that makes it a key is next.
    fn scan_plain_or_key(&mut self, mark: Mark) -> Result<(Cow<'a, str>, bool), ReadError> {
        let (may_be_key, start) = (self.simple_key_allowed, self.position);
        self.save_key()?;
        self.simple_key_allowed = false;
        let text = self.scan_plain()?;
        let is_key = may_be_key
            && self.byte(0) == b':'
            && self.flow_level == 0
            && self.line == mark.line
            && self.is_near(start)
            && self.blank_or_end(1)
            && self.indents.len() < self.depth_limit;
        if is_key {
            self.forget_key();
        }
        Ok((text, is_key))
    }

    fn push_plain(&mut self, text: Cow<'a, str>, is_key: bool, mark: Mark) -> Result<(), ReadError> {
        let scalar = TokenKind::Scalar { text, style: Style::Plain };
        if !is_key {
            self.push(scalar, mark);
            return Ok(());
        }
        self.roll(mark, None, TokenKind::BlockMappingStart)?;
        self.push(TokenKind::Key, mark);
        self.push(scalar, mark);
        self.push_indicator(TokenKind::Value);
        Ok(())
    }

    /// Whether this is in a block collection, and nothing is fetched that has not been taken.
    fn is_at_rest(&self) -> bool {
        self.tokens.is_empty() && !self.ended && self.flow_level == 0
    }

    /// Whether a plain scalar begins here, and no item of a sequence.
    fn plain_is_next(&self) -> bool {
        let first = self.byte(0);
        self.starts_plain(first) && !(first == b'-' && self.blank_or_end(1))
    }

    /// The next key of the innermost block mapping, if it is a plain scalar: what would be the tokens `Key`, `Scalar`
    /// and `Value`, without making them. The second mark is that of the `:`.
    pub(super) fn take_plain_key(&mut self) -> Result<Option<(Cow<'a, str>, Mark, Mark)>, ReadError> {
        if !self.is_at_rest() {
            return Ok(None);
        }
        self.skip_to_token();
        let is_next = i64::try_from(self.column()) == Ok(self.indent)
            && self.simple_key_allowed
            && self.plain_is_next()
            && !self.document_indicator();
        if !is_next {
            return Ok(None);
        }
        let mark = self.mark();
        let (text, is_key) = self.scan_plain_or_key(mark)?;
        if !is_key {
            self.push_plain(text, false, mark)?;
            return Ok(None);
        }
        let colon = self.mark();
        self.position += 1;
        Ok(Some((text, mark, colon)))
    }

    /// What follows an indicator on its line, if that is a plain scalar and no key: what would be a token `Scalar`.
    pub(super) fn take_plain(&mut self) -> Result<Option<(Cow<'a, str>, Mark)>, ReadError> {
        if !self.is_at_rest() {
            return Ok(None);
        }
        self.position += self.run(|byte| byte == b' ');
        if self.column() == 0 || !self.plain_is_next() {
            return Ok(None);
        }
        let mark = self.mark();
        let (text, is_key) = self.scan_plain_or_key(mark)?;
        if is_key || self.simple_keys.last().is_some_and(|key| key.is_some_and(|key| key.required)) {
            self.push_plain(text, is_key, mark)?;
            return Ok(None);
        }
        self.forget_key();
        Ok(Some((text, mark)))
    }

    /// There is no possible key on this level any more.
    fn forget_key(&mut self) {
        if let Some(slot) = self.simple_keys.last_mut() {
            *slot = None;
        }
    }

    fn starts_plain(&self, first: u8) -> bool {
        match first {
            b'-' => !matches!(self.byte(1), b' ' | b'\t'),
            b'?' | b':' => self.flow_level == 0 && !self.blank_or_end(1),
            b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"'
            | b'%' | b'@' | b'`' => false,
            _ => !self.blank_or_end(0),
        }
    }

    /// Moves over blanks, comments and line breaks.
    fn skip_to_token(&mut self) {
        loop {
            if self.skips_columns && self.column() == 0 && self.position < self.bytes.len() {
                self.skip();
            }
            let tabs = self.flow_level > 0 || !self.simple_key_allowed;
            self.position += self.run(|byte| byte == b' ' || (tabs && byte == b'\t'));
            if self.byte(0) == b'#' {
                self.skip_comment();
            }
            match self.break_length() {
                0 => return,
                length => self.skip_line(length),
            }
            if self.flow_level == 0 {
                self.simple_key_allowed = true;
            }
        }
    }

    /// Moves to the end of the line.
    pub(super) fn skip_comment(&mut self) {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let narrow = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let line = rest.get(..narrow).unwrap_or_default();
        let passed = if line.is_ascii() { None } else { self.wide_break(line) }.unwrap_or(narrow);
        if passed == rest.len() {
            // No line break sets the column right.
            self.line_start += rest.iter().filter(|byte| (0x80..0xc0).contains(*byte)).count();
        }
        self.position += passed;
    }

    /// Where the first line break of several bytes is in a line that begins here.
    fn wide_break(&self, line: &[u8]) -> Option<usize> {
        memchr::memchr2_iter(0xc2, 0xe2, line).find(|at| self.break_length_at(*at) > 0)
    }

    /// Whether a key that begins there may end here.
    fn is_near(&self, start: usize) -> bool {
        let bytes = self.position.saturating_sub(start);
        bytes <= SIMPLE_KEY_REACH
            || (bytes <= 4 * SIMPLE_KEY_REACH
                && self
                    .text
                    .get(start..self.position)
                    .is_some_and(|key| key.chars().count() <= SIMPLE_KEY_REACH))
    }

    fn key_still_possible(&mut self, level: usize) -> Result<bool, ReadError> {
        let Some(Some(key)) = self.simple_keys.get(level).copied() else { return Ok(false) };
        if key.mark.line == self.line && self.is_near(key.position) {
            return Ok(true);
        }
        if let Some(slot) = self.simple_keys.get_mut(level) {
            *slot = None;
        }
        if key.required {
            return Err(self.error(key.mark, "could not find expected ':'"));
        }
        Ok(false)
    }

    fn save_key(&mut self) -> Result<(), ReadError> {
        if !self.simple_key_allowed {
            return Ok(());
        }
        let column = i64::try_from(self.column()).unwrap_or(i64::MAX);
        let key = SimpleKey {
            required: self.flow_level == 0 && self.indent == column,
            token: self.taken + self.tokens.len(),
            position: self.position,
            mark: self.mark(),
            overlooked: false,
        };
        self.drop_key()?;
        if let Some(slot) = self.simple_keys.last_mut() {
            *slot = Some(key);
        }
        if let Some(start) = self.keyless.last_mut() {
            *start = None;
        }
        Ok(())
    }

    fn drop_key(&mut self) -> Result<(), ReadError> {
        match self.simple_keys.last_mut().and_then(Option::take) {
            Some(key) if key.required => Err(self.error(key.mark, "could not find expected ':'")),
            _ => Ok(()),
        }
    }

    fn check_depth(&self) -> Result<(), ReadError> {
        if self.indents.len() + self.flow_level > self.depth_limit {
            return Err(self.error(self.mark(), format!("exceeded max depth of {}", self.depth_limit)));
        }
        Ok(())
    }

    /// Opens a block collection at `column` unless one is open there; its token goes before token number `before`.
    fn roll(&mut self, mark: Mark, before: Option<usize>, kind: TokenKind<'a>) -> Result<(), ReadError> {
        let column = i64::from(mark.column);
        if self.flow_level > 0 || self.indent >= column {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = column;
        self.check_depth()?;
        match before {
            None => self.push(kind, mark),
            Some(number) => self.tokens.insert(number.saturating_sub(self.taken), Token { kind, mark }),
        }
        Ok(())
    }

    /// Closes the block collections that are indented deeper than `column`.
    fn unroll(&mut self, column: i64) {
        if self.flow_level > 0 {
            return;
        }
        while self.indent > column {
            self.push(TokenKind::BlockEnd, self.mark());
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn fetch_end(&mut self) -> Result<(), ReadError> {
        // The end stands on a line of its own.
        if self.column() != 0 {
            self.line += 1;
            self.line_start = self.position;
        }
        self.unroll(-1);
        self.drop_key()?;
        self.simple_key_allowed = false;
        self.push(TokenKind::StreamEnd, self.mark());
        self.ended = true;
        Ok(())
    }

    fn fetch_document_indicator(&mut self) -> Result<(), ReadError> {
        self.unroll(-1);
        self.drop_key()?;
        self.simple_key_allowed = false;
        let mark = self.mark();
        let kind = if self.byte(0) == b'-' { TokenKind::DocumentStart } else { TokenKind::DocumentEnd };
        self.position += 3;
        self.push(kind, mark);
        Ok(())
    }

    fn fetch_flow_start(&mut self, kind: TokenKind<'a>) -> Result<(), ReadError> {
        self.save_key()?;
        self.simple_keys.push(None);
        self.keyless.push(Some(self.taken + self.tokens.len()));
        self.flow_level += 1;
        self.check_depth()?;
        self.simple_key_allowed = true;
        self.push_indicator(kind);
        Ok(())
    }

    fn fetch_flow_end(&mut self, kind: TokenKind<'a>) -> Result<(), ReadError> {
        self.drop_key()?;
        if self.flow_level > 0 {
            self.flow_level -= 1;
            self.simple_keys.pop();
            let start = self.keyless.pop().flatten();
            if self.profile == Profile::V2
                && let Some(Some(key)) = self.simple_keys.last_mut()
                && Some(key.token) == start
            {
                key.overlooked = true;
            }
        }
        self.simple_key_allowed = false;
        self.push_indicator(kind);
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> Result<(), ReadError> {
        let mark = self.mark();
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                return Err(self.error(mark, "block sequence entries are not allowed in this context"));
            }
            self.roll(mark, None, TokenKind::BlockSequenceStart)?;
        }
        self.drop_key()?;
        self.simple_key_allowed = true;
        self.push_indicator(TokenKind::BlockEntry);
        Ok(())
    }

    fn fetch_key(&mut self) -> Result<(), ReadError> {
        let mark = self.mark();
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                return Err(self.error(mark, "mapping keys are not allowed in this context"));
            }
            self.roll(mark, None, TokenKind::BlockMappingStart)?;
        }
        self.drop_key()?;
        self.simple_key_allowed = self.flow_level == 0;
        self.push_indicator(TokenKind::Key);
        Ok(())
    }

    fn fetch_value(&mut self) -> Result<(), ReadError> {
        let mark = self.mark();
        let level = self.simple_keys.len() - 1;
        if self.key_still_possible(level)? {
            if let Some(key) = self.simple_keys.last_mut().and_then(Option::take) {
                let place = key.token.saturating_sub(self.taken);
                self.tokens.insert(place, Token { kind: TokenKind::Key, mark: key.mark });
                self.roll(key.mark, Some(key.token), TokenKind::BlockMappingStart)?;
            }
            self.simple_key_allowed = false;
        } else {
            if self.flow_level == 0 {
                if !self.simple_key_allowed {
                    return Err(self.error(mark, "mapping values are not allowed in this context"));
                }
                self.roll(mark, None, TokenKind::BlockMappingStart)?;
            }
            self.simple_key_allowed = self.flow_level == 0;
        }
        self.push_indicator(TokenKind::Value);
        Ok(())
    }

    /// Moves over letters, digits, `_` and `-`, and returns them.
    fn scan_word(&mut self) -> &'a str {
        let start = self.position;
        while matches!(self.byte(0), b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'-') {
            self.position += 1;
        }
        self.text.get(start..self.position).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.byte(0), b' ' | b'\t') {
            self.position += 1;
        }
    }

    fn scan_anchor(&mut self) -> Result<&'a str, ReadError> {
        let mark = self.mark();
        self.skip();
        let name = self.scan_word();
        let ends = self.blank_or_end(0)
            || matches!(self.byte(0), b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`');
        if name.is_empty() || !ends {
            return Err(self.error(mark, "did not find expected alphabetic or numeric character"));
        }
        Ok(name)
    }

    fn scan_tag(&mut self) -> Result<TokenKind<'a>, ReadError> {
        let mark = self.mark();
        let (handle, suffix);
        if self.byte(1) == b'<' {
            self.position += 2;
            (handle, suffix) = ("", self.scan_uri("", mark)?);
            if self.byte(0) != b'>' {
                return Err(self.error(mark, "did not find the expected '>'"));
            }
            self.position += 1;
        } else {
            let found = self.scan_tag_handle(mark)?;
            if found.len() > 1 && found.ends_with('!') {
                (handle, suffix) = (found, self.scan_uri("", mark)?);
            } else {
                let rest = self.scan_uri(found, mark)?;
                // A lone `!` has no handle.
                (handle, suffix) = if rest.is_empty() { ("", "!".to_owned()) } else { ("!", rest) };
            }
        }
        if !self.blank_or_end(0) {
            return Err(self.error(mark, "did not find expected whitespace or line break"));
        }
        Ok(TokenKind::Tag { handle, suffix })
    }

    /// `!`, `!word` or `!word!`.
    fn scan_tag_handle(&mut self, mark: Mark) -> Result<&'a str, ReadError> {
        if self.byte(0) != b'!' {
            return Err(self.error(mark, "did not find expected '!'"));
        }
        let start = self.position;
        self.position += 1;
        self.scan_word();
        if self.byte(0) == b'!' {
            self.position += 1;
        }
        Ok(self.text.get(start..self.position).unwrap_or_default())
    }

    /// A URI, after the part of it that was taken for a handle.
    fn scan_uri(&mut self, head: &str, mark: Mark) -> Result<String, ReadError> {
        let mut uri = head.get(1..).unwrap_or_default().as_bytes().to_vec();
        let mut found = !head.is_empty();
        loop {
            match self.byte(0) {
                b'%' => {
                    let digits = self.text.get(self.position + 1..self.position + 3).unwrap_or_default();
                    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                    let Some(octet) = u8::from_str_radix(digits, 16).ok().filter(|_| is_hex) else {
                        return Err(self.error(mark, "did not find URI escaped octet"));
                    };
                    uri.push(octet);
                    self.position += 3;
                }
                byte @ (b'0'..=b'9'
                | b'A'..=b'Z'
                | b'a'..=b'z'
                | b'_'
                | b'-'
                | b';'
                | b'/'
                | b'?'
                | b':'
                | b'@'
                | b'&'
                | b'='
                | b'+'
                | b'$'
                | b','
                | b'.'
                | b'!'
                | b'~'
                | b'*'
                | b'\''
                | b'('
                | b')'
                | b'['
                | b']') => {
                    uri.push(byte);
                    self.position += 1;
                }
                _ => break,
            }
            found = true;
        }
        if !found {
            return Err(self.error(mark, "did not find expected tag URI"));
        }
        String::from_utf8(uri).map_err(|_| self.error(mark, "found an incorrect leading UTF-8 octet"))
    }

    fn fetch_directive(&mut self) -> Result<(), ReadError> {
        self.unroll(-1);
        self.drop_key()?;
        self.simple_key_allowed = false;
        let mark = self.mark();
        self.position += 1;
        let kind = match self.scan_word() {
            "" => return Err(self.error(mark, "could not find expected directive name")),
            _ if !self.blank_or_end(0) => {
                return Err(self.error(mark, "found unexpected non-alphabetical character"));
            }
            "YAML" => {
                self.skip_blanks();
                let major = self.scan_version_number(mark)?;
                if self.byte(0) != b'.' {
                    return Err(self.error(mark, "did not find expected digit or '.' character"));
                }
                self.position += 1;
                TokenKind::VersionDirective { major, minor: self.scan_version_number(mark)? }
            }
            "TAG" => {
                self.skip_blanks();
                let handle = self.scan_tag_handle(mark)?;
                if handle != "!" && !handle.ends_with('!') {
                    return Err(self.error(mark, "did not find expected '!'"));
                }
                if !matches!(self.byte(0), b' ' | b'\t') {
                    return Err(self.error(mark, "did not find expected whitespace"));
                }
                self.skip_blanks();
                let prefix = self.scan_uri("", mark)?;
                if !self.blank_or_end(0) {
                    return Err(self.error(mark, "did not find expected whitespace or line break"));
                }
                TokenKind::TagDirective { handle, prefix }
            }
            _ => return Err(self.error(mark, "found unknown directive name")),
        };
        self.skip_blanks();
        if self.byte(0) == b'#' {
            self.skip_comment();
        }
        match self.break_length() {
            0 if self.position < self.bytes.len() => {
                return Err(self.error(mark, "did not find expected comment or line break"));
            }
            0 => {}
            length => self.skip_line(length),
        }
        self.push(kind, mark);
        Ok(())
    }

    fn scan_version_number(&mut self, mark: Mark) -> Result<u8, ReadError> {
        let start = self.position;
        while self.byte(0).is_ascii_digit() {
            self.position += 1;
        }
        match self.text.get(start..self.position).unwrap_or_default() {
            "" => Err(self.error(mark, "did not find expected version number")),
            digits if digits.len() > 2 => Err(self.error(mark, "found extremely long version number")),
            digits => digits.parse().map_err(|_| self.error(mark, "did not find expected version number")),
        }
    }
}

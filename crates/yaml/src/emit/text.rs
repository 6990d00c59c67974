//! Strings: which style, and how each is written.

use std::borrow::Cow;

use super::{INDENT, Writer};
use crate::error::ScalarError;
use crate::{Plain, Profile, resolve_plain};

/// Behind this column a space becomes a line break.
pub(super) const WIDTH: usize = 80;

/// What the characters of a string allow.
#[derive(Clone, Copy)]
pub(super) struct Choice {
    style: Style,
    multiline: bool,
    single_allowed: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

impl Choice {
    /// The style of a string that stands as a value or as a long key.
    pub(super) fn of(text: &str) -> Choice {
        let looks = Looks::of(text);
        let style = if text.contains('\n') {
            if looks.block_allowed() { Style::Literal } else { Style::Double }
        } else if means_something_else(text) {
            Style::Double
        } else if looks.plain_allowed() {
            Style::Plain
        } else if looks.single_allowed() {
            Style::Single
        } else {
            Style::Double
        };
        Choice { style, multiline: looks.breaks, single_allowed: looks.single_allowed() }
    }

    pub(super) fn style(self) -> crate::Style {
        match self.style {
            Style::Plain => crate::Style::Plain,
            Style::Single => crate::Style::SingleQuoted,
            Style::Double => crate::Style::DoubleQuoted,
            Style::Literal => crate::Style::Literal,
        }
    }

    pub(super) fn multiline(self) -> bool {
        self.multiline
    }

    /// The style of the same string as a short key.
    pub(super) fn for_key(mut self) -> Choice {
        if self.style == Style::Literal {
            self.style = Style::Double;
        }
        debug_assert!(!self.multiline || self.single_allowed || self.style == Style::Double);
        self
    }
}

/// True if the text without quotes would not be read as a string; old base-60 numbers count too.
fn means_something_else(text: &str) -> bool {
    !matches!(resolve_plain(text, Profile::V2), Plain::Str | Plain::Merge) || is_base_60(text)
}

/// `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`
fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit()) || !unsigned.contains(':') {
        return false;
    }
    let mut parts = unsigned.split(':');
    let head = parts.next().unwrap_or_default();
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    if !digits(head) {
        return false;
    }
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let sixtieth = match (parts.peek(), part.split_once('.')) {
            (None, Some((whole, fraction))) if digits(fraction) => whole,
            _ => part,
        };
        match sixtieth.as_bytes() {
            [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9'] => {}
            _ => return false,
        }
    }
    true
}

/// What stands in a string that matters for its style.
#[derive(Default)]
struct Looks {
    empty: bool,
    indicators: bool,
    breaks: bool,
    special: bool,
    leading: bool,
    trailing_space: bool,
    trailing_break: bool,
    break_space: bool,
    space_break: bool,
}

impl Looks {
    fn of(text: &str) -> Looks {
        let mut looks = Looks { empty: text.is_empty(), ..Looks::default() };
        let bytes = text.as_bytes();
        if let [b'-', b'-', b'-', ..] | [b'.', b'.', b'.', ..] = bytes {
            looks.indicators = true;
        }
        let blank_at = |i: usize| matches!(bytes.get(i), None | Some(b' ' | b'\t'));
        let mut after_blank = true;
        let (mut previous_space, mut previous_break) = (false, false);
        for (i, c) in text.char_indices() {
            let end = i + c.len_utf8();
            match c {
                '#' if after_blank => looks.indicators = true,
                ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`'
                    if i == 0 =>
                {
                    looks.indicators = true;
                }
                '?' | '-' if i == 0 && blank_at(end) => looks.indicators = true,
                ':' if blank_at(end) => looks.indicators = true,
                _ => {}
            }
            looks.special |= !is_printable(c);
            let breaks = is_break(c);
            if c == ' ' {
                looks.leading |= i == 0;
                looks.trailing_space |= end == bytes.len();
                looks.break_space |= previous_break;
            } else if breaks {
                looks.breaks = true;
                looks.leading |= i == 0;
                looks.trailing_break |= end == bytes.len();
                looks.space_break |= previous_space;
            }
            previous_space = c == ' ';
            previous_break = breaks;
            after_blank = breaks || matches!(c, ' ' | '\t' | '\0');
        }
        looks
    }

    fn plain_allowed(&self) -> bool {
        let Looks { leading, trailing_space, trailing_break, break_space, breaks, indicators, .. } = *self;
        self.single_allowed()
            && !(leading || trailing_space || trailing_break || break_space || breaks || indicators)
    }

    fn single_allowed(&self) -> bool {
        !(self.break_space || self.space_break || self.special)
    }

    fn block_allowed(&self) -> bool {
        !(self.empty || self.trailing_space || self.space_break || self.special)
    }
}

/// Whether a character breaks a line in YAML 1.1.
#[must_use]
pub fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What Go's emitter writes as it is; characters beyond the basic plane are not among it.
fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

/// What becomes of a string when Go's JSON writes it and go-yaml v2 reads that.
pub(super) fn through_json(text: &str, line: u32) -> Result<Cow<'_, str>, ScalarError> {
    if text.is_ascii() && !text.as_bytes().contains(&0x7f) {
        return Ok(Cow::Borrowed(text));
    }
    if text.contains(|c| matches!(c, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}')) {
        return Err(ScalarError::ControlCharacter { line });
    }
    if !text.contains('\u{85}') {
        return Ok(Cow::Borrowed(text));
    }
    // The only line break that Go's JSON does not escape: it is folded as in any quoted scalar.
    let mut folded = String::with_capacity(text.len());
    let mut lines = text.split('\u{85}');
    folded.push_str(lines.next().unwrap_or_default());
    let mut empty_lines = 0;
    for (i, line) in text.split('\u{85}').enumerate().skip(1) {
        let last = i == text.matches('\u{85}').count();
        let content = line.trim_start_matches(' ');
        if content.is_empty() && !last {
            empty_lines += 1;
            continue;
        }
        folded.truncate(folded.trim_end_matches(' ').len());
        if empty_lines == 0 {
            folded.push(' ');
        } else {
            folded.extend(std::iter::repeat_n('\n', empty_lines));
        }
        empty_lines = 0;
        folded.push_str(content);
    }
    Ok(Cow::Owned(folded))
}

/// True for a string that go-yaml v3 can write as a block scalar.
fn fits_block_in_v3(text: &str) -> bool {
    // Tabs forbid that in v2 only.
    Looks::of(&text.replace('\t', ".")).block_allowed()
}

/// True for a string that go-yaml v3 writes as a block scalar whose first line begins with a tab, and cannot read.
pub(super) fn loses_its_tab(text: &str, style: crate::Style) -> bool {
    let block = match style {
        crate::Style::Literal | crate::Style::Folded => true,
        crate::Style::Plain => text.contains('\n'),
        crate::Style::SingleQuoted | crate::Style::DoubleQuoted => false,
    };
    text.starts_with('\t') && block && fits_block_in_v3(text)
}

/// What becomes of the text of a `>` scalar when go-yaml v3 writes it and reads it again: it doubles line breaks in places
/// where reading does not undo that.
#[must_use]
pub fn through_folding(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.contains('\n') || !fits_block_in_v3(&text) {
        return text;
    }
    let doubles = text.chars().find(|c| !is_break(*c)).is_some_and(|c| !matches!(c, ' ' | '\t'));
    let mut written = String::from(">");
    let mut writer =
        Writer { out: &mut written, line_start: 0, top: false, width: WIDTH, keys: super::Keys::Natural };
    writer.block_scalar_hints(&text);
    let (mut at_line_start, mut indented) = (true, true);
    for c in text.chars() {
        if is_break(c) {
            if doubles && !at_line_start && !indented && c == '\n' {
                written.push('\n');
            }
            at_line_start = true;
        } else if std::mem::take(&mut at_line_start) {
            written.push_str("  ");
            indented = matches!(c, ' ' | '\t');
        }
        written.push(c);
    }
    match crate::read_first(written.as_bytes(), Profile::V3, &crate::ReadLimits::default()) {
        Ok(Some(crate::Value::Scalar(scalar))) => Cow::Owned(scalar.text().to_owned()),
        _ => text,
    }
}

impl Writer<'_> {
    /// Writes a string; without `indent` it must stay on its line.
    pub(super) fn string(&mut self, text: &str, choice: Choice, indent: Option<usize>) {
        let fold = indent.filter(|_| self.bytes_on_line() + text.len() >= self.width);
        match choice.style {
            Style::Plain => match fold {
                None => self.out.push_str(text),
                Some(indent) => self.folded_plain(text, indent),
            },
            Style::Single => self.single_quoted(text, indent.unwrap_or_default(), fold.is_some()),
            Style::Double => self.double_quoted(text, indent),
            Style::Literal => self.literal(text, indent.unwrap_or_default()),
        }
    }

    fn folded_plain(&mut self, text: &str, indent: usize) {
        let mut column = self.column();
        let mut previous_space = false;
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            if c == ' ' && !previous_space && column > self.width && rest.peek() != Some(&' ') {
                self.break_line(indent);
                column = indent;
            } else {
                self.out.push(c);
                column += 1;
            }
            previous_space = c == ' ';
        }
    }

    fn single_quoted(&mut self, text: &str, indent: usize, fold: bool) {
        self.out.push('\'');
        let mut column = self.column();
        let (mut previous_space, mut previous_break) = (false, false);
        for (i, c) in text.char_indices() {
            let next = text.as_bytes().get(i + 1);
            if c == ' ' {
                if fold && !previous_space && column > self.width && i > 0 && next.is_some_and(|b| *b != b' ')
                {
                    self.break_line(indent);
                    column = indent;
                } else {
                    self.out.push(' ');
                    column += 1;
                }
            } else if is_break(c) {
                if !previous_break && c == '\n' {
                    self.out.push('\n');
                }
                self.out.push(c);
                column = 0;
            } else {
                if previous_break {
                    self.start_at(indent);
                    column = indent;
                }
                if c == '\'' {
                    self.out.push('\'');
                    column += 1;
                }
                self.out.push(c);
                column += 1;
            }
            previous_space = c == ' ';
            previous_break = is_break(c);
        }
        self.out.push('\'');
    }

    pub(super) fn double_quoted(&mut self, text: &str, indent: Option<usize>) {
        self.out.push('"');
        let mut column = self.column();
        // Go looks for the byte order mark at the start of the text, whichever character it is about to write.
        let escape_all = text.starts_with('\u{feff}');
        let mut previous_space = false;
        for (i, c) in text.char_indices() {
            if escape_all || !is_printable(c) || is_break(c) || c == '"' || c == '\\' {
                let before = self.out.len();
                self.escape(c);
                column += self.out.len() - before;
                previous_space = false;
                continue;
            }
            match indent {
                Some(indent)
                    if c == ' ' && !previous_space && column > self.width && i > 0 && i + 1 < text.len() =>
                {
                    self.break_line(indent);
                    column = indent;
                    if text.as_bytes().get(i + 1) == Some(&b' ') {
                        self.out.push('\\');
                        column += 1;
                    }
                }
                _ => {
                    self.out.push(c);
                    column += 1;
                }
            }
            previous_space = c == ' ';
        }
        self.out.push('"');
    }

    fn escape(&mut self, c: char) {
        use std::fmt::Write as _;
        let short = match c {
            '\0' => '0',
            '\u{7}' => 'a',
            '\u{8}' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\u{b}' => 'v',
            '\u{c}' => 'f',
            '\r' => 'r',
            '\u{1b}' => 'e',
            '"' => '"',
            '\\' => '\\',
            '\u{85}' => 'N',
            '\u{a0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            _ => {
                let code = u32::from(c);
                _ = match code {
                    0..=0xff => write!(self.out, "\\x{code:02X}"),
                    0x100..=0xffff => write!(self.out, "\\u{code:04X}"),
                    _ => write!(self.out, "\\U{code:08X}"),
                };
                return;
            }
        };
        self.out.push('\\');
        self.out.push(short);
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.out.push('|');
        self.block_scalar_hints(text);
        let mut at_line_start = true;
        for c in text.chars() {
            if !is_break(c) && std::mem::take(&mut at_line_start) {
                self.start_at(indent);
            }
            at_line_start |= is_break(c);
            self.out.push(c);
        }
    }

    /// What stands behind `|` or `>`, to the end of that line.
    fn block_scalar_hints(&mut self, text: &str) {
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.out.push(char::from(b'0' + INDENT as u8));
        }
        let mut from_end = text.chars().rev();
        match (from_end.next().is_some_and(is_break), from_end.next()) {
            (false, _) => self.out.push('-'),
            (true, None) => self.out.push('+'),
            (true, Some(c)) if is_break(c) => self.out.push('+'),
            (true, Some(_)) => {}
        }
        self.out.push('\n');
    }
}

//! Plain and block scalars.

use std::borrow::Cow;

use super::scan::Scanner;
use crate::Style;
use crate::error::ReadError;

impl<'a> Scanner<'a> {
    /// A scalar without quotes, over as many lines as it takes.
    pub(super) fn scan_plain(&mut self) -> Result<Cow<'a, str>, ReadError> {
        if self.flow_level == 0
            && let Some(length) = self.simple_plain()
        {
            let text = self.text.get(self.position..self.position + length).unwrap_or_default();
            self.position += length;
            while self.byte(0) == b'\n' {
                self.skip_line(1);
                self.position += self.run(|byte| byte == b' ');
                self.simple_key_allowed = true;
            }
            return Ok(Cow::Borrowed(text.trim_end_matches(' ')));
        }
        let start_mark = self.mark();
        let start = self.position;
        // End of the text so far, as long as it is one stretch of the source.
        let mut end = start;
        let mut folded: Option<String> = None;
        let mut breaks = String::new();
        let mut across_lines = false;
        loop {
            if self.document_indicator() || self.byte(0) == b'#' {
                break;
            }
            let run = self.position;
            self.skip_plain_run();
            let chunk = self.text.get(run..self.position).unwrap_or_default();
            if !chunk.is_empty() {
                if across_lines {
                    let text = folded
                        .get_or_insert_with(|| self.text.get(start..end).unwrap_or_default().to_owned());
                    fold(text, &breaks);
                    breaks.clear();
                    across_lines = false;
                    text.push_str(chunk);
                }
                end = self.position;
            }
            if !matches!(self.byte(0), b' ' | b'\t') && self.break_length() == 0 {
                break;
            }
            loop {
                match (self.byte(0), self.break_length()) {
                    (b' ', _) => self.position += self.run(|byte| byte == b' '),
                    (b'\t', _) => {
                        let indent = usize::try_from(self.indent + 1).unwrap_or(0);
                        if across_lines && self.column() < indent {
                            return Err(
                                self.error(start_mark, "found a tab character that violates indentation")
                            );
                        }
                        self.position += 1;
                    }
                    (_, 0) => break,
                    (_, length) => {
                        across_lines = true;
                        self.read_line(length, &mut breaks);
                    }
                }
            }
            if self.flow_level == 0 && i64::try_from(self.column()).unwrap_or(i64::MAX) <= self.indent {
                break;
            }
        }
        if across_lines {
            self.simple_key_allowed = true;
        }
        Ok(match folded {
            Some(text) => Cow::Owned(text),
            None => Cow::Borrowed(self.text.get(start..end).unwrap_or_default()),
        })
    }

    /// How long a plain scalar is, with the spaces behind it, if it is ASCII and ends on its line, as nearly all do.
    fn simple_plain(&self) -> Option<usize> {
        let rest = self.bytes.get(self.position..)?;
        let mut at = 0;
        loop {
            at += rest
                .get(at..)?
                .iter()
                .position(|byte| !matches!(byte, b' '..=b'"' | b'$'..=b'9' | b';'..=b'~'))?;
            match (rest.get(at)?, rest.get(at + 1)?) {
                (b'\n', _) => return self.ends_plain(rest.get(at + 1..)?).then_some(at),
                (b':', b' ' | b'\n') => return Some(at),
                (b'#', _) if rest.get(..at)?.ends_with(b" ") => return Some(at),
                (b':', b'!'..=b'~') | (b'#', _) => at += 1,
                _ => return None,
            }
        }
    }

    /// Whether a plain scalar has ended before these lines: they go on with a comment, or with what is not indented.
    fn ends_plain(&self, lines: &[u8]) -> bool {
        let mut column = 0;
        for byte in lines {
            match byte {
                b' ' => column += 1,
                b'\n' => column = 0,
                b'#' => return true,
                b'!'..=b'~' => return column <= self.indent,
                _ => return false,
            }
        }
        false
    }

    /// Moves to the end of what a plain scalar has on this line: blanks, a line break, or an indicator that ends it.
    fn skip_plain_run(&mut self) {
        loop {
            match self.byte(0) {
                b' ' | b'\t' => {
                    let blanks = self.run(|byte| matches!(byte, b' ' | b'\t'));
                    if self.byte(blanks) == b'#' || self.ends_plain_run(blanks) {
                        return;
                    }
                    self.position += blanks;
                }
                _ if self.ends_plain_run(0) => return,
                _ => self.skip(),
            }
            self.skip_letters();
        }
    }

    /// Whether what is `ahead` bytes from here, and no blank, is not of a plain scalar.
    fn ends_plain_run(&self, ahead: usize) -> bool {
        match self.byte(ahead) {
            0 | b'\n' | b'\r' => true,
            b':' => self.blank_or_end(ahead + 1),
            b',' | b'?' | b'[' | b']' | b'{' | b'}' => self.flow_level > 0,
            0..=0x7f => false,
            _ => self.break_length_at(ahead) > 0,
        }
    }

    /// Moves over what can be in any plain scalar, wherever it stands.
    fn skip_letters(&mut self) {
        self.position += self.run(|byte| matches!(byte, b'-'..=b'9' | b'A'..=b'Z' | b'_'..=b'z'));
    }

    /// A `|` or `>` scalar.
    pub(super) fn scan_block_scalar(&mut self, style: Style) -> Result<String, ReadError> {
        let start_mark = self.mark();
        self.position += 1;
        let (mut chomp, mut increment) = (None, None);
        for _ in 0..2 {
            match self.byte(0) {
                sign @ (b'+' | b'-') if chomp.is_none() => chomp = Some(sign),
                b'0' if increment.is_none() => {
                    return Err(self.error(start_mark, "found an indentation indicator equal to 0"));
                }
                digit @ b'1'..=b'9' if increment.is_none() => increment = Some(usize::from(digit - b'0')),
                _ => break,
            }
            self.position += 1;
        }
        while matches!(self.byte(0), b' ' | b'\t') {
            self.position += 1;
        }
        if self.byte(0) == b'#' {
            self.skip_comment();
        }
        match self.break_length() {
            0 if self.position < self.bytes.len() => {
                return Err(self.error(start_mark, "did not find expected comment or line break"));
            }
            0 => {}
            length => self.skip_line(length),
        }
        let parent = usize::try_from(self.indent).unwrap_or(0);
        let mut indent = increment.map_or(0, |increment| parent + increment);
        let mut text = String::new();
        let mut line_end = String::new();
        let mut empty_lines = String::new();
        self.block_scalar_breaks(&mut indent, &mut empty_lines, start_mark)?;
        let mut before_blank = false;
        while self.column() == indent && self.position < self.bytes.len() {
            let starts_blank = matches!(self.byte(0), b' ' | b'\t');
            if style == Style::Folded && !before_blank && !starts_blank && line_end.starts_with('\n') {
                if empty_lines.is_empty() {
                    text.push(' ');
                }
            } else {
                text.push_str(&line_end);
            }
            line_end.clear();
            text.push_str(&empty_lines);
            empty_lines.clear();
            before_blank = starts_blank;
            let start = self.position;
            self.skip_comment();
            text.push_str(self.text.get(start..self.position).unwrap_or_default());
            match self.break_length() {
                0 => {}
                length => self.read_line(length, &mut line_end),
            }
            self.block_scalar_breaks(&mut indent, &mut empty_lines, start_mark)?;
        }
        if chomp != Some(b'-') {
            text.push_str(&line_end);
        }
        if chomp == Some(b'+') {
            text.push_str(&empty_lines);
        }
        Ok(text)
    }

    /// Moves over indentation and empty lines; finds the indentation where it is not known (0).
    fn block_scalar_breaks(
        &mut self,
        indent: &mut usize,
        breaks: &mut String,
        start_mark: super::token::Mark,
    ) -> Result<(), ReadError> {
        let mut widest = 0;
        loop {
            let spaces = self.run(|byte| byte == b' ');
            self.position +=
                if *indent == 0 { spaces } else { spaces.min(indent.saturating_sub(self.column())) };
            widest = widest.max(self.column());
            if (*indent == 0 || self.column() < *indent) && self.byte(0) == b'\t' {
                let message = "found a tab character where an indentation space is expected";
                return Err(self.error(start_mark, message));
            }
            match self.break_length() {
                0 => break,
                length => self.read_line(length, breaks),
            }
        }
        if *indent == 0 {
            *indent = widest.max(usize::try_from(self.indent + 1).unwrap_or(0)).max(1);
        }
        Ok(())
    }
}

/// Joins lines: one break becomes a space, further ones stay.
pub(super) fn fold(text: &mut String, breaks: &str) {
    match breaks.strip_prefix('\n') {
        Some("") => text.push(' '),
        Some(further) => text.push_str(further),
        None => text.push_str(breaks),
    }
}

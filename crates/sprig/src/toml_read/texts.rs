//! Texts of TOML.

use gotemplate::{Str, quote};

use super::cursor::{Cursor, Mistake, Read};

impl Cursor<'_> {
    /// A text behind its `"`.
    pub(super) fn text(&mut self) -> Read<Str> {
        let start = self.at;
        loop {
            match self.next()? {
                Some('"') => break,
                Some('\\') => self.escape(start)?,
                Some('\r' | '\n') => {
                    return Err(self.mistake_above("strings cannot contain newlines"));
                }
                None => return Err(self.mistake("unexpected EOF; expected '\"'")),
                Some(_) => {}
            }
        }
        self.unescaped(start, 1)
    }

    /// A text behind its `"""`.
    pub(super) fn long_text(&mut self) -> Read<Str> {
        let start = self.at;
        loop {
            match self.next()? {
                Some('"') if self.closes('"', start)? => break,
                Some('\\') if !matches!(self.peek()?, Some('\r' | '\n')) => self.escape(start)?,
                None => return Err(self.mistake("unexpected EOF; expected '\"\"\"'")),
                Some(_) => {}
            }
        }
        self.unescaped(start, 3)
    }

    /// The text since `start` without its closing quotes, and with what its escapes stand for.
    fn unescaped(&self, start: usize, quotes: usize) -> Read<Str> {
        let line = self.line;
        let raw = self.since(start);
        let raw = raw.get(..raw.len() - quotes).unwrap_or_default();
        let raw = if quotes == 3 { without_first_break(raw) } else { raw };
        unescape(raw).map(Str::from).map_err(|problem| Mistake { line, problem })
    }

    /// A text behind its `'`.
    pub(super) fn raw_text(&mut self) -> Read<Str> {
        let start = self.at;
        loop {
            match self.next()? {
                Some('\'') => break,
                Some('\r' | '\n') => {
                    return Err(self.mistake_above("strings cannot contain newlines"));
                }
                None => return Err(self.mistake("unexpected EOF; expected \"'\"")),
                Some(_) => {}
            }
        }
        let raw = self.since(start);
        Ok(raw.strip_suffix('\'').unwrap_or_default().into())
    }

    /// A text behind its `'''`.
    pub(super) fn long_raw_text(&mut self) -> Read<Str> {
        let start = self.at;
        loop {
            match self.next()? {
                Some('\'') if self.closes('\'', start)? => break,
                None => return Err(self.mistake("unexpected EOF; expected \"'''\"")),
                Some(_) => {}
            }
        }
        let raw = self.since(start);
        Ok(without_first_break(raw.strip_suffix("'''").unwrap_or_default()).into())
    }

    /// Whether the quote that was read is the first of the three that end a long text; the others are read then. Up to
    /// two more may stand before them.
    fn closes(&mut self, quote: char, start: usize) -> Read<bool> {
        let here = self.at;
        if !(self.take(quote)? && self.take(quote)?) {
            self.at = here;
            return Ok(false);
        }
        if self.peek()? != Some(quote) {
            return Ok(true);
        }
        let (begin, five) = (self.since(start), quote.to_string().repeat(5));
        let before = begin.strip_suffix(&five);
        if before.is_some_and(|before| quote == '\'' || !before.ends_with('\\')) {
            let (six, outer) = (format!("{five}{quote}"), if quote == '"' { '\'' } else { '"' });
            return Err(self.mistake(format!("unexpected {outer}{six}{outer}")));
        }
        self.at = here;
        Ok(false)
    }

    /// What follows a backslash in a text that begins at `start`: whether it can be one.
    fn escape(&mut self, start: usize) -> Read<()> {
        let (letter, digits, name) = match self.next()? {
            Some('b' | 't' | 'n' | 'f' | 'r' | 'e' | '"' | '\\' | ' ' | '\t') => return Ok(()),
            Some('x') => ('x', 2, "two"),
            Some('u') => ('u', 4, "four"),
            Some('U') => ('U', 8, "eight"),
            found => {
                let problem = format!("invalid escape in string '\\{}'", found.unwrap_or_default());
                return Err(if found.is_none() {
                    self.mistake_above(problem)
                } else {
                    self.mistake(problem)
                });
            }
        };
        for _ in 0..digits {
            if !self.next()?.is_some_and(|c| c.is_ascii_hexdigit()) {
                let begin = quote(self.since(start).as_bytes());
                return Err(self.mistake(format!(
                    "expected {name} hexadecimal digits after '\\{letter}', but got {begin} instead"
                )));
            }
        }
        Ok(())
    }
}

/// A long text without the line break that it may begin with.
fn without_first_break(text: &str) -> &str {
    text.strip_prefix('\n').or_else(|| text.strip_prefix("\r\n")).unwrap_or(text)
}

/// A text with what its escapes stand for. Those of several lines may have backslashes at the ends of lines, which take
/// the line break away, and all white space behind it.
fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\\') {
        out.push_str(before);
        let content = behind.trim_start_matches([' ', '\t', '\r', '\n']);
        let space = behind.get(..behind.len() - content.len()).unwrap_or_default();
        if space.contains('\n') {
            rest = content;
            continue;
        }
        let mut chars = behind.chars();
        let escaped = chars.next().unwrap_or_default();
        rest = chars.as_str();
        let digits = match escaped {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        out.push(match escaped {
            'b' => '\u{8}',
            't' => '\t',
            'n' => '\n',
            'f' => '\u{c}',
            'r' => '\r',
            'e' => '\u{1b}',
            'x' | 'u' | 'U' => {
                let (code, behind) = rest.split_at_checked(digits).unwrap_or((rest, ""));
                rest = behind;
                match u32::from_str_radix(code, 16).ok().and_then(char::from_u32) {
                    Some(c) => c,
                    None => return Err(format!("Escaped character '\\u{code}' is not valid UTF-8.")),
                }
            }
            ' ' | '\t' => return Err(format!("invalid escape: '\\{escaped}'")),
            c => c,
        });
    }
    out.push_str(rest);
    Ok(out)
}

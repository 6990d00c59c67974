//! Characters of TOML, and the lines on which they stand.

use gotemplate::decode_char;

/// What is wrong, and the line that the error names.
pub(super) struct Mistake {
    pub(super) line: usize,
    pub(super) problem: String,
}

pub(super) type Read<T> = Result<T, Mistake>;

pub(super) struct Cursor<'t> {
    text: &'t [u8],
    /// The next byte.
    pub(super) at: usize,
    /// The line of the next byte, counted from 1.
    pub(super) line: usize,
    /// The last thing that was read was the end.
    ended: bool,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t [u8]) -> Cursor<'t> {
        Cursor { text, at: 0, line: 1, ended: false }
    }

    /// The next character and its length; none at the end.
    fn character(&self) -> Read<Option<(char, usize)>> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let Some((c, len)) = decode_char(rest) else { return Ok(None) };
        let first = rest.first().copied().unwrap_or_default();
        if c == char::REPLACEMENT_CHARACTER && len == 1 {
            return Err(self.here(format!("invalid UTF-8 byte: 0x{first:02x}")));
        }
        let control = match c {
            '\t' | '\n' => false,
            '\r' => rest.get(1) != Some(&b'\n'),
            c => c.is_ascii_control(),
        };
        if control {
            let problem = format!("TOML files cannot contain control characters: '0x{first:02x}'");
            return Err(self.here(problem));
        }
        Ok(Some((c, len)))
    }

    fn here(&self, problem: String) -> Mistake {
        Mistake { line: self.line, problem }
    }

    pub(super) fn peek(&mut self) -> Read<Option<char>> {
        self.ended = false;
        Ok(self.character()?.map(|(c, _)| c))
    }

    pub(super) fn next(&mut self) -> Read<Option<char>> {
        let found = self.character()?;
        self.ended = found.is_none();
        let Some((c, len)) = found else { return Ok(None) };
        self.at += len;
        self.line += usize::from(c == '\n');
        Ok(Some(c))
    }

    /// Takes the next character if it is this one.
    pub(super) fn take(&mut self, wanted: char) -> Read<bool> {
        let found = self.peek()? == Some(wanted);
        if found {
            self.next()?;
        }
        Ok(found)
    }

    /// Takes characters of a kind.
    pub(super) fn run(&mut self, is_wanted: impl Fn(char) -> bool) -> Read<String> {
        let start = self.at;
        while self.peek()?.is_some_and(&is_wanted) {
            self.next()?;
        }
        Ok(self.since(start))
    }

    pub(super) fn spaces(&mut self) -> Read<()> {
        self.run(|c| matches!(c, ' ' | '\t')).map(drop)
    }

    /// The text from a place to here.
    pub(super) fn since(&self, start: usize) -> String {
        gotemplate::lossy(self.text.get(start..self.at).unwrap_or_default()).into_owned()
    }

    /// Something is wrong with what was read last. The end of a last line belongs to that line.
    pub(super) fn mistake(&self, problem: impl Into<String>) -> Mistake {
        let behind = self.ended && self.text.get(..self.at).is_some_and(|before| before.ends_with(b"\n"));
        Mistake { line: self.line - usize::from(behind), problem: problem.into() }
    }

    /// As [`Cursor::mistake`], on the line before: what was read last ended that, or should not have.
    pub(super) fn mistake_above(&self, problem: impl Into<String>) -> Mistake {
        Mistake { line: self.line - 1, problem: problem.into() }
    }

    /// As [`Cursor::mistake`]; a line break that was read belongs to the line that it ends.
    pub(super) fn mistake_before(&self, read: Option<char>, problem: impl Into<String>) -> Mistake {
        if read == Some('\n') { self.mistake_above(problem) } else { self.mistake(problem) }
    }
}

//! TOML, read as Go's BurntSushi library reads it: what it takes for TOML, and the words and lines of its errors. Integers
//! stay integers, as Helm has them.

mod cursor;
mod numbers;
mod tables;
mod texts;

use std::collections::BTreeMap;

use gotemplate::{Str, Value, is_letter, quote, quote_char};

use cursor::{Cursor, Mistake, Read};
use tables::Tables;

/// The deepest nesting of arrays and tables.
const DEEPEST: usize = 200;

/// Reads a document.
///
/// # Errors
/// The line, the key that was read last, and the problem.
pub(crate) fn read(text: &[u8]) -> Result<Value, String> {
    // Marks of an encoding are passed over, also those of one that this is not.
    let marks: [&[u8]; 3] = [b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"];
    let text = marks.into_iter().find_map(|mark| text.strip_prefix(mark)).unwrap_or(text);
    if text.iter().take(6).any(|byte| *byte == 0) {
        let problem = "files cannot contain NULL bytes; probably using UTF-16; TOML files must be UTF-8";
        return Err(format!("toml: line 1: {problem}"));
    }
    let mut reader = Reader { cursor: Cursor::new(text), tables: Tables::new(), key_line: 1, depth: 0 };
    match reader.document() {
        Ok(()) => Ok(reader.tables.value()),
        Err(Mistake { line, problem }) => {
            let last = reader.tables.last_key();
            if last.is_empty() {
                return Err(format!("toml: line {line}: {problem}"));
            }
            Err(format!("toml: line {line} (last key {}): {problem}", quote(&last)))
        }
    }
}

struct Reader<'t> {
    cursor: Cursor<'t>,
    tables: Tables,
    /// Where the first part of the last key stands: what is wrong with a key's place is said to be there.
    key_line: usize,
    depth: usize,
}

/// What stands between `'` or "end of file".
fn shown(c: Option<char>) -> String {
    c.map_or_else(|| "end of file".to_owned(), |c| format!("'{c}'"))
}

/// A character as `%q` has it; the end is a zero.
fn quoted(c: Option<char>) -> String {
    quote_char(c.unwrap_or_default(), false)
}

impl Reader<'_> {
    fn document(&mut self) -> Read<()> {
        loop {
            match self.cursor.peek()? {
                None => return Ok(()),
                Some(' ' | '\t' | '\r' | '\n') => _ = self.cursor.next()?,
                Some('#') => self.comment()?,
                Some('[') => {
                    self.header()?;
                    self.end_of_line()?;
                }
                Some(_) => {
                    let outer = self.tables.context.clone();
                    self.entry()?;
                    self.tables.leave(outer, "".into());
                    self.end_of_line()?;
                }
            }
        }
    }

    /// A comment to the end of its line, which stays.
    fn comment(&mut self) -> Read<()> {
        while !matches!(self.cursor.peek()?, None | Some('\r' | '\n')) {
            self.cursor.next()?;
        }
        Ok(())
    }

    fn end_of_line(&mut self) -> Read<()> {
        loop {
            return match self.cursor.next()? {
                Some(' ' | '\t') => continue,
                None | Some('\r' | '\n') => Ok(()),
                Some('#') => self.comment(),
                found => Err(self.cursor.mistake(format!(
                    "expected a top-level item to end with a newline, comment, or EOF, but got {} instead",
                    quoted(found)
                ))),
            };
        }
    }

    /// `[table]` or `[[table of an array]]`.
    fn header(&mut self) -> Read<()> {
        self.cursor.next()?;
        let array = self.cursor.take('[')?;
        let mut path = Vec::new();
        loop {
            self.cursor.spaces()?;
            let part = match self.cursor.peek()? {
                None | Some(']') => {
                    let problem = "unexpected end of table name (table names cannot be empty)";
                    return Err(self.cursor.mistake(problem));
                }
                Some('.') => {
                    let problem = "unexpected table separator (table names cannot be empty)";
                    return Err(self.cursor.mistake(problem));
                }
                Some(_) => self.key_part(path.is_empty())?,
            };
            path.push(part);
            self.cursor.spaces()?;
            match self.cursor.next()? {
                Some('.') => {}
                Some(']') => break,
                found => {
                    let found = quoted(found);
                    let problem = format!("expected '.' or ']' to end table name, but got {found} instead");
                    return Err(self.cursor.mistake(problem));
                }
            }
        }
        if array && !self.cursor.take(']')? {
            let found = quoted(self.cursor.next()?);
            let problem = format!("expected end of table array name delimiter ']', but got {found} instead");
            return Err(self.cursor.mistake(problem));
        }
        let opened = self.tables.open(&path, array);
        self.at_key(opened)
    }

    /// Says where the key stands whose place is wrong.
    fn at_key<T>(&self, found: Result<T, String>) -> Read<T> {
        found.map_err(|problem| Mistake { line: self.key_line, problem })
    }

    /// A part of a key, which is empty where none can begin: what stands there is for the caller to refuse.
    fn key_part(&mut self, is_first: bool) -> Read<Str> {
        let part = match self.cursor.peek()? {
            Some('"') => {
                self.cursor.next()?;
                self.cursor.text()?
            }
            Some('\'') => {
                self.cursor.next()?;
                self.cursor.raw_text()?
            }
            _ => self.cursor.run(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))?.into(),
        };
        if is_first {
            self.key_line = self.cursor.line;
        }
        Ok(part)
    }

    /// `key = value`. Gives the path of the key and the value; both are in the tables then.
    fn entry(&mut self) -> Read<(Vec<Str>, Value)> {
        let mut path = Vec::new();
        self.cursor.spaces()?;
        match self.cursor.peek()? {
            None | Some('=') => {
                return Err(self.cursor.mistake("unexpected '=': key name appears blank"));
            }
            Some('.') => return Err(self.cursor.mistake("unexpected '.': keys cannot start with a '.'")),
            Some(_) => {}
        }
        loop {
            self.cursor.spaces()?;
            let part = match self.cursor.peek()? {
                None | Some('=') => return Err(self.cursor.mistake("unexpected '='")),
                Some('.') => return Err(self.cursor.mistake("unexpected '.'")),
                Some(_) => self.key_part(path.is_empty())?,
            };
            path.push(part);
            self.cursor.spaces()?;
            match self.cursor.next()? {
                Some('.') => {}
                Some('=') => break,
                None => {
                    return Err(self.cursor.mistake("unexpected EOF; expected key separator '='"));
                }
                found => {
                    let problem = format!("expected '.' or '=', but got {} instead", quoted(found));
                    return Err(self.cursor.mistake_before(found, problem));
                }
            }
        }
        let begun = self.tables.begin(&path);
        self.at_key(begun)?;
        let value = self.value(false)?;
        let set = self.tables.set(&value);
        self.at_key(set)?;
        Ok((path, value))
    }

    fn value(&mut self, in_array: bool) -> Read<Value> {
        self.cursor.spaces()?;
        let start = self.cursor.at;
        match self.cursor.next()? {
            Some('[') => self.nested(Self::array),
            Some('{') => self.nested(|reader| reader.inline_table(in_array)),
            Some('"') => {
                if self.cursor.take('"')? {
                    if self.cursor.take('"')? {
                        return self.cursor.long_text().map(Value::Str);
                    }
                    self.cursor.at -= 1;
                }
                self.cursor.text().map(Value::Str)
            }
            Some('\'') => {
                if self.cursor.take('\'')? {
                    if self.cursor.take('\'')? {
                        return self.cursor.long_raw_text().map(Value::Str);
                    }
                    self.cursor.at -= 1;
                }
                self.cursor.raw_text().map(Value::Str)
            }
            Some(digit @ '0'..='9') => self.cursor.number(start, digit),
            Some('+' | '-') => self.cursor.signed(start),
            Some('.') => Err(self.cursor.mistake("floats must start with a digit, not '.'")),
            Some('i' | 'n') => {
                // Any of the letters that `inf` and `nan` go on with.
                let cursor = &mut self.cursor;
                let found =
                    (cursor.take('n')? && cursor.take('f')?) || (cursor.take('a')? && cursor.take('n')?);
                if found {
                    return self.cursor.token(start, numbers::float);
                }
                self.cursor.at -= 1;
                self.cursor.word()
            }
            Some(c) if is_letter(c) => {
                self.cursor.at = start;
                self.cursor.word()
            }
            None => Err(self.cursor.mistake("unexpected EOF; expected value")),
            found => {
                let problem = format!("expected value but found {} instead", quoted(found));
                Err(self.cursor.mistake_before(found, problem))
            }
        }
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Read<Value>) -> Read<Value> {
        if self.depth == DEEPEST {
            return Err(self.cursor.mistake("nested too deeply"));
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn array(&mut self) -> Read<Value> {
        self.tables.begin_array();
        let mut items = Vec::new();
        loop {
            match self.cursor.peek()? {
                Some(' ' | '\t' | '\r' | '\n') => {
                    self.cursor.next()?;
                    continue;
                }
                Some('#') => {
                    self.comment()?;
                    continue;
                }
                Some(',') => {
                    self.cursor.next()?;
                    return Err(self.cursor.mistake("unexpected comma"));
                }
                Some(']') => {
                    self.cursor.next()?;
                    return Ok(Value::list(items));
                }
                _ => items.push(self.value(true)?),
            }
            loop {
                match self.cursor.next()? {
                    Some(' ' | '\t' | '\r' | '\n') => {}
                    Some('#') => self.comment()?,
                    Some(',') => break,
                    Some(']') => return Ok(Value::list(items)),
                    found => {
                        let found = shown(found);
                        let problem =
                            format!("expected a comma (',') or array terminator (']'), but got {found}");
                        return Err(self.cursor.mistake(problem));
                    }
                }
            }
        }
    }

    fn inline_table(&mut self, in_array: bool) -> Read<Value> {
        let (outer, key) = (self.tables.context.clone(), self.tables.current.clone());
        let opened = self.tables.open_inline(in_array);
        self.at_key(opened)?;
        let mut inner = outer.clone();
        inner.push(key.clone());
        let table = Value::dict(BTreeMap::new());
        loop {
            match self.cursor.peek()? {
                Some(' ' | '\t' | '\r' | '\n') => _ = self.cursor.next()?,
                Some('#') => self.comment()?,
                Some(',') => {
                    self.cursor.next()?;
                    return Err(self.cursor.mistake("unexpected comma"));
                }
                Some('}') => {
                    self.cursor.next()?;
                    break;
                }
                _ => {
                    let (path, value) = self.entry()?;
                    if !put(&table, &path, value) {
                        let shown: Vec<_> = self.tables.context.iter().map(|part| quote(part)).collect();
                        let problem = format!("[{}] is not a table", shown.join(" "));
                        return Err(Mistake { line: self.key_line, problem });
                    }
                    self.tables.context.clone_from(&inner);
                    if self.inline_table_ends()? {
                        break;
                    }
                }
            }
        }
        self.tables.leave(outer, key);
        Ok(table)
    }

    /// What stands behind an entry of an inline table: whether that is its end.
    fn inline_table_ends(&mut self) -> Read<bool> {
        loop {
            match self.cursor.next()? {
                Some(' ' | '\t' | '\r' | '\n') => {}
                Some('#') => self.comment()?,
                Some('}') => return Ok(true),
                Some(',') => {
                    self.cursor.spaces()?;
                    return self.cursor.take('}');
                }
                found => {
                    let problem = format!(
                        "expected a comma or an inline table terminator '}}', but got {} instead",
                        shown(found)
                    );
                    return Err(self.cursor.mistake(problem));
                }
            }
        }
    }
}

/// Puts a value into a table under a path; false if a part of that is no table.
fn put(table: &Value, path: &[Str], value: Value) -> bool {
    let Some((last, parents)) = path.split_last() else { return true };
    let mut table = table.clone();
    for part in parents {
        let Some(dict) = table.as_dict().cloned() else { return false };
        table = dict.get(part).unwrap_or_else(|| {
            let new = Value::dict(BTreeMap::new());
            dict.set(part.clone(), new.clone());
            new
        });
    }
    let Some(dict) = table.as_dict() else { return false };
    dict.set(last.clone(), value);
    true
}

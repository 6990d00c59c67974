//! Go's syntax of regular expressions, written in that of the `regex` crate.

/// Deepest nesting of groups.
const MAX_DEPTH: usize = 250;
const MAX_REPEAT: u32 = 1000;

/// The expression in the crate's syntax; `whole` is what errors about all of it show.
///
/// # Errors
/// Go's text, without its `error parsing regexp: `.
pub(crate) fn translate(pattern: &str, whole: &str) -> Result<String, String> {
    let out = String::with_capacity(pattern.len() * 2);
    let mut translator = Translator { rest: pattern, whole, out, names: Vec::new(), ungreedy: false };
    translator.run()?;
    Ok(translator.out)
}

struct Translator<'p> {
    rest: &'p str,
    whole: &'p str,
    out: String,
    names: Vec<&'p str>,
    /// Whether the flag `U` holds here.
    ungreedy: bool,
}

/// The name of a group in the crate's syntax, which has no names that begin with a digit.
pub(crate) fn group_name(name: &str) -> std::borrow::Cow<'_, str> {
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("digit_{name}").into() } else { name.into() }
}

/// A member of a class.
enum Item {
    Char(char),
    /// A class in the crate's syntax.
    Class(String),
}

impl<'p> Translator<'p> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.skip(c.len_utf8());
        Some(c)
    }

    fn skip(&mut self, len: usize) {
        self.rest = self.rest.get(len..).unwrap_or_default();
    }

    fn since(&self, start: &'p str) -> &'p str {
        start.get(..start.len() - self.rest.len()).unwrap_or_default()
    }

    fn run(&mut self) -> Result<(), String> {
        let mut depth = 0usize;
        // What a repetition would apply to: nothing yet, something, or something repeated by this text.
        let mut repeatable = false;
        let mut repeated: Option<&'p str> = None;
        // Flags that stand between a repetition and what it repeats, and whether `U` was set before them.
        let mut flags: Option<(usize, bool)> = None;
        // How often the last item repeats what is in it; and of each open group the largest such number, its start, and whether
        // `U` was set before it.
        let (mut factor, mut open) = (1u32, vec![(1u32, 0, false)]);
        // Where the last item begins in what is written, and whether it is repeated already.
        let mut item = (0, false);
        while let Some(c) = self.peek() {
            let start = self.rest;
            let mut now_repeated = None;
            let mut now_repeatable = true;
            let mut now_flags = None;
            let mut now_factor = 1;
            let before = self.out.len();
            let mut now_item = (before, false);
            match c {
                '(' => {
                    let ungreedy = self.ungreedy;
                    if self.group()? {
                        depth += 1;
                        open.push((1, before, ungreedy));
                        now_repeatable = false;
                    } else {
                        (now_repeatable, now_item) = (repeatable, item);
                        now_factor = factor;
                        now_flags = flags.or(Some((before, ungreedy)));
                    }
                    if depth > MAX_DEPTH {
                        return Err(format!("expression nests too deeply: `{}`", self.whole));
                    }
                }
                ')' => {
                    let Some(outer) = depth.checked_sub(1) else {
                        return Err(format!("unexpected ): `{}`", self.whole));
                    };
                    depth = outer;
                    let begin;
                    (now_factor, begin, self.ungreedy) = open.pop().unwrap_or((1, before, false));
                    now_item = (begin, false);
                    self.skip(1);
                    self.out.push(')');
                }
                '|' => {
                    self.skip(1);
                    self.out.push('|');
                    now_repeatable = false;
                }
                '[' => self.class()?,
                '.' | '^' | '$' => {
                    self.skip(1);
                    self.out.push(c);
                }
                '*' | '+' | '?' | '{' => match self.repetition(c)? {
                    None => {
                        self.skip(1);
                        self.out.push_str("\\{");
                    }
                    Some((text, most)) => {
                        if !repeatable {
                            return Err(format!("missing argument to repetition operator: `{text}`"));
                        }
                        if let Some(before) = repeated {
                            return Err(format!("invalid nested repetition operator: `{before}{text}`"));
                        }
                        let text = self.since(start);
                        now_factor = factor.saturating_mul(most);
                        if most > 1 && now_factor > MAX_REPEAT {
                            return Err(format!("invalid repeat count: `{text}`"));
                        }
                        let (at, ungreedy) = flags.unwrap_or((before, self.ungreedy));
                        // It goes in front of the flags, which are to hold for it.
                        let written = match text.strip_suffix('?').filter(|text| !text.is_empty()) {
                            _ if ungreedy == self.ungreedy => text.to_owned(),
                            Some(greedy) => greedy.to_owned(),
                            None => format!("{text}?"),
                        };
                        if item.1 {
                            // A `?` behind a repetition would be a part of it.
                            self.out.insert_str(at, &format!("){written}"));
                            self.out.insert_str(item.0, "(?:");
                        } else {
                            self.out.insert_str(at, &written);
                        }
                        now_repeated = Some(text);
                        now_item = (item.0, true);
                    }
                },
                '\\' => {
                    self.escape()?;
                    if start.starts_with("\\Q") && self.out.len() == before {
                        // Nothing was quoted.
                        (now_repeatable, now_item, now_factor, now_flags) = (repeatable, item, factor, flags);
                    }
                }
                c => {
                    self.skip(c.len_utf8());
                    push_literal(c, &mut self.out);
                }
            }
            repeatable = now_repeatable;
            (flags, factor, item) = (now_flags, now_factor, now_item);
            if let Some((most, ..)) = open.last_mut() {
                *most = (*most).max(factor);
            }
            repeated = now_repeated;
        }
        if depth > 0 {
            return Err(format!("missing closing ): `{}`", self.whole));
        }
        Ok(())
    }

    /// A repetition with its `?`, and how often a `{` repeats at most; none when a `{` is only a character.
    fn repetition(&mut self, c: char) -> Result<Option<(&'p str, u32)>, String> {
        let start = self.rest;
        let mut times = 1;
        if c == '{' {
            let Some(close) = self.rest.find('}') else { return Ok(None) };
            let inner = self.rest.get(1..close).unwrap_or_default();
            let (least, most) = match inner.split_once(',') {
                Some((least, most)) => (least, Some(most)),
                None => (inner, None),
            };
            let number = |text: &str| -> Option<u32> {
                let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
                let leading = text.len() > 1 && text.starts_with('0');
                (plain && !leading).then(|| text.parse().unwrap_or(u32::MAX))
            };
            let Some(low) = number(least) else { return Ok(None) };
            let high = match most {
                None | Some("") => low,
                Some(text) => match number(text) {
                    Some(high) => high,
                    None => return Ok(None),
                },
            };
            self.skip(close + 1);
            times = high;
            if low > MAX_REPEAT || high > MAX_REPEAT || low > high {
                return Err(format!("invalid repeat count: `{}`", self.since(start)));
            }
        } else {
            self.skip(1);
        }
        if self.peek() == Some('?') {
            self.skip(1);
        }
        Ok(Some((self.since(start), times)))
    }

    /// `(` and what follows `(?`. True when a group was opened that needs closing.
    fn group(&mut self) -> Result<bool, String> {
        let start = self.rest;
        let Some(inside) = self.rest.strip_prefix("(?") else {
            self.skip(1);
            self.out.push('(');
            return Ok(true);
        };
        let named = inside.strip_prefix("P<").or_else(|| inside.strip_prefix('<'));
        if let Some(named) = named {
            let Some(close) = named.find('>') else {
                return Err(format!("invalid named capture: `{start}`"));
            };
            let name = named.get(..close).unwrap_or_default();
            let len = start.len() - named.len() + close + 1;
            if name.is_empty() || !name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric()) {
                return Err(format!("invalid named capture: `{}`", start.get(..len).unwrap_or(start)));
            }
            self.skip(len);
            // Go allows a name twice, and finds the first by it.
            if self.names.contains(&name) {
                self.out.push('(');
            } else {
                self.names.push(name);
                self.out.push_str(&format!("(?P<{}>", group_name(name)));
            }
            return Ok(true);
        }
        self.skip(2);
        let invalid = |at: &Self| Err(format!("invalid or unsupported Perl syntax: `{}`", at.since(start)));
        let (mut minus, mut any, mut ungreedy) = (false, false, self.ungreedy);
        loop {
            let Some(c) = self.bump() else {
                return invalid(self);
            };
            match c {
                'i' | 'm' | 's' | 'U' => {
                    any = true;
                    ungreedy = if c == 'U' { !minus } else { ungreedy };
                }
                '-' if !minus => {
                    minus = true;
                    any = false;
                }
                ':' | ')' => {
                    if minus && !any {
                        return invalid(self);
                    }
                    let text = self.since(start);
                    if text != "(?)" {
                        self.out.push_str(text);
                    }
                    self.ungreedy = ungreedy;
                    return Ok(c == ':');
                }
                _ => return invalid(self),
            }
        }
    }

    fn escape(&mut self) -> Result<(), String> {
        let second = self.rest.chars().nth(1);
        match second {
            Some('Q') => {
                self.skip(2);
                let (text, rest) = match self.rest.split_once("\\E") {
                    Some((text, rest)) => (text, rest),
                    None => (self.rest, ""),
                };
                for c in text.chars() {
                    push_literal(c, &mut self.out);
                }
                self.rest = rest;
            }
            Some('A') => self.known("\\A"),
            Some('z') => self.known("\\z"),
            Some('b') => self.known("(?-u:\\b)"),
            Some('B') => self.known("(?-u:\\B)"),
            _ => match self.class_item()? {
                Item::Char(c) => push_literal(c, &mut self.out),
                Item::Class(class) => {
                    self.out.push('[');
                    self.out.push_str(&class);
                    self.out.push(']');
                }
            },
        }
        Ok(())
    }

    fn known(&mut self, text: &str) {
        self.skip(2);
        self.out.push_str(text);
    }

    /// An escape that may stand in a class, too.
    fn class_item(&mut self) -> Result<Item, String> {
        let start = self.rest;
        self.skip(1);
        let Some(c) = self.bump() else {
            return Err("trailing backslash at end of expression: ``".to_owned());
        };
        let simple = match c {
            'd' => return Ok(Item::Class("0-9".into())),
            'D' => return Ok(Item::Class("[^0-9]".into())),
            's' => return Ok(Item::Class("\\t\\n\\x0C\\r ".into())),
            'S' => return Ok(Item::Class("[^\\t\\n\\x0C\\r ]".into())),
            'w' => return Ok(Item::Class("0-9A-Za-z_".into())),
            'W' => return Ok(Item::Class("[^0-9A-Za-z_]".into())),
            'p' | 'P' => return self.property(c, start),
            'a' => '\u{7}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'x' => return self.hex(start),
            '1'..='7' if !matches!(self.peek(), Some('0'..='7')) => return self.invalid_escape(start),
            '0'..='7' => {
                let mut code = c.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else { break };
                    code = code * 8 + digit;
                    self.skip(1);
                }
                char::from_u32(code).unwrap_or('\0')
            }
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => c,
            _ => return self.invalid_escape(start),
        };
        Ok(Item::Char(simple))
    }

    fn invalid_escape(&self, start: &'p str) -> Result<Item, String> {
        Err(format!("invalid escape sequence: `{}`", self.since(start)))
    }

    /// A character by its number: two digits, or any in braces.
    fn hex(&mut self, start: &'p str) -> Result<Item, String> {
        let mut code = 0;
        if self.rest.starts_with('{') {
            self.skip(1);
            let mut any = false;
            loop {
                let c = self.bump();
                if any && c == Some('}') {
                    break;
                }
                match c.and_then(|c| c.to_digit(16)) {
                    Some(digit) if code * 16 + digit <= u32::from(char::MAX) => code = code * 16 + digit,
                    _ => return self.invalid_escape(start),
                }
                any = true;
            }
        } else {
            // The error shows both characters, whatever the first one is.
            let digits = [self.bump(), self.bump()].map(|c| c.and_then(|c| c.to_digit(16)));
            let [Some(high), Some(low)] = digits else { return self.invalid_escape(start) };
            code = high * 16 + low;
        }
        // Half a pair is in no text.
        Ok(char::from_u32(code).map_or_else(|| Item::Class("[a&&b]".to_owned()), Item::Char))
    }

    fn property(&mut self, c: char, start: &'p str) -> Result<Item, String> {
        let name = match self.rest.strip_prefix('{') {
            Some(inner) => {
                let Some(close) = inner.find('}') else {
                    return Err(format!("invalid character class range: `{start}`"));
                };
                let name = inner.get(..close).unwrap_or_default();
                self.skip(close + 2);
                name
            }
            None => {
                let before = self.rest;
                self.bump();
                self.since(before)
            }
        };
        let (negative, name) = match name.strip_prefix('^') {
            Some(name) => (c == 'p', name),
            None => (c == 'P', name),
        };
        let class = match name {
            "Any" => "\\x{0}-\\x{10FFFF}".to_owned(),
            name => format!("\\p{{{name}}}"),
        };
        let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        // Go knows categories by one or two letters and scripts by their names.
        let known = plain
            && name.starts_with(|c: char| c.is_ascii_uppercase())
            && regex::Regex::new(&format!("[{class}]")).is_ok();
        if !known {
            return Err(format!("invalid character class range: `{}`", self.since(start)));
        }
        Ok(Item::Class(if negative { format!("[^{class}]") } else { class }))
    }

    fn class(&mut self) -> Result<(), String> {
        let start = self.rest;
        let unclosed = || Err(format!("missing closing ]: `{start}`"));
        self.skip(1);
        let mut class = String::from("[");
        if self.peek() == Some('^') {
            self.skip(1);
            class.push('^');
        }
        let mut first = true;
        loop {
            match self.peek() {
                None => return unclosed(),
                Some(']') if !first => {
                    self.skip(1);
                    break;
                }
                _ => {}
            }
            first = false;
            if self.rest.starts_with("[:")
                && let Some(close) = self.rest.get(2..).and_then(|behind| behind.find(":]"))
            {
                let close = close + 2;
                let name = self.rest.get(..close + 2).unwrap_or_default();
                match posix(name) {
                    Some(item) => class.push_str(item),
                    None => return Err(format!("invalid character class range: `{name}`")),
                }
                self.skip(close + 2);
                continue;
            }
            let range_start = self.rest;
            let low = match self.member()? {
                Item::Class(item) => {
                    class.push_str(&item);
                    continue;
                }
                Item::Char(low) => low,
            };
            push_member(low, &mut class);
            if self.rest.starts_with('-') && !self.rest.starts_with("-]") && self.rest.len() > 1 {
                self.skip(1);
                let before = self.rest;
                let is_property = before.starts_with("\\p") || before.starts_with("\\P");
                let Item::Char(high) =
                    (if is_property { Item::Class(String::new()) } else { self.member()? })
                else {
                    let shown: String = before.chars().take(2).collect();
                    return Err(format!("invalid escape sequence: `{shown}`"));
                };
                if high < low {
                    let shown = self.since(range_start);
                    return Err(format!("invalid character class range: `{shown}`"));
                }
                class.push('-');
                push_member(high, &mut class);
            }
        }
        class.push(']');
        self.out.push_str(&class);
        Ok(())
    }

    fn member(&mut self) -> Result<Item, String> {
        if self.peek() == Some('\\') {
            return self.class_item();
        }
        match self.bump() {
            Some(c) => Ok(Item::Char(c)),
            None => Err(format!("missing closing ]: `{}`", self.whole)),
        }
    }
}

fn push_literal(c: char, out: &mut String) {
    if c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii() {
        out.push(c);
    } else {
        out.push_str(&format!("\\x{:02X}", u32::from(c)));
    }
}

fn push_member(c: char, out: &mut String) {
    if c.is_ascii_alphanumeric() {
        out.push(c);
    } else {
        out.push_str(&format!("\\x{{{:X}}}", u32::from(c)));
    }
}

fn posix(name: &str) -> Option<&'static str> {
    Some(match name {
        "[:alnum:]" => "0-9A-Za-z",
        "[:^alnum:]" => "[^0-9A-Za-z]",
        "[:alpha:]" => "A-Za-z",
        "[:^alpha:]" => "[^A-Za-z]",
        "[:ascii:]" => "\\x{0}-\\x{7F}",
        "[:^ascii:]" => "[^\\x{0}-\\x{7F}]",
        "[:blank:]" => "\\t ",
        "[:^blank:]" => "[^\\t ]",
        "[:cntrl:]" => "\\x{0}-\\x{1F}\\x{7F}",
        "[:^cntrl:]" => "[^\\x{0}-\\x{1F}\\x{7F}]",
        "[:digit:]" => "0-9",
        "[:^digit:]" => "[^0-9]",
        "[:graph:]" => "!-~",
        "[:^graph:]" => "[^!-~]",
        "[:lower:]" => "a-z",
        "[:^lower:]" => "[^a-z]",
        "[:print:]" => " -~",
        "[:^print:]" => "[^ -~]",
        "[:punct:]" => "!-/:-@\\[-`{-~",
        "[:^punct:]" => "[^!-/:-@\\[-`{-~]",
        "[:space:]" => "\\t-\\r ",
        "[:^space:]" => "[^\\t-\\r ]",
        "[:upper:]" => "A-Z",
        "[:^upper:]" => "[^A-Z]",
        "[:word:]" => "0-9A-Za-z_",
        "[:^word:]" => "[^0-9A-Za-z_]",
        "[:xdigit:]" => "0-9A-Fa-f",
        "[:^xdigit:]" => "[^0-9A-Fa-f]",
        _ => return None,
    })
}

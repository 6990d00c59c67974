//! The layout in which Go's YAML writes a document again: two spaces a level, lists not indented under their key,
//! single spaces behind colons and before comments, no blank lines.

/// One level of indentation: where it was, where it goes.
#[derive(Clone, Copy)]
struct Level {
    old: usize,
    new: usize,
    list: bool,
}

/// Lays a block-style document out anew; `None` if it has anything but plain mappings, lists, one-line scalars and
/// block scalars, so that a change of indentation could change its meaning.
pub(super) fn laid_out(text: &str) -> Option<String> {
    let mut layout =
        Layout { out: String::with_capacity(text.len()), levels: Vec::new(), comments: Vec::new() };
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            continue;
        }
        if trimmed.starts_with('#') {
            layout.comments.push(trimmed);
            continue;
        }
        let block = layout.line(line)?;
        let Some(parent) = block else { continue };
        // The lines of a block scalar move as a whole.
        let mut body = Vec::new();
        while let Some(next) = lines.peek() {
            if !next.trim().is_empty() && indent(next) <= parent.old {
                break;
            }
            body.extend(lines.next());
        }
        layout.block(&body, parent);
    }
    layout.flush_comments(0);
    Some(layout.out)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

struct Layout<'t> {
    out: String,
    levels: Vec<Level>,
    comments: Vec<&'t str>,
}

impl<'t> Layout<'t> {
    /// Writes one line. Answers with its level if a block scalar follows.
    fn line(&mut self, line: &'t str) -> Option<Option<Level>> {
        let mut column = indent(line);
        let mut rest = line.get(column..)?.trim_end();
        if rest.starts_with(['\t', '%', '&', '*', '!', '|', '>', '?', '@', '`']) || rest.starts_with("---") {
            return None;
        }
        let mut level = self.place(column, is_item(rest));
        self.flush_comments(level.new);
        self.out.extend(std::iter::repeat_n(' ', level.new));
        while let Some(item) = rest.strip_prefix("- ") {
            let spaces = indent(item);
            self.out.push_str("- ");
            column += 2 + spaces;
            rest = item.get(spaces..)?;
            level = Level { old: column, new: level.new + 2, list: is_item(rest) };
            self.levels.push(level);
        }
        let (key, value) = match entry(rest) {
            Some((key, value)) => (Some(key), value),
            None if level.list || !self.levels.iter().any(|level| level.list) || rest == "-" => return None,
            None => (None, rest),
        };
        let (value, comment) = split_comment(value)?;
        if let Some(key) = key {
            self.out.push_str(key);
            self.out.push(':');
            if !value.is_empty() {
                self.out.push(' ');
            }
        }
        self.out.push_str(value);
        if let Some(comment) = comment {
            self.out.push(' ');
            self.out.push_str(comment);
        }
        self.out.push('\n');
        let block = value.starts_with(['|', '>']);
        if block && value.bytes().any(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some((block && key.is_some()).then_some(level))
    }

    /// The level of a line: one that is open, or a new one below the last.
    fn place(&mut self, column: usize, list: bool) -> Level {
        while let Some(last) = self.levels.last() {
            let leaves_list = last.old == column && last.list && !list;
            if last.old <= column && !leaves_list {
                break;
            }
            self.levels.pop();
        }
        let level = match self.levels.last() {
            Some(last) if last.old == column && (last.list == list) => return *last,
            Some(last) if list => Level { old: column, new: last.new, list },
            Some(last) => Level { old: column, new: last.new + 2, list },
            None => Level { old: column, new: 0, list },
        };
        self.levels.push(level);
        level
    }

    fn flush_comments(&mut self, indent: usize) {
        for comment in std::mem::take(&mut self.comments) {
            self.out.extend(std::iter::repeat_n(' ', indent));
            self.out.push_str(comment);
            self.out.push('\n');
        }
    }

    fn block(&mut self, body: &[&str], parent: Level) {
        let base = body.iter().find(|line| !line.trim().is_empty()).map_or(0, |line| indent(line));
        for line in body {
            if !line.trim().is_empty() {
                self.out.extend(std::iter::repeat_n(' ', parent.new + 2));
                self.out.push_str(line.get(base..).unwrap_or_default());
            }
            self.out.push('\n');
        }
    }
}

fn is_item(text: &str) -> bool {
    text.starts_with("- ") || text == "-"
}

/// Key and value of a line of a mapping. Quoted keys are taken whole.
fn entry(text: &str) -> Option<(&str, &str)> {
    let from = match text.as_bytes().first()? {
        quote @ (b'"' | b'\'') => text.get(1..)?.find(char::from(*quote))? + 2,
        b'{' | b'[' | b'-' if text.starts_with(['{', '[']) => return None,
        _ => 0,
    };
    let rest = text.get(from..)?;
    let colon = rest.find(": ").or_else(|| rest.strip_suffix(':').map(str::len))?;
    let hash = rest.find(" #").unwrap_or(usize::MAX);
    if colon > hash {
        return None;
    }
    let at = from + colon;
    Some((text.get(..at)?.trim_end(), text.get(at + 1..)?.trim()))
}

/// The value and the comment behind it; `None` if the value does not end on its line.
fn split_comment(text: &str) -> Option<(&str, Option<&str>)> {
    let end = match text.as_bytes().first() {
        None => return Some((text, None)),
        Some(b'#') => return Some(("", Some(text))),
        Some(b'&' | b'*' | b'!') => return None,
        Some(quote @ (b'"' | b'\'' | b'[' | b'{')) => closing(text, *quote)?,
        Some(_) => text.find(" #").unwrap_or(text.len()),
    };
    let value = text.get(..end)?.trim_end();
    let rest = text.get(end..)?.trim();
    match rest {
        "" => Some((value, None)),
        _ if rest.starts_with('#') => Some((value, Some(rest))),
        _ => None,
    }
}

/// Where a quoted string or flow collection ends, if it ends here.
fn closing(text: &str, open: u8) -> Option<usize> {
    let mut depth = 0usize;
    let mut quote = None;
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        match (quote, byte) {
            (Some(b'"'), b'\\') => {
                bytes.next();
            }
            (Some(b'\''), b'\'') if bytes.peek().is_some_and(|(_, next)| *next == b'\'') => {
                bytes.next();
            }
            (Some(own), byte) if own == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'[' | b'{') => depth += 1,
            (None, b']' | b'}') => depth = depth.checked_sub(1)?,
            (None, _) => {}
        }
        let done = depth == 0 && quote.is_none();
        if done && (at > 0 || !matches!(open, b'"' | b'\'')) {
            return Some(at + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lays_out_like_go() {
        let text = "# top\na:\n    b:   \"old\"   # why\n    c: 'x: y'\n\nl:\n  - one\n  - two: 3\n    four: [5, \"6]\"]\n  - - n\nm: |\n    x\n\n      y\nz:\n# in\n  k: v\n";
        let expected = "# top\na:\n  b: \"old\" # why\n  c: 'x: y'\nl:\n- one\n- two: 3\n  four: [5, \"6]\"]\n- - n\nm: |\n  x\n\n    y\nz:\n  # in\n  k: v\n";
        assert_eq!(laid_out(text).unwrap(), expected);
        assert_eq!(laid_out(expected).unwrap(), expected);
    }

    #[test]
    fn leaves_what_it_does_not_understand() {
        for text in
            ["a: &x 1\n", "a: b\n  c\n", "a: [1,\n  2]\n", "? a\n: b\n", "---\na: b\n", "a: |2\n   x\n"]
        {
            assert!(laid_out(text).is_none(), "{text}");
        }
    }
}

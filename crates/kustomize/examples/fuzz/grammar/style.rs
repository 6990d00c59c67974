//! Trees, and the many ways to write one in YAML.

use oracle::Random;

/// A node of YAML.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// A mapping.
    Map(Vec<(String, Node)>),
    /// A sequence.
    Seq(Vec<Node>),
    /// A string, written in any style that keeps it.
    Text(String),
    /// A scalar exactly as it stands on one line.
    Raw(String),
}

/// A mapping.
pub fn map<const N: usize>(entries: [(&str, Node); N]) -> Node {
    Node::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// A sequence.
pub fn seq(items: impl IntoIterator<Item = Node>) -> Node {
    Node::Seq(items.into_iter().collect())
}

/// A string.
pub fn text(text: impl Into<String>) -> Node {
    Node::Text(text.into())
}

/// A scalar as it is written.
pub fn raw(text: impl Into<String>) -> Node {
    Node::Raw(text.into())
}

impl Node {
    /// Adds a field at the end.
    pub fn with(mut self, key: &str, value: Node) -> Node {
        if let Node::Map(entries) = &mut self {
            entries.push((key.to_owned(), value));
        }
        self
    }

    /// Adds a field at the end if there is a value.
    pub fn with_some(self, key: &str, value: Option<Node>) -> Node {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }
}

/// Habits of the author of one file.
pub struct Style {
    step: usize,
    indents_sequences: bool,
    /// One in so many collections is written in flow style; 0 for none.
    flow: usize,
    /// One in so many lines has a comment; 0 for none.
    comments: usize,
    /// One in so many strings is quoted or a block without need; 0 for none.
    quotes: usize,
    anchors: bool,
    known: Vec<(String, Node)>,
}

impl Style {
    /// Habits at random; half of the authors write as everybody does.
    pub fn new(random: &mut Random) -> Style {
        if random.one_in(2) {
            return Style::plain();
        }
        Style {
            step: if random.one_in(5) { 4 } else { 2 },
            indents_sequences: random.one_in(2),
            flow: [0, 0, 12, 5].get(random.below(4)).copied().unwrap_or(0),
            comments: [0, 15, 6].get(random.below(3)).copied().unwrap_or(0),
            quotes: [0, 8, 3].get(random.below(3)).copied().unwrap_or(0),
            anchors: random.one_in(5),
            known: Vec::new(),
        }
    }

    /// As everybody writes.
    pub fn plain() -> Style {
        Style {
            step: 2,
            indents_sequences: false,
            flow: 0,
            comments: 0,
            quotes: 0,
            anchors: false,
            known: Vec::new(),
        }
    }

    /// One document.
    pub fn document(&mut self, random: &mut Random, node: &Node) -> String {
        self.known.clear();
        let mut out = String::new();
        self.block(random, node, 0, &mut out);
        out
    }

    fn comment(&self, random: &mut Random) -> &'static str {
        if self.comments > 0 && random.one_in(self.comments) {
            [" # why", " #", " # a: b", " # é", "  # {\"$imagepolicy\": \"flux-system:app\"}"]
                .get(random.below(5))
                .copied()
                .unwrap_or_default()
        } else {
            ""
        }
    }

    /// A comment behind a collection, where kustomize takes JSON for a schema.
    fn plain_comment(&self, random: &mut Random) -> &'static str {
        if self.comments > 0 && random.one_in(self.comments) {
            random.pick(&[" # why", " # a: b", " # é", "    # - x"])
        } else {
            ""
        }
    }

    fn comment_line(&self, random: &mut Random, indent: usize, out: &mut String) {
        if self.comments > 0 && random.one_in(self.comments * 2) {
            match random.below(4) {
                0 => out.push('\n'),
                1 => out.push_str("# at the margin\n"),
                _ => out.push_str(&format!("{}# a line\n", " ".repeat(indent))),
            }
        }
    }

    /// A collection, or a scalar on a line of its own.
    fn block(&mut self, random: &mut Random, node: &Node, indent: usize, out: &mut String) {
        let spaces = " ".repeat(indent);
        match node {
            Node::Map(entries) if !entries.is_empty() => {
                for (key, value) in entries {
                    self.comment_line(random, indent, out);
                    out.push_str(&spaces);
                    out.push_str(&self.key(random, key));
                    out.push(':');
                    self.value(random, value, indent, false, out);
                }
            }
            Node::Seq(items) if !items.is_empty() => {
                for item in items {
                    self.comment_line(random, indent, out);
                    out.push_str(&spaces);
                    out.push('-');
                    self.value(random, item, indent, true, out);
                }
            }
            other => {
                out.push_str(&spaces);
                out.push_str(&self.flow(random, other));
                out.push('\n');
            }
        }
    }

    /// What stands behind `key:` or `-`, to the end of the line or of the block.
    fn value(&mut self, random: &mut Random, node: &Node, indent: usize, in_seq: bool, out: &mut String) {
        if self.anchors {
            if let Some((name, _)) = self.known.iter().find(|(_, known)| known == node) {
                out.push_str(&format!(" *{name}\n"));
                return;
            }
            if random.one_in(6) && !matches!(node, Node::Raw(_)) {
                let name = format!("a{}", self.known.len());
                out.push_str(&format!(" &{name}"));
                self.known.push((name, node.clone()));
                // Behind the anchor of an item, kustomize takes a comment for text of the block that follows.
                let comments = if in_seq { std::mem::take(&mut self.comments) } else { self.comments };
                self.unanchored(random, node, indent, false, out);
                self.comments = comments;
                return;
            }
        }
        self.unanchored(random, node, indent, in_seq, out);
    }

    fn unanchored(
        &mut self,
        random: &mut Random,
        node: &Node,
        indent: usize,
        in_seq: bool,
        out: &mut String,
    ) {
        let flow = self.flow > 0 && random.one_in(self.flow);
        match node {
            Node::Map(entries) if !entries.is_empty() && !flow => {
                if in_seq {
                    // The first entry stands behind the dash.
                    let mut inner = String::new();
                    let comments = std::mem::take(&mut self.comments);
                    self.block(random, node, indent + 2, &mut inner);
                    self.comments = comments;
                    out.push(' ');
                    out.push_str(inner.trim_start_matches(' '));
                } else {
                    out.push_str(self.plain_comment(random));
                    out.push('\n');
                    self.block(random, node, indent + self.step, out);
                }
            }
            Node::Seq(items) if !items.is_empty() && !flow => {
                if in_seq {
                    let mut inner = String::new();
                    let comments = std::mem::take(&mut self.comments);
                    self.block(random, node, indent + 2, &mut inner);
                    self.comments = comments;
                    out.push(' ');
                    out.push_str(inner.trim_start_matches(' '));
                } else {
                    out.push_str(self.plain_comment(random));
                    out.push('\n');
                    let inner = if self.indents_sequences { indent + self.step } else { indent };
                    self.block(random, node, inner, out);
                }
            }
            Node::Text(text) if text.contains('\n') && !random.one_in(4) => {
                self.lines(random, text, indent, in_seq, out);
            }
            Node::Text(text) if self.quotes > 0 && random.one_in(self.quotes * 3) && blockable(text) => {
                self.lines(random, text, indent, in_seq, out);
            }
            other => {
                let written = self.flow(random, other);
                if !written.is_empty() {
                    out.push(' ');
                    out.push_str(&written);
                }
                let scalar = matches!(other, Node::Text(_) | Node::Raw(_));
                out.push_str(if scalar { self.comment(random) } else { self.plain_comment(random) });
                out.push('\n');
            }
        }
    }

    /// A literal or folded block.
    fn lines(&mut self, random: &mut Random, text: &str, indent: usize, in_seq: bool, out: &mut String) {
        if !blockable(text) {
            out.push(' ');
            out.push_str(&double_quoted(text));
            out.push('\n');
            return;
        }
        let indent = indent + if in_seq { 2 } else { self.step };
        let body = text.trim_end_matches('\n');
        let chomp = match text.len() - body.len() {
            0 => "-",
            1 => "",
            _ => "+",
        };
        let folded = self.quotes > 0
            && random.one_in(4)
            && !body.contains("\n\n")
            && !body.split('\n').any(|line| line.starts_with([' ', '\t']) || line.ends_with(' '));
        out.push_str(&format!(" {}{chomp}\n", if folded { '>' } else { '|' }));
        for (at, line) in body.split('\n').enumerate() {
            if folded && at > 0 {
                out.push('\n');
            }
            if line.is_empty() {
                out.push('\n');
            } else {
                out.push_str(&format!("{}{line}\n", " ".repeat(indent)));
            }
        }
        for _ in body.len() + 1..text.len() {
            out.push('\n');
        }
    }

    fn key(&mut self, random: &mut Random, key: &str) -> String {
        if key == "<<" || (is_plain(key) && !(self.quotes > 0 && random.one_in(self.quotes * 6))) {
            key.to_owned()
        } else {
            double_quoted(key)
        }
    }

    /// On one line.
    fn flow(&mut self, random: &mut Random, node: &Node) -> String {
        match node {
            Node::Raw(text) => text.clone(),
            Node::Text(text) => self.scalar(random, text),
            Node::Seq(items) => {
                let items: Vec<String> = items.iter().map(|item| self.flow(random, item)).collect();
                let space = if random.one_in(4) { " " } else { "" };
                format!("[{space}{}{space}]", items.join(", "))
            }
            Node::Map(entries) => {
                let entries: Vec<String> = (entries.iter())
                    .map(|(key, value)| format!("{}: {}", self.key(random, key), self.flow(random, value)))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }

    fn scalar(&mut self, random: &mut Random, text: &str) -> String {
        let quotes = self.quotes > 0 && random.one_in(self.quotes);
        if is_plain(text) && !quotes {
            text.to_owned()
        } else if random.one_in(2) && !text.chars().any(|c| c.is_control()) {
            format!("'{}'", text.replace('\'', "''"))
        } else {
            double_quoted(text)
        }
    }
}

/// Whether a text stands for itself without quotes, in a flow collection, too.
fn is_plain(text: &str) -> bool {
    let word = text.bytes().all(|b| b.is_ascii_alphanumeric() || b" ._/-$()".contains(&b));
    word && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && !text.ends_with(' ')
        && !text.contains("  ")
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n", "True", "False", "Null", "Y", "N"]
            .contains(&text)
}

/// Whether a text can be a literal block.
fn blockable(text: &str) -> bool {
    let body = text.trim_end_matches('\n');
    !body.is_empty()
        && !body.starts_with([' ', '\n', '\t'])
        && !body.chars().any(|c| c.is_control() && c != '\n' && c != '\t')
}

fn double_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Documents as a file: separators, ends, line ends, marks.
pub fn stream(random: &mut Random, documents: &[Node]) -> String {
    let mut style = Style::new(random);
    let mut out = String::new();
    if random.one_in(10) {
        out.push_str(random.pick(&["---\n", "# license\n", "\n", "# license\n---\n", "--- # first\n"]));
    }
    for (at, document) in documents.iter().enumerate() {
        if at > 0 {
            out.push_str(if random.one_in(8) {
                random.pick(&["--- # next\n", "---\n\n", "---\n# comment\n", "---\n---\n", "---  \n"])
            } else {
                "---\n"
            });
        }
        out.push_str(&style.document(random, document));
    }
    match random.below(40) {
        0 => out.push_str("---\n"),
        1 => out.push_str("...\n"),
        2 => out.push_str("\n\n"),
        // Behind a block that keeps its last lines, kustomize takes a comment for one more.
        3 if !out.contains("|+") && !out.contains(">+") => out.push_str("# end\n"),
        4 => {
            out.pop();
        }
        5 => out = out.replace('\n', "\r\n"),
        6 => out = format!("\u{feff}{out}"),
        _ => {}
    }
    out
}

//! A generated template: a tree, so that it can be made smaller and stay a template.

use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An operand: any other can stand in its place.
    Operand,
    /// Text and whole actions: it can be left out.
    Block,
}

#[derive(Debug, Clone)]
pub enum Piece {
    Text(String),
    Part(Part),
}

#[derive(Debug, Clone)]
pub struct Part {
    pub kind: Kind,
    pub pieces: Vec<Piece>,
}

impl Part {
    pub fn new(kind: Kind) -> Part {
        Part { kind, pieces: Vec::new() }
    }

    pub fn leaf(kind: Kind, text: impl Into<String>) -> Part {
        Part { kind, pieces: vec![Piece::Text(text.into())] }
    }

    pub fn text(&mut self, text: impl Into<String>) -> &mut Part {
        self.pieces.push(Piece::Text(text.into()));
        self
    }

    pub fn part(&mut self, part: Part) -> &mut Part {
        self.pieces.push(Piece::Part(part));
        self
    }

    fn children(&self) -> impl Iterator<Item = &Part> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Part(part) => Some(part),
            Piece::Text(_) => None,
        })
    }

    fn descendants<'a>(&'a self, kind: Kind, into: &mut Vec<&'a Part>) {
        for child in self.children() {
            if child.kind == kind {
                into.push(child);
            } else {
                child.descendants(kind, into);
            }
        }
    }

    /// Every tree that is this one with one part made smaller.
    pub fn smaller(&self) -> Vec<Part> {
        let mut all = Vec::new();
        let mut nearest = Vec::new();
        self.descendants(self.kind, &mut nearest);
        all.extend(nearest.into_iter().cloned());
        match self.kind {
            Kind::Block if !self.pieces.is_empty() => all.push(Part::new(Kind::Block)),
            Kind::Operand if self.to_string().len() > 3 => {
                all.extend(["1", "\"\"", "\"a\"", "nil"].map(|text| Part::leaf(Kind::Operand, text)));
            }
            _ => {}
        }
        for (i, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Part(part) => {
                    for small in part.smaller() {
                        let mut copy = self.clone();
                        copy.pieces[i] = Piece::Part(small);
                        all.push(copy);
                    }
                    if self.kind == Kind::Operand && part.kind == Kind::Operand {
                        let mut copy = self.clone();
                        copy.pieces.remove(i);
                        all.push(copy);
                    }
                }
                Piece::Text(text) if text.starts_with('"') && text.len() > 3 => {
                    for shorter in shorter(text) {
                        let mut copy = self.clone();
                        copy.pieces[i] = Piece::Text(shorter);
                        all.push(copy);
                    }
                }
                Piece::Text(_) => {}
            }
        }
        all
    }
}

/// A quoted text with a part of it left out.
fn shorter(text: &str) -> Vec<String> {
    let inner: Vec<char> = text.chars().collect();
    let mut all = Vec::new();
    let len = inner.len().saturating_sub(2);
    let mut size = len / 2;
    while size > 0 {
        let mut at = 1;
        while at + size <= len + 1 {
            all.push(inner[..at].iter().chain(&inner[at + size..]).collect());
            at += size;
        }
        size /= 2;
    }
    all
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => f.write_str(text)?,
                Piece::Part(part) => write!(f, "{part}")?,
            }
        }
        Ok(())
    }
}

//! `if`, `with`, `range`, `template`, `block` and their kin.

use super::{End, Item, Parsed, Parser};
use crate::lex::{Keyword, Kind};
use crate::tree::{NodeId, NodeKind};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Control {
    If,
    With,
    Range,
}

impl Control {
    fn word(self) -> &'static str {
        match self {
            Control::If => "if",
            Control::With => "with",
            Control::Range => "range",
        }
    }
}

impl Parser<'_> {
    pub(super) fn action(&mut self) -> Parsed<Item> {
        let token = self.next();
        if let Kind::Keyword(keyword) = token.kind {
            match keyword {
                Keyword::Block => return self.block().map(Item::Node),
                Keyword::Break => return self.leave(token.start, NodeKind::Break, "break"),
                Keyword::Continue => return self.leave(token.start, NodeKind::Continue, "continue"),
                Keyword::Else => return self.else_().map(|()| Item::End(End::Else)),
                Keyword::End => {
                    self.expect(Kind::RightDelim, "end")?;
                    return Ok(Item::End(End::End));
                }
                Keyword::If => return self.control(Control::If).map(Item::Node),
                Keyword::Range => return self.control(Control::Range).map(Item::Node),
                Keyword::Template => return self.template().map(Item::Node),
                Keyword::With => return self.control(Control::With).map(Item::Node),
                Keyword::Define | Keyword::Nil => {}
            }
        }
        self.next -= 1;
        let pos = self.peek().start;
        let pipe = self.pipeline("command", Kind::RightDelim)?;
        Ok(Item::Node(self.push(pos, NodeKind::Action(pipe))))
    }

    fn leave(&mut self, pos: u32, kind: NodeKind, word: &str) -> Parsed<Item> {
        let token = self.next();
        if token.kind != Kind::RightDelim {
            return self.unexpected(token, &format!("{{{{{word}}}}}"));
        }
        if self.range_depth == 0 {
            return self.error(format!("{{{{{word}}}}} outside {{{{range}}}}"));
        }
        Ok(Item::Node(self.push(pos, kind)))
    }

    /// `{{else}}`, or the `{{else` of `{{else if`, whose word is left to be read.
    fn else_(&mut self) -> Parsed<()> {
        if matches!(self.peek().kind, Kind::Keyword(Keyword::If | Keyword::With)) {
            return Ok(());
        }
        self.expect(Kind::RightDelim, "else").map(|_| ())
    }

    fn control(&mut self, control: Control) -> Parsed<NodeId> {
        self.deeper("control structures are nested too deeply")?;
        let known = self.scope.known.len();
        let live = self.scope.live.len();
        let pipe = self.pipeline(control.word(), Kind::RightDelim)?;
        let declared = self.scope.live.len();
        self.range_depth += u32::from(control == Control::Range);
        let (list, end) = self.item_list()?;
        self.range_depth -= u32::from(control == Control::Range);
        // What the body declared does not exist when the other branch runs, although parsing would accept it.
        self.scope.live.truncate(declared);
        let other = match end {
            End::End => None,
            End::Else => Some(self.other(control)?),
        };
        self.scope.live.truncate(live);
        self.scope.known.truncate(known);
        self.depth -= 1;
        let pos = self.parts.nodes.get(pipe.0 as usize).map_or(0, |node| node.pos);
        let kind = match control {
            Control::If => NodeKind::If { pipe, list, other },
            Control::With => NodeKind::With { pipe, list, other },
            Control::Range => NodeKind::Range { pipe, list, other },
        };
        Ok(self.push(pos, kind))
    }

    fn other(&mut self, control: Control) -> Parsed<NodeId> {
        let token = self.peek();
        let chained = match token.kind {
            Kind::Keyword(Keyword::If) => control == Control::If,
            Kind::Keyword(Keyword::With) => control == Control::With,
            _ => false,
        };
        if chained {
            let word = self.next();
            let node = self.control(control)?;
            self.pending.push(node);
            let nodes = self.children(self.pending.len() - 1);
            return Ok(self.push(word.start, NodeKind::List(nodes)));
        }
        let (list, end) = self.item_list()?;
        if end != End::End {
            return self.error(format!("expected end; found {}", end.source()));
        }
        Ok(list)
    }

    fn template(&mut self) -> Parsed<NodeId> {
        const CONTEXT: &str = "template clause";
        let (pos, name, _) = self.template_name(CONTEXT)?;
        let mut pipe = None;
        if self.next().kind != Kind::RightDelim {
            self.next -= 1;
            pipe = Some(self.pipeline(CONTEXT, Kind::RightDelim)?);
        }
        Ok(self.push(pos, NodeKind::Template { name, pipe }))
    }

    fn block(&mut self) -> Parsed<NodeId> {
        use super::BLOCK as CONTEXT;
        let (pos, literal, name) = self.template_name(CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, Kind::RightDelim)?;
        self.deeper("control structures are nested too deeply")?;
        self.body(name, CONTEXT)?;
        self.depth -= 1;
        Ok(self.push(pos, NodeKind::Template { name: literal, pipe: Some(pipe) }))
    }
}

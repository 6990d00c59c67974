//! Templates that can call one another.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};

use crate::error::Error;
use crate::function::Functions;
use crate::parse::{Room, parse};
use crate::text::Str;
use crate::tree::{NodeId, Tree};

/// A named template.
#[derive(Debug, Clone)]
pub struct Template {
    pub(crate) name: Str,
    pub(crate) tree: Arc<Tree>,
    pub(crate) root: NodeId,
    /// Places that its variables need.
    pub(crate) slots: u32,
}

/// What a text defines: the template of its own name, and those of its `define` and `block` actions. It can be kept
/// and added to any number of sets.
#[derive(Debug, Clone)]
pub struct Parsed(Arc<[Arc<Template>]>);

impl Parsed {
    /// Parses a text under a name.
    ///
    /// # Errors
    /// The first problem, in Go's words: `template: NAME:LINE: …`.
    pub fn new(name: impl Into<Str>, text: impl Into<Str>, functions: &Functions) -> Result<Parsed, Error> {
        Parser::new(functions).parse(name, text)
    }
}

/// Parses any number of texts, with the same room to work in.
pub struct Parser<'f> {
    functions: &'f Functions,
    room: Room,
}

impl<'f> Parser<'f> {
    /// A parser of templates that call these functions.
    #[must_use]
    pub fn new(functions: &'f Functions) -> Parser<'f> {
        Parser { functions, room: Room::default() }
    }

    /// As [`Parsed::new`].
    ///
    /// # Errors
    /// As [`Parsed::new`].
    pub fn parse(&mut self, name: impl Into<Str>, text: impl Into<Str>) -> Result<Parsed, Error> {
        let templates = parse(&name.into(), &text.into(), self.functions, &mut self.room)?;
        Ok(Parsed(templates.into_iter().map(Arc::new).collect()))
    }
}

/// Templates by name. A set made on top of another sees its templates, and hides those of names of its own.
#[derive(Debug, Default)]
pub struct Set {
    below: Option<Arc<Set>>,
    templates: HashMap<Str, Arc<Template>>,
}

impl Set {
    /// An empty set.
    #[must_use]
    pub fn new() -> Set {
        Set::default()
    }

    /// A set on top of another.
    #[must_use]
    pub fn on(below: Arc<Set>) -> Set {
        Set { below: Some(below), templates: HashMap::new() }
    }

    /// Adds what a text defines. A later template replaces an earlier one of its name, but a blank one never does.
    pub fn add(&mut self, parsed: &Parsed) {
        for template in parsed.0.iter() {
            if template.tree.parts.blank(template.root, &template.tree.text)
                && self.get(&template.name).is_some()
            {
                continue;
            }
            self.templates.insert(template.name.clone(), Arc::clone(template));
        }
    }

    /// As [`Set::add`], for a text that is run under its own name: blank or not, it is the one of that name. In Go the
    /// template that a text is parsed into is that text, whatever the others of the set are called.
    pub fn add_main(&mut self, name: &[u8], parsed: &Parsed) {
        self.add(parsed);
        if let Some(main) = parsed.0.iter().rfind(|template| &*template.name == name) {
            self.templates.insert(main.name.clone(), main.clone());
        }
    }

    /// A template.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&Arc<Template>> {
        let mut set = self;
        loop {
            if let Some(template) = set.templates.get(name) {
                return Some(template);
            }
            set = set.below.as_deref()?;
        }
    }
}

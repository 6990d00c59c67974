//! Running templates.

mod arg;
mod call;
mod eval;
mod field;
mod walk;

use std::any::Any;
use std::sync::Arc;

use crate::error::Error;
use crate::function::Functions;
use crate::set::{Set, Template};
use crate::text::Str;
use crate::tree::{NodeId, Tree};
use crate::value::Value;

/// What a run may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Nodes and calls evaluated. Default: 200 million.
    pub steps: u64,
    /// Bytes written, those of templates whose output is used as a value included; and, counted apart, bytes of the
    /// texts that functions make. Default: 256 MiB.
    pub output: usize,
    /// Templates that call one another, deep. Go's own limit is 100,000, which needs about 400 MB of stack here;
    /// default: 3,000.
    pub depth: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { steps: 200_000_000, output: 256 << 20, depth: 3_000 }
    }
}

/// Most room, in bytes, that a template's output has from the start.
const ROOM: usize = 4 << 20;

/// What a map gives for a key it does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingKey {
    /// `missingkey=default`: nothing, which prints `<no value>`.
    #[default]
    Default,
    /// `missingkey=zero`: the zero value of the map's elements.
    Zero,
    /// `missingkey=error`: an error.
    Error,
}

/// A value with what Go's reflection knows of it: whether it came out of a collection of interface type.
#[derive(Clone, Default)]
pub(crate) struct Slot {
    pub(crate) value: Value,
    pub(crate) interface: bool,
}

impl Slot {
    pub(crate) fn concrete(value: Value) -> Slot {
        Slot { value, interface: false }
    }

    /// No value at all, which differs from a nil of interface type.
    pub(crate) fn invalid(&self) -> bool {
        !self.interface && matches!(self.value, Value::Nil)
    }

    pub(crate) fn type_name(&self) -> std::borrow::Cow<'static, str> {
        if self.interface { "interface {}".into() } else { self.value.type_name() }
    }
}

pub(crate) type Run<T> = Result<T, Box<Error>>;

/// A run of templates. Functions get it to render others and to reach the state of their library.
pub struct Exec<'a> {
    functions: &'a Functions,
    set: Arc<Set>,
    missing: MissingKey,
    limits: Limits,
    steps: u64,
    exhausted: bool,
    written: usize,
    /// Bytes of the texts that functions have made.
    made: usize,
    depth: u32,
    out: Vec<u8>,
    stack: Vec<Slot>,
    base: usize,
    /// The node being evaluated, which errors show.
    at: NodeId,
    /// The template being run.
    template: Option<Arc<Template>>,
    /// Whether the last argument of any type came out of a collection: its nil has a type then.
    typed_nil: std::cell::Cell<bool>,
    spare: Vec<Vec<Value>>,
    state: &'a mut dyn Any,
}

impl<'a> Exec<'a> {
    /// A run of the templates of `set`, which were parsed with `functions`. `state` is for the functions.
    pub fn new(
        functions: &'a Functions,
        set: Arc<Set>,
        missing: MissingKey,
        limits: Limits,
        state: &'a mut dyn Any,
    ) -> Exec<'a> {
        Exec {
            functions,
            set,
            missing,
            limits,
            steps: 0,
            exhausted: false,
            written: 0,
            made: 0,
            depth: 0,
            out: Vec::new(),
            stack: Vec::new(),
            base: 0,
            at: NodeId(0),
            template: None,
            typed_nil: std::cell::Cell::new(false),
            spare: Vec::new(),
            state,
        }
    }

    /// The state of a library, if it has this type.
    pub fn state<T: 'static>(&mut self) -> Option<&mut T> {
        self.state.downcast_mut()
    }

    /// True when the run failed because it reached one of its [`Limits`].
    #[must_use]
    pub fn exhausted(&self) -> bool {
        self.exhausted
    }

    /// The functions of this run.
    #[must_use]
    pub fn functions(&self) -> &'a Functions {
        self.functions
    }

    pub(crate) fn typed_nil(&self) -> bool {
        self.typed_nil.get()
    }

    /// The templates of this run.
    #[must_use]
    pub fn set(&self) -> &Arc<Set> {
        &self.set
    }

    /// Runs what `run` does with another set of templates.
    pub fn with_set<T>(&mut self, set: Arc<Set>, run: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.set, set);
        let result = run(self);
        self.set = outer;
        result
    }

    /// Renders a template. It can be called within a run, too.
    ///
    /// # Errors
    /// Go's text: `template: NAME:LINE:COLUMN: executing "NAME" at <NODE>: …`; `no template "NAME"`, where `root` is
    /// the name of the set; a limit that was reached.
    pub fn render(&mut self, name: &[u8], root: &str, data: &Value) -> Result<Vec<u8>, Box<Error>> {
        let template = self.template(name, root)?;
        // Most of what a template prints is its own text.
        let room = Vec::with_capacity(template.tree.text.len().min(ROOM));
        let outer = std::mem::replace(&mut self.out, room);
        let result = self.enter(&template, Slot::concrete(data.clone()));
        let output = std::mem::replace(&mut self.out, outer);
        result.map(|()| output)
    }

    /// As [`Exec::render`], for an output that becomes a value.
    ///
    /// # Errors
    /// As [`Exec::render`].
    pub fn render_text(&mut self, name: &[u8], root: &str, data: &Value) -> Result<Str, Box<Error>> {
        let template = self.template(name, root)?;
        // The output of templates in templates is put behind one another: one place to write for all of them.
        let before = self.out.len();
        let result = self.enter(&template, Slot::concrete(data.clone()));
        let text = result.map(|()| Str::from(self.out.get(before..).unwrap_or_default()));
        self.out.truncate(before);
        text
    }

    /// A text that `write` makes.
    pub fn text(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Str {
        let before = self.out.len();
        write(&mut self.out);
        let text = Str::from(self.out.get(before..).unwrap_or_default());
        self.out.truncate(before);
        text
    }

    fn template(&self, name: &[u8], root: &str) -> Result<Arc<Template>, Box<Error>> {
        self.set.get(name).cloned().ok_or_else(|| {
            let name = crate::quote::quote(name);
            let root = crate::quote::quote(root.as_bytes());
            Box::new(Error::new(format!("template: no template {name} associated with template {root}")))
        })
    }

    /// Runs a template with a frame of its own; its output goes to `out`.
    fn enter(&mut self, template: &Arc<Template>, dot: Slot) -> Run<()> {
        let outer = self.template.replace(Arc::clone(template));
        let (base, at) = (self.base, self.at);
        self.base = self.stack.len();
        self.stack.resize_with(self.base + template.slots.max(1) as usize, Slot::default);
        if let Some(slot) = self.stack.get_mut(self.base) {
            *slot = dot.clone();
        }
        self.depth += 1;
        self.at = template.root;
        let result = if self.depth > self.limits.depth {
            self.fail(&template.tree, format!("exceeded maximum template depth ({})", self.limits.depth))
        } else {
            self.walk(&template.tree, template.root, &dot).map(|_| ())
        };
        self.depth -= 1;
        self.stack.truncate(self.base);
        self.base = base;
        if result.is_ok() {
            self.at = at;
        }
        self.template = outer;
        result
    }

    fn fail<T>(&self, tree: &Tree, message: impl std::fmt::Display) -> Run<T> {
        Err(Box::new(Error::new(self.located(tree, &message))))
    }

    fn located(&self, tree: &Tree, message: &dyn std::fmt::Display) -> String {
        let location = tree.location(self.at);
        let template = self.template.as_ref().map(|template| crate::quote::quote(&template.name));
        let template = template.unwrap_or_default();
        let node = tree.source(self.at);
        format!("template: {location}: executing {template} at <{node}>: {message}")
    }

    fn step(&mut self, tree: &Tree) -> Run<()> {
        self.steps += 1;
        if self.steps > self.limits.steps {
            self.exhausted = true;
            return self.fail(tree, format!("the template takes more than {} steps", self.limits.steps));
        }
        Ok(())
    }

    fn made(&mut self, tree: &Tree, result: &Value) -> Run<()> {
        let Value::Str(text) = result else { return Ok(()) };
        self.made = self.made.saturating_add(text.len());
        if self.made > self.limits.output {
            self.exhausted = true;
            let limit = self.limits.output;
            return self.fail(tree, format!("the texts that functions made are longer than {limit} bytes"));
        }
        Ok(())
    }

    fn wrote(&mut self, tree: &Tree, before: usize) -> Run<()> {
        self.written += self.out.len() - before;
        if self.written > self.limits.output {
            self.exhausted = true;
            return self.fail(tree, format!("the output is longer than {} bytes", self.limits.output));
        }
        Ok(())
    }
}

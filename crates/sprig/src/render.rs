//! The template files of a chart tree, compiled once and rendered as Helm renders them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use gotemplate::{DictType, Exec, Limits, MissingKey, Parsed, Parser, Set, Str, Value};

use crate::context::{VALUES, values};
use crate::error::Error;
use crate::helm::{ROOT, without_no_value};
use crate::state::{Lookup, Purpose, Resolve, State};

/// Stack, in bytes, that [`with_stack`] and [`Beside`](crate::Beside) give. It is address space: only what is used becomes
/// memory.
pub(crate) const STACK: usize = 512 << 20;

/// Compiled template files. They can be kept, shared between threads, and rendered any number of times.
#[derive(Debug, Clone)]
pub struct Templates {
    set: Arc<Set>,
    /// Those that are no partials, in Helm's order.
    rendered: Arc<[Arc<str>]>,
}

/// What one template file works on.
#[derive(Clone)]
pub struct Scope {
    /// The context of its chart: a dict with `Values`, `Release`, `Chart`, `Files`, `Capabilities` and `Subcharts`.
    /// All files of a chart share it (clones of a [`Value`] do); `Template` is set in it before each file.
    pub context: Value,
    /// `.Template.BasePath`: the path of the chart's `templates` folder.
    pub base_path: String,
}

/// How to render.
pub struct Options {
    /// What a key gives that a map does not have. Default: [`MissingKey::Zero`]; `helm lint --strict` has
    /// [`MissingKey::Error`].
    pub missing: MissingKey,
    /// What `required` and `fail` do. Default: they fail.
    pub purpose: Purpose,
    /// What `now` is, in nanoseconds since 1970.
    pub now: i128,
    /// Where everything random comes from: passwords, keys, serial numbers. It must be secret and new for each run,
    /// unless the output should repeat.
    pub seed: [u8; 32],
    /// Asks the cluster. Default: none, and `lookup` finds nothing.
    pub lookup: Option<Lookup>,
    /// Asks DNS. Default: none, and `getHostByName` gives an empty text.
    pub resolve: Option<Resolve>,
    /// Steps, bytes of output, and templates in templates.
    pub limits: Limits,
    /// Largest compiled regular expression, in bytes. Default: 10 MiB.
    pub regex_size: usize,
}

impl Options {
    /// The defaults, at a time and with a seed.
    #[must_use]
    pub fn new(now: i128, seed: [u8; 32]) -> Options {
        Options {
            missing: MissingKey::Zero,
            purpose: Purpose::Render,
            now,
            seed,
            lookup: None,
            resolve: None,
            limits: Limits::default(),
            regex_size: 10 << 20,
        }
    }
}

/// Template files that are being compiled, by any number of threads.
pub struct Compiling {
    /// In Helm's order: path, text, and what becomes of it.
    files: Vec<(Arc<str>, Str, OnceLock<Outcome>)>,
    /// The next file that nobody has taken.
    next: AtomicUsize,
}

type Outcome = Result<Parsed, gotemplate::Error>;

impl Compiling {
    /// Files as for [`Templates::compile`].
    #[must_use]
    pub fn new<P: Into<Arc<str>>, T: Into<Str>>(files: impl IntoIterator<Item = (P, T)>) -> Compiling {
        let mut files: Vec<_> =
            files.into_iter().map(|(path, text)| (path.into(), text.into(), OnceLock::new())).collect();
        // Deeper files first, so that what a parent chart defines replaces what a sub-chart defines.
        files.sort_by_cached_key(|(path, _, _)| Reverse((path.matches('/').count(), Arc::clone(path))));
        Compiling { files, next: AtomicUsize::new(0) }
    }

    /// Compiles files until all are taken; those that others took may not be ready yet.
    pub fn help(&self) {
        let mut parser = Parser::new(crate::functions());
        while let Some((path, text, parsed)) = self.files.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            parsed.get_or_init(|| parser.parse(&**path, text.clone()));
        }
    }

    /// The templates: what nobody took is compiled now, what somebody has not finished is waited for.
    ///
    /// # Errors
    /// [`Error::Parse`]: the first text, in Helm's order, that does not parse.
    pub fn end(&self) -> Result<Templates, Error> {
        let mut parser = Parser::new(crate::functions());
        let mut set = Set::new();
        let mut rendered = Vec::new();
        for (path, text, parsed) in &self.files {
            let parsed = parsed.get_or_init(|| parser.parse(&**path, text.clone()));
            set.add(parsed.as_ref().map_err(|error| Error::parse(path, error))?);
            if !path.rsplit('/').next().unwrap_or_default().starts_with('_') {
                rendered.push(Arc::clone(path));
            }
        }
        Ok(Templates { set: Arc::new(set), rendered: rendered.into() })
    }
}

impl Templates {
    /// Compiles template files: full path (`app/templates/web.yaml`, `app/charts/db/templates/_help.tpl`) and text, which
    /// is kept; a [`Str`] is not copied. The order in which they are given does not matter. Files whose base name begins with `_` are partials: they define
    /// templates and are not rendered.
    ///
    /// # Errors
    /// [`Error::Parse`]: the first text, in Helm's order, that does not parse.
    pub fn compile<P: Into<Arc<str>>, T: Into<Str>>(
        files: impl IntoIterator<Item = (P, T)>,
    ) -> Result<Templates, Error> {
        let compiling = Compiling::new(files);
        compiling.help();
        compiling.end()
    }

    /// The files that are rendered, in the order in which that happens.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.rendered.iter().map(|path| &**path)
    }

    /// Renders every file that is no partial; `scope` is asked for each in turn. The result has a text, which need not
    /// be UTF-8, for each path.
    ///
    /// Templates can nest deeply: call this, and whatever else walks the same values, within [`with_stack`].
    ///
    /// # Errors
    /// [`Error::Fail`] when a template calls `fail` or misses what it requires, [`Error::Limit`] when one takes more
    /// than it may, [`Error::Exec`] otherwise; the text is Helm's.
    pub fn render(
        &self,
        mut scope: impl FnMut(&str) -> Scope,
        options: Options,
    ) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        let (missing, limits) = (options.missing, options.limits);
        let mut state = State::new(options);
        let mut exec = Exec::new(crate::functions(), Arc::clone(&self.set), missing, limits, &mut state);
        let mut texts = BTreeMap::new();
        for path in self.paths() {
            let Scope { context, base_path } = scope(path);
            if let Some(dict) = context.as_dict() {
                let own = [("Name".into(), path.into()), ("BasePath".into(), base_path.into())];
                dict.set("Template", values(own.into()));
            }
            let context = context.converted(DictType::Named(&VALUES));
            match exec.render(path.as_bytes(), ROOT, &context) {
                Ok(text) => _ = texts.insert(path.to_owned(), without_no_value(text)),
                Err(error) => return Err(Error::exec(path, &error, exec.exhausted())),
            }
        }
        Ok(texts)
    }
}

/// Does something with stack enough for anything that the default [`Limits`] allow, on the same thread.
///
/// # Panics
/// When the system does not give that much address space.
pub fn with_stack<T>(work: impl FnOnce() -> T) -> T {
    stacker::grow(STACK, work)
}

//! What a run knows of the world.

use std::collections::HashMap;
use std::rc::Rc;

use gotemplate::{Exec, Fault, Parsed, Str, Value};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::regexes::Cache;
use crate::render::Options;
use crate::time::{Time, Zone};

/// Asks the cluster: API version, kind, namespace and name. The answer is a dict: an object, a list of them when the
/// name is empty, or an empty dict when there is none. An error fails the rendering, with its text.
pub type Lookup = Box<dyn FnMut(&str, &str, &str, &str) -> Result<Value, String>>;

/// Asks DNS for an address of a host name.
pub type Resolve = Box<dyn FnMut(&str) -> Result<String, String>>;

/// What the rendering is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Purpose {
    /// Its output: `required` and `fail` are errors.
    #[default]
    Render,
    /// Finding errors in templates: `required` and `fail` give an empty text, `lookup` finds nothing.
    Lint,
}

/// The state of a run: clock, random numbers, access to the cluster, and caches.
pub(crate) struct State {
    pub(crate) now: Time,
    pub(crate) random: StdRng,
    pub(crate) purpose: Purpose,
    pub(crate) lookup: Option<Lookup>,
    pub(crate) resolve: Option<Resolve>,
    /// The templates that are being included, each within the one before.
    pub(crate) included: Vec<Str>,
    pub(crate) parsed: HashMap<Str, Rc<Result<Parsed, gotemplate::Error>>>,
    pub(crate) regexes: Cache,
    pub(crate) regex_size: usize,
}

impl State {
    pub(crate) fn new(options: Options) -> State {
        let seconds = i64::try_from(options.now.div_euclid(1_000_000_000)).unwrap_or(0);
        let nanos = u32::try_from(options.now.rem_euclid(1_000_000_000)).unwrap_or(0);
        State {
            now: Time { seconds, nanos, zone: Zone::Local },
            random: StdRng::from_seed(options.seed),
            purpose: options.purpose,
            lookup: options.lookup,
            resolve: options.resolve,
            included: Vec::new(),
            parsed: HashMap::new(),
            regexes: Cache::default(),
            regex_size: options.regex_size,
        }
    }
}

pub(crate) fn now(exec: &mut Exec<'_>) -> Time {
    exec.state::<State>().map_or_else(|| Time::unix(0), |state| state.now.clone())
}

pub(crate) fn state<'e>(exec: &'e mut Exec<'_>) -> Result<&'e mut State, Fault> {
    exec.state::<State>().ok_or_else(|| "the functions run without their state".into())
}

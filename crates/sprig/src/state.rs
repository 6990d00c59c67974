//! What a run knows of the world.

use std::collections::HashMap;
use std::rc::Rc;

use gotemplate::{Exec, Fault, Parsed, Str, Value};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::regexes::Cache;
use crate::time::{Time, Zone};

/// Asks the cluster: API version, kind, namespace and name; the answer is a dict.
pub type Lookup = Box<dyn FnMut(&str, &str, &str, &str) -> Result<Value, String>>;

/// The state of a run: clock, random numbers, access to the cluster, and caches.
pub struct State {
    pub(crate) now: Time,
    pub(crate) random: StdRng,
    pub(crate) lookup: Option<Lookup>,
    /// How deep each name is included in itself.
    pub(crate) included: HashMap<Str, u32>,
    pub(crate) parsed: HashMap<Str, Rc<Result<Parsed, gotemplate::Error>>>,
    pub(crate) regexes: Cache,
}

impl State {
    /// A state with the time as nanoseconds since 1970, and a seed for everything that is random: keys, passwords,
    /// serial numbers. The seed must be secret and new for each run, unless the output should repeat.
    #[must_use]
    pub fn new(now: i128, seed: [u8; 32]) -> State {
        let seconds = i64::try_from(now.div_euclid(1_000_000_000)).unwrap_or(0);
        let nanos = u32::try_from(now.rem_euclid(1_000_000_000)).unwrap_or(0);
        State {
            now: Time { seconds, nanos, zone: Zone::Utc },
            random: StdRng::from_seed(seed),
            lookup: None,
            included: HashMap::new(),
            parsed: HashMap::new(),
            regexes: Cache::default(),
        }
    }

    /// With access to a cluster; without, `lookup` finds nothing.
    #[must_use]
    pub fn with_lookup(mut self, lookup: Lookup) -> State {
        self.lookup = Some(lookup);
        self
    }
}

pub(crate) fn now(exec: &mut Exec<'_>) -> Time {
    exec.state::<State>().map_or_else(|| Time::unix(0), |state| state.now.clone())
}

pub(crate) fn state<'e>(exec: &'e mut Exec<'_>) -> Result<&'e mut State, Fault> {
    exec.state::<State>().ok_or_else(|| "the run has no sprig::State".into())
}

//! What the parts of a target share: its connection, the policy, the listener, and who waits for which object.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kstatus::Health;
use object::ObjectRef;

use crate::cache::Notice;
use crate::health::Waited;
use crate::http::Http;
use crate::lock;
use crate::policy::{Change, Listener, Policy, What};

pub(crate) struct Hub {
    pub policy: Arc<Policy>,
    pub http: Http,
    listener: Listener,
    waiting: Mutex<HashMap<ObjectRef, Vec<Arc<Waited>>>>,
    waiters: AtomicUsize,
}

impl Hub {
    pub fn new(policy: Arc<Policy>, http: Http, listener: Listener) -> Self {
        Self { policy, http, listener, waiting: Mutex::default(), waiters: AtomicUsize::new(0) }
    }

    pub fn notify(&self, object: ObjectRef, notice: Notice) {
        (self.listener)(Change { owner: notice.owner, object, what: notice.what, delay: notice.delay });
    }

    /// Whether any set of objects is waited for: spares the bookkeeping of every event when none is.
    pub fn somebody_waits(&self) -> bool {
        self.waiters.load(Ordering::Acquire) > 0
    }

    /// A watch showed an object (or, with `None`, that it is gone).
    pub fn seen(&self, object: &ObjectRef, health: Option<Health>) {
        let sets = lock(&self.waiting).get(object).cloned().unwrap_or_default();
        for set in sets {
            if set.take(object, health.clone()) {
                self.wake(&set, object);
            }
        }
    }

    /// Something that bears on the health of an object changed: it is to be judged anew.
    pub fn touched(&self, object: &ObjectRef) {
        let sets = lock(&self.waiting).get(object).cloned().unwrap_or_default();
        for set in sets {
            set.mark_stale(object);
            self.wake(&set, object);
        }
    }

    /// Tells the owner of a set that it should look.
    pub fn wake(&self, set: &Waited, object: &ObjectRef) {
        set.news.notify_waiters();
        (self.listener)(Change {
            owner: set.owner.clone(),
            object: object.clone(),
            what: What::Health,
            delay: Duration::ZERO,
        });
    }

    pub fn register(&self, set: &Arc<Waited>, objects: impl IntoIterator<Item = ObjectRef>) {
        let mut waiting = lock(&self.waiting);
        for object in objects {
            waiting.entry(object).or_default().push(set.clone());
        }
        self.waiters.fetch_add(1, Ordering::AcqRel);
    }

    pub fn unregister(&self, set: &Arc<Waited>) {
        lock(&self.waiting).retain(|_, sets| {
            sets.retain(|s| !Arc::ptr_eq(s, set));
            !sets.is_empty()
        });
        self.waiters.fetch_sub(1, Ordering::AcqRel);
    }
}

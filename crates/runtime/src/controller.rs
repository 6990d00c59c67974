//! One controller: the objects of a kind, each reconciled when something happened to it or its time has come.
//!
//! A watch feeds the store; a change that matters puts the object's key into the queue; a dispatcher runs up to N keys at
//! once, each behind a panic barrier. What else can wake an object (a source, a configuration, an applied object) does so
//! through a [`Handle`].

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::meta::Timestamp;
use api::object::Reconciled;
use futures::FutureExt as _;
use kube::Client;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::metrics::Metrics;
use crate::queue::{Backoff, Next, Queue};
use crate::watch::{Cause, Change, Scope, Store, Watched};
use crate::{Key, Priority, log};

mod predicate;
mod references;

pub use predicate::matters;
pub use references::References;

/// How a run ended.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing to do until something happens.
    Done,
    /// Runs again after this time, exactly.
    After(Duration),
    /// Runs again after this interval, varied by the jitter so that not all objects run at once.
    Interval(Duration),
    /// Runs again as soon as the object's back-off allows, without being an error.
    Requeue,
    /// Failed: logged, counted, and run again as soon as the object's back-off allows.
    Failed(BoxError),
    /// Failed in a way that only a change of the object can cure: logged and counted, not run again.
    Terminal(BoxError),
}

/// Any error, as its user-visible text.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a run knows besides its object.
#[derive(Debug, Clone)]
pub struct Run {
    /// The object.
    pub key: Key,
    /// A random identifier of this run, as logged.
    pub id: String,
    /// The clock at its start.
    pub started: Timestamp,
    /// Ends when the process has no more time for this run.
    pub cancel: CancellationToken,
}

/// What a controller does with an object of its kind.
pub trait Reconciler: Send + Sync + 'static {
    /// The kind.
    type Object: Watched + Reconciled;

    /// Brings the world closer to what the object says. Never runs twice at once for the same object.
    fn reconcile(&self, object: Arc<Self::Object>, run: Run) -> impl Future<Output = Outcome> + Send;

    /// The object is gone from the API server: drops what is held for it. Must not block.
    fn forget(&self, _key: &Key) {}
}

/// The settings of a controller.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Label of metrics and log lines: the kind in lower case.
    pub name: String,
    /// How many objects may run at once.
    pub concurrent: usize,
    /// Delays after failures.
    pub backoff: Backoff,
    /// Percentage by which intervals vary; 0 to 99.
    pub jitter: u8,
    /// Which objects are this process's.
    pub scope: Scope,
}

/// A controller that has not started: its parts can be handed to what will wake it.
pub struct Controller<K> {
    settings: Settings,
    client: Client,
    metrics: Metrics,
    store: Store<K>,
    shared: Arc<Shared>,
    observer: Observer<K>,
}

/// Sees every change of every object, whether the watch or an answer to our own patch told it.
type Observer<K> = Arc<Mutex<Box<dyn FnMut(&Change<K>) + Send>>>;

/// Wakes objects of a controller. Cheap to clone.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

struct Shared {
    name: String,
    queue: Mutex<Queue<Key>>,
    /// The time's origin of the queue.
    epoch: Instant,
    news: Notify,
    metrics: Metrics,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue<Key>> {
        // The queue's operations do not panic; if one did, refusing all work would not help.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }
}

impl Handle {
    /// Runs the object as soon as a worker is free, or once more after the run in progress.
    pub fn enqueue(&self, key: &Key, priority: Priority) {
        let changed = self.0.queue().add(key, priority, self.0.now());
        if changed {
            self.0.metrics.queue_adds.inc(&[&self.0.name, &self.0.name]);
            self.0.news.notify_one();
        }
    }

    /// Runs the object after a delay, unless it runs before. No effect on an object that is running.
    pub fn enqueue_after(&self, key: &Key, delay: Duration) {
        self.0.queue().add_at(key, self.0.now().saturating_add(delay));
        self.0.news.notify_one();
    }

    /// Whether the object is running now.
    #[must_use]
    pub fn is_running(&self, key: &Key) -> bool {
        self.0.queue().is_running(key)
    }
}

impl<K: Watched + Reconciled> Controller<K> {
    /// A controller of a kind. Nothing happens until [`Controller::run`].
    #[must_use]
    pub fn new(client: Client, metrics: &Metrics, settings: Settings) -> Self {
        let shared = Arc::new(Shared {
            name: settings.name.clone(),
            queue: Mutex::new(Queue::new(settings.backoff)),
            epoch: Instant::now(),
            news: Notify::new(),
            metrics: metrics.clone(),
        });
        Self {
            settings,
            client,
            metrics: metrics.clone(),
            store: Store::default(),
            shared,
            observer: Arc::new(Mutex::new(Box::new(|_| {}))),
        }
    }

    /// The objects of the kind.
    #[must_use]
    pub fn store(&self) -> Store<K> {
        self.store.clone()
    }

    /// Which objects are this process's.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.settings.scope
    }

    /// Wakes objects.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.shared))
    }

    /// A writer of statuses that keeps this controller's store up to date.
    #[must_use]
    pub fn writer(&self, manager: &'static str) -> crate::status::Writer<K> {
        let (handle, store, observer) = (self.handle(), self.store(), Arc::clone(&self.observer));
        crate::status::Writer::new(self.client.clone(), manager, store, move |change| {
            observe(&observer, &change);
            enqueue_change(&handle, &change);
        })
    }

    /// Watches and reconciles until `stop`, then lets the runs in progress finish. `on_change` sees every change of
    /// every object, before the object is queued for it; it must neither block nor write a status.
    pub async fn run<R: Reconciler<Object = K>>(
        self,
        reconciler: Arc<R>,
        stop: CancellationToken,
        on_change: impl FnMut(&Change<K>) + Send + 'static,
    ) {
        self.report_queue();
        *self.observer.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(on_change);
        let observer = Arc::clone(&self.observer);
        let handle = self.handle();
        let watching =
            crate::watch::run(self.client.clone(), self.settings.scope.clone(), self.store.clone(), {
                let (handle, reconciler, metrics) =
                    (handle.clone(), Arc::clone(&reconciler), self.metrics.clone());
                move |change: Change<K>| {
                    observe(&observer, &change);
                    if change.after.is_none() {
                        handle.0.queue().forget(&change.key);
                        let (kind, key) = (K::kind(&()), &change.key);
                        metrics.reconcile_duration.remove(&[
                            ("kind", &kind),
                            ("name", key.name()),
                            ("namespace", key.namespace()),
                        ]);
                        reconciler.forget(key);
                    }
                    enqueue_change(&handle, &change);
                }
            });
        let dispatching = self.dispatch(&reconciler, &stop);
        // The watch ends with the stop; the runs in progress end by themselves.
        tokio::join!(
            async {
                tokio::select! {
                    () = watching => {}
                    () = stop.cancelled() => {}
                }
            },
            dispatching
        );
    }

    async fn dispatch<R: Reconciler<Object = K>>(&self, reconciler: &Arc<R>, stop: &CancellationToken) {
        let mut runs: JoinSet<()> = JoinSet::new();
        let cancel = CancellationToken::new();
        // When the process gives up waiting, it drops this future; the runs learn of it.
        let _guard = cancel.clone().drop_guard();
        let concurrent = self.settings.concurrent.max(1);
        // Before the list is complete an object could miss another that it refers to.
        tokio::select! {
            () = self.store.listed() => {}
            () = stop.cancelled() => {}
        }
        while !stop.is_cancelled() {
            while runs.len() < concurrent {
                let Some(taken) = self.shared.queue().take(self.shared.now()) else { break };
                let name = self.settings.name.as_str();
                self.metrics.queue_wait.observe(&[name, name], taken.waited.as_secs_f64());
                let run = Run {
                    key: taken.key,
                    id: log::run_id(),
                    started: Timestamp::now(),
                    cancel: cancel.clone(),
                };
                runs.spawn(self.one(run, Arc::clone(reconciler)));
            }
            let due = if runs.len() < concurrent { self.shared.queue().next_due() } else { None };
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                Some(_) = runs.join_next(), if !runs.is_empty() => {}
                () = self.shared.news.notified() => {}
                () = sleep_until(due.map(|due| self.shared.epoch + due)) => {}
            }
        }
        while runs.join_next().await.is_some() {}
    }

    /// One run of one object, from the queue back to the queue.
    fn one<R: Reconciler<Object = K>>(
        &self,
        run: Run,
        reconciler: Arc<R>,
    ) -> impl Future<Output = ()> + Send + use<R, K> {
        let (shared, metrics, store) = (Arc::clone(&self.shared), self.metrics.clone(), self.store.clone());
        let jitter = self.settings.jitter;
        let span = log::reconcile_span(&shared.name, &K::group(&()), &K::kind(&()), &run.key, &run.id);
        async move {
            let key = run.key.clone();
            let name = shared.name.clone();
            let begun = Instant::now();
            metrics.active_workers.add(&[&name], 1.0);
            let object = store.get(&key);
            let existed = object.is_some();
            let outcome = match object {
                Some(object) => std::panic::AssertUnwindSafe(reconciler.reconcile(object, run))
                    .catch_unwind()
                    .await
                    .unwrap_or_else(|panic| {
                        metrics.reconcile_panics.inc(&[&name]);
                        Outcome::Failed(format!("panic: {}", panic_text(panic.as_ref())).into())
                    }),
                None => Outcome::Done,
            };
            let seconds = begun.elapsed().as_secs_f64();
            metrics.active_workers.add(&[&name], -1.0);
            metrics.queue_work.observe(&[&name, &name], seconds);
            metrics.reconcile_time.observe(&[&name], seconds);
            if existed && store.get(&key).is_some() {
                metrics.reconcile_duration.observe(&[&K::kind(&()), key.name(), key.namespace()], seconds);
            }
            let next = next(&outcome, &name, &metrics, jitter);
            let again = shared.queue().finish(&key, next, shared.now());
            if again {
                metrics.queue_adds.inc(&[&name, &name]);
            }
        }
        .instrument(span)
    }

    fn report_queue(&self) {
        let (shared, metrics) = (Arc::clone(&self.shared), self.metrics.clone());
        let limit = u32::try_from(self.settings.concurrent).unwrap_or(u32::MAX);
        metrics.max_concurrent.set(&[&shared.name], f64::from(limit));
        metrics.active_workers.set(&[&shared.name], 0.0);
        for result in ["success", "error", "requeue", "requeue_after"] {
            metrics.reconcile_total.add(&[&shared.name, result], 0.0);
        }
        for family in [
            &metrics.reconcile_errors,
            &metrics.terminal_errors,
            &metrics.reconcile_panics,
            &metrics.reconcile_timeouts,
        ] {
            family.add(&[&shared.name], 0.0);
        }
        metrics.registry.clone().collect(move || {
            let (queue, now, name) = (shared.queue(), shared.now(), shared.name.as_str());
            let (high, low) = queue.depth();
            let depth = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
            metrics.queue_depth.set(&[name, name, "0"], depth(high));
            metrics.queue_depth.set(&[name, name, "-100"], depth(low));
            let ages: Vec<f64> =
                queue.running().map(|start| now.saturating_sub(start).as_secs_f64()).collect();
            metrics.queue_unfinished.set(&[name, name], ages.iter().copied().fold(0.0, |sum, age| sum + age));
            metrics.queue_longest.set(&[name, name], ages.iter().copied().fold(0.0, f64::max));
        });
    }
}

fn observe<K>(observer: &Observer<K>, change: &Change<K>) {
    (observer.lock().unwrap_or_else(PoisonError::into_inner))(change);
}

fn enqueue_change<K: Watched + Reconciled>(handle: &Handle, change: &Change<K>) {
    if matters(change) {
        let priority = if change.cause == Cause::List && change.before.is_none() {
            Priority::Low
        } else {
            Priority::High
        };
        handle.enqueue(&change.key, priority);
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Logs and counts an outcome, and tells the queue what follows.
fn next(outcome: &Outcome, name: &str, metrics: &Metrics, jitter: u8) -> Next {
    let (result, next) = match outcome {
        Outcome::Done => ("success", Next::Event),
        Outcome::After(delay) => ("requeue_after", Next::After(*delay)),
        Outcome::Interval(interval) => {
            ("requeue_after", Next::After(jittered(*interval, jitter, rand::random())))
        }
        Outcome::Requeue => ("requeue", Next::Backoff),
        Outcome::Failed(_) => ("error", Next::Backoff),
        Outcome::Terminal(_) => ("error", Next::Event),
    };
    if let Outcome::Failed(error) | Outcome::Terminal(error) = outcome {
        tracing::error!(error = %error, "Reconciler error");
        metrics.reconcile_errors.inc(&[name]);
    }
    if matches!(outcome, Outcome::Terminal(_)) {
        metrics.terminal_errors.inc(&[name]);
    }
    if next == Next::Backoff {
        metrics.queue_retries.inc(&[name, name]);
    }
    metrics.reconcile_total.inc(&[name, result]);
    next
}

/// Varies an interval by up to the percentage in either direction; `random` is uniform in 0..1.
#[must_use]
pub fn jittered(interval: Duration, percentage: u8, random: f64) -> Duration {
    if percentage == 0 {
        return interval;
    }
    interval.mul_f64(1.0 + (2.0 * random - 1.0) * f64::from(percentage.min(99)) / 100.0)
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_its_percentage() {
        let interval = Duration::from_secs(600);
        assert_eq!(jittered(interval, 0, 0.9), interval);
        assert_eq!(jittered(interval, 5, 0.0), Duration::from_secs(570));
        assert_eq!(jittered(interval, 5, 1.0), Duration::from_secs(630));
        assert_eq!(jittered(interval, 5, 0.5), interval);
    }

    #[test]
    fn outcomes_are_counted() {
        let metrics = Metrics::default();
        let failed = Outcome::Failed("no route".into());
        assert_eq!(next(&failed, "x", &metrics, 0), Next::Backoff);
        assert_eq!(next(&Outcome::Terminal("bad".into()), "x", &metrics, 0), Next::Event);
        assert_eq!(
            next(&Outcome::Interval(Duration::from_secs(60)), "x", &metrics, 0),
            Next::After(Duration::from_secs(60))
        );
        assert_eq!(next(&Outcome::Done, "x", &metrics, 0), Next::Event);
        assert_eq!(metrics.reconcile_total.get(&["x", "error"]), Some(2.0));
        assert_eq!(metrics.reconcile_errors.get(&["x"]), Some(2.0));
        assert_eq!(metrics.terminal_errors.get(&["x"]), Some(1.0));
        assert_eq!(metrics.reconcile_total.get(&["x", "requeue_after"]), Some(1.0));
    }
}

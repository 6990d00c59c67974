//! The families that all controllers fill.

use super::{Family, Histogram, Registry};

/// The shared families.
#[derive(Clone)]
pub struct Metrics {
    /// Where they, and those of the controller, are registered.
    pub registry: Registry,
    /// `gotk_reconcile_duration_seconds{kind,name,namespace}`
    pub reconcile_duration: Histogram,
    /// `controller_runtime_reconcile_total{controller,result}`
    pub reconcile_total: Family,
    /// `controller_runtime_reconcile_errors_total{controller}`
    pub reconcile_errors: Family,
    /// `controller_runtime_terminal_reconcile_errors_total{controller}`
    pub terminal_errors: Family,
    /// `controller_runtime_reconcile_panics_total{controller}`
    pub reconcile_panics: Family,
    /// `controller_runtime_reconcile_timeouts_total{controller}`
    pub reconcile_timeouts: Family,
    /// `controller_runtime_reconcile_time_seconds{controller}`
    pub reconcile_time: Histogram,
    /// `controller_runtime_max_concurrent_reconciles{controller}`
    pub max_concurrent: Family,
    /// `controller_runtime_active_workers{controller}`
    pub active_workers: Family,
    /// `workqueue_depth{name,controller,priority}`
    pub queue_depth: Family,
    /// `workqueue_adds_total{name,controller}`
    pub queue_adds: Family,
    /// `workqueue_queue_duration_seconds{name,controller}`
    pub queue_wait: Histogram,
    /// `workqueue_work_duration_seconds{name,controller}`
    pub queue_work: Histogram,
    /// `workqueue_unfinished_work_seconds{name,controller}`
    pub queue_unfinished: Family,
    /// `workqueue_longest_running_processor_seconds{name,controller}`
    pub queue_longest: Family,
    /// `workqueue_retries_total{name,controller}`
    pub queue_retries: Family,
    /// `rest_client_requests_total{code,method,host}`
    pub requests: Family,
    /// `leader_election_master_status{name}`
    pub leader: Family,
    /// `gotk_events_dropped_total`: events that were lost because the queue was full or no receiver answered.
    pub events_dropped: Family,
}

/// Ten buckets from 10 ms to 30 minutes, each larger by the same factor.
#[must_use]
pub fn reconcile_buckets() -> Vec<f64> {
    let (first, last, count) = (0.01_f64, 1800.0_f64, 10_i32);
    let factor = (last / first).powf(1.0 / f64::from(count - 1));
    (0..count).map(|power| first * factor.powi(power)).collect()
}

fn work_buckets() -> Vec<f64> {
    vec![
        0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0,
        1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 15.0, 20.0, 25.0, 30.0,
        40.0, 50.0, 60.0,
    ]
}

/// Powers of ten from 10 ns to 1000 s, as the Go work queue has them.
fn queue_buckets() -> Vec<f64> {
    (-8..=3).map(|power| 10_f64.powi(power)).collect()
}

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::default();
        let queue = &["name", "controller"];
        let controller = &["controller"];
        Self {
            reconcile_duration: registry.histogram(
                "gotk_reconcile_duration_seconds",
                "The duration in seconds of a reconcile of an object.",
                &["kind", "name", "namespace"],
                reconcile_buckets(),
            ),
            reconcile_total: registry.counter(
                "controller_runtime_reconcile_total",
                "Reconciles per controller and result.",
                &["controller", "result"],
            ),
            reconcile_errors: registry.counter(
                "controller_runtime_reconcile_errors_total",
                "Reconciles that failed.",
                controller,
            ),
            terminal_errors: registry.counter(
                "controller_runtime_terminal_reconcile_errors_total",
                "Reconciles that failed for good.",
                controller,
            ),
            reconcile_panics: registry.counter(
                "controller_runtime_reconcile_panics_total",
                "Reconciles that ended in a panic.",
                controller,
            ),
            reconcile_timeouts: registry.counter(
                "controller_runtime_reconcile_timeouts_total",
                "Reconciles that ran out of time.",
                controller,
            ),
            reconcile_time: registry.histogram(
                "controller_runtime_reconcile_time_seconds",
                "The duration in seconds of a reconcile.",
                controller,
                work_buckets(),
            ),
            max_concurrent: registry.gauge(
                "controller_runtime_max_concurrent_reconciles",
                "How many objects may be reconciled at once.",
                controller,
            ),
            active_workers: registry.gauge(
                "controller_runtime_active_workers",
                "How many objects are being reconciled.",
                controller,
            ),
            queue_depth: registry.gauge(
                "workqueue_depth",
                "How many objects are ready to be reconciled.",
                &["name", "controller", "priority"],
            ),
            queue_adds: registry.counter("workqueue_adds_total", "Additions to the queue.", queue),
            queue_wait: registry.histogram(
                "workqueue_queue_duration_seconds",
                "How long objects were ready before they were reconciled, in seconds.",
                queue,
                queue_buckets(),
            ),
            queue_work: registry.histogram(
                "workqueue_work_duration_seconds",
                "How long reconciling an object took, in seconds.",
                queue,
                queue_buckets(),
            ),
            queue_unfinished: registry.gauge(
                "workqueue_unfinished_work_seconds",
                "Sum of the durations of the reconciles in progress, in seconds.",
                queue,
            ),
            queue_longest: registry.gauge(
                "workqueue_longest_running_processor_seconds",
                "Duration of the longest reconcile in progress, in seconds.",
                queue,
            ),
            queue_retries: registry.counter("workqueue_retries_total", "Retries after failures.", queue),
            requests: registry.counter(
                "rest_client_requests_total",
                "Requests to the API server.",
                &["code", "method", "host"],
            ),
            leader: registry.gauge(
                "leader_election_master_status",
                "1 when this process is the leader.",
                &["name"],
            ),
            events_dropped: registry.counter(
                "gotk_events_dropped_total",
                "Events that were lost because the queue was full.",
                &[],
            ),
            registry,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_those_of_flux() {
        let buckets = reconcile_buckets();
        assert_eq!(buckets.len(), 10);
        assert!((buckets[0] - 0.01).abs() < 1e-9 && (buckets[9] - 1800.0).abs() < 1e-6);
        assert!((buckets[1] / buckets[0] - buckets[9] / buckets[8]).abs() < 1e-6);
    }
}

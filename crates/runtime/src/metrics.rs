//! The metrics, under the names and labels that Flux's dashboards and alerts query, in Prometheus' text format.
//!
//! A family is a map from label values to a number; a registry prints its families. What can be computed when somebody
//! asks (queue depth, memory) is computed then.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

mod process;
mod workload;

pub use workload::{Metrics, reconcile_buckets};

/// How a family counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Only ever rises.
    Counter,
    /// Rises and falls.
    Gauge,
}

impl Type {
    fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

type Labels = Vec<Box<str>>;

/// A family of counters or gauges.
#[derive(Debug, Clone)]
pub struct Family(Arc<FamilyData>);

#[derive(Debug)]
struct FamilyData {
    name: &'static str,
    help: &'static str,
    type_: Type,
    labels: &'static [&'static str],
    series: Mutex<BTreeMap<Labels, f64>>,
}

impl Family {
    fn new(type_: Type, name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Self {
        Self(Arc::new(FamilyData { name, help, type_, labels, series: Mutex::default() }))
    }

    /// Adds to a series, which starts at 0.
    pub fn add(&self, labels: &[&str], amount: f64) {
        debug_assert_eq!(labels.len(), self.0.labels.len());
        *locked(&self.0.series).entry(owned(labels)).or_default() += amount;
    }

    /// Adds 1 to a series.
    pub fn inc(&self, labels: &[&str]) {
        self.add(labels, 1.0);
    }

    /// Sets a series.
    pub fn set(&self, labels: &[&str], value: f64) {
        debug_assert_eq!(labels.len(), self.0.labels.len());
        locked(&self.0.series).insert(owned(labels), value);
    }

    /// A series' value.
    #[must_use]
    pub fn get(&self, labels: &[&str]) -> Option<f64> {
        locked(&self.0.series).get(&owned(labels)).copied()
    }

    /// The sum of all series.
    #[must_use]
    pub fn sum(&self) -> f64 {
        locked(&self.0.series).values().sum()
    }

    /// Removes the series whose labels contain all given pairs.
    pub fn remove(&self, pairs: &[(&str, &str)]) {
        locked(&self.0.series).retain(|values, _| !contains(self.0.labels, values, pairs));
    }

    fn print(&self, out: &mut String) {
        let series = locked(&self.0.series);
        if series.is_empty() {
            return;
        }
        header(out, self.0.name, self.0.help, self.0.type_.as_str());
        for (values, value) in series.iter() {
            sample(out, self.0.name, "", self.0.labels, values, None, *value);
        }
    }
}

/// A family of histograms.
#[derive(Debug, Clone)]
pub struct Histogram(Arc<HistogramData>);

#[derive(Debug)]
struct HistogramData {
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
    bounds: Vec<f64>,
    series: Mutex<BTreeMap<Labels, Observations>>,
}

#[derive(Debug, Default)]
struct Observations {
    /// Not cumulative; the last one is above all bounds.
    buckets: Vec<u64>,
    sum: f64,
    count: u64,
}

impl Histogram {
    fn new(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
        bounds: Vec<f64>,
    ) -> Self {
        Self(Arc::new(HistogramData { name, help, labels, bounds, series: Mutex::default() }))
    }

    /// Records a value.
    pub fn observe(&self, labels: &[&str], value: f64) {
        debug_assert_eq!(labels.len(), self.0.labels.len());
        let index = self.0.bounds.partition_point(|bound| *bound < value);
        let mut series = locked(&self.0.series);
        let observations = series.entry(owned(labels)).or_default();
        if observations.buckets.is_empty() {
            observations.buckets = vec![0; self.0.bounds.len() + 1];
        }
        if let Some(bucket) = observations.buckets.get_mut(index) {
            *bucket += 1;
        }
        observations.sum += value;
        observations.count += 1;
    }

    /// How many values a series has recorded.
    #[must_use]
    pub fn count(&self, labels: &[&str]) -> u64 {
        locked(&self.0.series).get(&owned(labels)).map_or(0, |observations| observations.count)
    }

    /// Removes the series whose labels contain all given pairs.
    pub fn remove(&self, pairs: &[(&str, &str)]) {
        locked(&self.0.series).retain(|values, _| !contains(self.0.labels, values, pairs));
    }

    fn print(&self, out: &mut String) {
        let series = locked(&self.0.series);
        if series.is_empty() {
            return;
        }
        header(out, self.0.name, self.0.help, "histogram");
        for (values, observations) in series.iter() {
            let mut total = 0;
            let bounds = self.0.bounds.iter().map(|bound| number(*bound)).chain(["+Inf".to_owned()]);
            for (bound, count) in bounds.zip(&observations.buckets) {
                total += count;
                sample(out, self.0.name, "_bucket", self.0.labels, values, Some(&bound), count_value(total));
            }
            sample(out, self.0.name, "_sum", self.0.labels, values, None, observations.sum);
            sample(out, self.0.name, "_count", self.0.labels, values, None, count_value(observations.count));
        }
    }
}

type Collector = Box<dyn Fn() + Send + Sync>;

/// All metrics of a process.
#[derive(Clone, Default)]
pub struct Registry(Arc<RegistryData>);

#[derive(Default)]
struct RegistryData {
    families: Mutex<Vec<Printed>>,
    collectors: Mutex<Vec<Collector>>,
}

enum Printed {
    Family(Family),
    Histogram(Histogram),
}

impl Registry {
    /// Registers a counter; its name ends in `_total`.
    #[must_use]
    pub fn counter(&self, name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Family {
        self.family(Family::new(Type::Counter, name, help, labels))
    }

    /// Registers a gauge.
    #[must_use]
    pub fn gauge(&self, name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Family {
        self.family(Family::new(Type::Gauge, name, help, labels))
    }

    /// Registers a histogram with the given upper bounds, ascending, without infinity.
    #[must_use]
    pub fn histogram(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
        bounds: Vec<f64>,
    ) -> Histogram {
        let histogram = Histogram::new(name, help, labels, bounds);
        locked(&self.0.families).push(Printed::Histogram(histogram.clone()));
        histogram
    }

    /// Registers a function that brings gauges up to date before they are printed.
    pub fn collect(&self, collector: impl Fn() + Send + Sync + 'static) {
        locked(&self.0.collectors).push(Box::new(collector));
    }

    /// The metrics in Prometheus' text format, version 0.0.4.
    #[must_use]
    pub fn print(&self) -> String {
        for collector in locked(&self.0.collectors).iter() {
            collector();
        }
        let mut out = String::with_capacity(16 * 1024);
        for family in locked(&self.0.families).iter() {
            match family {
                Printed::Family(family) => family.print(&mut out),
                Printed::Histogram(histogram) => histogram.print(&mut out),
            }
        }
        process::print(&mut out);
        out
    }

    fn family(&self, family: Family) -> Family {
        locked(&self.0.families).push(Printed::Family(family.clone()));
        family
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while counting leaves at worst one number behind.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn owned(labels: &[&str]) -> Labels {
    labels.iter().map(|label| Box::from(*label)).collect()
}

fn contains(names: &[&str], values: &Labels, pairs: &[(&str, &str)]) -> bool {
    pairs.iter().all(|(name, value)| names.iter().zip(values).any(|(n, v)| n == name && **v == **value))
}

fn header(out: &mut String, name: &str, help: &str, type_: &str) {
    let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {type_}\n");
}

fn sample(
    out: &mut String,
    name: &str,
    suffix: &str,
    names: &[&str],
    values: &Labels,
    le: Option<&str>,
    value: f64,
) {
    out.push_str(name);
    out.push_str(suffix);
    let pairs =
        names.iter().copied().zip(values.iter().map(|value| &**value)).chain(le.map(|bound| ("le", bound)));
    let mut separator = '{';
    for (label, text) in pairs {
        out.push(separator);
        separator = ',';
        let _ = write!(out, "{label}=\"");
        for character in text.chars() {
            match character {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                c => out.push(c),
            }
        }
        out.push('"');
    }
    if separator == ',' {
        out.push('}');
    }
    out.push(' ');
    out.push_str(&number(value));
    out.push('\n');
}

fn number(value: f64) -> String {
    if value == f64::INFINITY { "+Inf".to_owned() } else { value.to_string() }
}

/// Counts beyond 2^53 would need centuries.
#[expect(clippy::cast_precision_loss, reason = "see the comment")]
fn count_value(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_print_in_the_text_format() {
        let registry = Registry::default();
        let requests = registry.counter("rest_client_requests_total", "Requests.", &["code", "method"]);
        requests.inc(&["200", "GET"]);
        requests.add(&["200", "GET"], 2.0);
        requests.inc(&["<error>", "a\"b\\c\nd"]);
        let text = registry.print();
        assert!(text.starts_with(
            "# HELP rest_client_requests_total Requests.\n# TYPE rest_client_requests_total counter\n"
        ));
        assert!(text.contains("rest_client_requests_total{code=\"200\",method=\"GET\"} 3\n"));
        assert!(
            text.contains("rest_client_requests_total{code=\"<error>\",method=\"a\\\"b\\\\c\\nd\"} 1\n"),
            "{text}"
        );
    }

    #[test]
    fn histograms_are_cumulative() {
        let registry = Registry::default();
        let seconds = registry.histogram("x_seconds", "X.", &["name"], vec![0.1, 1.0]);
        for value in [0.05, 0.1, 0.5, 7.0] {
            seconds.observe(&["a"], value);
        }
        let text = registry.print();
        for line in [
            "x_seconds_bucket{name=\"a\",le=\"0.1\"} 2",
            "x_seconds_bucket{name=\"a\",le=\"1\"} 3",
            "x_seconds_bucket{name=\"a\",le=\"+Inf\"} 4",
            "x_seconds_sum{name=\"a\"} 7.65",
            "x_seconds_count{name=\"a\"} 4",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    #[test]
    fn series_of_an_object_are_removed() {
        let registry = Registry::default();
        let gauge = registry.gauge("g", "G.", &["kind", "name"]);
        gauge.set(&["A", "x"], 1.0);
        gauge.set(&["B", "x"], 2.0);
        gauge.remove(&[("kind", "A"), ("name", "x")]);
        assert_eq!((gauge.get(&["A", "x"]), gauge.get(&["B", "x"])), (None, Some(2.0)));
    }

    #[test]
    fn the_process_is_measured() {
        let text = Registry::default().print();
        for name in
            ["process_cpu_seconds_total ", "process_resident_memory_bytes ", "process_open_fds ", "go_info{"]
        {
            assert!(text.contains(name), "{name} in {text}");
        }
    }
}

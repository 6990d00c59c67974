//! Waiting until many objects of a kind are in a state.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};
use futures::{StreamExt, pin_mut};
use kube::api::DynamicObject;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};
use serde_json::Value;
use testkit::condition;

/// Waits on one watch until `wanted` objects fulfil `condition`.
///
/// # Errors
/// After `patience`: the objects that do not, each with the message of its `Ready` condition.
pub async fn converge(
    objects: &Api<DynamicObject>,
    wanted: usize,
    patience: Duration,
    fulfils: impl Fn(&Value) -> bool,
) -> Result<()> {
    // Of each object that does not fulfil the condition, why; of one that does, nothing.
    let mut states: BTreeMap<String, Option<String>> = BTreeMap::new();
    let watch = async {
        let stream = watcher(objects.clone(), watcher::Config::default()).default_backoff();
        pin_mut!(stream);
        while let Some(event) = stream.next().await {
            match event {
                Ok(Event::Apply(object) | Event::InitApply(object)) => {
                    let name = object.name_any();
                    let json = serde_json::to_value(&object)?;
                    states.insert(name, (!fulfils(&json)).then(|| reason(&json)));
                }
                Ok(Event::Delete(object)) => {
                    states.remove(&object.name_any());
                }
                // The watcher tries again by itself.
                Ok(Event::Init | Event::InitDone) | Err(_) => {}
            }
            if states.values().filter(|state| state.is_none()).count() == wanted {
                return Ok(());
            }
        }
        bail!("the watch ended")
    };
    if let Ok(outcome) = tokio::time::timeout(patience, watch).await {
        return outcome;
    }
    let waiting: Vec<String> =
        states.iter().filter_map(|(name, state)| Some(format!("  {name}: {}", state.as_ref()?))).collect();
    let done = states.len() - waiting.len();
    bail!("{done} of {wanted} converged within {} s\n{}", patience.as_secs(), waiting.join("\n"))
}

/// Why an object is not where it should be, in its own words.
fn reason(object: &Value) -> String {
    let ready = condition(object, "Ready");
    let text = |key: &str| ready.and_then(|ready| ready.get(key)).and_then(Value::as_str).unwrap_or("-");
    format!("Ready={} {}: {}", text("status"), text("reason"), text("message"))
}

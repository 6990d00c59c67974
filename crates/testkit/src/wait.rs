//! Waiting for an object's state on a watch, for a bounded time.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::{StreamExt, pin_mut};
use kube::api::DynamicObject;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::watch_object;
use kube::{Api, ResourceExt};
use serde_json::Value;

use crate::ControlPlane;

/// A busy machine may take this long; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

impl ControlPlane {
    /// Waits until the object fulfils `condition` (which sees it whole, as JSON) and gives it. `what` says in words what
    /// is waited for.
    ///
    /// # Errors
    /// After a minute: what was waited for and the status last seen.
    pub async fn wait_for(
        &self,
        objects: &Api<DynamicObject>,
        name: &str,
        what: &str,
        condition: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let mut last = Value::Null;
        let search = async {
            let stream = watch_object(objects.clone(), name).default_backoff();
            pin_mut!(stream);
            while let Some(event) = stream.next().await {
                // The watcher retries by itself; a kind that is not served yet is such an error.
                let Ok(Some(object)) = event else { continue };
                last = serde_json::to_value(&object)?;
                if condition(&last) {
                    return Ok(());
                }
            }
            bail!("the watch ended")
        };
        let outcome = tokio::time::timeout(PATIENCE, search).await;
        match outcome {
            Ok(Ok(())) => Ok(last),
            Ok(Err(error)) => Err(error).with_context(|| format!("waiting for {name}: {what}")),
            Err(_) => {
                let seen = if last.is_null() { "it does not exist".into() } else { pretty(&last) };
                bail!("waited a minute for {name}: {what}; last seen: {seen}")
            }
        }
    }

    /// Waits until the object's `Ready` condition is `True` for its current generation.
    ///
    /// # Errors
    /// As [`Self::wait_for`].
    pub async fn ready(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Result<Value> {
        let objects = self.objects(api_version, kind, Some(namespace))?;
        self.wait_for(&objects, name, "Ready=True for its generation", is_ready).await
    }

    /// Waits until the object is gone, or is another one of the same name.
    ///
    /// # Errors
    /// After a minute.
    pub async fn gone(&self, objects: &Api<DynamicObject>, name: &str) -> Result<()> {
        let Some(object) = objects.get_opt(name).await? else { return Ok(()) };
        let uid = object.uid().unwrap_or_default();
        let deleted = kube::runtime::wait::conditions::is_deleted(&uid);
        let wait = kube::runtime::wait::await_condition(objects.clone(), name, deleted);
        tokio::time::timeout(PATIENCE, wait)
            .await
            .with_context(|| format!("waited a minute for {name} to be gone"))??;
        Ok(())
    }
}

fn pretty(object: &Value) -> String {
    let shown = object.get("status").unwrap_or(object);
    serde_json::to_string_pretty(shown).unwrap_or_default()
}

/// The condition of that type in the object's status.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|condition| condition.get("type").and_then(Value::as_str) == Some(kind))
}

/// Whether `Ready` is `True` and was written for the generation the object has.
pub fn is_ready(object: &Value) -> bool {
    let generation = object.pointer("/metadata/generation");
    condition(object, "Ready").is_some_and(|ready| {
        ready.get("status").and_then(Value::as_str) == Some("True")
            && ready.get("observedGeneration") == generation
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ready_counts_only_for_the_current_generation() {
        let object = |status: &str, observed: u32| {
            json!({"metadata": {"generation": 2}, "status": {"conditions": [
                {"type": "Reconciling", "status": "True", "observedGeneration": 2},
                {"type": "Ready", "status": status, "observedGeneration": observed}]}})
        };
        assert!(is_ready(&object("True", 2)));
        assert!(!is_ready(&object("True", 1)));
        assert!(!is_ready(&object("False", 2)));
        assert!(!is_ready(&json!({"metadata": {"generation": 2}})));
    }
}

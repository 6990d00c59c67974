//! Writing statuses and finalizers: merge patches that contain what changed and nothing else.
//!
//! Conditions are a list, which a merge patch replaces as a whole. So a patch that changes conditions carries the
//! resource version it was computed from; when somebody else wrote in between, the controller's own condition types are
//! put into the newer list and everything else in it survives.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use api::condition::Type;
use api::meta::FINALIZER;
use kube::{Client, ResourceExt as _};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::client::{get, merge_patch, object_path};
use crate::watch::{Cause, Change, Store, Watched};
use crate::{Error, Key};

mod diff;

pub use diff::merge_diff;

/// How often a write that somebody else's write crossed is tried.
const TRIES: u32 = 5;
/// Time between such tries; varied by half of it.
const PAUSE: Duration = Duration::from_millis(100);

/// What became of a write.
#[derive(Debug)]
pub enum Written<K> {
    /// The object as it is now.
    Object(Arc<K>),
    /// The object does not exist any more, or another one has its name.
    Gone,
}

impl<K> Written<K> {
    /// The object as it is now, if it exists.
    pub fn object(self) -> Option<Arc<K>> {
        match self {
            Self::Object(object) => Some(object),
            Self::Gone => None,
        }
    }
}

/// Writes what a controller says about its objects.
pub struct Writer<K> {
    client: Client,
    manager: &'static str,
    store: Store<K>,
    notify: Arc<dyn Fn(Change<K>) + Send + Sync>,
}

impl<K> Clone for Writer<K> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            manager: self.manager,
            store: self.store.clone(),
            notify: Arc::clone(&self.notify),
        }
    }
}

impl<K> fmt::Debug for Writer<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("manager", &self.manager).finish_non_exhaustive()
    }
}

impl<K: Watched> Writer<K> {
    pub(crate) fn new(
        client: Client,
        manager: &'static str,
        store: Store<K>,
        notify: impl Fn(Change<K>) + Send + Sync + 'static,
    ) -> Self {
        Self { client, manager, store, notify: Arc::new(notify) }
    }

    /// Writes the fields of the status in which `after` differs from `before`, the status that `object` has. When they
    /// are equal nothing is sent. `owned` are the condition types that this controller decides about.
    ///
    /// # Errors
    /// What the API server answers, or that it does not.
    pub async fn status<S: Serialize>(
        &self,
        object: &Arc<K>,
        before: Option<&S>,
        after: &S,
        owned: &[Type],
    ) -> Result<Written<K>, Error> {
        let value = |status: &S| {
            serde_json::to_value(status).map_err(|source| Error::Decode { what: "status".to_owned(), source })
        };
        let before = before.map(value).transpose()?.unwrap_or_else(|| Value::Object(Map::new()));
        let after = value(after)?;
        let Some(mut patch) = merge_diff(&before, &after) else {
            return Ok(Written::Object(Arc::clone(object)));
        };
        let conditions = patch.get("conditions").is_some();
        let mut version = object.resource_version();
        let path = format!("{}/status", object_path::<K>(&Key::of(&**object)));
        for attempt in 1.. {
            let body = if conditions {
                json!({ "metadata": { "uid": object.uid(), "resourceVersion": version }, "status": patch })
            } else {
                json!({ "metadata": { "uid": object.uid() }, "status": patch })
            };
            match merge_patch::<K>(&self.client, &path, self.manager, &body).await {
                Ok(written) => return Ok(self.absorb(written)),
                Err(error) if error.is_not_found() => return Ok(Written::Gone),
                Err(error) if error.is_conflict() && attempt < TRIES => {
                    pause().await;
                    let Some(fresh) = self.fresh(object).await? else { return Ok(Written::Gone) };
                    version =
                        fresh.pointer("/metadata/resourceVersion").and_then(Value::as_str).map(str::to_owned);
                    if let (Some(list), Some(ours)) = (patch.get_mut("conditions"), after.get("conditions")) {
                        *list = diff::merge_conditions(fresh.pointer("/status/conditions"), ours, owned);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Written::Gone)
    }

    /// Adds Flux's finalizer, if it is missing.
    ///
    /// # Errors
    /// What the API server answers, or that it does not.
    pub async fn add_finalizer(&self, object: &Arc<K>) -> Result<Written<K>, Error> {
        self.finalizers(object, |list| {
            if !list.iter().any(|finalizer| finalizer == FINALIZER) {
                list.push(FINALIZER.to_owned());
            }
        })
        .await
    }

    /// Removes Flux's finalizer, if it is there. The object may vanish by that.
    ///
    /// # Errors
    /// What the API server answers, or that it does not.
    pub async fn remove_finalizer(&self, object: &Arc<K>) -> Result<Written<K>, Error> {
        self.finalizers(object, |list| list.retain(|finalizer| finalizer != FINALIZER)).await
    }

    async fn finalizers(
        &self,
        object: &Arc<K>,
        edit: impl Fn(&mut Vec<String>),
    ) -> Result<Written<K>, Error> {
        let path = object_path::<K>(&Key::of(&**object));
        let mut list = object.finalizers().to_vec();
        let mut version = object.resource_version();
        for attempt in 1.. {
            let before = list.clone();
            edit(&mut list);
            if list == before {
                return Ok(Written::Object(Arc::clone(object)));
            }
            let body = json!({ "metadata": { "uid": object.uid(), "resourceVersion": version, "finalizers": list } });
            match merge_patch::<K>(&self.client, &path, self.manager, &body).await {
                Ok(written) => return Ok(self.absorb(written)),
                Err(error) if error.is_not_found() => return Ok(Written::Gone),
                Err(error) if error.is_conflict() && attempt < TRIES => {
                    pause().await;
                    let Some(fresh) = self.fresh(object).await? else { return Ok(Written::Gone) };
                    let text = |value: &Value| value.as_str().map(str::to_owned);
                    version = fresh.pointer("/metadata/resourceVersion").and_then(text);
                    list = fresh
                        .pointer("/metadata/finalizers")
                        .and_then(Value::as_array)
                        .map(|list| list.iter().filter_map(text).collect())
                        .unwrap_or_default();
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Written::Gone)
    }

    /// The object as the API server has it now; `None` when it is gone or replaced.
    async fn fresh(&self, object: &K) -> Result<Option<Value>, Error> {
        let found: Option<Value> = get(&self.client, &object_path::<K>(&Key::of(object))).await?;
        Ok(found.filter(|found| {
            found.pointer("/metadata/uid").and_then(Value::as_str) == object.uid().as_deref()
        }))
    }

    fn absorb(&self, mut written: K) -> Written<K> {
        written.managed_fields_mut().clear();
        let key = Key::of(&written);
        let held = Arc::new(written);
        if let Some(change) = self.store.absorb(Arc::clone(&held), Cause::Own) {
            (self.notify)(change);
        }
        // What the watch brought in meanwhile is newer still.
        Written::Object(self.store.get(&key).filter(|known| known.uid() == held.uid()).unwrap_or(held))
    }
}

async fn pause() {
    tokio::time::sleep(PAUSE.mul_f64(0.75 + 0.5 * rand::random::<f64>())).await;
}

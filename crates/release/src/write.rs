//! Single writes of objects.

use apply::{Accept, Answer, Content, Failure};
use bytes::Bytes;
use http::{Method, StatusCode};
use object::mask_text;
use serde_json::{Value, json};

use crate::cluster::{Cluster, identity};
use crate::error::Error;
use crate::managers;
use crate::objects::Built;

/// What a conflict about fields does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conflicts {
    /// We win.
    Force,
    /// It is an error.
    Report,
}

/// What becomes of the fields that the same manager wrote without server-side apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Migrate {
    /// They become part of what it applies.
    Yes,
    /// They stay as they are.
    No,
}

/// How dependents of a deleted object go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Propagation {
    /// After it.
    #[default]
    Background,
    /// Before it.
    Foreground,
    /// They stay.
    Orphan,
}

impl Propagation {
    fn word(self) -> &'static str {
        match self {
            Propagation::Background => "Background",
            Propagation::Foreground => "Foreground",
            Propagation::Orphan => "Orphan",
        }
    }
}

/// An object after a write.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub value: Value,
    pub created: bool,
}

/// Whether a deleted object is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deletion {
    /// It is.
    Gone,
    /// Something holds it.
    Underway,
}

/// Tries of a write that meets a newer object.
const TRIES: usize = 5;
/// What makes a write one that changes nothing.
const DRY: &str = "&dryRun=All";

impl Cluster {
    /// Reads an object; `None` when it is not there.
    pub(crate) async fn read(&self, object: &Built, accept: Accept) -> Result<Option<Value>, Failure> {
        match self.http().get(&object.resource.item(&object.reference), accept).await {
            Ok(answer) => value(&answer).map(Some),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Server-side apply. An object that is not there is created.
    pub(crate) async fn apply(
        &self,
        object: &Built,
        conflicts: Conflicts,
        migrate: Migrate,
    ) -> Result<Live, Error> {
        let live = self.apply_once(object, conflicts).await?;
        if migrate == Migrate::No || live.created {
            return Ok(live);
        }
        let mut value = live.value;
        for _ in 0..TRIES {
            let Some(patch) = managers::migration(&value, self.manager()) else {
                return Ok(Live { value, created: false });
            };
            let path = format!("{}?fieldManager={}", object.resource.item(&object.reference), self.manager());
            let sent = self
                .http()
                .send(Method::PATCH, &path, Accept::Metadata, Content::JsonPatch, bytes(&patch))
                .await;
            match sent {
                // What we own now and do not apply goes away with the next apply.
                Ok(_) => return self.apply_once(object, conflicts).await,
                Err(failure) if failure.code == 409 => {
                    value = match self.read(object, Accept::Object).await {
                        Ok(Some(value)) => value,
                        Ok(None) => return self.apply_once(object, conflicts).await,
                        Err(failure) => return Err(migration_error(object, &failure)),
                    };
                }
                Err(failure) => return Err(migration_error(object, &failure)),
            }
        }
        Ok(Live { value, created: false })
    }

    async fn apply_once(&self, object: &Built, conflicts: Conflicts) -> Result<Live, Error> {
        let force = conflicts == Conflicts::Force;
        let sent = self.send_apply(object, &format!("force={force}&fieldValidation=Strict")).await;
        let problem = |failure: &Failure| {
            let name = identity(&object.resource, &object.reference);
            let message = masked(object, failure);
            match failure.code {
                0 => Error::Unreachable(message),
                415 => Error::Write(format!("server-side apply not available on the server: {message}")),
                409 => Error::Write(format!("conflict occurred while applying object {name}: {message}")),
                _ => Error::Write(format!("server-side apply failed for object {name}: {message}")),
            }
        };
        let answer = sent.map_err(|failure| problem(&failure))?;
        let created = answer.status == StatusCode::CREATED;
        Ok(Live { value: value(&answer).map_err(|failure| problem(&failure))?, created })
    }

    /// What a server-side apply would make of an object.
    pub(crate) async fn dry_run(&self, object: &Built) -> Result<Value, Failure> {
        self.send_apply(object, "force=true&dryRun=All").await.and_then(|answer| value(&answer))
    }

    /// What [`Cluster::apply`] would make of an object, and whether it would be refused.
    pub(crate) async fn try_apply(&self, object: &Built) -> Result<Live, Failure> {
        let query = format!("force=true&fieldValidation=Strict{DRY}");
        let answer = self.send_apply(object, &query).await?;
        Ok(Live { created: answer.status == StatusCode::CREATED, value: value(&answer)? })
    }

    async fn send_apply(&self, object: &Built, query: &str) -> Result<Answer, Failure> {
        let item = object.resource.item(&object.reference);
        let path = format!("{item}?fieldManager={}&{query}", self.manager());
        self.http().send(Method::PATCH, &path, Accept::Object, Content::Apply, bytes(&object.value)).await
    }

    /// Creates an object.
    pub(crate) async fn create(&self, object: &Built) -> Result<Live, Failure> {
        self.create_with(object, "").await
    }

    /// What a creation would make of an object.
    pub(crate) async fn try_create(&self, object: &Built) -> Result<Live, Failure> {
        self.create_with(object, DRY).await
    }

    async fn create_with(&self, object: &Built, query: &str) -> Result<Live, Failure> {
        let path = format!(
            "{}?fieldManager={}{query}",
            object.resource.collection(&object.reference.namespace),
            self.manager()
        );
        let sent =
            self.http().send(Method::POST, &path, Accept::Object, Content::Json, bytes(&object.value)).await;
        Ok(Live { value: value(&sent?)?, created: true })
    }

    /// Replaces an object, whatever its version.
    pub(crate) async fn replace(&self, object: &Built) -> Result<Live, Failure> {
        self.replace_with(object, "").await
    }

    /// What a replacement would make of an object.
    pub(crate) async fn try_replace(&self, object: &Built) -> Result<Live, Failure> {
        self.replace_with(object, DRY).await
    }

    async fn replace_with(&self, object: &Built, query: &str) -> Result<Live, Failure> {
        let path = format!(
            "{}?fieldManager={}&fieldValidation=Strict{query}",
            object.resource.item(&object.reference),
            self.manager()
        );
        let sent =
            self.http().send(Method::PUT, &path, Accept::Object, Content::Json, bytes(&object.value)).await;
        Ok(Live { value: value(&sent?)?, created: false })
    }

    /// Patches an object.
    pub(crate) async fn patch(
        &self,
        object: &Built,
        content: Content,
        patch: &Value,
    ) -> Result<Live, Failure> {
        self.patch_with(object, content, patch, "").await
    }

    /// What a merge patch would make of an object.
    pub(crate) async fn try_merge(&self, object: &Built, patch: &Value) -> Result<Live, Failure> {
        self.patch_with(object, Content::MergePatch, patch, DRY).await
    }

    async fn patch_with(
        &self,
        object: &Built,
        content: Content,
        patch: &Value,
        query: &str,
    ) -> Result<Live, Failure> {
        let item = object.resource.item(&object.reference);
        let path = format!("{item}?fieldManager={}{query}", self.manager());
        let sent = self.http().send(Method::PATCH, &path, Accept::Object, content, bytes(patch)).await;
        Ok(Live { value: value(&sent?)?, created: false })
    }

    /// Deletes an object; one that is not there is gone.
    pub(crate) async fn delete(&self, object: &Built, propagation: Propagation) -> Result<Deletion, Failure> {
        let path = object.resource.item(&object.reference);
        let options =
            json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation.word()});
        let mut tries = 0;
        loop {
            tries += 1;
            let sent = self
                .http()
                .send(Method::DELETE, &path, Accept::Metadata, Content::Json, bytes(&options))
                .await;
            return match sent {
                Ok(answer) => Ok(after_deletion(&value(&answer)?)),
                Err(failure) if failure.is_not_found() => Ok(Deletion::Gone),
                Err(failure) if failure.code == 409 && tries < TRIES => continue,
                Err(failure) => Err(failure),
            };
        }
    }
}

/// The API server answers with a status when the object is gone, and with the object when it is on its way. A Pod that
/// is given time to end is on its way, too.
fn after_deletion(answer: &Value) -> Deletion {
    let status = answer.get("kind").and_then(Value::as_str) == Some("Status");
    let held = answer.pointer("/metadata/finalizers").is_some()
        || answer.pointer("/metadata/deletionTimestamp").is_some();
    if status || !held { Deletion::Gone } else { Deletion::Underway }
}

fn migration_error(object: &Built, failure: &Failure) -> Error {
    let name = identity(&object.resource, &object.reference);
    Error::of(failure, |text| {
        Error::Write(format!("failed to patch object to upgrade CSA field manager {name}: {text}"))
    })
}

/// The message of a refusal, without the values of a Secret.
pub(crate) fn masked(object: &Built, failure: &Failure) -> String {
    if object.resource.gvk.is("", "Secret") {
        mask_text(&failure.message, &object.value)
    } else {
        failure.message.clone()
    }
}

fn bytes(value: &Value) -> Bytes {
    value.to_string().into()
}

fn value(answer: &Answer) -> Result<Value, Failure> {
    serde_json::from_slice(&answer.body).map_err(|error| Failure {
        code: 0,
        reason: String::new(),
        message: format!("the answer of the API server cannot be read: {error}"),
        manager_conflict: false,
        about: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_a_deletion_tells_whether_the_object_is_gone() {
        assert_eq!(after_deletion(&json!({"kind": "Status", "status": "Success"})), Deletion::Gone);
        let held = json!({"kind": "PartialObjectMetadata", "metadata": {"deletionTimestamp": "x", "finalizers": ["a"]}});
        assert_eq!(after_deletion(&held), Deletion::Underway);
        assert_eq!(
            after_deletion(&json!({"kind": "PartialObjectMetadata", "metadata": {"name": "a"}})),
            Deletion::Gone
        );
    }
}

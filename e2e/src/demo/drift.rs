//! Breaking an object by hand and watching the repair.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use testkit::ControlPlane;

use crate::progress::Story;

/// Where the objects are.
pub(crate) struct Place<'a> {
    pub(crate) plane: &'a ControlPlane,
    pub(crate) namespace: &'a str,
}

const IMAGE: &str = "/spec/template/spec/containers/0/image";

impl Place<'_> {
    /// Changes the image of a Deployment's first container and waits until it is as it was.
    pub(crate) async fn change_image(&self, story: &mut Story, name: &str) -> Result<()> {
        let objects = self.plane.objects("apps/v1", "Deployment", Some(self.namespace))?;
        let image = |object: &Value| object.pointer(IMAGE).and_then(Value::as_str).map(String::from);
        let before = image(&objects.get(name).await?.data).context("the Deployment has no image")?;
        let patch = json!([{"op": "replace", "path": IMAGE, "value": "registry.example.org/oops"}]);
        let begun = Instant::now();
        let patch: Patch<Value> = Patch::Json(serde_json::from_value(patch)?);
        let changed = objects.patch(name, &PatchParams::default(), &patch).await?;
        ensure!(image(&changed.data).as_ref() != Some(&before), "the image of {name} did not change");
        story.say(&format!("Deployment {name}"), "image changed by hand");
        let repaired = |object: &Value| image(object).as_ref() == Some(&before);
        self.plane.wait_for(&objects, name, "its image of the commit", repaired).await?;
        story.say(&format!("Deployment {name}"), "repaired");
        story.measure(&format!("to repair the image of the Deployment {name}"), begun.elapsed());
        Ok(())
    }

    /// Deletes an object and waits until it is there again.
    pub(crate) async fn delete(
        &self,
        story: &mut Story,
        api_version: &str,
        kind: &str,
        name: &str,
    ) -> Result<()> {
        let objects = self.plane.objects(api_version, kind, Some(self.namespace))?;
        let uid = objects.get(name).await?.uid();
        let begun = Instant::now();
        objects.delete(name, &DeleteParams::background()).await?;
        story.say(&format!("{kind} {name}"), "deleted by hand");
        let back = |object: &Value| {
            let now = object.pointer("/metadata/uid").and_then(Value::as_str);
            now.is_some() && now != uid.as_deref() && object.pointer("/metadata/deletionTimestamp").is_none()
        };
        self.plane.wait_for(&objects, name, "created again", back).await?;
        story.say(&format!("{kind} {name}"), "created again");
        story.measure(&format!("to create the deleted {kind} {name} again"), begun.elapsed());
        Ok(())
    }
}

//! Push after push: how long until each is applied, and until the chat knows.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use e2e::folder;
use serde_json::Value;
use testkit::git::Repo;

use crate::chat::{self, Chat};
use crate::cluster::Cluster;
use crate::progress::Story;

/// How many.
const PUSHES: usize = 15;

/// What has been set up before.
pub(crate) struct Place<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) repository: &'a Repo,
    pub(crate) sample: &'a Path,
    pub(crate) chat: &'a Chat,
    pub(crate) webhook: &'a str,
}

impl Place<'_> {
    /// Pushes, waits for the effects, and sums up.
    pub(crate) async fn push_often(&self, story: &mut Story) -> Result<()> {
        story.chapter(&format!("{PUSHES} pushes, one after the other, each with its call of the webhook"));
        let (mut applied, mut told) = (Vec::new(), Vec::new());
        for number in 1..=PUSHES {
            let (until_applied, until_told) = self.push(&format!("1.6.{number}")).await?;
            let line = format!(
                "frontend 1.6.{number}: applied after {} ms, in the chat after {} ms",
                until_applied.as_millis(),
                until_told.as_millis()
            );
            story.say(&format!("push {number}"), &line);
            applied.push(until_applied);
            told.push(until_told);
        }
        story.measure(
            &format!("from the push to the change in the cluster, median of {PUSHES}"),
            median(applied),
        );
        story.measure(&format!("from the push to the message in the chat, median of {PUSHES}"), median(told));
        Ok(())
    }

    /// Pushes a version of the frontend. The times until the Deployment asks for it, and until the chat knows.
    async fn push(&self, version: &str) -> Result<(Duration, Duration)> {
        let file = "apps/production/kustomization.yaml";
        let change = folder::edit(self.sample, file, "newTag: 1.4.2", &format!("newTag: {version}"))?;
        let image = format!("registry.example.org/shop/frontend:{version}");
        let deployments = self.cluster.plane().objects("apps/v1", "Deployment", Some("shop-production"))?;
        let wanted = |object: &Value| {
            object.pointer("/spec/template/spec/containers/0/image").and_then(Value::as_str)
                == Some(image.as_str())
        };
        let seen = async {
            self.cluster.plane().wait_for(&deployments, "frontend", &image, wanted).await?;
            anyhow::Ok(Instant::now())
        };
        let pushed = async {
            let commit = self.repository.commit("main", &format!("Frontend {version}"), &[change])?;
            let begun = Instant::now();
            chat::call(self.webhook).await?;
            let (_, at) = self.chat.message("kustomization/production", &commit).await?;
            anyhow::Ok((begun, at))
        };
        let (seen, (begun, told)) = tokio::try_join!(seen, pushed)?;
        Ok((seen.duration_since(begun), told.duration_since(begun)))
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

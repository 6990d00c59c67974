//! The shop: deployed, upgraded by a commit, broken and repaired.

use std::time::Instant;

use anyhow::Result;
use e2e::folder;
use serde_json::Value;
use testkit::git::HttpServer;
use testkit::places;

use crate::chat::{self, Chat};
use crate::cluster::{Cluster, SOURCES};
use crate::drift;
use crate::progress::Story;
use crate::pushes;

/// platform, data, staging, production.
const KUSTOMIZATIONS: usize = 4;
const ENVIRONMENTS: [&str; 3] = ["shop-data", "shop-staging", "shop-production"];

pub(crate) async fn tell(cluster: &Cluster, story: &mut Story) -> Result<()> {
    let sample = places::root().join("config/samples/shop");
    let git = HttpServer::start().await?;
    let repository = git.create("shop")?;
    let commit = repository.commit("main", "The shop", &folder::changes(&sample)?)?;

    story.chapter("A Git repository: five services in two environments, a session store, a CRD");
    story.say("git", &format!("{} at {}", git.url("shop"), short(&commit)));
    let begun = Instant::now();
    cluster.create_source("shop", &git.url("shop"), "main").await?;
    cluster.plane().apply(&std::fs::read_to_string(sample.join("flux/kustomizations.yaml"))?).await?;
    cluster.healthy_at(KUSTOMIZATIONS, &format!("main@sha1:{commit}")).await?;
    story.measure(
        "from nothing to four healthy Kustomizations, in order of their dependencies",
        begun.elapsed(),
    );
    for namespace in ENVIRONMENTS {
        story.say(namespace, &workloads(cluster, namespace).await?);
    }

    story.chapter("A commit: the frontend of production becomes 1.5.0");
    let chat = Chat::start().await?;
    cluster.create_alert(&chat.url).await?;
    let webhook = cluster.create_webhook("shop").await?;
    let change =
        folder::edit(&sample, "apps/production/kustomization.yaml", "newTag: 1.4.2", "newTag: 1.5.0")?;
    let begun = Instant::now();
    let commit = repository.commit("main", "Frontend 1.5.0 to production", &[change])?;
    story.say("git", &format!("{} Frontend 1.5.0 to production", short(&commit)));
    chat::call(&webhook).await?;
    story.say("webhook", "the Git host tells of the push");
    let revision = format!("main@sha1:{commit}");
    cluster
        .plane()
        .wait_for(&cluster.objects(SOURCES)?, "shop", "the new revision", |object| {
            object.pointer("/status/artifact/revision").and_then(Value::as_str) == Some(revision.as_str())
        })
        .await?;
    story.measure("from the commit to its artifact", begun.elapsed());
    cluster.healthy_at(KUSTOMIZATIONS, &revision).await?;
    story.measure("from the commit to healthy objects", begun.elapsed());
    let (said, at) = chat.message("kustomization/production", &commit).await?;
    story.say("chat", said.lines().next().unwrap_or_default());
    story.measure("from the commit to the message in the chat", at.duration_since(begun));
    let frontend =
        cluster.plane().objects("apps/v1", "Deployment", Some("shop-production"))?.get("frontend").await?;
    let image = frontend.data.pointer("/spec/template/spec/containers/0/image").and_then(Value::as_str);
    anyhow::ensure!(
        image == Some("registry.example.org/shop/frontend:1.5.0"),
        "the frontend of production runs {image:?} and not 1.5.0"
    );
    story.say("Deployment frontend", image.unwrap_or_default());

    let place =
        pushes::Place { cluster, repository: &repository, sample: &sample, chat: &chat, webhook: &webhook };
    place.push_often(story).await?;

    story.chapter("Drift: what somebody breaks by hand is repaired");
    let production = drift::Place { plane: cluster.plane(), namespace: "shop-production" };
    production.change_image(story, "frontend").await?;
    production.delete(story, "v1", "Service", "cart").await?;
    production.delete(story, "apps/v1", "Deployment", "checkout").await?;
    Ok(())
}

/// How many of the pods that are wanted in a namespace are ready.
async fn workloads(cluster: &Cluster, namespace: &str) -> Result<String> {
    let (mut workloads, mut wanted, mut ready) = (0, 0, 0);
    for kind in ["Deployment", "StatefulSet"] {
        for object in
            cluster.plane().objects("apps/v1", kind, Some(namespace))?.list(&Default::default()).await?
        {
            let number = |path: &str| object.data.pointer(path).and_then(Value::as_u64).unwrap_or_default();
            workloads += 1;
            wanted += number("/spec/replicas");
            ready += number("/status/readyReplicas");
        }
    }
    anyhow::ensure!(ready == wanted, "{ready} of {wanted} pods are ready in {namespace}");
    Ok(format!("{workloads} workloads, {ready} of {wanted} pods ready"))
}

fn short(commit: &str) -> &str {
    commit.get(..8).unwrap_or(commit)
}

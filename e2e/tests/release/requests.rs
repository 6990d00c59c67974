//! How many requests an action takes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use apply::{Policy, Target};
use kube::client::ClientBuilder;
use release::{Cluster, Last, PostRender, Step, Storage};
use serde_json::json;
use tower::util::MapRequestLayer;

use crate::actions::SHOP;
use crate::stage::Stage;

type Requests = Arc<Mutex<Vec<String>>>;

/// A cluster that notes every request.
fn counted(stage: &Stage) -> Result<(Cluster, Requests)> {
    let requests = Requests::default();
    let noted = requests.clone();
    let layer = MapRequestLayer::new(move |request: http::Request<kube::client::Body>| {
        let path = request.uri().path().rsplit('/').next().unwrap().to_owned();
        noted.lock().unwrap().push(format!("{} {path}", request.method()));
        request
    });
    stage.plane.client()?;
    let client = ClientBuilder::try_from(stage.plane.config())?.with_layer(&layer).build();
    let policy = Policy::new("helm-controller", "helm.toolkit.fluxcd.io");
    let target = Target::new(Arc::new(policy), Arc::new(|_| ()), client);
    Ok((Cluster::new(target, "helm-controller"), requests))
}

/// The labels by which one watch covers the objects of all releases.
pub fn origin(name: &str) -> Option<PostRender> {
    let labels = [("name", name), ("namespace", "apps")];
    let labels = labels.map(|(key, value)| (format!("helm.toolkit.fluxcd.io/{key}"), value.to_owned()));
    let step = Step::Metadata { labels: labels.into(), annotations: Default::default() };
    Some(PostRender { stream: chart::Stream::Combined, steps: vec![step] })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_asks_for_nothing_that_is_known() -> Result<()> {
    let stage = Stage::new("requests").await?;
    let (cluster, requests) = counted(&stage)?;
    let storage = Storage::new(&cluster, &stage.ours);
    let take = || std::mem::take(&mut *requests.lock().unwrap());
    let install = |name: &str| {
        let mut install = stage.install(name, SHOP, json!({}));
        install.render.post = origin(name);
        install.last = Last::Absent;
        install
    };
    // The first one learns what the cluster serves, and begins to watch Deployments.
    install("first").run(&cluster, &storage).await.unwrap();
    take();
    let installed = install("web").run(&cluster, &storage).await.unwrap();
    let mut seen = take();
    let objects =
        ["PATCH web", "PATCH web-config", "PATCH web-kept", "PATCH web-plain", "PATCH web", "PATCH web"];
    let mut wanted = vec!["POST secrets", "PUT sh.helm.release.v1.web.v1"];
    wanted.extend(objects);
    seen.sort();
    wanted.sort_unstable();
    assert_eq!(seen, wanted);

    let mut upgrade = stage.upgrade("web", SHOP, json!({}));
    upgrade.render.post = origin("web");
    upgrade.last = Last::Is(Box::new(installed.release));
    upgrade.waiting.timeout = Duration::from_secs(60);
    upgrade.run(&cluster, &storage).await.unwrap();
    let mut seen = take();
    let mut wanted = vec!["POST secrets", "PUT sh.helm.release.v1.web.v1", "PUT sh.helm.release.v1.web.v2"];
    wanted.extend(objects);
    seen.sort();
    wanted.sort_unstable();
    assert_eq!(seen, wanted);

    // Without any knowledge: the labels of the records, and the last of them.
    let found = storage.last("web").await.unwrap().unwrap();
    assert_eq!(found.version, 2);
    assert_eq!(take(), ["GET secrets", "GET sh.helm.release.v1.web.v2"]);
    Ok(())
}

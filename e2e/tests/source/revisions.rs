//! Which commit is chosen, and what of it.

use anyhow::Result;
use serde_json::{Value, json};
use testkit::git::Change;

use super::scene::{Scene, message};

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_reference_has_its_revision() -> Result<()> {
    let scene = Scene::new().await?;
    let first = scene.repo.id("main")?;
    scene.repo.annotated_tag("v1.0.0", "main", "One")?;
    scene.repo.set_reference("refs/pull/1/head", "main")?;
    let second = scene.repo.commit_at("main", "Second", 1_700_000_100, &[Change::file("x", "2")])?;
    scene.repo.tag("v1.2.0", "main")?;
    scene.repo.tag("v2.0.0-rc.1", "main")?;
    scene.repo.set_reference("refs/heads/master", "main")?;
    scene.repo.set_reference("refs/heads/feature/x", "main")?;
    for (name, reference, revision) in [
        ("default", Value::Null, format!("master@sha1:{second}")),
        ("branch", json!({ "branch": "feature/x" }), format!("feature/x@sha1:{second}")),
        ("tag", json!({ "tag": "v1.0.0" }), format!("v1.0.0@sha1:{first}")),
        ("semver", json!({ "semver": ">=1.0.0 <2.0.0" }), format!("v1.2.0@sha1:{second}")),
        ("prerelease", json!({ "semver": ">=1.0.0-0" }), format!("v2.0.0-rc.1@sha1:{second}")),
        ("name", json!({ "name": "refs/pull/1/head" }), format!("refs/pull/1/head@sha1:{first}")),
        ("commit", json!({ "commit": first }), format!("sha1:{first}")),
        ("on-branch", json!({ "commit": first, "branch": "main" }), format!("main@sha1:{first}")),
        ("tag-wins", json!({ "semver": "*", "tag": "v1.0.0" }), format!("v1.0.0@sha1:{first}")),
    ] {
        scene.apply(name, json!({ "ref": reference })).await?;
        let object = scene.ready(name).await?;
        assert_eq!(object["status"]["artifact"]["revision"], revision, "{name}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_and_ignore_files_choose_the_content() -> Result<()> {
    let scene = Scene::new().await?;
    scene.repo.commit(
        "main",
        "Ignore",
        &[
            Change::file("docs/.sourceignore", "*.md\n"),
            Change::file("docs/a.md", "a"),
            Change::file("docs/a.txt", "a"),
            Change::file("deploy/notes.md", "n"),
            Change::file("apple/x.yaml", "x"),
        ],
    )?;
    scene.apply("ignore", json!({ "ignore": "/*\n!/docs\n!/deploy\n/deploy/**/*.md\n" })).await?;
    let object = scene.ready("ignore").await?;
    assert_eq!(
        scene.names(&object).await?,
        [".", "deploy", "deploy/app.yaml", "docs", "docs/.sourceignore", "docs/a.md", "docs/a.txt"],
        "spec.ignore comes last: `!/docs` takes docs/a.md in again"
    );
    scene.apply("sparse", json!({ "sparseCheckout": ["./deploy"] })).await?;
    let object = scene.ready("sparse").await?;
    assert_eq!(scene.names(&object).await?, [".", "deploy", "deploy/app.yaml", "deploy/notes.md"]);
    assert_eq!(object["status"]["observedSparseCheckout"], json!(["./deploy"]));

    scene.apply("nowhere", json!({ "sparseCheckout": ["nowhere"] })).await?;
    let object = scene.unready("nowhere", "GitOperationFailed").await?;
    assert!(
        message(&object, "FetchFailed").starts_with(
            "failed to sparse checkout directories : sparse checkout dir 'nowhere' does not exist in repository"
        ),
        "{object}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn includes_are_copied_in_and_wake_the_including_repository() -> Result<()> {
    let scene = Scene::new().await?;
    let library = scene.git.create("library.git")?;
    library.commit(
        "main",
        "Library",
        &[Change::file("charts/a.yaml", "a: 1\n"), Change::file("other", "o")],
    )?;
    let include = json!({ "include": [
        { "repository": { "name": "library" }, "fromPath": "charts", "toPath": "vendor/library" },
    ] });
    scene.apply("shop", include.clone()).await?;
    let object = scene.unready("shop", "NotFound").await?;
    assert!(
        message(&object, "IncludeUnavailable").starts_with("could not get resource for include 'library'")
    );
    scene.event("shop", "Normal NotFound").await?;

    // Nobody asks for a run: the artifact of the library does.
    scene.apply("library", json!({ "url": scene.git.url("library.git") })).await?;
    let object = scene.ready("shop").await?;
    let names = scene.names(&object).await?;
    assert!(
        names.contains(&"vendor/library/a.yaml".to_owned())
            && !names.iter().any(|name| name.ends_with("other"))
    );
    let first = &object["status"]["includedArtifacts"];
    assert_eq!(first.as_array().map(Vec::len), Some(1));

    library.commit("main", "Second", &[Change::file("charts/b.yaml", "b: 1\n")])?;
    let included = scene.reconcile("library", "now").await?["status"]["artifact"]["digest"].clone();
    let object = scene
        .until("shop", "the new library is in", |object| {
            object["status"]["includedArtifacts"][0]["digest"] == included && testkit::is_ready(object)
        })
        .await?;
    assert!(scene.names(&object).await?.contains(&"vendor/library/b.yaml".to_owned()));

    let escape = json!({ "include": [{ "repository": { "name": "library" }, "fromPath": "../../../etc" }] });
    scene.apply("escape", escape).await?;
    let object = scene.unready("escape", "CopyFailure").await?;
    assert!(
        message(&object, "StorageOperationFailed").starts_with("failed to copy 'library' include"),
        "{object}"
    );
    Ok(())
}

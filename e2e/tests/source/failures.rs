//! What goes wrong is told on the object, and the others go on.

use anyhow::Result;
use serde_json::{Value, json};
use testkit::condition;
use testkit::git::{Access, Change, Fault, HttpServer, ServerOptions, SshKey, SshServer};

use super::scene::{Scene, message, reason};

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_branch_is_retried_until_it_appears() -> Result<()> {
    let scene = Scene::new().await?;
    scene.apply("shop", json!({ "ref": { "branch": "later" } })).await?;
    let object = scene.unready("shop", "GitOperationFailed").await?;
    let expected = format!(
        "failed to checkout and determine revision: unable to clone '{}': couldn't find remote ref \"refs/heads/later\"",
        scene.url()
    );
    assert_eq!(message(&object, "Ready"), expected);
    assert_eq!(message(&object, "FetchFailed"), expected);
    assert_eq!(reason(&object, "Reconciling"), "ProgressingWithRetry");
    assert!(condition(&object, "Stalled").is_none());
    assert_eq!(object["status"]["observedGeneration"], -1);
    scene.event("shop", "Warning GitOperationFailed").await?;

    scene.repo.set_reference("refs/heads/later", "main")?;
    let object = scene.ready("shop").await?;
    assert_eq!(object["status"]["observedGeneration"], 1);
    assert_eq!(object["status"]["conditions"].as_array().map(Vec::len), Some(2), "{object}");
    let events = scene.event("shop", "Normal NewArtifact").await?;
    assert_eq!(events.iter().filter(|event| event.starts_with("Normal")).count(), 1, "{events:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_repository_holds_up_no_other() -> Result<()> {
    let scene = Scene::new().await?;
    let hanging = HttpServer::start().await?;
    hanging.set_fault(Fault::Hang);
    scene.git.create("empty.git")?;
    let bad: [(&str, Value, &str, &str); 5] = [
        ("hang", json!({ "url": hanging.url("x.git"), "timeout": "2s" }), "GitOperationFailed", "timed out"),
        (
            "empty",
            json!({ "url": scene.git.url("empty.git") }),
            "EmptyGitRepository",
            "git repository is empty",
        ),
        (
            "missing",
            json!({ "url": scene.git.url("none.git") }),
            "GitOperationFailed",
            "repository not found",
        ),
        ("refused", json!({ "url": "http://127.0.0.1:1/x.git" }), "GitOperationFailed", "Connection refused"),
        ("login", json!({ "secretRef": { "name": "none" } }), "AuthenticationFailed", "not found"),
    ];
    for (name, spec, ..) in &bad {
        scene.apply(name, spec.clone()).await?;
    }
    scene.apply("shop", json!({})).await?;
    scene.ready("shop").await?;
    for (name, _, reason_, text) in &bad {
        let object = scene.unready(name, reason_).await?;
        assert!(message(&object, "FetchFailed").contains(text), "{name}: {object}");
        assert_eq!(reason(&object, "Reconciling"), "ProgressingWithRetry", "{name}");
    }
    // The same failure again is no news, unless the attempt took so long that its progress was shown.
    let attempts = || async {
        let metrics = scene.source.metrics().await?;
        anyhow::Ok(metrics.sum("gotk_reconcile_duration_seconds_count", &[("name", "missing")]))
    };
    let mut silent = false;
    for _ in 0..5 {
        let object = scene.unready("missing", "GitOperationFailed").await?;
        let start = attempts().await?;
        while attempts().await? < start + 1.0 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        let later = scene.objects.get("missing").await?;
        silent |= object["metadata"]["resourceVersion"] == json!(later.metadata.resource_version);
        if silent {
            break;
        }
    }
    assert!(silent, "each attempt that failed as the one before wrote the status");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_change_can_cure_stalls() -> Result<()> {
    let scene = Scene::new().await?;
    let gate = "to use spec.serviceAccountName for provider authentication please enable the \
                ObjectLevelWorkloadIdentity feature gate in the controller";
    let github = "secretRef with github app data must be specified when provider is set to github";
    for (name, spec, reason_, text) in [
        (
            "url",
            json!({ "url": "http://host:port/x" }),
            "URLInvalid",
            "failed to parse url 'http://host:port/x'",
        ),
        ("github", json!({ "provider": "github" }), "InvalidProviderConfiguration", github),
        ("azure", json!({ "provider": "azure", "serviceAccountName": "x" }), "FeatureGateDisabled", gate),
        (
            "verify",
            json!({ "verify": { "secretRef": { "name": "keys" } } }),
            "VerificationError",
            "spec.verify",
        ),
    ] {
        scene.apply(name, spec).await?;
        let object = scene.unready(name, reason_).await?;
        assert_eq!(reason(&object, "Stalled"), reason_, "{object}");
        assert!(message(&object, "Stalled").starts_with(text), "{object}");
        assert!(condition(&object, "Reconciling").is_none());
        assert_eq!(object["status"]["observedGeneration"], 1);
        assert!(object["status"]["artifact"].is_null());
        scene.event(name, &format!("Warning {reason_}")).await?;
    }
    scene.patch("url", json!({ "spec": { "url": scene.url() } })).await?;
    let object = scene.ready("url").await?;
    assert!(condition(&object, "Stalled").is_none());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_decide_and_are_never_shown() -> Result<()> {
    let access = Access::Basic { username: "flux".into(), password: "open-sesame".into() };
    let scene = Scene::with(ServerOptions { access, ..Default::default() }, &[]).await?;
    scene.secret("login", &[("username", "flux"), ("password", "wrong-guess")]).await?;
    scene.apply("anonymous", json!({})).await?;
    scene.apply("shop", json!({ "secretRef": { "name": "login" } })).await?;
    let object = scene.unready("anonymous", "GitOperationFailed").await?;
    assert!(message(&object, "Ready").ends_with("authentication required"), "{object}");
    let object = scene.unready("shop", "GitOperationFailed").await?;
    assert!(message(&object, "Ready").contains("did not accept the credentials"), "{object}");
    // The Secret is not watched: the retry reads it anew.
    scene.secret("login", &[("username", "flux"), ("password", "open-sesame")]).await?;
    scene.ready("shop").await?;
    let log = scene.source.log().join("\n");
    assert!(!log.contains("open-sesame") && !log.contains("wrong-guess"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_needs_the_right_ca_and_client_certificate() -> Result<()> {
    let options = ServerOptions { tls: true, client_certificates: true, ..Default::default() };
    let scene = Scene::with(options, &[]).await?;
    let (certificate, key) = scene.git.client_certificate()?;
    let ca = scene.git.ca();
    scene
        .secret(
            "good",
            &[("ca.crt", &ca), ("caFile", "ignored"), ("tls.crt", &certificate), ("tls.key", &key)],
        )
        .await?;
    scene.secret("half", &[("ca.crt", &ca), ("tls.crt", &certificate)]).await?;
    for name in ["good", "half"] {
        scene.apply(name, json!({ "secretRef": { "name": name } })).await?;
    }
    scene.apply("none", json!({})).await?;
    scene.ready("good").await?;
    let object = scene.unready("half", "AuthenticationFailed").await?;
    assert!(message(&object, "Ready").contains("contains 'tls.crt' but missing 'tls.key'"), "{object}");
    let object = scene.unready("none", "GitOperationFailed").await?;
    assert!(message(&object, "Ready").contains("certificate"), "{object}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ssh_checks_the_host_key_and_the_passphrase() -> Result<()> {
    let scene = Scene::new().await?;
    let key = SshKey::Ed25519.generate()?;
    let server = SshServer::start(SshKey::Ed25519, &[&key]).await?;
    let repo = server.create("shop.git")?;
    let commit = repo.commit("main", "First", &[Change::file("a", "1")])?;
    let (plain, locked) = (SshKey::private(&key, None)?, SshKey::private(&key, Some("open sesame"))?);
    let known = server.known_hosts()?;
    let other = SshServer::start(SshKey::Ed25519, &[]).await?.known_hosts()?;
    scene.secret("plain", &[("identity", &plain), ("known_hosts", &known)]).await?;
    scene
        .secret("locked", &[("identity", &locked), ("known_hosts", &known), ("password", "open sesame")])
        .await?;
    scene.secret("no-passphrase", &[("identity", &locked), ("known_hosts", &known)]).await?;
    scene.secret("unknown-host", &[("identity", &plain), ("known_hosts", &other)]).await?;
    let url = server.url("shop.git");
    for name in ["plain", "locked", "no-passphrase", "unknown-host"] {
        scene.apply(name, json!({ "url": url, "secretRef": { "name": name } })).await?;
    }
    scene.apply("no-secret", json!({ "url": url })).await?;
    for name in ["plain", "locked"] {
        let object = scene.ready(name).await?;
        assert_eq!(object["status"]["artifact"]["revision"], format!("main@sha1:{commit}"));
    }
    let object = scene.unready("no-passphrase", "AuthenticationFailed").await?;
    let expected = format!(
        "SSH identity key is encrypted but no 'password' field was provided in the secret '{}/no-passphrase'",
        scene.namespace
    );
    assert_eq!(message(&object, "Ready"), expected);
    let object = scene.unready("unknown-host", "GitOperationFailed").await?;
    assert!(message(&object, "Ready").contains("knownhosts"), "{object}");
    let object = scene.unready("no-secret", "AuthenticationFailed").await?;
    assert!(
        message(&object, "Ready").ends_with("invalid 'ssh' auth option: 'identity' is required"),
        "{object}"
    );
    Ok(())
}

//! OCIRepository: artifacts in a real registry.

use anyhow::{Context as _, Result};
use kube::Api;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use testkit::condition;
use testkit::git::ServerOptions;
use testkit::registry::{Access, Registry};

use super::scene::{API, Scene, message, reason};

const KIND: &str = "OCIRepository";
const FLUX: &str = "application/vnd.cncf.flux.content.v1.tar+gzip";
const HELM: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

struct Images {
    scene: Scene,
    registry: Registry,
    repositories: Api<DynamicObject>,
}

impl Images {
    async fn new(access: Access) -> Result<Self> {
        let scene = Scene::with(Default::default(), &[]).await?;
        let registry = Registry::start(scene.plane, access).await?;
        let repositories = scene.plane.objects(API, KIND, Some(&scene.namespace))?;
        Ok(Self { scene, registry, repositories })
    }

    fn url(&self) -> String {
        format!("oci://{}/shop/manifests", self.registry.host())
    }

    async fn push(&self, tag: &str, layers: &[(&str, &[u8])], annotations: Value) -> Result<String> {
        self.registry.push("shop/manifests", tag, layers, annotations).await
    }

    async fn apply(&self, name: &str, spec: Value) -> Result<()> {
        let mut whole = json!({ "url": self.url(), "interval": "1h" });
        let (Value::Object(fields), Value::Object(spec)) = (&mut whole, spec) else { unreachable!() };
        fields.extend(spec);
        self.scene.apply_kind(KIND, name, whole).await
    }

    async fn ready(&self, name: &str) -> Result<Value> {
        self.scene.plane.ready(API, KIND, &self.scene.namespace, name).await
    }

    async fn reconcile(&self, name: &str, token: &str) -> Result<Value> {
        self.scene.annotate(&self.repositories, name, "reconcile.fluxcd.io/requestedAt", token).await?;
        let handled = |object: &Value| object["status"]["lastHandledReconcileAt"] == token;
        self.scene.plane.wait_for(&self.repositories, name, "the request is handled", handled).await
    }

    /// Waits until fetching failed for this reason.
    async fn failed(&self, name: &str, wanted: &str) -> Result<Value> {
        let failed = |object: &Value| reason(object, "FetchFailed") == wanted;
        self.scene.plane.wait_for(&self.repositories, name, wanted, failed).await
    }
}

/// A layer: paths, modes and contents. A content that begins with `->` is a symbolic link.
fn layer(files: &[(&str, u32, &str)]) -> Result<Vec<u8>> {
    let mut archive =
        tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (path, mode, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(*mode);
        match content.strip_prefix("->") {
            Some(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                archive.append_link(&mut header, path, target)?;
            }
            None => {
                header.set_size(content.len() as u64);
                archive.append_data(&mut header, path, content.as_bytes())?;
            }
        }
    }
    Ok(archive.into_inner()?.finish()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_becomes_an_artifact() -> Result<()> {
    let images = Images::new(Access::Password).await?;
    let scene = &images.scene;
    let files = layer(&[
        ("deploy/app.yaml", 0o644, "kind: ConfigMap"),
        ("run.sh", 0o755, "#!/bin/sh"),
        ("link", 0o777, "->run.sh"),
        ("logo.png", 0o644, "png"),
    ])?;
    let origin = json!({ "org.opencontainers.image.source": "https://example.org/shop", "org.opencontainers.image.revision": "main@sha1:0" });
    let digest = images.push("latest", &[(FLUX, &files)], origin).await?;
    scene
        .plane
        .apply(&serde_json::to_string(&json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
            "metadata": { "name": "pull", "namespace": scene.namespace },
            "stringData": { ".dockerconfigjson": images.registry.docker_config() },
        }))?)
        .await?;
    images.apply("shop", json!({ "secretRef": { "name": "pull" } })).await?;
    let ready = images.ready("shop").await?;
    let artifact = &ready["status"]["artifact"];
    assert_eq!(artifact["revision"], format!("latest@{digest}"));
    assert_eq!(artifact["path"], format!("ocirepository/{}/shop/{digest}.tar.gz", scene.namespace));
    assert_eq!(artifact["metadata"]["org.opencontainers.image.revision"], "main@sha1:0");
    assert_eq!(
        scene.files(&ready).await?,
        [". 750", "deploy 750", "deploy/app.yaml 600 kind: ConfigMap", "run.sh 700 #!/bin/sh"]
    );
    let url = ready["status"]["url"].as_str().context("a lasting address")?;
    assert!(url.ends_with("/shop/latest.tar.gz"), "{url}");
    assert_eq!(reqwest::get(url).await?.bytes().await?, scene.download(&ready).await?);
    assert_eq!(message(&ready, "Ready"), format!("stored artifact for digest 'latest@{digest}'"));
    let stored = format!(
        "Normal NewArtifact stored artifact with revision 'latest@{digest}' from '{}', origin source 'https://example.org/shop', origin revision 'main@sha1:0'",
        images.url()
    );
    scene.event("shop", &stored).await?;

    // Nothing new: one patch, and the artifact stays.
    let before = scene.requests("PATCH").await?;
    let same = images.reconcile("shop", "1").await?;
    assert_eq!(same["status"]["artifact"], *artifact);
    assert_eq!(scene.requests("PATCH").await? - before, 1.0);

    // The same image with other rules: the same revision, another artifact.
    images.apply("shop", json!({ "secretRef": { "name": "pull" }, "ignore": "*.sh\n" })).await?;
    let repositories = &images.repositories;
    let ignored = scene
        .plane
        .wait_for(repositories, "shop", "the rules are observed", |object| {
            object["status"]["observedIgnore"] == "*.sh\n"
        })
        .await?;
    assert_eq!(ignored["status"]["artifact"]["revision"], artifact["revision"]);
    assert_eq!(scene.names(&ignored).await?, [".", "deploy", "deploy/app.yaml", "logo.png"]);

    // Nobody gets in without the password.
    images.apply("stranger", json!({})).await?;
    let stranger = images.failed("stranger", "OCIArtifactPullFailed").await?;
    assert!(message(&stranger, "FetchFailed").contains("UNAUTHORIZED"), "{stranger}");
    images.apply("lost", json!({ "secretRef": { "name": "missing" } })).await?;
    let lost = images.failed("lost", "AuthenticationFailed").await?;
    assert!(
        message(&lost, "FetchFailed").starts_with("failed to get credential: failed to get secret"),
        "{lost}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_digests_and_layers_are_chosen() -> Result<()> {
    let images = Images::new(Access::Open).await?;
    let content = |text: &str| layer(&[("a.yaml", 0o644, text)]);
    let mut digests = std::collections::BTreeMap::new();
    for tag in ["6.0.0", "6.1.0", "6.1.1-rc.1", "6.1.2_abc", "staging"] {
        let (first, second) = (content(tag)?, content(&format!("chart {tag}"))?);
        digests.insert(tag, images.push(tag, &[(FLUX, &first), (HELM, &second)], Value::Null).await?);
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            { "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digests["6.0.0"], "size": 1,
              "platform": { "os": "linux", "architecture": "arm64" } },
            { "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digests["staging"], "size": 1,
              "platform": { "os": "linux", "architecture": "amd64" } },
        ],
    });
    let many = images
        .registry
        .push_manifest("shop/manifests", "many", "application/vnd.oci.image.index.v1+json", &index)
        .await?;
    digests.insert("many", many);
    for (name, reference, tag, revision, text) in [
        ("tag", json!({ "tag": "staging" }), "staging", "staging@", "staging"),
        ("semver", json!({ "semver": "6.x" }), "6.1.0", "6.1.0@", "6.1.0"),
        (
            "filter",
            json!({ "semver": ">=6.1.x-0", "semverFilter": ".*-rc.*" }),
            "6.1.1-rc.1",
            "6.1.1-rc.1@",
            "6.1.1-rc.1",
        ),
        ("digest", json!({ "digest": digests["6.0.0"], "semver": "6.x" }), "6.0.0", "", "6.0.0"),
        ("index", json!({ "tag": "many" }), "many", "many@", "staging"),
    ] {
        images.apply(name, json!({ "ref": reference })).await?;
        let ready = images.ready(name).await.with_context(|| name.to_owned())?;
        assert_eq!(ready["status"]["artifact"]["revision"], format!("{revision}{}", digests[tag]), "{name}");
        assert_eq!(images.scene.files(&ready).await?[1], format!("a.yaml 600 {text}"), "{name}");
    }
    let selector = json!({ "mediaType": HELM, "operation": "copy" });
    images.apply("copy", json!({ "ref": { "semver": "6.1.x" }, "layerSelector": selector })).await?;
    let copy = images.ready("copy").await?;
    assert_eq!(copy["status"]["artifact"]["revision"], format!("6.1.2_abc@{}", digests["6.1.2_abc"]));
    assert_eq!(images.scene.download(&copy).await?, content("chart 6.1.2_abc")?);
    assert_eq!(copy["status"]["observedLayerSelector"], selector);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_pulled_is_told() -> Result<()> {
    let images = Images::new(Access::Open).await?;
    let files = layer(&[("a.yaml", 0o644, "a")])?;
    images.push("latest", &[(FLUX, &files)], Value::Null).await?;
    images.push("plain", &[(FLUX, b"not gzip")], Value::Null).await?;
    let url = images.url();
    for (name, spec, expected, text) in [
        (
            "unknown",
            json!({ "ref": { "tag": "unknown" } }),
            "OCIArtifactPullFailed",
            "failed to determine artifact digest: ".to_owned(),
        ),
        (
            "range",
            json!({ "ref": { "semver": "<= 6.1.0" } }),
            "ReadOperationFailed",
            format!("failed to determine the artifact tag for '{url}': no match found for semver: <= 6.1.0"),
        ),
        (
            "digest",
            json!({ "ref": { "digest": "sha256:invalid" } }),
            "OCIArtifactPullFailed",
            "failed to determine artifact digest: ".to_owned(),
        ),
        (
            "layer",
            json!({ "layerSelector": { "mediaType": "x/y" } }),
            "OCIArtifactLayerOperationFailed",
            "failed to find layer with media type 'x/y' in artifact".to_owned(),
        ),
        (
            "content",
            json!({ "ref": { "tag": "plain" } }),
            "OCIArtifactLayerOperationFailed",
            "failed to extract layer contents from artifact: ".to_owned(),
        ),
        (
            "account",
            json!({ "serviceAccountName": "nobody" }),
            "AuthenticationFailed",
            format!("failed to get credential: serviceaccount '{}/nobody' not found", images.scene.namespace),
        ),
        (
            "nobody",
            json!({ "url": "oci://127.0.0.1:1/a" }),
            "OCIArtifactPullFailed",
            "failed to determine artifact digest: ".to_owned(),
        ),
    ] {
        images.apply(name, spec).await?;
        let object = images.failed(name, expected).await.with_context(|| name.to_owned())?;
        assert!(
            message(&object, "FetchFailed").starts_with(&text),
            "{name}: {}",
            message(&object, "FetchFailed")
        );
        assert_eq!(reason(&object, "Reconciling"), "ProgressingWithRetry", "{name}");
    }
    images.apply("tagged", json!({ "url": format!("{url}:6.1.0") })).await?;
    let tagged = images.failed("tagged", "URLInvalid").await?;
    assert_eq!(
        message(&tagged, "Stalled"),
        format!("URL validation failed for '{url}:6.1.0': URL must not contain a tag; remove ':6.1.0'")
    );
    let verified = json!({ "verify": { "provider": "cosign" } });
    images.apply("signed", verified).await?;
    let unverified = |object: &Value| reason(object, "SourceVerified") == "VerificationError";
    let signed =
        images.scene.plane.wait_for(&images.repositories, "signed", "it is refused", unverified).await?;
    assert!(signed["status"]["artifact"].is_null() && condition(&signed, "Stalled").is_some());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insecure_registry_may_have_any_certificate() -> Result<()> {
    let options = ServerOptions { tls: true, ..Default::default() };
    let scene = Scene::with(options, &[]).await?;
    // A registry that is read only is a folder of files.
    let root = scene.git.root().join("v2/shop");
    let file = |path: &str, bytes: &[u8]| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().context("a folder")?)?;
        Ok::<_, anyhow::Error>(std::fs::write(path, bytes)?)
    };
    let digest = |bytes: &[u8]| artifact::Algorithm::Sha256.digest(bytes).to_string();
    let files = layer(&[("app.yaml", 0o644, "kind: ConfigMap")])?;
    let descriptor = |media: &str, bytes: &[u8]| json!({ "mediaType": media, "digest": digest(bytes), "size": bytes.len() });
    let manifest = json!({
        "schemaVersion": 2, "config": descriptor("c", b"{}"), "layers": [descriptor(FLUX, &files)],
    })
    .to_string();
    file(&format!("blobs/{}", digest(&files)), &files)?;
    file("manifests/latest", manifest.as_bytes())?;
    file(&format!("manifests/{}", digest(manifest.as_bytes())), manifest.as_bytes())?;

    let url = scene.git.url("shop").replace("https://", "oci://");
    scene.apply_kind(KIND, "strict", json!({ "url": url, "interval": "1h" })).await?;
    let repositories = scene.plane.objects(API, KIND, Some(&scene.namespace))?;
    let failed = |object: &Value| reason(object, "FetchFailed") == "OCIArtifactPullFailed";
    scene.plane.wait_for(&repositories, "strict", "it is refused", failed).await?;
    scene.apply_kind(KIND, "lax", json!({ "url": url, "interval": "1h", "insecure": true })).await?;
    let ready = scene.plane.ready(API, KIND, &scene.namespace, "lax").await?;
    assert_eq!(scene.files(&ready).await?, [". 750", "app.yaml 600 kind: ConfigMap"]);
    Ok(())
}

//! `helm-controller diff`: what it tells, and that it writes nothing. Its requests go through a proxy that notes them.

use std::process::Command;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::charts;
use super::scene::Scene;

/// A way to the API server that notes every request.
struct Proxy {
    kubeconfig: tempfile::NamedTempFile,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    async fn start(scene: &Scene) -> Result<Self> {
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let state = (scene.plane.client()?, Arc::clone(&requests));
        let router = Router::new().fallback(forward).with_state(state);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let server = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async { axum::serve(listener, router).await });
        let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "none",
            "clusters": [{"name": "proxy", "cluster": {"server": server}}], "users": [{"name": "nobody", "user": {}}],
            "contexts": [{"name": "proxied", "context": {"cluster": "proxy", "user": "nobody"}}]});
        let kubeconfig = tempfile::NamedTempFile::new()?;
        std::fs::write(kubeconfig.path(), config.to_string())?;
        Ok(Self { kubeconfig, requests })
    }

    /// Fails when a request was more than a look.
    fn expect_no_write(&self) {
        let requests = std::mem::take(&mut *self.requests.lock().unwrap());
        assert!(!requests.is_empty(), "nothing went through the proxy");
        for request in &requests {
            assert!(
                request.starts_with("GET ") || request.starts_with("HEAD ") || request.contains("dryRun=All"),
                "{request}"
            );
        }
        assert!(requests.iter().all(|request| !request.contains("watch=")), "{requests:#?}");
    }
}

async fn forward(
    State((client, requests)): State<(kube::Client, Arc<Mutex<Vec<String>>>)>,
    request: Request,
) -> Response {
    requests.lock().unwrap().push(format!("{} {}", request.method(), request.uri()));
    let (mut parts, body) = request.into_parts();
    for header in ["host", "content-length", "accept-encoding"] {
        parts.headers.remove(header);
    }
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    parts.version = http::Version::default();
    let request = http::Request::from_parts(parts, kube::client::Body::from(body.to_vec()));
    let answer = client.send(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    let mut response = Response::new(Body::from(body.collect_bytes().await.unwrap()));
    *response.status_mut() = parts.status;
    let kept = parts.headers.into_iter().filter_map(|(name, value)| Some((name?, value)));
    let kept =
        kept.filter(|(name, _)| name == "content-type" || name == "etag" || name.as_str().starts_with("x-"));
    response.headers_mut().extend(kept);
    response
}

/// Exit code, standard output, standard error.
struct Told {
    code: i32,
    out: String,
    err: String,
}

impl Told {
    #[track_caller]
    fn says(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        for part in parts {
            assert!(self.out.contains(part), "no {part:?} in\n{}\n{}", self.out, self.err);
        }
    }

    #[track_caller]
    fn is_silent_about(&self, parts: &[&str]) {
        for part in parts {
            assert!(
                !self.out.contains(part) && !self.err.contains(part),
                "{part:?} in\n{}\n{}",
                self.out,
                self.err
            );
        }
    }
}

async fn diff(scene: &Scene, proxy: &Proxy, arguments: &[&str]) -> Result<Told> {
    let mut command = Command::new(testkit::built("helm-controller", testkit::Profile::Same)?);
    command.arg("diff").args(arguments).args([
        "-n",
        &scene.namespace,
        "--context",
        "proxied",
        "--kubeconfig",
    ]);
    command.arg(proxy.kubeconfig.path());
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Told { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) })
}

/// A chart in a folder.
fn folder(files: &[(&str, &str)]) -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    for (path, content) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap())?;
        std::fs::write(path, content)?;
    }
    Ok(folder)
}

fn file(scene: &Scene, name: &str, spec: Value) -> Result<tempfile::NamedTempFile> {
    let mut whole = json!({"interval": "1h", "chartRef": {"kind": "ExternalArtifact", "name": "web"}});
    for (key, value) in spec.as_object().unwrap() {
        whole[key] = value.clone();
    }
    let release = json!({"apiVersion": super::scene::HELM, "kind": "HelmRelease",
        "metadata": {"name": name, "namespace": scene.namespace}, "spec": whole});
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(
        file.path(),
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\n---\n{release}\n"),
    )?;
    Ok(file)
}

const META: &str = "apiVersion: v2\nname: web\nversion: ";

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_is_told_before_it_happens() -> Result<()> {
    let scene = Scene::new().await?;
    let (ns, proxy) = (scene.namespace.clone(), Proxy::start(&scene).await?);
    scene.chart("web", &charts::web("1.0.0")?).await?;

    // A release that is not there yet, from a file.
    let new = file(&scene, "web", json!({"test": {"enable": true}, "values": {"test": true}}))?;
    let told = diff(&scene, &proxy, &["-f", new.path().to_str().unwrap()]).await?;
    told.says(
        1,
        &[
            &format!("► HelmRelease/{ns}/web would be installed with chart web@1.0.0: release not installed: no release in storage for object\n"),
            "► ConfigMap/web-hook runs (pre-install hook)\n",
            &format!("► ConfigMap/{ns}/web created\n"),
            &format!("► Service/{ns}/web created\n"),
            "► ConfigMap/web-test runs (test hook)\n",
        ],
    );
    proxy.expect_no_write();
    assert!(scene.object("v1", "Service", "web").await?.is_none());
    assert!(scene.releases.get_opt("web").await?.is_none());

    // In sync.
    scene.release("web", json!({})).await?;
    scene.ready("web").await?;
    let told = diff(&scene, &proxy, &["web"]).await?;
    told.says(
        0,
        &[&format!("► HelmRelease/{ns}/web would be left as it is: release in-sync with desired state\n")],
    );
    assert_eq!(told.out.lines().count(), 1, "{}", told.out);
    proxy.expect_no_write();

    // Other values and metadata, from a file.
    let changed = file(
        &scene,
        "web",
        json!({"values": {"color": "blue"}, "commonMetadata": {"labels": {"team": "a"}}}),
    )?;
    let told = diff(&scene, &proxy, &["web", "-f", changed.path().to_str().unwrap()]).await?;
    told.says(
        1,
        &[
            "would be upgraded to chart web@1.0.0: release out-of-sync with desired state: release config values changed\n",
            "    values that differ: color\n",
            "► ConfigMap/web-hook runs (pre-upgrade hook)\n",
            &format!("► ConfigMap/{ns}/web configured\n"),
            "    data.color: \"red\" -> \"blue\"\n",
            "    metadata.labels.team: + \"a\"\n",
            &format!("► Service/{ns}/web configured\n    metadata.labels.team: + \"a\"\n"),
        ],
    );
    let metadata = file(&scene, "web", json!({"commonMetadata": {"labels": {"team": "a"}}}))?;
    let told = diff(&scene, &proxy, &["web", "-f", metadata.path().to_str().unwrap()]).await?;
    told.says(1, &["common metadata digest has changed\n"]);
    proxy.expect_no_write();
    assert_eq!(scene.config("web", "color").await?, "red");
    assert!(scene.record("web", 2).await?.is_none());

    // A chart from a folder: without the Service, with a new kind and an object of it.
    let plural = format!("plans{}", ns.replace(|c: char| !c.is_ascii_alphanumeric(), ""));
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("{plural}.e2e.test")},
        "spec": {"group": "e2e.test", "scope": "Namespaced", "names": {"plural": plural, "singular": plural, "kind": format!("K{plural}"), "listKind": format!("K{plural}List")},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}})
    .to_string();
    let object = format!(
        "{{{{- if .Capabilities.APIVersions.Has \"e2e.test/v1/K{plural}\" }}}}\napiVersion: e2e.test/v1\nkind: K{plural}\nmetadata: {{name: one}}\n{{{{- end }}}}\n"
    );
    let meta = format!("{META}2.0.0\n");
    let files = [
        ("Chart.yaml", meta.as_str()),
        ("values.yaml", "color: red\n"),
        charts::CONFIG,
        ("crds/kind.json", &definition),
        ("templates/object.yaml", &object),
    ];
    let chart = folder(&files)?;
    let told = diff(&scene, &proxy, &["web", "--chart", chart.path().to_str().unwrap()]).await?;
    told.says(
        1,
        &[
            "would be upgraded to chart web@2.0.0: release out-of-sync with desired state: release chart changed\n",
            &format!("► CustomResourceDefinition/{plural}.e2e.test created\n"),
            &format!("► K{plural}/{ns}/one created\n"),
            &format!("► Service/{ns}/web deleted\n"),
        ],
    );
    proxy.expect_no_write();

    // One that the controller would not notice.
    let meta = format!("{META}1.0.0\n");
    let chart = folder(&[("Chart.yaml", meta.as_str()), ("values.yaml", "color: red\n"), charts::CONFIG])?;
    let told = diff(&scene, &proxy, &["web", "--chart", chart.path().to_str().unwrap()]).await?;
    told.says(1, &["would be left as it is", &format!("► Service/{ns}/web deleted\n")]);
    assert!(told.err.contains("the controller would not notice"), "{}", told.err);
    proxy.expect_no_write();

    // The plan is kept.
    scene.patch("web", json!({"spec": {"values": {"color": "blue"}}})).await?;
    scene.until("web", "version 2", |object| object["status"]["history"][0]["version"] == 2).await?;
    assert_eq!(scene.config("web", "color").await?, "blue");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_and_secrets() -> Result<()> {
    let scene = Scene::new().await?;
    let (ns, proxy) = (scene.namespace.clone(), Proxy::start(&scene).await?);
    let meta = format!("{META}1.0.0\n");
    let archive = charts::archive(
        "web",
        &[
            ("Chart.yaml", meta.as_str()),
            ("values.yaml", "replicas: 1\npassword: none\n"),
            (
                "templates/deployment.yaml",
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: {{ .Values.replicas }}\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers: [{name: app, image: app, env: [{name: URL, value: 'db://{{ .Values.password }}@host'}]}]\n",
            ),
            (
                "templates/secret.yaml",
                "apiVersion: v1\nkind: Secret\nmetadata: {name: web}\nstringData: {password: '{{ .Values.password }}'}\n",
            ),
            (
                "templates/fail.yaml",
                "{{ if eq .Values.password \"f0rbidden\" }}{{ fail (printf \"not %s\" .Values.password) }}{{ end }}",
            ),
        ],
    )?;
    scene.chart("web", &archive).await?;
    let secret = async |password: &str| {
        let values = json!({"password": password}).to_string();
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "values", "namespace": ns}, "stringData": {"values.yaml": values}});
        scene.apply(secret).await
    };
    secret("hunter22").await?;
    scene.release("web", json!({"valuesFrom": [{"kind": "Secret", "name": "values"}]})).await?;
    scene.ready("web").await?;

    let change = async |api: &str, kind: &str, patch: Value| -> Result<()> {
        let objects = scene.plane.objects(api, kind, Some(&ns))?;
        objects.patch("web", &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    };
    change("apps/v1", "Deployment", json!({"spec": {"replicas": 3}})).await?;
    change("v1", "Secret", json!({"data": {"password": "bWluZQ=="}})).await?;
    let told = diff(&scene, &proxy, &["web"]).await?;
    told.says(
        1,
        &[
            "would be left as it is",
            &format!(
                "Drift of release {ns}/web.v1 (is not looked for: spec.driftDetection.mode is disabled):\n"
            ),
            &format!("► Deployment/{ns}/web changed\n    /spec/replicas: 3 -> 1\n"),
            &format!("► Secret/{ns}/web changed\n"),
            "/data/password: \"*** (before)\" -> \"*** (after)\"\n",
        ],
    );
    told.is_silent_about(&["hunter22", "bWluZQ", "aHVudGVyMjI"]);
    proxy.expect_no_write();
    let ignoring = file(
        &scene,
        "web",
        json!({"valuesFrom": [{"kind": "Secret", "name": "values"}],
        "driftDetection": {"mode": "enabled", "ignore": [{"paths": ["/spec/replicas"]}]}}),
    )?;
    let told = diff(&scene, &proxy, &["-f", ignoring.path().to_str().unwrap()]).await?;
    told.says(1, &["would have its drift corrected", &format!("► Secret/{ns}/web changed\n")]);
    told.is_silent_about(&["Deployment"]);
    proxy.expect_no_write();

    // Another password: that it changes is said, not from what or to what, wherever the chart puts it.
    change("apps/v1", "Deployment", json!({"spec": {"replicas": 1}})).await?;
    secret("c0rrect-horse").await?;
    let told = diff(&scene, &proxy, &["web"]).await?;
    told.says(
        1,
        &[
            "release config values changed\n    values that differ: password\n",
            &format!(
                "► Secret/{ns}/web configured\n    data.password: \"*** (before)\" -> \"*** (after)\"\n"
            ),
            "spec.template.spec.containers[0].env[0].value: \"*** (before)\" -> \"*** (after)\"\n",
        ],
    );
    told.is_silent_about(&["hunter22", "c0rrect-horse", "bWluZQ"]);
    proxy.expect_no_write();

    // An error of a template that shows it.
    secret("f0rbidden").await?;
    let told = diff(&scene, &proxy, &["web"]).await?;
    assert_eq!(told.code, 2, "{}{}", told.out, told.err);
    assert!(told.err.starts_with("Error: ") && told.err.contains("not ***"), "{}", told.err);
    told.is_silent_about(&["f0rbidden"]);
    proxy.expect_no_write();

    // A release of others.
    secret("hunter22").await?;
    change("v1", "Secret", json!({"data": {"password": "aHVudGVyMjI="}})).await?;
    scene.rewrite("web", 1, |record| record["info"]["description"] = "mine".into()).await?;
    let told = diff(&scene, &proxy, &["web"]).await?;
    told.says(
        1,
        &[
            "would be upgraded",
            "release not managed by controller: release not observed to be made for object\n",
        ],
    );
    // One that was cut off.
    scene.rewrite("web", 1, |record| record["info"]["status"] = "pending-upgrade".into()).await?;
    let told = diff(&scene, &proxy, &["web"]).await?;
    told.says(
        1,
        &["would be unlocked: release locked: release with status 'pending-upgrade'\n", "would be upgraded"],
    );
    proxy.expect_no_write();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_told() -> Result<()> {
    let scene = Scene::new().await?;
    let (ns, proxy) = (scene.namespace.clone(), Proxy::start(&scene).await?);
    let told = diff(&scene, &proxy, &["nothing"]).await?;
    assert_eq!((told.code, told.err), (2, format!("Error: HelmRelease/{ns}/nothing not found\n")));
    let broken = file(&scene, "web", json!({"interval": "soon"}))?;
    let told = diff(&scene, &proxy, &["-f", broken.path().to_str().unwrap()]).await?;
    assert_eq!((told.code, told.err.lines().count()), (2, 1), "{}", told.err);
    assert!(told.err.contains("soon"), "{}", told.err);
    let text = "kind: HelmRelease\n  x: [";
    let torn = tempfile::NamedTempFile::new()?;
    std::fs::write(torn.path(), text)?;
    let told = diff(&scene, &proxy, &["-f", torn.path().to_str().unwrap()]).await?;
    assert_eq!((told.code, told.err.lines().count()), (2, 1), "{}", told.err);
    assert!(told.err.contains(torn.path().to_str().unwrap()), "{}", told.err);
    // A source without a chart.
    let waiting = file(&scene, "web", json!({}))?;
    let told = diff(&scene, &proxy, &["-f", waiting.path().to_str().unwrap()]).await?;
    assert_eq!(told.code, 2);
    assert!(told.err.contains("externalartifacts") && told.err.contains("--chart"), "{}", told.err);
    // An object that the API server refuses.
    let chart = folder(&[
        ("Chart.yaml", &format!("{META}1.0.0\n")),
        ("templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: [b]}\n"),
        ("templates/b.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n"),
    ])?;
    let arguments = ["-f", waiting.path().to_str().unwrap(), "--chart", chart.path().to_str().unwrap()];
    let told = diff(&scene, &proxy, &arguments).await?;
    told.says(2, &[&format!("► ConfigMap/{ns}/b created\n"), &format!("✗ ConfigMap/{ns}/a: ")]);
    assert_eq!(told.err, "Error: the API server refuses 1 object(s)\n");
    proxy.expect_no_write();
    Ok(())
}

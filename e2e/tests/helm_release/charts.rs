//! Charts for the tests, and the server that has them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;

type Files = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// A server of chart archives. It lives as long as the test process.
pub struct Server {
    pub url: String,
    files: Files,
}

impl Server {
    pub async fn start() -> Result<Self> {
        let files = Files::default();
        let router = Router::new()
            .route(
                "/{name}",
                axum::routing::get(|State(files): State<Files>, Path(name): Path<String>| async move {
                    let found = files.lock().unwrap().get(&name).cloned();
                    found.ok_or(StatusCode::NOT_FOUND)
                }),
            )
            .with_state(Arc::clone(&files));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        // A runtime of its own, which outlives that of a test.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let listener = listener.into_std().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, router).await.unwrap();
            });
        });
        Ok(Self { url, files })
    }

    /// Serves a file.
    pub fn put(&self, name: &str, content: &[u8]) {
        self.files.lock().unwrap().insert(name.to_owned(), content.to_vec());
    }

    /// Serves an archive, and gives its URL and digest.
    pub fn publish(&self, archive: &[u8]) -> (String, String) {
        let digest = artifact::Algorithm::Sha256.digest(archive);
        let name = format!("{}.tgz", digest.hex());
        self.files.lock().unwrap().insert(name.clone(), archive.to_vec());
        (format!("{}/{name}", self.url), digest.to_string())
    }
}

/// A chart's archive.
pub fn archive(name: &str, files: &[(&str, &str)]) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("{name}/{path}"), content.as_bytes())?;
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar.into_inner()?)?;
    Ok(gzip.finish()?)
}

/// A chart `web` with what a chart has: a ConfigMap, a Service, a hook and a test.
pub fn web(version: &str) -> Result<Vec<u8>> {
    let metadata =
        format!("apiVersion: v2\nname: web\nversion: {version}\nappVersion: '7'\ndescription: a <b> & c\n");
    archive(
        "web",
        &[("Chart.yaml", &metadata), ("values.yaml", "color: red\n"), CONFIG, SERVICE, HOOK, TEST, NOTES],
    )
}

pub const CONFIG: (&str, &str) = (
    "templates/config.yaml",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}'}\n\
     data: {color: '{{ .Values.color }}', revision: '{{ .Release.Revision }}', values: {{ .Values | toJson | quote }}}\n",
);
pub const SERVICE: (&str, &str) = (
    "templates/service.yaml",
    "apiVersion: v1\nkind: Service\nmetadata: {name: '{{ .Release.Name }}'}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n",
);
pub const HOOK: (&str, &str) = (
    "templates/hook.yaml",
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: '{{ .Release.Name }}-hook'\n  annotations: {helm.sh/hook: 'pre-install,pre-upgrade'}\n",
);
pub const NOTES: (&str, &str) = ("templates/NOTES.txt", "The color is {{ .Values.color }}.\n");
/// A Job, which the simulated nodes complete at once unless it is told to fail.
pub const TEST: (&str, &str) = (
    "templates/test.yaml",
    "{{- if .Values.test }}\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: '{{ .Release.Name }}-test'\n  annotations: {helm.sh/hook: test}\n{{- end }}\n",
);

/// A chart with a Deployment whose Pods never become ready when it is told so.
pub fn app(version: &str) -> Result<Vec<u8>> {
    let metadata = format!("apiVersion: v2\nname: app\nversion: {version}\n");
    archive(
        "app",
        &[
            ("Chart.yaml", &metadata),
            ("values.yaml", "replicas: 1\nstuck: false\n"),
            CONFIG,
            (
                "templates/deployment.yaml",
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: '{{ .Release.Name }}'}\n\
                 spec:\n  replicas: {{ .Values.replicas }}\n  selector: {matchLabels: {app: '{{ .Release.Name }}'}}\n  template:\n    metadata: {labels: {app: '{{ .Release.Name }}'}}\n    spec:\n      containers: [{name: app, image: app}]\n\
                 {{- if .Values.stuck }}\n      nodeSelector: {no: such-node}\n{{- end }}\n",
            ),
        ],
    )
}

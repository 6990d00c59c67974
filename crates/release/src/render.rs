//! Charts into manifests, with what the cluster knows.

use chart::{
    Chart, Files, Notes, ReleaseOptions, Rendering, Request, SchemaCheck, Separators, Table, Warnings,
    assemble, check_release_name, post_render,
};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::cluster::Cluster;
use crate::error::Error;
use crate::postrender::PostRender;

/// How charts are rendered.
#[derive(Debug, Clone)]
pub struct RenderOptions {
    /// Whether the values must fit the schemas. Default: they must.
    pub schemas: Schemas,
    /// What `getHostByName` does. Default: it gives an empty text.
    pub dns: Dns,
    /// What is done with the rendered documents.
    pub post: Option<PostRender>,
    /// Where files are cut into documents; the texts in records depend on it. Default: as the Helm in helm-controller.
    pub separators: Separators,
    /// What templates see served beyond what the cluster serves, as `group/version` and `group/version/Kind`: kinds whose
    /// definitions are still to come. Default: nothing.
    pub api_versions: Vec<String>,
}

impl Default for RenderOptions {
    fn default() -> RenderOptions {
        RenderOptions {
            schemas: Schemas::default(),
            dns: Dns::default(),
            post: None,
            separators: Separators::Loose,
            api_versions: Vec::new(),
        }
    }
}

/// Whether values are checked against the schemas of charts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Schemas {
    /// They are.
    #[default]
    Check,
    /// They are not.
    Ignore,
}

/// Whether templates may ask DNS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dns {
    /// They may not.
    #[default]
    Off,
    /// They may.
    On,
}

/// Stack, in bytes, of the thread that renders: templates may nest deeply. It is address space.
const STACK: usize = 512 << 20;

/// Renders a chart whose dependencies are processed.
pub(crate) async fn render(
    cluster: &Cluster,
    chart: &Chart,
    values: &Table,
    release: ReleaseOptions,
    options: &RenderOptions,
    warnings: &mut Warnings,
) -> Result<Rendering, Error> {
    let mut capabilities = cluster.capabilities(chart, values).await?;
    capabilities.api_versions.extend(options.api_versions.iter().cloned());
    let request = Request {
        release,
        capabilities,
        schemas: match options.schemas {
            Schemas::Check => SchemaCheck::Validate,
            Schemas::Ignore => SchemaCheck::Skip,
        },
    };
    let (cluster, runtime) = (cluster.clone(), tokio::runtime::Handle::current());
    let (chart, values, options) = (chart.clone(), values.clone(), options.clone());
    let (sender, answer) = oneshot::channel();
    let work = move || {
        let mut templates = sprig::Options::new(Timestamp::now().as_nanosecond(), rand::random());
        // Both block the thread that renders, and no other.
        templates.lookup = Some(cluster.lookup(runtime));
        templates.resolve = match options.dns {
            Dns::On => Some(Box::new(resolve)),
            Dns::Off => None,
        };
        let mut warnings = Warnings::new();
        let rendered = chart
            .render(&values, &request, templates, &mut warnings)
            .and_then(|files| finish(files, chart.name(), &options));
        // Nobody listens when the action was dropped.
        _ = sender.send((rendered, warnings));
    };
    std::thread::Builder::new()
        .name("render".to_owned())
        .stack_size(STACK)
        .spawn(work)
        .map_err(|error| Error::Build(format!("cannot start a thread to render in: {error}")))?;
    let (rendered, more) = answer
        .await
        .map_err(|_| Error::Build("rendering template failed: the renderer panicked".to_owned()))?;
    warnings.extend(more);
    Ok(rendered?)
}

fn finish(files: Files, chart: &str, options: &RenderOptions) -> Result<Rendering, chart::Error> {
    let separators = options.separators;
    let files = match &options.post {
        Some(post) => post_render(files, post.stream, separators, &mut |text| post.run(text))?,
        None => files,
    };
    assemble(files, chart, Notes::OwnOnly, separators)
}

fn resolve(host: &str) -> Result<String, String> {
    use std::net::ToSocketAddrs;
    match (host, 0u16).to_socket_addrs() {
        Ok(mut found) => Ok(found.next().map(|address| address.ip().to_string()).unwrap_or_default()),
        Err(_) => Ok(String::new()),
    }
}

/// Checks the name of a release.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    check_release_name(name)
        .map_err(|error| Error::Name(format!("release name {}: {error}", Value::from(name))))
}

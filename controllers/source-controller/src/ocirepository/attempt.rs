//! One attempt: resolve, pull, unpack, store.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Seek as _};
use std::time::Duration;

use api::condition::{Reason, Type};
use api::meta::Artifact;
use api::source::{OCIRepositorySpec, OciLayerOperation};
use artifact::{Kind, Limits, Location, Tree, Writer};
use kube::ResourceExt as _;
use net::CaUse;
use oci::{Keychain, Manifest, Reference, Registry, Transport};
use runtime::events::Severity;

use super::OciRepositories;
use super::request::{self, Wanted};
use crate::source::{Attempt, Failure, NamedSecret, Success, blocking, read_named};
use crate::storage::Storage;

/// An attempt in the making.
pub(super) struct Pull<'a, 'o> {
    pub repositories: &'a OciRepositories,
    pub attempt: &'a mut Attempt<'o, OciRepositories>,
}

impl Pull<'_, '_> {
    /// From the registry to the artifact.
    pub(super) async fn run(&mut self) -> Result<Success, Failure> {
        let spec = &self.attempt.object.spec;
        if self.attempt.status.conditions.is_false(Type::SourceVerified) {
            self.attempt.conditions().delete(Type::SourceVerified);
        }
        let registry = self.registry().await?;
        let reference = within(spec.timeout(), self.resolve(&registry))
            .await
            .unwrap_or_else(|| Err(tag_failed(spec, &LATE)))?;
        let digest = match within(spec.timeout(), registry.resolve(&reference)).await {
            Some(resolved) => resolved.map_err(|error| digest_failed(&error))?,
            None => return Err(digest_failed(&LATE)),
        };
        let revision = request::revision(&reference, &digest);
        self.attempt.conditions().delete(Type::ArtifactOutdated);
        let is_same = self.attempt.has_revision(&revision);
        if !is_same {
            let name = match &reference {
                Reference::Tag(tag) => format!("{}:{tag}", registry.repository()),
                Reference::Digest(digest) => format!("{}@{digest}", registry.repository()),
            };
            self.attempt.outdated(Reason::NewRevision, &format!("new revision '{revision}' for '{name}'"));
        }
        self.check_verification()?;
        if is_same && request::same_content_config(spec, &self.attempt.status) {
            self.attempt.conditions().delete(Type::FetchFailed);
        } else {
            self.pull(&registry, &digest, &revision).await?;
        }
        self.attempt.stored(Reason::Succeeded, format!("stored artifact for digest '{revision}'"));
        Ok(Success::new(self.message(&revision)))
    }

    /// The registry, with the credentials, certificates and proxy of the spec.
    async fn registry(&mut self) -> Result<Registry, Failure> {
        let spec = &self.attempt.object.spec;
        let keychain = self.keychain().await?;
        let authentication = |message: String| Failure::fetch(Reason::AuthenticationFailed, message);
        let proxy = match &spec.proxy_secret_ref {
            None => None,
            Some(proxy) => {
                let failed = |error: String| authentication(format!("failed to get proxy address: {error}"));
                let secret = self.secret(&proxy.name).await.map_err(failed)?;
                let proxy = net::Proxy::from_secret(&secret.name, &secret.data);
                Some(proxy.map_err(|error| failed(error.to_string()))?)
            }
        };
        request::check_provider(spec, !keychain.is_empty(), self.repositories.object_identity)?;
        let transport_failed = |error: String| {
            authentication(format!("failed to generate transport for '{}': {error}", spec.url))
        };
        let tls = match &spec.cert_secret_ref {
            None if spec.insecure => net::Tls { ca_use: CaUse::Ignore, ..Default::default() },
            None => net::Tls::default(),
            Some(certificates) => {
                let secret = self.secret(&certificates.name).await.map_err(transport_failed)?;
                net::Tls::from_secret(&secret.name, &secret.data)
                    .map_err(|error| transport_failed(error.to_string()))?
            }
        };
        let repository = request::repository(spec)?;
        let settings = net::Settings { tls, proxy, ..Default::default() };
        let transport = if spec.insecure { Transport::Plain } else { Transport::Tls };
        let limits = oci::Limits { answer: spec.timeout(), ..Default::default() };
        Registry::new(&self.repositories.clients, &settings, repository, &keychain, transport, limits)
            .map_err(|error| transport_failed(error.to_string()))
    }

    /// The credentials of the spec: its own Secret's, and those of its ServiceAccount.
    async fn keychain(&mut self) -> Result<Keychain, Failure> {
        let spec = &self.attempt.object.spec;
        let namespace = self.attempt.object.namespace().unwrap_or_default();
        let mut names = Vec::new();
        if let Some(secret) = &spec.secret_ref {
            names.push(secret.name.clone());
        }
        let failed = |error: String| {
            Failure::fetch(Reason::AuthenticationFailed, format!("failed to get credential: {error}"))
        };
        if let Some(account) = &spec.service_account_name {
            let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}");
            let found: Option<ServiceAccount> =
                runtime::client::get(&self.repositories.client, &path).await.map_err(|error| {
                    failed(format!("failed to get serviceaccount '{namespace}/{account}': {error}"))
                })?;
            let found =
                found.ok_or_else(|| failed(format!("serviceaccount '{namespace}/{account}' not found")))?;
            names.extend(found.image_pull_secrets.into_iter().map(|secret| secret.name));
        }
        let mut keychain = Keychain::default();
        for name in names {
            let secret = match self.secret(&name).await {
                Ok(secret) => secret,
                Err(error) => {
                    let message = format!("auth secret '{name}' not found");
                    self.attempt.notice(Severity::Trace, Reason::AuthenticationFailed, message);
                    return Err(failed(error));
                }
            };
            let config = [".dockerconfigjson", ".dockercfg"].iter().find_map(|key| secret.data.get(*key));
            let config = config.ok_or_else(|| {
                failed(format!("secret '{namespace}/{name}': key '.dockerconfigjson' not found"))
            })?;
            keychain
                .add_docker_config(config)
                .map_err(|error| failed(format!("secret '{namespace}/{name}': {error}")))?;
        }
        Ok(keychain)
    }

    async fn secret(&self, name: &str) -> Result<NamedSecret, String> {
        let namespace = self.attempt.object.namespace().unwrap_or_default();
        read_named(&self.repositories.client, &namespace, name)
            .await
            .map_err(|error| format!("failed to get secret '{namespace}/{name}': {error}"))
    }

    /// The tag or digest that is wanted.
    async fn resolve(&self, registry: &Registry) -> Result<Reference, Failure> {
        let spec = &self.attempt.object.spec;
        match request::wanted(spec).map_err(|error| tag_failed(spec, &error))? {
            Wanted::One(reference) => Ok(reference),
            Wanted::Highest(range) => {
                let tags = registry.tags().await.map_err(|error| tag_failed(spec, &error))?;
                range.choose(&tags).map_err(|error| tag_failed(spec, &error))
            }
        }
    }

    /// Nothing is published that should have been verified and was not.
    fn check_verification(&mut self) -> Result<(), Failure> {
        if self.attempt.object.spec.verify.is_none() {
            self.attempt.conditions().delete(Type::SourceVerified);
            return Ok(());
        }
        Err(Failure::unverified())
    }

    async fn pull(&mut self, registry: &Registry, digest: &str, revision: &str) -> Result<(), Failure> {
        let spec = &self.attempt.object.spec;
        let pull_failed = |error: &dyn Display| {
            let message = format!("failed to pull artifact from '{}': {error}", spec.url);
            Failure::fetch(Reason::OciArtifactPullFailed, message)
        };
        let layer_failed = |message: String| Failure::fetch(Reason::OciArtifactLayerOperationFailed, message);
        let work = async {
            let manifest = registry.manifest(digest).await.map_err(|error| pull_failed(&error))?;
            let layer = request::layer(spec, &manifest).map_err(layer_failed)?;
            let mut bytes = tempfile::tempfile().map_err(|error| pull_failed(&error))?;
            registry.layer(layer, &mut bytes).await.map_err(|error| {
                layer_failed(format!("failed to get layer contents from artifact: {error}"))
            })?;
            Ok::<_, Failure>((manifest, bytes))
        };
        let (manifest, bytes) =
            within(spec.timeout(), work).await.unwrap_or_else(|| Err(pull_failed(&LATE)))?;
        let storing = Storing {
            storage: self.attempt.storage.clone(),
            location: self.attempt.location.clone(),
            file: format!("{digest}.tar.gz"),
            revision: revision.to_owned(),
            ignore: spec.ignore.clone(),
            now: self.attempt.stamp.now,
        };
        let operation = request::operation(spec);
        let stored = blocking(move || match operation {
            OciLayerOperation::Copy => storing.copy(bytes),
            OciLayerOperation::Extract => storing.extract(bytes),
        })
        .await??;
        self.attempt.conditions().delete(Type::FetchFailed);
        self.attempt.conditions().delete(Type::StorageOperationFailed);
        self.attempt.publish(with_metadata(stored, manifest), revision);
        self.attempt.status.observed_ignore = spec.ignore.clone();
        self.attempt.status.observed_layer_selector = spec.layer_selector.clone();
        Ok(())
    }

    /// What the event says: where the content was built from too, if the artifact tells.
    fn message(&self, revision: &str) -> String {
        let mut message =
            format!("stored artifact with revision '{revision}' from '{}'", self.attempt.object.spec.url);
        let origin = |key: &str| {
            let metadata = &self.attempt.artifact()?.metadata;
            metadata.get(&format!("org.opencontainers.image.{key}")).cloned()
        };
        if let (Some(source), Some(revision)) = (origin("source"), origin("revision")) {
            message.push_str(&format!(", origin source '{source}', origin revision '{revision}'"));
        }
        message
    }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServiceAccount {
    #[serde(default)]
    image_pull_secrets: Vec<api::meta::LocalObjectReference>,
}

/// Why a step that took longer than the timeout of the spec failed.
const LATE: &str = "the registry does not answer in time";

async fn within<T>(timeout: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(timeout, work).await.ok()
}

fn tag_failed(spec: &OCIRepositorySpec, why: &dyn Display) -> Failure {
    let message = format!("failed to determine the artifact tag for '{}': {why}", spec.url);
    Failure::fetch(Reason::ReadOperationFailed, message)
}

fn digest_failed(why: &dyn Display) -> Failure {
    Failure::fetch(Reason::OciArtifactPullFailed, format!("failed to determine artifact digest: {why}"))
}

fn with_metadata(stored: Artifact, manifest: Manifest) -> Artifact {
    Artifact { metadata: manifest.annotations.unwrap_or_default(), ..stored }
}

/// What the making of an artifact needs, on a thread of its own.
struct Storing {
    storage: Storage,
    location: Location,
    file: String,
    revision: String,
    ignore: Option<String>,
    now: api::meta::Timestamp,
}

impl Storing {
    /// The layer as it is.
    fn copy(self, mut layer: File) -> Result<Artifact, Failure> {
        let copy = |sink: &mut dyn io::Write| {
            let copied = layer.rewind().and_then(|()| io::copy(&mut layer, sink));
            copied.map(drop).map_err(artifact::Error::Malformed)
        };
        self.storage
            .file(&self.location, &self.file, &self.revision, self.now, copy)
            .map_err(|error| Failure::writing("unable to copy artifact to storage", &error))
    }

    /// The files of the layer, without those that are ignored.
    fn extract(self, mut layer: File) -> Result<Artifact, Failure> {
        let extract_failed = |error: &dyn Display| {
            let message = format!("failed to extract layer contents from artifact: {error}");
            Failure::fetch(Reason::OciArtifactLayerOperationFailed, message)
        };
        layer.rewind().map_err(|error| extract_failed(&error))?;
        let tree = Tree::read(layer, Limits::default()).map_err(|error| extract_failed(&error))?;
        let paths = tree.walk("").map_err(|error| extract_failed(&error))?;
        let rules = ignore_files(&tree, &paths)
            .map_err(|error| Failure::storage(Reason::SourceIgnoreError, error.to_string()))?;
        let rules = sourceignore::Rules::new(&rules, self.ignore.as_deref());
        let fill = |writer: &mut Writer<&mut dyn io::Write>| write(writer, &tree, &paths, &rules);
        self.storage
            .archive(&self.location, &self.file, &self.revision, self.now, fill)
            .map_err(|error| Failure::writing("unable to archive artifact to storage", &error))
    }
}

fn ignore_files(tree: &Tree, paths: &[(String, Kind)]) -> Result<Vec<(String, Vec<u8>)>, artifact::Error> {
    let files = paths.iter().filter(|(_, kind)| *kind == Kind::File);
    files
        .filter_map(|(path, _)| Some((sourceignore::directory_of(path)?, path)))
        .map(|(directory, path)| Ok((directory.to_owned(), tree.contents(path)?)))
        .collect()
}

fn write<W: io::Write>(
    writer: &mut Writer<W>,
    tree: &Tree,
    paths: &[(String, Kind)],
    rules: &sourceignore::Rules,
) -> Result<(), artifact::Error> {
    for (path, kind) in paths {
        match kind {
            Kind::Directory if !rules.ignores(path, true) => writer.directory(path)?,
            Kind::File if !rules.ignores(path, false) => {
                let mode = tree.mode(path).unwrap_or(artifact::FileMode::Regular);
                writer.file(path, mode, &tree.contents(path)?)?;
            }
            Kind::Directory | Kind::File => {}
        }
    }
    Ok(())
}

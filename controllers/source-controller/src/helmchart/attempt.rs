//! One attempt: find the source, find the chart in it, make it what the spec wants, store it.

use std::collections::HashMap;
use std::sync::Arc;

use api::condition::{Reason, Type};
use api::meta::{Artifact, Revision};
use api::source::{HelmRepository, ReconcileStrategy};
use chart::{Chart, Metadata, Time};
use kube::ResourceExt as _;
use runtime::Key;
use runtime::events::Severity;

use super::build::{Build, Problem, Step, check_name, clean, values_files, with_metadata};
use super::dependencies::{Fetching, missing};
use super::folder::{Files, Place, chart_path};
use super::repository::{Found, Repository};
use super::source::Source;
use super::{HelmCharts, Ingredients, values};
use crate::helmrepository::{Access, RegistryAccess};
use crate::source::{Attempt, Failure, Success, blocking};

/// A chart in the making.
pub(super) struct Making<'a, 'o> {
    pub charts: &'a HelmCharts,
    pub attempt: &'a mut Attempt<'o, HelmCharts>,
}

impl Making<'_, '_> {
    /// From the source to the artifact.
    pub(super) async fn run(&mut self) -> Result<Success, Failure> {
        let key = Key::of(self.attempt.object);
        if self.attempt.status.conditions.is_false(Type::SourceVerified) {
            self.attempt.conditions().delete(Type::SourceVerified);
        }
        let source = self.source().await?;
        if let Some(artifact) = source.artifact() {
            self.attempt.status.observed_source_artifact_revision = Some(artifact.revision.clone());
        }
        if let Some(same) = self.ingredients(&source).filter(|same| self.charts.settled.is(&key, same)) {
            tracing::debug!(source = same.source, "nothing of what makes the chart changed");
            return Ok(self.unchanged());
        }
        self.charts.settled.forget(&key);
        let made = match &source {
            Source::Index(object, index) => self.index_chart(object, index).await,
            Source::Registry(object) => self.registry_chart(object).await,
            Source::Files(artifact) => self.packed_chart(artifact).await,
        };
        let build = made.map_err(|problem| {
            let stamp = self.attempt.stamp;
            match problem {
                Problem::Around(failure) if failure.condition == Some(Type::SourceVerified) => failure,
                problem => problem.record(self.attempt.conditions(), stamp),
            }
        })?;
        let success = self.finish(build).await?;
        if let Some(ingredients) = self.ingredients(&source) {
            self.charts.settled.set(&key, ingredients);
        }
        Ok(success)
    }

    /// What decides over the chart; `None` when more than that does, because it is in a registry.
    fn ingredients(&self, source: &Source) -> Option<Ingredients> {
        Some(Ingredients {
            generation: self.attempt.stamp.generation,
            source: source.artifact()?.digest.clone(),
            artifact: self.attempt.artifact()?.digest.clone(),
        })
    }

    /// The chart is as the last attempt left it.
    fn unchanged(&mut self) -> Success {
        let message = self.attempt.status.conditions.message(Type::ArtifactInStorage).to_owned();
        Success { message, stored: Reason::ChartPullSucceeded, recovered: Reason::ChartPullSucceeded }
    }

    async fn index_chart(&mut self, object: &HelmRepository, index: &Artifact) -> Result<Build, Problem> {
        let access = Access::read(&self.charts.client, object).await?;
        let index = self.attempt.storage.open(index).ok_or_else(|| {
            Step::Pull
                .failed("failed to get chart version for remote reference: the index is gone from storage")
        })?;
        let repository = Repository::Http(access, index);
        let found = self.find(&repository).await?;
        if self.attempt.object.spec.verify.is_some() {
            return Err(Step::Verification.failed("not implemented"));
        }
        self.remote_chart(&repository, found).await
    }

    async fn registry_chart(&mut self, object: &HelmRepository) -> Result<Build, Problem> {
        let access = RegistryAccess::read(&self.charts.client, object).await?;
        let repository = Repository::Registry(access);
        let found = self.find(&repository).await?;
        if self.attempt.object.spec.verify.is_some() {
            return Err(Failure::unverified().into());
        }
        self.remote_chart(&repository, found).await
    }

    async fn find(&self, repository: &Repository) -> Result<Found, Problem> {
        let spec = &self.attempt.object.spec;
        check_name(&spec.chart)?;
        let found = repository.find(&self.charts.clients, &spec.chart, spec.version()).await;
        Ok(found.map_err(|error| error.context("failed to get chart version for remote reference"))?)
    }

    async fn remote_chart(&mut self, repository: &Repository, found: Found) -> Result<Build, Problem> {
        let object = self.attempt.object;
        let files = values_files(&object.spec).to_vec();
        let version = if files.is_empty() {
            found.version.clone()
        } else {
            with_metadata(&found.version, &self.attempt.stamp.generation.to_string())?
        };
        if let Some(build) = self.stored(&found.name, &version, !files.is_empty()) {
            return Ok(build);
        }
        let limits = self.charts.limits;
        let downloaded = repository.download(&self.charts.clients, &found, limits.chart).await;
        let bytes =
            downloaded.map_err(|error| error.context("failed to download chart for remote reference"))?;
        let ignore_missing = object.spec.ignore_missing_values_files;
        blocking(move || {
            let limits = limits.archive();
            if files.is_empty() {
                check(&bytes, &limits).map_err(|why| Step::Pull.failed(why))?;
                return Ok(Build::pulled(found.name, version, bytes));
            }
            let mut chart = Chart::from_archive(&bytes, &limits)
                .map_err(|error| Step::Package.failed(format!("failed to load downloaded chart: {error}")))?;
            let find = |file: &str| in_chart(&chart, file).map_err(merging);
            let missing = |file: &str| merging(format!("no values file found at path '{file}'"));
            let (merged, merged_files) = values::merge(&files, ignore_missing, find, missing)?;
            chart.metadata.version.clone_from(&version);
            chart.set_default_values(merged).map_err(|error| Step::Values.failed(error))?;
            pack(&chart, found.name, version, merged_files, 0)
        })
        .await?
    }

    async fn packed_chart(&mut self, source: &Artifact) -> Result<Build, Problem> {
        let object = self.attempt.object;
        let path = chart_path(&object.spec.chart)?;
        let (storage, limits) = (self.attempt.storage.clone(), self.charts.limits);
        let (files, metadata, place) = {
            let (source, path) = (source.clone(), path.clone());
            blocking(move || {
                let files = Files::unpack(&storage, &source, limits)?;
                let (metadata, place) = files.metadata(&path).map_err(|why| Step::Reference.failed(why))?;
                Ok::<_, Problem>((Arc::new(files), metadata, place))
            })
            .await??
        };
        let suffix = self.metadata_of(source);
        let version = match &suffix {
            None => metadata.version.clone(),
            Some(suffix) => with_metadata(&metadata.version, suffix)?,
        };
        let is_folder = matches!(place, Place::Folder);
        let is_packed = is_folder || suffix.is_some();
        if let Some(build) = self.stored(&metadata.name, &version, is_packed) {
            return Ok(build);
        }
        let archive = match place {
            Place::Archive(bytes) if !is_packed => {
                return Ok(Build::pulled(metadata.name, version, bytes));
            }
            _ => Arc::clone(&files),
        };
        let (wanted_files, ignore_missing) =
            (values_files(&object.spec).to_vec(), object.spec.ignore_missing_values_files);
        let (mut chart, merged) = {
            let (path, version) = (path.clone(), version.clone());
            blocking(move || {
                let find = |file: &str| archive.values(file);
                let missing = |file: &str| {
                    let path = super::folder::rooted(file);
                    format!("no values file found at path '{path}' (reference '{file}')")
                };
                let merged = (!wanted_files.is_empty())
                    .then(|| values::merge(&wanted_files, ignore_missing, find, missing));
                let merged = merged.transpose()?;
                let mut chart = archive.load(&path).map_err(|why| Step::Package.failed(why))?;
                chart.metadata.version = version;
                let mut found = Vec::new();
                if let Some((values, merged)) = merged {
                    chart.set_default_values(values).map_err(|error| Step::Values.failed(error))?;
                    found = merged;
                }
                Ok::<_, Problem>((chart, found))
            })
            .await??
        };
        let wanted = if is_folder { missing(&chart) } else { Vec::new() };
        if !wanted.is_empty() {
            let namespace = object.namespace().unwrap_or_default();
            let mut fetching = Fetching {
                charts: self.charts,
                storage: self.attempt.storage,
                namespace: &namespace,
                files,
                path: &path,
                repositories: HashMap::new(),
            };
            let fetched = fetching.fetch(&wanted).await.map_err(|why| Step::Dependencies.failed(why))?;
            chart.dependencies.extend(fetched);
        }
        blocking(move || pack(&chart, metadata.name, version, merged, wanted.len())).await?
    }

    /// The metadata that a version gets so that consumers see a change: of the source, of the values files.
    fn metadata_of(&self, source: &Artifact) -> Option<String> {
        let spec = &self.attempt.object.spec;
        let mut parts = Vec::new();
        if spec.reconcile_strategy() == ReconcileStrategy::Revision {
            let revision = Revision::parse(&source.revision);
            let hex = revision.hex().unwrap_or(&source.revision);
            parts.push(hex.chars().take(12).collect());
        }
        if !values_files(spec).is_empty() {
            parts.push(self.attempt.stamp.generation.to_string());
        }
        (!parts.is_empty()).then(|| parts.join("."))
    }

    /// The artifact in storage, when it is this chart in this version and was made for this spec.
    fn stored(&self, name: &str, version: &str, packaged: bool) -> Option<Build> {
        let (object, status) = (self.attempt.object, &self.attempt.status);
        let is_same = status.observed_generation == self.attempt.stamp.generation
            && status.observed_chart_name.as_deref() == Some(name)
            && self.attempt.has_revision(version);
        let files = if object.spec.ignore_missing_values_files {
            status.observed_values_files.clone()
        } else {
            values_files(&object.spec).to_vec()
        };
        is_same.then(|| Build {
            name: name.to_owned(),
            version: version.to_owned(),
            values_files: files,
            packaged,
            dependencies: 0,
            archive: None,
        })
    }

    /// From the chart to the artifact.
    async fn finish(&mut self, build: Build) -> Result<Success, Failure> {
        let summary = build.summary();
        let is_same = self.attempt.status.observed_chart_name.as_deref() == Some(&*build.name)
            && self.attempt.has_revision(&build.version);
        if !is_same {
            self.attempt.outdated(Reason::NewChart, &summary);
        }
        for settled in [Type::FetchFailed, Type::BuildFailed, Type::SourceVerified] {
            self.attempt.conditions().delete(settled);
        }
        if build.dependencies > 0 {
            let message = format!("resolved {} chart dependencies", build.dependencies);
            self.attempt.notice(Severity::Trace, Reason::ResolvedDependencies, message);
        }
        let (reason, name) = (build.reason(), build.name);
        if let Some(archive) = build.archive {
            let (storage, location) = (self.attempt.storage.clone(), self.attempt.location.clone());
            // A name in a registry may have several parts; a file has none.
            let last = name.rsplit('/').next().unwrap_or_default();
            let (file, revision) = (format!("{last}-{}.tgz", build.version), build.version.clone());
            let now = self.attempt.stamp.now;
            let written = blocking(move || {
                storage.file(&location, &file, &revision, now, |sink: &mut dyn std::io::Write| {
                    sink.write_all(&archive).map_err(artifact::Error::Malformed)
                })
            });
            let artifact = written.await?.map_err(|error| writing(&error))?;
            self.attempt.publish(artifact, &build.version);
            self.attempt.status.observed_chart_name = Some(name);
            self.attempt.status.observed_values_files =
                if self.attempt.object.spec.ignore_missing_values_files {
                    build.values_files
                } else {
                    Vec::new()
                };
        }
        self.attempt.stored(reason, summary.clone());
        Ok(Success { message: summary, stored: reason, recovered: reason })
    }
}

impl Build {
    /// A chart as its source has it.
    fn pulled(name: String, version: String, archive: Vec<u8>) -> Self {
        Self {
            name,
            version,
            values_files: Vec::new(),
            packaged: false,
            dependencies: 0,
            archive: Some(archive),
        }
    }
}

/// Packs a chart. Files without a time get the oldest: the same files make the same archive, whenever it is made.
fn pack(
    chart: &Chart,
    name: String,
    version: String,
    values_files: Vec<String>,
    dependencies: usize,
) -> Result<Build, Problem> {
    let package = chart
        .package(Time::unix(0, 0))
        .map_err(|error| Step::Package.failed(format!("failed to package chart: {error}")))?;
    Ok(Build { name, version, values_files, packaged: true, dependencies, archive: Some(package.bytes) })
}

/// Whether an archive is that of a chart.
fn check(bytes: &[u8], limits: &chart::ArchiveLimits) -> Result<(), String> {
    let mut metadata = Metadata::from_archive(bytes, limits)
        .map_err(|error| format!("failed to load chart metadata from written chart: {error}"))?;
    metadata.validate().map_err(|error| format!("failed to validate metadata of written chart: {error}"))
}

/// The values in a file of a chart; `values.yaml` means the chart's own.
fn in_chart(chart: &Chart, file: &str) -> Result<Option<chart::Table>, String> {
    let path = clean(file);
    if path == "values.yaml" {
        return Ok(Some(chart.values.table()));
    }
    let found = chart.files.iter().find(|other| other.name == path);
    found.map(|found| values::read(file, &found.data)).transpose()
}

fn merging(why: String) -> String {
    format!("failed to merge chart values: {why}")
}

fn writing(error: &artifact::Error) -> Failure {
    match error {
        artifact::Error::Lock(_) => Failure::storage(Reason::AcquireLockFailed, error.to_string()),
        error => Failure::storage(
            Reason::ArchiveOperationFailed,
            format!("unable to copy Helm chart to storage: {error}"),
        ),
    }
}

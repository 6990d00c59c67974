//! Sub-charts that a chart in a folder asks for and does not have: from beside it, or from repositories.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use api::source::{HelmRepository, HelmRepositorySpec, HelmRepositoryType};
use chart::{Chart, Dependency};
use kube::ResourceExt as _;
use semver::{Constraint, Version};
use url::Url;

use super::HelmCharts;
use super::build::clean;
use super::folder::{Files, rooted};
use super::repository::Repository;
use crate::helmrepository::{Access, RegistryAccess, index};
use crate::source::{Failure, blocking};
use crate::storage::{Condition, Storage};

/// What a chart asks for and does not have, in the order of its asking. A lock file counts for more than the chart.
pub(super) fn missing(chart: &Chart) -> Vec<Dependency> {
    let wanted = match &chart.lock {
        Some(lock) => lock.dependencies.as_deref().unwrap_or_default(),
        None => &chart.metadata.dependencies,
    };
    // As many as are wanted are taken for those that are wanted; so it is in Flux.
    if chart.dependencies.len() == wanted.len() {
        return Vec::new();
    }
    let is_there = |wanted: &&Dependency| chart.dependencies.iter().any(|sub| sub.name() == called(wanted));
    wanted.iter().flatten().filter(|wanted| !is_there(wanted)).cloned().collect()
}

/// Its alias, or its name.
pub(super) fn called(dependency: &Dependency) -> &str {
    if dependency.alias.is_empty() { &dependency.name } else { &dependency.alias }
}

fn is_local(dependency: &Dependency) -> bool {
    dependency.repository.is_empty() || dependency.repository.starts_with("file://")
}

/// Fetches sub-charts.
pub(super) struct Fetching<'a> {
    pub charts: &'a HelmCharts,
    pub storage: &'a Storage,
    pub namespace: &'a str,
    /// The files of the source.
    pub files: Arc<Files>,
    /// Where the chart lies in them.
    pub path: &'a str,
    /// The repositories that were used, by their addresses.
    pub repositories: HashMap<String, Repository>,
}

impl Fetching<'_> {
    /// Fetches what is missing, in the order that Helm packs it in: that of the names of the archives.
    pub(super) async fn fetch(&mut self, missing: &[Dependency]) -> Result<Vec<Chart>, String> {
        let mut fetched = Vec::new();
        for wanted in missing {
            let name = called(wanted);
            let mut found = if is_local(wanted) {
                let (files, path, wanted) = (Arc::clone(&self.files), self.path.to_owned(), wanted.clone());
                blocking(move || local(&files, &path, &wanted))
                    .await
                    .map_err(|failure| failure.message)?
                    .map_err(|why| format!("failed to add local dependency '{name}': {why}"))?
            } else {
                self.remote(wanted)
                    .await
                    .map_err(|why| format!("failed to add remote dependency '{name}': {why}"))?
            };
            let archive = format!("{}-{}.tgz", found.name(), found.metadata.version);
            if !wanted.alias.is_empty() {
                wanted.alias.clone_into(&mut found.metadata.name);
            }
            fetched.push((archive, found));
        }
        fetched.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(fetched.into_iter().map(|(_, chart)| chart).collect())
    }

    async fn remote(&mut self, wanted: &Dependency) -> Result<Chart, String> {
        let url = normal_url(&wanted.repository)?;
        let (charts, limits) = (self.charts, self.charts.limits);
        let repository = match self.repositories.entry(url.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let opened = open(charts, self.storage, self.namespace, &url).await;
                unknown.insert(opened.map_err(|closed| match closed {
                    Closed::Repository(why) => {
                        format!("failed to get chart repository for URL '{url}': {why}")
                    }
                    Closed::Index(why) => not_found(wanted, &why),
                })?)
            }
        };
        let found = repository.find(&charts.clients, &wanted.name, &wanted.version).await;
        let found = found.map_err(|error| not_found(wanted, &error.why))?;
        let version = found.version.clone();
        let bytes = repository
            .download(&charts.clients, &found, limits.chart)
            .await
            .map_err(|error| format!("chart download of version '{version}' failed: {}", error.why))?;
        blocking(move || Chart::from_archive(&bytes, &limits.archive()))
            .await
            .map_err(|failure| failure.message)?
            .map_err(|error| format!("failed to load downloaded archive of version '{version}': {error}"))
    }
}

fn not_found(wanted: &Dependency, why: &str) -> String {
    let Dependency { name, version, repository, .. } = wanted;
    format!("failed to get chart '{name}' version '{version}' from '{repository}': {why}")
}

/// A chart beside the one that asks for it, or in its `charts`.
fn local(files: &Files, chart: &str, wanted: &Dependency) -> Result<Chart, String> {
    let reference = &wanted.repository;
    let below = match reference.strip_prefix("file://") {
        None => format!("charts/{}", wanted.name),
        Some(path) => path.split(['?', '#']).next().unwrap_or_default().to_owned(),
    };
    let path = rooted(&clean(&format!("{chart}/{below}")));
    if !files.exists(&path) {
        return Err(format!("no chart found at '{path}' (reference '{reference}')"));
    }
    let range = Constraint::parse(&wanted.version)
        .map_err(|error| format!("invalid version/constraint format '{}': {error}", wanted.version))?;
    let found = files
        .load(&path)
        .map_err(|why| format!("failed to load chart from '{path}' (reference '{reference}'): {why}"))?;
    let version = Version::parse(&found.metadata.version).map_err(|error| error.to_string())?;
    if !range.check(&version) {
        return Err(format!("can't get a valid version for constraint '{}'", wanted.version));
    }
    Ok(found)
}

/// Why a repository cannot be used.
enum Closed {
    /// Its address, credentials or certificates.
    Repository(String),
    /// Its index.
    Index(String),
}

impl From<Failure> for Closed {
    fn from(failure: Failure) -> Self {
        Self::Repository(failure.message)
    }
}

/// Opens the repository at an address as the HelmRepository of that address says; without one, anonymously.
async fn open(
    charts: &HelmCharts,
    storage: &Storage,
    namespace: &str,
    url: &str,
) -> Result<Repository, Closed> {
    let kind = if url.starts_with("oci://") { HelmRepositoryType::Oci } else { HelmRepositoryType::Default };
    let mut objects = charts.repositories.all();
    objects.retain(|object| {
        object.namespace().as_deref() == Some(namespace)
            && object.spec.kind() == kind
            && normal_url(&object.spec.url).is_ok_and(|found| found == url)
    });
    objects.sort_by_key(|object| object.name_any());
    let object = objects.into_iter().next().unwrap_or_else(|| {
        let spec = HelmRepositorySpec { url: url.to_owned(), kind: Some(kind), ..Default::default() };
        let mut object = HelmRepository::new("", spec);
        object.metadata.namespace = Some(namespace.to_owned());
        Arc::new(object)
    });
    if kind == HelmRepositoryType::Oci {
        return Ok(Repository::Registry(RegistryAccess::read(&charts.client, &object).await?));
    }
    let access = Access::read(&charts.client, &object).await?;
    let artifact = object.status.as_ref().and_then(|status| status.artifact.clone());
    if let Some(artifact) = artifact {
        let storage = storage.clone();
        let stored = blocking(move || match storage.inspect(&artifact) {
            Ok(Condition::Intact) => storage.open(&artifact),
            _ => None,
        });
        if let Some(index) = stored.await? {
            return Ok(Repository::Http(access, index));
        }
    }
    let raw = index::download(&access, &charts.clients, charts.limits.index)
        .await
        .map_err(|why| Closed::Index(format!("failed to cache index: {why}")))?;
    let index = blocking(move || {
        let mut normal = tempfile::tempfile()?;
        index::normalise(&raw, &mut normal)?;
        Ok::<_, chart::IndexError>(normal)
    });
    let index = index.await?.map_err(|error| Closed::Index(format!("failed to load index: {error}")))?;
    Ok(Repository::Http(access, index))
}

/// The address of a repository in the one form that addresses are compared in.
///
/// # Errors
/// What is no address of a repository: an alias, for example.
fn normal_url(text: &str) -> Result<String, String> {
    if text.starts_with('@') {
        let alias = text.trim_end_matches('/');
        return Err(format!("aliased repository dependency is not supported: {alias}/"));
    }
    let invalid = || format!("invalid dependency repository URL: {text}");
    let mut url = Url::parse(text).map_err(|_| invalid())?;
    let path = url.path().trim_end_matches('/').to_owned();
    match url.scheme() {
        "oci" => url.set_path(&path),
        "http" | "https" => url.set_path(&format!("{path}/")),
        _ => return Err(invalid()),
    }
    Ok(url.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dependency(name: &str, alias: &str) -> Dependency {
        Dependency { name: name.to_owned(), alias: alias.to_owned(), ..Default::default() }
    }

    fn named(name: &str) -> Chart {
        let mut chart = Chart::default();
        name.clone_into(&mut chart.metadata.name);
        chart
    }

    #[test]
    fn what_is_missing_is_counted_then_compared_by_name_or_alias() {
        let names =
            |chart: &Chart| missing(chart).iter().map(|wanted| called(wanted).to_owned()).collect::<Vec<_>>();
        let mut chart = named("app");
        chart.metadata.dependencies = vec![Some(dependency("a", "")), Some(dependency("b", "bee"))];
        assert_eq!(names(&chart), ["a", "bee"]);
        chart.dependencies = vec![named("a")];
        assert_eq!(names(&chart), ["bee"]);
        chart.dependencies = vec![named("x"), named("y")];
        assert!(names(&chart).is_empty());
        chart.lock = serde_json::from_str(r#"{"dependencies":[{"name":"c","repository":""}]}"#).ok();
        assert_eq!(names(&chart), ["c"]);
    }

    #[test]
    fn addresses_have_one_form() {
        for (text, expected) in [
            ("https://h/charts", Ok("https://h/charts/")),
            ("https://h/charts//", Ok("https://h/charts/")),
            ("http://h", Ok("http://h/")),
            ("oci://h/charts/", Ok("oci://h/charts")),
            ("oci://h", Ok("oci://h")),
            ("@stable", Err("aliased repository dependency is not supported: @stable/")),
            ("ftp://h", Err("invalid dependency repository URL: ftp://h")),
            ("stable", Err("invalid dependency repository URL: stable")),
        ] {
            assert_eq!(normal_url(text).as_deref().map_err(|why| &**why), expected);
        }
    }
}

//! A repository that charts are fetched from, over HTTP or from a registry.

use std::fs::File;
use std::io::{BufReader, Seek as _};

use chart::IndexError;
use oci::Registry;
use semver::{Constraint, Version};
use url::Url;

use super::build::{Problem, Step};
use crate::helmrepository::{Access, FetchError, RegistryAccess, is_authentication};
use crate::source::blocking;

/// The configuration of a chart in a registry.
const CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
/// Its archive, and as very old charts have it.
const ARCHIVE: [&str; 2] = ["application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip"];
/// What a registry that does not answer is told by.
const LATE: &str = "the registry does not answer in time";

/// A repository.
pub(super) enum Repository {
    /// Over HTTP, with its index in order.
    Http(Access, File),
    /// In a registry.
    Registry(RegistryAccess),
}

/// A chart in a repository.
#[derive(Debug)]
pub(super) struct Found {
    pub name: String,
    pub version: String,
    /// The address in an index, or the tag in a registry.
    place: Option<String>,
}

/// Why a repository has not what is wanted.
#[derive(Debug)]
pub(super) struct Unavailable {
    /// What went wrong.
    pub why: String,
    /// Whose fault it is.
    pub cause: Cause,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// What is wanted does not exist.
    Reference,
    /// The repository does not give it.
    Repository,
    /// The repository does not let us in.
    Authentication,
}

impl Unavailable {
    fn new(cause: Cause, why: impl ToString) -> Self {
        Self { why: why.to_string(), cause }
    }

    /// The same with words before it.
    pub(super) fn context(self, what: &str) -> Self {
        Self { why: format!("{what}: {}", self.why), ..self }
    }
}

impl From<Unavailable> for Problem {
    fn from(unavailable: Unavailable) -> Self {
        let Unavailable { why, cause } = unavailable;
        match cause {
            Cause::Reference => Step::Reference.failed(why),
            Cause::Repository => Step::Pull.failed(why),
            Cause::Authentication => Self::Authentication(format!("chart pull error: {why}")),
        }
    }
}

impl Repository {
    /// Finds the version of a chart that a version or range means.
    pub(super) async fn find(
        &self,
        clients: &net::Clients,
        chart: &str,
        wanted: &str,
    ) -> Result<Found, Unavailable> {
        match self {
            Self::Http(_, index) => {
                let index = index.try_clone().map_err(|error| Unavailable::new(Cause::Repository, error))?;
                let (chart, wanted) = (chart.to_owned(), wanted.to_owned());
                let found = blocking(move || in_index(index, &chart, &wanted)).await;
                let found = found.map_err(|failure| Unavailable::new(Cause::Repository, failure.message))?;
                let found = found.map_err(|error| match error {
                    error if error.is_about_reference() => Unavailable::new(Cause::Reference, error),
                    error => Unavailable::new(
                        Cause::Repository,
                        format!("failed to load index: failed to load index: {error}"),
                    ),
                })?;
                Ok(Found {
                    name: found.metadata.name,
                    version: found.metadata.version,
                    place: found.urls.into_iter().next(),
                })
            }
            Self::Registry(access) => {
                let tag = match whole(wanted) {
                    // Tags need not be listed, which can be expensive.
                    Some(_) => wanted.to_owned(),
                    None => in_tags(&self.tags(access, clients, chart).await?, wanted)
                        .map_err(|why| Unavailable::new(Cause::Repository, why))?,
                };
                Ok(Found { name: chart.to_owned(), version: tag.clone(), place: Some(tag) })
            }
        }
    }

    /// The versions of a chart in a registry, the highest first.
    async fn tags(
        &self,
        access: &RegistryAccess,
        clients: &net::Clients,
        chart: &str,
    ) -> Result<Vec<String>, Unavailable> {
        let url = access.chart_url(chart);
        let context = |cause: Cause, why: String| {
            Unavailable::new(
                cause,
                format!("could not get tags for \"{chart}\": could not fetch tags for \"{url}\": {why}"),
            )
        };
        let registry =
            access.registry(clients, chart, 0).map_err(|error| context(Cause::Repository, error))?;
        let listed = tokio::time::timeout(access.timeout, registry.tags()).await;
        let tags = match listed {
            Err(_) => return Err(context(Cause::Repository, LATE.to_owned())),
            Ok(Err(error)) => return Err(context(cause(&error), error.to_string())),
            Ok(Ok(tags)) => tags,
        };
        let mut versions: Vec<Version> =
            tags.iter().filter_map(|tag| Version::parse_strict(&tag.replace('_', "+")).ok()).collect();
        if versions.is_empty() {
            return Err(Unavailable::new(
                Cause::Repository,
                format!(
                    "could not get tags for \"{chart}\": unable to locate any tags in provided repository: {url}"
                ),
            ));
        }
        versions.sort_by(|a, b| b.cmp(a));
        Ok(versions.iter().map(|version| version.original().to_owned()).collect())
    }

    /// Fetches the archive of a chart, at most `limit` bytes.
    pub(super) async fn download(
        &self,
        clients: &net::Clients,
        found: &Found,
        limit: u64,
    ) -> Result<Vec<u8>, Unavailable> {
        let unavailable = |why: String| Unavailable::new(Cause::Repository, why);
        let Some(place) = &found.place else {
            return Err(unavailable(format!("chart '{}' has no downloadable URLs", found.name)));
        };
        match self {
            Self::Http(access, _) => {
                let url = access.archive(place).map_err(unavailable)?;
                http(access, clients, &url, limit).await
            }
            Self::Registry(access) => {
                let named = format!("{}:{place}", access.chart_url(&found.name));
                let registry = access.registry(clients, &found.name, limit).map_err(unavailable)?;
                let tag = place.replace('+', "_");
                let pulled = pull(&registry, &tag);
                match tokio::time::timeout(access.timeout, pulled).await {
                    Ok(pulled) => pulled,
                    Err(_) => Err(unavailable(LATE.to_owned())),
                }
                .map_err(|error| error.context(&format!("failed to get '{named}'")))
            }
        }
    }
}

async fn http(
    access: &Access,
    clients: &net::Clients,
    url: &Url,
    limit: u64,
) -> Result<Vec<u8>, Unavailable> {
    let mut bytes = Vec::new();
    match access.fetch(clients, url, limit, &mut bytes).await {
        Ok(_) => Ok(bytes),
        Err(FetchError::TooLarge(limit)) => {
            let why = format!("size of chart '{}' exceeds '{limit}' bytes limit", net::display_url(url));
            Err(Unavailable::new(Cause::Repository, why))
        }
        Err(error) => {
            let cause = if error.is_authentication() { Cause::Authentication } else { Cause::Repository };
            Err(Unavailable::new(cause, error))
        }
    }
}

/// The archive of a chart in a registry. The digest that the tag leads to is resolved once.
async fn pull(registry: &Registry, tag: &str) -> Result<Vec<u8>, Unavailable> {
    let failed = |error: oci::Error| Unavailable::new(cause(&error), error);
    let digest = registry.digest(tag).await.map_err(failed)?;
    let manifest = registry.manifest(&digest).await.map_err(failed)?;
    if manifest.config.media_type != CONFIG {
        let why = format!("could not load config with mediatype {CONFIG}");
        return Err(Unavailable::new(Cause::Repository, why));
    }
    let archive =
        ARCHIVE.iter().find_map(|wanted| manifest.layers.iter().find(|layer| layer.media_type == *wanted));
    let archive = archive.ok_or_else(|| {
        let why = format!("manifest does not contain a layer with mediatype {}", ARCHIVE[0]);
        Unavailable::new(Cause::Repository, why)
    })?;
    let mut bytes = Vec::new();
    registry.layer(archive, &mut bytes).await.map_err(failed)?;
    Ok(bytes)
}

fn cause(error: &oci::Error) -> Cause {
    if is_authentication(error) { Cause::Authentication } else { Cause::Repository }
}

fn in_index(mut index: File, chart: &str, wanted: &str) -> Result<chart::IndexVersion, IndexError> {
    index.rewind()?;
    let versions = chart::find_in_index(BufReader::with_capacity(64 << 10, index), chart)?;
    chart::choose_in_index(versions, chart, wanted)
}

/// A version with all three parts.
fn whole(text: &str) -> Option<Version> {
    Version::parse(text).ok().filter(|_| text.splitn(3, '.').count() == 3)
}

/// The version among tags, the highest first, that a version or range means.
fn in_tags(tags: &[String], wanted: &str) -> Result<String, String> {
    if tags.iter().any(|tag| tag == wanted) {
        return Ok(wanted.to_owned());
    }
    let range =
        Constraint::parse(if wanted.is_empty() { "*" } else { wanted }).map_err(|error| error.to_string())?;
    let highest = tags.iter().find(|tag| whole(tag).is_some_and(|version| range.check(&version)));
    highest
        .cloned()
        .ok_or_else(|| format!("could not locate a version matching provided version string {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_chosen_by_range() {
        let tags = ["2.0.0-rc.1", "1.10.0+build", "1.9.0"].map(str::to_owned);
        for (wanted, expected) in [
            ("", Ok("1.10.0+build")),
            ("*", Ok("1.10.0+build")),
            ("~1.9", Ok("1.9.0")),
            (">=1.0.0-0", Ok("2.0.0-rc.1")),
            (">3", Err("could not locate a version matching provided version string >3")),
        ] {
            assert_eq!(in_tags(&tags, wanted).as_deref().map_err(|why| &**why), expected, "{wanted}");
        }
        assert!(in_tags(&tags, "no range").is_err());
        assert!(whole("1.2.3").is_some() && whole("v1.2.3+a").is_some());
        assert!(whole("1.2").is_none() && whole("1.2.x").is_none() && whole(">=1.2.3").is_none());
    }
}

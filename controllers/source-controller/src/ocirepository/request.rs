//! From the spec to what is asked of a registry. Pure.

use api::condition::Reason;
use api::source::{CloudProvider, OCIRepositorySpec, OCIRepositoryStatus, OciLayerOperation};
use oci::{Descriptor, Manifest, Reference, Repository};
use regex::Regex;
use semver::{Constraint, Version};

use crate::source::Failure;

/// The layers of Helm charts, whose versions have a `_` for the `+` that tags may not have.
const HELM_CHART: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

/// Refuses what this release does not serve, so that nobody gets an artifact other than the one asked for.
pub(super) fn check_provider(
    spec: &OCIRepositorySpec,
    has_credentials: bool,
    object_identity: bool,
) -> Result<(), Failure> {
    let name = match spec.provider() {
        CloudProvider::Generic => return Ok(()),
        CloudProvider::Aws => "aws",
        CloudProvider::Azure => "azure",
        CloudProvider::Gcp => "gcp",
    };
    if has_credentials {
        return Ok(());
    }
    if spec.service_account_name.is_some() && !object_identity {
        return Err(Failure::identity_gate());
    }
    Err(Failure::fetch(
        Reason::InvalidProviderConfiguration,
        format!("spec.provider '{name}' is not supported by this release: use 'generic' with spec.secretRef"),
    )
    .terminal())
}

/// The repository of the spec.
pub(super) fn repository(spec: &OCIRepositorySpec) -> Result<Repository, Failure> {
    Repository::from_url(&spec.url).map_err(|error| {
        Failure::fetch(Reason::UrlInvalid, format!("URL validation failed for '{}': {error}", spec.url))
            .terminal()
    })
}

/// What is wanted of the repository.
#[derive(Debug)]
pub(super) enum Wanted {
    /// A tag or digest.
    One(Reference),
    /// The highest tag in a range.
    Highest(Range),
}

/// A range of versions, and which tags are looked at.
#[derive(Debug)]
pub(super) struct Range {
    text: String,
    constraint: Constraint,
    filter: Option<Regex>,
    helm: bool,
}

/// Reads what is wanted. Of several fields, digest beats range beats tag.
pub(super) fn wanted(spec: &OCIRepositorySpec) -> Result<Wanted, String> {
    let given = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
    let reference = spec.reference.as_ref();
    if let Some(digest) = reference.and_then(|wanted| given(&wanted.digest)) {
        return Ok(Wanted::One(Reference::Digest(digest)));
    }
    if let Some(text) = reference.and_then(|wanted| given(&wanted.semver)) {
        let constraint =
            Constraint::parse(&text).map_err(|error| format!("semver '{text}' parse error: {error}"))?;
        let filter = reference.and_then(|wanted| given(&wanted.semver_filter));
        let filter = filter.map(|filter| {
            Regex::new(&filter).map_err(|error| format!("semverFilter '{filter}' parse error: {error}"))
        });
        return Ok(Wanted::Highest(Range {
            text,
            constraint,
            filter: filter.transpose()?,
            helm: media_type(spec) == Some(HELM_CHART),
        }));
    }
    let tag = reference.and_then(|wanted| given(&wanted.tag)).unwrap_or_else(|| "latest".to_owned());
    Ok(Wanted::One(Reference::Tag(tag)))
}

impl Range {
    /// The highest tag.
    pub(super) fn choose(&self, tags: &[String]) -> Result<Reference, String> {
        let versions =
            tags.iter().filter(|tag| self.filter.as_ref().is_none_or(|filter| filter.is_match(tag)));
        let versions = versions.filter_map(|tag| {
            let text = if self.helm { tag.replace('_', "+") } else { tag.clone() };
            let plain = text.strip_prefix('v').unwrap_or(&text);
            // What has not all three parts is a name, not a version.
            let whole = plain.splitn(3, '.').count() == 3;
            let version = Version::parse(&text).ok().filter(|_| whole)?;
            self.constraint.check(&version).then_some((version, tag))
        });
        let highest = versions.max_by(|(a, _), (b, _)| a.cmp(b));
        highest
            .map(|(_, tag)| Reference::Tag(tag.clone()))
            .ok_or_else(|| format!("no match found for semver: {}", self.text))
    }
}

/// The revision of an artifact.
pub(super) fn revision(reference: &Reference, digest: &str) -> String {
    match reference {
        Reference::Tag(tag) => format!("{tag}@{digest}"),
        Reference::Digest(_) => digest.to_owned(),
    }
}

fn media_type(spec: &OCIRepositorySpec) -> Option<&str> {
    spec.layer_selector.as_ref()?.media_type.as_deref().filter(|text| !text.is_empty())
}

/// What becomes of the layer.
pub(super) fn operation(spec: &OCIRepositorySpec) -> OciLayerOperation {
    spec.layer_selector.as_ref().and_then(|selector| selector.operation).unwrap_or_default()
}

/// The layer that is wanted.
pub(super) fn layer<'a>(spec: &OCIRepositorySpec, manifest: &'a Manifest) -> Result<&'a Descriptor, String> {
    let first = manifest.layers.first().ok_or("no layers found in artifact")?;
    match media_type(spec) {
        None => Ok(first),
        Some(wanted) => manifest
            .layers
            .iter()
            .find(|layer| layer.media_type == wanted)
            .ok_or_else(|| format!("failed to find layer with media type '{wanted}' in artifact")),
    }
}

/// Whether the artifact depends on the spec as it did when it was made.
pub(super) fn same_content_config(spec: &OCIRepositorySpec, status: &OCIRepositoryStatus) -> bool {
    spec.ignore == status.observed_ignore && spec.layer_selector == status.observed_layer_selector
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::source::{OciLayerSelector, OciReference};

    fn spec(reference: OciReference) -> OCIRepositorySpec {
        OCIRepositorySpec { reference: Some(reference), ..Default::default() }
    }

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn chosen(semver: &str, filter: Option<&str>, helm: bool, tags: &[&str]) -> Result<String, String> {
        let mut spec = spec(OciReference {
            semver: text(semver),
            semver_filter: filter.map(str::to_owned),
            tag: text("ignored"),
            digest: None,
        });
        if helm {
            spec.layer_selector = Some(OciLayerSelector { media_type: text(HELM_CHART), operation: None });
        }
        let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        match wanted(&spec)? {
            Wanted::Highest(range) => range.choose(&tags).map(|reference| reference.as_str().to_owned()),
            Wanted::One(reference) => Err(format!("{reference:?}")),
        }
    }

    #[test]
    fn digest_beats_range_beats_tag() {
        let one = |reference| match wanted(&spec(reference)) {
            Ok(Wanted::One(reference)) => reference,
            other => panic!("{other:?}"),
        };
        let digest = format!("sha256:{}", "a".repeat(64));
        let all =
            OciReference { digest: text(&digest), semver: text(">=1"), semver_filter: None, tag: text("t") };
        assert_eq!(one(all), Reference::Digest(digest));
        assert_eq!(
            one(OciReference { tag: text("t"), ..Default::default() }),
            Reference::Tag("t".to_owned())
        );
        assert_eq!(one(OciReference::default()), Reference::Tag("latest".to_owned()));
        assert!(
            matches!(wanted(&OCIRepositorySpec::default()), Ok(Wanted::One(Reference::Tag(tag))) if tag == "latest")
        );
    }

    #[test]
    fn the_highest_whole_version_in_the_range_is_chosen() {
        let tags = ["6.0.0", "6.1.5", "v6.1.6", "6.2", "7", "latest", "6.1.7-rc.1", "6.1.10_abc"];
        for (range, filter, helm, expected) in [
            ("6.1.x", None, false, Ok("v6.1.6")),
            (">=6.1.x-0", Some(".*-rc.*"), false, Ok("6.1.7-rc.1")),
            ("<= 5.0.0", None, false, Err("no match found for semver: <= 5.0.0")),
            ("6.1.x", None, true, Ok("6.1.10_abc")),
            ("6.1.x", Some("^6"), false, Ok("6.1.5")),
        ] {
            let found = chosen(range, filter, helm, &tags);
            assert_eq!(found.as_deref().map_err(|error| &**error), expected, "{range}");
        }
        assert!(
            chosen("not a range", None, false, &[])
                .unwrap_err()
                .starts_with("semver 'not a range' parse error: ")
        );
        assert!(
            chosen("1", Some("("), false, &[]).unwrap_err().starts_with("semverFilter '(' parse error: ")
        );
    }

    #[test]
    fn layers_are_chosen_by_media_type() {
        let layer = |media_type: &str| serde_json::json!({ "mediaType": media_type, "digest": media_type, "size": 1 });
        let manifest = |layers: Vec<serde_json::Value>| -> Manifest {
            serde_json::from_value(serde_json::json!({ "config": layer("c"), "layers": layers })).unwrap()
        };
        let two = manifest(vec![layer("a"), layer("b")]);
        let selecting = |media_type: &str| OCIRepositorySpec {
            layer_selector: Some(OciLayerSelector { media_type: text(media_type), operation: None }),
            ..Default::default()
        };
        let found = |spec: &OCIRepositorySpec, manifest: &Manifest| {
            super::layer(spec, manifest).map(|layer| layer.digest.clone())
        };
        assert_eq!(found(&OCIRepositorySpec::default(), &two), Ok("a".to_owned()));
        assert_eq!(found(&selecting("b"), &two), Ok("b".to_owned()));
        assert_eq!(
            found(&selecting("x"), &two),
            Err("failed to find layer with media type 'x' in artifact".to_owned())
        );
        assert_eq!(
            found(&selecting("b"), &manifest(Vec::new())),
            Err("no layers found in artifact".to_owned())
        );
    }
}

//! The digest of an artifact as part of the chart's version, so that a tag that was pushed again is another version. Pure.

use api::helm::ChartReferenceKind;
use semver::Version;

/// How much of a digest becomes part of a version.
const SUFFIX: usize = 12;

/// The version of a chart and the digest that it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// Version of the chart, with the digest where that is tracked.
    pub version: String,
    /// Digest of the artifact; empty for a chart without one.
    pub oci_digest: String,
}

/// A revision and a chart that do not go together. The texts are Flux's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A chart without a usable version.
    #[error("invalid chart version {0}")]
    Version(String),
    /// Another tag than the chart's version.
    #[error("artifact revision {tag} does not match chart version {version}")]
    Mismatch {
        /// The tag.
        tag: String,
        /// Version of the chart.
        version: String,
    },
    /// A revision without a digest.
    #[error("invalid artifact revision {0}")]
    Revision(String),
}

/// Whether versions carry the digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracking {
    /// They do.
    On,
    /// They do not (gate `DisableChartDigestTracking`).
    Off,
}

/// The version of a chart that came from a source in a revision.
///
/// # Errors
/// A revision that does not go with the chart.
pub fn versioned(
    kind: ChartReferenceKind,
    revision: &str,
    chart_version: &str,
    tracking: Tracking,
) -> Result<Versioned, Error> {
    let has_digest = match kind {
        ChartReferenceKind::HelmChart => false,
        ChartReferenceKind::OCIRepository => true,
        ChartReferenceKind::ExternalArtifact => revision.contains(':'),
    };
    if !has_digest {
        return Ok(Versioned { version: chart_version.to_owned(), oci_digest: String::new() });
    }
    let mut version = Version::parse(chart_version).map_err(|_| Error::Version(chart_version.to_owned()))?;
    let tag = revision.split('@').next().unwrap_or_default();
    // Registries do not take `+` in a tag.
    let tagged = if revision.contains('@') { tag.replace('_', "+") } else { revision.to_owned() };
    let oci_digest = match Version::parse(&tagged) {
        Ok(of_tag) => {
            let mismatch = || Error::Mismatch { tag: tag.to_owned(), version: chart_version.to_owned() };
            let mut parts = revision.split('@').skip(1);
            match (parts.next(), parts.next()) {
                (Some(digest), None) if of_tag == version => digest,
                _ => return Err(mismatch()),
            }
        }
        Err(_) => revision,
    };
    version.metadata = suffix(oci_digest)?;
    let version = match tracking {
        Tracking::On => version.to_string(),
        Tracking::Off => chart_version.to_owned(),
    };
    Ok(Versioned { version, oci_digest: oci_digest.to_owned() })
}

/// The beginning of what follows the algorithm.
fn suffix(digest: &str) -> Result<String, Error> {
    let invalid = || Error::Revision(digest.to_owned());
    match digest.split_once(':') {
        Some((_, hex)) if !hex.contains(':') => hex.get(..SUFFIX).map(str::to_owned).ok_or_else(invalid),
        _ => Err(invalid()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: ChartReferenceKind, revision: &str, version: &str) -> Result<(String, String), String> {
        let versioned =
            versioned(kind, revision, version, Tracking::On).map_err(|error| error.to_string())?;
        Ok((versioned.version, versioned.oci_digest))
    }

    #[test]
    fn digests_become_part_of_versions() {
        use ChartReferenceKind::{ExternalArtifact, HelmChart, OCIRepository};
        let digest = "sha256:1234567890abcdef1234567890abcdef";
        for (kind, revision, version, expected) in [
            (
                OCIRepository,
                format!("6.5.3@{digest}"),
                "6.5.3",
                Ok(("6.5.3+1234567890ab", digest.to_owned())),
            ),
            (OCIRepository, format!("v1.2@{digest}"), "1.2.0", Ok(("1.2.0+1234567890ab", digest.to_owned()))),
            (
                OCIRepository,
                format!("1.2.0_x@{digest}"),
                "1.2.0+y",
                Ok(("1.2.0+1234567890ab", digest.to_owned())),
            ),
            (
                OCIRepository,
                format!("latest@{digest}"),
                "1.2.0",
                Ok(("1.2.0+1234567890ab", format!("latest@{digest}"))),
            ),
            (OCIRepository, digest.to_owned(), "v1.2", Ok(("1.2.0+1234567890ab", digest.to_owned()))),
            (
                OCIRepository,
                format!("1.2.4@{digest}"),
                "1.2.3",
                Err("artifact revision 1.2.4 does not match chart version 1.2.3"),
            ),
            (
                OCIRepository,
                "1.2.3".to_owned(),
                "1.2.3",
                Err("artifact revision 1.2.3 does not match chart version 1.2.3"),
            ),
            (OCIRepository, "sha256:12".to_owned(), "1.2.3", Err("invalid artifact revision sha256:12")),
            (OCIRepository, "a:b:c".to_owned(), "1.2.3", Err("invalid artifact revision a:b:c")),
            (OCIRepository, digest.to_owned(), "x", Err("invalid chart version x")),
            (HelmChart, "6.5.3".to_owned(), "6.5.3", Ok(("6.5.3", String::new()))),
            (ExternalArtifact, "6.5.3".to_owned(), "6.5.3", Ok(("6.5.3", String::new()))),
            (ExternalArtifact, digest.to_owned(), "6.5.3", Ok(("6.5.3+1234567890ab", digest.to_owned()))),
        ] {
            let expected =
                expected.map(|(version, digest)| (version.to_owned(), digest)).map_err(str::to_owned);
            assert_eq!(of(kind, &revision, version), expected, "{revision} {version}");
        }
    }

    #[test]
    fn versions_can_be_left_alone() {
        let found =
            versioned(ChartReferenceKind::OCIRepository, "sha256:1234567890abcdef", "v1.2", Tracking::Off)
                .unwrap();
        assert_eq!((found.version.as_str(), found.oci_digest.as_str()), ("v1.2", "sha256:1234567890abcdef"));
    }
}

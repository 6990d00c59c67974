//! Which version of a chart is meant.

use semver::{Constraint, Version};

use super::{IndexError, IndexVersion};
use crate::time::Time;

/// The version that is meant by `wanted` among those of a chart in an index, as [`super::find`] gives them: the one of
/// that very name, or else the highest in the range, of equals the one made last. Nothing, and `*`, mean the highest
/// release.
///
/// # Errors
/// [`IndexError::NoChart`], [`IndexError::NoVersion`], [`IndexError::NoMatch`], and a range that is none.
pub fn choose(
    versions: Option<Vec<IndexVersion>>,
    chart: &str,
    wanted: &str,
) -> Result<IndexVersion, IndexError> {
    let mut versions = versions.ok_or(IndexError::NoChart)?;
    if versions.is_empty() {
        return Err(IndexError::NoVersion);
    }
    let exact = versions.iter().position(|version| !wanted.is_empty() && version.metadata.version == wanted);
    let chosen = match exact {
        Some(at) => Some(at),
        None => highest(&versions, wanted)?,
    };
    chosen
        .map(|at| versions.swap_remove(at))
        .ok_or_else(|| IndexError::NoMatch { chart: chart.to_owned(), wanted: wanted.to_owned() })
}

fn highest(versions: &[IndexVersion], wanted: &str) -> Result<Option<usize>, IndexError> {
    let range = Constraint::parse(if wanted.is_empty() { "*" } else { wanted })
        .map_err(|error| IndexError::Range(error.to_string()))?;
    let mut best: Option<(Version, Time, usize)> = None;
    for (at, found) in versions.iter().enumerate() {
        let text = &found.metadata.version;
        // What has not all three parts is not looked at.
        let version = Version::parse(text).ok().filter(|_| text.splitn(3, '.').count() == 3);
        let Some(version) = version.filter(|version| range.check(version)) else { continue };
        let created = Time::parse(&found.created).unwrap_or_default();
        let is_better = best.as_ref().is_none_or(|(highest, newest, _)| {
            version > *highest || (version == *highest && created.timestamp() > newest.timestamp())
        });
        if is_better {
            best = Some((version, created, at));
        }
    }
    Ok(best.map(|(.., at)| at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(versions: &[(&str, &str)], wanted: &str) -> Result<String, String> {
        let version = |(version, created): &(&str, &str)| {
            let mut found = IndexVersion { created: (*created).to_owned(), ..Default::default() };
            found.metadata.version = (*version).to_owned();
            found
        };
        choose(Some(versions.iter().map(version).collect()), "app", wanted)
            .map(|found| format!("{} {}", found.metadata.version, found.created).trim_end().to_owned())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_very_version_beats_the_range() {
        let versions =
            [("2.0.0-rc.1", ""), ("1.10.0", ""), ("1.9.0", ""), ("v1.8.0", ""), ("1.7", ""), ("1.2.3+a", "")];
        for (wanted, expected) in [
            ("", Ok("1.10.0")),
            ("*", Ok("1.10.0")),
            ("1.9.x", Ok("1.9.0")),
            ("~1.8", Ok("v1.8.0")),
            (">=1.0.0-0", Ok("2.0.0-rc.1")),
            ("1.7", Ok("1.7")),
            ("1.2.3+a", Ok("1.2.3+a")),
            ("1.2.3", Ok("1.2.3+a")),
            (">3", Err("no 'app' chart with version matching '>3' found")),
            ("no range", Err("improper constraint: \"no range\"")),
        ] {
            assert_eq!(
                chosen(&versions, wanted).as_deref(),
                expected.map_err(str::to_owned).as_ref().copied(),
                "{wanted}"
            );
        }
    }

    #[test]
    fn of_equals_the_newest_is_chosen() {
        let versions = [
            ("1.0.0+a", "2026-01-01T00:00:00Z"),
            ("1.0.0+b", "2026-03-01T00:00:00Z"),
            ("1.0.0+c", "2026-02-01T00:00:00Z"),
        ];
        assert_eq!(chosen(&versions, "*").unwrap(), "1.0.0+b 2026-03-01T00:00:00Z");
    }

    #[test]
    fn what_is_missing_is_told() {
        assert_eq!(choose(None, "app", "").unwrap_err().to_string(), "no chart name found");
        assert_eq!(chosen(&[], "").unwrap_err(), "no chart version found");
    }
}

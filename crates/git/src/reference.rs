//! Which of a remote's references is meant. Pure.

use crate::remote::Resolved;
use crate::upload_pack::RemoteRef;
use crate::{Error, Reference, Remote};

/// What a list of references leads to.
pub(crate) enum Choice {
    /// The one.
    One(Resolved),
    /// Tags that are equal as versions: the one with the newest commit is meant.
    NewestOf(Vec<Resolved>),
    /// Nothing.
    None,
}

/// A commit needs no asking: it is what it is.
pub(crate) fn without_asking(reference: &Reference) -> Option<Resolved> {
    match reference {
        Reference::Commit { sha, branch } => {
            Some(Resolved::pinned(sha.to_ascii_lowercase(), branch.as_deref().unwrap_or("")))
        }
        _ => None,
    }
}

/// What to list.
pub(crate) fn prefixes(reference: &Reference) -> Vec<String> {
    vec![match reference {
        Reference::Branch(name) => format!("refs/heads/{name}"),
        Reference::Tag(name) => format!("refs/tags/{name}"),
        Reference::Semver(_) => "refs/tags/".to_owned(),
        Reference::Name(name) => name.trim_end_matches(PEELED).to_owned(),
        Reference::Commit { .. } => "refs/heads/".to_owned(),
    }]
}

const PEELED: &str = "^{}";

/// Finds `reference` in a list that may hold more than was asked for.
pub(crate) fn choose(reference: &Reference, listed: &[RemoteRef]) -> Result<Choice, Error> {
    let find = |name: &str| listed.iter().find(|listed| listed.name == name);
    let one = |found: Option<&RemoteRef>, label: &str, reference: &str| match found {
        Some(found) => Choice::One(resolved(found, label, reference)),
        None => Choice::None,
    };
    Ok(match reference {
        Reference::Branch(name) => {
            let full = format!("refs/heads/{name}");
            one(find(&full), name, &full)
        }
        Reference::Tag(name) => {
            let full = format!("refs/tags/{name}");
            one(find(&full), name, &full)
        }
        Reference::Name(name) => one(find(name.trim_end_matches(PEELED)), name, name),
        Reference::Semver(range) => highest(range, listed)?,
        Reference::Commit { .. } => Choice::None,
    })
}

fn resolved(found: &RemoteRef, label: &str, reference: &str) -> Resolved {
    match found.peeled {
        Some(commit) => Resolved::new(label, reference, commit.to_string(), Some(found.id.to_string())),
        None => Resolved::new(label, reference, found.id.to_string(), None),
    }
}

/// The tags with the highest version in `range`. Only strict versions, after an optional `v`, count as such.
fn highest(range: &str, listed: &[RemoteRef]) -> Result<Choice, Error> {
    let constraint =
        semver::Constraint::parse(range).map_err(|error| Error::VersionRange(error.to_string()))?;
    let mut best: Option<(semver::Version, Vec<&RemoteRef>)> = None;
    for tag in listed {
        let Some(name) = tag.name.strip_prefix("refs/tags/") else { continue };
        let Ok(version) = semver::Version::parse_tag(name) else { continue };
        if !constraint.check(&version) {
            continue;
        }
        match &mut best {
            Some((highest, tags)) if *highest == version => tags.push(tag),
            Some((highest, _)) if *highest > version => {}
            _ => best = Some((version, vec![tag])),
        }
    }
    let resolve =
        |tag: &RemoteRef| resolved(tag, tag.name.strip_prefix("refs/tags/").unwrap_or(&tag.name), &tag.name);
    Ok(match best {
        None => Choice::None,
        Some((_, tags)) => match tags.as_slice() {
            [tag] => Choice::One(resolve(tag)),
            tags => Choice::NewestOf(tags.iter().map(|tag| resolve(tag)).collect()),
        },
    })
}

/// The error for a reference that a non-empty repository does not have.
pub(crate) fn missing(reference: &Reference, remote: &Remote) -> Error {
    let not_found = |reference: String| Error::ReferenceNotFound { url: remote.display_url(), reference };
    match reference {
        Reference::Branch(name) => not_found(format!("refs/heads/{name}")),
        Reference::Tag(name) => not_found(format!("refs/tags/{name}")),
        Reference::Semver(range) => Error::NoMatchingVersion(range.clone()),
        Reference::Name(name) => Error::NameNotFound(name.clone()),
        Reference::Commit { sha, .. } => {
            Error::CommitNotFound { sha: sha.clone(), reason: "object not found".to_owned() }
        }
    }
}

//! What changed since the stored artifact, other than the commit. Pure.

use api::{
    meta::Artifact,
    source::{GitRepositorySpec, GitRepositoryStatus},
};

/// Whether the artifact has to be made again although upstream may not have moved: its content depends on the spec and on
/// the included artifacts too. `includes` are the current artifacts in the order of `spec.include`.
pub(crate) fn content_config_changed(
    spec: &GitRepositorySpec,
    status: &GitRepositoryStatus,
    includes: &[Artifact],
) -> bool {
    // An absent and an empty `ignore` differ: the empty one turns the default patterns off.
    spec.ignore != status.observed_ignore
        || spec.recurse_submodules != status.observed_recurse_submodules
        || spec.sparse_checkout != status.observed_sparse_checkout
        || spec.include != status.observed_include
        || includes.len() != status.included_artifacts.len()
        || includes
            .iter()
            .zip(&status.included_artifacts)
            .any(|(now, then)| now.revision != then.revision || now.digest != then.digest)
}

/// Whether the included artifacts are others than those recorded.
pub(crate) fn includes_changed(status: &GitRepositoryStatus, includes: &[Artifact]) -> bool {
    includes.len() != status.included_artifacts.len()
        || includes
            .iter()
            .any(|now| !status.included_artifacts.iter().any(|then| then.revision == now.revision))
}

/// Records what the artifact was made of.
pub(crate) fn observe(spec: &GitRepositorySpec, status: &mut GitRepositoryStatus, includes: Vec<Artifact>) {
    status.included_artifacts = includes;
    status.observed_ignore = spec.ignore.clone();
    status.observed_recurse_submodules = spec.recurse_submodules;
    status.observed_include = spec.include.clone();
    status.observed_sparse_checkout = spec.sparse_checkout.clone();
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::{
        meta::{LocalObjectReference, Timestamp, stored_time},
        source::GitInclude,
    };

    fn artifact(revision: &str, digest: &str) -> Artifact {
        Artifact {
            path: String::new(),
            url: String::new(),
            revision: revision.to_owned(),
            digest: digest.to_owned(),
            last_update_time: stored_time(Timestamp::UNIX_EPOCH),
            size: None,
            metadata: Default::default(),
        }
    }

    #[test]
    fn every_part_of_the_content_config_counts() {
        let include =
            GitInclude { repository: LocalObjectReference { name: "b".into() }, ..GitInclude::default() };
        let spec = GitRepositorySpec { include: vec![include.clone()], ..GitRepositorySpec::default() };
        let mut status = GitRepositoryStatus::default();
        let current = [artifact("main@sha1:1", "sha256:1")];
        assert!(content_config_changed(&spec, &status, &current));
        observe(&spec, &mut status, current.to_vec());
        assert!(!content_config_changed(&spec, &status, &current));

        let changed = |change: fn(&mut GitRepositorySpec)| {
            let mut changed = spec.clone();
            change(&mut changed);
            content_config_changed(&changed, &status, &current)
        };
        assert!(changed(|spec| spec.ignore = Some(String::new())));
        assert!(changed(|spec| spec.recurse_submodules = true));
        assert!(changed(|spec| spec.sparse_checkout = vec!["deploy".into()]));
        assert!(changed(|spec| spec.include[0].to_path = Some("lib".into())));
        assert!(changed(|spec| spec.include.clear()));
        assert!(!changed(|spec| spec.suspend = true));
        assert!(content_config_changed(&spec, &status, &[artifact("main@sha1:1", "sha256:2")]));
    }

    #[test]
    fn includes_change_with_their_revision() {
        let mut status = GitRepositoryStatus::default();
        observe(&GitRepositorySpec::default(), &mut status, vec![artifact("1", "x"), artifact("2", "y")]);
        assert!(!includes_changed(&status, &[artifact("2", "y"), artifact("1", "z")]));
        assert!(includes_changed(&status, &[artifact("2", "y"), artifact("3", "z")]));
        assert!(includes_changed(&status, &[artifact("2", "y")]));
    }
}

//! What a chart was made of, or why it was not: the words for status and events. Pure.

use api::condition::{Conditions, Reason, Stamp, Type};
use api::source::HelmChartSpec;
use semver::Version;

use crate::source::Failure;

/// A chart for the storage.
#[derive(Debug)]
pub(super) struct Build {
    /// Name of the chart.
    pub name: String,
    /// Version of the chart, with the metadata that tells this making of it from others.
    pub version: String,
    /// The values files that were merged.
    pub values_files: Vec<String>,
    /// Whether it was packed here; otherwise it is as its source has it.
    pub packaged: bool,
    /// How many sub-charts were fetched for it.
    pub dependencies: usize,
    /// The archive; `None` when the artifact in storage is it.
    pub archive: Option<Vec<u8>>,
}

impl Build {
    /// What was done, in a sentence.
    pub(super) fn summary(&self) -> String {
        let done = if self.packaged { "packaged" } else { "pulled" };
        let mut text = format!("{done} '{}' chart with version '{}'", self.name, self.version);
        if !self.values_files.is_empty() {
            text.push_str(&format!(" and merged values files [{}]", self.values_files.join(" ")));
        }
        text
    }

    pub(super) fn reason(&self) -> Reason {
        if self.packaged { Reason::ChartPackageSucceeded } else { Reason::ChartPullSucceeded }
    }
}

/// The step that a chart was not made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Finding what the spec refers to.
    Reference,
    /// Fetching it.
    Pull,
    /// Giving it its version.
    Metadata,
    /// Merging values files.
    Values,
    /// Fetching its sub-charts.
    Dependencies,
    /// Loading and packing it.
    Package,
    /// Checking its signature.
    Verification,
}

/// Why a chart was not made.
#[derive(Debug)]
pub(super) enum Problem {
    /// A step failed.
    Step(Step, String),
    /// Nobody lets us in: other credentials or certificates would help.
    Authentication(String),
    /// Something around the steps failed.
    Around(Failure),
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::Around(failure)
    }
}

impl Step {
    /// The problem of this step.
    pub(super) fn failed(self, why: impl ToString) -> Problem {
        Problem::Step(self, why.to_string())
    }

    fn reason(self) -> Reason {
        match self {
            Self::Reference => Reason::InvalidChartReference,
            Self::Pull => Reason::ChartPullError,
            Self::Metadata => Reason::MetadataPatchError,
            Self::Values => Reason::ValuesFilesError,
            Self::Dependencies => Reason::DependencyBuildError,
            Self::Package => Reason::ChartPackageError,
            Self::Verification => Reason::ChartVerificationError,
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Reference => "invalid chart reference",
            Self::Pull => "chart pull error",
            Self::Metadata => "chart metadata patch error",
            Self::Values => "values files merge error",
            Self::Dependencies => "dependency build error",
            Self::Package => "chart package error",
            Self::Verification => "chart verification error",
        }
    }

    /// Whether only a change of the object, or of its source, can help.
    fn is_lasting(self) -> bool {
        matches!(self, Self::Reference | Self::Metadata | Self::Values)
    }
}

impl Problem {
    /// Puts the problem on the object, and tells what follows.
    pub(super) fn record(self, conditions: &mut Conditions, stamp: Stamp) -> Failure {
        let (step, why) = match self {
            Self::Step(step, why) => (step, why),
            Self::Authentication(why) => {
                let message = format!("failed to authenticate with the Helm repository: {why}");
                return unknown(Failure::plain(Reason::AuthenticationFailed, message), conditions, stamp);
            }
            Self::Around(failure) => return unknown(failure, conditions, stamp),
        };
        let message = format!("{}: {why}", step.prefix());
        let failure = Failure::plain(step.reason(), &message);
        let (reported, other) = match step {
            Step::Reference | Step::Pull => (Type::FetchFailed, Type::BuildFailed),
            _ => (Type::BuildFailed, Type::FetchFailed),
        };
        conditions.delete(other);
        conditions.mark_true(reported, step.reason(), message.clone(), stamp);
        if step == Step::Verification {
            conditions.mark_false(Type::SourceVerified, Reason::VerificationError, message, stamp);
        }
        if step.is_lasting() { failure.terminal() } else { failure }
    }
}

/// What is no failure of a step has a word of its own in event and stall only; so it is in Flux.
fn unknown(failure: Failure, conditions: &mut Conditions, stamp: Stamp) -> Failure {
    let message = format!("unknown build error: {}", failure.message);
    conditions.delete(Type::BuildFailed);
    conditions.mark_true(Type::FetchFailed, Reason::Unknown, message, stamp);
    Failure { condition: None, ..failure }
}

/// The values files that change something: `values.yaml` alone does not.
pub(super) fn values_files(spec: &HelmChartSpec) -> &[String] {
    match &*spec.values_files {
        [only] if clean(only) == "values.yaml" => &[],
        files => files,
    }
}

/// A version with other metadata.
pub(super) fn with_metadata(version: &str, metadata: &str) -> Result<String, Problem> {
    let mut parsed = Version::parse(version).map_err(|error| {
        Step::Metadata.failed(format!("failed to parse version from chart metadata as SemVer: {error}"))
    })?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    if !metadata.bytes().all(allowed) {
        let why = "failed to set SemVer metadata on chart version: invalid metadata string";
        return Err(Step::Metadata.failed(why));
    }
    metadata.clone_into(&mut parsed.metadata);
    Ok(parsed.to_string())
}

/// Whether a repository can have a chart of this name.
pub(super) fn check_name(name: &str) -> Result<(), Problem> {
    if name.is_empty() {
        return Err(Step::Reference.failed("no name set for remote chart reference"));
    }
    let mut before = None;
    for byte in name.bytes() {
        let fits = match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => true,
            b'/' => before.is_some_and(|before| !matches!(before, b'/' | b'.')),
            b'.' => before.is_some_and(|before| before != b'.'),
            _ => false,
        };
        if !fits {
            return Err(Step::Reference.failed(format!(
                "invalid chart name '{name}': a valid name must be lower case letters and numbers and MAY be separated \
                 with dashes (-), slashes (/) or periods (.)"
            )));
        }
        before = Some(byte);
    }
    Ok(())
}

/// A path without `.`, `..` and empty parts; as Go's `filepath.Clean`.
pub(super) fn clean(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => _ = parts.pop(),
            ".." if absolute => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (absolute, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Class;

    const STAMP: Stamp = Stamp { generation: 1, now: api::meta::Timestamp::UNIX_EPOCH };

    #[test]
    fn a_build_is_told_in_a_sentence() {
        let mut build = Build {
            name: "podinfo".to_owned(),
            version: "6.0.0".to_owned(),
            values_files: Vec::new(),
            packaged: false,
            dependencies: 0,
            archive: None,
        };
        assert_eq!(build.summary(), "pulled 'podinfo' chart with version '6.0.0'");
        build.packaged = true;
        build.values_files = vec!["a.yaml".to_owned(), "b.yaml".to_owned()];
        assert_eq!(
            build.summary(),
            "packaged 'podinfo' chart with version '6.0.0' and merged values files [a.yaml b.yaml]"
        );
    }

    #[test]
    fn every_problem_has_its_condition_and_class() {
        for (problem, type_, reason, message, event, class) in [
            (
                Step::Reference.failed("x"),
                Type::FetchFailed,
                "InvalidChartReference",
                "invalid chart reference: x",
                "InvalidChartReference",
                Class::Stall,
            ),
            (
                Step::Pull.failed("x"),
                Type::FetchFailed,
                "ChartPullError",
                "chart pull error: x",
                "ChartPullError",
                Class::Retry,
            ),
            (
                Step::Values.failed("x"),
                Type::BuildFailed,
                "ValuesFilesError",
                "values files merge error: x",
                "ValuesFilesError",
                Class::Stall,
            ),
            (
                Step::Dependencies.failed("x"),
                Type::BuildFailed,
                "DependencyBuildError",
                "dependency build error: x",
                "DependencyBuildError",
                Class::Retry,
            ),
            (
                Problem::Authentication("x".to_owned()),
                Type::FetchFailed,
                "Unknown",
                "unknown build error: failed to authenticate with the Helm repository: x",
                "AuthenticationFailed",
                Class::Retry,
            ),
        ] {
            let mut conditions = Conditions::default();
            conditions.mark_true(Type::FetchFailed, "Old", "old", STAMP);
            conditions.mark_true(Type::BuildFailed, "Old", "old", STAMP);
            let failure = problem.record(&mut conditions, STAMP);
            assert_eq!((conditions.reason(type_), conditions.message(type_)), (reason, message));
            assert_eq!((failure.reason.as_str(), failure.class, failure.condition), (event, class, None));
            assert_eq!(conditions.0.len(), 1, "{message}");
        }
    }

    #[test]
    fn names_are_checked() {
        for (name, valid) in [
            ("podinfo", true),
            ("a/b.c-d", true),
            ("a/.b", true),
            ("a.", true),
            ("", false),
            ("A", false),
            (".a", false),
            ("/a", false),
            ("a..b", false),
            ("a//b", false),
            ("a./b", false),
            ("../a", false),
        ] {
            assert_eq!(check_name(name).is_ok(), valid, "{name}");
        }
    }

    #[test]
    fn metadata_makes_the_version_whole() {
        let version = |version: &str, metadata: &str| with_metadata(version, metadata).map_err(|_| ());
        assert_eq!(version("6.0.3", "4"), Ok("6.0.3+4".to_owned()));
        assert_eq!(version("v1.2", "abc.4"), Ok("1.2.0+abc.4".to_owned()));
        assert_eq!(version("1.0.0-rc.1+old", "4"), Ok("1.0.0-rc.1+4".to_owned()));
        assert_eq!(version("one", "4"), Err(()));
        assert_eq!(version("1.0.0", "a_b"), Err(()));
    }

    #[test]
    fn paths_are_cleaned_as_go_does() {
        for (path, expected) in [
            ("./values.yaml", "values.yaml"),
            ("a/../b//c/.", "b/c"),
            ("../../etc", "../../etc"),
            ("/../etc", "/etc"),
            ("", "."),
        ] {
            assert_eq!(clean(path), expected);
        }
    }
}

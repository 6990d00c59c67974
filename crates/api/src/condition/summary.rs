//! Summary of many conditions in one.

use super::{Condition, Conditions, Stamp, Status, Type};

/// Whether a condition is good news or bad news when true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polarity {
    /// True is the normal state, as for `ArtifactInStorage`.
    Positive,
    /// True is the abnormal state, as for `FetchFailed`.
    Negative,
}

/// The conditions that make up a summary, most telling first.
#[derive(Clone, Copy, Debug)]
pub struct Scope(pub &'static [(Type, Polarity)]);

impl Scope {
    /// GitRepository.
    pub const GIT_REPOSITORY: Self = Self(&[
        (Type::StorageOperationFailed, Polarity::Negative),
        (Type::FetchFailed, Polarity::Negative),
        (Type::IncludeUnavailable, Polarity::Negative),
        (Type::ArtifactOutdated, Polarity::Negative),
        (Type::ArtifactInStorage, Polarity::Positive),
        (Type::SourceVerified, Polarity::Positive),
        (Type::Stalled, Polarity::Negative),
        (Type::Reconciling, Polarity::Negative),
    ]);
    /// OCIRepository.
    pub const OCI_REPOSITORY: Self = Self(&[
        (Type::StorageOperationFailed, Polarity::Negative),
        (Type::FetchFailed, Polarity::Negative),
        (Type::ArtifactOutdated, Polarity::Negative),
        (Type::ArtifactInStorage, Polarity::Positive),
        (Type::SourceVerified, Polarity::Positive),
        (Type::Stalled, Polarity::Negative),
        (Type::Reconciling, Polarity::Negative),
    ]);
    /// HelmChart.
    pub const HELM_CHART: Self = Self(&[
        (Type::StorageOperationFailed, Polarity::Negative),
        (Type::FetchFailed, Polarity::Negative),
        (Type::BuildFailed, Polarity::Negative),
        (Type::ArtifactOutdated, Polarity::Negative),
        (Type::ArtifactInStorage, Polarity::Positive),
        (Type::SourceVerified, Polarity::Positive),
        (Type::Stalled, Polarity::Negative),
        (Type::Reconciling, Polarity::Negative),
    ]);
    /// Bucket and HelmRepository.
    pub const BUCKET: Self = Self(&[
        (Type::StorageOperationFailed, Polarity::Negative),
        (Type::FetchFailed, Polarity::Negative),
        (Type::ArtifactOutdated, Polarity::Negative),
        (Type::ArtifactInStorage, Polarity::Positive),
        (Type::Stalled, Polarity::Negative),
        (Type::Reconciling, Polarity::Negative),
    ]);

    /// Polarity of a type in this scope.
    pub fn polarity(&self, type_: Type) -> Option<Polarity> {
        self.0.iter().find(|(other, _)| *other == type_).map(|(_, polarity)| *polarity)
    }

    /// The condition that decides the summary, with the status it gives to a positive one.
    ///
    /// True bad news beats false good news, then true good news, then false bad news, then anything unknown. Among equals
    /// the order of the scope decides.
    pub fn decide<'a>(&self, conditions: &'a Conditions) -> Option<(&'a Condition, Status)> {
        self.0
            .iter()
            .filter_map(|(type_, polarity)| {
                let condition = conditions.get(*type_)?;
                let (rank, status) = match (condition.status, polarity) {
                    (Status::True, Polarity::Negative) => (0, Status::False),
                    (Status::False, Polarity::Positive) => (1, Status::False),
                    (Status::True, Polarity::Positive) => (2, Status::True),
                    (Status::False, Polarity::Negative) => (3, Status::True),
                    (Status::Unknown, _) => (4, Status::Unknown),
                };
                Some((rank, condition, status))
            })
            // The first of equal rank wins, which `min_by_key` guarantees.
            .min_by_key(|(rank, _, _)| *rank)
            .map(|(_, condition, status)| (condition, status))
    }
}

impl Conditions {
    /// Sets `Ready` to the summary of the conditions in scope. Without any, `Ready` stays as it is.
    pub fn summarise(&mut self, scope: &Scope, stamp: Stamp) {
        if let Some((condition, status)) = scope.decide(self) {
            let (reason, message) = (condition.reason.clone(), condition.message.clone());
            self.set(Type::Ready, status, reason, message, stamp);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::Reason;
    use k8s_openapi::jiff::Timestamp;

    const STAMP: Stamp = Stamp { generation: 1, now: Timestamp::UNIX_EPOCH };

    /// Sets the given conditions, with their own type as message, and returns status and message of the summary.
    fn summary(given: &[(Type, Status)]) -> Option<(Status, String)> {
        let mut conditions = Conditions::default();
        for (type_, status) in given {
            conditions.set(*type_, *status, Reason::Progressing, type_.as_str(), STAMP);
        }
        conditions.summarise(&Scope::GIT_REPOSITORY, STAMP);
        conditions.get(Type::Ready).map(|ready| (ready.status, ready.message.clone()))
    }

    #[test]
    fn the_worst_news_decides() {
        use Status::{False, True, Unknown};
        for (given, expected) in [
            (vec![], None),
            (vec![(Type::Healthy, True)], None),
            (vec![(Type::FetchFailed, True), (Type::ArtifactInStorage, True)], Some((False, "FetchFailed"))),
            (vec![(Type::ArtifactInStorage, True)], Some((True, "ArtifactInStorage"))),
            (
                vec![(Type::ArtifactInStorage, True), (Type::SourceVerified, False)],
                Some((False, "SourceVerified")),
            ),
            (vec![(Type::Reconciling, True), (Type::SourceVerified, False)], Some((False, "Reconciling"))),
            (
                vec![(Type::Reconciling, True), (Type::ArtifactOutdated, True), (Type::FetchFailed, True)],
                Some((False, "FetchFailed")),
            ),
            (
                vec![(Type::ArtifactInStorage, True), (Type::SourceVerified, True)],
                Some((True, "ArtifactInStorage")),
            ),
            (
                vec![(Type::SourceVerified, True), (Type::ArtifactOutdated, False)],
                Some((True, "SourceVerified")),
            ),
            (
                vec![(Type::SourceVerified, Unknown), (Type::ArtifactOutdated, False)],
                Some((True, "ArtifactOutdated")),
            ),
            (vec![(Type::ArtifactInStorage, Unknown)], Some((Unknown, "ArtifactInStorage"))),
            (vec![(Type::Stalled, True), (Type::ArtifactInStorage, True)], Some((False, "Stalled"))),
        ] {
            let expected = expected.map(|(status, message): (Status, &str)| (status, message.to_owned()));
            assert_eq!(summary(&given), expected, "{given:?}");
        }
    }
}

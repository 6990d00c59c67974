//! Checks that conditions make sense to their readers. For tests.

use super::{Conditions, Polarity, Scope, Status, Type};

/// When the conditions were observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// After a run.
    AtRest,
    /// In the middle of a run.
    MidRun,
}

/// A rule that conditions break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Readers would draw a wrong conclusion.
    Error(String),
    /// Readers cope, but would be puzzled.
    Warning(String),
}

/// Checks the conditions and observed generation of an object of some generation. `scope` is what its `Ready` summarises,
/// if it summarises.
pub fn check(
    conditions: &Conditions,
    observed_generation: i64,
    generation: i64,
    scope: Option<&Scope>,
    moment: Moment,
) -> Vec<Violation> {
    let mut errors = Vec::new();
    let mut warnings = Vec::new();
    let ready_is = |status| conditions.get(Type::Ready).is_some_and(|ready| ready.status == status);

    if !conditions.has(Type::Ready) {
        errors.push("Ready is missing".to_owned());
    }
    if ready_is(Status::True) {
        let negative = scope.iter().flat_map(|scope| scope.0).filter(|(_, p)| *p == Polarity::Negative);
        for (type_, _) in negative.filter(|(type_, _)| conditions.is_true(*type_)) {
            errors.push(format!("{type_} is True while Ready is True"));
        }
    }
    for type_ in [Type::Reconciling, Type::Stalled] {
        let applies = type_ == Type::Stalled || moment == Moment::AtRest;
        if applies && conditions.is_true(type_) && !ready_is(Status::False) {
            errors.push(format!("{type_} is True while Ready is not False"));
        }
        if conditions.is_false(type_) {
            warnings.push(format!("{type_} is present with status False"));
        }
    }
    if conditions.has(Type::Reconciling) && conditions.has(Type::Stalled) {
        errors.push("Reconciling and Stalled are both present".to_owned());
    }
    if ready_is(Status::Unknown) && !conditions.is_true(Type::Reconciling) {
        errors.push("Ready is Unknown while Reconciling is not True".to_owned());
    }
    if observed_generation > generation {
        errors.push(format!("observed generation {observed_generation} is ahead of generation {generation}"));
    }
    if conditions.is_ready() {
        if observed_generation < generation {
            errors.push(format!(
                "ready at generation {generation} with observed generation {observed_generation}"
            ));
        }
        for condition in &conditions.0 {
            let own = condition.observed_generation;
            if own < generation || own != observed_generation {
                errors.push(format!(
                    "ready at generation {generation}, but {} is of generation {own}",
                    condition.type_
                ));
            }
        }
    }
    for condition in conditions.0.iter().filter(|condition| condition.observed_generation == 0) {
        warnings.push(format!("{} has no observed generation", condition.type_));
    }
    if let (Some(ready), Some((decisive, _))) =
        (conditions.get(Type::Ready), scope.and_then(|scope| scope.decide(conditions)))
        && (&ready.reason, &ready.message) != (&decisive.reason, &decisive.message)
    {
        warnings.push(format!("reason or message of Ready differs from that of {}", decisive.type_));
    }
    errors.into_iter().map(Violation::Error).chain(warnings.into_iter().map(Violation::Warning)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::{Reason, Stamp};
    use k8s_openapi::jiff::Timestamp;

    fn given(list: &[(Type, Status)]) -> Conditions {
        let mut conditions = Conditions::default();
        for (type_, status) in list {
            let stamp = Stamp { generation: 2, now: Timestamp::UNIX_EPOCH };
            conditions.set(*type_, *status, Reason::Progressing, "", stamp);
        }
        conditions
    }

    fn first(list: &[(Type, Status)], observed: i64, moment: Moment) -> Option<Violation> {
        check(&given(list), observed, 2, Some(&Scope::GIT_REPOSITORY), moment).into_iter().next()
    }

    #[test]
    fn each_rule_is_noticed() {
        use Status::{False, True, Unknown};
        use Type::{FetchFailed, Ready, Reconciling, Stalled};
        let error = |text: &str| Some(Violation::Error(text.to_owned()));
        let at_rest = Moment::AtRest;
        assert_eq!(first(&[(Ready, True)], 2, at_rest), None);
        assert_eq!(first(&[], 2, at_rest), error("Ready is missing"));
        assert_eq!(
            first(&[(Ready, True), (FetchFailed, True)], 2, at_rest),
            error("FetchFailed is True while Ready is True")
        );
        let working = [(Ready, Unknown), (Reconciling, True)];
        assert_eq!(first(&working, 1, Moment::MidRun), None);
        assert_eq!(first(&working, 1, at_rest), error("Reconciling is True while Ready is not False"));
        assert_eq!(
            first(&[(Ready, Unknown), (Stalled, True)], 2, Moment::MidRun),
            error("Stalled is True while Ready is not False")
        );
        assert_eq!(
            first(&[(Ready, False), (Stalled, True), (Reconciling, True)], 2, at_rest),
            error("Reconciling and Stalled are both present")
        );
        assert_eq!(
            first(&[(Ready, Unknown)], 1, Moment::MidRun),
            error("Ready is Unknown while Reconciling is not True")
        );
        assert_eq!(
            first(&[(Ready, False)], 3, at_rest),
            error("observed generation 3 is ahead of generation 2")
        );
        assert_eq!(
            first(&[(Ready, True)], 1, at_rest),
            error("ready at generation 2 with observed generation 1")
        );
        let mut old = given(&[(Ready, True)]);
        old.0[0].observed_generation = 1;
        assert_eq!(
            check(&old, 2, 2, None, at_rest),
            [Violation::Error("ready at generation 2, but Ready is of generation 1".into())]
        );
        assert_eq!(
            first(&[(Ready, True), (Stalled, False)], 2, at_rest),
            Some(Violation::Warning("Stalled is present with status False".into()))
        );
        let mut differs = given(&[(Ready, False), (FetchFailed, True)]);
        differs.0[0].message = "other".into();
        assert_eq!(
            check(&differs, 1, 2, Some(&Scope::GIT_REPOSITORY), at_rest),
            [Violation::Warning("reason or message of Ready differs from that of FetchFailed".into())]
        );
    }
}

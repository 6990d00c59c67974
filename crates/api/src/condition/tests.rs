use super::*;

fn stamp(generation: i64, second: i64) -> Stamp {
    Stamp { generation, now: Timestamp::new(second, 987_654_321).unwrap() }
}

fn types(conditions: &Conditions) -> Vec<&str> {
    conditions.0.iter().map(|condition| condition.type_.as_str()).collect()
}

#[test]
fn the_same_condition_for_a_new_generation_keeps_its_time() {
    let mut conditions = Conditions::default();
    conditions.mark_true(Type::Ready, Reason::Succeeded, "fine", stamp(1, 100));
    conditions.mark_true(Type::Ready, Reason::Succeeded, "fine", stamp(2, 200));
    assert_eq!(conditions.0[0].observed_generation, 2);
    assert_eq!(conditions.0[0].last_transition_time.0.as_second(), 100);
}

#[test]
fn a_new_message_or_reason_alone_moves_the_time() {
    let mut conditions = Conditions::default();
    conditions.mark_true(Type::Ready, Reason::Succeeded, "fine", stamp(1, 100));
    conditions.mark_true(Type::Ready, Reason::Succeeded, "still fine", stamp(1, 200));
    assert_eq!(serde_json::to_value(&conditions.0[0]).unwrap()["lastTransitionTime"], "1970-01-01T00:03:20Z");
    assert_eq!(conditions.0[0].last_transition_time.0.subsec_nanosecond(), 0);
    conditions.mark_true(Type::Ready, Reason::ReconciliationSucceeded, "still fine", stamp(1, 300));
    assert_eq!(conditions.0[0].last_transition_time.0.as_second(), 300);
}

#[test]
fn a_long_message_is_cut_at_a_character() {
    let mut conditions = Conditions::default();
    conditions.mark_false(Type::Ready, Reason::Failed, "x".repeat(40000), stamp(1, 1));
    assert_eq!(conditions.message(Type::Ready).len(), MESSAGE_LIMIT);
    assert!(conditions.message(Type::Ready).ends_with("x..."));

    // Three bytes a character: 32765 is a boundary only by chance, so shift by one.
    conditions.mark_false(Type::Ready, Reason::Failed, format!("x{}", "€".repeat(12000)), stamp(1, 1));
    let message = conditions.message(Type::Ready);
    assert!(message.len() <= MESSAGE_LIMIT && message.len() > MESSAGE_LIMIT - 4, "{}", message.len());
    assert!(message.ends_with("€..."));

    conditions.mark_false(Type::Ready, Reason::Failed, "x".repeat(MESSAGE_LIMIT), stamp(1, 1));
    assert!(!conditions.message(Type::Ready).ends_with("..."));
}

#[test]
fn the_list_is_sorted() {
    let mut conditions = Conditions::default();
    conditions.mark_true(Type::SourceVerified, Reason::Succeeded, "", stamp(1, 1));
    conditions.mark_true(Type::FetchFailed, Reason::Failed, "", stamp(2, 1));
    conditions.mark_true(Type::ArtifactInStorage, Reason::Succeeded, "", stamp(2, 1));
    conditions.mark_false(Type::Ready, Reason::Failed, "", stamp(1, 1));
    conditions.mark_reconciling(Reason::Progressing, "", stamp(1, 1));
    assert_eq!(
        types(&conditions),
        ["Reconciling", "Ready", "ArtifactInStorage", "FetchFailed", "SourceVerified"]
    );
}

#[test]
fn stalled_and_reconciling_exclude_each_other() {
    let mut conditions = Conditions::default();
    conditions.mark_reconciling(Reason::Progressing, "a", stamp(1, 1));
    conditions.mark_stalled(Reason::InvalidPath, "b", stamp(1, 1));
    assert_eq!(types(&conditions), ["Stalled"]);
    assert!(conditions.is_stalled() && !conditions.is_reconciling());
    conditions.mark_reconciling(Reason::Progressing, "a", stamp(1, 1));
    assert_eq!(types(&conditions), ["Reconciling"]);
    assert!(!conditions.is_stalled() && conditions.is_reconciling());
}

#[test]
fn ready_needs_more_than_the_ready_condition() {
    let mut conditions = Conditions::default();
    assert!(conditions.is_unknown(Type::Ready) && !conditions.is_ready());
    conditions.mark_true(Type::Ready, Reason::Succeeded, "", stamp(1, 1));
    assert!(conditions.is_ready());
    conditions.mark_reconciling(Reason::Progressing, "", stamp(1, 1));
    assert!(!conditions.is_ready());
    conditions.mark_stalled(Reason::InvalidPath, "", stamp(1, 1));
    assert!(!conditions.is_ready());
    conditions.delete(Type::Stalled);
    assert!(conditions.is_ready());
}

#[test]
fn progress_makes_ready_unknown_only_on_drift_or_doubt() {
    let mut conditions = Conditions::default();
    conditions.mark_progress(Drift::None, "started", stamp(1, 1));
    assert_eq!(
        (conditions.message(Type::Reconciling), conditions.message(Type::Ready)),
        ("started", "started")
    );
    assert!(conditions.is_unknown(Type::Ready) && conditions.has(Type::Ready));

    conditions.mark_true(Type::Ready, Reason::Succeeded, "stored", stamp(1, 1));
    conditions.mark_progress(Drift::None, "again", stamp(1, 1));
    assert!(conditions.is_true(Type::Ready));
    conditions.mark_progress(Drift::Found, "new revision", stamp(1, 1));
    assert_eq!(conditions.message(Type::Ready), "new revision");
    assert!(conditions.is_unknown(Type::Ready));
}

#[test]
fn foreign_conditions_survive() {
    let text = r#"[{"type":"example.com/Checked","status":"True","lastTransitionTime":"2026-01-01T00:00:00Z","reason":"R","message":""}]"#;
    let mut conditions: Conditions = serde_json::from_str(text).unwrap();
    conditions.mark_true(Type::Ready, Reason::Succeeded, "", stamp(1, 1));
    assert_eq!(types(&conditions), ["Ready", "example.com/Checked"]);
    assert_eq!(
        serde_json::to_value(&conditions.0[1]).unwrap(),
        serde_json::from_str::<serde_json::Value>(text).unwrap()[0]
    );
}

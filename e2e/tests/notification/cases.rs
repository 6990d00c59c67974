//! Which test shows which acceptance case of the specification, by their numbers. What is not a test on the real API server
//! is a test of the crate notification-controller; `flux: NAME` is the case of that name in its `tests/providers/cases.json`,
//! whose requests are compared with Flux's.

use std::path::Path;

const CASES: [(u8, &[&str]); 85] = [
    (1, &["an_event_is_delivered_once"]),
    (2, &["an_event_is_delivered_once", "a_window_ends"]),
    (3, &["an_event_is_delivered_once"]),
    (4, &["an_event_is_delivered_once"]),
    (5, &["bodies_are_limited_and_read_leniently"]),
    (6, &["bodies_are_limited_and_read_leniently"]),
    (7, &["an_event_for_nobody_counts_too"]),
    (8, &["bodies_are_limited_and_read_leniently"]),
    (9, &["windows_begin_with_the_first_occurrence", "a_window_ends"]),
    (10, &["without_alerts_an_event_is_accepted"]),
    (11, &["heads_are_limited", "slow_heads_are_given_up"]),
    (12, &["alerts_take_what_they_ask_for"]),
    (13, &["alerts_take_what_they_ask_for"]),
    (14, &["alerts_take_what_they_ask_for", "sources_match_by_kind_namespace_name_and_severity"]),
    (15, &["labels_are_those_of_the_object"]),
    (16, &["labels_have_to_be_equal"]),
    (17, &["alerts_take_what_they_ask_for"]),
    (18, &["alerts_take_what_they_ask_for"]),
    (19, &["alerts_take_what_they_ask_for"]),
    (20, &["alerts_take_what_they_ask_for"]),
    (21, &["events_of_other_namespaces_can_be_refused"]),
    (22, &["alerts_take_what_they_ask_for"]),
    (23, &["updates_go_to_commits_only"]),
    (24, &["updates_go_to_commits_only"]),
    (25, &["updates_go_to_commits_only"]),
    (26, &["metadata_is_merged_for_each_alert"]),
    (27, &["metadata_is_merged_for_each_alert"]),
    (28, &["metadata_is_merged_for_each_alert"]),
    (29, &["metadata_is_merged_for_each_alert"]),
    (30, &["metadata_is_merged_for_each_alert"]),
    (31, &["flux: generic-hmac info"]),
    (32, &["failing_servers_are_asked_again"]),
    (33, &["hanging_servers_are_given_up"]),
    (34, &["secrets_beat_specs", "providers_that_cannot_work_are_told"]),
    (35, &["secrets_beat_specs"]),
    (36, &["certificates_are_those_of_the_secret"]),
    (37, &["secrets_stay_secret"]),
    (38, &["slack_says_in_the_body_whether_it_worked", "flux: slack info"]),
    (39, &["flux: discord info", "flux: discord with slack at the end"]),
    (40, &["teams_has_two_kinds_of_cards"]),
    (41, &["metadata_is_merged_for_each_alert", "flux: alertmanager info"]),
    (42, &["flux: grafana info"]),
    (43, &["flux: pagerduty error", "flux: pagerduty info", "flux: pagerduty progressing"]),
    (44, &["telegram_escapes_and_finds_threads"]),
    (45, &["flux: matrix info"]),
    (46, &["an_alias_is_of_object_and_reason", "flux: opsgenie info"]),
    (47, &["providers_that_cannot_work_are_told"]),
    (48, &["flux: github said", "flux: github said otherwise"]),
    (49, &["providers_that_cannot_work_are_told", "flux: github origin"]),
    (50, &["flux: gitlab info"]),
    (51, &["flux: bitbucketserver info", "the_secret_beats_the_spec"]),
    (52, &["azure_devops_has_genres"]),
    (53, &["flux: gitea progressing", "flux: github progressing"]),
    (54, &["ids_come_from_the_object_or_the_expression", "providers_that_cannot_work_are_told"]),
    (55, &["providers_that_cannot_work_are_told"]),
    (56, &["flux: githubpullrequestcomment writes", "flux: githubpullrequestcomment edits"]),
    (57, &["a_revision_is_a_trace", "otel_skips_helm_repositories"]),
    (58, &["providers_that_cannot_work_are_told"]),
    (59, &["what_is_on_its_way_is_finished"]),
    (60, &["a_call_annotates_the_resources"]),
    (61, &["a_call_annotates_the_resources"]),
    (62, &["a_call_annotates_the_resources"]),
    (63, &["a_call_annotates_the_resources", "broken_receivers_keep_their_paths"]),
    (64, &["without_its_secret_a_receiver_is_not_ready", "broken_receivers_keep_their_paths"]),
    (65, &["calls_are_verified", "github_signs_the_body"]),
    (66, &["calls_are_verified"]),
    (67, &["calls_are_verified", "tokens_in_headers_are_equal_or_not"]),
    (68, &["calls_are_verified", "generic_calls_are_signed_with_any_of_three_hashes"]),
    (69, &["calls_are_verified"]),
    (70, &["calls_are_verified"]),
    (71, &["calls_are_verified", "pushes_reach_the_repository_of_their_tag"]),
    (72, &["tokens_of_a_trusted_issuer_are_believed", "only_the_keys_of_the_issuer_are_believed"]),
    (73, &["calls_are_verified"]),
    (74, &["resources_are_selected"]),
    (75, &["resources_are_selected"]),
    (76, &["other_namespaces_can_be_out_of_reach"]),
    (77, &["resources_are_selected", "bodies_are_objects_or_empty"]),
    (78, &["receivers_that_cannot_work_are_told", "broken_receivers_keep_their_paths"]),
    (79, &["receivers_that_cannot_work_are_told"]),
    (80, &["without_its_secret_a_receiver_is_not_ready", "flux_commands_work"]),
    (81, &["calls_are_verified", "flux_commands_work"]),
    (82, &["finalizers_come_and_go", "a_call_annotates_the_resources", "tokens_are_cached_and_counted"]),
    (83, &["finalizers_come_and_go"]),
    (84, &["bodies_are_limited_and_read_leniently"]),
    (85, &["two_replicas_share_the_work"]),
];

fn sources(folder: &Path, all: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

/// The table names tests that exist, and every case.
#[test]
fn every_case_has_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let controller = root.join("controllers/notification-controller");
    let mut code = String::new();
    sources(&root.join("e2e/tests/notification"), &mut code);
    sources(&controller.join("src"), &mut code);
    let compared = std::fs::read_to_string(controller.join("tests/providers/cases.json")).unwrap();
    for (index, (number, tests)) in CASES.iter().enumerate() {
        assert_eq!(usize::from(*number), index + 1);
        for test in *tests {
            let exists = match test.strip_prefix("flux: ") {
                Some(name) => compared.contains(&format!("\"{name}\"")),
                None => code.contains(&format!("fn {test}()")),
            };
            assert!(exists, "case {number}: there is no test {test}");
        }
    }
}

//! Which test shows which acceptance case of the specification, by their numbers. What is not a test on the real API server
//! is a test of the crate helm-controller or release. Those that need Flux's own programs run only when they are asked for.

const CASES: [(u8, &[&str]); 54] = [
    (1, &["a_release_is_installed_upgraded_and_uninstalled", "a_template_becomes_a_helm_chart"]),
    (2, &["a_release_is_installed_upgraded_and_uninstalled"]),
    (
        3,
        &[
            "releases_change_hands_without_an_upgrade",
            "snapshots_recognise_their_record",
            "records_have_the_digests_of_flux",
        ],
    ),
    (4, &["releases_change_hands_without_an_upgrade"]),
    (5, &["a_release_is_installed_upgraded_and_uninstalled"]),
    (6, &["a_release_is_installed_upgraded_and_uninstalled"]),
    (7, &["changes_of_what_is_rendered_are_upgrades"]),
    (8, &["changes_of_what_is_rendered_are_upgrades"]),
    (9, &["releases_of_others_are_taken_over"]),
    (10, &["releases_of_others_are_taken_over"]),
    (11, &["releases_of_others_are_taken_over"]),
    (12, &["an_action_that_was_cut_off_is_unlocked"]),
    (13, &["a_failed_installation_is_left_for_inspection"]),
    (14, &["a_failed_installation_is_remedied_and_tried_again"]),
    (15, &["a_failed_upgrade_is_rolled_back"]),
    (16, &["a_failed_upgrade_is_uninstalled"]),
    (17, &["there_is_nothing_to_return_to"]),
    (18, &["failures_can_be_tried_again_without_remedy"]),
    (19, &["a_failed_installation_is_left_for_inspection"]),
    (20, &["requests_force_and_reset"]),
    (21, &["values_at_paths_win_where_flux_lets_them"]),
    (22, &["values_come_from_other_objects"]),
    (23, &["values_come_from_other_objects"]),
    (24, &["values_come_from_other_objects"]),
    (25, &["a_tag_that_is_pushed_again_is_an_upgrade", "digests_can_be_left_out_of_versions"]),
    (26, &["a_tag_has_to_be_the_version"]),
    (27, &["releases_wait_for_each_other"]),
    (28, &["releases_wait_for_each_other"]),
    (29, &["sources_of_other_namespaces_can_be_out_of_bounds"]),
    (30, &["charts_that_cannot_be_had"]),
    (31, &["charts_that_cannot_be_had"]),
    (32, &["a_release_moves_to_another_namespace"]),
    (33, &["a_chart_gets_another_name"]),
    (34, &["long_names_are_shortened", "long_names_keep_their_beginning"]),
    (35, &["definitions_and_their_objects"]),
    (36, &["drift_is_told_and_corrected"]),
    (37, &["drift_is_told_and_corrected"]),
    (38, &["tests_run_after_an_action"]),
    (39, &["tests_run_after_an_action"]),
    (40, &["waits_and_ways_of_writing"]),
    (41, &["a_failed_installation_is_left_for_inspection", "a_failed_job_ends_the_wait"]),
    (42, &["definitions_and_their_objects"]),
    (43, &["rest_and_the_end"]),
    (44, &["rest_and_the_end"]),
    (45, &["releases_are_made_as_their_account", "a_release_lives_in_another_cluster"]),
    (46, &["releases_are_made_as_their_account"]),
    (47, &["an_action_that_was_cut_off_is_unlocked", "a_controller_killed_at_any_write_reaches_its_goal"]),
    (48, &["waits_and_ways_of_writing"]),
    (49, &["flux_commands_work", "flux_commands_say_the_same_of_both_controllers"]),
    (50, &["events_are_posted"]),
    (51, &["two_hundred_releases_at_rest"]),
    (52, &["repeated_lines_are_counted_and_old_ones_dropped"]),
    (53, &["long_messages_are_cut"]),
    (54, &["old_records_are_deleted"]),
];

/// The table names tests that exist, and every case.
#[test]
fn every_case_has_its_test() {
    let folders = ["e2e/tests/helm_release", "controllers/helm-controller/src", "crates/release/src"];
    testkit::cases::all_have_tests(&CASES, &folders, |_| false).unwrap();
}

//! The conformance corpus, when it lies next to this repository.

#![allow(dead_code, reason = "the example uses more of the shared modules")]

#[path = "../examples/conformance/case.rs"]
mod case;
#[path = "../examples/conformance/corpus.rs"]
mod corpus;

use std::path::Path;

#[test]
fn every_case_is_equal_or_listed_with_a_reason() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/kustomize");
    if !dir.is_dir() {
        eprintln!("skipped: there is no {}", dir.display());
        return;
    }
    let report = corpus::run(&dir, "");
    let names: Vec<&str> = report.failures.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.is_empty(), "these differ and are not in known-differences.txt: {names:#?}");
    assert!(
        report.healed.is_empty(),
        "equal now; take them out of known-differences.txt: {:#?}",
        report.healed
    );
    assert!(report.total().equal > 0, "no case was found in {}", dir.display());
}

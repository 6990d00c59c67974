//! Every chart of the conformance data renders as Helm rendered it, to the byte.

#[path = "../examples/charts/cases.rs"]
mod cases;

use std::path::Path;

use cases::Verdict;

#[test]
fn charts_render_as_helm_renders_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/helm/charts");
    if !folder.is_dir() {
        println!("skipped: {} is not there", folder.display());
        return;
    }
    let cases = cases::read(&folder).unwrap();
    assert!(!cases.is_empty(), "no cases in {}", folder.display());
    let mut problems = Vec::new();
    for case in &cases {
        match case.run() {
            Ok(Verdict::Equal) => {}
            Ok(Verdict::Different(what)) => problems.push(format!("{}: {what}", case.name)),
            Err(problem) => problems.push(format!("{}: {problem}", case.name)),
        }
    }
    assert!(problems.is_empty(), "{} of {} differ:\n{}", problems.len(), cases.len(), problems.join("\n"));
}

//! The small templates of the conformance data render as Helm rendered them, to the byte.

#[path = "../examples/functions/cases.rs"]
mod cases;

use std::path::Path;

#[test]
fn templates_render_as_helm_renders_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/helm/functions");
    if !folder.is_dir() {
        println!("skipped: {} is not there", folder.display());
        return;
    }
    let (mut ran, mut problems) = (0, Vec::new());
    for path in cases::files(&folder).unwrap() {
        for case in cases::read(&path).unwrap() {
            ran += 1;
            let outcome = cases::run(&case);
            let different = cases::judge(&case, &outcome).iter().position(|same| !same);
            let name = case["name"].as_str().unwrap_or_default();
            if different.is_some() {
                problems.push(format!(
                    "{name}: wanted {}\n  found {}",
                    case["expect"],
                    cases::record(&case, &outcome)
                ));
            }
        }
    }
    assert!(ran > 1000, "{ran} cases in {}", folder.display());
    assert!(problems.is_empty(), "{} of {ran} differ:\n{}", problems.len(), problems.join("\n"));
}

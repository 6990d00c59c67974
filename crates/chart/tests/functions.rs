//! The small templates of the conformance data render as Helm rendered them, to the byte, but for those listed.

#[path = "../examples/functions/cases.rs"]
mod cases;

use std::path::Path;

/// Cases that differ, with the first level at which they do. The reasons stand in `known-differences.txt`.
const KNOWN: [(&str, usize); 4] =
    [("print/yaml-int-keys", 3), ("fromyaml-04", 1), ("fromyaml-10", 1), ("fromyaml-24", 1)];

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
            let known = KNOWN.iter().find(|(known, _)| *known == name).map(|(_, level)| level - 1);
            if different != known {
                problems.push(format!(
                    "{name}: wanted {}\n  found {}",
                    case["expect"],
                    cases::record(&case, &outcome)
                ));
            }
        }
    }
    assert!(ran > 1000, "{ran} cases in {}", folder.display());
    assert!(
        problems.is_empty(),
        "{} of {ran} differ otherwise than known:\n{}",
        problems.len(),
        problems.join("\n")
    );
}

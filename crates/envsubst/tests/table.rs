//! Every answer of Flux's engine (github.com/fluxcd/pkg/envsubst 1.8.0), recorded in `table.json`.

use envsubst::{Error, Unset, Variables, substitute};
use proptest::prelude::*;

/// Where a result of upstream is not UTF-8, this crate cuts whole characters or refuses. Nothing else may differ.
#[test]
fn answers_match_upstream() {
    let table: serde_json::Value = serde_json::from_str(include_str!("table.json")).unwrap();
    let mut variables = Variables::new();
    for (name, value) in table["variables"].as_object().unwrap() {
        variables.insert(name, value.as_str().unwrap());
    }
    let mut differences = Vec::new();
    let cases = table["cases"].as_array().unwrap();
    for case in cases {
        let text = case["text"].as_str().unwrap();
        for (mode, unset) in [("strict", Unset::Refused), ("loose", Unset::Empty)] {
            let expected = &case[mode];
            let found = substitute(text, &variables, unset);
            let same = match (&found, expected["ok"].as_str(), expected["error"].as_str()) {
                // A character that upstream cut is whole here.
                (Ok(found), Some(ok), _) if ok.contains('\u{fffd}') => {
                    ok.trim_end_matches('\u{fffd}') == found
                }
                (Ok(found), Some(ok), _) => found == ok,
                (Err(error), _, Some(text)) => {
                    // Flux puts a prefix before this one only, which the enum's text has built in.
                    error.to_string().trim_start_matches("variable substitution failed: ") == text
                }
                (Err(Error::NotText), None, None) => true,
                (Ok(found), None, None) => found.len() < expected["bytes"].as_str().unwrap().len() / 2,
                _ => false,
            };
            if !same {
                differences.push(format!("{text:?} {mode}: expected {expected}, found {found:?}"));
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{} of {} differ:\n{}",
        differences.len(),
        cases.len(),
        differences.join("\n")
    );
}

proptest! {
    #[test]
    fn no_text_panics_or_grows_without_end(text in "[$]?[{]?[a-c#%/:=^,*?\\[\\]\\\\$}{é-]{0,40}", value in ".{0,20}") {
        let mut variables = Variables::new();
        variables.insert("a", &value);
        variables.insert("b", "");
        for unset in [Unset::Refused, Unset::Empty] {
            let _ = substitute(&text, &variables, unset);
        }
    }

    #[test]
    fn text_without_dollars_is_left_alone(text in "[^$\0]{0,200}") {
        prop_assert_eq!(substitute(&text, &Variables::new(), Unset::Refused), Ok(text));
    }
}

#[test]
fn nesting_is_limited() {
    let deep = format!("{}x{}", "${a:=".repeat(10_000), "}".repeat(10_000));
    assert_eq!(substitute(&deep, &Variables::new(), Unset::Refused), Err(Error::TooDeep));
}

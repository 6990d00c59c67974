//! Differences that are known, each with its reason; ../../known-differences.txt lists them.

use crate::case::Case;

/// Why it is known that the programs differ here, if it is.
pub fn known(
    case: &Case,
    theirs: &Result<String, String>,
    ours: &Result<String, String>,
) -> Option<&'static str> {
    let any_file = |holds: &dyn Fn(&str) -> bool| case.files.iter().any(|(_, content)| holds(content));
    let by_validator =
        |answer: &Result<String, String>| answer.as_ref().is_err_and(|error| error.contains("validator"));
    if by_validator(theirs) != by_validator(ours) && any_file(&|content| content.contains("validated-by")) {
        return Some(
            "a built-in validator sets the label validated-by, and kustomize compares the style of the others",
        );
    }
    if let (Ok(theirs), Ok(ours)) = (theirs, ours)
        && theirs.replace("apiVersion: \"\"", "apiVersion: null") == *ours
    {
        return Some(
            "no apiVersion in an item of a list that is not a List, which a patch with a target makes empty",
        );
    }
    let Err(error) = theirs else { return None };
    if error.contains("panic: runtime error") || error.contains("panic: interface conversion") {
        return Some("kustomize crashes");
    }
    // It quotes the object that it has written and tries to read again.
    let unreadable = error.contains("map[string]interface {}{")
        && ["could not find expected ':'", "invalid map key", "did not find expected ',' or '}'"]
            .iter()
            .any(|cause| error.contains(cause));
    if unreadable && ours.is_ok() && any_file(&|content| content.contains('#')) {
        return Some("kustomize cannot read what it has written: a comment next to an empty `{}` or `[]`");
    }
    None
}

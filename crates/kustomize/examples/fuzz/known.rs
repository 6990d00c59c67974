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
        && any_file(&|content| content.contains('{') || content.contains("List"))
        && empty_as_null(theirs, ours)
    {
        return Some(
            "an empty text that is put into a collection in braces, or an item of a list that is not a List",
        );
    }
    if let (Ok(theirs), Ok(ours)) = (theirs, ours)
        && comments(case).iter().any(|comment| theirs.replacen(comment, "", 1) == *ours)
    {
        return Some("the comment behind the source of a replacement goes into the YAML in a string with it");
    }
    let Err(error) = theirs else { return None };
    if error.contains("panic: runtime error")
        || error.contains("panic: interface conversion")
        || error.contains("program died")
    {
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

/// Whether the outputs are equal but for fields of which one is `""` in theirs and null in ours.
fn empty_as_null(theirs: &str, ours: &str) -> bool {
    let empty = |theirs: &str, ours: &str| {
        theirs.strip_suffix("\"\"").is_some_and(|field| ours.strip_suffix("null") == Some(field))
    };
    theirs.lines().count() == ours.lines().count()
        && theirs.lines().zip(ours.lines()).all(|(theirs, ours)| theirs == ours || empty(theirs, ours))
}

/// The comments of the case, with a space in front of each, that do not stand in a string.
fn comments(case: &Case) -> Vec<String> {
    let behind =
        |line: &str| line.find(" #").and_then(|at| line.get(at..)).map(|text| text.trim_end().to_owned());
    let mut found: Vec<String> =
        case.files.iter().flat_map(|(_, content)| content.lines().filter_map(behind)).collect();
    let documents = case.files.iter().filter_map(|(_, content)| {
        yaml::read_documents(content.as_bytes(), &yaml::ReadLimits::default()).ok()
    });
    for document in documents.flatten() {
        found.retain(|comment| !in_a_string(&document, comment.trim_start()));
    }
    found
}

fn in_a_string(value: &yaml::Value, text: &str) -> bool {
    match value {
        yaml::Value::Scalar(scalar) => scalar.text().contains(text),
        yaml::Value::Seq(items) => items.iter().any(|item| in_a_string(item, text)),
        yaml::Value::Map(map) => map.values().any(|item| in_a_string(item, text)),
    }
}

//! Semantic versions.

use super::fail;

/// A version as semver.org has it: three numbers, a pre-release, a build.
pub(super) fn semver(text: &str) -> Result<(), String> {
    let (text, build) = cut(text, '+');
    if let Some(build) = build {
        if build.is_empty() {
            return fail("build is empty");
        }
        for part in build.split('.') {
            identifier(part, "build")?;
        }
    }
    let (core, before) = cut(text, '-');
    for part in before.into_iter().flat_map(|before| before.split('.')) {
        identifier(part, "pre-release")?;
        if part.len() > 1 && part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit()) {
            return fail("pre-release numeric identifier starts with zero");
        }
    }
    let numbers: Vec<&str> = core.split('.').collect();
    if numbers.len() != 3 {
        return fail("versionCore must have 3 numbers separated by dot");
    }
    for (name, number) in ["major", "minor", "patch"].into_iter().zip(numbers) {
        if number.is_empty() {
            return fail(format!("{name} is empty"));
        }
        if number.len() > 1 && number.starts_with('0') {
            return fail(format!("{name} starts with zero"));
        }
        if !number.bytes().all(|b| b.is_ascii_digit()) {
            return fail(format!("{name} contains non-digit"));
        }
    }
    Ok(())
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, behind)| (before, Some(behind)))
}

fn identifier(text: &str, kind: &str) -> Result<(), String> {
    if text.is_empty() {
        return fail(format!("{kind} identifier is empty"));
    }
    match text.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
        Some(c) => fail(format!("invalid character {} in {kind} identifier", quoted(c))),
        None => Ok(()),
    }
}

/// A character as Go quotes it.
fn quoted(c: char) -> String {
    match c {
        '\'' => "'\\''".to_owned(),
        '"' => "'\"'".to_owned(),
        c => format!("'{}'", gotemplate::quote(c.encode_utf8(&mut [0; 4]).as_bytes()).trim_matches('"')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_three_numbers() {
        for text in ["0.1.2", "1.0.0-alpha.1+b-1.007", "1.2.3-x-y"] {
            assert_eq!(semver(text), Ok(()), "{text}");
        }
        for (text, problem) in [
            ("1.2", "versionCore must have 3 numbers separated by dot"),
            ("1..3", "minor is empty"),
            ("01.2.3", "major starts with zero"),
            ("1.2.x", "patch contains non-digit"),
            ("1.2.3-", "pre-release identifier is empty"),
            ("1.2.3-01", "pre-release numeric identifier starts with zero"),
            ("1.2.3+", "build is empty"),
            ("1.2.3+a_b", "invalid character '_' in build identifier"),
        ] {
            assert_eq!(semver(text).unwrap_err(), problem, "{text}");
        }
    }
}

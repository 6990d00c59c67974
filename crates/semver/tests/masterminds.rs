//! Holds our decisions equal to those of the Go library, as printed by `hack/tools/cmd/semver-table`.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use semver::{Constraint, Version};

const TABLE: &str = include_str!("masterminds.tsv");

/// A string as Go's `%q` writes it; the table uses no other escapes.
fn unquoted(text: &str) -> String {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).expect("a quoted string");
    inner.replace("\\t", "\t").replace("\\n", "\n").replace("\\\"", "\"")
}

fn rows(kind: &str) -> Vec<Vec<&'static str>> {
    let rows = TABLE.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    rows.filter(|row| row[0] == kind).map(|row| row[1..].to_vec()).collect()
}

fn versions() -> Vec<Version> {
    rows("versions")[0][0].split(' ').map(|text| Version::parse(text).expect("a version")).collect()
}

#[test]
fn every_constraint_decides_as_go_does() {
    let versions = versions();
    let mut wrong = Vec::new();
    let mut answers = 0;
    for row in rows("constraint") {
        let text = unquoted(row[0]);
        let constraint = Constraint::parse(&text);
        if row[1] == "e" || constraint.is_err() {
            answers += 1;
            if (row[1] == "e") != constraint.is_err() {
                wrong.push(format!("{text:?}: go {:.1}, here {constraint:?}", row[1]));
            }
            continue;
        }
        let constraint = constraint.expect("checked above");
        for (version, letter) in versions.iter().zip(row[1].chars()) {
            answers += 1;
            if constraint.check(version) != (letter == 'y') {
                wrong.push(format!("{text:?} on {}: go says {letter}", version.original()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {answers} answers differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(answers > 9_000, "only {answers} answers were compared");
}

#[test]
fn every_pair_is_ordered_as_go_orders_it() {
    let versions = versions();
    for (version, row) in versions.iter().zip(rows("compare")) {
        for (other, letter) in versions.iter().zip(row[1].chars()) {
            let expected = match letter {
                '<' => std::cmp::Ordering::Less,
                '=' => std::cmp::Ordering::Equal,
                _ => std::cmp::Ordering::Greater,
            };
            assert_eq!(version.cmp(other), expected, "{} to {}", version.original(), other.original());
        }
    }
}

#[test]
fn every_text_is_a_version_or_not_as_in_go() {
    let shown =
        |result: Result<Version, semver::Error>| result.map_or("e".to_owned(), |version| version.to_string());
    for row in rows("parse") {
        let text = unquoted(row[0]);
        assert_eq!(shown(Version::parse(&text)), row[1], "{text:?}");
        assert_eq!(shown(Version::parse_strict(&text)), row[2], "{text:?}, strictly");
    }
}

#[test]
fn limits_hold() {
    assert!(Constraint::parse(&"1 ".repeat(257)).is_err());
    assert!(Constraint::parse(&["1"; 33].join("||")).is_err());
    assert!(Constraint::parse(&["1"; 32].join("||")).is_ok());
    assert!(Version::parse(&format!("1.2.3-{}", "a".repeat(300))).is_err());
}

#[test]
fn tags_are_strict_versions_after_an_optional_v() {
    assert_eq!(Version::parse_tag("v1.2.3").expect("a version").original(), "v1.2.3");
    assert!(Version::parse_tag("1.2.3+b").is_ok());
    assert!(Version::parse_tag("v1.2").is_err());
    assert!(Version::parse_tag("vv1.2.3").is_err());
}

//! Holds our decisions equal to those of go-git's matcher as Flux uses it (`fluxcd/pkg/sourceignore` 0.18). A row of the
//! table is: the kind of rules, the directory of an ignore file, its text, `spec.ignore`, and a letter for each path.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use sourceignore::Rules;

const TABLE: &str = include_str!("go-git.tsv");

/// A string as Go's `%q` writes it.
fn unquoted(text: &str) -> String {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).expect("a quoted string");
    let mut result = String::new();
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        result.push(match character {
            '\\' => match characters.next().expect("an escaped character") {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                other @ ('\\' | '"') => other,
                other => panic!("escape {other}"),
            },
            other => other,
        });
    }
    result
}

#[test]
fn every_path_is_decided_as_go_git_does() {
    let mut rows = TABLE.lines();
    let paths: Vec<String> = rows.next().expect("paths").split('\t').skip(1).map(unquoted).collect();
    let mut wrong = Vec::new();
    let mut answers = 0;
    for row in rows {
        let cells: Vec<&str> = row.split('\t').collect();
        let (directory, text, spec) = (unquoted(cells[1]), unquoted(cells[2]), unquoted(cells[3]));
        let file = [(directory, text.into_bytes())];
        let rules = match cells[0] {
            "plain" => Rules::without_defaults(&file, Some(&spec)),
            _ => Rules::new(&file, Some(&spec)),
        };
        for (path, letter) in paths.iter().zip(cells[4].chars()) {
            answers += 1;
            if rules.ignores(path.trim_end_matches('/'), path.ends_with('/')) != (letter == 'y') {
                wrong.push(format!("{row:.60}: {path:?}: go says {letter}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {answers} answers differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(answers > 30_000, "only {answers} answers were compared");
}

#[test]
fn files_are_ordered_by_directory_whatever_order_they_come_in() {
    let file = |directory: &str, text: &str| (directory.to_owned(), text.as_bytes().to_vec());
    // As strings, `a-b` stands before `a/c`; as directories, after all of `a`.
    let forwards = [file("", "*.md"), file("a", "!x.md"), file("a/c", "x.md"), file("a-b", "!x.md")];
    let mut backwards = forwards.clone();
    backwards.reverse();
    for files in [&forwards, &backwards] {
        let rules = Rules::new(files, None);
        assert!(rules.ignores("x.md", false));
        assert!(!rules.ignores("a/x.md", false));
        assert!(rules.ignores("a/c/x.md", false));
        assert!(!rules.ignores("a-b/x.md", false));
    }
    assert!(!Rules::new(&forwards, Some("!*.md")).ignores("x.md", false));
}

#[test]
fn the_defaults_go_with_the_first_own_pattern() {
    let none = Rules::new(&[], None);
    let comment = Rules::new(&[(String::new(), b"# nothing\n".to_vec())], Some(""));
    let own = Rules::new(&[], Some("foo"));
    for path in [".github/x.yaml", "a.png", "x/.sops.yaml"] {
        assert!(none.ignores(path, false) && comment.ignores(path, false), "{path}");
        assert!(!own.ignores(path, false), "{path}");
    }
    assert!(own.ignores(".git/config", false));
    assert!(!Rules::without_defaults(&[], None).ignores(".git/config", false));
}

//! Tables of acceptance cases: which tests show which case of a specification.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use plane::places;

/// Checks that a table has every case from 1 on in order, and that each of its tests exists: as a function in the Rust
/// code of one of the folders (from the root of the checkout), or as `elsewhere` knows.
///
/// # Errors
/// What is missing; a folder that cannot be read.
pub fn all_have_tests(
    cases: &[(u8, &[&str])],
    folders: &[&str],
    elsewhere: impl Fn(&str) -> bool,
) -> Result<()> {
    let mut code = String::new();
    for folder in folders {
        gather(&places::root().join(folder), &mut code)?;
    }
    for ((number, tests), wanted) in cases.iter().zip(1..) {
        ensure!(*number == wanted, "case {number} stands where {wanted} should");
        ensure!(!tests.is_empty(), "case {number} has no test");
        for test in *tests {
            ensure!(
                code.contains(&format!("fn {test}()")) || elsewhere(test),
                "case {number}: there is no test {test}"
            );
        }
    }
    Ok(())
}

fn gather(folder: &Path, code: &mut String) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            gather(&path, code)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            code.push_str(&fs::read_to_string(path)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_may_not_name_what_is_not_there() {
        let check = |cases: &[(u8, &[&str])]| {
            all_have_tests(cases, &["crates/testkit/src"], |name| name == "elsewhere")
        };
        assert!(check(&[(1, &["a_table_may_not_name_what_is_not_there"]), (2, &["elsewhere"])]).is_ok());
        assert!(check(&[(1, &[concat!("not", "_here")])]).is_err());
        assert!(check(&[(2, &["elsewhere"])]).is_err());
        assert!(check(&[(1, &[])]).is_err());
    }
}

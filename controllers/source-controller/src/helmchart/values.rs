//! Values files merged into one.

use super::build::{Problem, Step};

/// Merges values files, a later one over an earlier one, and tells which there were. `find` gives the values in a file;
/// `None` when there is no such file, and `missing` says so.
pub(super) fn merge(
    files: &[String],
    ignore_missing: bool,
    find: impl Fn(&str) -> Result<Option<chart::Table>, String>,
    missing: impl Fn(&str) -> String,
) -> Result<(chart::Table, Vec<String>), Problem> {
    let (mut merged, mut found) = (chart::Table::new(), Vec::new());
    for file in files {
        match find(file).map_err(|why| Step::Values.failed(why))? {
            Some(values) => {
                merged = chart::overlay(merged, values);
                found.push(file.clone());
            }
            None if ignore_missing => {}
            None => return Err(Step::Values.failed(missing(file))),
        }
    }
    Ok((merged, found))
}

/// Reads the values in a file.
pub(super) fn read(file: &str, text: &[u8]) -> Result<chart::Table, String> {
    chart::read_first_values(text)
        .map_err(|error| format!("unmarshaling values from '{file}' failed: {error}"))
}

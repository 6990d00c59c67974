//! Names of releases.

use crate::error::Error;

/// Checks the name of a release: up to 53 bytes of labels joined by dots.
///
/// # Errors
/// Helm's text.
///
/// ```
/// assert!(chart::check_release_name("shop-1.eu").is_ok());
/// assert!(chart::check_release_name("Shop").is_err());
/// ```
pub fn check_release_name(name: &str) -> Result<(), Error> {
    const PATTERN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
    if name.is_empty() {
        return Err(Error::Values("no name provided".to_owned()));
    }
    let alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let label = |label: &str| {
        let bytes = label.as_bytes();
        bytes.first().is_some_and(alphanumeric)
            && bytes.last().is_some_and(alphanumeric)
            && bytes.iter().all(|b| alphanumeric(b) || *b == b'-')
    };
    if name.len() <= 53 && name.split('.').all(label) {
        return Ok(());
    }
    Err(Error::Values(format!(
        "invalid release name, must match regex {PATTERN} and the length must not be longer than 53"
    )))
}

//! Names of releases.

use gotemplate::{Parsed, Value};
use sprig::{Options, Scope, Templates};

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

/// The name of a release from a template of its own, as `--name-template` has it: without values. `now` and `seed` are those of
/// [`Options::new`].
///
/// # Errors
/// The words of the template's error; or the system's, if there can be no thread.
///
/// ```
/// assert_eq!(chart::name_from_template("{{ upper \"a\" | lower }}-1", 0, [7; 32]).unwrap(), "a-1");
/// ```
pub fn name_from_template(text: &str, now: i128, seed: [u8; 32]) -> Result<String, Error> {
    const NAME: &str = "name-template";
    let failed = |error: &dyn std::fmt::Display| Error::Render(error.to_string());
    Parsed::new(NAME, text, sprig::functions()).map_err(|error| failed(&error))?;
    let templates = Templates::compile([(NAME, text.as_bytes())]).map_err(|error| failed(&error))?;
    let rendered = sprig::with_stack(|| {
        let scope = |_: &str| Scope { context: Value::Nil, base_path: String::new() };
        templates.render(scope, Options::new(now, seed))
    });
    let mut texts = rendered.map_err(|error| Error::Render(error.to_string()))?;
    Ok(gotemplate::lossy(&texts.remove(NAME).unwrap_or_default()).into_owned())
}

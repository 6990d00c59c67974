use thiserror::Error as ThisError;

/// What can be wrong with an object or with text that names one.
#[derive(Debug, ThisError, PartialEq, Eq)]
pub enum Error {
    /// The value is not a mapping or lacks one of the fields that make an object.
    #[error("{object}: {field} is missing or not a string")]
    MissingField {
        /// What is known of the object: `Kind/ns/name`, or `object` when nothing is.
        object: String,
        /// The field's path.
        field: &'static str,
    },
    /// An inventory id without its three separators.
    #[error("invalid inventory id '{0}': expected <namespace>_<name>_<group>_<kind>")]
    InventoryId(String),
    /// A stage entry that is not `group/Kind`.
    #[error("invalid custom apply stage kind '{0}': expected group/Kind")]
    StageKind(String),
    /// A label selector that does not parse.
    #[error("invalid label selector '{selector}': cannot read '{part}'")]
    Selector {
        /// The whole text.
        selector: String,
        /// The requirement at fault.
        part: String,
    },
}

//! Pieces of OpenAPI schema that the derive cannot express, and the predicates that keep empty fields out of JSON.

use schemars::{Schema, SchemaGenerator, json_schema};

/// A duration whose unit may be hours.
pub(crate) const DURATION_PATTERN: &str = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$";
/// A duration without hours: Flux allows none in the timeouts of sources and providers.
const TIMEOUT_PATTERN: &str = r"^([0-9]+(\.[0-9]+)?(ms|s|m))+$";

/// Schema of a timeout of a source or provider.
pub(crate) fn timeout(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": TIMEOUT_PATTERN})
}

/// Schema of a plain string, where the Rust type says more than the API does.
pub(crate) fn string(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string"})
}

/// Schema of an integer whose width the API does not say.
pub(crate) fn int(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer"})
}

/// `true` when a boolean has its default, so that it is left out of JSON.
pub(crate) fn is_false(value: &bool) -> bool {
    !*value
}

/// `true` when a number has its default, so that it is left out of JSON.
pub(crate) fn is_zero(value: &i64) -> bool {
    *value == 0
}

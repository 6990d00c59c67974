//! YAML read and written as Go's YAML does.

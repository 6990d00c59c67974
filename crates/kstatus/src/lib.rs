//! The health of an object, by kind.

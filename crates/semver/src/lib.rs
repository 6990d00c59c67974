//! Version ranges in the Masterminds dialect.

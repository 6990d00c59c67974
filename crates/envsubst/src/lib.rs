//! Variable substitution as Flux does it.

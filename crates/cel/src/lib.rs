//! CEL expressions of Flux objects.

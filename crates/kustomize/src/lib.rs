//! kustomize build as a pure library.

//! kustomize-controller
fn main() {}

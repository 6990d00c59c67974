//! kustomize-controller: builds Kustomizations and keeps clusters equal to them.

mod kustomization;

fn main() {}

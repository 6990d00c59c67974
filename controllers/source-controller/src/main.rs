//! source-controller
fn main() {}

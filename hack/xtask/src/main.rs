//! Developer commands of Millrace.
fn main() {}

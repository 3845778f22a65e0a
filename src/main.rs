//! The `clawback` binary.
fn main() {}

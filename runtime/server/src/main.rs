//! The `lavka` binary.

fn main() {}

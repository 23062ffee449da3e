//! Lines for the person who waits.

use std::io::Write as _;

/// Writes one line to standard error.
///
/// Written to the stream itself rather than by `eprintln!`, which the test harness captures: whoever runs
/// `cargo test` should see why nothing moves for some seconds. A closed stream is no reason to fail a test.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "testkit: {line}");
}

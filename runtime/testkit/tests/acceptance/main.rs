//! The suite finds what it is there to find: plugins with one flaw each, of which the right rule complains.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails, fails its test; a flaw may be a panic"
)]

mod flawed_converter;
mod flawed_sink;
mod flawed_source;
mod flawed_transform;

use lavka_testkit::acceptance::Report;

/// The rules that were broken, each once, in order.
fn broken(report: &Report) -> Vec<&'static str> {
    let mut rules: Vec<&'static str> = report.faults().iter().map(|fault| fault.rule).collect();
    rules.dedup();
    rules
}

#[test]
fn a_report_fails_the_test_with_every_fault() {
    let report = flawed_source::suite("spins").check();
    let panic = std::panic::catch_unwind(|| report.assert_clean()).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.starts_with("org.example.FlawedSource: 1 faults by "), "{text}");
    assert!(text.contains("\n- an idle poll waits: poll returned "), "{text}");
}

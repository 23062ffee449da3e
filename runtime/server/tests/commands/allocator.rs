//! The allocator of the whole process, librdkafka included, and what it was built with: runtime/adr/0004.

use std::process::Command;

#[test]
#[cfg(target_os = "linux")]
fn what_was_freed_is_given_back_soon() {
    // The name without a prefix is read by an allocator that serves `malloc` too.
    let output = Command::new(env!("CARGO_BIN_EXE_lavka"))
        .arg("--version")
        .env("MALLOC_CONF", "stats_print:true")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("opt.dirty_decay_ms: 1000 "), "{told}");
}

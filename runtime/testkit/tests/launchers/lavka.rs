//! The process launcher, with a shell in the place of the executable.

use lavka_testkit::LavkaCommand;

use crate::LONG;

fn shell(script: &str) -> LavkaCommand {
    LavkaCommand::new(["-c", script]).program("/bin/sh")
}

#[test]
fn a_command_is_run_to_its_end_with_input_environment_and_folder() {
    let folder = lavka_testkit::temp_dir();
    let output = shell("cat; echo $WORD; pwd; echo bad >&2; exit 2")
        .input("in\n")
        .env("WORD", "out")
        .directory(folder.path())
        .output();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(output.stdout, format!("in\nout\n{}\n", folder.path().display()));
    assert_eq!(output.stderr, "bad\n");
}

#[test]
fn a_started_process_is_watched_by_its_log_and_stopped_by_sigterm() {
    let mut process = shell("trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done").start();
    process.wait_for_log("ready", LONG);
    assert!(process.is_running());
    assert!(process.resident_bytes() > 0);
    assert!(process.stop().success());
    assert!(!process.is_running());
    assert_eq!(process.log(), "ready\n");
}

#[test]
fn a_killed_process_had_no_time_to_say_goodbye() {
    let mut process = shell("trap 'echo bye' EXIT TERM; echo ready; while :; do sleep 0.05; done").start();
    process.wait_for_log("ready", LONG);
    process.kill9();
    assert!(!process.is_running());
    assert_eq!(process.log(), "ready\n");
}

#[test]
#[should_panic(expected = "cannot open worker.properties")]
fn a_process_that_ends_too_early_fails_the_test_with_its_log() {
    shell("echo cannot open worker.properties; exit 1").start().wait_for_log("started", LONG);
}

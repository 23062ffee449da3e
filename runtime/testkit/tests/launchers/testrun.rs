//! The runner as a program.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use lavka_testkit::{eventually, services, temp_dir};

use crate::LONG;

/// `testrun` with nothing told about services that run already, and its temporary files in `folder`.
fn testrun(folder: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_testrun"));
    for told in ["LAVKA_TEST_BOOTSTRAP", "LAVKA_TEST_KAFKA", "LAVKA_TEST_MQTT", "LAVKA_TEST_REPORT"] {
        command.env_remove(told);
    }
    command.env("TMPDIR", folder).stdin(Stdio::null());
    command
}

fn is_empty(folder: &std::path::Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn a_killed_run_leaves_no_process_and_no_file_behind() {
    let kafka = &services().kafka;
    let folder = temp_dir();
    let mut command = testrun(folder.path());
    if !kafka.is_real() {
        command.env("LAVKA_TEST_BOOTSTRAP", kafka.bootstrap());
    }
    let mut run = command
        .args(["exec", "sh", "-c", "echo $LAVKA_TEST_BOOTSTRAP $LAVKA_TEST_MQTT $$; exec sleep 600"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(run.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let told: Vec<&str> = line.split_whitespace().collect();
    let [bootstrap, mqtt, pid] = told[..] else { panic!("{line:?}") };
    assert!(TcpStream::connect(bootstrap).is_ok());
    assert!(TcpStream::connect(mqtt).is_ok());
    assert!(!is_empty(folder.path()));

    run.kill().unwrap();
    run.wait().unwrap();
    eventually("Mosquitto to be gone", LONG, || TcpStream::connect(mqtt).is_err().then_some(()));
    if kafka.is_real() {
        eventually("Kafka to be gone", LONG, || TcpStream::connect(bootstrap).is_err().then_some(()));
    }
    let command = format!("/proc/{pid}/cmdline");
    let gone = || std::fs::read(&command).unwrap_or_default().is_empty();
    eventually("the command to be gone", LONG, || gone().then_some(()));
    eventually("the folders to be removed", LONG, || is_empty(folder.path()).then_some(()));
}

#[test]
fn the_command_gets_the_services_and_its_exit_code_is_passed_on() {
    let folder = temp_dir();
    let output = testrun(folder.path())
        .env("LAVKA_TEST_BOOTSTRAP", services().kafka.bootstrap())
        .env("LAVKA_TEST_MQTT", format!("127.0.0.1:{}", services().mosquitto.port()))
        .env("LAVKA_REQUIRE_REAL", "0")
        .env("CARGO_TARGET_DIR", folder.path().join("target"))
        .args(["exec", "sh", "-c", "echo $LAVKA_TEST_KAFKA; echo some_test >>$LAVKA_TEST_REPORT; exit 5"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "external\n");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.ends_with("NOT RUN for want of a real Apache Kafka, 1: some_test\n"), "{said}");
    assert!(is_empty(folder.path()));
}

#[test]
fn an_embedded_broker_does_not_pass_for_a_real_one_where_that_is_required() {
    let folder = temp_dir();
    let output = testrun(folder.path())
        .env("LAVKA_TEST_BOOTSTRAP", services().kafka.bootstrap())
        .env("LAVKA_TEST_KAFKA", "embedded")
        .env("LAVKA_REQUIRE_REAL", "1")
        .args(["exec", "true"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("LAVKA_REQUIRE_REAL is set"), "{said}");
}

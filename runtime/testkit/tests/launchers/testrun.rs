//! The runner as a program.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use lavka_testkit::{Jars, eventually, services, temp_dir, write_file};

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
        .args(["exec", "sh", "-c", "echo $LAVKA_TEST_KAFKA; printf 'a real Apache Kafka\\tsome_test\\n' >>$LAVKA_TEST_REPORT; exit 5"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "external\n");
    let closing = "NOT RUN for want of a real Apache Kafka, 1: some_test\n";
    assert!(said(&output).ends_with(closing), "{}", said(&output));
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
    assert!(said(&output).contains("LAVKA_REQUIRE_REAL is set"), "{}", said(&output));
}

/// A Maven that copies one jar and ends with `FAKE_MVN_STATUS`.
const FAKE_MAVEN: &str = r#"#!/bin/sh
for arg; do
    case $arg in
        -DoutputDirectory=*) mkdir -p "${arg#*=}" && echo jar >"${arg#*=}/kafka.jar" ;;
    esac
done
echo "the repository does not answer"
exit "$FAKE_MVN_STATUS"
"#;

/// `testrun` with an empty cache in `folder` and a Maven that ends with `status`.
fn testrun_with_maven(folder: &std::path::Path, status: &str) -> Command {
    let maven = write_file(folder, "bin/mvn", FAKE_MAVEN);
    std::fs::set_permissions(maven, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut command = testrun(folder);
    command.env("PATH", format!("{}:{path}", folder.join("bin").display()));
    command.env("LAVKA_CACHE", folder.join("cache")).env("FAKE_MVN_STATUS", status);
    command.env_remove("LAVKA_REQUIRE_REAL");
    command
}

fn said(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn an_aborted_download_is_not_taken_for_a_complete_one() {
    let folder = temp_dir();
    let complete = folder.path().join("cache").join(format!("kafka-{}", Jars::version()));

    let output = testrun_with_maven(folder.path(), "1").arg("jars").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("the repository does not answer"), "{}", said(&output));
    assert!(!complete.exists());

    let output = testrun_with_maven(folder.path(), "0").arg("jars").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{}\n", complete.display()));
    let jars: Vec<_> =
        std::fs::read_dir(&complete).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(jars, ["kafka.jar"]);

    let output = testrun_with_maven(folder.path(), "1").arg("jars").output().unwrap();
    assert!(output.status.success(), "what is in the cache is not fetched again: {}", said(&output));
}

#[test]
fn jars_that_cannot_be_resolved_are_a_failure_where_a_real_kafka_is_required() {
    let folder = temp_dir();
    let mut command = testrun_with_maven(folder.path(), "1");
    let output = command.env("LAVKA_REQUIRE_REAL", "1").args(["exec", "true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = "LAVKA_REQUIRE_REAL is set, and maven could not resolve Apache Kafka";
    assert!(said(&output).contains(message), "{}", said(&output));
}

#[test]
fn jars_that_cannot_be_resolved_leave_the_embedded_broker_otherwise() {
    let folder = temp_dir();
    let mut command = testrun_with_maven(folder.path(), "1");
    // Stands in for an embedded broker that does not come up, so that the attempt is seen and ends here.
    let output = command.env("LAVKA_BIN", "/bin/false").args(["exec", "true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("falling back to the embedded broker"), "{}", said(&output));
    assert!(said(&output).contains("lavka broker ended"), "{}", said(&output));
}

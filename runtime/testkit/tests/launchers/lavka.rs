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

#[test]
fn the_rest_api_is_found_by_the_workers_own_words() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}").unwrap();
    });
    let script = format!("echo INFO REST API at http://{address} '(lavka)'; exec sleep 60");
    let rest = shell(&script).start().wait_for_announced_rest(LONG);
    assert_eq!(rest.base(), format!("http://{address}"));
    server.join().unwrap();
}

#[test]
fn a_disk_of_its_own_is_full_until_it_is_mounted_larger() {
    if !lavka_testkit::can_mount_for("a_disk_of_its_own_is_full_until_it_is_mounted_larger") {
        return;
    }
    let folder = lavka_testkit::temp_dir();
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let script =
        "until head -c 200000 /dev/zero >$1/file; do echo full; sleep 0.05; done; echo wrote; sleep 60";
    let mut process = shell(script).args(["-".into(), disk.clone()]).disk(&disk, "size=100k").start();
    process.wait_for_log("full", LONG);
    assert!(std::fs::read_dir(&disk).unwrap().next().is_none(), "nobody else sees it");
    process.remount(&disk, "size=1m");
    process.wait_for_log("wrote", LONG);
    assert_eq!(std::fs::metadata(process.sees(&disk.join("file"))).unwrap().len(), 200_000);
}

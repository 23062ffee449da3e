//! `lavka broker`.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::support::{Folder, lavka};

#[test]
fn what_cannot_be_is_refused() {
    let folder = Folder::new();
    let empty = folder.file("users", "# nobody\n");
    for (arguments, part) in [
        (vec!["--fault", "dropp:share=1"], "drop"),
        (vec!["--fault", "delay:share=2,by=1s"], "share"),
        (vec!["--tls-certificate", "/nowhere/cert.pem"], "--tls-key"),
        (
            vec!["--tls-certificate", "/nowhere/cert.pem", "--tls-key", "k"],
            "/nowhere/cert.pem cannot be read",
        ),
        (vec!["--users", "/nowhere/users"], "/nowhere/users cannot be read"),
        (vec!["--users", empty.to_str().unwrap()], "names no user; write NAME=PASSWORD lines"),
    ] {
        let all: Vec<&str> = ["broker", "--port", "0"].into_iter().chain(arguments).collect();
        let output = lavka(&all, "");
        assert_ne!(output.status, Some(0), "{all:?}");
        assert!(output.stderr.contains(part), "{all:?}: {}", output.stderr);
    }
}

#[test]
fn it_says_where_it_is_and_stops_when_told() {
    let mut broker = Command::new(env!("CARGO_BIN_EXE_lavka"))
        .args([
            "broker",
            "--port",
            "0",
            "--advertised-host",
            "example.test",
            "--fault",
            "delay:by=1ms,share=0.5",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(broker.stdout.take().unwrap()).read_line(&mut line).unwrap();
    // The shell's own: a small system has no program of that name.
    let kill = format!("kill -TERM {}", broker.id());
    let told = Command::new("sh").args(["-c", &kill]).status().unwrap();
    let status = broker.wait().unwrap();
    assert!(line.starts_with("bootstrap.servers=example.test:"), "{line}");
    assert!(told.success() && status.success(), "{status}");
}

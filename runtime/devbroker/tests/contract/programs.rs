//! The same through programs of others: the Java clients and kcat.

use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

use lavka_testkit::{JarSet, Jars};

use super::session::Session;

/// Whether a program answers when it is asked something simple.
fn runs(program: &str, arguments: &[&str]) -> bool {
    let tried = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

/// Sources are compiled when they are run, so a Java without its compiler will not do.
pub(crate) fn has_java() -> bool {
    runs("javac", &["-version"]) && runs("java", &["-version"])
}

pub(crate) fn has_kcat() -> bool {
    runs("kcat", &["-V"])
}

pub(crate) fn java(session: &mut Session) {
    let jars = Jars::resolve(JarSet::Server).expect("the jars that the real broker was started from");
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/contract/Contract.java");
    let output = Command::new("java")
        .args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-cp"])
        .arg(jars.class_path())
        .arg(source)
        .args([&session.bootstrap, &session.name("")])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    for line in printed.lines().filter_map(|line| line.strip_prefix("contract ")) {
        let (what, seen) = line.split_once(": ").unwrap();
        session.note(what, seen);
    }
}

pub(crate) fn kcat(session: &mut Session) {
    session.create("t", 2, &[]);
    let topic = session.name("t");
    let mut ask = |what: &str, arguments: &[&str], input: &str| {
        let mut child = Command::new("kcat")
            .args(["-q", "-b", &session.bootstrap])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let mut lines: Vec<String> =
            String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
        lines.sort();
        session.note(what, format!("{} {lines:?}", output.status.success()));
    };
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        ask(
            codec,
            &["-P", "-t", &topic, "-p", "0", "-K", ":", "-H", "a=b", "-z", codec],
            "key:value\nother:\n",
        );
    }
    ask("a null", &["-P", "-t", &topic, "-p", "1", "-K", ":", "-Z"], "gone:\n");
    let format = "%p %o %k %S %s %h";
    let shown = format!("{format}\\n");
    ask("read", &["-C", "-t", &topic, "-e", "-f", &shown], "");
    ask("the last two", &["-C", "-t", &topic, "-p", "0", "-o", "-2", "-e", "-f", &shown], "");
    let place = format!("{topic}:0:-1");
    ask("the end", &["-Q", "-t", &place], "");
    let place = format!("{topic}:0:-2");
    ask("the beginning", &["-Q", "-t", &place], "");
}

//! Runs tests with their services: started once, shared by every test binary, always stopped.
//!
//! `cargo run -p lavka-testkit --no-default-features --bin testrun -- test --workspace`

use std::ffi::OsString;
use std::process::ExitCode;

use lavka_testkit::{Failure, JarSet, Jars, TestRun};

const USAGE: &str = "\
usage: testrun test [ARGUMENT of cargo test]...    compile, start the services, run the tests
       testrun exec COMMAND [ARGUMENT]...          start the services, run a command
       testrun jars [server|connect|registry|hadoop]  resolve jars, print their folder

Environment:
  LAVKA_TEST_BOOTSTRAP=HOST:PORT  use this Kafka instead of starting one
  LAVKA_TEST_MQTT=HOST:PORT       use this MQTT broker instead of starting Mosquitto
  LAVKA_TEST_REGISTRY=URL         use this schema registry instead of starting one
  LAVKA_TEST_HDFS=hdfs://HOST:PORT  use this HDFS cluster instead of starting one
  LAVKA_REQUIRE_REAL=1            fail where Kafka's jars cannot be resolved, no fallback
  LAVKA_SOAK=1                    the long variants
  LAVKA_CACHE=FOLDER              where jars are kept (default ~/.cache/lavka)
  LAVKA_BIN=FILE                  the lavka executable under test
  RUST_TEST_THREADS=COUNT         tests that run at once (default twice the cores)
";

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let verb = args.next();
    let rest: Vec<OsString> = args.collect();
    let done = match verb.as_ref().and_then(|verb| verb.to_str()) {
        Some("test") => TestRun::cargo_test(rest).and_then(TestRun::run),
        Some("exec") => exec(rest),
        Some("jars") => jars(&rest),
        Some("--help" | "-h") => {
            print!("{USAGE}");
            Ok(0)
        }
        _ => Err(Failure::new(USAGE)),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("testrun: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn exec(mut rest: Vec<OsString>) -> Result<u8, Failure> {
    if rest.is_empty() {
        return Err(Failure::new(USAGE));
    }
    let program = rest.remove(0);
    TestRun::command(&program, rest)?.run()
}

fn jars(rest: &[OsString]) -> Result<u8, Failure> {
    let set = match rest.first().and_then(|name| name.to_str()) {
        None | Some("server") => JarSet::Server,
        Some("connect") => JarSet::Connect,
        Some("registry") => JarSet::Registry,
        Some("hadoop") => JarSet::Hadoop,
        Some(other) => return Err(Failure::new(format!("there is no set of jars {other:?}\n{USAGE}"))),
    };
    println!("{}", Jars::resolve(set)?.folder().display());
    Ok(0)
}

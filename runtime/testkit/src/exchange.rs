//! Messages back and forth with programs in Python that use a registry.

use std::fmt::Write as _;
use std::time::Duration;

use tempfile::TempDir;

use crate::failure::OrFail as _;
use crate::folders::{temp_dir, write_file};
use crate::kafka::Unavailable;
use crate::missed::cannot_run;
use crate::names::unique;
use crate::python::Python;
use crate::services::services;

const LONGEST: Duration = Duration::from_secs(120);

/// Python with the serializers of confluent-kafka, a registry, a topic of the test's own, and a folder in which programs
/// run. A program is called with the registry's URL and the topic; messages go in and out as hexadecimal digits, one a
/// line: in as the file `messages.txt`, out as what it prints.
#[derive(Debug)]
pub struct PythonExchange {
    /// The registry's URL.
    pub url: String,
    /// The topic that no other test has.
    pub topic: String,
    /// The folder.
    pub folder: TempDir,
    python: Python,
}

impl PythonExchange {
    /// One for `test`, with the registry that tests share; `None`, after [`cannot_run`], where there is no registry or no
    /// Python.
    #[track_caller]
    pub fn new(test: &str) -> Option<Self> {
        let registry = services().schema_registry_for(test)?;
        Self::with(test, registry.url())
    }

    /// One for `test`, with the registry at `url`; `None`, after [`cannot_run`], where there is no Python.
    #[track_caller]
    pub fn with(test: &str, url: &str) -> Option<Self> {
        match Python::for_registry() {
            Ok(python) => {
                Some(Self { url: url.to_owned(), topic: unique("python"), folder: temp_dir(), python })
            }
            Err(Unavailable::Unresolvable(failure)) => {
                cannot_run(test, &format!("confluent-kafka for Python: {failure}"));
                None
            }
            Err(Unavailable::Broken(failure)) => crate::failure::fail(failure),
        }
    }

    /// Runs `program` with the URL, the topic and `arguments`, over `messages`. The lines that it prints.
    #[track_caller]
    pub fn run(&self, program: &str, arguments: &[&str], messages: &[Vec<u8>]) -> Vec<String> {
        let lines: String = messages.iter().map(|message| to_hex(message) + "\n").collect();
        write_file(self.folder.path(), "messages.txt", lines);
        write_file(self.folder.path(), "program.py", program);
        let arguments = [&["program.py", &self.url, &self.topic], arguments].concat();
        let printed = self.python.run(self.folder.path(), &arguments, LONGEST).or_fail();
        printed.lines().map(str::to_owned).collect()
    }
}

/// Bytes as hexadecimal digits.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of hexadecimal digits.
#[track_caller]
pub fn from_hex(digits: &str) -> Vec<u8> {
    let byte =
        |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    match digits.as_bytes().chunks(2).map(byte).collect() {
        Some(bytes) => bytes,
        None => crate::failure::fail(format!("{digits:?} is not hexadecimal")),
    }
}

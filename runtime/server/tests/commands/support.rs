//! Runs the executable, and makes the files that it is given.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What a command said, and its exit status.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) status: Option<i32>,
}

impl Output {
    /// All of it, for comparing; `folder` is left out of paths.
    pub(crate) fn shown(&self, folder: &Path) -> String {
        let folder = format!("{}/", folder.display());
        let Self { stdout, stderr, status } = self;
        let status = status.map_or("killed".to_owned(), |status| status.to_string());
        format!("{stdout}{stderr}exit status {status}\n").replace(&folder, "")
    }
}

/// Runs `lavka` with `input` as its standard input.
pub(crate) fn lavka<A: AsRef<std::ffi::OsStr>>(arguments: &[A], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lavka"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("lavka does not start");
    // It may not want to read all of it.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("lavka does not end");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Output { stdout: text(output.stdout), stderr: text(output.stderr), status: output.status.code() }
}

/// A folder that goes with the test.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("no temporary folder"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file; its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, content).expect("a file cannot be written");
        path
    }
}

//! Running cargo from within a test run.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::failure::{Context as _, Failure};
use crate::folders::workspace_root;

/// The cargo that runs this, or the one on the search path, in the workspace's root.
///
/// What cargo says to the program it runs (the package's name and the like) is taken out of the environment: it
/// describes another package than the one to be built.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let told = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_")
                || name.starts_with("CARGO_MANIFEST_")
                || name.starts_with("CARGO_BIN_")
        });
        if told {
            command.env_remove(name);
        }
    }
    command.current_dir(workspace_root());
    command
}

/// What a cargo build made.
#[derive(Debug, Default)]
pub(crate) struct Artifacts {
    binaries: Vec<(String, PathBuf)>,
    tests: Vec<String>,
}

impl Artifacts {
    /// Runs `cargo ARGS…` with its progress on standard error and collects the executables it names.
    ///
    /// Fails when cargo does, which has said why on standard error.
    pub(crate) fn build<I: Into<OsString>>(args: impl IntoIterator<Item = I>) -> Result<Self, Failure> {
        let mut args: Vec<OsString> = args.into_iter().map(Into::into).collect();
        args.push("--message-format=json-render-diagnostics".into());
        let shown = format!("cargo {}", args.join(std::ffi::OsStr::new(" ")).display());
        let mut child = cargo()
            .args(&args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context(|| format!("cannot run {shown}"))?;
        let mut found = Self::default();
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).lines() {
                found.take_in(&line.context(|| format!("cannot read what {shown} says"))?);
            }
        }
        let status = child.wait().context(|| format!("cannot wait for {shown}"))?;
        if status.success() { Ok(found) } else { Err(Failure::new(format!("{shown} failed ({status})"))) }
    }

    /// The executable of a binary target.
    pub(crate) fn binary(&self, name: &str) -> Option<&PathBuf> {
        self.binaries.iter().find(|(built, _)| built == name).map(|(_, path)| path)
    }

    /// Whether there is a test target of this name.
    pub(crate) fn has_test(&self, name: &str) -> bool {
        self.tests.iter().any(|built| built == name)
    }

    /// One line of cargo's JSON messages; other kinds of message are of no interest.
    fn take_in(&mut self, line: &str) {
        let Ok(message) = serde_json::from_str::<Value>(line) else { return };
        let target = &message["target"];
        let is =
            |wanted: &str| target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|it| it == wanted));
        let is_binary = is("bin");
        if let (true, Some(name)) = (is("test"), target["name"].as_str()) {
            self.tests.push(name.to_owned());
        }
        // A binary's own unit tests are an executable too.
        let is_test = message["profile"]["test"] == Value::Bool(true);
        if let (true, false, Some(name), Some(path)) =
            (is_binary, is_test, target["name"].as_str(), message["executable"].as_str())
        {
            self.binaries.push((name.to_owned(), PathBuf::from(path)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Artifacts;

    #[test]
    fn only_executables_of_binary_targets_are_taken() {
        let mut found = Artifacts::default();
        for (kind, name, test, path) in [
            ("lib", "lavka", false, "null"),
            ("bin", "lavka", true, "\"/t/debug/deps/lavka-1\""),
            ("bin", "lavka", false, "\"/t/debug/lavka\""),
            ("test", "rest", true, "\"/t/debug/deps/rest-2\""),
        ] {
            found.take_in(&format!(
                "{{\"reason\":\"compiler-artifact\",\"target\":{{\"kind\":[\"{kind}\"],\"name\":\"{name}\"}},\
                 \"profile\":{{\"test\":{test}}},\"executable\":{path}}}"
            ));
        }
        found.take_in("{\"reason\":\"build-finished\",\"success\":true}");
        found.take_in("not JSON");
        assert_eq!(found.binary("lavka").unwrap().to_str(), Some("/t/debug/lavka"));
        assert_eq!(found.binary("rest"), None);
        assert!(found.has_test("rest") && !found.has_test("lavka"));
    }
}

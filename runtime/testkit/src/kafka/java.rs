//! The Java runtime that released jars need.

use std::path::PathBuf;
use std::process::Command;

use crate::failure::{Context as _, Failure};
use crate::leash::find_program;

/// Kafka 4 servers run on Java 17 and later (KIP-1013).
const OLDEST: u32 = 17;
const REMEDY: &str =
    "run `runtime/testkit/setup.sh tests`, or install Java 17 or newer (Debian: default-jre-headless)";

/// A Java that is new enough.
#[derive(Clone, Debug)]
pub(crate) struct FoundJava {
    pub(crate) program: PathBuf,
    /// As it says: `17.0.15`.
    pub(crate) version: String,
}

/// Finds `java` by `JAVA_HOME`, else on the search path, and checks its version.
pub(crate) fn find() -> Result<PathBuf, Failure> {
    find_with_version().map(|java| java.program)
}

/// The same, with the version that was found.
pub(crate) fn find_with_version() -> Result<FoundJava, Failure> {
    let java = std::env::var_os("JAVA_HOME")
        .map(|home| PathBuf::from(home).join("bin/java"))
        .filter(|java| java.is_file())
        .or_else(|| find_program("java"))
        .ok_or_else(|| {
            Failure::new(format!("the services of tests need Java, and there is none: {REMEDY}"))
        })?;
    let output = Command::new(&java)
        .arg("-version")
        .output()
        .context(|| format!("cannot run {}: {REMEDY}", java.display()))?;
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    match major_version(&printed) {
        Some(version) if version >= OLDEST => {
            let version = full_version(&printed).unwrap_or_default().to_owned();
            Ok(FoundJava { program: java, version })
        }
        Some(version) => {
            Err(Failure::new(format!("{} is Java {version}, which is too old: {REMEDY}", java.display())))
        }
        None => Err(Failure::new(format!("{} -version said {printed:?}: {REMEDY}", java.display()))),
    }
}

/// Reads `17.0.15` out of `openjdk version "17.0.15" 2025-04-15`.
fn full_version(printed: &str) -> Option<&str> {
    printed.split('"').nth(1)
}

/// Reads `17` out of `openjdk version "17.0.15" 2025-04-15`, and `8` out of the older `"1.8.0_422"`.
fn major_version(printed: &str) -> Option<u32> {
    let mut numbers =
        full_version(printed)?.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok());
    match numbers.next()? {
        1 => numbers.next(),
        major => Some(major),
    }
}

#[cfg(test)]
mod tests {
    use super::major_version;

    #[test]
    fn the_major_version_is_read_from_both_numbering_schemes() {
        assert_eq!(major_version("openjdk version \"17.0.15\" 2025-04-15"), Some(17));
        assert_eq!(major_version("openjdk version \"21\" 2023-09-19"), Some(21));
        assert_eq!(major_version("openjdk version \"25-ea\" 2025-09-16"), Some(25));
        assert_eq!(major_version("java version \"1.8.0_422\""), Some(8));
        assert_eq!(major_version("Error: no Java"), None);
    }
}

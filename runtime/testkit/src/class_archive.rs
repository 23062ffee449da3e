//! Classes of Java's programs as the virtual machine has them in memory, kept in a file (class data sharing).
//!
//! A server that finds its classes loaded and verified starts in little more than half the time, and some tests start dozens
//! of them. The file fits one version of Java and one class path: what a program adds to that comes behind.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::failure::{Context as _, Failure};
use crate::folders::cache;
use crate::kafka::{FoundJava, Jars, lock};
use crate::leash::Leashed;
use crate::progress::say;

/// Java writes the file when the program ends, and takes some seconds for it.
const SLOWEST_WRITE: Duration = Duration::from_secs(60);

/// The option by which Java takes the classes of `jars` from their archive; `None` where there is none to be had.
///
/// The first to ask makes it, once for each version of Java: `start` starts a program with one more option, which has the
/// archive written when the program is stopped, waits until what makes a start slow is loaded, and tells the folder that the
/// program works in. Where that fails it is said, and not tried again: without an archive all is as good, and slower.
pub(crate) fn option(
    java: &FoundJava,
    jars: &Jars,
    start: impl FnOnce(String) -> Result<(Leashed, TempDir), Failure>,
) -> Option<String> {
    let name = jars.folder().file_name()?.to_string_lossy().into_owned();
    let archive = cache().join(format!("{name}-java-{}.jsa", java.version));
    if !archive.exists()
        && let Err(failure) = make(&archive, &name, start)
    {
        say(&format!("Java's classes of {name} are loaded at each start: {failure}"));
        // An empty file, so that nobody tries again.
        let _ = fs::write(&archive, "");
    }
    let is_made = fs::metadata(&archive).is_ok_and(|found| found.len() > 0);
    is_made.then(|| format!("-XX:SharedArchiveFile={}", archive.display()))
}

fn make(
    archive: &Path,
    name: &str,
    start: impl FnOnce(String) -> Result<(Leashed, TempDir), Failure>,
) -> Result<(), Failure> {
    let _lock = lock(&cache())?;
    if archive.exists() {
        return Ok(());
    }
    say(&format!("keeping Java's classes of {name} for faster starts (once)"));
    let began = Instant::now();
    let partial = archive.with_extension("partial");
    let _ = fs::remove_file(&partial);
    let (mut process, _folder) = start(format!("-XX:ArchiveClassesAtExit={}", partial.display()))?;
    process.stop(SLOWEST_WRITE)?;
    let explain = || format!("Java has not written {}", partial.display());
    fs::rename(&partial, archive).context(explain)?;
    say(&format!("kept as {} in {:.0?}", archive.display(), began.elapsed()));
    Ok(())
}

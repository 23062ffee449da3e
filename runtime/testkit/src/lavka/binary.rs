//! Finds the executable, and has it built where it is missing or older than its sources.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

use super::cargo::Artifacts;
use crate::environment::{BINARY, get};
use crate::failure::{Context as _, Failure};
use crate::folders::workspace_root;
use crate::progress::say;

static FOUND: OnceLock<Result<PathBuf, Failure>> = OnceLock::new();

/// `LAVKA_BIN`, else `lavka` beside the running test when it is up to date, else what `cargo build` makes.
///
/// Looked for once in a process, so that all its tests run the same program.
pub(crate) fn find() -> Result<PathBuf, Failure> {
    FOUND.get_or_init(look).clone()
}

fn look() -> Result<PathBuf, Failure> {
    if let Some(named) = get(BINARY) {
        let path = PathBuf::from(named);
        if path.is_file() {
            return Ok(path);
        }
        return Err(Failure::new(format!("{BINARY} names {}, which does not exist", path.display())));
    }
    let folder = build_folder();
    if let Some(path) = folder
        .as_deref()
        .map(|folder| folder.join("lavka"))
        .filter(|path| is_current(path, &workspace_root()))
    {
        return Ok(path);
    }
    say("building the lavka executable");
    let mut args = vec!["build", "--package", "lavka", "--bin", "lavka"];
    if folder.as_deref().is_some_and(|folder| folder.ends_with("release")) {
        args.push("--release");
    }
    let built = Artifacts::build(args)?;
    built.binary("lavka").cloned().ok_or_else(|| Failure::new("cargo built no executable named lavka"))
}

/// The folder of the running program's profile: `target/debug` for `target/debug/deps/rest-0123`, and for
/// `target/debug/testrun`.
fn build_folder() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let folder = program.parent()?;
    let folder = if folder.ends_with("deps") { folder.parent()? } else { folder };
    folder.join("deps").is_dir().then(|| folder.to_path_buf())
}

/// Whether no source the executable was made of is newer than it. Cargo lists them in `lavka.d` beside it; without
/// this check a test would run yesterday's program, for a test crate depends on the library, not on the executable.
fn is_current(program: &Path, root: &Path) -> bool {
    let Ok(built) = modified(program) else { return false };
    let Ok(list) = std::fs::read_to_string(program.with_extension("d")) else { return false };
    let manifests = ["Cargo.toml", "Cargo.lock"].map(|name| root.join(name));
    sources(&list).into_iter().chain(manifests).all(|source| modified(&source).is_ok_and(|at| at <= built))
}

fn modified(path: &Path) -> Result<SystemTime, Failure> {
    std::fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .context(|| format!("cannot look at {}", path.display()))
}

/// The prerequisites of a make rule; a space within a name is written `\ `.
fn sources(rule: &str) -> Vec<PathBuf> {
    let Some((_, list)) = rule.split_once(": ") else { return Vec::new() };
    let hidden = list.trim_end().replace("\\ ", "\0");
    hidden
        .split(' ')
        .filter(|name| !name.is_empty())
        .map(|name| PathBuf::from(name.replace('\0', " ")))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{is_current, sources};
    use crate::folders::{temp_dir, write_file};

    #[test]
    fn sources_are_read_from_a_make_rule() {
        let rule = "/t/debug/lavka: /w/a.rs /w/with\\ space/b.rs\n";
        assert_eq!(sources(rule), ["/w/a.rs", "/w/with space/b.rs"].map(PathBuf::from));
        assert!(sources("").is_empty());
    }

    #[test]
    fn an_executable_older_than_a_source_is_not_current() {
        let folder = temp_dir();
        let [source, ..] =
            ["main.rs", "Cargo.toml", "Cargo.lock"].map(|name| write_file(folder.path(), name, ""));
        let program = write_file(folder.path(), "lavka", "");
        write_file(folder.path(), "lavka.d", format!("{}: {}\n", program.display(), source.display()));
        assert!(is_current(&program, folder.path()));
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
        std::fs::File::open(&source).unwrap().set_modified(later).unwrap();
        assert!(!is_current(&program, folder.path()));
        std::fs::remove_file(&source).unwrap();
        assert!(!is_current(&program, folder.path()), "a source that is gone");
    }
}

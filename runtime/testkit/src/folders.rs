//! Temporary folders, and the one folder that outlives a run.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::failure::{Context as _, Failure, OrFail as _};

/// A new empty folder, removed when the returned value is dropped.
#[track_caller]
pub fn temp_dir() -> TempDir {
    try_temp_dir().or_fail()
}

pub(crate) fn try_temp_dir() -> Result<TempDir, Failure> {
    tempfile::Builder::new()
        .prefix("lavka-test-")
        .tempdir()
        .context(|| format!("cannot make a folder in {}", std::env::temp_dir().display()))
}

/// Writes `contents` to `name` in `folder`, making folders on the way, and returns the file's path.
#[track_caller]
pub fn write_file(folder: impl AsRef<Path>, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
    try_write_file(folder.as_ref(), name, contents.as_ref()).or_fail()
}

pub(crate) fn try_write_file(folder: &Path, name: &str, contents: &[u8]) -> Result<PathBuf, Failure> {
    let path = folder.join(name);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).context(|| format!("cannot make {}", parent.display()))?;
    }
    std::fs::write(&path, contents).context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// Where downloads are kept between runs and across `cargo clean`: `LAVKA_CACHE`, else `lavka` in the user's cache
/// folder (`XDG_CACHE_HOME` or `~/.cache`). `setup.sh` looks at the same place.
pub(crate) fn cache() -> PathBuf {
    if let Some(folder) = set("LAVKA_CACHE") {
        return folder;
    }
    let caches = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    caches.unwrap_or_else(std::env::temp_dir).join("lavka")
}

fn set(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The root of the workspace this crate was compiled in.
pub(crate) fn workspace_root() -> PathBuf {
    let this = Path::new(env!("CARGO_MANIFEST_DIR"));
    this.ancestors().nth(2).unwrap_or(this).to_path_buf()
}

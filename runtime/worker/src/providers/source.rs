//! The three providers of Kafka: a properties file, a directory of files, the environment.

use std::collections::{BTreeSet, HashMap};
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use lavka_api::{Error, Result};
use lavka_engine::TopicMatcher;

use crate::config::properties;

/// Files are not read beyond this; secrets and properties are far smaller.
const MAX_FILE: u64 = 16 << 20;

/// Where a provider looks.
pub(super) enum Source {
    /// `FileConfigProvider`: the path is a properties file.
    File(AllowedPaths),
    /// `DirectoryConfigProvider`: the path is a directory, the keys are files in it.
    Directory(AllowedPaths),
    /// `EnvVarConfigProvider`: the keys are names of environment variables that match as a whole, where there is a
    /// pattern.
    Environment(Option<Arc<TopicMatcher>>),
}

impl Source {
    /// The values of those `keys` that there are under `path`.
    ///
    /// # Errors
    /// Java's texts for a file that cannot be read, and for a path where none is expected.
    pub(super) fn get(&self, path: &str, keys: &BTreeSet<&str>) -> Result<HashMap<String, String>> {
        match self {
            Source::Environment(pattern) => environment(path, keys, pattern.as_ref()),
            Source::File(_) | Source::Directory(_) if path.is_empty() => Ok(HashMap::new()),
            Source::File(allowed) => match allowed.admit(path) {
                Some(file) => properties_file(&file, path, keys),
                None => Ok(HashMap::new()),
            },
            Source::Directory(allowed) => match allowed.admit(path) {
                Some(folder) => directory(&folder, keys),
                None => Ok(HashMap::new()),
            },
        }
    }
}

fn properties_file(file: &Path, path: &str, keys: &BTreeSet<&str>) -> Result<HashMap<String, String>> {
    let unreadable = |why: &str| {
        tracing::error!("Could not read properties from file {path}: {why}");
        Error::config(format!("Could not read properties from file {path}"))
    };
    let bytes = read(file).map_err(|error| unreadable(&error.to_string()))?;
    // The detail of a malformed escape would repeat part of a value.
    let config = properties::parse(&String::from_utf8_lossy(&bytes)).map_err(|error| {
        let text = error.to_string();
        let line = text.split(':').next().unwrap_or_default();
        unreadable(&format!("{line} has a malformed \\uXXXX escape"))
    })?;
    Ok(keys.iter().filter_map(|key| Some(((*key).to_owned(), config.get(key)?.to_owned()))).collect())
}

fn directory(folder: &Path, keys: &BTreeSet<&str>) -> Result<HashMap<String, String>> {
    if !folder.is_dir() {
        tracing::warn!("The path {} is not a directory", folder.display());
        return Ok(HashMap::new());
    }
    let mut values = HashMap::new();
    for key in keys {
        // Files directly inside: a name, and no way out of the directory.
        let mut parts = Path::new(key).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(name)), None) if name == *key) {
            continue;
        }
        let file = folder.join(key);
        if file.is_file() {
            let bytes = read(&file).map_err(|error| {
                tracing::error!("Could not read file {} for property {key}: {error}", file.display());
                Error::config(format!("Could not read file {} for property {key}", file.display()))
            })?;
            values.insert((*key).to_owned(), String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    Ok(values)
}

/// A regular file, whole.
fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    // Looked at before it is opened: opening a pipe waits for its other end.
    if !std::fs::metadata(file)?.is_file() {
        return Err(std::io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(file)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(std::io::Error::other(format!("larger than {MAX_FILE} bytes")));
    }
    Ok(bytes)
}

fn environment(
    path: &str,
    keys: &BTreeSet<&str>,
    pattern: Option<&Arc<TopicMatcher>>,
) -> Result<HashMap<String, String>> {
    if !path.is_empty() {
        let text = format!("Path is not supported for EnvVarConfigProvider, invalid value '{path}'");
        return Err(Error::config(text));
    }
    // The names that `var_os` cannot ask for are those that no variable can have.
    let nameable = |key: &&&str| !key.is_empty() && !key.contains(['=', '\0']);
    let admitted = keys.iter().filter(nameable).filter(|key| pattern.is_none_or(|pattern| pattern(key)));
    Ok(admitted
        .filter_map(|key| Some(((*key).to_owned(), std::env::var_os(key)?.to_string_lossy().into_owned())))
        .collect())
}

/// `allowed.paths`: where files may be read; everywhere where it is not set.
pub(super) struct AllowedPaths(Option<Vec<PathBuf>>);

impl AllowedPaths {
    /// # Errors
    /// The detail of the error text.
    pub(super) fn new(text: Option<&str>) -> Result<Self, String> {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(Self(None)) };
        let mut allowed = Vec::new();
        for path in text.split(',') {
            let path = normalise(Path::new(path));
            if !path.is_absolute() {
                return Err(format!("Path {} is not absolute", path.display()));
            }
            if !path.exists() {
                return Err(format!("Path {} does not exist", path.display()));
            }
            allowed.push(path);
        }
        Ok(Self(Some(allowed)))
    }

    /// The path to read instead of `path`; `None`, with a warning, where it is not allowed.
    fn admit(&self, path: &str) -> Option<PathBuf> {
        let Some(allowed) = &self.0 else { return Some(PathBuf::from(path)) };
        let wanted = normalise(Path::new(path));
        if allowed.iter().any(|allowed| wanted.starts_with(allowed)) {
            return Some(wanted);
        }
        tracing::warn!("The path {path} is not allowed to be accessed (allowed.paths)");
        None
    }
}

/// As `java.nio.file.Path.normalize`: by the names alone, links are not looked at.
fn normalise(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match (part, out.components().next_back()) {
            (Component::CurDir, _) | (Component::ParentDir, Some(Component::RootDir)) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                out.pop();
            }
            (part, _) => out.push(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys<'k>(keys: &[&'k str]) -> BTreeSet<&'k str> {
        keys.iter().copied().collect()
    }

    fn anywhere() -> AllowedPaths {
        AllowedPaths::new(None).unwrap()
    }

    #[test]
    fn a_file_is_read_as_properties() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secrets.properties");
        std::fs::write(&file, "a = one\nb=\\u00e9 two \\\n  lines\n# c=3\n\u{e9}=d\n").unwrap();
        let get = |wanted: &[&str]| {
            let mut found: Vec<_> = Source::File(anywhere())
                .get(file.to_str().unwrap(), &keys(wanted))
                .unwrap()
                .into_iter()
                .collect();
            found.sort();
            found
        };
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            get(&["a", "b", "c", "\u{e9}"]),
            [pair("a", "one"), pair("b", "\u{e9} two lines"), pair("\u{e9}", "d")]
        );
        assert!(Source::File(anywhere()).get("", &keys(&["a"])).unwrap().is_empty());
    }

    #[test]
    fn a_file_that_cannot_be_read_has_javas_text_and_tells_nothing_of_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(path("odd"), "a=hunter\\u2x2").unwrap();
        for path in
            [path("missing"), path("odd"), folder.path().to_str().unwrap().to_owned(), "/dev/zero".into()]
        {
            let error = Source::File(anywhere()).get(&path, &keys(&["a"])).unwrap_err();
            assert_eq!(error.message(), Some(format!("Could not read properties from file {path}").as_str()));
        }
    }

    #[test]
    fn a_directory_gives_its_regular_files_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        std::fs::write(folder.path().join("password"), "two\nlines\n").unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        std::fs::write(folder.path().join("sub/inner"), "x").unwrap();
        let wanted = keys(&[
            "password",
            "sub",
            "sub/inner",
            "..",
            ".",
            "",
            "./password",
            "../etc/passwd",
            "/etc/passwd",
            "a\0",
        ]);
        let found = Source::Directory(anywhere()).get(path, &wanted).unwrap();
        assert_eq!(found, HashMap::from([("password".to_owned(), "two\nlines\n".to_owned())]));
        let none = Source::Directory(anywhere()).get(&format!("{path}/password"), &wanted).unwrap();
        assert!(none.is_empty(), "no directory");
    }

    #[test]
    fn paths_outside_of_the_allowed_ones_give_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::create_dir(path("in")).unwrap();
        for name in ["in/s", "out", "inside"] {
            std::fs::write(path(name), "a=1").unwrap();
        }
        let source = Source::File(AllowedPaths::new(Some(&format!("{}/../in", path("x")))).unwrap());
        let found = |name: &str| !source.get(&path(name), &keys(&["a"])).unwrap().is_empty();
        assert!(found("in/s") && found("in/../in/./s") && found("out/../in/s"));
        assert!(!found("out") && !found("in/../out") && !found("inside"), "names are compared, not letters");
        let refused = |text: &str| AllowedPaths::new(Some(text)).err().unwrap();
        assert_eq!(refused("relative/path"), "Path relative/path is not absolute");
        assert_eq!(refused("/nowhere/at/all"), "Path /nowhere/at/all does not exist");
    }

    #[test]
    fn the_environment_is_asked_by_name() {
        let all = Source::Environment(None);
        assert!(all.get("", &keys(&["PATH"])).unwrap().contains_key("PATH"));
        assert!(all.get("", &keys(&["LAVKA_NO_SUCH_VARIABLE", "", "A=B", "\0"])).unwrap().is_empty());
        let some = Source::Environment(Some(std::sync::Arc::new(|name: &str| name.starts_with("LAVKA_"))));
        assert!(some.get("", &keys(&["PATH"])).unwrap().is_empty());
        let error = all.get("/p", &keys(&["PATH"])).unwrap_err();
        assert_eq!(
            error.message(),
            Some("Path is not supported for EnvVarConfigProvider, invalid value '/p'")
        );
    }

    #[test]
    fn paths_are_normalised_by_their_names() {
        for (path, normal) in [
            ("/a/./b/../c", "/a/c"),
            ("/../a", "/a"),
            ("../a/../..", "../.."),
            ("a/..", ""),
            ("/a//b/", "/a/b"),
        ] {
            assert_eq!(normalise(Path::new(path)), Path::new(normal), "{path}");
        }
    }
}

//! Paths below the root of a store.

use std::fmt;
use std::sync::Arc;

use lavka_api::{Error, Result};

/// A relative path of at most 2048 bytes with `/` between its components. No component is empty, `.` or `..`, longer
/// than file systems allow or with control characters in it, so that no field value can lead out of the store's root,
/// break a line of the log, or make a path that the system refuses after the commit of its file was logged.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LakePath(Arc<str>);

/// What file systems allow for one component.
const MAX_COMPONENT: usize = 255;
/// Half of what Linux allows for a whole path (`PATH_MAX`); the other half is for the root.
const MAX_PATH: usize = 2048;

impl LakePath {
    /// Checks `text`. Repeated and outer slashes are dropped, as file systems do.
    ///
    /// # Errors
    /// A data error that names the component at fault.
    pub fn new(text: &str) -> Result<Self> {
        let mut path = String::with_capacity(text.len());
        for component in text.split('/').filter(|component| !component.is_empty()) {
            let fault = match component {
                "." | ".." => Some("is not allowed in a path of the lake"),
                long if long.len() > MAX_COMPONENT => {
                    Some("is longer than the 255 bytes that a file name may have")
                }
                other if other.contains(|c: char| c.is_control()) => Some("has control characters in it"),
                _ => None,
            };
            if let Some(fault) = fault {
                let shown: String = component.chars().take(64).flat_map(char::escape_debug).collect();
                return Err(Error::data(format!("the path component \"{shown}\" {fault}")));
            }
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(component);
        }
        if path.len() > MAX_PATH {
            let shown: String = path.chars().take(64).collect();
            return Err(Error::data(format!("the path \"{shown}...\" is longer than {MAX_PATH} bytes")));
        }
        if path.is_empty() {
            return Err(Error::data("a path of the lake may not be empty"));
        }
        Ok(Self(path.into()))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `self/rest`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn join(&self, rest: &str) -> Result<Self> {
        Self::new(&format!("{}/{rest}", self.0))
    }

    /// The directory that holds it; `None` right below the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.into()))
    }

    /// Whether it lies below `directory`, or is it.
    #[must_use]
    pub fn is_within(&self, directory: &Self) -> bool {
        self.0.strip_prefix(&*directory.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The last component.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }
}

impl fmt::Display for LakePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for LakePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_root() {
        assert_eq!(LakePath::new("//a///b/").unwrap().as_str(), "a/b");
        for hostile in
            ["..", "a/../../etc", "a/./b", "", "///", "a/b\nc", "a/\0", &"x".repeat(256), &"x/".repeat(1025)]
        {
            assert!(LakePath::new(hostile).is_err(), "{hostile:?}");
        }
        assert_eq!(
            LakePath::new("t/f=../x").unwrap().as_str(),
            "t/f=../x",
            "dots that are not a component of their own are harmless"
        );
    }

    #[test]
    fn parts() {
        let path = LakePath::new("a/b").unwrap();
        assert_eq!(path.join("c+d").unwrap().as_str(), "a/b/c+d");
        assert_eq!(path.parent().unwrap().as_str(), "a");
        assert_eq!(path.parent().unwrap().parent(), None);
        assert_eq!(path.name(), "b");
        assert!(path.is_within(&LakePath::new("a").unwrap()) && path.is_within(&path));
        assert!(!path.is_within(&LakePath::new("a/bc").unwrap()));
        assert!(!LakePath::new("ab").unwrap().is_within(&LakePath::new("a").unwrap()));
    }
}

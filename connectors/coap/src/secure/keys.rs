//! Pre-shared keys by identity.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;

use dimpl::PskResolver;
use lavka_api::config::KeyError;
use lavka_api::hex;

use super::files::{self, PSK};

/// The keys. Many gates may share them, each on its own thread.
#[derive(Default)]
pub(super) struct Keys {
    keys: HashMap<Vec<u8>, Vec<u8>>,
}

std::thread_local! {
    /// The identity asked for last: the library does not tell a session's, but asks, on the thread that hands a
    /// datagram to it, while it looks at that datagram. What another thread's session asks for meanwhile is not this
    /// session's peer.
    static ASKED: Cell<Option<Vec<u8>>> = const { Cell::new(None) };
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.keys.len())
    }
}

impl PskResolver for Keys {
    fn resolve(&self, identity: &[u8]) -> Option<Vec<u8>> {
        ASKED.set(Some(identity.to_vec()));
        self.keys.get(identity).cloned()
    }
}

impl Keys {
    /// One key.
    pub(super) fn of(identity: &str, key: &[u8]) -> Self {
        Self { keys: HashMap::from([(identity.as_bytes().to_vec(), key.to_vec())]) }
    }

    /// Those of a file: `identity:key`, the key in hexadecimal digits, one a line. Blocks.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(super) fn read(file: &str) -> Result<Self, KeyError> {
        let invalid = |why: &str| KeyError::invalid(PSK, file, why);
        let text = String::from_utf8(files::read(PSK, file)?).map_err(|_| invalid("it is not UTF-8"))?;
        let mut keys = HashMap::new();
        for (place, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // An identity may have colons.
            let entry =
                line.rsplit_once(':').and_then(|(identity, key)| Some((identity, hex::decode(key.trim())?)));
            let Some((identity, key)) =
                entry.filter(|(identity, key)| !identity.is_empty() && !key.is_empty())
            else {
                // The line is not shown, for it may hold a key.
                let why = "is not identity:key with the key in hexadecimal digits";
                return Err(invalid(&format!("line {} {why}", place + 1)));
            };
            keys.insert(identity.trim().as_bytes().to_vec(), key);
        }
        match keys.is_empty() {
            true => Err(invalid("it has no identities")),
            false => Ok(Self { keys }),
        }
    }

    /// The identity, if there is one alone.
    pub(super) fn only(&self) -> Option<&[u8]> {
        self.keys.keys().next().filter(|_| self.keys.len() == 1).map(Vec::as_slice)
    }

    pub(super) fn has(&self, identity: &[u8]) -> bool {
        self.keys.contains_key(identity)
    }

    /// The identity that this thread's sessions asked for since the last call.
    pub(super) fn take_asked() -> Option<Vec<u8>> {
        ASKED.take()
    }
}

#[cfg(test)]
mod tests {
    use lavka_testkit::{temp_dir, write_file};

    use super::*;

    #[test]
    fn keys_of_devices() {
        let folder = temp_dir();
        let read = |text: &str| Keys::read(write_file(folder.path(), "psk", text).to_str().unwrap());
        let keys = read("# comment\n\n d1 : 0aFF \nurn:dev:2:01\n").unwrap();
        assert_eq!(keys.resolve(b"d1"), Some(vec![0x0a, 0xff]));
        assert_eq!(keys.resolve(b"urn:dev:2"), Some(vec![1]));
        assert_eq!(
            (keys.resolve(b"x"), Keys::take_asked(), Keys::take_asked()),
            (None, Some(b"x".to_vec()), None)
        );
        assert_eq!((keys.only(), keys.has(b"d1"), keys.has(b"x")), (None, true, false));
        for text in ["d1:0a\nd2:secret", "d1:0a\nd2", "d1:0a\nd2:abc", "d1:0a\nd2:"] {
            let error = read(text).unwrap_err().message;
            assert!(error.contains("line 2") && !error.contains("secret"), "{error}");
        }
        assert!(read("# nothing").unwrap_err().message.contains("no identities"));
        assert_eq!(format!("{keys:?}"), "Keys(2)");
    }
}

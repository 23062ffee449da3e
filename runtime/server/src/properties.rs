//! Properties files on disk; what is in them is read by [`lavka_worker::config::properties`].

use std::path::Path;

use lavka_api::config::Config;
use lavka_api::{Error, Result};
pub use lavka_worker::config::properties::{decode, parse};

/// Reads a properties file.
///
/// # Errors
/// A config error that names the file, and the line where it is about one.
pub fn read(path: &Path) -> Result<Config> {
    parse(&decode(&read_bytes(path)?)).map_err(|error| in_file(path, &error))
}

pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| Error::config(format!("{} cannot be read: {error}", path.display())))
}

/// An error with the file it is about in front: `worker.properties, line 3: …`.
pub(crate) fn in_file(path: &Path, error: &Error) -> Error {
    let text = error.to_string();
    let separator = if text.starts_with("line ") { "," } else { ":" };
    Error::config(format!("{}{separator} {text}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = read(Path::new("/nonexistent/worker.properties")).unwrap_err().to_string();
        assert!(error.starts_with("/nonexistent/worker.properties cannot be read: "), "{error}");
    }
}

//! Finds the reader for a model file.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::error::{ModelError, ModelErrorKind};
use crate::model::Model;
use crate::onnx;

/// The longest model file that is read, in bytes. A model is held in memory once as bytes while it is compiled.
const MAX_MODEL_BYTES: u64 = 256 << 20;

type Loaded = Result<Arc<dyn Model>, ModelError>;

/// A format that can be read.
struct Format {
    name: &'static str,
    /// The end of file names that go by this format, without the dot.
    extension: &'static str,
    recognises: fn(&[u8]) -> bool,
    read: fn(&[u8]) -> Loaded,
}

/// Every format, in the order they are tried on content.
const FORMATS: &[Format] =
    &[Format { name: "ONNX", extension: "onnx", recognises: onnx::recognises, read: onnx::load_bytes }];

/// Reads, checks and compiles the model in a file. The reader is chosen by the end of the file's name, and by its
/// content where the name says nothing.
///
/// This blocks on the file system: call it where blocking is allowed.
///
/// # Errors
/// [`ModelErrorKind::Unreadable`] and [`ModelErrorKind::TooLarge`] for the file, [`ModelErrorKind::UnknownFormat`] when
/// no reader takes it, and what the reader says about its content; all of them with the file's name.
pub fn load(path: &Path) -> Result<Arc<dyn Model>, ModelError> {
    read(path).and_then(|bytes| load_as(path, &bytes)).map_err(|error| error.in_file(path))
}

fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    let unreadable = |error| ModelError::from(ModelErrorKind::Unreadable(error));
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let mut bytes = Vec::new();
    if length <= MAX_MODEL_BYTES {
        // What is not a regular file may be longer than it says.
        file.take(MAX_MODEL_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    }
    let length = length.max(bytes.len() as u64);
    if length > MAX_MODEL_BYTES {
        return Err(ModelErrorKind::TooLarge { bytes: length, limit: MAX_MODEL_BYTES }.into());
    }
    Ok(bytes)
}

fn load_as(path: &Path, bytes: &[u8]) -> Loaded {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let by_name = FORMATS.iter().find(|format| format.extension.eq_ignore_ascii_case(extension));
    let format = by_name.or_else(|| FORMATS.iter().find(|format| (format.recognises)(bytes)));
    match format {
        Some(format) => (format.read)(bytes),
        None => {
            let known = FORMATS.iter().map(|format| format!("{} (.{})", format.name, format.extension));
            Err(ModelErrorKind::UnknownFormat { known: known.collect::<Vec<_>>().join(", ") }.into())
        }
    }
}

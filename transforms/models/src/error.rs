//! What can be wrong with a model, its input or a row, in words a user can act on.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// An error that names the file (when there is one), the place inside the model, what is wrong and what was expected.
///
/// Loading errors are the user's to fix in the configuration or in the export of the model; scoring errors
/// ([`ModelErrorKind::Scoring`]) belong to one row.
#[derive(Debug)]
pub struct ModelError {
    file: Option<PathBuf>,
    kind: Box<ModelErrorKind>,
}

/// The kinds of [`ModelError`], without the file's name.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelErrorKind {
    /// The file could not be opened or read.
    #[error("cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    /// The file is larger than any model this crate is willing to hold in memory.
    #[error("is {bytes} bytes long, more than the {limit} bytes a model may have")]
    TooLarge {
        /// Length of the file in bytes.
        bytes: u64,
        /// The largest length accepted, in bytes.
        limit: u64,
    },
    /// No reader recognises the file, neither by its content nor by the end of its name.
    #[error("is not a model of a known format; known formats: {known}")]
    UnknownFormat {
        /// The formats that can be read, with the ends of file names they go by.
        known: String,
    },
    /// The bytes do not follow the format's own encoding.
    #[error("is not a valid {format} model: {what} (at byte {at})")]
    Malformed {
        /// The format that was being read.
        format: &'static str,
        /// Offset into the file, in bytes.
        at: usize,
        /// What is wrong there.
        what: String,
    },
    /// The model is larger in some dimension than the engine accepts.
    #[error("{place}: {what} is more than the limit of {limit}")]
    Limit {
        /// The node, input or table concerned.
        place: String,
        /// What is being counted, with its number.
        what: String,
        /// The largest number accepted.
        limit: usize,
    },
    /// The graph uses an operator that no engine here implements.
    #[error(
        "{node}: operator {operator} of domain {domain} is not supported; supported operators of that domain: {supported}"
    )]
    Unsupported {
        /// The node, by name and position.
        node: String,
        /// The operator's name.
        operator: String,
        /// The operator's domain, `ai.onnx` when the graph leaves it empty.
        domain: String,
        /// The operators of that domain that are supported, or `none`.
        supported: String,
    },
    /// The format is understood, and what it says is wrong or beyond what is implemented.
    #[error("{place}: {what}; expected {expected}")]
    Invalid {
        /// The node, input, output or table concerned.
        place: String,
        /// What was found.
        what: String,
        /// What would have been accepted.
        expected: String,
    },
    /// A batch of features does not have the model's columns.
    #[error("got {found} feature columns; expected {expected}: {inputs}")]
    Arity {
        /// Columns the model takes.
        expected: usize,
        /// Columns that were given.
        found: usize,
        /// The model's inputs in short, for example `x[10]: float32`.
        inputs: String,
    },
    /// One row cannot be scored.
    #[error("row {row}: {place}: {what}")]
    Scoring {
        /// Position of the row in its batch, from 0.
        row: usize,
        /// The node concerned.
        place: String,
        /// What is wrong with the row.
        what: String,
    },
}

impl ModelError {
    /// The error without the file's name.
    #[must_use]
    pub fn kind(&self) -> &ModelErrorKind {
        &self.kind
    }

    /// The model file, where the model came from one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    pub(crate) fn in_file(mut self, file: &Path) -> Self {
        self.file = Some(file.to_owned());
        self
    }

    pub(crate) fn invalid(
        place: impl Into<String>,
        what: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        ModelErrorKind::Invalid { place: place.into(), what: what.into(), expected: expected.into() }.into()
    }

    pub(crate) fn limit(place: impl Into<String>, what: impl Into<String>, limit: usize) -> Self {
        ModelErrorKind::Limit { place: place.into(), what: what.into(), limit }.into()
    }
}

impl From<ModelErrorKind> for ModelError {
    fn from(kind: ModelErrorKind) -> Self {
        Self { file: None, kind: Box::new(kind) }
    }
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "model {}: {}", file.display(), self.kind),
            None => write!(f, "model: {}", self.kind),
        }
    }
}

impl std::error::Error for ModelError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&*self.kind)
    }
}

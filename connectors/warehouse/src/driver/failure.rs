//! What goes wrong in a database, and what may be done about it.

use std::fmt;

use lavka_api::Error;
use sqlx::error::DatabaseError;

/// What a failure means for what was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// The connection is gone, or never was.
    Lost,
    /// It may go well the next time: a deadlock, a lock, a server that is full, starting or read-only.
    Again,
    /// The rows, or one of them, are refused.
    Row,
    /// A table or column is not (any more) as it was described.
    Changed,
    /// What was to be made is there.
    Exists,
    /// The session found out in mid-transaction that rows of the table need another form: the next transaction has it.
    Form,
    /// The user's doing: login, rights, TLS.
    Config,
    /// Anything else.
    Other,
}

impl FailureKind {
    /// Whether another try may go well.
    pub(crate) fn passes(self) -> bool {
        matches!(self, FailureKind::Lost | FailureKind::Again)
    }
}

/// A failure.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    text: String,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    /// The same with what was being done before it.
    pub(crate) fn at(self, doing: &str) -> Self {
        Self { text: format!("{doing}: {}", self.text), ..self }
    }

    /// What the engine is told.
    pub(crate) fn error(&self) -> Error {
        let text = self.text.as_str();
        match self.kind {
            FailureKind::Lost | FailureKind::Again | FailureKind::Form => Error::retriable(text),
            FailureKind::Row => Error::data(text),
            FailureKind::Config => Error::config(text),
            FailureKind::Changed | FailureKind::Exists | FailureKind::Other => Error::fatal(text),
        }
    }

    /// A failure of sqlx: the database's own by `said`, and that of the connection or of the client.
    pub(super) fn of(error: sqlx::Error, said: impl FnOnce(&dyn DatabaseError) -> Self) -> Self {
        let (kind, text) = match error {
            sqlx::Error::Database(database) => return said(&*database),
            sqlx::Error::Tls(tls) => (
                FailureKind::Config,
                format!("TLS failed: {tls}; check the URL's properties of TLS (sslmode, sslrootcert ...)"),
            ),
            sqlx::Error::Configuration(why) => (FailureKind::Config, why.to_string()),
            sqlx::Error::Io(io) => (FailureKind::Lost, io.to_string()),
            sqlx::Error::Protocol(text) => (FailureKind::Lost, text),
            sqlx::Error::WorkerCrashed | sqlx::Error::PoolClosed | sqlx::Error::PoolTimedOut => {
                (FailureKind::Lost, error.to_string())
            }
            sqlx::Error::Encode(why) => (FailureKind::Row, why.to_string()),
            other => (FailureKind::Other, other.to_string()),
        };
        Self { kind, text }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why rows were not written.
#[derive(Clone, Debug)]
pub(crate) enum WriteFailure {
    /// These rows of the call cannot be: found before anything was sent. Each with why.
    Rows(Vec<(usize, String)>),
    /// The database said so.
    Failed(Failure),
}

impl From<Failure> for WriteFailure {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

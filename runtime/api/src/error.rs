//! One error type. Whoever raises an error says what kind it is; a single policy module in the engine acts on it.

use std::fmt;

/// The result of everything a plugin does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the runtime may do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The same call may succeed later: the operation is repeated, the batch is kept.
    Retriable,
    /// This one record cannot be processed: `errors.tolerance` decides between skipping it and failing the task.
    Data,
    /// The user's configuration is wrong; the message names the key and the remedy.
    Config,
    /// The task or connector cannot go on.
    Fatal,
}

/// An error with its class, the name of the Java exception that Connect users know for it, a message and a cause.
///
/// One pointer wide, so that a `Result` of a hot function stays small.
///
/// ```
/// use lavka_api::{Error, ErrorClass};
///
/// fn number(text: &str) -> lavka_api::Result<i64> {
///     // The record's fault: `errors.tolerance` decides what becomes of it.
///     text.parse().map_err(|error| Error::data(format!("'{text}' is no number: {error}")))
/// }
///
/// let error = number("7a").unwrap_err();
/// assert_eq!(error.class(), ErrorClass::Data);
/// assert_eq!(error.exception(), "org.apache.kafka.connect.errors.DataException");
///
/// // What went wrong at the bottom stays in the chain, for the trace that users read.
/// let outer = Error::fatal("the table cannot be written").caused_by(error);
/// assert_eq!(
///     outer.to_string(),
///     "the table cannot be written: '7a' is no number: invalid digit found in string"
/// );
/// ```
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    class: ErrorClass,
    exception: &'static str,
    message: Option<String>,
    cause: Option<Error>,
}

/// Names of the exceptions that show up in traces and in `__connect.errors.exception.class.name`.
pub mod exception {
    /// A record cannot be converted or transformed.
    pub const DATA: &str = "org.apache.kafka.connect.errors.DataException";
    /// The general failure of a task or connector.
    pub const CONNECT: &str = "org.apache.kafka.connect.errors.ConnectException";
    /// Worth another try.
    pub const RETRIABLE: &str = "org.apache.kafka.connect.errors.RetriableException";
    /// A configuration is wrong.
    pub const CONFIG: &str = "org.apache.kafka.common.config.ConfigException";
    /// A schema cannot be built.
    pub const SCHEMA_BUILDER: &str = "org.apache.kafka.connect.errors.SchemaBuilderException";
    /// Bytes cannot be (de)serialised.
    pub const SERIALIZATION: &str = "org.apache.kafka.common.errors.SerializationException";
    /// What Java reports where a null is dereferenced.
    pub const NULL_POINTER: &str = "java.lang.NullPointerException";
    /// What Java reports for an argument out of its domain.
    pub const ILLEGAL_ARGUMENT: &str = "java.lang.IllegalArgumentException";
    /// What Java reports for a position out of range.
    pub const INDEX_OUT_OF_BOUNDS: &str = "java.lang.IndexOutOfBoundsException";
}

impl Error {
    /// An error of `class` whose Java counterpart is `exception`.
    #[must_use]
    pub fn new(class: ErrorClass, exception: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { class, exception, message: Some(message.into()), cause: None }))
    }

    /// The record is at fault (`DataException`).
    #[must_use]
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Data, exception::DATA, message)
    }

    /// Worth another try (`RetriableException`).
    #[must_use]
    pub fn retriable(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Retriable, exception::RETRIABLE, message)
    }

    /// The configuration is at fault (`ConfigException`).
    #[must_use]
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Config, exception::CONFIG, message)
    }

    /// One key's value is at fault: `Invalid value <value> for configuration <key>: <detail>`.
    #[must_use]
    pub fn invalid_value(key: &str, value: impl fmt::Display, detail: impl fmt::Display) -> Self {
        Self::config(format!("Invalid value {value} for configuration {key}: {detail}"))
    }

    /// The task cannot go on (`ConnectException`).
    #[must_use]
    pub fn fatal(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Fatal, exception::CONNECT, message)
    }

    /// Replaces the name of the Java exception.
    #[must_use]
    pub fn with_exception(mut self, exception: &'static str) -> Self {
        self.0.exception = exception;
        self
    }

    /// Replaces the class, keeping text and cause.
    #[must_use]
    pub fn with_class(mut self, class: ErrorClass) -> Self {
        self.0.class = class;
        self
    }

    /// Drops the message, for exceptions that carry none (their header value is null).
    #[must_use]
    pub fn without_message(mut self) -> Self {
        self.0.message = None;
        self
    }

    /// Appends `cause` at the end of the chain of causes.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Error>) -> Self {
        let mut slot = &mut self.0.cause;
        while let Some(inner) = slot {
            slot = &mut inner.0.cause;
        }
        *slot = Some(cause.into());
        self
    }

    /// A new outer error of the same class, with `self` as its cause.
    #[must_use]
    pub fn wrapped_in(self, exception: &'static str, message: impl Into<String>) -> Self {
        Self::new(self.class(), exception, message).caused_by(self)
    }

    /// What the runtime may do about it.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        self.0.class
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        self.0.class == ErrorClass::Retriable
    }

    /// The Java exception's class name.
    #[must_use]
    pub fn exception(&self) -> &'static str {
        self.0.exception
    }

    /// The message, if there is one.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// The next error in the chain.
    #[must_use]
    pub fn cause(&self) -> Option<&Error> {
        self.0.cause.as_ref()
    }

    /// The text of the `trace` field in status answers: each exception of the chain, the inner ones introduced by
    /// `Caused by:`, as Java prints them (there are no stack frames to show).
    #[must_use]
    pub fn trace(&self) -> String {
        let mut text = String::new();
        let mut next = Some(self);
        while let Some(error) = next {
            if !text.is_empty() {
                text.push_str("Caused by: ");
            }
            text.push_str(error.0.exception);
            if let Some(message) = &error.0.message {
                text.push_str(": ");
                text.push_str(message);
            }
            text.push('\n');
            next = error.cause();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut next = Some(self);
        let mut first = true;
        while let Some(error) = next {
            if !first {
                f.write_str(": ")?;
            }
            f.write_str(error.0.message.as_deref().unwrap_or(error.0.exception))?;
            first = false;
            next = error.cause();
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} error, {}", self.0.class, self.trace().trim_end())
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    /// An I/O error is fatal unless the caller knows better.
    fn from(error: std::io::Error) -> Self {
        Self::new(ErrorClass::Fatal, "java.io.IOException", error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_lists_the_chain_as_java_does() {
        let error =
            Error::data("bad field").wrapped_in(exception::CONNECT, "Tolerance exceeded in error handler");
        assert_eq!(error.class(), ErrorClass::Data);
        assert_eq!(
            error.trace(),
            "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler\n\
             Caused by: org.apache.kafka.connect.errors.DataException: bad field\n"
        );
    }

    #[test]
    fn a_result_of_nothing_is_one_pointer() {
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
    }
}

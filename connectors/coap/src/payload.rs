//! What becomes of payloads, decodable or not; of both modes.

use lavka_api::data::{Blob, Datum, Headers, Schema, Str, Type};
use lavka_api::error::exception;
use lavka_api::{Error, Result};
use lavka_converters::payload::{Format, PayloadDecoder};

/// The names that `lavka.payload.format` takes.
pub(crate) const FORMATS: &[&str] = &["bytes", "text", "json", "cbor", "senml-json", "senml-cbor", "auto"];

/// Decodes payloads as configured; one per task.
#[derive(Debug)]
pub(crate) struct Payloads {
    decoder: PayloadDecoder,
    /// None where each message says it.
    format: Option<Format>,
    on_error: OnError,
    string: Schema,
}

/// What becomes of a payload that cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnError {
    Bytes,
    Reject,
    Fail,
}

impl Payloads {
    /// By the values of `lavka.payload.format` and `lavka.payload.on.error`.
    pub(crate) fn new(format: &str, on_error: &str) -> Self {
        Self {
            decoder: PayloadDecoder::new(),
            format: (format != "auto").then(|| Format::named(format).unwrap_or(Format::Bytes)),
            on_error: match on_error {
                "reject" => OnError::Reject,
                "fail" => OnError::Fail,
                _ => OnError::Bytes,
            },
            string: Schema::of(Type::String),
        }
    }

    /// The value of the record of a payload that came at `received` (epoch milliseconds); none where there is to be no
    /// record. `what` names the message in an error.
    ///
    /// # Errors
    /// A payload that cannot be decoded, where that fails the task.
    pub(crate) fn decode(
        &mut self,
        content_format: Option<u32>,
        payload: &Blob,
        received: i64,
        headers: &mut Headers,
        what: impl FnOnce() -> String,
    ) -> Result<Option<Datum>> {
        let format =
            self.format.unwrap_or_else(|| content_format.map_or(Format::Bytes, Format::of_content_format));
        match (self.decoder.decode(format, payload, received), self.on_error) {
            (Ok(value), _) => Ok(Some(value)),
            (Err(error), OnError::Bytes) => {
                let reason = Datum::new(self.string.clone(), error.to_string());
                headers.add(Str::from_static("lavka.payload.error"), reason);
                Ok(Some(self.decoder.bytes(payload)))
            }
            (Err(_), OnError::Reject) => Ok(None),
            (Err(error), OnError::Fail) => Err(Error::fatal(format!(
                "The payload of {} ({} bytes) is not {format}, and lavka.payload.on.error is fail. Set it to bytes or \
                 reject to go on.",
                what(),
                payload.len()
            ))
            .with_exception(exception::CONNECT)
            .caused_by(error)),
        }
    }
}

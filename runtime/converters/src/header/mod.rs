//! `SimpleHeaderConverter`: text on the wire, from which a type is inferred.
//!
//! `tokens` splits a text as Connect does, `infer` makes data of the tokens, `number` and `instant` recognise single
//! tokens, and `align` brings the elements of a container to a common type.

mod align;
mod infer;
mod instant;
mod number;
mod tokens;

use lavka_api::data::{Blob, Datum, Topic, Value};
use lavka_api::plugin::HeaderConverter;
use lavka_api::{Result, java};

/// A text is not the data that it looked like, so that it is a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NotData;

/// The converter. It has no settings and no state.
pub(crate) struct SimpleHeaderConverter;

impl HeaderConverter for SimpleHeaderConverter {
    fn decode(&mut self, _: &Topic, _: &str, payload: Option<&Blob>) -> Result<Datum> {
        let Some(payload) = payload else { return Ok(Datum::NULL) };
        let text = String::from_utf8_lossy(payload);
        Ok(infer::infer(&text))
    }

    fn encode(&mut self, _: &Topic, _: &str, datum: &Datum, out: &mut Vec<u8>) -> Result<bool> {
        match &datum.value {
            Value::Null => return Ok(false),
            Value::String(text) => out.extend_from_slice(text.as_bytes()),
            value => out.extend_from_slice(java::connect_text(value).as_bytes()),
        }
        Ok(true)
    }
}

//! Payloads of devices: JSON, CBOR, SenML and text, for sources whose messages say what they are.
//!
//! - [`PayloadDecoder`] is what a source holds: one per task, told by [`Format`] or by the content format of each message.
//! - [`CborReader`] reads CBOR (RFC 8949) into schemaless values, as [`JsonReader`](crate::json::JsonReader) reads JSON.
//! - [`Sparkplug`] decodes Sparkplug B, which takes the message's topic and what was born before.
//! - [`senml`] resolves SenML packs (RFC 8428) of either syntax into records with a schema.

mod cbor;
mod decoder;
mod head;
pub mod senml;
mod sparkplug;
mod whole;

pub use cbor::CborReader;
pub use decoder::{Format, PayloadDecoder};
pub use sparkplug::Sparkplug;

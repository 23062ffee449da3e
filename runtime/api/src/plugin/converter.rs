//! Converters between bytes and data.

use async_trait::async_trait;

use crate::data::{Blob, Datum, Headers, Schema, Str, Topic, Value};
use crate::error::Result;

/// What a converter converts (`converter.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConverterRole {
    /// Keys.
    Key,
    /// Values.
    Value,
    /// Headers.
    Header,
}

/// A payload before decoding.
#[derive(Clone, Copy, Debug)]
pub struct Undecoded<'a> {
    /// The topic it came from.
    pub topic: &'a Topic,
    /// The bytes.
    pub payload: Option<&'a Blob>,
    /// The headers of the record as they came, for converters that find the name of a schema there.
    pub headers: &'a [(Str, Option<Blob>)],
}

/// Converts keys or values. Every task has its own instances.
///
/// `prepare_decode` and `prepare_encode` are called once per batch for whatever needs the network (schemas of a
/// registry); after they succeeded, `decode` and `encode` of that batch answer from memory.
#[async_trait]
pub trait Converter: Send {
    /// Fetches what decoding this batch needs. Retriable errors are tried again by the engine.
    async fn prepare_decode(&mut self, batch: &[Undecoded<'_>]) -> Result<()> {
        let _ = batch;
        Ok(())
    }

    /// Fetches or registers what encoding this batch needs.
    async fn prepare_encode(&mut self, batch: &[(&Topic, &Datum)]) -> Result<()> {
        let _ = batch;
        Ok(())
    }

    /// From bytes to data. No payload is a null, not an error.
    fn decode(&mut self, topic: &Topic, payload: Option<&Blob>) -> Result<Datum>;

    /// As [`decode`](Self::decode), for converters that look at the headers too. This is what the engine calls.
    fn decode_record(&mut self, undecoded: &Undecoded<'_>) -> Result<Datum> {
        self.decode(undecoded.topic, undecoded.payload)
    }

    /// From data to bytes, appended to `out`; false for null bytes, with nothing appended. On an error `out` may hold a
    /// part, which the caller cuts off.
    ///
    /// A converter may append headers to the end. One of bytes is sent as these bytes: the header converter does not
    /// see it.
    fn encode(
        &mut self,
        topic: &Topic,
        headers: &mut Headers,
        schema: Option<&Schema>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<bool>;
}

/// Converts header values. Every task has its own instance.
pub trait HeaderConverter: Send {
    /// From bytes to data.
    fn decode(&mut self, topic: &Topic, key: &str, payload: Option<&Blob>) -> Result<Datum>;

    /// From data to bytes, appended to `out`; false for null bytes.
    fn encode(&mut self, topic: &Topic, key: &str, datum: &Datum, out: &mut Vec<u8>) -> Result<bool>;
}

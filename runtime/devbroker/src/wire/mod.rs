//! Bytes to requests and responses to bytes. Nothing here knows what a request means.
//!
//! A frame is `length: i32` followed by that many bytes; this module sees frames without their length. Hostile bytes
//! end in a [`Malformed`], never in a panic and never in an allocation larger than a small multiple of the frame.

mod apis;
mod cursor;
mod shape;
#[cfg(test)]
pub(crate) mod tests;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::{
    ResponseError,
    messages::{ApiKey, RequestKind, ResponseKind},
    protocol::StrBytes,
};

pub(crate) use apis::{advertised, answered};
pub(crate) use cursor::Cursor;

/// The part of a request that says how to answer it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    pub(crate) correlation: i32,
    /// Empty when the client did not give one.
    pub(crate) client_id: StrBytes,
}

/// One decoded frame.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "moved once per request; a box would be an allocation per request"
)]
pub(crate) enum Incoming {
    /// A request to be answered.
    Request(Header, RequestKind),
    /// ApiVersions in a version from the future: answered in version 0 with UNSUPPORTED_VERSION and the list, so
    /// that the client can choose again (KIP-511). Its body cannot be read and is not.
    UnknownApiVersions { correlation: i32 },
}

/// Why a frame cannot be answered; the connection is closed, as Kafka does.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("the frame ends inside the request header")]
    Header,
    #[error("no request has the API key {0}")]
    UnknownApi(i16),
    #[error("{api:?} version {version} is not supported")]
    UnsupportedVersion { api: ApiKey, version: i16 },
    #[error("the body is not a {api:?} request of version {version}")]
    Body { api: ApiKey, version: i16 },
}

/// Reads one frame (without its length).
pub(crate) fn decode(frame: &Bytes) -> Result<Incoming, Malformed> {
    let mut cursor = Cursor::new(frame);
    let (key, version, correlation) = read_start(&mut cursor).ok_or(Malformed::Header)?;
    let api = apis::find(key).ok_or(Malformed::UnknownApi(key))?;
    if !(api.min..=api.max).contains(&version) {
        if api.key == ApiKey::ApiVersions {
            return Ok(Incoming::UnknownApiVersions { correlation });
        }
        return Err(Malformed::UnsupportedVersion { api: api.key, version });
    }
    let flexible = api.key.request_header_version(version) >= 2;
    let client_id = read_client_id(&mut cursor).ok_or(Malformed::Header)?;
    if flexible {
        // Tags of the header are looked at by nobody; a handful is plenty.
        shape::skip_tags(&mut cursor, &mut 16).ok_or(Malformed::Header)?;
    }
    let mut body = frame.slice(frame.len() - cursor.remaining()..);
    let malformed = Malformed::Body { api: api.key, version };
    if !shape::is_whole(api.request, &body, version, flexible) {
        return Err(malformed);
    }
    match RequestKind::decode(api.key, &mut body, version) {
        Ok(request) => {
            Ok(Incoming::Request(Header { api: api.key, version, correlation, client_id }, request))
        }
        Err(_) => Err(malformed),
    }
}

fn read_start(cursor: &mut Cursor<'_>) -> Option<(i16, i16, i32)> {
    Some((cursor.i16()?, cursor.i16()?, cursor.i32()?))
}

/// The client id is a nullable string with a 16-bit length in every header version, flexible ones included.
fn read_client_id(cursor: &mut Cursor<'_>) -> Option<StrBytes> {
    match cursor.i16()? {
        -1 => Some(StrBytes::new()),
        length => {
            let text = cursor.take(usize::try_from(length).ok()?)?;
            Some(StrBytes::from_string(std::str::from_utf8(text).ok()?.to_owned()))
        }
    }
}

/// A response could not be written in the version that was asked for: a mistake of this crate, not of the client.
#[derive(Debug, thiserror::Error)]
#[error("{api:?} version {version}: {reason}")]
pub(crate) struct Unencodable {
    api: ApiKey,
    version: i16,
    reason: String,
}

/// Writes a whole frame, its length included.
pub(crate) fn encode(
    api: ApiKey,
    version: i16,
    correlation: i32,
    response: &ResponseKind,
) -> Result<BytesMut, Unencodable> {
    let fail = |reason: String| Unencodable { api, version, reason };
    let mut frame = BytesMut::with_capacity(expected_size(response));
    frame.put_i32(0);
    frame.put_i32(correlation);
    // ApiVersions always has the old header, because the client does not know yet what the broker speaks.
    if api.response_header_version(version) >= 1 {
        frame.put_u8(0);
    }
    response.encode(&mut frame, version).map_err(|error| fail(format!("{error:#}")))?;
    let length = i32::try_from(frame.len() - 4).map_err(|error| fail(error.to_string()))?;
    if let Some(prefix) = frame.first_chunk_mut::<4>() {
        *prefix = length.to_be_bytes();
    }
    Ok(frame)
}

/// The answer to [`Incoming::UnknownApiVersions`].
pub(crate) fn encode_unknown_api_versions(correlation: i32) -> Result<BytesMut, Unencodable> {
    let response = advertised(ResponseError::UnsupportedVersion.code());
    encode(ApiKey::ApiVersions, 0, correlation, &ResponseKind::ApiVersions(response))
}

/// Fetch responses are megabytes; growing into that by doubling would copy the records several times.
fn expected_size(response: &ResponseKind) -> usize {
    const SMALL: usize = 512;
    match response {
        ResponseKind::Fetch(fetch) => {
            let partitions = fetch.responses.iter().flat_map(|topic| &topic.partitions);
            partitions.map(|p| p.records.as_ref().map_or(0, Bytes::len) + 128).sum::<usize>() + SMALL
        }
        _ => SMALL,
    }
}

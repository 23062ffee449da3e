//! Frames: a 32-bit length, a header, a message.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Encodable, HeaderVersion, Request, StrBytes};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::guard;

/// A longer response closes the connection. The largest we ask for, all offsets of a group or what the leader of a group
/// is told, are well below a megabyte in large clusters.
pub(super) const MAX_RESPONSE: usize = 16 * 1024 * 1024;

/// Memory is set aside as bytes arrive, not as a length announces them.
const READ_STEP: usize = 64 * 1024;

/// A whole frame.
///
/// # Errors
/// Where the request has a field set that this version lacks.
pub(super) fn encode<R: Request>(
    request: &R,
    version: i16,
    correlation: i32,
    client_id: &str,
) -> Result<Bytes, String> {
    let shown = |error| format!("{error:#}");
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation)
        .with_client_id(Some(StrBytes::from_string(client_id.to_owned())));
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    header.encode(&mut frame, R::header_version(version)).map_err(shown)?;
    request.encode(&mut frame, version).map_err(shown)?;
    let length = i32::try_from(frame.len() - 4).map_err(|error| error.to_string())?;
    if let Some(prefix) = frame.first_chunk_mut::<4>() {
        *prefix = length.to_be_bytes();
    }
    Ok(frame.freeze())
}

/// The next frame without its length; `None` where the stream ends between frames.
pub(super) async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<Bytes>> {
    let mut prefix = [0; 4];
    if stream.read(&mut prefix[..1]).await? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut prefix[1..]).await?;
    let length = i32::from_be_bytes(prefix);
    let length = usize::try_from(length).ok().filter(|length| *length <= MAX_RESPONSE).ok_or_else(|| {
        let text =
            format!("a response announces {length} bytes; this is not Kafka, or TLS where none was expected");
        io::Error::new(io::ErrorKind::InvalidData, text)
    })?;
    let mut frame = BytesMut::new();
    while frame.len() < length {
        let missing = length - frame.len();
        frame.reserve(missing.min(READ_STEP));
        if stream.read_buf(&mut (&mut frame).limit(missing)).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(Some(frame.freeze()))
}

/// The correlation id of a response, which every header begins with.
pub(super) fn correlation(frame: &Bytes) -> Option<i32> {
    frame.first_chunk::<4>().map(|bytes| i32::from_be_bytes(*bytes))
}

/// The response in a frame.
///
/// # Errors
/// What is wrong with the bytes.
pub(super) fn decode<R: Request>(mut frame: Bytes, version: i16) -> Result<R::Response, String> {
    guard::decode::<ResponseHeader>(&mut frame, R::Response::header_version(version))?;
    guard::decode::<R::Response>(&mut frame, version)
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{ApiVersionsRequest, DeleteGroupsRequest};

    use super::*;

    #[test]
    fn a_request_is_framed() {
        let frame = encode(&DeleteGroupsRequest::default(), 0, 7, "me").unwrap();
        let expected = [0, 0, 0, 16, 0, 42, 0, 0, 0, 0, 0, 7, 0, 2, b'm', b'e', 0, 0, 0, 0];
        assert_eq!(&frame[..], expected);
        // The client id keeps its plain length in flexible headers.
        let frame = encode(&ApiVersionsRequest::default(), 3, 7, "me").unwrap();
        assert_eq!(&frame[4..17], [0, 18, 0, 3, 0, 0, 0, 7, 0, 2, b'm', b'e', 0]);
    }

    #[tokio::test]
    async fn frames_are_read_one_by_one_and_bounded() {
        let mut stream = &[0, 0, 0, 2, 1, 2, 0, 0, 0, 0, 0, 0, 0, 1, 3][..];
        assert_eq!(read(&mut stream).await.unwrap().unwrap(), &[1, 2][..]);
        assert_eq!(read(&mut stream).await.unwrap().unwrap(), &[][..]);
        assert_eq!(read(&mut stream).await.unwrap().unwrap(), &[3][..]);
        assert!(read(&mut stream).await.unwrap().is_none());
        for wrong in [&[0xff, 0xff, 0xff, 0xff][..], &[0x7f, 0, 0, 0], &[0, 0], &[0, 0, 0, 2, 1], b"HTTP/1.1"]
        {
            assert!(read(&mut &wrong[..]).await.is_err(), "{wrong:?}");
        }
    }
}

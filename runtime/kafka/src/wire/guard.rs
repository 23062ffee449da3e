//! Decoding bytes that nobody vouches for.
//!
//! The generated decoders reserve room for as many array elements as a length field claims, so a response of a dozen
//! bytes could ask for gigabytes and abort the process. The buffer given to them here knows two things: every element
//! takes at least one byte, and the decoder reads compact lengths byte by byte and other lengths as 32-bit integers.
//!
//! - A compact length (unsigned varint) beyond what is left is refused where it is read. No legal response is: nothing
//!   else in it is read as bytes with the top bit set.
//! - A 32-bit integer beyond what is left may be a length or just a number. On a first pass such numbers are cut to one
//!   more than what is left. If one of them was a length, the pass fails for want of bytes; if the pass succeeds, none
//!   was, and a second pass over the same bytes reads the true numbers.

use bytes::{Buf, Bytes, TryGetError};
use kafka_protocol::protocol::Decodable;
use kafka_protocol::protocol::buf::ByteBuf;

/// Decodes a whole message.
///
/// # Errors
/// What is wrong with the bytes.
pub(super) fn decode<M: Decodable>(bytes: &mut Bytes, version: i16) -> Result<M, String> {
    let mut probe = Guard { rest: bytes.clone(), cuts: true, cut: false };
    let mut message = M::decode(&mut probe, version).map_err(|error| format!("{error:#}"))?;
    let mut rest = probe.rest;
    if probe.cut {
        let mut again = Guard { rest: bytes.clone(), cuts: false, cut: false };
        message = M::decode(&mut again, version).map_err(|error| format!("{error:#}"))?;
        rest = again.rest;
    }
    *bytes = rest;
    Ok(message)
}

struct Guard {
    rest: Bytes,
    /// Whether numbers beyond what is left are cut.
    cuts: bool,
    /// Whether one was.
    cut: bool,
}

impl Guard {
    fn refuse(&self, requested: usize) -> TryGetError {
        TryGetError { requested, available: self.rest.len() }
    }

    /// The unsigned varint that starts here, as far as it is there.
    fn varint(&self) -> u64 {
        let mut value = 0;
        for (place, byte) in self.rest.iter().take(5).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                break;
            }
        }
        value
    }
}

impl Buf for Guard {
    fn remaining(&self) -> usize {
        self.rest.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.rest
    }

    fn advance(&mut self, count: usize) {
        self.rest.advance(count);
    }

    fn try_get_u8(&mut self) -> Result<u8, TryGetError> {
        let Some(&byte) = self.rest.first() else { return Err(self.refuse(1)) };
        if byte & 0x80 != 0 {
            // Compact lengths are one more than what they stand for.
            let claimed = usize::try_from(self.varint()).unwrap_or(usize::MAX).saturating_sub(1);
            if claimed > self.rest.len() {
                return Err(self.refuse(claimed));
            }
        }
        self.rest.advance(1);
        Ok(byte)
    }

    fn try_get_i32(&mut self) -> Result<i32, TryGetError> {
        let Some(bytes) = self.rest.first_chunk::<4>() else { return Err(self.refuse(4)) };
        let number = i32::from_be_bytes(*bytes);
        self.rest.advance(4);
        let most = i32::try_from(self.rest.len()).unwrap_or(i32::MAX).saturating_add(1);
        if self.cuts && number > most {
            self.cut = true;
            return Ok(most);
        }
        Ok(number)
    }
}

impl ByteBuf for Guard {
    fn peek_bytes(&mut self, range: std::ops::Range<usize>) -> Bytes {
        self.rest.slice(range)
    }

    fn get_bytes(&mut self, size: usize) -> Bytes {
        self.rest.split_to(size)
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use kafka_protocol::messages::metadata_response::{MetadataResponseBroker, MetadataResponseTopic};
    use kafka_protocol::messages::{
        ApiVersionsResponse, MetadataResponse, OffsetDeleteResponse, OffsetFetchResponse, ResponseHeader,
    };
    use kafka_protocol::protocol::{Encodable, StrBytes};
    use proptest::prelude::*;

    use super::*;

    fn metadata() -> MetadataResponse {
        let broker = MetadataResponseBroker::default()
            .with_node_id(i32::MAX.into())
            .with_host(StrBytes::from_static_str("kafka"))
            .with_port(9092);
        let topic = MetadataResponseTopic::default().with_name(Some(StrBytes::from_static_str("t").into()));
        MetadataResponse::default()
            .with_brokers(vec![broker; 300])
            .with_controller_id(i32::MAX.into())
            .with_topics(vec![topic])
    }

    #[test]
    fn what_was_encoded_is_decoded_whatever_its_numbers() {
        for version in 2..=12 {
            let mut bytes = BytesMut::new();
            metadata().encode(&mut bytes, version).unwrap();
            let mut bytes = bytes.freeze();
            assert_eq!(
                decode::<MetadataResponse>(&mut bytes, version).unwrap(),
                metadata(),
                "version {version}"
            );
            assert!(bytes.is_empty());
        }
    }

    #[test]
    fn a_claim_beyond_the_bytes_is_refused_before_memory_is_reserved() {
        // Version 0: a 32-bit count of brokers. Version 9: a compact one, after the throttle time.
        let plain = [0x7f, 0xff, 0xff, 0xff];
        let compact = [0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f];
        assert!(decode::<MetadataResponse>(&mut Bytes::copy_from_slice(&plain), 0).is_err());
        assert!(decode::<MetadataResponse>(&mut Bytes::copy_from_slice(&compact), 9).is_err());
    }

    #[test]
    fn a_flag_cannot_hide_the_start_of_a_length() {
        // A byte read as a flag, then a length. Counted from the flag on, the five bytes of a varint hold a small number.
        let mut bytes = vec![0x80, 0x85, 0x80, 0x80, 0x80, 0x0f];
        bytes.resize(1000, 0);
        let mut guard = Guard { rest: bytes.into(), cuts: true, cut: false };
        assert_eq!(guard.try_get_u8(), Ok(0x80));
        assert!(guard.try_get_u8().is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic_or_exhaust_memory(bytes in prop::collection::vec(any::<u8>(), 0..200), version in 0i16..14) {
            let bytes = Bytes::from(bytes);
            let _ = decode::<MetadataResponse>(&mut bytes.clone(), version);
            let _ = decode::<OffsetFetchResponse>(&mut bytes.clone(), version);
            let _ = decode::<OffsetDeleteResponse>(&mut bytes.clone(), version);
            let _ = decode::<ApiVersionsResponse>(&mut bytes.clone(), version);
            let _ = decode::<ResponseHeader>(&mut bytes.clone(), version);
        }
    }
}

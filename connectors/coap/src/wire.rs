//! CoAP messages as datagrams (RFC 7252, section 3), on the codec of `coap-lite`.
//!
//! The codec takes a few things that the RFC calls format errors; [`read`] finds them.

use coap_lite::{CoapOption, MessageClass, MessageType, Packet};

/// Response codes (RFC 7252, section 12.1.2; RFC 7959, section 6).
pub(crate) mod code {
    pub(crate) const EMPTY: u8 = 0x00;
    pub(crate) const GET: u8 = 0x01;
    pub(crate) const POST: u8 = 0x02;
    pub(crate) const PUT: u8 = 0x03;
    /// 2.03, the answer to a request with an ETag that still holds.
    pub(crate) const VALID: u8 = 0x43;
    /// 2.04, the answer to a reading that Kafka has.
    pub(crate) const CHANGED: u8 = 0x44;
    /// 2.05
    pub(crate) const CONTENT: u8 = 0x45;
    /// 2.31, to every block but the last.
    pub(crate) const CONTINUE: u8 = 0x5f;
    /// 4.00
    pub(crate) const BAD_REQUEST: u8 = 0x80;
    /// 4.02
    pub(crate) const BAD_OPTION: u8 = 0x82;
    /// 4.04
    pub(crate) const NOT_FOUND: u8 = 0x84;
    /// 4.05
    pub(crate) const METHOD_NOT_ALLOWED: u8 = 0x85;
    /// 4.06
    pub(crate) const NOT_ACCEPTABLE: u8 = 0x86;
    /// 4.08
    pub(crate) const REQUEST_ENTITY_INCOMPLETE: u8 = 0x88;
    /// 4.13
    pub(crate) const REQUEST_ENTITY_TOO_LARGE: u8 = 0x8d;
    /// 5.03
    pub(crate) const SERVICE_UNAVAILABLE: u8 = 0xa3;
    /// 5.05
    pub(crate) const PROXYING_NOT_SUPPORTED: u8 = 0xa5;
}

/// Option numbers (RFC 7252, section 12.2; RFC 7959; RFC 9175).
pub(crate) mod option {
    pub(crate) const URI_HOST: u16 = 3;
    pub(crate) const ETAG: u16 = 4;
    pub(crate) const OBSERVE: u16 = 6;
    pub(crate) const URI_PORT: u16 = 7;
    pub(crate) const URI_PATH: u16 = 11;
    pub(crate) const CONTENT_FORMAT: u16 = 12;
    pub(crate) const MAX_AGE: u16 = 14;
    pub(crate) const URI_QUERY: u16 = 15;
    pub(crate) const ACCEPT: u16 = 17;
    pub(crate) const BLOCK2: u16 = 23;
    pub(crate) const BLOCK1: u16 = 27;
    pub(crate) const SIZE2: u16 = 28;
    pub(crate) const PROXY_URI: u16 = 35;
    pub(crate) const PROXY_SCHEME: u16 = 39;
    pub(crate) const SIZE1: u16 = 60;
}

/// Why a datagram is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// To be ignored in silence: not CoAP as far as one can tell, or nobody waits for an answer.
    Ignore,
    /// A confirmable message with a format error, which is rejected with a Reset of this message id
    /// (RFC 7252, section 4.2).
    Reject(u16),
}

/// Reads a datagram.
pub(crate) fn read(datagram: &[u8]) -> Result<Packet, Malformed> {
    let &[first, code, high, low, ..] = datagram else { return Err(Malformed::Ignore) };
    if first >> 6 != 1 {
        return Err(Malformed::Ignore);
    }
    let confirmable = first & 0x30 == 0;
    let refused =
        if confirmable { Malformed::Reject(u16::from_be_bytes([high, low])) } else { Malformed::Ignore };
    // Classes 1, 6 and 7 are reserved; an empty message ends behind its header.
    let class_known = matches!(code >> 5, 0 | 2 | 4 | 5);
    let empty_and_more = code == code::EMPTY && (datagram.len() > 4 || first & 0x0f != 0);
    if !class_known || empty_and_more {
        return Err(refused);
    }
    let packet = Packet::from_bytes(datagram).map_err(|_| refused)?;
    if packet.payload.is_empty() && has_bare_marker(&packet, datagram) {
        return Err(refused);
    }
    Ok(packet)
}

/// Whether a payload marker ends the datagram with nothing behind it: then the datagram is one byte longer than header,
/// token and options, each of which has one encoding.
fn has_bare_marker(packet: &Packet, datagram: &[u8]) -> bool {
    datagram.last() == Some(&0xff)
        && packet.to_bytes_unlimited().is_ok_and(|without| without.len() < datagram.len())
}

/// The code of a message.
pub(crate) fn code_of(packet: &Packet) -> u8 {
    packet.header.code.into()
}

/// An option's first value.
pub(crate) fn first(packet: &Packet, number: u16) -> Option<&[u8]> {
    packet.get_first_option(CoapOption::from(number)).map(Vec::as_slice)
}

/// All values of an option, in order.
pub(crate) fn all(packet: &Packet, number: u16) -> impl Iterator<Item = &[u8]> {
    packet.get_option(CoapOption::from(number)).into_iter().flatten().map(Vec::as_slice)
}

/// An option that is a number: big-endian without leading zeros (RFC 7252, section 3.2), at most 4 bytes.
pub(crate) fn uint(value: &[u8]) -> Option<u32> {
    (value.len() <= 4).then(|| value.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
}

/// The bytes of an option that is a number.
fn uint_bytes(number: u32) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default().to_vec()
}

/// The Block1 and Block2 options (RFC 7959, section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Number of the block, 20 bits.
    pub(crate) number: u32,
    /// Whether more follow.
    pub(crate) more: bool,
    /// The size is 2 to the power of this and 4; at most 6.
    pub(crate) size_exponent: u8,
}

impl Block {
    /// From an option's value; none for one that is no block, or has the reserved size exponent 7.
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let bits = if value.len() <= 3 { uint(value)? } else { return None };
        let size_exponent = (bits & 7) as u8;
        (size_exponent < 7).then_some(Self { number: bits >> 4, more: bits & 8 != 0, size_exponent })
    }

    /// Bytes in a block.
    pub(crate) fn size(self) -> usize {
        16 << self.size_exponent
    }

    fn bits(self) -> u32 {
        self.number << 4 | u32::from(self.more) << 3 | u32::from(self.size_exponent)
    }
}

/// A message to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Draft(Packet);

impl Draft {
    /// A message without options or payload.
    pub(crate) fn new(kind: MessageType, code: u8, id: u16, token: &[u8]) -> Self {
        let mut packet = Packet::new();
        packet.header.set_version(1);
        packet.header.set_type(kind);
        packet.header.code = MessageClass::from(code);
        packet.header.message_id = id;
        // Tokens come from messages that were read, which have at most 8 bytes.
        packet.set_token(token.get(..token.len().min(8)).unwrap_or_default().to_vec());
        Self(packet)
    }

    /// An empty acknowledgement of message `id`.
    pub(crate) fn empty_ack(id: u16) -> Self {
        Self::new(MessageType::Acknowledgement, code::EMPTY, id, &[])
    }

    /// A Reset of message `id`.
    pub(crate) fn reset(id: u16) -> Self {
        Self::new(MessageType::Reset, code::EMPTY, id, &[])
    }

    /// The message id.
    pub(crate) fn id(&self) -> u16 {
        self.0.header.message_id
    }

    /// The code.
    pub(crate) fn code(&self) -> u8 {
        code_of(&self.0)
    }

    /// With an option of bytes.
    pub(crate) fn bytes(mut self, number: u16, value: &[u8]) -> Self {
        self.0.add_option(CoapOption::from(number), value.to_vec());
        self
    }

    /// With an option that is a number.
    pub(crate) fn number(self, number: u16, value: u32) -> Self {
        self.bytes(number, &uint_bytes(value))
    }

    /// With a block option.
    pub(crate) fn block(self, number: u16, block: Block) -> Self {
        self.number(number, block.bits())
    }

    /// With a payload.
    pub(crate) fn payload(mut self, payload: Vec<u8>) -> Self {
        self.0.payload = payload;
        self
    }

    /// The datagram. Never fails for what this module builds: the codec refuses only what is over its size limit, which
    /// is not asked for.
    pub(crate) fn datagram(&self) -> Vec<u8> {
        self.0.to_bytes_unlimited().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_is_read() {
        // CON POST, id 0x1234, token 0xab, Uri-Path "t", Content-Format 50, payload "{}".
        let datagram = [0x41, 0x02, 0x12, 0x34, 0xab, 0xb1, b't', 0x11, 50, 0xff, b'{', b'}'];
        let packet = read(&datagram).unwrap();
        assert_eq!(code_of(&packet), code::POST);
        assert_eq!((packet.header.message_id, packet.get_token()), (0x1234, &[0xab][..]));
        assert_eq!(all(&packet, option::URI_PATH).collect::<Vec<_>>(), [b"t"]);
        assert_eq!(first(&packet, option::CONTENT_FORMAT).and_then(uint), Some(50));
        assert_eq!(packet.payload, b"{}");
    }

    #[test]
    fn format_errors_are_rejected_where_confirmable_and_ignored_otherwise() {
        let table: [(&str, &[u8]); 6] = [
            ("token of 9 bytes", &[0x49, 1, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
            ("empty message with a token", &[0x41, 0, 0, 7, 1]),
            ("empty message with bytes behind", &[0x40, 0, 0, 7, 0xff]),
            ("marker without payload", &[0x40, 2, 0, 7, 0xb1, b't', 0xff]),
            ("option beyond the end", &[0x40, 2, 0, 7, 0xb5, b't']),
            ("reserved class", &[0x40, 0x21, 0, 7]),
        ];
        for (what, datagram) in table {
            assert_eq!(read(datagram).err(), Some(Malformed::Reject(7)), "{what}");
            let mut non = datagram.to_vec();
            non[0] |= 0x10;
            assert_eq!(read(&non).err(), Some(Malformed::Ignore), "{what}, non-confirmable");
        }
        assert_eq!(read(&[0x80, 2, 0, 7]).err(), Some(Malformed::Ignore), "another version");
        assert_eq!(read(&[0x40, 2, 0]).err(), Some(Malformed::Ignore), "too short");
    }

    #[test]
    fn an_option_may_end_in_the_byte_of_the_marker() {
        let packet = read(&[0x40, 2, 0, 7, 0xb1, 0xff]).unwrap();
        assert_eq!(first(&packet, option::URI_PATH), Some(&[0xff][..]));
    }

    #[test]
    fn blocks() {
        assert_eq!(Block::parse(&[]), Some(Block { number: 0, more: false, size_exponent: 0 }));
        assert_eq!(Block::parse(&[0x1e]), Some(Block { number: 1, more: true, size_exponent: 6 }));
        assert_eq!(Block::parse(&[0x07]), None, "reserved size");
        assert_eq!(Block::parse(&[0, 0, 0, 6]), None, "four bytes");
        let last = Block { number: 0x000f_ffff, more: false, size_exponent: 2 };
        assert_eq!((Block::parse(&uint_bytes(last.bits())), last.size()), (Some(last), 64));
    }

    #[test]
    fn numbers_have_no_leading_zeros() {
        for (number, bytes) in [(0, &[][..]), (1, &[1]), (256, &[1, 0]), (u32::MAX, &[255; 4])] {
            assert_eq!(uint_bytes(number), bytes);
            assert_eq!(uint(bytes), Some(number));
        }
        assert_eq!(uint(&[0; 5]), None);
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_read_without_harm(datagram: Vec<u8>) {
            let _ = read(&datagram);
        }

        #[test]
        fn hostile_options_are_read_without_harm(mut datagram: Vec<u8>, first in 0x40u8..0x49) {
            datagram.splice(0..0, [first, 2, 0, 1]);
            if let Ok(packet) = read(&datagram) {
                prop_assert_eq!(Draft(packet).datagram(), datagram);
            }
        }
    }
}

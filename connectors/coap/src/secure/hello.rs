//! The cookie exchange (RFC 6347, section 4.2.1). Pure.
//!
//! A ClientHello without a cookie that holds is answered with one, and forgotten: whoever forges addresses gets nothing
//! kept, and no more bytes sent than it sent. The cookie is a keyed hash of the address, the client's random and the
//! minute. Only a client that sends it back is given to the library, which wants to have made the cookie itself; so it is
//! told the hello without its cookie first, and then that the cookie of the real one is good ([`CookieHmac`]).

use std::cell::Cell;
use std::net::SocketAddr;

use dimpl::CryptoError;
use dimpl::crypto::{CryptoProvider, HashAlgorithm, HmacProvider, rust_crypto};

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const HELLO_VERIFY_REQUEST: u8 = 3;
/// Header of a record, and of a handshake message in it.
const RECORD_HEADER: usize = 13;
const MESSAGE_HEADER: usize = 12;
/// Seconds that a cookie holds at least, and at most twice.
const PERIOD: u64 = 60;
/// TLS_PSK_WITH_AES_128_CCM_8 (RFC 6655).
const PSK_AES_128_CCM_8: u16 = 0xc0a8;

/// A ClientHello that came whole, in the first record of its datagram.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hello<'a> {
    record: &'a [u8],
    random: &'a [u8],
    /// Where the cookie's length stands in the record.
    cookie_at: usize,
    cookie: &'a [u8],
    /// Behind the cookie: the length and the numbers of the suites.
    suites: &'a [u8],
}

/// Whether a datagram begins with a ClientHello.
pub(super) fn is_hello(datagram: &[u8]) -> bool {
    matches!(datagram, [HANDSHAKE, 0xfe, _, 0, 0, ..]) && datagram.get(RECORD_HEADER) == Some(&CLIENT_HELLO)
}

impl<'a> Hello<'a> {
    /// Reads the first record; none where it is no whole ClientHello.
    pub(super) fn parse(datagram: &'a [u8]) -> Option<Self> {
        if !is_hello(datagram) {
            return None;
        }
        let length = usize::from(u16::from_be_bytes([*datagram.get(11)?, *datagram.get(12)?]));
        let record = datagram.get(..RECORD_HEADER + length)?;
        let number = |at: usize| {
            record
                .get(at..at + 3)
                .map(|bytes| bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
        };
        let (whole, offset, fragment) = (number(14)?, number(19)?, number(22)?);
        let body_at = RECORD_HEADER + MESSAGE_HEADER;
        if offset != 0 || fragment != whole || record.len() != body_at + whole {
            return None;
        }
        let random = record.get(body_at + 2..body_at + 34)?;
        let session_at = body_at + 34;
        let cookie_at = session_at + 1 + usize::from(*record.get(session_at)?);
        let cookie_end = cookie_at + 1 + usize::from(*record.get(cookie_at)?);
        let cookie = record.get(cookie_at + 1..cookie_end)?;
        Some(Self { record, random, cookie_at, cookie, suites: record.get(cookie_end..)? })
    }

    /// The client's random, by which handshakes are told apart.
    pub(super) fn random(&self) -> &[u8] {
        self.random
    }

    /// Whether the first suite that the client wants, of those that there are, is one with a pre-shared key.
    pub(super) fn wants_psk(&self, has_psk: bool, has_certificate: bool) -> bool {
        // TLS_ECDHE_ECDSA_WITH_AES_*_GCM_*, and the one with ChaCha20 (RFC 5289, RFC 7905).
        const ECDSA: [u16; 3] = [0xc02b, 0xc02c, 0xcca9];
        let [high, low, rest @ ..] = self.suites else { return false };
        let suites = rest.get(..usize::from(u16::from_be_bytes([*high, *low]))).unwrap_or_default();
        let numbers =
            suites.chunks_exact(2).map(|pair| pair.iter().fold(0, |sum, byte| sum << 8 | u16::from(*byte)));
        numbers
            .filter_map(|suite| match suite {
                PSK_AES_128_CCM_8 if has_psk => Some(true),
                suite if has_certificate && ECDSA.contains(&suite) => Some(false),
                _ => None,
            })
            .next()
            // No suite fits; the library says so.
            .unwrap_or(has_psk)
    }

    /// The same message as it would be without its cookie, and before it.
    pub(super) fn without_cookie(&self) -> Vec<u8> {
        let mut record = Vec::with_capacity(self.record.len());
        record.extend_from_slice(self.record.get(..self.cookie_at).unwrap_or_default());
        record.push(0);
        record.extend_from_slice(self.suites);
        let put = |record: &mut Vec<u8>, at: usize, bytes: &[u8]| {
            if let Some(place) = record.get_mut(at..at + bytes.len()) {
                place.copy_from_slice(bytes);
            }
        };
        let message = u32::try_from(record.len().saturating_sub(RECORD_HEADER + MESSAGE_HEADER)).unwrap_or(0);
        let length = u16::try_from(record.len().saturating_sub(RECORD_HEADER)).unwrap_or(0);
        let [_, body @ ..] = message.to_be_bytes();
        put(&mut record, 11, &length.to_be_bytes());
        put(&mut record, 14, &body);
        put(&mut record, 17, &[0, 0]);
        put(&mut record, 22, &body);
        // A number that the record with the cookie does not have, or it would count as replayed.
        let last = record.get(10).copied().unwrap_or(0) ^ 1;
        put(&mut record, 10, &[last]);
        record
    }

    /// The HelloVerifyRequest with `cookie`.
    fn verify_request(&self, cookie: &[u8; 32]) -> Vec<u8> {
        // Version 1.0 whatever is spoken later (section 4.2.1), and the record number of the ClientHello.
        const VERSION: [u8; 2] = [0xfe, 0xff];
        let body = [&VERSION[..], &[32], cookie].concat();
        let length = u32::try_from(body.len()).unwrap_or(0).to_be_bytes();
        let number = self.record.get(5..11).unwrap_or_default();
        let record_length = u16::try_from(MESSAGE_HEADER + body.len()).unwrap_or(0).to_be_bytes();
        [
            &[HANDSHAKE],
            &VERSION[..],
            &[0, 0],
            number,
            &record_length,
            &[HELLO_VERIFY_REQUEST],
            &length[1..],
            &[0, 0],
            &[0; 3],
            &length[1..],
            &body,
        ]
        .concat()
    }
}

/// Makes cookies and knows them again.
#[derive(Debug)]
pub(super) struct Cookies {
    provider: CryptoProvider,
    key: [u8; 32],
}

/// What a ClientHello without history comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// The client is where it says.
    Proven([u8; 32]),
    /// This is to be sent to it.
    Ask(Vec<u8>),
}

impl Cookies {
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self { provider: rust_crypto::default_provider(), key }
    }

    /// Looks at the cookie of a ClientHello from `address`, at `now` in seconds.
    pub(super) fn check(&self, now: u64, address: SocketAddr, hello: &Hello<'_>) -> Option<Shown> {
        let period = now / PERIOD;
        let current = self.cookie(period, address, hello)?;
        // Whether a comparison takes longer tells nothing: a cookie is sent to whoever asks for it.
        if hello.cookie == current {
            return Some(Shown::Proven(current));
        }
        // Most hellos have none, and whoever floods this server with them is to cost one hash each.
        if hello.cookie.len() == current.len() {
            let last = self.cookie(period.saturating_sub(1), address, hello)?;
            if hello.cookie == last {
                return Some(Shown::Proven(last));
            }
        }
        Some(Shown::Ask(hello.verify_request(&current)))
    }

    fn cookie(&self, period: u64, address: SocketAddr, hello: &Hello<'_>) -> Option<[u8; 32]> {
        let text = address.to_string();
        let data = [&period.to_be_bytes()[..], hello.random, text.as_bytes()].concat();
        let mut cookie = [0; 32];
        let length =
            self.provider.hmac_provider.hmac(HashAlgorithm::SHA256, &self.key, &data, &mut cookie).ok()?;
        (length == cookie.len()).then_some(cookie)
    }
}

thread_local! {
    /// The cookie that was checked, while the library looks at it.
    static GOOD: Cell<Option<[u8; 32]>> = const { Cell::new(None) };
}

/// The library's hashes, but for its cookie, for which alone it calls `hmac_sha256` in DTLS 1.2: that is the one that was
/// checked here, if there is one.
#[derive(Debug)]
struct CookieHmac;

impl HmacProvider for CookieHmac {
    fn hmac_sha256(&self, key: &[u8], data: &[u8]) -> Result<[u8; 32], CryptoError> {
        match GOOD.get() {
            Some(cookie) => Ok(cookie),
            None => {
                let mut out = [0; 32];
                self.hmac(HashAlgorithm::SHA256, key, data, &mut out)?;
                Ok(out)
            }
        }
    }

    fn hmac(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        data: &[u8],
        out: &mut [u8],
    ) -> Result<usize, CryptoError> {
        rust_crypto::default_provider().hmac_provider.hmac(hash, key, data, out)
    }
}

/// What the library computes with.
pub(super) fn provider() -> CryptoProvider {
    CryptoProvider { hmac_provider: &CookieHmac, ..rust_crypto::default_provider() }
}

/// Runs `step`, in which the library takes `cookie` for its own.
pub(super) fn with_cookie<T>(cookie: [u8; 32], step: impl FnOnce() -> T) -> T {
    GOOD.set(Some(cookie));
    let result = step();
    GOOD.set(None);
    result
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A ClientHello with record number and message number `number`.
    fn hello(number: u8, cookie: &[u8], suites: &[u16]) -> Vec<u8> {
        let suites: Vec<u8> = suites.iter().flat_map(|suite| suite.to_be_bytes()).collect();
        let body = [
            &[0xfe, 0xfd][..],
            &[7; 32],
            &[0],
            &[cookie.len() as u8],
            cookie,
            &(suites.len() as u16).to_be_bytes(),
            &suites,
            &[1, 0],
        ]
        .concat();
        let length = (body.len() as u32).to_be_bytes();
        let message = [&[1], &length[1..], &[0, number], &[0; 3], &length[1..], &body].concat();
        let head = [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, number];
        [&head[..], &(message.len() as u16).to_be_bytes(), &message].concat()
    }

    #[test]
    fn a_cookie_holds_for_its_address_and_a_while() {
        let cookies = Cookies::new([1; 32]);
        let (here, there) = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        let first = hello(0, &[], &[PSK_AES_128_CCM_8]);
        let Some(Shown::Ask(request)) = cookies.check(600, here, &Hello::parse(&first).unwrap()) else {
            panic!("not asked")
        };
        assert!(request.len() <= first.len() + 40);
        let cookie = request[request.len() - 32..].to_vec();
        let second = hello(1, &cookie, &[PSK_AES_128_CCM_8]);
        let parsed = Hello::parse(&second).unwrap();
        for (now, address, proven) in
            [(600, here, true), (719, here, true), (720, here, false), (600, there, false)]
        {
            let shown = cookies.check(now, address, &parsed).unwrap();
            assert_eq!(matches!(shown, Shown::Proven(_)), proven, "{now} {address}");
        }
        assert!(matches!(Cookies::new([2; 32]).check(600, here, &parsed), Some(Shown::Ask(_))));
        // Without it, the message is the first one, but for the record's number.
        assert_eq!(parsed.without_cookie(), first);
    }

    #[test]
    fn what_is_no_whole_hello() {
        let whole = hello(0, &[], &[1]);
        assert!(Hello::parse(&whole).is_some());
        for end in 0..whole.len() {
            assert_eq!(Hello::parse(&whole[..end]), None);
        }
        for (at, byte) in [(0, 23), (3, 1), (13, 2), (21, 1), (24, 1)] {
            let mut other = whole.clone();
            other[at] = byte;
            assert_eq!(Hello::parse(&other), None, "byte {at}");
        }
    }

    #[test]
    fn the_suite_decides_between_key_and_certificate() {
        let wants = |suites: &[u16], psk, certificate| {
            Hello::parse(&hello(0, &[], suites)).unwrap().wants_psk(psk, certificate)
        };
        assert!(wants(&[1, 0xc0a8, 0xc02b], true, true));
        assert!(!wants(&[1, 0xc02b, 0xc0a8], true, true));
        assert!(!wants(&[0xc0a8, 0xc02b], false, true));
        assert!(wants(&[0xc02b, 0xc0a8], true, false));
        assert!(wants(&[1], true, true) && !wants(&[1], false, true));
    }

    proptest! {
        #[test]
        fn hostile_bytes_do_no_harm(mut bytes: Vec<u8>, random: bool) {
            if !random {
                bytes.splice(0..0, hello(0, &[3; 32], &[1]).into_iter().take(60));
            }
            if let Some(hello) = Hello::parse(&bytes) {
                hello.without_cookie();
                hello.wants_psk(true, true);
                Cookies::new([0; 32]).check(0, "[::1]:1".parse().unwrap(), &hello).unwrap();
            }
        }
    }
}

//! Hashes of texts, as Java's message digests make them.

use lavka_api::hex;
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512, Sha512_224, Sha512_256};
use sha3::{Sha3_224, Sha3_256, Sha3_384, Sha3_512};

/// What is hashed of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HashForm {
    /// The text as Java serialises a string: Debezium's first version.
    Serialised,
    /// The text itself, in UTF-8 (`v2`).
    Text,
}

macro_rules! algorithms {
    ($($variant:ident = $name:literal),* $(,)?) => {
        /// A hash algorithm, by its Java name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Algorithm { $($variant),* }

        impl Algorithm {
            /// The names.
            pub(crate) const NAMES: &'static [&'static str] = &[$($name),*];

            /// The algorithm of that name, in any case.
            pub(crate) fn parse(name: &str) -> Option<Self> {
                $(if name.eq_ignore_ascii_case($name) {
                    return Some(Self::$variant);
                })*
                // Java's aliases.
                match name.to_ascii_uppercase().as_str() {
                    "SHA" | "SHA1" => Some(Self::Sha1),
                    _ => None,
                }
            }

            fn digest(self, salt: &[u8], bytes: &[u8]) -> Vec<u8> {
                match self {
                    $(Self::$variant => {
                        let mut digest = $variant::new();
                        digest.update(salt);
                        digest.update(bytes);
                        digest.finalize().to_vec()
                    })*
                }
            }
        }
    };
}

algorithms! {
    Md5 = "MD5", Sha1 = "SHA-1", Sha224 = "SHA-224", Sha256 = "SHA-256", Sha384 = "SHA-384", Sha512 = "SHA-512",
    Sha512_224 = "SHA-512/224", Sha512_256 = "SHA-512/256", Sha3_224 = "SHA3-224", Sha3_256 = "SHA3-256",
    Sha3_384 = "SHA3-384", Sha3_512 = "SHA3-512",
}

impl Algorithm {
    /// The hash of salt and text in hexadecimal digits.
    pub(crate) fn hex(self, salt: &[u8], text: &str, form: HashForm) -> String {
        hex::encode(&match form {
            HashForm::Serialised => self.digest(salt, &serialised(text)),
            HashForm::Text => self.digest(salt, text.as_bytes()),
        })
    }
}

/// A string as `ObjectOutputStream` writes it alone: the stream's header, a type code, the length, and Java's modified
/// UTF-8 (Java Object Serialization Specification, section 6).
fn serialised(text: &str) -> Vec<u8> {
    let mut body = Vec::with_capacity(text.len());
    for unit in text.encode_utf16() {
        let low = |bits: u16| u8::try_from(bits & 0x3F).unwrap_or(0) | 0x80;
        let high = |bits: u16| u8::try_from(bits).unwrap_or(0);
        match unit {
            1..=0x7F => body.push(high(unit)),
            0 | 0x80..=0x7FF => body.extend([0xC0 | high(unit >> 6), low(unit)]),
            _ => body.extend([0xE0 | high(unit >> 12), low(unit >> 6), low(unit)]),
        }
    }
    let mut out = vec![0xAC, 0xED, 0, 5];
    match u16::try_from(body.len()) {
        Ok(length) => {
            out.push(0x74);
            out.extend(length.to_be_bytes());
        }
        Err(_) => {
            out.push(0x7C);
            out.extend(u64::try_from(body.len()).unwrap_or(u64::MAX).to_be_bytes());
        }
    }
    out.extend(body);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_captures() {
        let hash = Algorithm::Sha256.hex(b"Pepper", "hashme", HashForm::Serialised);
        assert_eq!(hash, "dcc1153e5d56907e648c5b51c6ad961fb3c0ea05fff7ac8b81ecd6bde153d962");
        let plain = Algorithm::Md5.hex(b"", "abc", HashForm::Text);
        assert_eq!(plain, "900150983cd24fb0d6963f7d28e17f72");
    }

    #[test]
    fn strings_are_serialised_as_java_does() {
        assert_eq!(serialised("a"), [0xAC, 0xED, 0, 5, 0x74, 0, 1, b'a']);
        assert_eq!(
            serialised("\0é😀")[5..],
            [0, 10, 0xC0, 0x80, 0xC3, 0xA9, 0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80]
        );
        assert_eq!(serialised(&"x".repeat(70_000))[4..13], [0x7C, 0, 0, 0, 0, 0, 1, 0x11, 0x70]);
    }

    #[test]
    fn algorithms_go_by_their_java_names() {
        for name in Algorithm::NAMES {
            assert!(Algorithm::parse(&name.to_lowercase()).is_some(), "{name}");
        }
        assert_eq!(Algorithm::parse("SHA"), Some(Algorithm::Sha1));
        assert_eq!(Algorithm::parse("MD2"), None);
    }
}

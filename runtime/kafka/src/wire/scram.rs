//! SCRAM as a client speaks it (RFC 5802, RFC 7677), without I/O and without randomness of its own.
//!
//! As in Java's client, names and passwords are taken as UTF-8 without SASLprep, and there is no channel binding.

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};

/// Fewer iterations are refused, as Java does: they would make a stolen exchange cheap to break.
const MIN_ITERATIONS: u32 = 4096;

/// More are refused: a hostile server could keep a processor busy for hours.
const MAX_ITERATIONS: u32 = 1_000_000;

/// The hash of the mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    fn hmac(self) -> hmac::Algorithm {
        match self {
            Hash::Sha256 => hmac::HMAC_SHA256,
            Hash::Sha512 => hmac::HMAC_SHA512,
        }
    }

    fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            Hash::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Hash::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }

    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha512 => &digest::SHA512,
        }
    }
}

const GS2_HEADER: &str = "n,,";

/// An exchange that has begun.
pub(super) struct Opening {
    hash: Hash,
    nonce: String,
    bare: String,
}

impl Opening {
    /// Begins an exchange; `nonce` is printable ASCII without commas and used once.
    pub(super) fn new(hash: Hash, username: &str, nonce: &str) -> Self {
        let name = username.replace('=', "=3D").replace(',', "=2C");
        Self { hash, nonce: nonce.to_owned(), bare: format!("n={name},r={nonce}") }
    }

    /// The first message to the server.
    pub(super) fn message(&self) -> String {
        format!("{GS2_HEADER}{}", self.bare)
    }

    /// Answers the server's first message. Costs as much processor time as the server's iteration count says.
    ///
    /// # Errors
    /// Where the server's message is not what an honest server sends.
    pub(super) fn answer(&self, password: &str, server: &[u8]) -> Result<Proof, String> {
        let text = std::str::from_utf8(server).map_err(|_| "Invalid SCRAM server first message")?;
        let malformed = || "Invalid SCRAM server first message".to_owned();
        let mut fields = text.split(',');
        let nonce = fields.next().and_then(|f| f.strip_prefix("r=")).ok_or_else(malformed)?;
        let salt = fields.next().and_then(|f| f.strip_prefix("s=")).ok_or_else(malformed)?;
        let iterations = fields.next().and_then(|f| f.strip_prefix("i=")).ok_or_else(malformed)?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("Invalid server nonce: does not start with client nonce".into());
        }
        let salt = STANDARD.decode(salt).map_err(|_| malformed())?;
        let iterations: u32 = iterations.parse().map_err(|_| malformed())?;
        if !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&iterations) {
            return Err(format!(
                "Requested iterations {iterations} is not between {MIN_ITERATIONS} and {MAX_ITERATIONS}"
            ));
        }
        let rounds = NonZeroU32::new(iterations).ok_or_else(malformed)?;
        let algorithm = self.hash.hmac();
        let mut salted = vec![0; self.hash.digest().output_len()];
        pbkdf2::derive(self.hash.pbkdf2(), rounds, &salt, password.as_bytes(), &mut salted);
        let salted = hmac::Key::new(algorithm, &salted);
        let client_key = hmac::sign(&salted, b"Client Key");
        let stored_key = digest::digest(self.hash.digest(), client_key.as_ref());
        let without_proof = format!("c={},r={nonce}", STANDARD.encode(GS2_HEADER));
        let exchange = format!("{},{text},{without_proof}", self.bare);
        let signature = hmac::sign(&hmac::Key::new(algorithm, stored_key.as_ref()), exchange.as_bytes());
        let proof: Vec<u8> = client_key.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        let server_key = hmac::sign(&salted, b"Server Key");
        Ok(Proof {
            message: format!("{without_proof},p={}", STANDARD.encode(proof)),
            server: hmac::Key::new(algorithm, server_key.as_ref()),
            exchange,
        })
    }
}

/// Our half of the exchange is done.
pub(super) struct Proof {
    message: String,
    server: hmac::Key,
    exchange: String,
}

impl Proof {
    /// The last message to the server.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// Checks that the server knows the password too.
    ///
    /// # Errors
    /// Where it does not, or says why it refused us.
    pub(super) fn verify(&self, server: &[u8]) -> Result<(), String> {
        let text = std::str::from_utf8(server).map_err(|_| "Invalid SCRAM server final message")?;
        let first = text.split(',').next().unwrap_or_default();
        if let Some(error) = first.strip_prefix("e=") {
            return Err(format!("Sasl authentication using SCRAM failed with error: {error}"));
        }
        let signature = first
            .strip_prefix("v=")
            .and_then(|signature| STANDARD.decode(signature).ok())
            .ok_or("Invalid SCRAM server final message")?;
        hmac::verify(&self.server, self.exchange.as_bytes(), &signature)
            .map_err(|_| "Invalid server signature in server final message".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7677, section 3.
    #[test]
    fn sha_256_reproduces_the_rfcs_exchange() {
        let opening = Opening::new(Hash::Sha256, "user", "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(opening.message(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let proof = opening
            .answer(
                "pencil",
                b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            )
            .unwrap();
        assert_eq!(
            proof.message(),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        proof.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").unwrap();
        assert!(proof.verify(b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").is_err());
        assert!(proof.verify(b"e=invalid-proof").unwrap_err().ends_with("failed with error: invalid-proof"));
        assert!(proof.verify(b"").is_err());
    }

    #[test]
    fn names_are_escaped() {
        assert_eq!(Opening::new(Hash::Sha512, "a=b,c", "x").message(), "n,,n=a=3Db=2Cc,r=x");
    }

    #[test]
    fn a_dishonest_server_is_refused() {
        let opening = Opening::new(Hash::Sha512, "user", "abc");
        for server in [
            &b""[..],
            b"\xff",
            b"r=abc,s=QQ==,i=4096",
            b"r=xyz123,s=QQ==,i=4096",
            b"r=abc1,s=QQ==,i=4095",
            b"r=abc1,s=QQ==,i=4294967295",
            b"r=abc1,s=QQ==,i=99999999999999",
            b"r=abc1,s=?,i=4096",
            b"r=abc1,i=4096",
            b"m=ext,r=abc1,s=QQ==,i=4096",
        ] {
            assert!(opening.answer("pencil", server).is_err(), "{}", String::from_utf8_lossy(server));
        }
    }
}

//! SCRAM (RFC 5802, RFC 7677), the server's side. Names with commas or equals signs are `=2C` and `=3D` on the wire.

use std::{fmt, num::NonZeroU32};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use ring::{digest, hmac, pbkdf2};

use crate::{SaslConfig, SaslMechanism};

use super::WRONG_PASSWORD;
use crate::cluster::random::Random;

/// What Kafka takes where nothing else is said.
const ITERATIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(4095);
/// A client that does not bind the exchange to its TLS channel.
const UNBOUND: &str = "n,";

struct Hashes {
    hmac: hmac::Algorithm,
    digest: &'static digest::Algorithm,
    pbkdf2: pbkdf2::Algorithm,
}

impl Hashes {
    fn of(mechanism: SaslMechanism) -> Self {
        match mechanism {
            SaslMechanism::ScramSha512 => {
                Self { hmac: hmac::HMAC_SHA512, digest: &digest::SHA512, pbkdf2: pbkdf2::PBKDF2_HMAC_SHA512 }
            }
            SaslMechanism::ScramSha256 | SaslMechanism::Plain => {
                Self { hmac: hmac::HMAC_SHA256, digest: &digest::SHA256, pbkdf2: pbkdf2::PBKDF2_HMAC_SHA256 }
            }
        }
    }

    fn sign(&self, key: &[u8], text: &[u8]) -> Vec<u8> {
        hmac::sign(&hmac::Key::new(self.hmac, key), text).as_ref().to_vec()
    }
}

/// An exchange after the server's first message.
pub(super) struct Exchange {
    mechanism: SaslMechanism,
    /// The header that the client's last message repeats.
    binding: String,
    nonce: String,
    /// The first message of the client without its header, and the server's: both are signed.
    messages: String,
    salted: Vec<u8>,
}

impl fmt::Debug for Exchange {
    /// Never shows what is derived from a password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Exchange").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

/// The value of the attribute `name` in a message.
fn attribute<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

fn malformed() -> String {
    "Authentication failed: Invalid SCRAM message format".to_owned()
}

impl Exchange {
    /// Reads the client's first message; gives the server's.
    pub(super) fn begin(
        mechanism: SaslMechanism,
        config: &SaslConfig,
        random: &mut Random,
        token: &[u8],
    ) -> Result<(Self, Bytes), String> {
        let text = std::str::from_utf8(token).map_err(|_| malformed())?;
        let bare = text.strip_prefix(UNBOUND).and_then(|rest| rest.split_once(','));
        let (authorization, bare) = bare.ok_or_else(malformed)?;
        let name = attribute(bare, "n").ok_or_else(malformed)?.replace("=2C", ",").replace("=3D", "=");
        let nonce = attribute(bare, "r").filter(|nonce| !nonce.is_empty()).ok_or_else(malformed)?;
        let password = config.users.get(&name).ok_or_else(|| WRONG_PASSWORD.to_owned())?;
        let hashes = Hashes::of(mechanism);
        let salt = random.uuid().into_bytes();
        let nonce = format!("{nonce}{}", random.uuid().simple());
        let mut salted = vec![0; hashes.digest.output_len()];
        pbkdf2::derive(hashes.pbkdf2, ITERATIONS, &salt, password.as_bytes(), &mut salted);
        let first = format!("r={nonce},s={},i={ITERATIONS}", STANDARD.encode(salt));
        let messages = format!("{bare},{first}");
        let binding = STANDARD.encode(format!("{UNBOUND}{authorization},"));
        Ok((Self { mechanism, binding, nonce, messages, salted }, Bytes::from(first)))
    }

    /// Reads the client's proof; gives the server's own.
    pub(super) fn finish(self, token: &[u8]) -> Result<Bytes, String> {
        let text = std::str::from_utf8(token).map_err(|_| malformed())?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or_else(malformed)?;
        let proof = STANDARD.decode(proof).map_err(|_| malformed())?;
        if attribute(without_proof, "c") != Some(&self.binding)
            || attribute(without_proof, "r") != Some(&self.nonce)
        {
            return Err(malformed());
        }
        let hashes = Hashes::of(self.mechanism);
        let signed = format!("{},{without_proof}", self.messages);
        let client_key = hashes.sign(&self.salted, b"Client Key");
        let stored_key = digest::digest(hashes.digest, &client_key);
        let signature = hashes.sign(stored_key.as_ref(), signed.as_bytes());
        let expected: Vec<u8> = client_key.iter().zip(&signature).map(|(key, sign)| key ^ sign).collect();
        if proof != expected {
            return Err(WRONG_PASSWORD.to_owned());
        }
        let server_key = hashes.sign(&self.salted, b"Server Key");
        let signature = hashes.sign(&server_key, signed.as_bytes());
        Ok(Bytes::from(format!("v={}", STANDARD.encode(signature))))
    }
}

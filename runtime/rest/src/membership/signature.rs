//! Session keys and signatures of requests among workers (KIP-507).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lavka_api::config::{Check, Config, ConfigSpec, key};
use lavka_api::{Error, Result};
use lavka_worker::Refusal;
use ring::hmac;
use ring::rand::SecureRandom;

use super::Session;

/// The header with the signature, in base64.
pub const SIGNATURE_HEADER: &str = "X-Connect-Authorization";
/// The header with the name of the algorithm that it was made by.
pub const SIGNATURE_ALGORITHM_HEADER: &str = "X-Connect-Request-Signature-Algorithm";

/// The longest session key, in bits: more than any algorithm uses.
const MOST_BITS: i64 = 8192;

/// An algorithm for keys and signatures, by Java's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacAlgorithm {
    /// `HmacSHA1`.
    HmacSha1,
    /// `HmacSHA256`, the default.
    HmacSha256,
    /// `HmacSHA384`.
    HmacSha384,
    /// `HmacSHA512`.
    HmacSha512,
}

impl MacAlgorithm {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::HmacSha1, Self::HmacSha256, Self::HmacSha384, Self::HmacSha512];

    /// Java's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HmacSha1 => "HmacSHA1",
            Self::HmacSha256 => "HmacSHA256",
            Self::HmacSha384 => "HmacSHA384",
            Self::HmacSha512 => "HmacSHA512",
        }
    }

    /// By Java's name, whatever the case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name.trim()))
    }

    fn native(self) -> hmac::Algorithm {
        match self {
            Self::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::HmacSha256 => hmac::HMAC_SHA256,
            Self::HmacSha384 => hmac::HMAC_SHA384,
            Self::HmacSha512 => hmac::HMAC_SHA512,
        }
    }

    /// Bytes of a key where nothing is said of its size, as in Java: those of the digest.
    fn key_bytes(self) -> usize {
        self.native().digest_algorithm().output_len()
    }

    fn check(text: &str) -> Result<(), String> {
        match Self::named(text) {
            Some(_) => Ok(()),
            None => Err(format!("algorithm not known; one of {}", Self::ALL.map(Self::name).join(", "))),
        }
    }
}

lavka_api::config! {
    /// Keys of workers about each other.
    pub struct InterWorkerKeys {
        /// `inter.worker.key.generation.algorithm`.
        pub generation: String = key("inter.worker.key.generation.algorithm").default("HmacSHA256").low()
            .check(Check::new("HmacSHA1, HmacSHA256, HmacSHA384 or HmacSHA512", MacAlgorithm::check))
            .doc("The algorithm that session keys are made for."),
        /// `inter.worker.key.size`.
        pub key_size: Option<i32> = key("inter.worker.key.size").low().check(Check::between(8, MOST_BITS))
            .doc("The size of session keys in bits; the algorithm's own if not set."),
        /// `inter.worker.key.ttl.ms`.
        pub key_ttl_ms: i32 = key("inter.worker.key.ttl.ms").default(3_600_000).low()
            .check(Check::at_least(0))
            .doc("How long a session key is used, in milliseconds."),
        /// `inter.worker.signature.algorithm`.
        pub signature: String = key("inter.worker.signature.algorithm").default("HmacSHA256").low()
            .check(Check::new("HmacSHA1, HmacSHA256, HmacSHA384 or HmacSHA512", MacAlgorithm::check))
            .doc("The algorithm that requests to other workers are signed by."),
        /// `inter.worker.verification.algorithms`.
        pub verification: Vec<String> = key("inter.worker.verification.algorithms").default("HmacSHA256").low()
            .check(Check::non_empty_list())
            .doc("The algorithms that requests of other workers may be signed by."),
    }
}

impl InterWorkerKeys {
    /// Reads the keys, and holds them against each other.
    ///
    /// # Errors
    /// A config error that names the key.
    pub fn read(config: &Config) -> Result<Self> {
        let keys = Self::from_config(config)?;
        let name = "inter.worker.verification.algorithms";
        for algorithm in &keys.verification {
            MacAlgorithm::check(algorithm).map_err(|why| Error::invalid_value(name, algorithm, why))?;
        }
        if !keys.verification.iter().any(|algorithm| algorithm == &keys.signature) {
            let listed = format!("[{}]", keys.verification.join(", "));
            let why = format!(
                "does not contain the signature algorithm '{}' (inter.worker.signature.algorithm)",
                keys.signature
            );
            return Err(Error::invalid_value(name, listed, why));
        }
        Ok(keys)
    }

    fn generation(&self) -> MacAlgorithm {
        MacAlgorithm::named(&self.generation).unwrap_or(MacAlgorithm::HmacSha256)
    }

    /// The algorithm to sign by.
    #[must_use]
    pub fn signature(&self) -> MacAlgorithm {
        MacAlgorithm::named(&self.signature).unwrap_or(MacAlgorithm::HmacSha256)
    }

    fn key_bytes(&self) -> usize {
        let bits = self.key_size.and_then(|bits| usize::try_from(bits).ok());
        bits.map_or(self.generation().key_bytes(), |bits| bits.div_ceil(8))
    }
}

/// A key that the workers of a cluster share for a while. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey {
    secret: Vec<u8>,
    algorithm: String,
    created_ms: i64,
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKey({}, created {})", self.algorithm, self.created_ms)
    }
}

impl SessionKey {
    /// A key as the config log has it: its bytes, the algorithm it was made for, epoch milliseconds.
    #[must_use]
    pub fn new(secret: impl Into<Vec<u8>>, algorithm: impl Into<String>, created_ms: i64) -> Self {
        Self { secret: secret.into(), algorithm: algorithm.into(), created_ms }
    }

    /// A new key.
    ///
    /// # Errors
    /// Fatal where the system has no randomness to give.
    pub fn generate(keys: &InterWorkerKeys, random: &dyn SecureRandom, now_ms: i64) -> Result<Self> {
        let mut secret = vec![0; keys.key_bytes()];
        random
            .fill(&mut secret)
            .map_err(|_| Error::fatal("The system has no random bytes for a session key"))?;
        Ok(Self::new(secret, keys.generation().name(), now_ms))
    }

    /// Whether a leader with these keys is to make a new one.
    #[must_use]
    pub fn is_outdated(&self, keys: &InterWorkerKeys, now_ms: i64) -> bool {
        self.algorithm != keys.generation().name()
            || self.secret.len() != keys.key_bytes()
            || now_ms.saturating_sub(self.created_ms) >= i64::from(keys.key_ttl_ms)
    }

    /// The bytes.
    #[must_use]
    pub fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// The algorithm that it was made for.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// When it was made, in epoch milliseconds.
    #[must_use]
    pub fn created_ms(&self) -> i64 {
        self.created_ms
    }

    /// The signature of a body, in base64.
    #[must_use]
    pub fn sign(&self, algorithm: MacAlgorithm, body: &[u8]) -> String {
        BASE64.encode(hmac::sign(&hmac::Key::new(algorithm.native(), &self.secret), body))
    }

    fn verifies(&self, algorithm: MacAlgorithm, body: &[u8], signature: &[u8]) -> bool {
        hmac::verify(&hmac::Key::new(algorithm.native(), &self.secret), body, signature).is_ok()
    }
}

/// Checks that a request comes from a worker of the cluster. `header` finds a header's value.
pub(crate) fn check<'h>(
    session: &Session,
    header: impl Fn(&str) -> Option<&'h [u8]>,
    body: &[u8],
) -> Result<(), Refusal> {
    let Session::Signed { key, algorithms } = session else { return Ok(()) };
    let (Some(signature), Some(algorithm)) = (header(SIGNATURE_HEADER), header(SIGNATURE_ALGORITHM_HEADER))
    else {
        return Err(Refusal::bad_request("Internal request missing required signature"));
    };
    let name = String::from_utf8_lossy(algorithm);
    let allowed = algorithms.iter().any(|allowed| allowed.eq_ignore_ascii_case(name.trim()));
    let Some(algorithm) = MacAlgorithm::named(&name).filter(|_| allowed) else {
        return Err(Refusal::bad_request(format!(
            "This worker does not support the '{name}' key signing algorithm used by other workers. This worker is \
             currently configured to use: [{}]. Check that all workers' configurations permit the same set of signature \
             algorithms (inter.worker.verification.algorithms), and correct any misconfigured worker and restart it.",
            algorithms.join(", ")
        )));
    };
    let Ok(signature) = BASE64.decode(signature) else {
        return Err(Refusal::bad_request(format!("The header {SIGNATURE_HEADER} is not base64")));
    };
    let Some(key) = key else {
        return Err(Refusal {
            status: 503,
            message: "This worker is still starting up and has not been able to read a session key from the config topic \
                      yet"
                .into(),
        });
    };
    if key.verifies(algorithm, body, &signature) {
        Ok(())
    } else {
        Err(Refusal::forbidden("Internal request contained invalid signature."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(entries: &[(&str, &str)]) -> Result<InterWorkerKeys> {
        InterWorkerKeys::read(&entries.iter().copied().collect())
    }

    /// Section 6.2 of the cases.
    #[test]
    fn signatures_are_javas() {
        let secret: Vec<u8> = (0..32).collect();
        let key = SessionKey::new(secret, "HmacSHA256", 0);
        let of = |body: &str| key.sign(MacAlgorithm::HmacSha256, body.as_bytes());
        assert_eq!(of(r#"[{"task.class":"T"}]"#), "FFL9KqpwZ62htyFSzz4DHB1kjZbTch9ZWIiDIYhWMXw=");
        assert_eq!(of(""), "04tCCW2A9F+Ca0Sp1WB95ySWpBXT9KGoyI47udqNwcs=");
        assert!(!format!("{key:?}").contains("AAEC"), "the key is not shown");
    }

    #[test]
    fn keys_are_made_for_a_while() {
        let own = keys(&[("inter.worker.key.ttl.ms", "1000")]).unwrap();
        let random = ring::rand::SystemRandom::new();
        let key = SessionKey::generate(&own, &random, 5000).unwrap();
        assert_eq!((key.secret().len(), key.algorithm(), key.created_ms()), (32, "HmacSHA256", 5000));
        assert_ne!(key, SessionKey::generate(&own, &random, 5000).unwrap());
        assert!(!key.is_outdated(&own, 5999) && key.is_outdated(&own, 6000));
        for change in
            [("inter.worker.key.size", "128"), ("inter.worker.key.generation.algorithm", "HmacSHA512")]
        {
            assert!(key.is_outdated(&keys(&[change]).unwrap(), 5000), "{change:?}");
        }
    }

    #[test]
    fn keys_are_held_against_each_other() {
        let refused = |entries: &[(&str, &str)]| keys(entries).unwrap_err().to_string();
        let text = refused(&[("inter.worker.verification.algorithms", "HmacSHA512")]);
        assert!(text.contains("does not contain the signature algorithm 'HmacSHA256'"), "{text}");
        let text = refused(&[("inter.worker.signature.algorithm", "Rot13")]);
        assert!(text.contains("inter.worker.signature.algorithm"), "{text}");
        let text = refused(&[("inter.worker.verification.algorithms", "HmacSHA256,Rot13")]);
        assert!(text.contains("Rot13"), "{text}");
        assert!(keys(&[("inter.worker.key.size", "0")]).is_err());
    }
}

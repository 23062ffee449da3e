//! Proving who we are: SaslHandshake, then SaslAuthenticate (KIP-152).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;
use lavka_api::config::Password;
use lavka_api::{Error, ErrorClass, Result};
use ring::rand::{SecureRandom, SystemRandom};

use super::connection::Connection;
use super::scram::{Hash, Opening};
use crate::failure;
use crate::oauth::Token;
use crate::settings::{Login, Mechanism, Sasl};

const UNSUPPORTED_MECHANISM: i16 = 33;

/// Authenticates on a new connection; how long the broker lets the session live (KIP-368), if it says.
///
/// # Errors
/// Fatal where the broker does not offer the mechanism or does not accept us.
pub(super) async fn authenticate(connection: &Connection, sasl: &Sasl) -> Result<Option<Duration>> {
    let name = sasl.mechanism.name();
    let handshake = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(name));
    // Version 1 announces that tokens follow as requests and not as bare frames.
    let answer = connection.call(1..=1, |_| handshake).await?;
    match answer.error_code {
        0 => {}
        UNSUPPORTED_MECHANISM => {
            let offered: Vec<&str> = answer.mechanisms.iter().map(|name| name.as_str()).collect();
            return Err(Error::new(
                ErrorClass::Fatal,
                failure::MECHANISM,
                format!(
                    "Client SASL mechanism '{name}' not enabled in the server, enabled mechanisms are [{}]",
                    offered.join(", ")
                ),
            ));
        }
        code => {
            return Err(failure::protocol(
                code,
                &format!("SASL handshake with {}", connection.broker()),
                None,
            ));
        }
    }
    match &sasl.login {
        Login::Password { username, password } => match sasl.mechanism {
            Mechanism::ScramSha256 => scram(connection, username, password, Hash::Sha256).await,
            Mechanism::ScramSha512 => scram(connection, username, password, Hash::Sha512).await,
            Mechanism::Plain | Mechanism::OauthBearer => {
                let token = format!("\0{username}\0{}", password.reveal());
                Ok(exchange(connection, token.into()).await?.1)
            }
        },
        Login::Tokens(source) => bearer(connection, &source.token().await?).await,
    }
}

/// RFC 7628: the token, and an answer that is empty unless it was refused.
async fn bearer(connection: &Connection, token: &Token) -> Result<Option<Duration>> {
    let message = format!("n,,\u{1}auth=Bearer {}\u{1}\u{1}", token.text.reveal());
    let (answer, lifetime) = exchange(connection, message.into()).await?;
    if answer.is_empty() {
        return Ok(lifetime);
    }
    // The broker says why in JSON, and wants to hear that it was understood before it says no.
    let outcome = exchange(connection, Bytes::from_static(b"\x01")).await;
    let why = String::from_utf8_lossy(&answer);
    let why: String = why.chars().filter(|c| !c.is_control()).take(500).collect();
    Err(match outcome {
        Err(error) => error.caused_by(rejected(connection, &why)),
        Ok(_) => rejected(connection, &why),
    })
}

async fn scram(
    connection: &Connection,
    username: &str,
    password: &Password,
    hash: Hash,
) -> Result<Option<Duration>> {
    let refused = |detail: String| rejected(connection, &detail);
    let opening = Opening::new(hash, username, &nonce()?);
    let (first, _) = exchange(connection, opening.message().into()).await?;
    let password = password.clone();
    // Thousands of hashes: not on a thread that serves others.
    let proof = tokio::task::spawn_blocking(move || opening.answer(password.reveal(), &first))
        .await
        .map_err(|error| Error::fatal(format!("SCRAM could not be computed: {error}")))?
        .map_err(refused)?;
    let (last, lifetime) = exchange(connection, proof.message().to_owned().into()).await?;
    proof.verify(&last).map_err(refused)?;
    Ok(lifetime)
}

fn nonce() -> Result<String> {
    let mut bytes = [0; 24];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::fatal("The system gives no random numbers"))?;
    Ok(STANDARD_NO_PAD.encode(bytes))
}

async fn exchange(connection: &Connection, token: Bytes) -> Result<(Bytes, Option<Duration>)> {
    let request = SaslAuthenticateRequest::default().with_auth_bytes(token);
    let answer = connection.call(0..=2, |_| request).await?;
    if answer.error_code != 0 {
        let text = answer.error_message.as_deref().filter(|text| !text.is_empty());
        return Err(rejected(connection, text.unwrap_or("SASL Authentication failed.")));
    }
    let lifetime = u64::try_from(answer.session_lifetime_ms).ok().filter(|millis| *millis > 0);
    Ok((answer.auth_bytes, lifetime.map(Duration::from_millis)))
}

fn rejected(connection: &Connection, detail: &str) -> Error {
    Error::new(
        ErrorClass::Fatal,
        failure::AUTHENTICATION,
        format!("{}: {detail} (check sasl.jaas.config)", connection.broker()),
    )
}

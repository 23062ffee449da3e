//! Tokens for `sasl.mechanism=OAUTHBEARER` (KIP-255, KIP-768): fetched or made here, since librdkafka is built without its
//! own way to a token endpoint, and the wire client needs them too.
//!
//! - [`TokenSource`]: one for all connections of a client; a token is used until a fifth of its life is left.
//! - `endpoint`: asking a server for one. `jwt`: what is in one.
//!
//! librdkafka asks for a token from the thread that polls it ([`TokenSource::token_blocking`]), again when a fifth of its
//! life is left, and ten seconds after a failure.

mod endpoint;
mod jwt;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use lavka_api::config::Password;
use lavka_api::{Error, ErrorClass, Result};
use rdkafka::client::OAuthToken;
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::failure;
use crate::settings::{OauthLogin, Security, TokenOrigin};
use endpoint::Endpoint;

/// A token, as brokers are shown it.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) text: Password,
    pub(crate) principal: String,
    /// Epoch milliseconds.
    pub(crate) expires_ms: i64,
    /// When it was got.
    since_ms: i64,
}

impl Token {
    /// A token that was got at `now_ms`.
    ///
    /// # Errors
    /// What is wrong with it; nothing of the token.
    fn new(text: String, subject: &str, now_ms: i64) -> std::result::Result<Self, String> {
        let claims = jwt::claims(&text, subject)?;
        if claims.expires_ms <= now_ms {
            return Err("the access token has expired; see that the clocks agree".into());
        }
        let (principal, expires_ms) = (claims.principal, claims.expires_ms);
        Ok(Self { text: Password::new(text), principal, expires_ms, since_ms: now_ms })
    }

    /// Whether more than a fifth of its life is left.
    fn is_fresh(&self, now_ms: i64) -> bool {
        let life = self.expires_ms.saturating_sub(self.since_ms);
        now_ms < self.expires_ms.saturating_sub(life / 5)
    }
}

/// Where a client's tokens come from.
#[derive(Debug)]
pub(crate) struct TokenSource {
    login: OauthLogin,
    /// The last one. The lock is held while the next is fetched, so that it is fetched once.
    last: Mutex<Option<Token>>,
    endpoint: Mutex<Option<Endpoint>>,
}

impl TokenSource {
    pub(crate) fn new(login: OauthLogin) -> Self {
        Self { login, last: Mutex::default(), endpoint: Mutex::default() }
    }

    /// A token with some life left.
    ///
    /// # Errors
    /// Retriable where the source cannot be reached now, fatal where it refuses or gives what is no token.
    pub(crate) async fn token(&self) -> Result<Token> {
        let mut last = self.last.lock().await;
        if let Some(token) = last.as_ref().filter(|token| token.is_fresh(now_ms())) {
            return Ok(token.clone());
        }
        let token = self.fetch().await?;
        tracing::debug!("got a token for {} that ends at {} (epoch ms)", token.principal, token.expires_ms);
        *last = Some(token.clone());
        Ok(token)
    }

    /// As [`token`](Self::token), for a thread that may block. `handle` is of the runtime to fetch it on.
    ///
    /// # Errors
    /// As there; and where the runtime is shutting down.
    pub(crate) fn token_blocking(self: &Arc<Self>, handle: &Handle) -> Result<Token> {
        let (answer, asked) = std::sync::mpsc::sync_channel(1);
        let source = Arc::clone(self);
        handle.spawn(async move {
            // Whoever does not wait any more needs none.
            let _ = answer.send(source.token().await);
        });
        asked.recv().unwrap_or_else(|_| Err(Error::retriable("no token: the worker is shutting down")))
    }

    async fn fetch(&self) -> Result<Token> {
        let subject = &self.login.subject;
        match &self.login.origin {
            TokenOrigin::Unsecured { claims, lifetime_seconds } => {
                let now = now_ms();
                Token::new(jwt::unsecured(claims, now, *lifetime_seconds), subject, now)
                    .map_err(|detail| refused(&format!("an unsecured token: {detail}")))
            }
            TokenOrigin::File(path) => {
                let place = path.display();
                let text = tokio::fs::read_to_string(path)
                    .await
                    .map_err(|error| unreachable(&format!("the file {place} with the token: {error}")))?;
                Token::new(text.trim().to_owned(), subject, now_ms())
                    .map_err(|detail| refused(&format!("the file {place}: {detail}")))
            }
            TokenOrigin::Endpoint(settings) => {
                let mut endpoint = self.endpoint.lock().await;
                let endpoint = match &mut *endpoint {
                    Some(endpoint) => endpoint,
                    None => endpoint.insert(Endpoint::new(settings).await?),
                };
                let text = endpoint.fetch(settings).await?;
                Token::new(text, subject, now_ms())
                    .map_err(|detail| refused(&format!("{}: {detail}", endpoint::place(&settings.url))))
            }
        }
    }
}

/// What a client of librdkafka hands it tokens from.
pub(crate) struct Tokens(Option<(Arc<TokenSource>, Handle)>);

impl Tokens {
    /// Those of `security`. Called inside of a runtime.
    pub(crate) fn of(security: &Security) -> Self {
        // Clients are made inside of a runtime; outside of one there are no tokens to fetch on it.
        Self(security.tokens().zip(Handle::try_current().ok()))
    }

    /// The token that librdkafka asks for, on the thread that polls it.
    ///
    /// # Errors
    /// Why there is none; librdkafka tells it and asks again.
    pub(crate) fn next(&self) -> std::result::Result<OAuthToken, Box<dyn std::error::Error>> {
        let (source, handle) = self.0.as_ref().ok_or("the client has no source of tokens")?;
        let token = source.token_blocking(handle).inspect_err(|error| tracing::warn!("{error}"))?;
        Ok(OAuthToken {
            token: token.text.reveal().to_owned(),
            principal_name: token.principal,
            lifetime_ms: token.expires_ms,
        })
    }
}

/// The source cannot be reached now.
fn unreachable(text: &str) -> Error {
    Error::new(ErrorClass::Retriable, failure::AUTHENTICATION, format!("OAuth: {text}"))
}

/// The source refuses, and will go on refusing.
fn refused(text: &str) -> Error {
    Error::new(ErrorClass::Fatal, failure::AUTHENTICATION, format!("OAuth: {text}"))
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;

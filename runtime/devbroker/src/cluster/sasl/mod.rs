//! SaslHandshake and SaslAuthenticate (KIP-43, KIP-152): who is on a connection, before anything else is answered.

mod scram;

use std::collections::HashMap;

use bytes::Bytes;
use kafka_protocol::{
    ResponseError,
    messages::{
        RequestKind, ResponseKind, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
        SaslHandshakeResponse,
    },
    protocol::StrBytes,
};

use crate::{SaslConfig, SaslMechanism};

use super::{Cluster, ConnectionId, random::Random};

use self::scram::Exchange;

/// How far a connection has come. One that is not known has not begun.
#[derive(Debug)]
enum Progress {
    /// It has chosen a mechanism.
    Chosen(SaslMechanism),
    /// It has the first of two answers.
    Challenged(Exchange),
    /// It may ask for anything.
    Done,
    /// It will not be answered again.
    Failed,
}

/// What a token led to.
enum Step {
    Done(Bytes),
    Continue(Exchange, Bytes),
}

/// A wrong name or password, in Kafka's words.
const WRONG_PASSWORD: &str = "Authentication failed: Invalid username or password";

/// The connections that have shown, or are showing, who they are.
#[derive(Debug, Default)]
pub(super) struct Sasl(HashMap<ConnectionId, Progress>);

impl Sasl {
    pub(super) fn forget(&mut self, connection: ConnectionId) {
        self.0.remove(&connection);
    }

    /// Whether a request may be answered now. Kafka closes connections that ask too early.
    fn admits(&self, connection: ConnectionId, request: &RequestKind) -> bool {
        matches!(
            (self.0.get(&connection), request),
            (Some(Progress::Done), _)
                | (None, RequestKind::ApiVersions(_) | RequestKind::SaslHandshake(_))
                | (Some(Progress::Chosen(_) | Progress::Challenged(_)), RequestKind::SaslAuthenticate(_))
        )
    }

    fn choose(
        &mut self,
        connection: ConnectionId,
        config: &SaslConfig,
        mechanism: &str,
    ) -> Result<(), ResponseError> {
        let chosen = config.mechanisms.iter().find(|known| known.name() == mechanism);
        let (progress, result) = match chosen {
            Some(chosen) => (Progress::Chosen(*chosen), Ok(())),
            None => (Progress::Failed, Err(ResponseError::UnsupportedSaslMechanism)),
        };
        self.0.insert(connection, progress);
        result
    }

    fn authenticate(
        &mut self,
        connection: ConnectionId,
        config: &SaslConfig,
        random: &mut Random,
        token: &[u8],
    ) -> Result<Bytes, String> {
        let step = match self.0.insert(connection, Progress::Failed) {
            Some(Progress::Chosen(SaslMechanism::Plain)) => plain(config, token).map(Step::Done),
            Some(Progress::Chosen(mechanism)) => Exchange::begin(mechanism, config, random, token)
                .map(|(next, answer)| Step::Continue(next, answer)),
            Some(Progress::Challenged(exchange)) => exchange.finish(token).map(Step::Done),
            _ => Err("Authentication failed: there was no handshake".to_owned()),
        };
        let (progress, answer) = match step? {
            Step::Done(answer) => (Progress::Done, answer),
            Step::Continue(exchange, answer) => (Progress::Challenged(exchange), answer),
        };
        self.0.insert(connection, progress);
        Ok(answer)
    }
}

/// Authorization id, name and password with zeros between them (RFC 4616).
fn plain(config: &SaslConfig, token: &[u8]) -> Result<Bytes, String> {
    let parts: Vec<&[u8]> = token.split(|byte| *byte == 0).collect();
    let [authorization, name, password] = parts[..] else {
        return Err(
            "Invalid SASL/PLAIN response: expected 3 tokens, got ".to_owned() + &parts.len().to_string()
        );
    };
    let known = std::str::from_utf8(name).ok().and_then(|name| config.users.get(name));
    // Which of the two is wrong is nobody's business; how long it takes to see is, but not of a broker for trying.
    if known.is_none_or(|known| known.as_bytes() != password) {
        return Err(WRONG_PASSWORD.to_owned());
    }
    if !authorization.is_empty() && authorization != name {
        return Err(
            "Authentication failed: Client requested an authorization id that is different from username"
                .to_owned(),
        );
    }
    Ok(Bytes::new())
}

impl Cluster {
    /// Whether the connection may ask this now.
    pub(super) fn admits(&self, connection: ConnectionId, request: &RequestKind) -> bool {
        self.config.sasl.is_none() || self.sasl.admits(connection, request)
    }

    pub(super) fn sasl_handshake(
        &mut self,
        connection: ConnectionId,
        request: &SaslHandshakeRequest,
    ) -> ResponseKind {
        let response = SaslHandshakeResponse::default();
        ResponseKind::SaslHandshake(match &self.config.sasl {
            Some(config) if !self.sasl.is_done(connection) => {
                let chosen = self.sasl.choose(connection, config, &request.mechanism);
                let names = config.mechanisms.iter().map(|known| StrBytes::from_static_str(known.name()));
                response
                    .with_mechanisms(names.collect())
                    .with_error_code(chosen.err().map_or(0, |error| error.code()))
            }
            _ => response.with_error_code(ResponseError::IllegalSaslState.code()),
        })
    }

    pub(super) fn sasl_authenticate(
        &mut self,
        connection: ConnectionId,
        request: &SaslAuthenticateRequest,
    ) -> ResponseKind {
        let response = SaslAuthenticateResponse::default();
        let refuse = |error: ResponseError, text: String| {
            let response = SaslAuthenticateResponse::default().with_error_code(error.code());
            ResponseKind::SaslAuthenticate(response.with_error_message(Some(StrBytes::from_string(text))))
        };
        let Some(config) = self.config.sasl.as_ref().filter(|_| !self.sasl.is_done(connection)) else {
            let text = "SaslAuthenticate request received after successful authentication";
            return refuse(ResponseError::IllegalSaslState, text.to_owned());
        };
        match self.sasl.authenticate(connection, config, &mut self.agenda.random, &request.auth_bytes) {
            Ok(answer) => {
                ResponseKind::SaslAuthenticate(response.with_auth_bytes(answer).with_error_message(None))
            }
            Err(text) => refuse(ResponseError::SaslAuthenticationFailed, text),
        }
    }
}

impl Sasl {
    fn is_done(&self, connection: ConnectionId) -> bool {
        matches!(self.0.get(&connection), Some(Progress::Done))
    }
}

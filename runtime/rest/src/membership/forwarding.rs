//! Passing requests on to the worker that decides on them.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use axum::response::IntoResponse;
use futures::StreamExt;
use hyper_util::rt::TokioIo;
use lavka_worker::Refusal;
use serde_json::Value;
use tokio::net::TcpStream;

use super::{MacAlgorithm, SIGNATURE_ALGORITHM_HEADER, SIGNATURE_HEADER, SessionKey, Whose};

/// The most bytes of an answer.
const MAX_ANSWER: usize = 10 << 20;
/// How long another worker may take, to be reached and to answer. Whoever waits for us waits for 90 seconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(85);
/// What workers call themselves towards each other.
const USER_AGENT: &str = "kafka-connect";

const NO_LEADER: &str = "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was \
                         underway.";
const TWO_HOPS: &str = "Cannot complete request because of a conflicting operation (e.g. worker rebalance)";

/// A request as it is passed on.
pub(crate) struct Passing<'a> {
    pub(crate) method: &'a Method,
    /// The path as it came, still encoded.
    pub(crate) path: &'a str,
    /// Parameters that the other worker needs, besides `forward`.
    pub(crate) params: Vec<(&'static str, bool)>,
    /// The value of `forward` that it came with.
    pub(crate) forward: Option<&'a str>,
    pub(crate) authorization: Option<&'a HeaderValue>,
    pub(crate) body: &'a [u8],
}

impl Passing<'_> {
    /// The other worker's answer; `None` where the request is ours to answer.
    pub(crate) async fn on(&self, whose: Whose) -> Result<Option<axum::response::Response>, Refusal> {
        let url = match whose {
            Whose::Ours => return Ok(None),
            _ if self.forward.is_some_and(|forward| !forward.eq_ignore_ascii_case("true")) => {
                tracing::error!(
                    "the request {} {} did not find its worker within two hops",
                    self.method,
                    self.path
                );
                return Err(Refusal::conflict(TWO_HOPS));
            }
            Whose::Nobodys => return Err(Refusal::conflict(NO_LEADER)),
            Whose::Theirs(url) => url,
        };
        let mut query = format!("forward={}", self.forward.is_none());
        for (name, value) in &self.params {
            query.push_str(&format!("&{name}={value}"));
        }
        let request = PeerRequest {
            method: self.method.clone(),
            url: format!("{}{}?{query}", url.trim_end_matches('/'), self.path),
            authorization: self.authorization.cloned(),
            signature: None,
            body: self.body.to_vec(),
        };
        let (status, body) = ask_peer(request).await?;
        let mut answer = (status, body).into_response();
        if status == StatusCode::NO_CONTENT {
            *answer.body_mut() = Body::empty();
            answer.headers_mut().remove(header::CONTENT_TYPE);
        } else {
            answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(Some(answer))
    }
}

/// A request to another worker.
#[derive(Debug, Clone)]
pub struct PeerRequest {
    /// The method.
    pub method: Method,
    /// The whole URL, which begins with `http://`.
    pub url: String,
    /// The `Authorization` of whoever asked.
    pub authorization: Option<HeaderValue>,
    /// What to sign the body with, where the request is this worker's own.
    pub signature: Option<(SessionKey, MacAlgorithm)>,
    /// The body; none where it is empty.
    pub body: Vec<u8>,
}

impl PeerRequest {
    /// Task configurations of a connector, for the leader at `leader` to take; `configs` is a JSON array of objects.
    #[must_use]
    pub fn task_configs(leader: &str, connector: &str, configs: Vec<u8>) -> Self {
        Self::internal(Method::POST, leader, connector, "tasks", configs)
    }

    /// A request to fence the tasks that a connector had before.
    #[must_use]
    pub fn fence(leader: &str, connector: &str) -> Self {
        Self::internal(Method::PUT, leader, connector, "fence", Vec::new())
    }

    fn internal(method: Method, leader: &str, connector: &str, what: &str, body: Vec<u8>) -> Self {
        let connector = crate::path::encoded(connector);
        let url = format!("{}/connectors/{connector}/{what}", leader.trim_end_matches('/'));
        Self { method, url, authorization: None, signature: None, body }
    }

    /// The same with a signature.
    #[must_use]
    pub fn signed(self, key: SessionKey, algorithm: MacAlgorithm) -> Self {
        Self { signature: Some((key, algorithm)), ..self }
    }
}

fn unreachable(error: impl std::fmt::Display) -> Refusal {
    Refusal::internal(format!("IO Error trying to forward REST request: {error}"))
}

/// Asks another worker. Redirects are not followed.
///
/// # Errors
/// What it refuses, with its own status and text; 500 where it cannot be reached, or answers otherwise than with success
/// or an error.
pub async fn ask_peer(request: PeerRequest) -> Result<(StatusCode, Vec<u8>), Refusal> {
    let asked = tokio::time::timeout(ANSWER_TIMEOUT, exchange(request)).await;
    let (status, body) = asked.map_err(|_| unreachable("the other worker did not answer in time"))??;
    if status.is_success() {
        return Ok((status, body));
    }
    if status.as_u16() < 400 {
        let text = format!("Unexpected status code when handling forwarded request: {}", status.as_u16());
        return Err(Refusal::internal(text));
    }
    let error: Value = serde_json::from_slice(&body).unwrap_or_default();
    let message = error.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
    Err(Refusal { status: status.as_u16(), message })
}

async fn exchange(request: PeerRequest) -> Result<(StatusCode, Vec<u8>), Refusal> {
    let uri: Uri =
        request.url.parse().map_err(|error| unreachable(format_args!("{}: {error}", request.url)))?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http"));
    let Some(authority) = authority else {
        return Err(unreachable(format_args!("{} is no http:// URL", request.url)));
    };
    let address = (authority.host().trim_matches(['[', ']']), authority.port_u16().unwrap_or(80));
    let connecting = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await;
    let stream = connecting
        .map_err(|_| unreachable(format_args!("{authority} cannot be reached in time")))?
        .map_err(|error| unreachable(format_args!("{authority}: {error}")))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(unreachable)?;
    let head = message(&request, &uri, authority.as_str())?;
    let asking = async {
        let answer = sender.send_request(head).await.map_err(unreachable)?;
        whole(answer.map(Body::new)).await
    };
    let (mut asking, mut connection) = (std::pin::pin!(asking), std::pin::pin!(connection));
    // The connection moves while the answer is waited for. Once it has ended, the answer is there or never will be.
    tokio::select! {
        biased;
        answer = &mut asking => answer,
        _ = &mut connection => asking.await,
    }
}

fn message(request: &PeerRequest, uri: &Uri, host: &str) -> Result<Request<Body>, Refusal> {
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let mut message = Request::builder()
        .method(request.method.clone())
        .uri(target)
        .header(header::HOST, host)
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::ACCEPT, "application/json");
    if let Some(authorization) = &request.authorization {
        message = message.header(header::AUTHORIZATION, authorization);
    }
    if let Some((key, algorithm)) = &request.signature {
        message = message
            .header(SIGNATURE_HEADER, key.sign(*algorithm, &request.body))
            .header(SIGNATURE_ALGORITHM_HEADER, algorithm.name());
    }
    if !request.body.is_empty() {
        message = message.header(header::CONTENT_TYPE, "application/json");
    }
    message.body(Body::from(request.body.clone())).map_err(unreachable)
}

async fn whole(answer: Response<Body>) -> Result<(StatusCode, Vec<u8>), Refusal> {
    let status = answer.status();
    let mut chunks = answer.into_body().into_data_stream();
    let mut body = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(unreachable)?;
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(unreachable(format_args!("the answer is longer than {MAX_ANSWER} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((status, body))
}

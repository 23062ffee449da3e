//! From a request to an answer: which resource, which method, which media types, then the resource's own answer.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, http};
use futures::{FutureExt, StreamExt};
use lavka_telemetry::exposition::Format;
use lavka_telemetry::log::LogControl;
use lavka_worker::{Refusal, WorkerHandle, within};
use serde_json::json;

use crate::access;
use crate::answers::{self, Asked};
use crate::cors::Cors;
use crate::headers::{self, HeaderRule};
use crate::membership::Membership;
use crate::negotiation::{self, BodyType};
use crate::operation::{Operation, Produces, Verb};
use crate::resource::Resource;
use crate::table::Route;
use crate::{passing, path};

/// The most bytes of a request body.
const MAX_BODY: usize = 10 << 20;
/// How long a request may take, body included (`rest.request.timeout` of Connect, which has no key).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);

/// What listeners serve.
pub(crate) struct Site {
    /// The worker whose API it is; `None` on listeners for the admin endpoints alone.
    pub(crate) worker: Option<(WorkerHandle, Arc<dyn Membership>)>,
    /// The levels that the admin endpoints change; `None` where these endpoints are not served.
    pub(crate) logs: Option<LogControl>,
    pub(crate) cors: Option<Cors>,
    pub(crate) headers: Vec<HeaderRule>,
}

/// An error body.
pub(crate) fn error(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error_code": status.as_u16(), "message": message }))).into_response()
}

fn refused(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    error(status, &refusal.message)
}

/// The two ends of a connection, as far as they are known.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ends {
    pub(crate) local: Option<SocketAddr>,
    pub(crate) peer: Option<SocketAddr>,
}

/// Answers a request.
pub(crate) async fn answer(site: &Site, ends: Ends, request: Request<Body>) -> Response {
    let (at, began) = (SystemTime::now(), Instant::now());
    let (head, body) = request.into_parts();
    let mut response = match find(site, &head) {
        Ok((resource, operation)) => {
            // A plugin that panics while it validates must not take the connection with it.
            let work = serve(site, ends.local, &head, resource, operation, body);
            let work = AssertUnwindSafe(work).catch_unwind();
            match within(REQUEST_TIMEOUT, work).await {
                Ok(Ok(Ok(response))) => response,
                Ok(Ok(Err(refusal))) => refused(&refusal),
                Ok(Err(_)) => error(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "The request crashed; the message of the crash is on standard error",
                ),
                Err(timed_out) => error(StatusCode::INTERNAL_SERVER_ERROR, &timed_out.to_string()),
            }
        }
        Err(response) => {
            // Read to its end all the same: an unread body ends the connection, perhaps under the next request.
            let _ = within(REQUEST_TIMEOUT, read(body)).await;
            *response
        }
    };
    if let Some(cors) = &site.cors {
        cors.apply(&head.method, &head.headers, response.headers_mut());
    }
    headers::apply(&site.headers, response.headers_mut(), SystemTime::now());
    let line = access::line(ends.peer, at, &head, &response, began.elapsed());
    tracing::info!(target: "lavka_rest::access", "{line}");
    response
}

/// The resource and operation that a request is for; an answer where HTTP alone decides it.
fn find(site: &Site, head: &http::request::Parts) -> Result<(Resource, &'static Operation), Box<Response>> {
    let segments = path::segments(head.uri.path()).map_err(|refusal| refused(&refusal))?;
    let served = |route: &Route| {
        if route.is_admin() { site.logs.is_some() } else { site.worker.is_some() }
    };
    let (route, resource) = Route::at(&segments)
        .filter(|(route, _)| served(route))
        .ok_or_else(|| error(StatusCode::NOT_FOUND, "HTTP 404 Not Found"))?;
    if head.method == Method::OPTIONS {
        return Err(Box::new(options(route)));
    }
    let Some(operation) = Verb::of(head.method.as_str()).and_then(|verb| route.operation(verb)) else {
        let answer = error(StatusCode::METHOD_NOT_ALLOWED, "HTTP 405 Method Not Allowed");
        return Err(Box::new(([(header::ALLOW, route.allow())], answer).into_response()));
    };
    match body_type(&head.headers) {
        BodyType::Json | BodyType::Missing => {}
        BodyType::Other => return Err(Box::new(unsupported())),
        BodyType::Malformed => {
            return Err(Box::new(error(
                StatusCode::BAD_REQUEST,
                "The Content-Type of the request is not a media type; write application/json",
            )));
        }
    }
    let acceptable = match operation.produces {
        Produces::Json => negotiation::accepts_json(accepted(&head.headers)),
        Produces::Metrics => negotiation::metrics_format(accepted(&head.headers)).is_some(),
    };
    if !acceptable {
        return Err(Box::new(error(StatusCode::NOT_ACCEPTABLE, "HTTP 406 Not Acceptable")));
    }
    Ok((resource, operation))
}

fn accepted(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.get_all(header::ACCEPT).iter().map(http::HeaderValue::as_bytes)
}

fn body_type(headers: &HeaderMap) -> BodyType {
    negotiation::body_type(headers.get(header::CONTENT_TYPE).map(http::HeaderValue::as_bytes))
}

fn unsupported() -> Response {
    error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "HTTP 415 Unsupported Media Type")
}

fn options(route: &Route) -> Response {
    let allow = route.allow();
    let text = allow.replace(',', ", ");
    ([(header::ALLOW, allow), (header::CONTENT_TYPE, "text/plain".to_owned())], text).into_response()
}

async fn serve(
    site: &Site,
    local: Option<SocketAddr>,
    head: &http::request::Parts,
    resource: Resource,
    operation: &Operation,
    body: Body,
) -> Result<Response, Refusal> {
    let mut body = read(body).await?;
    if operation.body.is_none() {
        body.clear();
    }
    if !body.is_empty() && body_type(&head.headers) == BodyType::Missing {
        return Ok(unsupported());
    }
    let asked = Asked {
        params: path::query(head.uri.query()),
        base: base(&head.headers, local),
        body,
        format: negotiation::metrics_format(accepted(&head.headers)).unwrap_or(Format::Prometheus),
    };
    match (&site.worker, &site.logs) {
        (_, Some(logs)) if matches!(resource, Resource::Loggers | Resource::Logger(_)) => {
            answers::of_admin(logs, &resource, operation.verb, &asked)
        }
        (Some((worker, membership)), _) => {
            let request = passing::Incoming { membership: &**membership, head, resource: &resource };
            if let Some(answer) = request.settle(operation.verb, &asked).await? {
                return Ok(answer);
            }
            answers::of(worker, resource, operation.verb, asked).await
        }
        _ => Err(Refusal::not_found("HTTP 404 Not Found")),
    }
}

/// `http://host:port` as the client knows it, for `Location`.
fn base(headers: &HeaderMap, local: Option<SocketAddr>) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).filter(|host| !host.is_empty());
    match (host, local) {
        (Some(host), _) => format!("http://{host}"),
        (None, Some(local)) => format!("http://{local}"),
        (None, None) => String::new(),
    }
}

/// The whole body, if it is not too long.
async fn read(body: Body) -> Result<Vec<u8>, Refusal> {
    let mut chunks = body.into_data_stream();
    let mut whole = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| {
            Refusal::bad_request(format!("The request body did not arrive as a whole: {error}"))
        })?;
        if whole.len() + chunk.len() > MAX_BODY {
            return Err(Refusal {
                status: 413,
                message: format!("The request body is longer than {MAX_BODY} bytes; a configuration is not"),
            });
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole)
}

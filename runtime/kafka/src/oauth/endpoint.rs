//! A token endpoint: the client's credentials in, a token out (RFC 6749, section 4.4), as Java's retriever asks it.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lavka_api::{Error, Result};
use reqwest::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use serde_json::Value;
use tokio::time::Instant;

use super::{jwt, refused, unreachable};
use crate::settings::TokenEndpoint;
use crate::wire::{client_config, trusting_nobody};

/// Bytes of an answer that are read.
const MAX_ANSWER: usize = 2 * jwt::MAX_TOKEN;

/// Answers that another try does not change.
const FINAL: [u16; 17] =
    [400, 401, 402, 403, 404, 405, 406, 407, 409, 410, 411, 412, 413, 414, 415, 501, 505];

/// A client of the endpoint.
#[derive(Debug)]
pub(super) struct Endpoint(Client);

/// One try that gave no token.
enum Trouble {
    /// It may pass.
    Passing(String),
    /// It does not.
    Lasting(String),
}

impl Endpoint {
    /// # Errors
    /// A config error for TLS settings that cannot be used.
    pub(super) async fn new(settings: &TokenEndpoint) -> Result<Self> {
        // Without a configuration of ours reqwest would ask for a provider of the whole process.
        let tls = match settings.url.scheme() {
            "https" => client_config(&settings.tls).await?,
            _ => trusting_nobody()?,
        };
        let client = Client::builder()
            .connect_timeout(settings.connect_timeout)
            .read_timeout(settings.read_timeout)
            // The credentials are for this server.
            .redirect(Policy::none())
            .tls_backend_preconfigured(tls)
            .build();
        client.map(Self).map_err(|error| Error::fatal(format!("No client for the token endpoint: {error}")))
    }

    /// A token, tried for until `sasl.login.retry.backoff.max.ms` are over.
    pub(super) async fn fetch(&self, settings: &TokenEndpoint) -> Result<String> {
        let deadline = Instant::now() + settings.backoff_max;
        let mut pause = settings.backoff;
        loop {
            let place = place(&settings.url);
            match self.attempt(settings).await {
                Ok(token) => return Ok(token),
                Err(Trouble::Lasting(detail)) => return Err(refused(&format!("{place}: {detail}"))),
                Err(Trouble::Passing(detail)) if Instant::now() + pause >= deadline => {
                    return Err(unreachable(&format!("{place}: {detail}")));
                }
                Err(Trouble::Passing(detail)) => {
                    tracing::debug!("{place}: {detail}; next try in {} ms", pause.as_millis());
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(3600));
        }
    }

    async fn attempt(&self, settings: &TokenEndpoint) -> std::result::Result<String, Trouble> {
        let mut form = "grant_type=client_credentials".to_owned();
        if let Some(scope) = &settings.scope {
            form.push_str("&scope=");
            form.push_str(&urlencoded(scope));
        }
        let request = self
            .0
            .post(settings.url.clone())
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, authorization(settings))
            .header(CACHE_CONTROL, "no-cache")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        // The URL has been checked; the rest of an error of reqwest is about the network.
        let passing = |error: reqwest::Error| Trouble::Passing(told(&error.without_url()));
        let response = request.send().await.map_err(passing)?;
        let status = response.status();
        let body = read(response).await.map_err(Trouble::Passing)?;
        if status != StatusCode::OK && status != StatusCode::CREATED {
            let detail = format!("answered {}{}", status.as_u16(), complaint(&body));
            let lasting = FINAL.contains(&status.as_u16()) || status.is_redirection();
            return Err(if lasting { Trouble::Lasting(detail) } else { Trouble::Passing(detail) });
        }
        let answer: Option<Value> = serde_json::from_slice(&body).ok();
        let token = answer.as_ref().and_then(|answer| answer.get("access_token")).and_then(Value::as_str);
        match token.map(str::trim).filter(|token| !token.is_empty()) {
            Some(token) => Ok(token.to_owned()),
            None => Err(Trouble::Lasting("the answer has no access_token".into())),
        }
    }
}

/// The URL without its query, which may hold what is not for everybody.
pub(super) fn place(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    format!("the token endpoint {url} (sasl.oauthbearer.token.endpoint.url)")
}

fn authorization(settings: &TokenEndpoint) -> HeaderValue {
    let encoded = |text: &str| if settings.urlencode { urlencoded(text) } else { text.to_owned() };
    let pair = format!("{}:{}", encoded(&settings.client_id), encoded(settings.client_secret.reveal()));
    // Base64 is always a value of a header.
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)))
        .unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// As `java.net.URLEncoder`.
fn urlencoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

async fn read(mut response: Response) -> std::result::Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| told(&error.without_url()))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(format!("the answer is longer than {MAX_ANSWER} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What an answer complains of (RFC 6749, section 5.2), in the words of the standard and the server.
fn complaint(body: &[u8]) -> String {
    let Ok(Value::Object(answer)) = serde_json::from_slice(body) else { return String::new() };
    let of = |keys: [&str; 3]| {
        let found = keys.into_iter().find_map(|key| answer.get(key)?.as_str());
        found.map(|text| text.chars().filter(|c| !c.is_control()).take(200).collect::<String>())
    };
    match (of(["error", "errorCode", "code"]), of(["error_description", "errorSummary", "message"])) {
        (Some(error), Some(text)) => format!(" ({error}: {text})"),
        (Some(text), None) | (None, Some(text)) => format!(" ({text})"),
        (None, None) => String::new(),
    }
}

/// An error with what it came of.
fn told(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

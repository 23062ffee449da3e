//! Requests over HTTP.

use std::error::Error as _;
use std::time::Duration;

use lavka_api::config::Config;
use lavka_api::{Error, Result, async_trait};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Proxy, Response, Url};

use crate::auth::{Auth, url_credentials};
use crate::config::{RegistryConfig, millis};
use crate::tls;
use crate::transport::{Answer, Method, Request, Transport, Trouble};

/// What the registry speaks, and what it may answer in.
const REQUEST_TYPE: &str = "application/vnd.schemaregistry.v1+json";
const ANSWER_TYPES: &str = "application/vnd.schemaregistry.v1+json, application/vnd.schemaregistry+json, \
                            application/json";

/// A longer answer than this is no schema that anybody uses.
const MAX_ANSWER: usize = 64 << 20;

/// Keys that begin so are headers of every request.
const HEADER_PREFIX: &str = "request.header.";

/// Connections are kept for so long.
const IDLE: Duration = Duration::from_secs(60);

/// The registry's URLs, over one pool of connections.
pub(crate) struct HttpTransport {
    client: Client,
    urls: Vec<String>,
    endpoints: Vec<Endpoint>,
    auth: Auth,
    /// Whether `request.header.Authorization` stands for the credentials, as in Java.
    has_authorization: bool,
}

struct Endpoint {
    base: String,
    /// What user and password in the URL become.
    authorization: Option<HeaderValue>,
}

impl HttpTransport {
    pub(crate) fn new(keys: &RegistryConfig, config: &Config) -> Result<Self> {
        let mut urls = Vec::new();
        let mut endpoints = Vec::new();
        for (at, text) in keys.urls.0.iter().enumerate() {
            let mut url = Url::parse(text).map_err(|error| {
                Error::config(format!(
                    "Invalid value for configuration schema.registry.url: URL {} cannot be read: {error}",
                    at + 1
                ))
            })?;
            let authorization = url_credentials(&url);
            // Neither fails for http and https, which the key's check lets through alone.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.set_query(None);
            url.set_fragment(None);
            let base = url.as_str().trim_end_matches('/').to_owned();
            urls.push(base.clone());
            endpoints.push(Endpoint { base, authorization });
        }
        if endpoints.is_empty() {
            return Err(Error::config("schema.registry.url names no registry"));
        }
        let auth = Auth::new(keys, config)?;
        let needs_tls =
            urls.iter().map(String::as_str).chain(auth.token_endpoint()).any(|it| it.starts_with("https"));
        let headers = headers(config)?;
        let has_authorization = headers.contains_key(AUTHORIZATION);
        let mut builder = Client::builder()
            .tls_backend_preconfigured(tls::client_config(keys, needs_tls)?)
            .default_headers(headers)
            .user_agent(concat!("lavka/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(millis(keys.connect_timeout))
            .read_timeout(millis(keys.read_timeout))
            .pool_idle_timeout(IDLE)
            // A redirect would carry secrets to where nobody meant them to go.
            .redirect(Policy::none())
            .no_proxy();
        if let Some(proxy) = proxy(keys)? {
            builder = builder.proxy(proxy);
        }
        let client = builder.build().map_err(|error| {
            Error::config(format!("The client of the registry cannot be set up: {}", told(&error)))
        })?;
        Ok(Self { client, urls, endpoints, auth, has_authorization })
    }
}

#[async_trait]
impl Transport for HttpTransport {
    fn urls(&self) -> &[String] {
        &self.urls
    }

    async fn exchange(&self, url: usize, request: &Request) -> Result<Answer, Trouble> {
        let Some(endpoint) = self.endpoints.get(url) else {
            return Err(Trouble { text: "there is no such URL".into(), passes: false });
        };
        let address = format!("{}{}", endpoint.base, request.path);
        let mut sent = match request.method {
            Method::Get => self.client.get(address),
            Method::Post => self.client.post(address),
        };
        sent = sent.header(ACCEPT, ANSWER_TYPES);
        for (name, value) in self.auth.headers(&self.client, endpoint.authorization.as_ref()).await? {
            if !(self.has_authorization && name == AUTHORIZATION) {
                sent = sent.header(name, value);
            }
        }
        if !request.body.is_empty() {
            sent = sent.header(CONTENT_TYPE, REQUEST_TYPE).body(request.body.clone());
        }
        answer_of(sent.send().await).await
    }
}

/// Reads the answer, as far as it is not too long.
pub(crate) async fn answer_of(sent: reqwest::Result<Response>) -> Result<Answer, Trouble> {
    let mut response = sent.map_err(|error| trouble(&error))?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| trouble(&error))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            let text = format!("the answer is longer than {} MiB", MAX_ANSWER >> 20);
            return Err(Trouble { text, passes: false });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, body })
}

fn trouble(error: &reqwest::Error) -> Trouble {
    let mut passes = !error.is_builder();
    let mut next = error.source();
    while let Some(cause) = next {
        // Nothing changes by itself about a certificate.
        if matches!(cause.downcast_ref(), Some(rustls::Error::InvalidCertificate(_))) {
            passes = false;
        }
        // What an I/O error was made of is not its source, but that of its source.
        next = match cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
    }
    Trouble { text: told(error), passes }
}

/// The error and its causes, without the URL, which the caller names.
pub(crate) fn told(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() {
        "the time is up".to_owned()
    } else if error.is_connect() {
        "no connection".to_owned()
    } else {
        "the request failed".to_owned()
    };
    let mut cause = error.source();
    while let Some(inner) = cause {
        let next = inner.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = inner.source();
    }
    text
}

/// The headers that `request.header.NAME` keys ask for.
fn headers(config: &Config) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (key, value) in config.iter() {
        let (Some(name), Some(value)) = (key.strip_prefix(HEADER_PREFIX), value) else { continue };
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| Error::config(format!("{key} does not end in the name of an HTTP header")))?;
        let mut value = HeaderValue::from_str(value.trim())
            .map_err(|_| Error::config(format!("The value of {key} cannot be sent as an HTTP header")))?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

fn proxy(keys: &RegistryConfig) -> Result<Option<Proxy>> {
    if keys.proxy_host.is_empty() {
        return Ok(None);
    }
    let host = keys.proxy_host.trim_end_matches('/');
    let scheme = if host.contains("://") { "" } else { "http://" };
    if keys.proxy_port <= 0 {
        return Err(Error::config("proxy.port is missing: proxy.host needs the port of the proxy"));
    }
    let proxy = Proxy::all(format!("{scheme}{host}:{}", keys.proxy_port));
    Ok(Some(proxy.map_err(|error| Error::invalid_value("proxy.host", host, told(&error)))?))
}

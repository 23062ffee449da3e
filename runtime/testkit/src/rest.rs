//! A small JSON client for the REST API.

use std::time::Duration;

use serde_json::Value;
use ureq::http::{Method, Request};
use ureq::{Agent, Proxy};

use crate::failure::{Context as _, Failure, OrFail as _};

const PATIENCE: Duration = Duration::from_secs(60);
const JSON: &str = "application/json";

/// A client of one server. Any answer is returned, whatever its status; only the lack of one fails the test.
#[derive(Clone, Debug)]
pub struct RestClient {
    base: String,
    agent: Agent,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct RestAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body as JSON, keys in their order; null when it is empty or not JSON.
    pub body: Value,
    /// The body as it came; bytes that are not UTF-8 are replaced.
    pub text: String,
    /// The headers in their order, names in lower case.
    pub headers: Vec<(String, String)>,
}

impl RestAnswer {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl RestClient {
    /// A client of the server at `base`, such as `http://127.0.0.1:8083`.
    pub fn new(base: impl Into<String>) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None::<Proxy>)
            .timeout_global(Some(PATIENCE))
            .build();
        Self { base: base.into().trim_end_matches('/').to_owned(), agent: config.into() }
    }

    /// The address of the server.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// `GET path`.
    #[track_caller]
    pub fn get(&self, path: &str) -> RestAnswer {
        self.try_get(path).or_fail()
    }

    /// `GET path`, with an error instead of a failed test when nobody answers.
    ///
    /// # Errors
    /// When there is no connection or no complete answer.
    pub fn try_get(&self, path: &str) -> Result<RestAnswer, Failure> {
        self.try_send("GET", path, &[], None)
    }

    /// `DELETE path`.
    #[track_caller]
    pub fn delete(&self, path: &str) -> RestAnswer {
        self.try_send("DELETE", path, &[], None).or_fail()
    }

    /// `POST path` with a JSON body.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> RestAnswer {
        self.send("POST", path, &[("content-type", JSON)], Some(body.to_string().into_bytes()))
    }

    /// `PUT path` with a JSON body.
    #[track_caller]
    pub fn put(&self, path: &str, body: &Value) -> RestAnswer {
        self.send("PUT", path, &[("content-type", JSON)], Some(body.to_string().into_bytes()))
    }

    /// `PATCH path` with a JSON body.
    #[track_caller]
    pub fn patch(&self, path: &str, body: &Value) -> RestAnswer {
        self.send("PATCH", path, &[("content-type", JSON)], Some(body.to_string().into_bytes()))
    }

    /// Any request with any headers and body, such as a `PUT` without one or a `POST` of broken JSON.
    #[track_caller]
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> RestAnswer {
        self.try_send(method, path, headers, body).or_fail()
    }

    /// As [`RestClient::send`], with an error instead of a failed test when nobody answers.
    ///
    /// # Errors
    /// When there is no connection, no complete answer, or `method` or `path` is not allowed in HTTP.
    pub fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Result<RestAnswer, Failure> {
        let url = format!("{}{path}", self.base);
        let explain = || format!("{method} {url}");
        let method = Method::from_bytes(method.as_bytes()).context(explain)?;
        let has_body = [Method::POST, Method::PUT, Method::PATCH].contains(&method);
        let start = Request::builder().method(method).uri(&url);
        let request = headers.iter().fold(start, |request, (name, value)| request.header(*name, *value));
        let answer = match body {
            Some(body) => self.agent.run(request.body(body).context(explain)?),
            // What may have a body says that it has none; ureq would send the beginning of an endless one otherwise.
            None if has_body => self.agent.run(request.body(Vec::new()).context(explain)?),
            None => self.agent.run(request.body(()).context(explain)?),
        };
        let mut answer = answer.context(explain)?;
        let headers = answer.headers().iter().map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        let headers = headers.collect();
        let status = answer.status().as_u16();
        let bytes = answer.body_mut().read_to_vec().context(explain)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(RestAnswer { status, body, text, headers })
    }
}

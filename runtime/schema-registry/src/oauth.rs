//! Tokens by client credentials (RFC 6749, 4.4), renewed before they end.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lavka_api::config::Password;
use lavka_api::{Error, Result};
use reqwest::Client;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde_json::Value;

use crate::auth::bearer;
use crate::client::now;
use crate::config::{RegistryConfig, seconds};
use crate::http::answer_of;
use crate::retry::RetryPolicy;
use crate::transport::{Trouble, push_encoded};

/// A token whose end is not said is renewed after this.
const UNSAID: Duration = Duration::from_secs(3600);

pub(crate) struct OAuth {
    endpoint: String,
    client_id: String,
    secret: Password,
    scope: Option<String>,
    buffer: Duration,
    token: Mutex<Option<(HeaderValue, Instant)>>,
}

impl OAuth {
    pub(crate) fn new(keys: &RegistryConfig) -> Result<Self> {
        fn required<'k, T>(key: &str, value: Option<&'k T>) -> Result<&'k T> {
            value.ok_or_else(|| {
                Error::config(format!(
                    "{key} is missing: OAUTHBEARER of bearer.auth.credentials.source needs it"
                ))
            })
        }
        let endpoint = required("bearer.auth.issuer.endpoint.url", keys.bearer_endpoint.as_ref())?;
        if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
            return Err(Error::invalid_value(
                "bearer.auth.issuer.endpoint.url",
                "",
                "it does not begin with http:// or https://",
            ));
        }
        if endpoint.split('/').nth(2).is_some_and(|authority| authority.contains('@')) {
            return Err(Error::config(
                "bearer.auth.issuer.endpoint.url may not hold user and password: set bearer.auth.client.id and \
                 bearer.auth.client.secret",
            ));
        }
        Ok(Self {
            endpoint: endpoint.clone(),
            client_id: required("bearer.auth.client.id", keys.bearer_client.as_ref())?.clone(),
            secret: required("bearer.auth.client.secret", keys.bearer_secret.as_ref())?.clone(),
            scope: keys.bearer_scope.clone(),
            buffer: seconds(i32::from(keys.bearer_buffer)),
            token: Mutex::new(None),
        })
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The header with a token that has not ended.
    pub(crate) async fn header(&self, client: &Client) -> Result<HeaderValue, Trouble> {
        let known = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((header, until)) = known
            && now() < until
        {
            return Ok(header);
        }
        let (header, lifetime) = self.fetch(client).await?;
        let until = now() + lifetime.saturating_sub(self.buffer);
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some((header.clone(), until));
        Ok(header)
    }

    async fn fetch(&self, client: &Client) -> Result<(HeaderValue, Duration), Trouble> {
        let mut form = String::from("grant_type=client_credentials");
        if let Some(scope) = &self.scope {
            form.push_str("&scope=");
            push_encoded(&mut form, scope);
        }
        let mut credentials = HeaderValue::from_str(&format!(
            "Basic {}",
            STANDARD.encode(format!("{}:{}", self.client_id, self.secret.reveal()))
        ))
        .map_err(|_| self.trouble("the client's credentials cannot be sent", false))?;
        credentials.set_sensitive(true);
        let sent = client
            .post(&self.endpoint)
            .header(AUTHORIZATION, credentials)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await;
        let answer = answer_of(sent).await.map_err(|trouble| self.trouble(&trouble.text, trouble.passes))?;
        let json: Option<Value> = serde_json::from_slice(&answer.body).ok();
        if !(200..300).contains(&answer.status) {
            // RFC 6749, 5.2: `error` is one of a few words.
            let why = json
                .as_ref()
                .and_then(|json| json.get("error"))
                .and_then(Value::as_str)
                .unwrap_or("no reason");
            let why: String = why.chars().take(200).collect();
            let text = format!("it answered with status {}: {why}", answer.status);
            return Err(self.trouble(&text, RetryPolicy::repeats(answer.status)));
        }
        let token = json.as_ref().and_then(|json| json.get("access_token")).and_then(Value::as_str);
        let header = token.and_then(|token| bearer(token).ok());
        let header = header.ok_or_else(|| self.trouble("its answer holds no access_token", false))?;
        let lifetime = json.as_ref().and_then(|json| json.get("expires_in"));
        let lifetime = lifetime.and_then(|it| it.as_u64().or_else(|| it.as_str()?.parse().ok()));
        Ok((header, lifetime.map_or(UNSAID, |seconds| Duration::from_secs(seconds.min(31_536_000)))))
    }

    fn trouble(&self, what: &str, passes: bool) -> Trouble {
        Trouble { text: format!("no token from {}: {what}", self.endpoint), passes }
    }
}

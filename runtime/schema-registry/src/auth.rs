//! Credentials: user and password, or a token.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lavka_api::config::Config;
use lavka_api::{Error, Result};
use percent_encoding::percent_decode_str;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::{Client, Url};

use crate::config::RegistryConfig;
use crate::oauth::OAuth;
use crate::transport::Trouble;

const BASIC_SOURCE: &str = "basic.auth.credentials.source";
const BEARER_SOURCE: &str = "bearer.auth.credentials.source";

/// What goes into `Authorization`, and into the headers beside it.
pub(crate) struct Auth {
    kind: Kind,
    /// Sent along with a bearer token.
    beside: Vec<(HeaderName, HeaderValue)>,
}

enum Kind {
    /// User and password of the URL, if they are there.
    Url,
    /// The same at every URL.
    Fixed(HeaderValue),
    /// A token that has to be renewed.
    OAuth(OAuth),
}

impl Auth {
    pub(crate) fn new(keys: &RegistryConfig, config: &Config) -> Result<Self> {
        let named = |key: &str| config.get(key).is_some_and(|value| !value.trim().is_empty());
        if named(BASIC_SOURCE) && named(BEARER_SOURCE) {
            return Err(Error::config(format!(
                "Only one of '{BASIC_SOURCE}' and '{BEARER_SOURCE}' may be specified"
            )));
        }
        let has_token = !keys.bearer_token.reveal().is_empty();
        let by_token = named(BEARER_SOURCE) || (has_token && !named(BASIC_SOURCE));
        if !by_token {
            return Ok(Self { kind: basic(keys)?, beside: Vec::new() });
        }
        let kind = if keys.bearer_source == "OAUTHBEARER" {
            Kind::OAuth(OAuth::new(keys)?)
        } else if has_token {
            Kind::Fixed(bearer(keys.bearer_token.reveal()).map_err(|()| unsendable("bearer.auth.token"))?)
        } else {
            return Err(Error::config(
                "bearer.auth.token is missing: STATIC_TOKEN of bearer.auth.credentials.source needs it",
            ));
        };
        let mut beside = Vec::new();
        for (key, name, value) in [
            ("bearer.auth.logical.cluster", "target-sr-cluster", &keys.bearer_cluster),
            ("bearer.auth.identity.pool.id", "confluent-identity-pool-id", &keys.bearer_pool),
        ] {
            if let Some(value) = value {
                beside.push((
                    HeaderName::from_static(name),
                    HeaderValue::from_str(value).map_err(|_| unsendable(key))?,
                ));
            }
        }
        Ok(Self { kind, beside })
    }

    /// Where tokens come from, if from elsewhere.
    pub(crate) fn token_endpoint(&self) -> Option<&str> {
        match &self.kind {
            Kind::OAuth(oauth) => Some(oauth.endpoint()),
            Kind::Url | Kind::Fixed(_) => None,
        }
    }

    /// The headers of the next request; `of_url` is what its URL says.
    pub(crate) async fn headers(
        &self,
        client: &Client,
        of_url: Option<&HeaderValue>,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, Trouble> {
        let value = match &self.kind {
            Kind::Url => of_url.cloned(),
            Kind::Fixed(value) => Some(value.clone()),
            Kind::OAuth(oauth) => Some(oauth.header(client).await?),
        };
        Ok(value.map(|value| (AUTHORIZATION, value)).into_iter().chain(self.beside.iter().cloned()).collect())
    }
}

fn basic(keys: &RegistryConfig) -> Result<Kind> {
    match keys.basic_source.as_str() {
        "USER_INFO" => {
            let (old, new) = (keys.old_user_info.reveal(), keys.user_info.reveal());
            let info = if old.is_empty() { new } else { old };
            if !info.contains(':') {
                return Err(Error::config(
                    "basic.auth.user.info must be provided as user:password when basic.auth.credentials.source is set \
                     to USER_INFO",
                ));
            }
            Ok(Kind::Fixed(basic_header(info)))
        }
        "SASL_INHERIT" => {
            let line = keys.sasl_jaas.as_ref().map_or("", |line| line.reveal());
            let (Some(user), Some(password)) = (jaas_option(line, "username"), jaas_option(line, "password"))
            else {
                return Err(Error::config(
                    "sasl.jaas.config of this converter has to name username and password when \
                     basic.auth.credentials.source is set to SASL_INHERIT",
                ));
            };
            Ok(Kind::Fixed(basic_header(&format!("{user}:{password}"))))
        }
        _ => Ok(Kind::Url),
    }
}

/// What user and password of `url` become; `None` where there is neither.
pub(crate) fn url_credentials(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let user = percent_decode_str(url.username()).decode_utf8_lossy();
    let password = percent_decode_str(url.password().unwrap_or_default()).decode_utf8_lossy();
    Some(basic_header(&format!("{user}:{password}")))
}

fn basic_header(info: &str) -> HeaderValue {
    let text = format!("Basic {}", STANDARD.encode(info));
    // Base64 is always a valid value.
    let mut value = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("Basic"));
    value.set_sensitive(true);
    value
}

/// The header of a bearer token.
pub(crate) fn bearer(token: &str) -> Result<HeaderValue, ()> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| ())?;
    value.set_sensitive(true);
    Ok(value)
}

fn unsendable(key: &str) -> Error {
    Error::config(format!(
        "The value of {key} cannot be sent as an HTTP header: it holds characters that are not allowed"
    ))
}

/// The value of option `name` of a JAAS line: `Module required name="value" other='value' bare=value;`.
fn jaas_option(line: &str, name: &str) -> Option<String> {
    let mut rest = line.trim_end().trim_end_matches(';');
    loop {
        rest = rest.trim_start();
        let end = rest.find(|c: char| c.is_whitespace() || c == '=')?;
        let (word, behind) = rest.split_at(end);
        let behind = behind.trim_start();
        let Some(value) = behind.strip_prefix('=') else {
            rest = behind;
            continue;
        };
        let (value, behind) = jaas_value(value.trim_start());
        if word == name {
            return Some(value);
        }
        rest = behind;
    }
}

/// The value at the front of `text`, unquoted, and what is behind it.
fn jaas_value(text: &str) -> (String, &str) {
    let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let (value, behind) = text.split_at(end);
        return (value.to_owned(), behind);
    };
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            c if c == quote => return (value, text.get(at + 1..).unwrap_or_default()),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use lavka_api::config::ConfigSpec as _;

    fn auth(entries: &[(&str, &str)]) -> Result<Auth> {
        let mut config = Config::from([("schema.registry.url", "http://h")]);
        for (key, value) in entries {
            config.set(*key, *value);
        }
        Auth::new(&RegistryConfig::from_config(&config)?, &config)
    }

    fn header(entries: &[(&str, &str)]) -> String {
        match auth(entries).unwrap().kind {
            Kind::Fixed(value) => value.to_str().unwrap().to_owned(),
            Kind::Url => "of the URL".into(),
            Kind::OAuth(_) => "OAuth".into(),
        }
    }

    const JAAS: &str = "org.apache.kafka.common.security.plain.PlainLoginModule required  username=\"al\\\"ice\" \
                        password='se=cret';";

    #[test]
    fn sources() {
        assert_eq!(header(&[]), "of the URL");
        assert_eq!(
            header(&[("basic.auth.credentials.source", "USER_INFO"), ("basic.auth.user.info", "u:p")]),
            "Basic dTpw"
        );
        assert_eq!(
            header(&[
                ("basic.auth.credentials.source", "USER_INFO"),
                ("schema.registry.basic.auth.user.info", "o:p"),
                ("basic.auth.user.info", "u:p")
            ]),
            "Basic bzpw"
        );
        assert_eq!(
            header(&[("basic.auth.credentials.source", "SASL_INHERIT"), ("sasl.jaas.config", JAAS)]),
            format!("Basic {}", STANDARD.encode("al\"ice:se=cret"))
        );
        assert_eq!(header(&[("bearer.auth.token", "t")]), "Bearer t");
    }

    #[test]
    fn what_is_missing_is_named() {
        for (entries, part) in [
            (vec![("basic.auth.credentials.source", "USER_INFO")], "basic.auth.user.info"),
            (vec![("basic.auth.credentials.source", "SASL_INHERIT")], "sasl.jaas.config"),
            (vec![("bearer.auth.credentials.source", "STATIC_TOKEN")], "bearer.auth.token is missing"),
            (vec![("bearer.auth.credentials.source", "OAUTHBEARER")], "bearer.auth.issuer.endpoint.url"),
            (
                vec![
                    ("basic.auth.credentials.source", "URL"),
                    ("bearer.auth.credentials.source", "STATIC_TOKEN"),
                ],
                "Only one of",
            ),
            (vec![("bearer.auth.token", "a\nb")], "bearer.auth.token"),
        ] {
            let error = auth(&entries).err().unwrap();
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn urls_may_hold_credentials() {
        let of =
            |url: &str| url_credentials(&Url::parse(url).unwrap()).map(|it| it.to_str().unwrap().to_owned());
        assert_eq!(of("http://h"), None);
        assert_eq!(of("http://u%40x:p%3Aq@h"), Some(format!("Basic {}", STANDARD.encode("u@x:p:q"))));
    }
}

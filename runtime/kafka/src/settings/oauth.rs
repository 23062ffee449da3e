//! Where the token of `sasl.mechanism=OAUTHBEARER` comes from: Java's keys and the options of its login module.

use std::path::PathBuf;
use std::time::Duration;

use lavka_api::config::{Config, ConfigType, Password};
use lavka_api::{Error, Result};
use reqwest::Url;
use serde_json::{Number, Value};

use super::jaas::LoginModule;
use super::millis;
use super::security::{Tls, text};

/// The options of the login module.
const JAAS: &str = "sasl.jaas.config";
const ENDPOINT: &str = "sasl.oauthbearer.token.endpoint.url";
const HANDLER: &str = "sasl.login.callback.handler.class";
const RETRIEVER: &str = "sasl.oauthbearer.jwt.retriever.class";
const PACKAGE: &str = "org.apache.kafka.common.security.oauthbearer.";

/// How a client gets its tokens.
#[derive(Debug, Clone)]
pub(crate) struct OauthLogin {
    pub(crate) origin: TokenOrigin,
    /// `sasl.oauthbearer.sub.claim.name`: the claim with the principal.
    pub(crate) subject: String,
}

/// Where tokens come from.
#[derive(Debug, Clone)]
pub(crate) enum TokenOrigin {
    /// Made here, without a signature: for brokers that are being tried out.
    Unsecured { claims: Vec<(String, Value)>, lifetime_seconds: i64 },
    /// A file that somebody else keeps up to date.
    File(PathBuf),
    /// A server that gives them for a client's credentials (RFC 6749, section 4.4).
    Endpoint(Box<TokenEndpoint>),
}

/// A token endpoint, and what it wants to know.
#[derive(Debug, Clone)]
pub(crate) struct TokenEndpoint {
    pub(crate) url: Url,
    pub(crate) client_id: String,
    pub(crate) client_secret: Password,
    pub(crate) scope: Option<String>,
    /// `sasl.oauthbearer.header.urlencode`: whether the credentials are encoded for URLs before they are for the header.
    pub(crate) urlencode: bool,
    pub(crate) tls: Tls,
    /// `sasl.login.connect.timeout.ms`.
    pub(crate) connect_timeout: Duration,
    /// `sasl.login.read.timeout.ms`.
    pub(crate) read_timeout: Duration,
    /// `sasl.login.retry.backoff.ms`: the first wait between two tries; doubled each time.
    pub(crate) backoff: Duration,
    /// `sasl.login.retry.backoff.max.ms`: how long there are tries.
    pub(crate) backoff_max: Duration,
}

impl OauthLogin {
    /// Reads the keys. Java's default is the unsecured handler; here a token endpoint that is named is used even if the
    /// handler for it is not.
    ///
    /// # Errors
    /// A config error that names the key, and no secret.
    pub(super) fn from_config(config: &Config, module: &LoginModule) -> Result<Self> {
        let expected = format!("{PACKAGE}OAuthBearerLoginModule");
        if module.class != expected {
            return Err(invalid_jaas(format!(
                "sasl.mechanism=OAUTHBEARER needs the login module {expected}"
            )));
        }
        let extension =
            |name: &str| name.starts_with("extension_") || name.starts_with("unsecuredLoginExtension_");
        if let Some(name) = module.names().find(|name| extension(name)) {
            return Err(invalid_jaas(format!(
                "the option {name} asks for a SASL extension, which the client library cannot send"
            )));
        }
        let endpoint = text(config, ENDPOINT);
        let origin = if is_unsecured(config, endpoint)? {
            unsecured(module)?
        } else {
            let url = endpoint.ok_or_else(|| {
                Error::config(format!(
                    "Missing required configuration \"{ENDPOINT}\" which has no default value."
                ))
            })?;
            remote(url, config, module)?
        };
        let subject = text(config, "sasl.oauthbearer.sub.claim.name");
        Ok(Self { origin, subject: subject.unwrap_or("sub").to_owned() })
    }
}

fn invalid_jaas(detail: String) -> Error {
    Error::invalid_value(JAAS, Password::HIDDEN, detail)
}

fn is_unsecured(config: &Config, endpoint: Option<&str>) -> Result<bool> {
    let Some(class) = text(config, HANDLER) else {
        return Ok(endpoint.is_none());
    };
    match class.strip_prefix(PACKAGE).unwrap_or(class) {
        "internals.unsecured.OAuthBearerUnsecuredLoginCallbackHandler" => Ok(true),
        "OAuthBearerLoginCallbackHandler" | "secured.OAuthBearerLoginCallbackHandler" => Ok(false),
        _ => Err(Error::invalid_value(
            HANDLER,
            class,
            format!(
                "Java classes cannot be loaded; tokens come from a token endpoint or a file \
                 ({PACKAGE}OAuthBearerLoginCallbackHandler with {ENDPOINT}), or are unsecured (no handler)"
            ),
        )),
    }
}

/// `OAuthBearerUnsecuredLoginCallbackHandler`: claims are options of the login module.
fn unsecured(module: &LoginModule) -> Result<TokenOrigin> {
    let mut claims: Vec<(String, Value)> = Vec::new();
    let mut lifetime_seconds = 3600;
    let mut subject = "sub".to_owned();
    for (name, secret) in module.options() {
        let text = secret.reveal();
        let rest =
            |prefix: &str| name.strip_prefix(prefix).filter(|rest| !rest.is_empty()).map(str::to_owned);
        if let Some(claim) = rest("unsecuredLoginStringClaim_") {
            claims.push((claim, text.into()));
        } else if let Some(claim) = rest("unsecuredLoginNumberClaim_") {
            let number = text.trim().parse().ok().and_then(Number::from_f64);
            let number =
                number.ok_or_else(|| invalid_jaas(format!("the value of {name} is not a number")))?;
            claims.push((claim, Value::Number(number)));
        } else if let Some(claim) = rest("unsecuredLoginListClaim_") {
            claims.push((claim, list(text)));
        } else {
            match name {
                "unsecuredLoginLifetimeSeconds" => {
                    lifetime_seconds =
                        i64::parse(text).ok().filter(|seconds| *seconds > 0).ok_or_else(|| {
                            invalid_jaas(format!("the value of {name} is not a number of seconds"))
                        })?;
                }
                "unsecuredLoginPrincipalClaimName" => text.trim().clone_into(&mut subject),
                "unsecuredLoginScopeClaimName" => {}
                other => {
                    return Err(invalid_jaas(format!(
                        "the option {other} means nothing for an unsecured token; a token endpoint is named by {ENDPOINT}"
                    )));
                }
            }
        }
    }
    if !claims.iter().any(|(name, value)| *name == subject && value.is_string()) {
        return Err(invalid_jaas(format!(
            "an unsecured token needs the option unsecuredLoginStringClaim_{subject}"
        )));
    }
    Ok(TokenOrigin::Unsecured { claims, lifetime_seconds })
}

/// The first character separates the items of a list; a `\` in front of it makes it one of an item.
fn list(text: &str) -> Value {
    let Some(separator) = text.chars().next() else { return Value::Array(Vec::new()) };
    let rest = text.get(separator.len_utf8()..).unwrap_or_default();
    let mut items = vec![String::new()];
    let mut escaped = false;
    for c in rest.chars() {
        if c == separator && !escaped {
            items.push(String::new());
        } else if let Some(item) = items.last_mut() {
            if escaped && c != separator {
                item.push('\\');
            }
            if c != '\\' || escaped {
                item.push(c);
            }
        }
        escaped = c == '\\' && !escaped;
    }
    if rest.is_empty() {
        items.clear();
    }
    items.into()
}

fn remote(url: &str, config: &Config, module: &LoginModule) -> Result<TokenOrigin> {
    let retriever = text(config, RETRIEVER).unwrap_or("DefaultJwtRetriever");
    let file = url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:"));
    match retriever.strip_prefix(PACKAGE).unwrap_or(retriever) {
        "FileJwtRetriever" if !file => {
            return Err(Error::invalid_value(ENDPOINT, url, "must begin with file: for FileJwtRetriever"));
        }
        "DefaultJwtRetriever" | "FileJwtRetriever" if file => {
            let path = url.get(5..).unwrap_or_default();
            // `file:///path`, or `file:/path`, which Java writes.
            let path = path.strip_prefix("//").unwrap_or(path);
            return Ok(TokenOrigin::File(PathBuf::from(path)));
        }
        "DefaultJwtRetriever" | "ClientCredentialsJwtRetriever" => {}
        _ => {
            return Err(Error::invalid_value(
                RETRIEVER,
                retriever,
                "not supported: there are DefaultJwtRetriever, ClientCredentialsJwtRetriever and FileJwtRetriever",
            ));
        }
    }
    let url = parse_url(url).map_err(|detail| Error::invalid_value(ENDPOINT, Password::HIDDEN, detail))?;
    // The keys of Kafka 4.1 come before the options of the login module, which were there first.
    let given = |key: &str, option: &str| {
        let of_key = text(config, key).map(str::to_owned);
        of_key.or_else(|| module.option(option).map(|text| text.reveal().to_owned()))
    };
    let required = |key: &str, option: &str| {
        given(key, option).ok_or_else(|| {
            Error::config(format!(
                "Missing required configuration \"{key}\" which has no default value; the option {option} of the login \
                 module in {JAAS} does as well"
            ))
        })
    };
    let urlencode = "sasl.oauthbearer.header.urlencode";
    let flag = text(config, urlencode).unwrap_or("false");
    // As in Java the TLS settings of the endpoint are options of the login module.
    let tls: Config = module
        .options()
        .filter(|(name, _)| name.starts_with("ssl."))
        .map(|(name, text)| (name, text.reveal()))
        .collect();
    Ok(TokenOrigin::Endpoint(Box::new(TokenEndpoint {
        url,
        client_id: required("sasl.oauthbearer.client.credentials.client.id", "clientId")?,
        client_secret: Password::new(required(
            "sasl.oauthbearer.client.credentials.client.secret",
            "clientSecret",
        )?),
        scope: given("sasl.oauthbearer.scope", "scope").filter(|scope| !scope.trim().is_empty()),
        urlencode: bool::parse(flag).map_err(|detail| Error::invalid_value(urlencode, flag, detail))?,
        tls: Tls::from_config(&tls)?,
        connect_timeout: millis(config, "sasl.login.connect.timeout.ms", 10_000)?,
        read_timeout: millis(config, "sasl.login.read.timeout.ms", 10_000)?,
        backoff: millis(config, "sasl.login.retry.backoff.ms", 100)?,
        backoff_max: millis(config, "sasl.login.retry.backoff.max.ms", 10_000)?,
    })))
}

/// # Errors
/// The detail of the error text, which does not repeat the URL: there may be a password in it.
fn parse_url(url: &str) -> std::result::Result<Url, String> {
    let parsed = Url::parse(url)
        .map_err(|error| format!("must be a URL such as https://idp.example.com/oauth2/token ({error})"))?;
    if !matches!(parsed.scheme(), "https" | "http") || !parsed.has_host() {
        return Err("must begin with https://, http:// or file:".into());
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(
            "must hold no user and password; they are sasl.oauthbearer.client.credentials.client.id and .secret".into()
        );
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::super::jaas;
    use super::*;

    const HANDLER_CLASS: &str =
        "org.apache.kafka.common.security.oauthbearer.secured.OAuthBearerLoginCallbackHandler";

    fn login(options: &str, entries: &[(&str, &str)]) -> Result<OauthLogin> {
        let module = jaas::parse(&format!("{PACKAGE}OAuthBearerLoginModule required {options};")).unwrap();
        OauthLogin::from_config(&entries.iter().copied().collect(), &module)
    }

    fn refusal(options: &str, entries: &[(&str, &str)]) -> String {
        let error = login(options, entries).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
        error
    }

    fn endpoint(options: &str, entries: &[(&str, &str)]) -> TokenEndpoint {
        match login(options, entries).unwrap().origin {
            TokenOrigin::Endpoint(endpoint) => *endpoint,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn without_a_handler_tokens_are_unsecured() {
        let options = "unsecuredLoginStringClaim_sub=\"alice\" unsecuredLoginNumberClaim_n=\"1.5\" \
                       unsecuredLoginListClaim_scope=\"|a|b\\\\|c|\" unsecuredLoginLifetimeSeconds=\"60\"";
        let login = login(options, &[]).unwrap();
        let TokenOrigin::Unsecured { claims, lifetime_seconds } = login.origin else { panic!("{login:?}") };
        assert_eq!((login.subject.as_str(), lifetime_seconds), ("sub", 60));
        let claims: Vec<String> = claims.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(claims, ["sub=\"alice\"", "n=1.5", "scope=[\"a\",\"b|c\",\"\"]"]);
        assert!(refusal("", &[]).ends_with("needs the option unsecuredLoginStringClaim_sub"));
        assert!(refusal("unsecuredLoginNumberClaim_n=hunter2", &[]).contains("is not a number"));
        assert!(
            refusal("unsecuredLoginStringClaim_sub=a unsecuredLoginLifetimeSeconds=0", &[])
                .contains("seconds")
        );
        assert!(refusal("clientId=a clientSecret=hunter2", &[]).contains(ENDPOINT));
    }

    #[test]
    fn an_endpoint_is_asked_with_the_credentials_of_jaas_or_of_the_newer_keys() {
        let url = ("sasl.oauthbearer.token.endpoint.url", "https://idp.example.com/token?tenant=1");
        let options = "clientId=\"me\" clientSecret=\"hunter2\" scope=\"a b\"";
        for entries in [vec![url], vec![url, ("sasl.login.callback.handler.class", HANDLER_CLASS)]] {
            let endpoint = endpoint(options, &entries);
            assert_eq!(endpoint.url.as_str(), url.1);
            assert_eq!((endpoint.client_id.as_str(), endpoint.client_secret.reveal()), ("me", "hunter2"));
            assert_eq!((endpoint.scope.as_deref(), endpoint.urlencode), (Some("a b"), false));
            assert!(!format!("{endpoint:?}").contains("hunter2"));
        }
        let newer = endpoint(
            options,
            &[
                url,
                ("sasl.oauthbearer.client.credentials.client.id", "you"),
                ("sasl.oauthbearer.client.credentials.client.secret", "hunter3"),
                ("sasl.oauthbearer.scope", "c"),
                ("sasl.oauthbearer.header.urlencode", "true"),
                ("sasl.login.retry.backoff.ms", "5"),
                (
                    "sasl.oauthbearer.jwt.retriever.class",
                    "org.apache.kafka.common.security.oauthbearer.ClientCredentialsJwtRetriever",
                ),
            ],
        );
        assert_eq!((newer.client_id.as_str(), newer.client_secret.reveal()), ("you", "hunter3"));
        assert_eq!((newer.scope.as_deref(), newer.urlencode), (Some("c"), true));
        assert_eq!(newer.backoff, Duration::from_millis(5));
        assert!(refusal("clientId=me", &[url]).contains("client.secret"));
    }

    #[test]
    fn a_file_is_named_by_its_url() {
        for url in ["file:///run/token", "file:/run/token", "FILE:///run/token"] {
            let login = login("", &[("sasl.oauthbearer.token.endpoint.url", url)]).unwrap();
            let TokenOrigin::File(path) = login.origin else { panic!("{login:?}") };
            assert_eq!(path, PathBuf::from("/run/token"));
        }
    }

    #[test]
    fn what_is_not_there_is_refused_with_the_remedy() {
        let handler = ("sasl.login.callback.handler.class", "com.acme.Handler");
        assert!(
            refusal("", &[handler])
                .starts_with("Invalid value com.acme.Handler for configuration sasl.login.")
        );
        assert!(
            refusal("", &[("sasl.login.callback.handler.class", HANDLER_CLASS)])
                .starts_with("Missing required")
        );
        assert!(refusal("extension_logicalCluster=lkc-1", &[]).contains("extension_logicalCluster"));
        for url in ["nowhere", "ftp://host/", "https://me:hunter2@host/", "http://"] {
            assert!(
                refusal("clientId=a clientSecret=b", &[("sasl.oauthbearer.token.endpoint.url", url)])
                    .starts_with(
                        "Invalid value [hidden] for configuration sasl.oauthbearer.token.endpoint.url: must "
                    )
            );
        }
        let url = ("sasl.oauthbearer.token.endpoint.url", "https://host/");
        let bearer = (
            "sasl.oauthbearer.jwt.retriever.class",
            "org.apache.kafka.common.security.oauthbearer.JwtBearerJwtRetriever",
        );
        assert!(refusal("", &[url, bearer]).contains("not supported"));
        let plain = jaas::parse("org.apache.kafka.common.security.plain.PlainLoginModule required;").unwrap();
        let error = OauthLogin::from_config(&Config::new(), &plain).unwrap_err().to_string();
        assert!(error.contains("OAuthBearerLoginModule"), "{error}");
    }
}

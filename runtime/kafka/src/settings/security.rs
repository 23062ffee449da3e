//! How to talk to a broker: plain or TLS, and who one is.
//!
//! Read once from Java's keys; both librdkafka's names and the wire client's connections come from it.

use std::path::PathBuf;
use std::sync::Arc;

use lavka_api::config::{Config, ConfigType, Password};
use lavka_api::{Error, Result};

use super::oauth::OauthLogin;
use super::{jaas, pem};
use crate::oauth::TokenSource;

/// Security settings of a client.
#[derive(Debug, Clone, Default)]
pub(crate) struct Security {
    /// `None` for plain connections.
    pub(crate) tls: Option<Tls>,
    /// `None` for connections without authentication by SASL.
    pub(crate) sasl: Option<Sasl>,
}

/// PEM text, or the file that holds it.
#[derive(Debug, Clone)]
pub(crate) enum Pem {
    Text(Password),
    File(PathBuf),
}

/// TLS settings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tls {
    /// Certificates to trust; the system's where `None`.
    pub(crate) trusted: Option<Pem>,
    /// Who we are, where the broker asks.
    pub(crate) identity: Option<Identity>,
    /// Whether the certificate must be made out to the host that was connected to.
    pub(crate) any_host: bool,
}

/// A client certificate.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) chain: Pem,
    pub(crate) key: Pem,
    /// The passphrase of an encrypted key.
    pub(crate) passphrase: Option<Password>,
}

/// A way to authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mechanism {
    Plain,
    ScramSha256,
    ScramSha512,
    OauthBearer,
}

impl Mechanism {
    /// The registered name (RFC 4616, RFC 7677, RFC 7628).
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mechanism::Plain => "PLAIN",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha512 => "SCRAM-SHA-512",
            Mechanism::OauthBearer => "OAUTHBEARER",
        }
    }
}

/// SASL settings.
#[derive(Debug, Clone)]
pub(crate) struct Sasl {
    pub(crate) mechanism: Mechanism,
    pub(crate) login: Login,
}

/// What is shown to the broker.
#[derive(Debug, Clone)]
pub(crate) enum Login {
    /// A name and a password.
    Password { username: String, password: Password },
    /// Tokens; of one source for all connections of a client.
    Tokens(Arc<TokenSource>),
}

impl Security {
    /// Reads Java's keys.
    ///
    /// # Errors
    /// A config error that names the key and, where Java offers what we do not, the remedy.
    pub(crate) fn from_config(config: &Config) -> Result<Self> {
        let protocol = text(config, "security.protocol").unwrap_or("PLAINTEXT");
        let (tls, sasl) = match protocol.to_ascii_uppercase().as_str() {
            "PLAINTEXT" => (false, false),
            "SSL" => (true, false),
            "SASL_PLAINTEXT" => (false, true),
            "SASL_SSL" => (true, true),
            _ => {
                return Err(Error::invalid_value(
                    "security.protocol",
                    protocol,
                    "String must be one of (case insensitive): PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL",
                ));
            }
        };
        Ok(Self {
            tls: if tls { Some(Tls::from_config(config)?) } else { None },
            sasl: if sasl { Some(Sasl::from_config(config)?) } else { None },
        })
    }

    /// Where tokens come from, if tokens are what is shown to brokers.
    pub(crate) fn tokens(&self) -> Option<Arc<TokenSource>> {
        match &self.sasl.as_ref()?.login {
            Login::Tokens(source) => Some(Arc::clone(source)),
            Login::Password { .. } => None,
        }
    }

    /// librdkafka's names and values. The values include secrets.
    pub(super) fn native(&self) -> Vec<(&'static str, String)> {
        let protocol = match (&self.tls, &self.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        let mut pairs = vec![("security.protocol", protocol.to_owned())];
        if let Some(tls) = &self.tls {
            match &tls.trusted {
                Some(Pem::Text(pem)) => pairs.push(("ssl.ca.pem", pem.reveal().to_owned())),
                Some(Pem::File(path)) => pairs.push(("ssl.ca.location", path.display().to_string())),
                // Looks in the places where distributions keep their certificates.
                None => pairs.push(("ssl.ca.location", "probe".to_owned())),
            }
            if let Some(identity) = &tls.identity {
                match &identity.chain {
                    Pem::Text(pem) => pairs.push(("ssl.certificate.pem", pem.reveal().to_owned())),
                    Pem::File(path) => pairs.push(("ssl.certificate.location", path.display().to_string())),
                }
                match &identity.key {
                    Pem::Text(pem) => pairs.push(("ssl.key.pem", pem.reveal().to_owned())),
                    Pem::File(path) => pairs.push(("ssl.key.location", path.display().to_string())),
                }
                if let Some(passphrase) = &identity.passphrase {
                    pairs.push(("ssl.key.password", passphrase.reveal().to_owned()));
                }
            }
            let algorithm = if tls.any_host { "none" } else { "https" };
            pairs.push(("ssl.endpoint.identification.algorithm", algorithm.to_owned()));
        }
        if let Some(sasl) = &self.sasl {
            pairs.push(("sasl.mechanism", sasl.mechanism.name().to_owned()));
            match &sasl.login {
                Login::Password { username, password } => {
                    pairs.push(("sasl.username", username.clone()));
                    pairs.push(("sasl.password", password.reveal().to_owned()));
                }
                // Asked for by librdkafka when it needs one.
                Login::Tokens(_) => {}
            }
        }
        pairs
    }
}

/// The trimmed value of `key`; `None` where it is missing, null or empty.
pub(super) fn text<'a>(config: &'a Config, key: &str) -> Option<&'a str> {
    config.get(key).map(str::trim).filter(|value| !value.is_empty())
}

impl Tls {
    pub(super) fn from_config(config: &Config) -> Result<Self> {
        let trusted =
            match (text(config, "ssl.truststore.certificates"), text(config, "ssl.truststore.location")) {
                (None, None) => None,
                (Some(_), Some(_)) => {
                    return Err(both("ssl.truststore.certificates", "ssl.truststore.location"));
                }
                (certificates, location) => {
                    require_pem(config, "ssl.truststore.type", "ssl.truststore.location")?;
                    Some(match (certificates, location) {
                        (Some(certificates), _) => pem_text("ssl.truststore.certificates", certificates)?,
                        (None, location) => Pem::File(location.unwrap_or_default().into()),
                    })
                }
            };
        let any_host = match config.get("ssl.endpoint.identification.algorithm").map(str::trim) {
            Some(name) if name.eq_ignore_ascii_case("https") => false,
            Some("") => true,
            None => false,
            Some(other) => {
                return Err(Error::invalid_value(
                    "ssl.endpoint.identification.algorithm",
                    other,
                    "must be https, or empty to accept a certificate made out to any host",
                ));
            }
        };
        Ok(Self { trusted, identity: Identity::from_config(config)?, any_host })
    }
}

impl Identity {
    fn from_config(config: &Config) -> Result<Option<Self>> {
        let passphrase = text(config, "ssl.key.password").map(Password::new);
        let location = text(config, "ssl.keystore.location");
        let (chain, key) =
            match (text(config, "ssl.keystore.certificate.chain"), text(config, "ssl.keystore.key")) {
                (None, None) => match location {
                    None => return Ok(None),
                    Some(location) => {
                        require_pem(config, "ssl.keystore.type", "ssl.keystore.location")?;
                        (Pem::File(location.into()), Pem::File(location.into()))
                    }
                },
                (Some(chain), Some(key)) => {
                    if location.is_some() {
                        return Err(both("ssl.keystore.key", "ssl.keystore.location"));
                    }
                    require_pem(config, "ssl.keystore.type", "ssl.keystore.key")?;
                    (pem_text("ssl.keystore.certificate.chain", chain)?, pem_text("ssl.keystore.key", key)?)
                }
                (None, Some(_)) => {
                    return Err(Error::config(
                        "ssl.keystore.key needs ssl.keystore.certificate.chain beside it",
                    ));
                }
                (Some(_), None) => {
                    return Err(Error::config(
                        "ssl.keystore.certificate.chain needs ssl.keystore.key beside it",
                    ));
                }
            };
        Ok(Some(Self { chain, key, passphrase }))
    }
}

fn both(one: &str, other: &str) -> Error {
    Error::config(format!("Both {one} and {other} are set: keep one of them"))
}

fn pem_text(key: &str, text: &str) -> Result<Pem> {
    let pem = pem::normalise(text).map_err(|detail| Error::invalid_value(key, Password::HIDDEN, detail))?;
    Ok(Pem::Text(Password::new(pem)))
}

/// Java's default type is JKS, which only a JVM reads.
fn require_pem(config: &Config, type_key: &str, store_key: &str) -> Result<()> {
    let kind = text(config, type_key).unwrap_or("JKS");
    if kind.eq_ignore_ascii_case("PEM") {
        return Ok(());
    }
    let convert = match (kind.eq_ignore_ascii_case("JKS"), type_key == "ssl.truststore.type") {
        (true, true) => "keytool -exportcert -rfc -keystore STORE -alias ALIAS -file ca.pem",
        (false, true) => "openssl pkcs12 -in STORE -nokeys -out ca.pem",
        (true, false) => {
            "keytool -importkeystore -srckeystore STORE -destkeystore store.p12 -deststoretype PKCS12, then openssl \
             pkcs12 -in store.p12 -nodes -out client.pem"
        }
        (false, false) => "openssl pkcs12 -in STORE -nodes -out client.pem",
    };
    Err(Error::invalid_value(
        type_key,
        kind,
        format!("{store_key} must be in PEM. Convert it ({convert}) and set {type_key}=PEM"),
    ))
}

impl Sasl {
    fn from_config(config: &Config) -> Result<Self> {
        let name = text(config, "sasl.mechanism").unwrap_or("GSSAPI");
        let mechanism =
            [Mechanism::Plain, Mechanism::ScramSha256, Mechanism::ScramSha512, Mechanism::OauthBearer]
                .into_iter()
                .find(|mechanism| mechanism.name() == name)
                .ok_or_else(|| {
                    Error::invalid_value(
                        "sasl.mechanism",
                        name,
                        "not supported: use PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER",
                    )
                })?;
        const KEY: &str = "sasl.jaas.config";
        let invalid = |detail: String| Error::invalid_value(KEY, Password::HIDDEN, detail);
        let Some(jaas) = text(config, KEY) else {
            return Err(Error::config(format!(
                "Missing required configuration \"{KEY}\" which has no default value: with sasl.mechanism={name} it \
                 names the login module and its options"
            )));
        };
        let module = jaas::parse(jaas).map_err(invalid)?;
        if mechanism == Mechanism::OauthBearer {
            let login = OauthLogin::from_config(config, &module)?;
            return Ok(Self { mechanism, login: Login::Tokens(Arc::new(TokenSource::new(login))) });
        }
        let expected = match mechanism {
            Mechanism::Plain => "org.apache.kafka.common.security.plain.PlainLoginModule",
            _ => "org.apache.kafka.common.security.scram.ScramLoginModule",
        };
        if module.class != expected {
            return Err(invalid(format!("sasl.mechanism={name} needs the login module {expected}")));
        }
        if module.option("tokenauth").is_some_and(|value| bool::parse(value.reveal()) == Ok(true)) {
            return Err(invalid("delegation tokens (tokenauth) are not supported".into()));
        }
        let option = |option: &str| {
            module
                .option(option)
                .ok_or_else(|| invalid(format!("the login module lacks the option {option}")))
        };
        let login = Login::Password {
            username: option("username")?.reveal().to_owned(),
            password: option("password")?.clone(),
        };
        Ok(Self { mechanism, login })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"bob\" \
                         password=\"hunter2\";";
    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE----- QUJD -----END CERTIFICATE-----";

    fn native(entries: &[(&str, &str)]) -> Vec<(&'static str, String)> {
        Security::from_config(&entries.iter().copied().collect()).unwrap().native()
    }

    fn refusal(entries: &[(&str, &str)]) -> String {
        Security::from_config(&entries.iter().copied().collect()).unwrap_err().to_string()
    }

    #[test]
    fn scram_over_tls_becomes_librdkafka_settings() {
        let pairs = native(&[
            ("security.protocol", "sasl_ssl"),
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.jaas.config", SCRAM),
            ("ssl.truststore.type", "PEM"),
            ("ssl.truststore.certificates", CERTIFICATE),
            ("ssl.keystore.type", "pem"),
            ("ssl.keystore.location", "/etc/client.pem"),
            ("ssl.key.password", "sesame"),
            ("ssl.endpoint.identification.algorithm", ""),
        ]);
        let expected = [
            ("security.protocol", "sasl_ssl"),
            ("ssl.ca.pem", "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"),
            ("ssl.certificate.location", "/etc/client.pem"),
            ("ssl.key.location", "/etc/client.pem"),
            ("ssl.key.password", "sesame"),
            ("ssl.endpoint.identification.algorithm", "none"),
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.username", "bob"),
            ("sasl.password", "hunter2"),
        ];
        assert_eq!(pairs, expected.map(|(key, value)| (key, value.to_owned())));
    }

    #[test]
    fn without_settings_connections_are_plain_and_tls_trusts_the_system() {
        assert_eq!(native(&[]), [("security.protocol", "plaintext".to_owned())]);
        let pairs = native(&[("security.protocol", "SSL")]);
        assert!(pairs.contains(&("ssl.ca.location", "probe".to_owned())));
        assert!(pairs.contains(&("ssl.endpoint.identification.algorithm", "https".to_owned())));
    }

    #[test]
    fn what_needs_a_jvm_is_refused_with_the_remedy() {
        let text = refusal(&[("security.protocol", "SSL"), ("ssl.truststore.location", "/etc/trust.jks")]);
        assert!(text.starts_with("Invalid value JKS for configuration ssl.truststore.type: "), "{text}");
        assert!(
            text.contains("keytool -exportcert") && text.ends_with("set ssl.truststore.type=PEM"),
            "{text}"
        );
        let text = refusal(&[
            ("security.protocol", "SSL"),
            ("ssl.keystore.type", "PKCS12"),
            ("ssl.keystore.location", "/etc/client.p12"),
        ]);
        assert!(text.contains("openssl pkcs12 -in STORE -nodes"), "{text}");
        let text = refusal(&[("security.protocol", "SASL_SSL")]);
        assert!(
            text.starts_with("Invalid value GSSAPI for configuration sasl.mechanism: not supported"),
            "{text}"
        );
    }

    #[test]
    fn no_error_and_no_debug_text_holds_a_secret() {
        let jaas = SCRAM.replace("scram.ScramLoginModule", "plain.PlainLoginModule");
        for entries in [
            vec![("sasl.mechanism", "SCRAM-SHA-256"), ("sasl.jaas.config", jaas.as_str())],
            vec![("sasl.mechanism", "PLAIN"), ("sasl.jaas.config", "hunter2")],
            vec![("sasl.mechanism", "PLAIN"), ("sasl.jaas.config", "X required password=\"hunter2")],
            vec![
                ("sasl.mechanism", "PLAIN"),
                (
                    "sasl.jaas.config",
                    "org.apache.kafka.common.security.plain.PlainLoginModule required password=hunter2;",
                ),
            ],
        ] {
            let entries: Vec<_> =
                entries.into_iter().chain([("security.protocol", "SASL_PLAINTEXT")]).collect();
            let text = refusal(&entries);
            assert!(text.contains("sasl.jaas.config") && !text.contains("hunter2"), "{text}");
        }
        let config = Config::from([
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", "SCRAM-SHA-256"),
            ("sasl.jaas.config", SCRAM),
        ]);
        let shown = format!("{:?}", Security::from_config(&config).unwrap());
        assert!(shown.contains("bob") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn half_an_identity_is_refused() {
        let text = refusal(&[
            ("security.protocol", "SSL"),
            ("ssl.keystore.type", "PEM"),
            ("ssl.keystore.certificate.chain", CERTIFICATE),
        ]);
        assert_eq!(text, "ssl.keystore.certificate.chain needs ssl.keystore.key beside it");
    }
}

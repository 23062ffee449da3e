//! Checks that name what Confluent's converters can and this build cannot, so that nothing is ignored in silence.

use lavka_api::config::{Check, Config, ConfigSpec as _, ConfigType as _};
use lavka_api::{Error, Result};

use crate::config::RegistryConfig;
use crate::schema::Guid;
use crate::subject::SubjectStrategy;

const ID_PACKAGE: &str = "io.confluent.kafka.serializers.schema.id.";

/// Keys that begin so configure what is not supported, or not known, and cannot be listed one by one.
const OPEN_KEYS: &[(&str, &str)] = &[
    ("rule.executors.", "rules of data contracts are not run"),
    ("rule.actions.", "rules of data contracts are not run"),
    ("rules.", "rules of data contracts are not run"),
    ("encrypt.kms.", "fields are not encrypted"),
    ("bearer.auth.uami.", "tokens of Azure's managed identities are not fetched"),
    ("schema.registry.ssl.provider", "Java's security providers do not exist here"),
    ("schema.registry.ssl.engine.factory.class", NO_JAVA_CLASSES),
    ("schema.registry.ssl.cipher.suites", "the cipher suites are those of rustls"),
];

/// Why keys about Java classes are not supported.
pub const NO_JAVA_CLASSES: &str = "Java classes are not loaded";

/// A check that nothing is set: `why` says what does not work.
pub fn setting(why: &'static str) -> Check {
    Check::new("not supported", move |text| {
        if text.trim().is_empty() { Ok(()) } else { Err(format!("it is not supported: {why}")) }
    })
}

/// A check that a switch is off: `why` says what does not work.
pub fn switch(why: &'static str) -> Check {
    Check::new("false", move |text| {
        if bool::parse(text) == Ok(true) { Err(format!("it is not supported: {why}")) } else { Ok(()) }
    })
}

/// A list of `http://` and `https://` URLs. The detail shows no URL: there may be a password in it.
pub(crate) fn urls() -> Check {
    Check::worded("URLs", |key, text| {
        for (at, url) in Vec::<String>::parse(text)?.iter().enumerate() {
            if url.starts_with("mock://") {
                return Err(format!(
                    "Invalid value for configuration {key}: mock:// registries exist in Confluent's tests alone"
                ));
            }
            let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
            if host.is_none_or(str::is_empty) {
                return Err(format!(
                    "Invalid value for configuration {key}: URL {} does not begin with http:// or https:// and a host",
                    at + 1
                ));
            }
        }
        Ok(())
    })
}

pub(crate) fn guid() -> Check {
    Check::new("a UUID", |text| match Guid::parse(text) {
        Some(_) => Ok(()),
        None => Err("it is not a UUID, as 89791762-2336-4186-9674-299b90a802e2 is one".into()),
    })
}

pub(crate) fn kerberos() -> Check {
    Check::new("any but GSSAPI", |text| {
        if text.trim().eq_ignore_ascii_case("GSSAPI") {
            Err("Kerberos has no user and password that the registry could be given".into())
        } else {
            Ok(())
        }
    })
}

pub(crate) fn bearer_source() -> Check {
    Check::new("[STATIC_TOKEN, OAUTHBEARER]", |text| match text.trim() {
        "STATIC_TOKEN" | "OAUTHBEARER" => Ok(()),
        "SASL_OAUTHBEARER_INHERIT" | "CUSTOM" | "OAUTHBEARER_UAMI" => {
            Err("it is not supported; use one of: STATIC_TOKEN, OAUTHBEARER".into())
        }
        _ => Err("String must be one of: STATIC_TOKEN, OAUTHBEARER".into()),
    })
}

pub(crate) fn context_strategy(only: &'static str) -> Check {
    Check::new(only, move |text| {
        if text.trim() == only || only.ends_with(&format!(".{}", text.trim())) {
            Ok(())
        } else {
            Err(format!(
                "Java classes are not loaded; use {only}, and put the context into the URL: \
                 http://host:8081/contexts/.name"
            ))
        }
    })
}

pub(crate) fn subject_strategy() -> Check {
    Check::new("TopicNameStrategy, RecordNameStrategy or TopicRecordNameStrategy", |text| {
        SubjectStrategy::from_class(text.trim()).map(drop)
    })
}

pub(crate) fn one_class(allowed: &'static [&'static str]) -> Check {
    Check::new(allowed.join(" or "), move |text| {
        let text = text.trim();
        let simple = text.strip_prefix(ID_PACKAGE).unwrap_or(text);
        if allowed.contains(&simple) {
            return Ok(());
        }
        let known: Vec<String> = allowed.iter().map(|class| format!("{ID_PACKAGE}{class}")).collect();
        Err(format!("this class is not built in; use one of: {}", known.join(", ")))
    })
}

/// Java's own formats are read by Java alone; the text says how to convert them.
pub(crate) fn store_type(store: &'static str) -> Check {
    Check::new("PEM", move |text| {
        let format = text.trim();
        if format.eq_ignore_ascii_case("PEM") {
            return Ok(());
        }
        let (first, second) =
            if store == "truststore" { ("-nokeys", "trusted.pem") } else { ("-nodes", "client.pem") };
        let convert = if format.eq_ignore_ascii_case("PKCS12") {
            String::new()
        } else {
            "keytool -importkeystore -srckeystore STORE -destkeystore store.p12 -deststoretype PKCS12 && "
                .into()
        };
        Err(format!(
            "only PEM files are read; convert the store with `{convert}openssl pkcs12 -in store.p12 {first} -out \
             {second}` and set schema.registry.ssl.{store}.location={second}"
        ))
    })
}

pub(crate) fn host_verification() -> Check {
    Check::new("[https]", |text| {
        if text.trim().eq_ignore_ascii_case("https") {
            Ok(())
        } else {
            Err("host names are always checked; give the registry a certificate with its name in it".into())
        }
    })
}

/// Refuses keys that [`OPEN_KEYS`] names.
pub(crate) fn check_open_keys(config: &Config) -> Result<()> {
    let definition = RegistryConfig::definition();
    for (key, value) in config.iter() {
        // Java's client takes its own keys, but for those of TLS, under either name.
        if let Some(plain) = key.strip_prefix("schema.registry.")
            && definition.get(key).is_none()
            && definition.get(plain).is_some()
        {
            return Err(Error::config(format!("{key} is not supported: name it {plain}")));
        }
        let Some((_, why)) = OPEN_KEYS.iter().find(|(prefix, _)| key.starts_with(prefix)) else { continue };
        if value.is_some_and(|value| !value.trim().is_empty()) {
            return Err(Error::config(format!("{key} is not supported: {why}. Remove it.")));
        }
    }
    Ok(())
}

//! Where and how to serve, from the worker's keys.

use lavka_api::{Error, Result};
use lavka_worker::config::StandaloneKeys;

use crate::cors::Cors;
use crate::headers::{self, HeaderRule};

/// Where and how to serve.
#[derive(Debug, Clone, Default)]
pub struct RestConfig {
    pub(crate) listeners: Vec<Listener>,
    /// `None`: the admin endpoints are on the same listeners.
    pub(crate) admin_listeners: Option<Vec<Listener>>,
    pub(crate) advertised_host: Option<String>,
    pub(crate) advertised_port: Option<u16>,
    pub(crate) cors: Option<Cors>,
    pub(crate) headers: Vec<HeaderRule>,
}

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listener {
    /// The key it is from, for errors.
    pub(crate) key: &'static str,
    /// As it was written, for errors.
    pub(crate) text: String,
    /// A name, an IPv4 address, or an IPv6 address without brackets; empty for all interfaces.
    pub(crate) host: String,
    /// 0 for a free one.
    pub(crate) port: u16,
}

impl RestConfig {
    /// What a worker's keys say: `listeners`, `admin.listeners`, `rest.advertised.*`, `access.control.*` and
    /// `response.http.headers.config`.
    ///
    /// # Errors
    /// A config error that names the key and the remedy.
    pub fn of(keys: &StandaloneKeys) -> Result<Self> {
        let listeners = parse_all("listeners", &keys.listeners)?;
        if listeners.is_empty() {
            return Err(Error::config(
                "Invalid value [] for configuration listeners: there has to be an address for the REST API, such as \
                 http://:8083",
            ));
        }
        let admin_listeners = match &keys.admin_listeners {
            None => None,
            Some(texts) => Some(parse_all("admin.listeners", texts)?),
        };
        let advertised_port = match keys.advertised_port.filter(|port| *port != 0) {
            None => None,
            Some(port) => Some(u16::try_from(port).map_err(|_| {
                Error::invalid_value("rest.advertised.port", port, "a port is at most 65535")
            })?),
        };
        Ok(Self {
            listeners,
            admin_listeners,
            advertised_host: keys.advertised_host.clone().filter(|host| !host.is_empty()),
            advertised_port,
            cors: Cors::new(&keys.cors_origin, &keys.cors_methods)?,
            headers: headers::rules(&keys.response_headers)?,
        })
    }
}

fn parse_all(key: &'static str, texts: &[String]) -> Result<Vec<Listener>> {
    texts.iter().map(|text| Listener::parse(key, text)).collect()
}

impl Listener {
    /// Reads `http://HOST:PORT`; the host may be empty, an IPv6 address is in brackets.
    fn parse(key: &'static str, text: &str) -> Result<Self> {
        let refused = |detail: &str| Err(Error::invalid_value(key, text, detail));
        let Some((scheme, address)) = text.split_once("://") else {
            return refused("write http://HOST:PORT, or http://:PORT for all interfaces");
        };
        match scheme.to_ascii_lowercase().as_str() {
            "http" => {}
            "https" => {
                return refused(
                    "only http is served; put a proxy that speaks TLS in front, and listen on http here",
                );
            }
            _ => return refused("the scheme has to be http"),
        }
        let address = address.strip_suffix('/').unwrap_or(address);
        let Some((host, port)) = address.rsplit_once(':') else {
            return refused("the port is missing; write http://HOST:PORT");
        };
        let Ok(port) = port.parse() else {
            return refused("the port is not a number from 0 to 65535");
        };
        let host = match (host.strip_prefix('['), host.strip_suffix(']')) {
            (Some(_), Some(_)) => host.trim_start_matches('[').trim_end_matches(']'),
            (None, None) if !host.contains(':') => host,
            _ => return refused("an IPv6 address goes into brackets, as in http://[::1]:8083"),
        };
        Ok(Self { key, text: text.to_owned(), host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use lavka_api::config::{Config, ConfigSpec};

    use super::*;

    fn of(extra: &[(&str, &str)]) -> Result<RestConfig> {
        let mut config = Config::from([
            ("key.converter", "x"),
            ("value.converter", "x"),
            ("offset.storage.file.filename", "f"),
        ]);
        for (key, value) in extra {
            config.set(*key, *value);
        }
        RestConfig::of(&StandaloneKeys::from_config(&config)?)
    }

    fn addresses(listeners: &[Listener]) -> Vec<(&str, u16)> {
        listeners.iter().map(|listener| (listener.host.as_str(), listener.port)).collect()
    }

    #[test]
    fn listeners_are_addresses() {
        assert_eq!(addresses(&of(&[]).unwrap().listeners), [("", 8083)]);
        let config = of(&[("listeners", "HTTP://LocalHost:0, http://[::1]:80/,http://:1")]).unwrap();
        assert_eq!(addresses(&config.listeners), [("LocalHost", 0), ("::1", 80), ("", 1)]);
        for (listeners, part) in [
            ("https://:8443", "a proxy that speaks TLS"),
            ("ftp://:1", "the scheme has to be http"),
            ("foo", "http://HOST:PORT"),
            ("http://h", "the port is missing"),
            ("http://h:99999", "from 0 to 65535"),
            ("http://::1:80", "brackets"),
            ("http://:1,", "http://HOST:PORT"),
            ("", "Empty list"),
        ] {
            let text = of(&[("listeners", listeners)]).unwrap_err().to_string();
            assert!(text.contains(part) && text.contains("configuration listeners"), "{listeners}: {text}");
        }
    }

    #[test]
    fn admin_listeners_are_shared_separate_or_none() {
        let of = |text: &str| of(&[("admin.listeners", text)]).unwrap().admin_listeners.unwrap();
        assert_eq!(addresses(&of("")), []);
        assert_eq!(addresses(&of("http://:9")), [("", 9)]);
    }

    #[test]
    fn a_port_of_zero_is_not_advertised() {
        assert_eq!(of(&[("rest.advertised.port", "0")]).unwrap().advertised_port, None);
        assert_eq!(of(&[("rest.advertised.port", "81")]).unwrap().advertised_port, Some(81));
        assert!(of(&[("rest.advertised.port", "70000")]).is_err());
    }
}

//! Where and how to serve, from the worker's keys.

use lavka_api::{Error, Result};
use lavka_worker::config::{Listener, StandaloneKeys};

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

impl RestConfig {
    /// What a worker's keys say: `listeners`, `admin.listeners`, `rest.advertised.*`, `access.control.*` and
    /// `response.http.headers.config`.
    ///
    /// # Errors
    /// A config error that names the key and the remedy.
    pub fn of(keys: &StandaloneKeys) -> Result<Self> {
        let listeners = parse_all("listeners", &keys.listeners)?;
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

fn parse_all(key: &str, urls: &[String]) -> Result<Vec<Listener>> {
    let parse = |url: &String| Listener::parse(url).map_err(|detail| Error::invalid_value(key, url, detail));
    urls.iter().map(parse).collect()
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
        for listeners in ["https://:8443", "http://:1,", ""] {
            let text = of(&[("listeners", listeners)]).unwrap_err().to_string();
            assert!(text.contains("listeners"), "{listeners}: {text}");
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

//! Addresses of the REST API.

use lavka_api::config::{Check, ConfigType};

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// As it was written.
    pub url: String,
    /// A name, an IPv4 address, or an IPv6 address without brackets; empty for all interfaces.
    pub host: String,
    /// 0 for a free one.
    pub port: u16,
}

impl Listener {
    /// Reads `http://HOST:PORT`; the host may be empty, an IPv6 address is in brackets.
    ///
    /// # Errors
    /// What is wrong, beginning with Connect's text where that refuses it too, and the remedy.
    pub fn parse(url: &str) -> Result<Self, String> {
        let format = |remedy: &str| {
            Err(format!("Listener doesn't have the right format (protocol://hostname:port). {remedy}"))
        };
        let Some((scheme, address)) = url.split_once("://") else {
            return format("Write http://HOST:PORT, or http://:PORT for all interfaces");
        };
        match scheme.to_ascii_lowercase().as_str() {
            "http" => {}
            "https" => {
                return Err(
                    "Only http is served; put a proxy that speaks TLS in front, and listen on http here"
                        .into(),
                );
            }
            _ => {
                return Err(
                    "Listener protocol must be either \"http\" or \"https\". Only http is served".into()
                );
            }
        }
        let address = address.strip_suffix('/').unwrap_or(address);
        let Some((host, port)) = address.rsplit_once(':') else {
            return format("The port is missing; write http://HOST:PORT");
        };
        let Ok(port) = port.parse() else {
            return format("The port is not a number from 0 to 65535");
        };
        let host = match host.strip_prefix('[').map(|host| host.strip_suffix(']')) {
            Some(Some(host)) => host,
            None if !host.contains(':') => host,
            _ => return format("An IPv6 address goes into brackets, as in http://[::1]:8083"),
        };
        Ok(Self { url: url.to_owned(), host: host.to_owned(), port })
    }
}

/// A list of addresses. `listeners` has at least one; `admin.listeners` may be empty, which means none.
pub(super) fn addresses(may_be_empty: bool) -> Check {
    Check::worded("addresses such as http://:8083", move |key, text| {
        let urls = Vec::<String>::parse(text)?;
        if urls.is_empty() && !may_be_empty {
            return Err(format!(
                "Invalid value for {key}, at least one URL is expected, ex: http://localhost:8083"
            ));
        }
        for url in &urls {
            if url.is_empty() {
                return Err(if may_be_empty {
                    format!("Configuration '{key}' values must not be empty.")
                } else {
                    format!("Empty URL found when parsing {key} list.")
                });
            }
            Listener::parse(url)
                .map_err(|detail| format!("Invalid value {url} for configuration {key}: {detail}"))?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use lavka_api::config::{Config, key};

    use super::*;

    #[test]
    fn addresses_are_read() {
        let of = |url: &str| Listener::parse(url).map(|listener| (listener.host, listener.port));
        assert_eq!(of("HTTP://LocalHost:0"), Ok(("LocalHost".into(), 0)));
        assert_eq!(of("http://[::1]:80/"), Ok(("::1".into(), 80)));
        assert_eq!(of("http://:1"), Ok((String::new(), 1)));
    }

    #[test]
    fn mistakes_are_named() {
        let error = |name: &'static str, may_be_empty, text: &str| {
            let config = Config::from([(name, text)]);
            let read = key::<Vec<String>>(name).check(addresses(may_be_empty)).read(&config);
            read.err().and_then(|error| error.message().map(str::to_owned))
        };
        for (text, part) in [
            (
                "https://:8443",
                "Invalid value https://:8443 for configuration listeners: Only http is served; put a proxy",
            ),
            ("ftp://:1", "Listener protocol must be either \"http\" or \"https\"."),
            ("foo", "Listener doesn't have the right format (protocol://hostname:port)."),
            ("http://h", "The port is missing"),
            ("http://h:99999", "from 0 to 65535"),
            ("http://::1:80", "brackets"),
            ("http://[::1:80", "brackets"),
            ("http://:1,", "Empty URL found when parsing listeners list."),
            ("", "Invalid value for listeners, at least one URL is expected, ex: http://localhost:8083"),
        ] {
            let error = error("listeners", false, text).unwrap_or_default();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert_eq!(error("admin.listeners", true, ""), None);
        assert_eq!(
            error("admin.listeners", true, "http://:1,").as_deref(),
            Some("Configuration 'admin.listeners' values must not be empty.")
        );
    }
}

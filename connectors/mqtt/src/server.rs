//! Addresses of MQTT servers.

use std::fmt;

use rustls::pki_types::ServerName;

/// Where a server listens, and whether with TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// Name or address, IPv6 without brackets.
    pub(crate) host: String,
    /// TCP port.
    pub(crate) port: u16,
    /// Whether TLS is spoken.
    pub(crate) tls: bool,
    /// With WebSocket, the path that is asked for.
    pub(crate) path: Option<String>,
}

impl Server {
    /// Parses `tcp://host:port` or `ssl://host:port`, where `mqtt` and `mqtts` mean the same, `ws://host:port/path` or
    /// `wss://host:port/path`. Without a port it is 1883, 8883, 80 and 443; without a path it is `/mqtt`.
    ///
    /// # Errors
    /// What is wrong with it, for the end of an error text.
    pub(crate) fn parse(uri: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("{uri:?} is not the address of an MQTT server: {why}");
        let (scheme, address) =
            uri.split_once("://").ok_or_else(|| wrong("write tcp://host:1883 or ssl://host:8883"))?;
        let (tls, websocket) = match scheme.to_ascii_lowercase().as_str() {
            "tcp" | "mqtt" => (false, false),
            "ssl" | "mqtts" => (true, false),
            "ws" => (false, true),
            "wss" => (true, true),
            _ => return Err(wrong("the scheme must be tcp, ssl, ws or wss")),
        };
        let (address, path) = match address.split_once('/') {
            Some((address, path)) if websocket => (address, Some(format!("/{path}"))),
            _ => (address, websocket.then(|| "/mqtt".to_owned())),
        };
        if path.as_ref().is_some_and(|path| !path.chars().all(|c| c.is_ascii_graphic() && c != '#')) {
            return Err(wrong("the path has characters that a path must not have"));
        }
        if address.contains('@') {
            return Err(
                "the address of an MQTT server must not hold a user; use mqtt.username and mqtt.password"
                    .into(),
            );
        }
        let (host, port) = match address.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(|| wrong("the ] is missing"))?;
                let port = match port {
                    "" => None,
                    port => {
                        Some(port.strip_prefix(':').ok_or_else(|| wrong("after ] only a port may follow"))?)
                    }
                };
                (host, port)
            }
            None => match address.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (address, None),
            },
        };
        let plausible = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | ':' | '%');
        if host.is_empty()
            || !host.chars().all(plausible)
            || (!address.starts_with('[') && host.contains(':'))
        {
            return Err(wrong("the host is missing or misspelt (IPv6 addresses go in brackets)"));
        }
        let port = match port {
            None => match (tls, websocket) {
                (false, false) => 1883,
                (true, false) => 8883,
                (false, true) => 80,
                (true, true) => 443,
            },
            Some(port) => match port.parse() {
                Ok(port) if port != 0 => port,
                _ => return Err(wrong("the port must be a number from 1 to 65535")),
            },
        };
        if tls && ServerName::try_from(host).is_err() {
            return Err(wrong("a certificate cannot be checked against this host name"));
        }
        Ok(Self { host: host.to_owned(), port, tls, path })
    }

    /// Host and port, as in URIs.
    pub(crate) fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (self.tls, &self.path) {
            (false, None) => "tcp",
            (true, None) => "ssl",
            (false, Some(_)) => "ws",
            (true, Some(_)) => "wss",
        };
        write!(f, "{scheme}://{}{}", self.authority(), self.path.as_deref().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_parsed() {
        for (uri, host, port, tls, shown) in [
            ("tcp://h:1884", "h", 1884, false, "tcp://h:1884"),
            ("ssl://mqtt.example.org", "mqtt.example.org", 8883, true, "ssl://mqtt.example.org:8883"),
            ("MQTT://10.0.0.1", "10.0.0.1", 1883, false, "tcp://10.0.0.1:1883"),
            ("mqtts://[::1]:1", "::1", 1, true, "ssl://[::1]:1"),
            ("tcp://[fe80::1%eth0]", "fe80::1%eth0", 1883, false, "tcp://[fe80::1%eth0]:1883"),
            ("tcp://my_broker:9", "my_broker", 9, false, "tcp://my_broker:9"),
            ("ws://h", "h", 80, false, "ws://h:80/mqtt"),
            ("wss://[::1]:8443/a/b?c=d", "::1", 8443, true, "wss://[::1]:8443/a/b?c=d"),
            ("wss://h/", "h", 443, true, "wss://h:443/"),
        ] {
            let server = Server::parse(uri).unwrap();
            assert_eq!((server.host.as_str(), server.port, server.tls), (host, port, tls), "{uri}");
            assert_eq!(server.to_string(), shown);
        }
    }

    #[test]
    fn wrong_addresses_say_why() {
        for (uri, why) in [
            ("h:1883", "write tcp://"),
            ("http://h", "scheme must be"),
            ("ws://h:80/a b", "characters"),
            ("wss://h:80x/", "port must be"),
            ("tcp://", "host is missing"),
            ("tcp://:1883", "host is missing"),
            ("tcp://h:0", "port must be"),
            ("tcp://h:99999", "port must be"),
            ("tcp://h:1883/x", "port must be"),
            ("tcp://a b", "host is missing"),
            ("tcp://::1", "brackets"),
            ("tcp://[::1", "] is missing"),
            ("tcp://[::1]x", "only a port"),
            ("ssl://my..host", "cannot be checked"),
        ] {
            let error = Server::parse(uri).expect_err(uri);
            assert!(error.contains(why), "{uri}: {error}");
        }
        let error = Server::parse("tcp://me:secret@h").unwrap_err();
        assert!(error.contains("mqtt.username") && !error.contains("secret"), "{error}");
    }
}

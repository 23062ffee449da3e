//! Names of CoAP servers (RFC 7252, section 6).

use std::fmt;
use std::net::IpAddr;

/// The port of `coap`, and that of `coaps`.
const PORTS: [u16; 2] = [5683, 5684];

/// A server as it was configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerName {
    /// Whether it is spoken to over DTLS.
    pub(crate) secure: bool,
    /// A host name, or an IP address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl ServerName {
    /// Reads `coap://host`, `coaps://host`, each with or without a port; an IPv6 address stands in brackets.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text} is no CoAP server, such as coap://host:5683 or coaps://[2001:db8::1]:5684");
        let (scheme, authority) = text.split_once("://").ok_or_else(wrong)?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "coap" => false,
            "coaps" => true,
            "coap+tcp" | "coaps+tcp" | "coap+ws" | "coaps+ws" => {
                return Err(format!(
                    "{text}: CoAP over TCP or WebSockets is not supported, only coap and coaps"
                ));
            }
            _ => return Err(wrong()),
        };
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, behind) = rest.split_once(']').ok_or_else(wrong)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| wrong())?;
                (host, behind)
            }
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?,
            None if port.is_empty() => PORTS[usize::from(secure)],
            None => return Err(wrong()),
        };
        if host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
            return Err(wrong());
        }
        Ok(Self { secure, host: host.to_ascii_lowercase(), port })
    }

    /// What the Uri-Host option says; none for an IP address, which is its default.
    pub(crate) fn uri_host(&self) -> Option<&str> {
        self.host.parse::<IpAddr>().is_err().then_some(&self.host)
    }
}

impl fmt::Display for ServerName {
    /// The whole URI, with its port.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "coaps" } else { "coap" };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]:{}", self.host, self.port),
            false => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (text, shown, uri_host) in [
            ("coap://Sensor.example", "coap://sensor.example:5683", Some("sensor.example")),
            ("coaps://10.0.0.1/", "coaps://10.0.0.1:5684", None),
            ("COAP://[::1]:99", "coap://[::1]:99", None),
        ] {
            let name = ServerName::parse(text).unwrap();
            assert_eq!((name.to_string().as_str(), name.uri_host()), (shown, uri_host));
        }
        for wrong in [
            "host",
            "http://host",
            "coap://",
            "coap://a:b",
            "coap://a:0",
            "coap://[x]",
            "coap://[::1]9",
            "coap://a/b",
            "coap+tcp://a",
        ] {
            assert!(ServerName::parse(wrong).is_err(), "{wrong}");
        }
    }
}

//! Addresses of brokers.

use std::fmt;

/// Where a broker listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Parses `bootstrap.servers`: host and port pairs between commas, IPv6 addresses in brackets, a scheme in front
/// ignored. White space and empty elements are skipped.
///
/// # Errors
/// The detail of the error text, as Java words it.
pub(crate) fn parse(text: &str) -> Result<Vec<Endpoint>, String> {
    let mut endpoints = Vec::new();
    for address in text.split(',').map(str::trim).filter(|address| !address.is_empty()) {
        endpoints
            .push(parse_one(address).ok_or_else(|| format!("Invalid url in bootstrap.servers: {address}"))?);
    }
    if endpoints.is_empty() {
        return Err("No resolvable bootstrap urls given in bootstrap.servers".into());
    }
    Ok(endpoints)
}

fn parse_one(address: &str) -> Option<Endpoint> {
    let address = address.split_once("://").map_or(address, |(_, rest)| rest);
    let (host, port) = address.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    if host.is_empty() || !host.chars().all(legal) {
        return None;
    }
    Some(Endpoint { host: host.to_owned(), port: port.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<Vec<String>, String> {
        parse(text).map(|list| list.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn addresses_are_read_as_java_does() {
        assert_eq!(shown("a:9092, b.example.org:19092 ,,").unwrap(), ["a:9092", "b.example.org:19092"]);
        assert_eq!(shown("[::1]:9092").unwrap(), ["[::1]:9092"]);
        assert_eq!(shown("PLAINTEXT://kafka-1:9092").unwrap(), ["kafka-1:9092"]);
        for wrong in ["kafka", "kafka:", "kafka:port", ":9092", "::1:9092", "a b:1", "kafka:70000", "a\0b:1"]
        {
            assert_eq!(shown(wrong), Err(format!("Invalid url in bootstrap.servers: {wrong}")), "{wrong:?}");
        }
        assert_eq!(shown(" , ").unwrap_err(), "No resolvable bootstrap urls given in bootstrap.servers");
    }
}

//! Lenses' keys, and what each is in those of the observe mode.

use lavka_api::config::{Check, Config, Password, key};
use lavka_kcql::{Malformed, Projection, Statement, Write};

use crate::observe::{ServerName, Wish};
use crate::secure::settings::SECURITY;

const CONNECTION: &str = "Connection";
const KCQL: &str = "KCQL";
const MANAGER: &str = "Manager";

lavka_api::config! {
    /// Settings of Lenses' CoAP source.
    pub(crate) struct LensesConfig {
        pub(crate) uri: String = key("connect.coap.uri").default("localhost").high().group(CONNECTION)
            .check(Check::new("coap://host:port", |text| server(text).map(drop)))
            .doc("The server, coap://host:5683 or coaps://host:5684. In the observe mode's own keys: lavka.coap.servers."),
        pub(crate) kcql: String = key("connect.coap.kcql").high().group(KCQL)
            .check(Check::new("KCQL", |text| statements(text).map(drop)))
            .doc("Statements with ; between them: INSERT INTO <topic> SELECT * FROM <resource>. They are spread over the tasks. \
                  Clauses behind the resource mean nothing here, as with Lenses. In the observe mode's own keys: \
                  lavka.coap.observe."),
        pub(crate) host: String = key("connect.coap.host").default("localhost").low().group(CONNECTION)
            .doc("The local address, if connect.coap.port is not 0; localhost for any. In the observe mode's own keys: \
                  lavka.coap.bind."),
        pub(crate) port: i32 = key("connect.coap.port").default(0).low().group(CONNECTION)
            .check(Check::between(0, 65_535))
            .doc("The local port, 0 for any. In the observe mode's own keys: lavka.coap.bind."),
        pub(crate) username: String = key("connect.coap.username").default("").group(SECURITY)
            .doc("The identity of a pre-shared key, for coaps://. In the observe mode's own keys: \
                  lavka.coap.dtls.psk.identity."),
        pub(crate) password: Password = key("connect.coap.password").default("").group(SECURITY)
            .doc("The pre-shared key. In the observe mode's own keys: lavka.coap.dtls.psk.key."),
        pub(crate) private_key: String = key("connect.coap.private.key.file").default("").group(SECURITY)
            .doc("Accepted for compatibility, without effect: a bare key is no certificate, and with connect.coap.username the \
                  pre-shared key is what counts."),
        pub(crate) public_key: String = key("connect.coap.public.key.file").default("").group(SECURITY)
            .doc("As connect.coap.private.key.file."),
        pub(crate) key_store: String = key("connect.coap.keystore.path").default("").group(SECURITY)
            .doc("A Java key store (JKS or PKCS#12) with the client's certificate and key. In the observe mode's own keys: \
                  lavka.coap.dtls.keystore.path."),
        pub(crate) key_store_password: Password = key("connect.coap.keystore.pass").default("rootPass").group(SECURITY)
            .doc("Its password. In the observe mode's own keys: lavka.coap.dtls.keystore.password."),
        pub(crate) key_alias: String = key("connect.coap.cert.chain.key").default("client").low().group(SECURITY)
            .doc("The alias of the client's key in it; where there is one key alone, it is that. In the observe mode's own keys: \
                  lavka.coap.dtls.keystore.alias."),
        pub(crate) trust_store: String = key("connect.coap.truststore.path").default("").group(SECURITY)
            .doc("A Java key store (JKS or PKCS#12) with the certificates that are trusted. In the observe mode's own keys: \
                  lavka.coap.dtls.ca.pem, which takes key stores too."),
        pub(crate) trust_store_password: Password = key("connect.coap.truststore.pass").default("rootPass").group(SECURITY)
            .doc("Its password. In the observe mode's own keys: lavka.coap.dtls.ca.password."),
        pub(crate) trusted: Vec<String> = key("connect.coap.certs").default("").low().group(SECURITY)
            .doc("The aliases of the certificates in it that are trusted; all of them by default. In the observe mode's own keys: \
                  lavka.coap.dtls.ca.aliases."),
        pub(crate) batch_size: i32 = key("connect.coap.batch.size").default(100).low().group(MANAGER)
            .check(Check::at_least(1))
            .doc("The most records handed out at once. In the observe mode's own keys: lavka.coap.batch.size."),
        pub(crate) linger: i32 = key("connect.source.linger.ms").default(5000).low().group(MANAGER)
            .doc("Accepted for compatibility, without effect: a record is handed out when it is there."),
        pub(crate) error_policy: String = key("connect.coap.error.policy").default("THROW").low().group(MANAGER)
            .doc("Accepted for compatibility, without effect: it is about Lenses' sink."),
        pub(crate) retry_interval: i32 = key("connect.coap.retry.interval").default(60_000).low().group(MANAGER)
            .doc("As connect.coap.error.policy."),
        pub(crate) max_retries: i32 = key("connect.coap.max.retries").default(20).low().group(MANAGER)
            .doc("As connect.coap.error.policy."),
        pub(crate) max_retires: i32 = key("connect.coap.max.retires").default(20).low().group(MANAGER)
            .doc("As connect.coap.error.policy; old releases spell it so."),
        pub(crate) progress: bool = key("connect.progress.enabled").default(false).low().group(MANAGER)
            .doc("Accepted for compatibility, without effect: metrics tell how many records there were."),
    }
}

/// Keys of the observe mode for files and credentials, and what Lenses calls them.
pub(super) const WORDS: &[(&str, &str)] = &[
    ("lavka.coap.dtls.keystore.path", "connect.coap.keystore.path"),
    ("lavka.coap.dtls.ca.pem", "connect.coap.truststore.path"),
    ("lavka.coap.dtls.psk.key", "connect.coap.password"),
    ("lavka.coap.dtls.psk.identity", "connect.coap.username"),
];

fn server(text: &str) -> Result<ServerName, String> {
    let host = text.rsplit('/').next().unwrap_or_default().split(':').next().unwrap_or_default();
    if matches!(host.to_ascii_lowercase().as_str(), "discoverip4" | "discoverip6") {
        return Err(format!(
            "{text}: servers are not looked for by multicast; name them, several in lavka.coap.servers of CoapObserveSource"
        ));
    }
    match text.contains("://") {
        true => ServerName::parse(text),
        false => ServerName::parse(&format!("coap://{text}")),
    }
}

/// What the statements mean.
#[derive(Debug, Default, PartialEq, Eq)]
struct Statements {
    /// As the observe mode writes them: `resource=>topic`.
    wishes: Vec<String>,
    /// Clauses that mean nothing here: all of them, as with Lenses.
    unused: Vec<String>,
}

fn statements(kcql: &str) -> Result<Statements, String> {
    let mut understood = Statements::default();
    for statement in lavka_kcql::parse(kcql).map_err(|error| error.to_string())? {
        understood.unused.extend(statement.unused(kcql, &[]).map_err(|error| error.to_string())?);
        understood.wishes.push(wish(kcql, &statement).map_err(|error| error.to_string())?);
    }
    Ok(understood)
}

fn wish(kcql: &str, statement: &Statement) -> Result<String, Malformed> {
    if statement.write == Write::Upsert {
        return Err(Malformed::new(kcql, statement.target.position, "a source can INSERT, not UPSERT,"));
    }
    for part in &statement.projection {
        if let Projection::Field { path, position, .. } = part {
            let what = format!("a source takes all fields (*), not {path},");
            return Err(Malformed::new(kcql, *position, what));
        }
    }
    let (source, at) = (&statement.source.text, statement.source.position);
    if source.contains([',', '>']) {
        return Err(Malformed::new(kcql, at, format!("{source} is not a CoAP resource")));
    }
    if statement.target.text.contains([',', '>']) {
        let what = format!("{} is not a Kafka topic", statement.target.text);
        return Err(Malformed::new(kcql, statement.target.position, what));
    }
    let wish = format!("{source}=>{}", statement.target.text);
    Wish::parse(&wish).map_err(|what| Malformed::new(kcql, at, what))?;
    Ok(wish)
}

impl LensesConfig {
    /// The clauses of the statements that mean nothing for this source.
    pub(crate) fn unused_clauses(&self) -> Vec<String> {
        statements(&self.kcql).unwrap_or_default().unused
    }

    /// The same in the observe mode's own keys. Those that begin with `lavka.` are taken over from `config` as they are.
    ///
    /// # Errors
    /// Where the server or the statements are none.
    pub(crate) fn translated(&self, config: &Config) -> Result<Config, String> {
        let mut own = Config::new();
        for (name, value) in config.iter().filter(|(name, _)| name.starts_with("lavka.")) {
            own.set(name, value.unwrap_or_default());
        }
        let server = server(&self.uri)?;
        own.set("lavka.coap.servers", server.to_string());
        own.set("lavka.coap.observe", statements(&self.kcql)?.wishes.join(","));
        own.set("lavka.coap.batch.size", self.batch_size.to_string());
        if self.port != 0 {
            let host = if self.host == "localhost" { "[::]" } else { &self.host };
            own.set("lavka.coap.bind", format!("{host}:{}", self.port));
        }
        // Without DTLS nobody looks at the rest.
        if !server.secure {
            return Ok(own);
        }
        if !self.username.is_empty() {
            own.set("lavka.coap.dtls.psk.identity", self.username.as_str());
            own.set("lavka.coap.dtls.psk.key", self.password.reveal());
        }
        if !self.key_store.is_empty() {
            own.set("lavka.coap.dtls.keystore.path", self.key_store.as_str());
            own.set("lavka.coap.dtls.keystore.password", self.key_store_password.reveal());
            own.set("lavka.coap.dtls.keystore.alias", self.key_alias.as_str());
        }
        if !self.trust_store.is_empty() {
            own.set("lavka.coap.dtls.ca.pem", self.trust_store.as_str());
            own.set("lavka.coap.dtls.ca.password", self.trust_store_password.reveal());
            own.set("lavka.coap.dtls.ca.aliases", self.trusted.join(","));
        }
        Ok(own)
    }
}

#[cfg(test)]
mod tests {
    use lavka_api::config::ConfigSpec;

    use super::*;

    #[test]
    fn a_configuration_in_the_own_keys() {
        let config = Config::from([
            ("connect.coap.uri", "coaps://Host"),
            ("connect.coap.kcql", "INSERT INTO t SELECT * FROM a/b; insert into u select * from `c?x=1`"),
            ("connect.coap.username", "me"),
            ("connect.coap.password", "secret"),
            ("connect.coap.port", "6000"),
            ("lavka.coap.ack.hold.ms", "1"),
        ]);
        let own = LensesConfig::from_config(&config).unwrap().translated(&config).unwrap();
        for (key, value) in [
            ("lavka.coap.servers", "coaps://host:5684"),
            ("lavka.coap.observe", "a/b=>t,c?x=1=>u"),
            ("lavka.coap.batch.size", "100"),
            ("lavka.coap.bind", "[::]:6000"),
            ("lavka.coap.dtls.psk.identity", "me"),
            ("lavka.coap.dtls.psk.key", "secret"),
            ("lavka.coap.ack.hold.ms", "1"),
        ] {
            assert_eq!(own.get(key), Some(value), "{key}");
        }
        assert_eq!(own.get("lavka.coap.dtls.ca.pem"), None);
    }

    #[test]
    fn clauses_are_passed_over() {
        let kcql = "INSERT INTO k SELECT * FROM a WITHCONVERTER=`JsonSimpleConverter` WITHKEY(x); INSERT INTO l SELECT * FROM b";
        let expected = Statements {
            wishes: vec!["a=>k".into(), "b=>l".into()],
            unused: vec!["WITHCONVERTER".into(), "WITHKEY".into()],
        };
        assert_eq!(statements(kcql).unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_is_shown() {
        for (kcql, part) in [
            ("INSERT INTO k SELECT *", "FROM is missing at character 23"),
            ("UPSERT INTO k SELECT * FROM a", "not UPSERT"),
            ("INSERT INTO k SELECT x FROM a", "not x, at character 22"),
            ("INSERT INTO k SELECT * FROM a WITHKEYS(x)", "WITHKEYS is no clause of KCQL"),
            ("INSERT INTO k SELECT * FROM a//b", "an empty segment"),
        ] {
            let error = statements(kcql).unwrap_err();
            assert!(error.contains(part), "{kcql}: {error}");
        }
        for text in ["coap://discoverIP4:5683", "coaps://discoverIP6", "discoverIP4", "discoverip6:5683"] {
            assert!(server(text).unwrap_err().contains("multicast"), "{text}");
        }
        assert_eq!(server("localhost").unwrap().to_string(), "coap://localhost:5683");
    }
}

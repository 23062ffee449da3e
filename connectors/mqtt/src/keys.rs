//! The keys of source and sink alike: how servers are reached.

use lavka_api::config::{Check, Key, Password, key};

use crate::server::Server;

/// Group of keys about the way to the servers.
pub(crate) const CONNECTION: &str = "MQTT Connection";
/// Group of keys about what servers keep of a client.
pub(crate) const SESSION: &str = "MQTT Session";
/// Group of keys about who may do what.
const SECURITY: &str = "MQTT Security";
const LICENSE: &str = "Confluent Licensing";

/// `mqtt.server.uri`.
pub(crate) fn server_uris() -> Key<Vec<String>> {
    key("mqtt.server.uri")
        .high()
        .group(CONNECTION)
        .check(Check::non_empty_list())
        .check(Check::new("tcp://, ssl://, ws:// or wss:// with host and port", |text| {
            items(text).try_for_each(|uri| Server::parse(uri).map(drop))
        }))
        .doc(
            "MQTT servers, tcp://host:1883 or ssl://host:8883, or by WebSocket ws://host:80/path or \
              wss://host:443/path. Several are tried in order until one answers.",
        )
}

/// `mqtt.username`.
pub(crate) fn username() -> Key<String> {
    key("mqtt.username").default("").high().group(SECURITY).doc("User name; blank for none.")
}

/// `mqtt.password`.
pub(crate) fn password() -> Key<Password> {
    key("mqtt.password").default("").high().group(SECURITY).doc("Password; blank for none.")
}

/// `mqtt.connect.timeout.seconds`.
pub(crate) fn connect_timeout() -> Key<i32> {
    key("mqtt.connect.timeout.seconds")
        .default(30)
        .low()
        .group(CONNECTION)
        .check(Check::at_least(1))
        .doc("How long to wait for a connection to be accepted, in seconds.")
}

/// `mqtt.keepalive.interval.seconds`.
pub(crate) fn keep_alive() -> Key<i32> {
    key("mqtt.keepalive.interval.seconds")
        .default(60)
        .low()
        .group(CONNECTION)
        .check(Check::between(1, 65_535))
        .doc("How often to ping an idle server, in seconds. At least 5 with MQTT 5.")
}

/// `mqtt.ssl.trust.store.path`.
pub(crate) fn trust_store() -> Key<String> {
    key("mqtt.ssl.trust.store.path").default("").group(SECURITY)
        .doc("A Java key store (JKS or PKCS#12) with the certificates that a server's certificate is checked against. \
              lavka.mqtt.ssl.ca.pem takes precedence.")
}

/// `mqtt.ssl.trust.store.password`.
pub(crate) fn trust_store_password() -> Key<Password> {
    key("mqtt.ssl.trust.store.password").default("").group(SECURITY).doc(
        "Password of the trust store. A JKS store can be read without; then nobody checks whether it was \
              changed.",
    )
}

/// `mqtt.ssl.key.store.path`.
pub(crate) fn key_store() -> Key<String> {
    key("mqtt.ssl.key.store.path").default("").group(SECURITY)
        .doc("A Java key store (JKS or PKCS#12) with the client's certificate and key. lavka.mqtt.ssl.cert.pem and \
              lavka.mqtt.ssl.key.pem take precedence.")
}

/// `mqtt.ssl.key.store.password`.
pub(crate) fn key_store_password() -> Key<Password> {
    key("mqtt.ssl.key.store.password").default("").group(SECURITY).doc("Password of the key store.")
}

/// `mqtt.ssl.key.password`.
pub(crate) fn key_password() -> Key<Password> {
    key("mqtt.ssl.key.password")
        .default("")
        .group(SECURITY)
        .doc("Password of the key in the key store; blank where it is that of the store.")
}

/// `lavka.mqtt.version`.
pub(crate) fn version() -> Key<String> {
    key("lavka.mqtt.version")
        .default("3.1.1")
        .group(CONNECTION)
        .check(Check::one_of(&["3.1.1", "5"]))
        .doc("The protocol version: 3.1.1 or 5.")
}

/// `lavka.mqtt.reconnect.backoff.ms`.
pub(crate) fn backoff() -> Key<i64> {
    key("lavka.mqtt.reconnect.backoff.ms").default(500).low().group(CONNECTION).check(Check::at_least(1)).doc(
        "How long to wait before connecting again, at first. It doubles with each failure, and up to half \
              of it is random.",
    )
}

/// `lavka.mqtt.reconnect.backoff.max.ms`.
pub(crate) fn backoff_max() -> Key<i64> {
    key("lavka.mqtt.reconnect.backoff.max.ms")
        .default(30_000)
        .low()
        .group(CONNECTION)
        .check(Check::at_least(1))
        .doc("How long to wait before connecting again, at most.")
}

/// `lavka.mqtt.ssl.ca.pem`.
pub(crate) fn ca_pem() -> Key<Option<String>> {
    key("lavka.mqtt.ssl.ca.pem").group(SECURITY).check(Check::non_empty()).doc(
        "PEM file with the certificates that a server's certificate is checked against; by default those \
              the operating system trusts.",
    )
}

/// `lavka.mqtt.ssl.cert.pem`.
pub(crate) fn cert_pem() -> Key<Option<String>> {
    key("lavka.mqtt.ssl.cert.pem")
        .group(SECURITY)
        .check(Check::non_empty())
        .doc("PEM file with the client's certificate and the chain above it, for servers that ask for one.")
}

/// `lavka.mqtt.ssl.key.pem`.
pub(crate) fn key_pem() -> Key<Option<String>> {
    key("lavka.mqtt.ssl.key.pem").group(SECURITY).check(Check::non_empty()).doc(
        "PEM file with the private key to lavka.mqtt.ssl.cert.pem, not encrypted (PKCS#8, PKCS#1 or SEC1).",
    )
}

/// `lavka.mqtt.ssl.server.name`.
pub(crate) fn server_name() -> Key<Option<String>> {
    key("lavka.mqtt.ssl.server.name").low().group(SECURITY)
        .check(Check::non_empty())
        .doc("The name that is asked for (SNI) and that the server's certificate must have, where it is not the host in \
              mqtt.server.uri.")
}

/// `lavka.mqtt.ssl.alpn`.
pub(crate) fn alpn() -> Key<Vec<String>> {
    key("lavka.mqtt.ssl.alpn").default("").low().group(SECURITY)
        .doc("Protocols to offer inside of TLS (ALPN), the preferred first: mqtt, or what the server's port is shared \
              by, as x-amzn-mqtt-ca.")
}

/// `confluent.license`.
pub(crate) fn confluent_license() -> Key<Password> {
    key("confluent.license")
        .default("")
        .low()
        .group(LICENSE)
        .doc("Accepted and ignored: no licence is needed.")
}

/// `confluent.topic`.
pub(crate) fn confluent_topic() -> Key<String> {
    key("confluent.topic").default("_confluent-command").low().group(LICENSE).doc("Accepted and ignored.")
}

/// `confluent.topic.bootstrap.servers`.
pub(crate) fn confluent_bootstrap() -> Key<Vec<String>> {
    key("confluent.topic.bootstrap.servers").default("").low().group(LICENSE).doc("Accepted and ignored.")
}

/// `confluent.topic.replication.factor`.
pub(crate) fn confluent_replication() -> Key<i32> {
    key("confluent.topic.replication.factor").default(3).low().group(LICENSE).doc("Accepted and ignored.")
}

/// The items of a list as it is written.
pub(crate) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim)
}

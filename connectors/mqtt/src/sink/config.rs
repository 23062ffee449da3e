//! The keys.
//!
//! Names without prefix are those of Confluent's connector, from its configuration reference. Keys that begin with `lavka.`
//! have no counterpart there.

use lavka_api::config::{Check, Password, key};

use super::payload::Encoding;
use super::template::TopicTemplate;
use crate::access::Access;
use crate::server::Server;
use crate::tls::{Files, Store};

const CONNECTION: &str = "MQTT Connection";
const SESSION: &str = "MQTT Session";
const SECURITY: &str = "MQTT Security";
const MESSAGES: &str = "Messages";
const RETRIES: &str = "Retries";
const LICENSE: &str = "Confluent Licensing";

lavka_api::config! {
    /// Settings of the MQTT sink.
    pub(crate) struct SinkConfig {
        pub(crate) server_uris: Vec<String> = key("mqtt.server.uri").high().group(CONNECTION)
            .check(Check::non_empty_list())
            .check(Check::new("tcp://, ssl://, ws:// or wss:// with host and port", |text| {
                text.split(',').map(str::trim).try_for_each(|uri| Server::parse(uri).map(drop))
            }))
            .doc("MQTT servers, tcp://host:1883 or ssl://host:8883, or by WebSocket ws://host:80/path or \
                  wss://host:443/path. Several are tried in order until one answers."),
        pub(crate) qos: i32 = key("mqtt.qos").default(0).high().group(MESSAGES)
            .check(Check::between(0, 2))
            .doc("Quality of service: 0 at most once, 1 at least once, 2 exactly once as far as one connection lasts. With \
                  1 and 2 offsets move after the server has acknowledged (PUBACK, PUBCOMP); with 0 a message counts as \
                  delivered when it was written to the connection."),
        pub(crate) retained: bool = key("mqtt.retained.enabled").default(false).group(MESSAGES)
            .doc("Whether the server keeps the last message of each topic for subscribers to come. A record without value \
                  is an empty message, which takes the kept one away."),
        pub(crate) username: String = key("mqtt.username").default("").high().group(SECURITY)
            .doc("User name; blank for none."),
        pub(crate) password: Password = key("mqtt.password").default("").high().group(SECURITY)
            .doc("Password; blank for none."),
        pub(crate) clean_session: bool = key("mqtt.clean.session.enabled").default(true).low().group(SESSION)
            .doc("Whether the server forgets the session when the task is away. There is nothing in it that a sink \
                  needs: what was not acknowledged is sent again in any case."),
        pub(crate) connect_timeout: i32 = key("mqtt.connect.timeout.seconds").default(30).low().group(CONNECTION)
            .check(Check::at_least(1))
            .doc("How long to wait for a connection to be accepted, in seconds."),
        pub(crate) keep_alive: i32 = key("mqtt.keepalive.interval.seconds").default(60).low().group(CONNECTION)
            .check(Check::between(1, 65_535))
            .doc("How often to ping an idle server, in seconds. At least 5 with MQTT 5."),
        pub(crate) trust_store: String = key("mqtt.ssl.trust.store.path").default("").group(SECURITY)
            .doc("A Java key store (JKS or PKCS#12) with the certificates that a server's certificate is checked against. \
                  lavka.mqtt.ssl.ca.pem takes precedence."),
        pub(crate) trust_store_password: Password = key("mqtt.ssl.trust.store.password").default("").group(SECURITY)
            .doc("Password of the trust store. A JKS store can be read without; then nobody checks whether it was \
                  changed."),
        pub(crate) key_store: String = key("mqtt.ssl.key.store.path").default("").group(SECURITY)
            .doc("A Java key store (JKS or PKCS#12) with the client's certificate and key. lavka.mqtt.ssl.cert.pem and \
                  lavka.mqtt.ssl.key.pem take precedence."),
        pub(crate) key_store_password: Password = key("mqtt.ssl.key.store.password").default("").group(SECURITY)
            .doc("Password of the key store."),
        pub(crate) key_password: Password = key("mqtt.ssl.key.password").default("").group(SECURITY)
            .doc("Password of the key in the key store; blank where it is that of the store."),
        pub(crate) max_retry_time: i64 = key("max.retry.time.ms").default(30_000).group(RETRIES)
            .check(Check::at_least(-1))
            .doc("How long a batch is tried again, in milliseconds, before the task fails: the server cannot be reached, \
                  or does not acknowledge. -1 goes on for ever."),

        pub(crate) topic: String = key("lavka.mqtt.topic").default("${topic}").high().group(MESSAGES)
            .check(Check::new("a topic, with ${topic}, ${key}, ${value.FIELD} and the like in it", |text| {
                TopicTemplate::parse(text).map(drop)
            }))
            .doc("The MQTT topic of each message. ${topic} is the record's topic as transforms have left it, which is \
                  Confluent's rule; ${partition}, ${key}, ${key.FIELD}, ${value.FIELD} (a path with dots between names) \
                  and ${header.NAME} are parts of the record. Where one is missing or null, or what comes out has a \
                  wildcard in it, the record cannot be published."),
        pub(crate) payload_format: String = key("lavka.payload.format").default("auto").group(MESSAGES)
            .check(Check::one_of(&["auto", "json", "json-with-schema"]))
            .doc("What payloads are made of values, as value.converter and transforms have left them. auto: bytes and \
                  texts as they are, structs, maps and arrays as JSON, other values as text. json: JSON. \
                  json-with-schema: JSON in the envelope of JsonConverter."),
        pub(crate) version: String = key("lavka.mqtt.version").default("3.1.1").group(CONNECTION)
            .check(Check::one_of(&["3.1.1", "5"]))
            .doc("The protocol version: 3.1.1 or 5."),
        pub(crate) client_id: Option<String> = key("lavka.mqtt.client.id").group(SESSION)
            .check(Check::non_empty())
            .doc("Begins the client id; a hyphen and the task's number follow. By default lavka- and the connector's \
                  name."),
        pub(crate) max_inflight: i32 = key("lavka.mqtt.max.inflight").default(20).group(SESSION)
            .check(Check::between(1, 65_535))
            .doc("QoS 1 and 2 messages that may wait for their acknowledgement. An MQTT 5 server may allow fewer. Servers \
                  of 3.1.1 that allow fewer end the connection or drop messages (Mosquitto: max_inflight_messages, 20 by \
                  default, for QoS 2)."),
        pub(crate) session_expiry: i64 = key("lavka.mqtt.session.expiry.seconds").default(u32::MAX).low().group(SESSION)
            .check(Check::between(1, u32::MAX as i64))
            .doc("MQTT 5: how long the server is asked to keep the session of a task that is away, in seconds. Only with \
                  mqtt.clean.session.enabled=false."),
        pub(crate) max_packet: i64 = key("lavka.mqtt.max.packet.bytes").default(1024 * 1024).low().group(CONNECTION)
            .check(Check::between(128, 268_435_455))
            .doc("The largest MQTT packet that is read. What is published is bounded by MQTT, and by an MQTT 5 server's \
                  own limit: a larger message cannot be published."),
        pub(crate) backoff: i64 = key("lavka.mqtt.reconnect.backoff.ms").default(500).low().group(CONNECTION)
            .check(Check::at_least(1))
            .doc("How long to wait before connecting again, at first. It doubles with each failure, and up to half \
                  of it is random."),
        pub(crate) backoff_max: i64 = key("lavka.mqtt.reconnect.backoff.max.ms").default(30_000).low().group(CONNECTION)
            .check(Check::at_least(1))
            .doc("How long to wait before connecting again, at most."),
        pub(crate) ca_pem: Option<String> = key("lavka.mqtt.ssl.ca.pem").group(SECURITY)
            .check(Check::non_empty())
            .doc("PEM file with the certificates that a server's certificate is checked against; by default those \
                  the operating system trusts."),
        pub(crate) cert_pem: Option<String> = key("lavka.mqtt.ssl.cert.pem").group(SECURITY)
            .check(Check::non_empty())
            .doc("PEM file with the client's certificate and the chain above it, for servers that ask for one."),
        pub(crate) key_pem: Option<String> = key("lavka.mqtt.ssl.key.pem").group(SECURITY)
            .check(Check::non_empty())
            .doc("PEM file with the private key to lavka.mqtt.ssl.cert.pem, not encrypted (PKCS#8, PKCS#1 or SEC1)."),
        pub(crate) server_name: Option<String> = key("lavka.mqtt.ssl.server.name").low().group(SECURITY)
            .check(Check::non_empty())
            .doc("The name that is asked for (SNI) and that the server's certificate must have, where it is not the host in \
                  mqtt.server.uri."),
        pub(crate) alpn: Vec<String> = key("lavka.mqtt.ssl.alpn").default("").low().group(SECURITY)
            .doc("Protocols to offer inside of TLS (ALPN), the preferred first: mqtt, or what the server's port is shared \
                  by, as x-amzn-mqtt-ca."),
        pub(crate) v5_headers: bool = key("lavka.mqtt.v5.headers").default(false).group(MESSAGES)
            .doc("MQTT 5: whether the headers that the source makes of properties become properties again: \
                  mqtt.content.type, mqtt.response.topic, mqtt.correlation.data, mqtt.message.expiry.seconds, \
                  mqtt.payload.format, and mqtt.user.NAME as the user property NAME."),
        pub(crate) user_properties: Vec<String> = key("lavka.mqtt.user.properties").default("").group(MESSAGES)
            .doc("MQTT 5: names of headers that become user properties under their own names; * for all others."),

        pub(crate) confluent_license: Password = key("confluent.license").default("").low().group(LICENSE)
            .doc("Accepted and ignored: no licence is needed."),
        pub(crate) confluent_topic: String = key("confluent.topic").default("_confluent-command").low().group(LICENSE)
            .doc("Accepted and ignored."),
        pub(crate) confluent_bootstrap: Vec<String> = key("confluent.topic.bootstrap.servers").default("").low()
            .group(LICENSE).doc("Accepted and ignored."),
        pub(crate) confluent_replication: i32 = key("confluent.topic.replication.factor").default(3).low()
            .group(LICENSE).doc("Accepted and ignored."),
    }
}

impl SinkConfig {
    /// How servers are reached.
    pub(crate) fn access(&self) -> Access {
        Access {
            servers: self.server_uris.clone(),
            username: self.username.clone(),
            password: self.password.clone(),
            client_id: self.client_id.clone(),
            clean_session: self.clean_session,
            connect_timeout: self.connect_timeout,
            keep_alive: self.keep_alive,
            v5: self.is_v5(),
            session_expiry: self.session_expiry,
            max_packet: self.max_packet,
            backoff: self.backoff,
            backoff_max: self.backoff_max,
            server_name: self.server_name.clone(),
            files: Files {
                ca: self.ca_pem.clone(),
                certificate: self.cert_pem.clone(),
                key: self.key_pem.clone(),
                trust_store: Store {
                    path: self.trust_store.clone(),
                    password: self.trust_store_password.clone(),
                },
                key_store: Store { path: self.key_store.clone(), password: self.key_store_password.clone() },
                key_password: self.key_password.clone(),
                alpn: self.alpn.clone(),
            },
        }
    }

    /// Whether the protocol is MQTT 5.
    pub(crate) fn is_v5(&self) -> bool {
        self.version == "5"
    }

    /// What payloads are.
    pub(crate) fn encoding(&self) -> Encoding {
        match self.payload_format.as_str() {
            "json" => Encoding::Json,
            "json-with-schema" => Encoding::JsonWithSchema,
            _ => Encoding::Auto,
        }
    }
}

//! The keys.
//!
//! Names without prefix are those of Confluent's connector, from its configuration reference. Keys that begin with `lavka.`
//! have no counterpart there.

use lavka_api::config::{Check, Password, key};

use super::payload::Encoding;
use super::template::TopicTemplate;
use crate::access::{Access, access_of};
use crate::keys::{self, CONNECTION, SESSION};

const MESSAGES: &str = "Messages";
const RETRIES: &str = "Retries";

lavka_api::config! {
    /// Settings of the MQTT sink.
    pub(crate) struct SinkConfig {
        pub(crate) server_uris: Vec<String> = keys::server_uris(),
        pub(crate) qos: i32 = key("mqtt.qos").default(0).high().group(MESSAGES)
            .check(Check::between(0, 2))
            .doc("Quality of service: 0 at most once, 1 at least once, 2 exactly once as far as one connection lasts. With \
                  1 and 2 offsets move after the server has acknowledged (PUBACK, PUBCOMP); with 0 a message counts as \
                  delivered when it was written to the connection."),
        pub(crate) retained: bool = key("mqtt.retained.enabled").default(false).group(MESSAGES)
            .doc("Whether the server keeps the last message of each topic for subscribers to come. A record without value \
                  is an empty message, which takes the kept one away."),
        pub(crate) username: String = keys::username(),
        pub(crate) password: Password = keys::password(),
        pub(crate) clean_session: bool = key("mqtt.clean.session.enabled").default(true).low().group(SESSION)
            .doc("Accepted for compatibility, without effect: the session of a sink ends with its connection. What was not \
                  acknowledged is sent again in any case, and a kept session would make the server take a later QoS 2 \
                  message for one that it has already."),
        pub(crate) connect_timeout: i32 = keys::connect_timeout(),
        pub(crate) keep_alive: i32 = keys::keep_alive(),
        pub(crate) trust_store: String = keys::trust_store(),
        pub(crate) trust_store_password: Password = keys::trust_store_password(),
        pub(crate) key_store: String = keys::key_store(),
        pub(crate) key_store_password: Password = keys::key_store_password(),
        pub(crate) key_password: Password = keys::key_password(),
        pub(crate) max_retry_time: i64 = key("max.retry.time.ms").default(30_000).group(RETRIES)
            .check(Check::at_least(-1))
            .doc("How long a batch is tried again without any record of it being taken, in milliseconds, before the task \
                  fails: the server cannot be reached, or does not acknowledge. -1 goes on for ever."),

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
        pub(crate) version: String = keys::version(),
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
            .doc("Accepted for compatibility, without effect: the session of a sink ends with its connection."),
        pub(crate) max_packet: i64 = key("lavka.mqtt.max.packet.bytes").default(1024 * 1024).low().group(CONNECTION)
            .check(Check::between(128, 268_435_455))
            .doc("The largest MQTT packet that is read. What is published is bounded by MQTT, and by an MQTT 5 server's \
                  own limit: a larger message cannot be published."),
        pub(crate) backoff: i64 = keys::backoff(),
        pub(crate) backoff_max: i64 = keys::backoff_max(),
        pub(crate) ca_pem: Option<String> = keys::ca_pem(),
        pub(crate) cert_pem: Option<String> = keys::cert_pem(),
        pub(crate) key_pem: Option<String> = keys::key_pem(),
        pub(crate) server_name: Option<String> = keys::server_name(),
        pub(crate) alpn: Vec<String> = keys::alpn(),
        pub(crate) v5_headers: bool = key("lavka.mqtt.v5.headers").default(false).group(MESSAGES)
            .doc("MQTT 5: whether the headers that the source makes of properties become properties again: \
                  mqtt.content.type, mqtt.response.topic, mqtt.correlation.data, mqtt.message.expiry.seconds, \
                  mqtt.payload.format, and mqtt.user.NAME as the user property NAME."),
        pub(crate) user_properties: Vec<String> = key("lavka.mqtt.user.properties").default("").group(MESSAGES)
            .doc("MQTT 5: names of headers that become user properties under their own names; * for all others."),

        pub(crate) confluent_license: Password = keys::confluent_license(),
        pub(crate) confluent_topic: String = keys::confluent_topic(),
        pub(crate) confluent_bootstrap: Vec<String> = keys::confluent_bootstrap(),
        pub(crate) confluent_replication: i32 = keys::confluent_replication(),
    }
}

impl SinkConfig {
    /// How servers are reached.
    pub(crate) fn access(&self) -> Access {
        access_of!(self)
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

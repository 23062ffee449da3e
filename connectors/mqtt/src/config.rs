//! The keys.
//!
//! Names without prefix are those of Confluent's connector, from its configuration reference; where that does
//! not say what a default is, the default here is ours. Keys that begin with `lavka.` have no counterpart there.

use lavka_api::config::{Check, Password, key};

use crate::access::{Access, access_of};
use crate::filter::check_filter;
use crate::keys::{self, CONNECTION, SESSION, items};

const RECORDS: &str = "Records";

lavka_api::config! {
    /// Settings of the MQTT source.
    pub(crate) struct MqttConfig {
        pub(crate) server_uris: Vec<String> = keys::server_uris(),
        pub(crate) topics: Vec<String> = key("mqtt.topics").high().group(CONNECTION)
            .check(Check::non_empty_list())
            .check(Check::new("MQTT topic filters", |text| items(text).try_for_each(check_filter)))
            .doc("MQTT topic filters to subscribe to; the wildcards + and # are allowed, and so are shared \
                  subscriptions ($share/group/filter). They are split over the tasks."),
        pub(crate) kafka_topic: String = key("kafka.topic").default("mqtt").high().group(RECORDS)
            .check(Check::non_empty())
            .doc("The Kafka topic for all messages; transforms can route them elsewhere, by the key for example."),
        pub(crate) qos: i32 = key("mqtt.qos").default(0).high().group(CONNECTION)
            .check(Check::between(0, 2))
            .doc("Quality of service asked for: 0 at most once, 1 at least once, 2 exactly once as far as the \
                  connector. With 1 and 2 a message is acknowledged only after Kafka has acknowledged its record."),
        pub(crate) username: String = keys::username(),
        pub(crate) password: Password = keys::password(),
        pub(crate) clean_session: bool = key("mqtt.clean.session.enabled").default(true).group(SESSION)
            .doc("Whether the server forgets the subscription when the task is away. It must be false for at least \
                  once delivery: then the server keeps what arrives in the meantime."),
        pub(crate) connect_timeout: i32 = keys::connect_timeout(),
        pub(crate) keep_alive: i32 = keys::keep_alive(),
        pub(crate) trust_store: String = keys::trust_store(),
        pub(crate) trust_store_password: Password = keys::trust_store_password(),
        pub(crate) key_store: String = keys::key_store(),
        pub(crate) key_store_password: Password = keys::key_store_password(),
        pub(crate) key_password: Password = keys::key_password(),
        pub(crate) queue_size: i32 = key("records.buffer.queue.size").default(10_000).low().group(RECORDS)
            .check(Check::at_least(1))
            .doc("Messages that may wait in memory to be handed out. Beyond it QoS 0 messages are dropped and \
                  counted, and with QoS 1 and 2 nothing more is read from the server."),
        pub(crate) batch_size: i32 = key("records.buffer.queue.max.batch.size").default(1000).low().group(RECORDS)
            .check(Check::at_least(1))
            .doc("The most messages handed out at once."),
        pub(crate) empty_timeout: i32 = key("records.buffer.queue.empty.timeout").default(10).low().group(RECORDS)
            .check(Check::at_least(0))
            .doc("Accepted for compatibility, without effect: an idle task sleeps until a message arrives."),

        pub(crate) version: String = keys::version(),
        pub(crate) client_id: Option<String> = key("lavka.mqtt.client.id").group(SESSION)
            .check(Check::non_empty())
            .doc("Begins the client id; a hyphen and the task's number follow. By default lavka- and the connector's \
                  name. Server sessions belong to a client id, so changing it abandons what a kept session holds."),
        pub(crate) max_inflight: i32 = key("lavka.mqtt.max.inflight").default(1000).group(SESSION)
            .check(Check::between(1, 65_535))
            .doc("MQTT 5: unacknowledged QoS 1 and 2 messages that the server may have under way (receive maximum). \
                  Throughput is at most this many messages per acknowledgement time of Kafka. Servers have limits of \
                  their own, which alone count with MQTT 3.1.1 (Mosquitto: max_inflight_messages, 20 by default)."),
        pub(crate) session_expiry: i64 = key("lavka.mqtt.session.expiry.seconds").default(u32::MAX).low().group(SESSION)
            .check(Check::between(1, u32::MAX as i64))
            .doc("MQTT 5: how long the server is asked to keep the session of a task that is away, in seconds; \
                  4294967295 means for ever. Only with mqtt.clean.session.enabled=false."),
        pub(crate) share_every_task: bool = key("lavka.mqtt.share.every.task").default(false).low().group(SESSION)
            .doc("Whether every task subscribes to the shared subscriptions among mqtt.topics, so that the server \
                  spreads their messages over tasks.max tasks. When tasks.max is lowered later, the kept session of \
                  a task that is gone goes on getting its share until it expires."),
        pub(crate) buffer_bytes: i64 = key("lavka.mqtt.buffer.bytes").default(32 * 1024 * 1024).group(RECORDS)
            .check(Check::at_least(1024))
            .doc("As records.buffer.queue.size, in bytes of topics and payloads. What is being written to Kafka is \
                  bounded by the worker."),
        pub(crate) max_packet: i64 = key("lavka.mqtt.max.packet.bytes").default(16 * 1024 * 1024).low().group(CONNECTION)
            .check(Check::between(128, 268_435_455))
            .doc("The largest MQTT packet that is read. An MQTT 5 server is told and leaves larger messages out; with \
                  3.1.1 a larger one fails the task if mqtt.qos is 1 or 2, and is lost with its connection if 0."),
        pub(crate) backoff: i64 = keys::backoff(),
        pub(crate) backoff_max: i64 = keys::backoff_max(),
        pub(crate) ca_pem: Option<String> = keys::ca_pem(),
        pub(crate) cert_pem: Option<String> = keys::cert_pem(),
        pub(crate) key_pem: Option<String> = keys::key_pem(),
        pub(crate) server_name: Option<String> = keys::server_name(),
        pub(crate) alpn: Vec<String> = keys::alpn(),
        pub(crate) v5_headers: bool = key("lavka.mqtt.v5.headers").default(false).group(RECORDS)
            .doc("MQTT 5: whether content type, response topic, correlation data, message expiry, payload format and \
                  user properties become headers."),
        pub(crate) payload_format: String = key("lavka.payload.format").default("bytes").group(RECORDS)
            .check(Check::one_of(&["bytes", "text", "json", "cbor", "senml-json", "senml-cbor", "sparkplug-b", "auto"]))
            .doc("What payloads are: bytes, handed on as they are (use ByteArrayConverter); text; json or cbor, decoded into \
                  records without schema so that transforms can work on their fields (use JsonConverter with \
                  schemas.enable=false); senml-json or senml-cbor, resolved into an array of records with a schema; sparkplug-b, \
                  messages of Sparkplug B edge nodes (spBv1.0/...), with aliases resolved from births and gaps of sequence \
                  numbers told; auto, with MQTT 5: by the content type of each message, bytes without one."),
        pub(crate) payload_on_error: String = key("lavka.payload.on.error").default("bytes").group(RECORDS)
            .check(Check::one_of(&["bytes", "skip", "fail"]))
            .doc("What becomes of a payload that cannot be decoded. bytes: the record carries the payload as bytes, \
                  with the reason in the header lavka.payload.error, so nothing is lost and nothing stands still. \
                  skip: the message is counted, logged and acknowledged. fail: the task fails; the message is not \
                  acknowledged, so it comes again after a restart."),

        pub(crate) confluent_license: Password = keys::confluent_license(),
        pub(crate) confluent_topic: String = keys::confluent_topic(),
        pub(crate) confluent_bootstrap: Vec<String> = keys::confluent_bootstrap(),
        pub(crate) confluent_replication: i32 = keys::confluent_replication(),
    }
}

impl MqttConfig {
    /// How servers are reached.
    pub(crate) fn access(&self) -> Access {
        access_of!(self)
    }

    /// Whether messages are of Sparkplug B.
    pub(crate) fn is_sparkplug(&self) -> bool {
        self.payload_format == "sparkplug-b"
    }

    /// Whether each message says what its payload is.
    pub(crate) fn goes_by_content_type(&self) -> bool {
        self.payload_format == "auto"
    }

    /// Whether the protocol is MQTT 5.
    pub(crate) fn is_v5(&self) -> bool {
        self.version == "5"
    }
}

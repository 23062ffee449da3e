//! The keys of the observe mode.

use lavka_api::config::{Check, Password, key};

use super::address::ServerName;
use super::wish::Wish;
use crate::links::Filter;
use crate::payload::FORMATS;
use crate::secure::Files;
use crate::secure::settings::{self, SECURITY, files_of};

const SERVERS: &str = "CoAP Servers";
const TIMES: &str = "Times";
const LIMITS: &str = "Limits";
const RECORDS: &str = "Records";

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

lavka_api::config! {
    /// Settings of the CoAP observe source.
    pub(crate) struct ObserveConfig {
        pub(crate) servers: Vec<String> = key("lavka.coap.servers").high().group(SERVERS)
            .check(Check::non_empty_list())
            .check(Check::new("coap://host:port", |text| items(text).try_for_each(|item| ServerName::parse(item).map(drop))))
            .doc("The servers, such as coap://sensor-7.example or coap://[2001:db8::7]:5683. They are spread over the tasks; \
                  where there are more tasks than servers, the resources of each are."),
        pub(crate) resources: Vec<String> = key("lavka.coap.observe").high().group(SERVERS)
            .check(Check::non_empty_list())
            .check(Check::new("resource or resource=>topic", |text| items(text).try_for_each(|item| Wish::parse(item).map(drop))))
            .doc("The resources to observe on each server, such as sensors/temp or log?level=2. One with wildcards ({name} \
                  for one segment, which becomes the header coap.path.name, + for any one segment, # at the end for any \
                  number of them) is looked for in /.well-known/core of each server. Behind => there may be a Kafka topic."),
        pub(crate) mode: String = key("lavka.coap.mode").default("observe").group(SERVERS)
            .check(Check::one_of(&["observe", "poll"]))
            .doc("observe: asks for notifications, and polls resources that their server does not offer to observe. poll: \
                  asks for representations alone."),
        pub(crate) filters: Vec<String> = key("lavka.coap.discover.filter").default("").group(SERVERS)
            .check(Check::new("attribute or attribute=value", |text| items(text).try_for_each(|item| Filter::parse(item).map(drop))))
            .doc("What links of /.well-known/core must have: an attribute (obs), or one with a value (rt=temperature, \
                  if=core.s), at whose end * stands for anything. All of them must hold."),
        pub(crate) bind: String = key("lavka.coap.bind").default("").low().group(SERVERS)
            .check(Check::new("address:port", |text| match text {
                "" => Ok(()),
                text => text.parse::<std::net::SocketAddr>().map(drop).map_err(|_| format!("{text} is no address with a port")),
            }))
            .doc("The local address and port to ask from; any by default. With a port, there can be one task only."),
        pub(crate) kafka_topic: String = key("kafka.topic").default("coap").high().group(RECORDS)
            .check(Check::non_empty())
            .doc("The Kafka topic for resources without one of their own."),
        pub(crate) payload_format: String = key("lavka.payload.format").default("bytes").group(RECORDS)
            .check(Check::one_of(FORMATS))
            .doc("What representations are: bytes, handed on as they are (use ByteArrayConverter); text; json or cbor, \
                  decoded into records without schema so that transforms can work on their fields (use JsonConverter with \
                  schemas.enable=false); senml-json or senml-cbor, resolved into an array of records with a schema; auto: \
                  by the Content-Format of each message, bytes without one."),
        pub(crate) payload_on_error: String = key("lavka.payload.on.error").default("bytes").group(RECORDS)
            .check(Check::one_of(&["bytes", "reject", "fail"]))
            .doc("What becomes of a representation that cannot be decoded. bytes: the record carries it as bytes, with the \
                  reason in the header lavka.payload.error, so nothing is lost. reject: there is no record. fail: the task \
                  fails."),
        pub(crate) batch_size: i32 = key("lavka.coap.batch.size").default(1000).low().group(RECORDS)
            .check(Check::at_least(1))
            .doc("The most records handed out at once."),
        pub(crate) poll_interval: i64 = key("lavka.coap.poll.interval.ms").default(60_000).group(TIMES)
            .check(Check::at_least(10))
            .doc("How often a resource that is not observed is asked for. Where the server gives an ETag, a representation \
                  that has not changed makes no record."),
        pub(crate) discover_interval: i64 = key("lavka.coap.discover.interval.ms").default(300_000).group(TIMES)
            .check(Check::at_least(0))
            .doc("How often /.well-known/core is read again, for resources that are new or gone; 0 for never."),
        pub(crate) hold: i64 = key("lavka.coap.ack.hold.ms").default(20_000).group(TIMES)
            .check(Check::between(0, 40_000))
            .doc("How long the acknowledgement of a confirmable notification waits for Kafka. Meanwhile the server repeats it \
                  (which makes no second record), and after 45 seconds it would take its observer for dead. Beyond this \
                  time it is acknowledged while its record is in memory only; 0 acknowledges at once."),
        pub(crate) reregister: i64 = key("lavka.coap.reregister.delay.ms").default(5000).low().group(TIMES)
            .check(Check::at_least(0))
            .doc("An observation that was not heard of for Max-Age is registered anew after a random time between once and \
                  three times as long (RFC 7641 suggests 5 to 15 seconds)."),
        pub(crate) backoff: i64 = key("lavka.coap.retry.backoff.ms").default(1000).low().group(TIMES)
            .check(Check::at_least(1))
            .doc("The wait before a server that does not answer, or a resource that was refused, is tried again; doubled each \
                  time."),
        pub(crate) backoff_max: i64 = key("lavka.coap.retry.backoff.max.ms").default(60_000).low().group(TIMES)
            .check(Check::at_least(1))
            .doc("The longest such wait."),
        pub(crate) ack_timeout: i64 = key("lavka.coap.ack.timeout.ms").default(2000).low().group(TIMES)
            .check(Check::at_least(1))
            .doc("How long a server may take to acknowledge a request before it is sent again (ACK_TIMEOUT of RFC 7252); it \
                  doubles each time."),
        pub(crate) max_retransmit: i32 = key("lavka.coap.max.retransmit").default(4).low().group(TIMES)
            .check(Check::between(0, 20))
            .doc("How often a request is sent again before its server counts as out of reach (MAX_RETRANSMIT of RFC 7252)."),
        pub(crate) psk_identity: String = key("lavka.coap.dtls.psk.identity").default("").group(SECURITY)
            .doc("Whom servers with coaps:// know this client as, for DTLS 1.2 with a pre-shared key \
                  (TLS_PSK_WITH_AES_128_CCM_8)."),
        pub(crate) psk_key: Password = key("lavka.coap.dtls.psk.key").default("").group(SECURITY)
            .doc("The pre-shared key: text, or hex: and hexadecimal digits."),
        pub(crate) psk_file: String = key("lavka.coap.dtls.psk.file").default("").group(SECURITY)
            .doc("A file with pre-shared keys, in place of lavka.coap.dtls.psk.key: lines of identity:key, the key in \
                  hexadecimal digits. lavka.coap.dtls.psk.identity says which, where there are several."),
        pub(crate) certificate: String = key("lavka.coap.dtls.cert.pem").default("").group(SECURITY)
            .doc("The client's certificate, PEM: of an elliptic curve key, P-256 or P-384; RSA is refused. Only the certificate \
                  itself is sent, so that whoever signed it must be trusted by the other side directly."),
        pub(crate) private_key: String = settings::private_key(),
        pub(crate) key_store: String = settings::key_store(),
        pub(crate) key_store_password: Password = settings::key_store_password(),
        pub(crate) key_store_alias: String = settings::key_store_alias(),
        pub(crate) trusted: String = key("lavka.coap.dtls.ca.pem").default("").group(SECURITY)
            .doc("The certificates, PEM, of those who may have signed the servers'. Its name must be the host in lavka.coap.servers."),
        pub(crate) trusted_password: Password = settings::trusted_password(),
        pub(crate) trusted_aliases: Vec<String> = settings::trusted_aliases(),
        pub(crate) max_inflight: i32 = key("lavka.coap.max.inflight").default(10_000).group(LIMITS)
            .check(Check::at_least(1))
            .doc("Representations that may be on their way to Kafka. Beyond it notifications are not acknowledged, so that \
                  their servers send confirmable ones again, and nothing is asked for."),
        pub(crate) max_inflight_bytes: i64 = key("lavka.coap.max.inflight.bytes").default(32 * 1024 * 1024).group(LIMITS)
            .check(Check::at_least(1024))
            .doc("As lavka.coap.max.inflight, in bytes."),
        pub(crate) max_body: i64 = key("lavka.coap.max.body.bytes").default(1024 * 1024).group(LIMITS)
            .check(Check::between(16, 1 << 30))
            .doc("The largest representation, and the largest /.well-known/core, put together from blocks."),
        pub(crate) bodies: i64 = key("lavka.coap.download.bytes").default(16 * 1024 * 1024).low().group(LIMITS)
            .check(Check::at_least(1024))
            .doc("Bytes of all representations of which blocks are still missing."),
        pub(crate) observations: i32 = key("lavka.coap.max.observations").default(100_000).low().group(LIMITS)
            .check(Check::at_least(1))
            .doc("The most resources that a task observes."),
        pub(crate) exchanges: i32 = key("lavka.coap.max.exchanges").default(500_000).low().group(LIMITS)
            .check(Check::at_least(1))
            .doc("Confirmable notifications of the last 247 seconds (EXCHANGE_LIFETIME of RFC 7252) that are remembered, so \
                  that one that is sent again makes no second record; about 60 bytes each."),
        pub(crate) receive_buffer: i32 = key("lavka.coap.receive.buffer.bytes").default(4 * 1024 * 1024).low().group(LIMITS)
            .check(Check::at_least(4096))
            .doc("The socket's receive buffer (SO_RCVBUF); the operating system may allow less."),
    }
}

impl ObserveConfig {
    /// What secure servers know this client by, but for a key that the configuration has itself.
    pub(super) fn files(&self) -> Files {
        let identity = (!self.psk_identity.is_empty()).then(|| self.psk_identity.clone());
        files_of!(self, identity)
    }
}

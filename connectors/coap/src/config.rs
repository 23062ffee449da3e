//! The keys of the server mode.

use lavka_api::config::{Check, Password, key};

use crate::multicast::Group;
use crate::payload::FORMATS;
use crate::resource::Resource;
use crate::secure::Files;
use crate::secure::settings::{self, SECURITY, files_of};

const SERVER: &str = "CoAP Server";
const LIMITS: &str = "Limits";
const RECORDS: &str = "Records";

lavka_api::config! {
    /// Settings of the CoAP server source.
    pub(crate) struct ServerConfig {
        pub(crate) listen: String = key("lavka.coap.listen").high().group(SERVER)
            .check(Check::new("address:port", |text| {
                text.parse::<std::net::SocketAddr>().map(drop).map_err(|_| {
                    format!("{text} is no address with a port, such as 0.0.0.0:5683, [::]:5683 or 127.0.0.1:5683")
                })
            }))
            .doc("The address and UDP port to listen on. There is no default: whoever can reach it can write records."),
        pub(crate) resources: Vec<String> = key("lavka.coap.resources").high().group(SERVER)
            .check(Check::non_empty_list())
            .check(Check::new("resource or resource=>topic", |text| {
                text.split(',').try_for_each(|resource| Resource::parse(resource.trim()).map(drop))
            }))
            .doc("The resources that devices may POST or PUT to; the first that matches counts. {name} stands for one \
                  segment, which becomes the header coap.path.name, + for any one segment, # at the end for any number of \
                  them. Behind => there may be a Kafka topic for what is written to the resource."),
        pub(crate) multicast: Vec<String> = key("lavka.coap.multicast").default("").low().group(SERVER)
            .check(Check::new("multicast address", |text| {
                let groups = text.split(',').map(str::trim).filter(|group| !group.is_empty());
                groups.map(Group::parse).try_for_each(|group| group.map(drop))
            }))
            .doc("Multicast groups to be found in, such as 224.0.1.187 or ff05::fd (All CoAP Nodes), ff02::fd%2 for the \
                  interface with index 2. A device that asks a group for /.well-known/core is told the resources, after a \
                  random time; anything else that is sent to a group is passed over (RFC 7252, section 8). lavka.coap.listen \
                  must be one address of the same family, and without DTLS."),
        pub(crate) leisure: i64 = key("lavka.coap.multicast.leisure.ms").default(5000).low().group(SERVER)
            .check(Check::between(0, 60_000))
            .doc("How long such an answer may wait, so that not all servers of a group answer at once (DEFAULT_LEISURE of RFC \
                  7252)."),
        pub(crate) kafka_topic: String = key("kafka.topic").default("coap").high().group(RECORDS)
            .check(Check::non_empty())
            .doc("The Kafka topic for resources without one of their own."),
        pub(crate) payload_format: String = key("lavka.payload.format").default("bytes").group(RECORDS)
            .check(Check::one_of(FORMATS))
            .doc("What payloads are: bytes, handed on as they are (use ByteArrayConverter); text; json or cbor, decoded into \
                  records without schema so that transforms can work on their fields (use JsonConverter with \
                  schemas.enable=false); senml-json or senml-cbor, resolved into an array of records with a schema; auto: \
                  by the Content-Format of each request, bytes without one."),
        pub(crate) payload_on_error: String = key("lavka.payload.on.error").default("bytes").group(RECORDS)
            .check(Check::one_of(&["bytes", "reject", "fail"]))
            .doc("What becomes of a payload that cannot be decoded. bytes: the record carries the payload as bytes, with the \
                  reason in the header lavka.payload.error, so nothing is lost. reject: the device is answered 4.00 Bad \
                  Request, and there is no record. fail: the task fails, and the device is answered 5.03."),
        pub(crate) batch_size: i32 = key("lavka.coap.batch.size").default(1000).low().group(RECORDS)
            .check(Check::at_least(1))
            .doc("The most requests handed out at once."),
        pub(crate) dtls: bool = key("lavka.coap.dtls").default(false).high().group(SECURITY)
            .doc("Whether to listen for DTLS 1.2 (coaps, usually port 5684), and nothing else, at lavka.coap.listen. Devices are \
                  let in with a pre-shared key (TLS_PSK_WITH_AES_128_CCM_8) or a certificate \
                  (TLS_ECDHE_ECDSA_WITH_AES_*_GCM_*); who a device is, is in the header coap.identity. \
                  One whose address changes shakes hands anew: there are no connection ids (RFC 9146)."),
        pub(crate) psk_file: String = key("lavka.coap.dtls.psk.file").default("").group(SECURITY)
            .doc("A file with the pre-shared keys of devices: lines of identity:key, the key in hexadecimal digits; # begins a \
                  comment."),
        pub(crate) certificate: String = key("lavka.coap.dtls.cert.pem").default("").group(SECURITY)
            .doc("The server's certificate, PEM: of an elliptic curve key, P-256 or P-384; RSA is refused. Only the certificate \
                  itself is sent, so that whoever signed it must be trusted by the other side directly."),
        pub(crate) private_key: String = settings::private_key(),
        pub(crate) key_store: String = settings::key_store(),
        pub(crate) key_store_password: Password = settings::key_store_password(),
        pub(crate) key_store_alias: String = settings::key_store_alias(),
        pub(crate) trusted: String = key("lavka.coap.dtls.ca.pem").default("").group(SECURITY)
            .doc("The certificates, PEM, of those who may have signed devices'. Empty: devices are not asked for certificates."),
        pub(crate) trusted_password: Password = settings::trusted_password(),
        pub(crate) trusted_aliases: Vec<String> = settings::trusted_aliases(),
        pub(crate) sessions: i32 = key("lavka.coap.dtls.max.sessions").default(20_000).group(SECURITY)
            .check(Check::at_least(1))
            .doc("DTLS sessions that may be open. Beyond it, the one that was silent for longest makes room."),
        pub(crate) handshakes: i32 = key("lavka.coap.dtls.max.handshakes").default(1000).low().group(SECURITY)
            .check(Check::at_least(1))
            .doc("DTLS handshakes that may be under way, of devices that have shown that they are where they say (by a cookie; \
                  before, nothing is kept for them). Beyond it nobody new is let in for the moment."),
        pub(crate) session_idle: i64 = key("lavka.coap.dtls.idle.timeout.ms").default(86_400_000).low().group(SECURITY)
            .check(Check::at_least(1000))
            .doc("After so long a silence a session ends; the device shakes hands anew."),
        pub(crate) max_inflight: i32 = key("lavka.coap.max.inflight").default(10_000).group(LIMITS)
            .check(Check::at_least(1))
            .doc("Requests that may be on their way to Kafka. Beyond it devices are answered 5.03 Service Unavailable."),
        pub(crate) max_inflight_bytes: i64 = key("lavka.coap.max.inflight.bytes").default(32 * 1024 * 1024).group(LIMITS)
            .check(Check::at_least(1024))
            .doc("As lavka.coap.max.inflight, in bytes."),
        pub(crate) exchanges: i32 = key("lavka.coap.max.exchanges").default(500_000).low().group(LIMITS)
            .check(Check::at_least(1))
            .doc("Messages of the last 247 seconds (EXCHANGE_LIFETIME of RFC 7252) that are remembered, so that a device \
                  that sends one again gets the same answer and no second record; about 60 bytes each. Beyond it devices \
                  are answered 5.03 Service Unavailable: better than a guess."),
        pub(crate) max_body: i64 = key("lavka.coap.max.body.bytes").default(1024 * 1024).group(LIMITS)
            .check(Check::between(16, 1 << 30))
            .doc("The largest payload, put together from its blocks. A larger one is answered 4.13 Request Entity Too Large."),
        pub(crate) upload_bytes: i64 = key("lavka.coap.upload.bytes").default(16 * 1024 * 1024).low().group(LIMITS)
            .check(Check::at_least(1024))
            .doc("Bytes of all payloads of which blocks are still missing."),
        pub(crate) receive_buffer: i32 = key("lavka.coap.receive.buffer.bytes").default(4 * 1024 * 1024).low().group(LIMITS)
            .check(Check::at_least(4096))
            .doc("The socket's receive buffer (SO_RCVBUF); the operating system may allow less."),
        pub(crate) ack_delay: i64 = key("lavka.coap.ack.delay.ms").default(500).low().group(SERVER)
            .check(Check::at_least(0))
            .doc("How long Kafka may take before a device is told by an empty acknowledgement that its answer follows in a \
                  message of its own. Devices send again after 2 to 3 seconds without one."),
        pub(crate) ack_timeout: i64 = key("lavka.coap.ack.timeout.ms").default(2000).low().group(SERVER)
            .check(Check::at_least(1))
            .doc("How long a device may take to acknowledge such a message before it is sent again (ACK_TIMEOUT of RFC \
                  7252); it doubles each time."),
        pub(crate) max_retransmit: i32 = key("lavka.coap.max.retransmit").default(4).low().group(SERVER)
            .check(Check::between(0, 20))
            .doc("How often such a message is sent again (MAX_RETRANSMIT of RFC 7252)."),
        pub(crate) retry_after: i32 = key("lavka.coap.retry.after.seconds").default(5).low().group(SERVER)
            .check(Check::at_least(0))
            .doc("When a device that was answered 5.03 Service Unavailable may try again (Max-Age)."),
    }
}

impl ServerConfig {
    /// What devices know the server by, over DTLS.
    pub(crate) fn files(&self) -> Files {
        files_of!(self, None)
    }
}

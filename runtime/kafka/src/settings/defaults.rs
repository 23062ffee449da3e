//! What a client gets that the user did not ask for, and settings that depend on each other.
//!
//! Where librdkafka's default differs from Java's and users would notice, Java's (release 4.x) is taken.

use std::time::Duration;

use lavka_api::config::{Config, ConfigType};
use lavka_api::{Error, Result};
use lavka_ports::Buffer;

use super::{ClientKind, Native, value};

/// What a client calls itself where the user gave no name.
pub(super) const CLIENT_ID: &str = "lavka";

/// A setting of librdkafka that differs from its own default.
pub(super) struct Default {
    pub(super) key: &'static str,
    pub(super) value: &'static str,
    /// Why it is not left at librdkafka's value.
    pub(super) why: &'static str,
}

const fn set(key: &'static str, value: &'static str, why: &'static str) -> Default {
    Default { key, value, why }
}

/// The defaults of a client of this kind.
pub(super) fn of(kind: ClientKind) -> &'static [Default] {
    match kind {
        ClientKind::Producer => PRODUCER,
        ClientKind::Consumer => CONSUMER,
        ClientKind::Admin => &[],
    }
}

static PRODUCER: &[Default] = &[
    set("client.id", CLIENT_ID, "the broker's logs and quotas name it; librdkafka's is rdkafka"),
    set("client.software.name", "lavka", "brokers count clients by software (KIP-511)"),
    set("client.software.version", lavka_api::LAVKA_VERSION, "as above"),
    set("reconnect.backoff.ms", "50", "Java's; librdkafka's 100"),
    set(
        "reconnect.backoff.max.ms",
        "1000",
        "Java's; librdkafka's 10 s would keep a connector waiting after a restart",
    ),
    set("retry.backoff.max.ms", "1000", "Java's"),
    set("socket.connection.setup.timeout.ms", "10000", "Java's; librdkafka's 30 s"),
    set(
        "connections.max.idle.ms",
        "540000",
        "Java's; just below the broker's ten minutes, so that we close first",
    ),
    set(
        "partitioner",
        "murmur2_random",
        "Java's for keyed records; CRC32 would put keys on other partitions",
    ),
    set("linger.ms", "5", "Java's since 4.0 (KIP-1030)"),
    set(
        "batch.size",
        "1000000",
        "librdkafka's. Java's 16384 is per partition of a request, librdkafka sends one batch in a request: with one \
         request in flight, as Connect wants it, small batches would wait for the network most of the time",
    ),
    set("message.max.bytes", "1048576", "Java's max.request.size"),
    set("queue.buffering.max.kbytes", "32768", "Java's buffer.memory, 32 MiB; librdkafka's is a gigabyte"),
    set(
        "queue.buffering.max.messages",
        "100000",
        "bounds what small records cost beyond their bytes; Java has no count",
    ),
    set("delivery.timeout.ms", "120000", "Java's; librdkafka's 5 minutes"),
    set("socket.timeout.ms", "30000", "Java's request.timeout.ms; librdkafka's 60 s"),
    set("max.in.flight.requests.per.connection", "5", "Java's; librdkafka has no limit"),
    set("log.connection.close", "false", "a broker that closes an idle connection is nothing to report"),
];

static CONSUMER: &[Default] = &[
    set("client.id", CLIENT_ID, "the broker's logs and quotas name it; librdkafka's is rdkafka"),
    set("client.software.name", "lavka", "brokers count clients by software (KIP-511)"),
    set("client.software.version", lavka_api::LAVKA_VERSION, "as above"),
    set("reconnect.backoff.ms", "50", "Java's; librdkafka's 100"),
    set(
        "reconnect.backoff.max.ms",
        "1000",
        "Java's; librdkafka's 10 s would keep a connector waiting after a restart",
    ),
    set("retry.backoff.max.ms", "1000", "Java's"),
    set("socket.connection.setup.timeout.ms", "10000", "Java's; librdkafka's 30 s"),
    set(
        "connections.max.idle.ms",
        "540000",
        "Java's; just below the broker's ten minutes, so that we close first",
    ),
    set("socket.timeout.ms", "30000", "Java's request.timeout.ms; librdkafka's 60 s"),
    set("isolation.level", "read_uncommitted", "Java's; librdkafka reads committed records only"),
    set("auto.offset.reset", "latest", "Java's, under the name it has there"),
    set("partition.assignment.strategy", "range", "the one Java's default list and librdkafka's share"),
    set("check.crcs", "true", "Java's; damage shows as an error instead of as data"),
    set(
        "allow.auto.create.topics",
        "true",
        "Java's: a sink on a topic that does not exist yet brings it about",
    ),
    set("enable.auto.commit", "false", "the engine commits what the sink has stored"),
    set("enable.auto.offset.store", "false", "as above"),
    set(
        "fetch.queue.backoff.ms",
        "20",
        "the pause after a full queue; librdkafka's second would starve small queues",
    ),
    set("log.connection.close", "false", "a broker that closes an idle connection is nothing to report"),
];

/// Java's rules on settings that depend on each other, with its error texts, and librdkafka's.
pub(super) fn complete_producer(config: &Config, native: &mut Native) -> Result<()> {
    order_backoff(native);
    compression_level(config, native)?;
    idempotence(native)?;
    let delivery = native.number("delivery.timeout.ms").unwrap_or(0);
    let least = native.number("linger.ms").unwrap_or(0)
        + native.number("request.timeout.ms").unwrap_or(DEFAULT_REQUEST_TIMEOUT);
    if delivery != 0 && delivery < least {
        if value(config, "delivery.timeout.ms").is_some() {
            return Err(Error::config(
                "delivery.timeout.ms should be equal to or larger than linger.ms + request.timeout.ms",
            ));
        }
        native.set("delivery.timeout.ms", least);
    }
    Ok(())
}

/// What librdkafka requires of a producer that sends in transactions: a record that comes after its transaction has
/// timed out is none.
pub(super) fn transactional(id: &str, timeout: Duration, native: &mut Native) -> Result<()> {
    if native.get("enable.idempotence") != Some("true") {
        return Err(Error::config("Cannot set a transactional.id without also enabling idempotence."));
    }
    let timeout = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX).clamp(1000, i64::from(i32::MAX));
    native.set("transactional.id", id);
    native.set("transaction.timeout.ms", timeout);
    for key in ["delivery.timeout.ms", "socket.timeout.ms"] {
        if native.number(key).is_none_or(|ms| ms == 0 || ms > timeout) {
            native.set(key, timeout);
        }
    }
    Ok(())
}

/// The broker's time to collect acknowledgements, equal in Java and librdkafka.
const DEFAULT_REQUEST_TIMEOUT: i64 = 30_000;

/// librdkafka refuses a maximum below the minimum; Java takes the larger.
fn order_backoff(native: &mut Native) {
    for (least, most) in
        [("reconnect.backoff.ms", "reconnect.backoff.max.ms"), ("retry.backoff.ms", "retry.backoff.max.ms")]
    {
        if let Some(number) = native.number(least).filter(|n| *n > native.number(most).unwrap_or(i64::MAX)) {
            native.set(most, number);
        }
    }
}

/// Java has a level for each codec, librdkafka one for that in use, from -1 (the codec's own default) to 12.
fn compression_level(config: &Config, native: &mut Native) -> Result<()> {
    let key = match native.get("compression.type") {
        Some("gzip") => "compression.gzip.level",
        Some("lz4") => "compression.lz4.level",
        Some("zstd") => "compression.zstd.level",
        _ => return Ok(()),
    };
    if let Some(text) = value(config, key) {
        let level = i32::parse(text).map_err(|detail| Error::invalid_value(key, text, detail))?;
        native.set("compression.level", level.clamp(-1, 12));
    }
    Ok(())
}

/// Java turns idempotence on unless the user set something that excludes it; where both were asked for, it refuses.
fn idempotence(native: &mut Native) -> Result<()> {
    let obstacle = if native.get("acks").is_some_and(|acks| acks != "all") {
        Some(
            "Must set acks to all in order to use the idempotent producer. Otherwise we cannot guarantee idempotence.",
        )
    } else if native.number("retries") == Some(0) {
        Some("Must set retries to non-zero when using the idempotent producer.")
    } else if native.number("max.in.flight.requests.per.connection").is_some_and(|n| n > 5) {
        Some("Must set max.in.flight.requests.per.connection to at most 5 to use the idempotent producer.")
    } else {
        None
    };
    match (obstacle, native.get("enable.idempotence")) {
        (Some(text), Some("true")) => return Err(Error::config(text)),
        (obstacle, None) => native.set("enable.idempotence", obstacle.is_none()),
        _ => {}
    }
    Ok(())
}

/// What librdkafka requires of settings that depend on each other, and how much it reads ahead.
pub(super) fn complete_consumer(buffer: Buffer, native: &mut Native) {
    order_backoff(native);
    if native.get("group.protocol") == Some("consumer") {
        // With KIP-848 these are the broker's, and librdkafka refuses them.
        for key in ["session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"] {
            native.0.remove(key);
        }
    } else {
        let session = native.number("session.timeout.ms").unwrap_or(45_000);
        if native.number("max.poll.interval.ms").unwrap_or(300_000) < session {
            native.set("max.poll.interval.ms", session);
        }
    }
    let wait = native.number("fetch.wait.max.ms").unwrap_or(500);
    let answer = native.number("socket.timeout.ms").unwrap_or(30_000);
    if wait + 1000 > answer {
        native.set("fetch.wait.max.ms", (answer - 1000).max(0));
        native.set("socket.timeout.ms", answer.max(1000));
    }
    read_ahead(buffer, native);
}

/// librdkafka's own queues are bounded for each partition, by what was fetched when the next fetch is decided. A quarter
/// of the buffer for each keeps an idle consumer small and a busy one fed; fetches are no larger than the buffer.
fn read_ahead(buffer: Buffer, native: &mut Native) {
    let bytes = i64::try_from(buffer.bytes).unwrap_or(i64::MAX);
    let records = i64::try_from(buffer.records).unwrap_or(i64::MAX);
    native.set("queued.max.messages.kbytes", (bytes / 4 / 1024).clamp(256, 65_536));
    native.set("queued.min.messages", records.clamp(1000, 100_000));
    let fetch = native.number("fetch.max.bytes").unwrap_or_else(|| bytes.clamp(1_048_576, 52_428_800));
    native.set("fetch.max.bytes", fetch);
    // librdkafka wants it below fetch.max.bytes; it bounds requests, and a consumer's are small.
    native.set("message.max.bytes", fetch.min(1_000_000));
}

//! Every key of Java's clients and what becomes of it here.
//!
//! A key that is not in the table is reported by name and otherwise ignored, as Java does.

use lavka_api::config::Kind;

use super::{ClientKind, rules};

/// What becomes of a key's value.
#[derive(Clone, Copy)]
pub(super) enum Rule {
    /// Text that librdkafka takes as it is, under this name.
    Text(&'static str),
    /// `true` or `false`, under this name.
    Flag(&'static str),
    /// A number, under this name, brought into librdkafka's range.
    Number { to: &'static str, kind: Kind, min: i64, max: i64 },
    /// Whatever the function makes of it; it answers values under these names for librdkafka, or the detail of the
    /// error.
    Special { translate: fn(&str) -> rules::Outcome, to: &'static [&'static str] },
    /// Honoured by this crate or the engine instead of by librdkafka; the number or text is checked.
    Ours(Kind),
    /// Read with the rest of the security settings, which come to these names.
    Security(&'static [&'static str]),
    /// Without meaning here, and nobody misses it: a line at debug level says why.
    Moot,
    /// Asks for something that is not offered: a warning says so by name.
    Refused,
}

/// The clients a key belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    All,
    Producer,
    Consumer,
    Admin,
    /// Producer and consumer, but not the admin client.
    Both,
}

impl For {
    pub(super) fn covers(self, kind: ClientKind) -> bool {
        match self {
            For::All => true,
            For::Producer => kind == ClientKind::Producer,
            For::Consumer => kind == ClientKind::Consumer,
            For::Admin => kind == ClientKind::Admin,
            For::Both => kind != ClientKind::Admin,
        }
    }
}

/// One key of Java's clients.
pub(super) struct Row {
    pub(super) key: &'static str,
    pub(super) clients: For,
    pub(super) rule: Rule,
    /// Why the rule is what it is; shown where the key is reported as ignored.
    pub(super) why: &'static str,
}

const fn row(key: &'static str, clients: For, rule: Rule, why: &'static str) -> Row {
    Row { key, clients, rule, why }
}

const fn special(translate: fn(&str) -> rules::Outcome, to: &'static [&'static str]) -> Rule {
    Rule::Special { translate, to }
}

const fn int(to: &'static str, min: i64, max: i64) -> Rule {
    Rule::Number { to, kind: Kind::Int, min, max }
}

const fn long(to: &'static str, min: i64, max: i64) -> Rule {
    Rule::Number { to, kind: Kind::Long, min, max }
}

const I32_MAX: i64 = i32::MAX as i64;
const SERIALIZER: &str = "bytes come from and go to Connect's converters";
const METRICS: &str = "there is no JMX, and what clients measure is not published";
const JVM: &str = "an implementation detail of the JVM";
const OAUTH: &str = "for OAUTHBEARER; tokens are fetched here and handed to librdkafka";
const ASSERTION: &str = "tokens for a signed assertion are not supported";
const BROKER: &str = "for brokers, which validate tokens";

/// The row of `key` for a client of this kind.
pub(super) fn find(kind: ClientKind, key: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.key == key && row.clients.covers(kind))
}

impl Row {
    /// The names that librdkafka gets a value under.
    pub(super) fn names(&self) -> Vec<&'static str> {
        match self.rule {
            Rule::Text(to) | Rule::Flag(to) | Rule::Number { to, .. } => vec![to],
            Rule::Special { to, .. } | Rule::Security(to) => to.to_vec(),
            Rule::Ours(_) | Rule::Moot | Rule::Refused => Vec::new(),
        }
    }
}

/// The names that librdkafka knows are in `CONFIGURATION.md` of its release 2.12; the ranges are those given there.
pub(super) static ROWS: &[Row] = &[
    // All clients.
    row(
        "bootstrap.servers",
        For::All,
        special(rules::bootstrap, &["bootstrap.servers"]),
        "checked for ports first, as Java does",
    ),
    row("client.id", For::All, special(rules::client_id, &["client.id"]), "empty means a default name"),
    row("client.dns.lookup", For::All, Rule::Text("client.dns.lookup"), "same names"),
    row("client.rack", For::All, Rule::Text("client.rack"), "same meaning"),
    row(
        "metadata.max.age.ms",
        For::All,
        long("topic.metadata.refresh.interval.ms", 10, 3_600_000),
        "librdkafka's metadata.max.age.ms is the age at which metadata is thrown away, not refreshed",
    ),
    row(
        "metadata.recovery.strategy",
        For::All,
        special(rules::recovery_strategy, &["metadata.recovery.strategy"]),
        "same names, whatever the case",
    ),
    row(
        "metadata.recovery.rebootstrap.trigger.ms",
        For::All,
        long("metadata.recovery.rebootstrap.trigger.ms", 0, I32_MAX),
        "same meaning",
    ),
    row("reconnect.backoff.ms", For::All, long("reconnect.backoff.ms", 0, 3_600_000), "same meaning"),
    row("reconnect.backoff.max.ms", For::All, long("reconnect.backoff.max.ms", 0, 3_600_000), "same meaning"),
    row("retry.backoff.ms", For::All, long("retry.backoff.ms", 1, 300_000), "same meaning"),
    row("retry.backoff.max.ms", For::All, long("retry.backoff.max.ms", 1, 300_000), "same meaning"),
    row(
        "request.timeout.ms",
        For::Producer,
        special(rules::producer_request_timeout, &["request.timeout.ms", "socket.timeout.ms"]),
        "Java's is the broker's time to collect acknowledgements and the client's time to wait for the answer",
    ),
    row(
        "request.timeout.ms",
        For::All,
        int("socket.timeout.ms", 10, 300_000),
        "the time to wait for an answer",
    ),
    row(
        "default.api.timeout.ms",
        For::All,
        Rule::Ours(Kind::Int),
        "bounds calls of the wire client and commits",
    ),
    row("retries", For::Producer, int("retries", 0, I32_MAX), "same meaning"),
    row("retries", For::All, Rule::Moot, "calls are repeated until default.api.timeout.ms"),
    row(
        "connections.max.idle.ms",
        For::All,
        special(rules::max_idle, &["connections.max.idle.ms"]),
        "-1 is never in Java and 0 in librdkafka",
    ),
    row(
        "socket.connection.setup.timeout.ms",
        For::All,
        long("socket.connection.setup.timeout.ms", 1000, I32_MAX),
        "same meaning",
    ),
    row(
        "socket.connection.setup.timeout.max.ms",
        For::All,
        Rule::Moot,
        "the time to connect does not grow here",
    ),
    row(
        "send.buffer.bytes",
        For::All,
        int("socket.send.buffer.bytes", 0, 100_000_000),
        "-1 is the system's default in Java, 0 in librdkafka",
    ),
    row(
        "receive.buffer.bytes",
        For::All,
        int("socket.receive.buffer.bytes", 0, 100_000_000),
        "-1 is the system's default in Java, 0 in librdkafka",
    ),
    row("enable.metrics.push", For::All, Rule::Flag("enable.metrics.push"), "same meaning"),
    row("metric.reporters", For::All, Rule::Moot, METRICS),
    row("auto.include.jmx.reporter", For::All, Rule::Moot, METRICS),
    row("metrics.num.samples", For::All, Rule::Moot, METRICS),
    row("metrics.recording.level", For::All, Rule::Moot, METRICS),
    row("metrics.sample.window.ms", For::All, Rule::Moot, METRICS),
    row("security.providers", For::All, Rule::Moot, JVM),
    row(
        "config.providers",
        For::All,
        Rule::Moot,
        "variables are resolved before a client sees its configuration",
    ),
    row(
        "interceptor.classes",
        For::Both,
        Rule::Moot,
        "Java classes cannot be loaded; what interceptors observe is in the metrics",
    ),
    // Security.
    row("security.protocol", For::All, Rule::Security(&["security.protocol"]), "same names"),
    row("ssl.truststore.type", For::All, Rule::Security(&[]), "must be PEM"),
    row(
        "ssl.truststore.location",
        For::All,
        Rule::Security(&["ssl.ca.location"]),
        "without it the system's certificates are trusted",
    ),
    row("ssl.truststore.certificates", For::All, Rule::Security(&["ssl.ca.pem"]), "same meaning"),
    row("ssl.truststore.password", For::All, Rule::Moot, "certificates in PEM have no password"),
    row("ssl.keystore.type", For::All, Rule::Security(&[]), "must be PEM"),
    row(
        "ssl.keystore.location",
        For::All,
        Rule::Security(&["ssl.certificate.location", "ssl.key.location"]),
        "one file holds both",
    ),
    row("ssl.keystore.certificate.chain", For::All, Rule::Security(&["ssl.certificate.pem"]), "same meaning"),
    row("ssl.keystore.key", For::All, Rule::Security(&["ssl.key.pem"]), "same meaning"),
    row(
        "ssl.keystore.password",
        For::All,
        Rule::Moot,
        "a PEM file has no password of its own, see ssl.key.password",
    ),
    row("ssl.key.password", For::All, Rule::Security(&["ssl.key.password"]), "same meaning"),
    row(
        "ssl.endpoint.identification.algorithm",
        For::All,
        Rule::Security(&["ssl.endpoint.identification.algorithm"]),
        "empty is none in librdkafka",
    ),
    row("ssl.protocol", For::All, Rule::Moot, "TLS 1.3 and 1.2 are offered, the better one is used"),
    row("ssl.enabled.protocols", For::All, Rule::Moot, "TLS 1.3 and 1.2 are offered, the better one is used"),
    row(
        "ssl.cipher.suites",
        For::All,
        Rule::Refused,
        "the names are Java's; the TLS library's own choice is used",
    ),
    row("ssl.provider", For::All, Rule::Moot, JVM),
    row("ssl.keymanager.algorithm", For::All, Rule::Moot, JVM),
    row("ssl.trustmanager.algorithm", For::All, Rule::Moot, JVM),
    row("ssl.secure.random.implementation", For::All, Rule::Moot, JVM),
    row("ssl.engine.factory.class", For::All, Rule::Refused, "Java classes cannot be loaded"),
    row(
        "sasl.mechanism",
        For::All,
        Rule::Security(&["sasl.mechanism"]),
        "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER",
    ),
    row(
        "sasl.jaas.config",
        For::All,
        Rule::Security(&["sasl.username", "sasl.password"]),
        "username and password of PlainLoginModule and ScramLoginModule; where OAuthBearerLoginModule gets tokens from",
    ),
    row("sasl.client.callback.handler.class", For::All, Rule::Refused, "Java classes cannot be loaded"),
    row(
        "sasl.login.callback.handler.class",
        For::All,
        Rule::Security(&[]),
        "Java's own for OAUTHBEARER; others cannot be loaded",
    ),
    row("sasl.login.class", For::All, Rule::Refused, "Java classes cannot be loaded"),
    row(
        "sasl.login.refresh.buffer.seconds",
        For::All,
        Rule::Moot,
        "a token is renewed when a fifth of its life is left",
    ),
    row(
        "sasl.login.refresh.min.period.seconds",
        For::All,
        Rule::Moot,
        "a token is renewed when a fifth of its life is left",
    ),
    row(
        "sasl.login.refresh.window.factor",
        For::All,
        Rule::Moot,
        "a token is renewed when a fifth of its life is left",
    ),
    row(
        "sasl.login.refresh.window.jitter",
        For::All,
        Rule::Moot,
        "a token is renewed when a fifth of its life is left",
    ),
    row("sasl.login.connect.timeout.ms", For::All, Rule::Security(&[]), OAUTH),
    row("sasl.login.read.timeout.ms", For::All, Rule::Security(&[]), OAUTH),
    row("sasl.login.retry.backoff.ms", For::All, Rule::Security(&[]), OAUTH),
    row("sasl.login.retry.backoff.max.ms", For::All, Rule::Security(&[]), OAUTH),
    row("sasl.oauthbearer.token.endpoint.url", For::All, Rule::Security(&[]), OAUTH),
    row("sasl.oauthbearer.client.credentials.client.id", For::All, Rule::Security(&[]), OAUTH),
    row("sasl.oauthbearer.client.credentials.client.secret", For::All, Rule::Security(&[]), OAUTH),
    row("sasl.oauthbearer.scope", For::All, Rule::Security(&[]), OAUTH),
    row("sasl.oauthbearer.header.urlencode", For::All, Rule::Security(&[]), OAUTH),
    row("sasl.oauthbearer.sub.claim.name", For::All, Rule::Security(&[]), OAUTH),
    row("sasl.oauthbearer.jwt.retriever.class", For::All, Rule::Security(&[]), OAUTH),
    row("sasl.oauthbearer.scope.claim.name", For::All, Rule::Moot, BROKER),
    row("sasl.oauthbearer.jwt.validator.class", For::All, Rule::Moot, BROKER),
    row("sasl.oauthbearer.clock.skew.seconds", For::All, Rule::Moot, BROKER),
    row("sasl.oauthbearer.expected.audience", For::All, Rule::Moot, BROKER),
    row("sasl.oauthbearer.expected.issuer", For::All, Rule::Moot, BROKER),
    row("sasl.oauthbearer.jwks.endpoint.refresh.ms", For::All, Rule::Moot, BROKER),
    row("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", For::All, Rule::Moot, BROKER),
    row("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", For::All, Rule::Moot, BROKER),
    row("sasl.oauthbearer.jwks.endpoint.url", For::All, Rule::Moot, BROKER),
    row("sasl.oauthbearer.assertion.algorithm", For::All, Rule::Refused, ASSERTION),
    row("sasl.oauthbearer.assertion.claim.aud", For::All, Rule::Refused, ASSERTION),
    row("sasl.oauthbearer.assertion.claim.exp.seconds", For::All, Rule::Refused, ASSERTION),
    row("sasl.oauthbearer.assertion.claim.iss", For::All, Rule::Refused, ASSERTION),
    row("sasl.oauthbearer.assertion.claim.jti.include", For::All, Rule::Refused, ASSERTION),
    row("sasl.oauthbearer.assertion.claim.nbf.seconds", For::All, Rule::Refused, ASSERTION),
    row("sasl.oauthbearer.assertion.claim.sub", For::All, Rule::Refused, ASSERTION),
    row("sasl.oauthbearer.assertion.file", For::All, Rule::Refused, ASSERTION),
    row("sasl.oauthbearer.assertion.private.key.file", For::All, Rule::Refused, ASSERTION),
    row("sasl.oauthbearer.assertion.private.key.passphrase", For::All, Rule::Refused, ASSERTION),
    row("sasl.oauthbearer.assertion.template.file", For::All, Rule::Refused, ASSERTION),
    row("sasl.kerberos.kinit.cmd", For::All, Rule::Moot, "GSSAPI is refused by sasl.mechanism"),
    row("sasl.kerberos.min.time.before.relogin", For::All, Rule::Moot, "GSSAPI is refused by sasl.mechanism"),
    row("sasl.kerberos.service.name", For::All, Rule::Moot, "GSSAPI is refused by sasl.mechanism"),
    row("sasl.kerberos.ticket.renew.jitter", For::All, Rule::Moot, "GSSAPI is refused by sasl.mechanism"),
    row(
        "sasl.kerberos.ticket.renew.window.factor",
        For::All,
        Rule::Moot,
        "GSSAPI is refused by sasl.mechanism",
    ),
    // Admin clients.
    row("bootstrap.controllers", For::Admin, Rule::Refused, "brokers are asked, by bootstrap.servers"),
    // Producer.
    row("acks", For::Producer, special(rules::acks, &["acks"]), "same names"),
    row("compression.type", For::Producer, special(rules::compression, &["compression.type"]), "same names"),
    row(
        "compression.gzip.level",
        For::Producer,
        Rule::Ours(Kind::Int),
        "counts where compression.type is gzip",
    ),
    row(
        "compression.lz4.level",
        For::Producer,
        Rule::Ours(Kind::Int),
        "counts where compression.type is lz4",
    ),
    row(
        "compression.zstd.level",
        For::Producer,
        Rule::Ours(Kind::Int),
        "counts where compression.type is zstd",
    ),
    row("linger.ms", For::Producer, long("linger.ms", 0, 900_000), "same meaning"),
    row(
        "batch.size",
        For::Producer,
        int("batch.size", 1, I32_MAX),
        "same meaning; librdkafka sends one batch in a request, Java one for each partition",
    ),
    row(
        "buffer.memory",
        For::Producer,
        special(rules::buffer_memory, &["queue.buffering.max.kbytes"]),
        "kilobytes in librdkafka",
    ),
    row(
        "max.request.size",
        For::Producer,
        int("message.max.bytes", 1000, 1_000_000_000),
        "bounds a record and a request in both",
    ),
    row(
        "delivery.timeout.ms",
        For::Producer,
        special(rules::delivery_timeout, &["delivery.timeout.ms"]),
        "2147483647, which Connect sets for ever, is 0 in librdkafka",
    ),
    row("enable.idempotence", For::Producer, Rule::Flag("enable.idempotence"), "same meaning"),
    row(
        "max.in.flight.requests.per.connection",
        For::Producer,
        int("max.in.flight.requests.per.connection", 1, 1_000_000),
        "same meaning",
    ),
    row(
        "max.block.ms",
        For::Producer,
        Rule::Ours(Kind::Long),
        "sending never blocks; a full queue stops the source",
    ),
    row(
        "partitioner.class",
        For::Producer,
        Rule::Refused,
        "keyed records go by murmur2 as in Java, others at random",
    ),
    row("partitioner.ignore.keys", For::Producer, Rule::Refused, "keyed records go by murmur2 as in Java"),
    row(
        "partitioner.adaptive.partitioning.enable",
        For::Producer,
        Rule::Moot,
        "records without key go at random",
    ),
    row("partitioner.availability.timeout.ms", For::Producer, Rule::Moot, "records without key go at random"),
    row(
        "metadata.max.idle.ms",
        For::Producer,
        Rule::Moot,
        "topics are remembered as long as the producer lives",
    ),
    row(
        "transactional.id",
        For::Producer,
        Rule::Refused,
        "exactly-once is set by the worker, not by client settings",
    ),
    row(
        "transaction.two.phase.commit.enable",
        For::Producer,
        Rule::Refused,
        "exactly-once is set by the worker, not by client settings",
    ),
    row(
        "transaction.timeout.ms",
        For::Producer,
        Rule::Ours(Kind::Int),
        "bounds the transactions of exactly-once sources; also how long one record of theirs may take",
    ),
    row("key.serializer", For::Producer, Rule::Moot, SERIALIZER),
    row("value.serializer", For::Producer, Rule::Moot, SERIALIZER),
    // Consumer.
    row("group.id", For::Consumer, Rule::Text("group.id"), "same meaning"),
    row("group.instance.id", For::Consumer, Rule::Text("group.instance.id"), "same meaning"),
    row("group.protocol", For::Consumer, special(rules::group_protocol, &["group.protocol"]), "same names"),
    row("group.remote.assignor", For::Consumer, Rule::Text("group.remote.assignor"), "same meaning"),
    row(
        "auto.offset.reset",
        For::Consumer,
        special(rules::offset_reset, &["auto.offset.reset"]),
        "none is error in librdkafka",
    ),
    row(
        "isolation.level",
        For::Consumer,
        special(rules::isolation, &["isolation.level"]),
        "same names, another default",
    ),
    row("isolation.level", For::All, Rule::Ours(Kind::String), "decides what the end of a partition is"),
    row("session.timeout.ms", For::Consumer, int("session.timeout.ms", 1, 3_600_000), "same meaning"),
    row("heartbeat.interval.ms", For::Consumer, int("heartbeat.interval.ms", 1, 3_600_000), "same meaning"),
    row("max.poll.interval.ms", For::Consumer, int("max.poll.interval.ms", 1, 86_400_000), "same meaning"),
    row(
        "max.poll.records",
        For::Consumer,
        Rule::Ours(Kind::Int),
        "bounds the batches that a sink task is given",
    ),
    row("fetch.min.bytes", For::Consumer, int("fetch.min.bytes", 1, 100_000_000), "same meaning"),
    row("fetch.max.bytes", For::Consumer, int("fetch.max.bytes", 1000, 2_147_483_135), "same meaning"),
    row("fetch.max.wait.ms", For::Consumer, int("fetch.wait.max.ms", 0, 300_000), "another name"),
    row(
        "max.partition.fetch.bytes",
        For::Consumer,
        int("max.partition.fetch.bytes", 1, 1_000_000_000),
        "same meaning",
    ),
    row(
        "partition.assignment.strategy",
        For::Consumer,
        special(rules::assignment_strategy, &["partition.assignment.strategy"]),
        "Java's class names stand for librdkafka's short names",
    ),
    row("check.crcs", For::Consumer, Rule::Flag("check.crcs"), "same meaning, another default"),
    row("allow.auto.create.topics", For::Consumer, Rule::Flag("allow.auto.create.topics"), "another default"),
    row("enable.auto.commit", For::Consumer, special(rules::auto_commit, &[]), "the engine commits"),
    row("auto.commit.interval.ms", For::Consumer, Rule::Moot, "the engine commits"),
    row("exclude.internal.topics", For::Consumer, Rule::Moot, "topics.regex never matches internal topics"),
    row(
        "share.acknowledgement.mode",
        For::Consumer,
        Rule::Moot,
        "sinks read by consumer groups, not by share groups",
    ),
    row(
        "share.acquire.mode",
        For::Consumer,
        Rule::Moot,
        "sinks read by consumer groups, not by share groups",
    ),
    row("key.deserializer", For::Consumer, Rule::Moot, SERIALIZER),
    row("value.deserializer", For::Consumer, Rule::Moot, SERIALIZER),
];

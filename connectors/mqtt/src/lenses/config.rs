//! Lenses' keys, and what each is in the source's own.

use lavka_api::config::{Check, Config, Password, key};

use super::statement::Statement;

const CONNECTION: &str = "Connection";
const SSL: &str = "SSL";
const KCQL: &str = "KCQL";
const CONVERTER: &str = "Converter";
const MANAGER: &str = "Manager";

lavka_api::config! {
    /// Settings of Lenses' MQTT source.
    pub(crate) struct LensesConfig {
        pub(crate) hosts: String = key("connect.mqtt.hosts").high().group(CONNECTION)
            .check(Check::new("tcp://, ssl://, ws:// or wss:// with host and port", |text| {
                servers(text).try_for_each(|uri| crate::server::Server::parse(&uri).map(drop))
            }))
            .doc("MQTT servers, tcp://host:1883 or ssl://host:8883, with commas between them. They are tried in order until \
                  one answers. Here: mqtt.server.uri."),
        pub(crate) user: Option<String> = key("connect.mqtt.username").high().group(CONNECTION)
            .doc("User name. Here: mqtt.username."),
        pub(crate) password: Option<Password> = key("connect.mqtt.password").high().group(CONNECTION)
            .doc("Password. Here: mqtt.password."),
        pub(crate) qos: i32 = key("connect.mqtt.service.quality").group(CONNECTION)
            .check(Check::between(0, 2))
            .doc("Quality of service asked for: 0 at most once, 1 at least once, 2 exactly once as far as the connector. \
                  With 1 and 2 a message is acknowledged only after Kafka has acknowledged its record. Here: mqtt.qos."),
        pub(crate) timeout: i32 = key("connect.mqtt.timeout").default(3000).low().group(CONNECTION)
            .check(Check::at_least(1))
            .doc("How long to wait for a connection to be accepted, in seconds, as Lenses' client has it. Here: \
                  mqtt.connect.timeout.seconds."),
        pub(crate) clean: bool = key("connect.mqtt.clean").default(true).low().group(CONNECTION)
            .doc("Whether the server forgets the subscription when the task is away. It must be false for at least once \
                  delivery. Here: mqtt.clean.session.enabled."),
        pub(crate) keep_alive: i32 = key("connect.mqtt.keep.alive").default(5000).low().group(CONNECTION)
            .check(Check::between(1, 65_535))
            .doc("How often to ping an idle server, in seconds, as Lenses' client has it. Here: \
                  mqtt.keepalive.interval.seconds."),
        pub(crate) client_id: Option<String> = key("connect.mqtt.client.id").low().group(CONNECTION)
            .doc("The client id; with several tasks a hyphen and the task's number follow. By default lavka-, the \
                  connector's name and the task's number. Here: lavka.mqtt.client.id."),
        pub(crate) ca: Option<String> = key("connect.mqtt.ssl.ca.cert").group(SSL)
            .doc("PEM file with the certificates that a server's certificate is checked against. Here: \
                  lavka.mqtt.ssl.ca.pem."),
        pub(crate) cert: Option<String> = key("connect.mqtt.ssl.cert").group(SSL)
            .doc("PEM file with the client's certificate. Here: lavka.mqtt.ssl.cert.pem."),
        pub(crate) key: Option<String> = key("connect.mqtt.ssl.key").group(SSL)
            .doc("PEM file with the client's private key. Here: lavka.mqtt.ssl.key.pem."),
        pub(crate) kcql: String = key("connect.mqtt.kcql").high().group(KCQL)
            .check(Check::new("KCQL", |text| Statement::parse_all(text).map(drop)))
            .doc("Statements with ; between them: INSERT INTO <topic> SELECT * FROM <filter> [WITHCONVERTER=`<class>`] \
                  [WITHKEY(<field>, ...)] [KEYDELIMITER='.'] [WITHREGEX=`<regex>`]. The topic `$` is made of the MQTT topic. \
                  Converters: BytesConverter, which is the default, and JsonSimpleConverter. Here the filters are mqtt.topics."),
        pub(crate) throw_on_error: bool = key("connect.mqtt.converter.throw.on.error").default(false).high().group(CONVERTER)
            .doc("Whether a message that cannot be converted fails the task. Otherwise it is logged, counted and left out."),
        pub(crate) avro_schemas: String = key("connect.converter.avro.schemas").default("").high().group(CONVERTER)
            .check(Check::new("empty", |text| match text.trim() {
                "" => Ok(()),
                _ => Err("Lenses' AvroConverter is not there; use BytesConverter and a value.converter that takes bytes".into()),
            }))
            .doc("Schemas for Lenses' AvroConverter, which is not supported."),
        pub(crate) replicate_shared: bool = key("connect.mqtt.share.replicate").default(false).low().group(MANAGER)
            .doc("Whether statements about shared subscriptions ($share/group/filter) go to every task, so that the server \
                  spreads their messages over the tasks. Here: lavka.mqtt.share.every.task."),
        pub(crate) polling_timeout: i32 = key("connect.mqtt.polling.timeout").default(1000).low().group(MANAGER)
            .doc("Accepted for compatibility, without effect: an idle task sleeps until a message arrives."),
        pub(crate) log_message: bool = key("connect.mqtt.log.message").default(false).group(MANAGER)
            .doc("Accepted for compatibility, without effect: payloads are not for the log."),
        pub(crate) process_duplicates: bool = key("connect.mqtt.process.duplicates").default(false).low().group(CONNECTION)
            .doc("Accepted for compatibility, without effect: a message that is marked as a duplicate is always taken, \
                  because the mark does not say that Kafka has it."),
        pub(crate) progress: bool = key("connect.progress.enabled").default(false).group(MANAGER)
            .doc("Accepted for compatibility, without effect: metrics tell how many records there were."),
    }
}

/// The servers in `hosts`, those without a scheme as plain TCP.
pub(crate) fn servers(hosts: &str) -> impl Iterator<Item = String> {
    hosts.split(',').map(str::trim).filter(|host| !host.is_empty()).map(|host| match host.contains("://") {
        true => host.to_owned(),
        false => format!("tcp://{host}"),
    })
}

impl LensesConfig {
    /// The same in the source's own keys. Those that begin with `lavka.` are taken over from `config` as they are.
    pub(crate) fn translated(&self, config: &Config, statements: &[Statement]) -> Config {
        let filters: Vec<&str> = statements.iter().map(|statement| statement.filter.as_str()).collect();
        let mut own = Config::new();
        for (name, value) in config.iter().filter(|(name, _)| name.starts_with("lavka.")) {
            own.set(name, value.unwrap_or_default());
        }
        own.set("mqtt.server.uri", servers(&self.hosts).collect::<Vec<_>>().join(","));
        own.set("mqtt.topics", filters.join(","));
        own.set("mqtt.qos", self.qos.to_string());
        own.set("mqtt.username", self.user.clone().unwrap_or_default());
        let password = self.password.as_ref().map(|password| password.reveal().to_owned());
        own.set("mqtt.password", password.unwrap_or_default());
        own.set("mqtt.clean.session.enabled", self.clean.to_string());
        own.set("mqtt.connect.timeout.seconds", self.timeout.to_string());
        own.set("mqtt.keepalive.interval.seconds", self.keep_alive.to_string());
        let files = [("ca", &self.ca), ("cert", &self.cert), ("key", &self.key)];
        for (part, file) in files {
            if let Some(file) = file {
                own.set(format!("lavka.mqtt.ssl.{part}.pem"), file.as_str());
            }
        }
        own
    }

    /// What is wrong beyond single keys, as Lenses has it.
    pub(crate) fn certificates(&self) -> Result<(), String> {
        all_or_none([&self.ca, &self.cert, &self.key])
    }
}

/// Lenses takes all three files or none.
pub(crate) fn all_or_none(files: [&Option<String>; 3]) -> Result<(), String> {
    match files.into_iter().flatten().count() {
        0 | 3 => Ok(()),
        _ => Err("You can't define one of the connect.mqtt.ssl.ca.cert,connect.mqtt.ssl.cert, connect.mqtt.ssl.key \
                  without the other"
            .into()),
    }
}

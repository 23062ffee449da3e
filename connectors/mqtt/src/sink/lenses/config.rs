//! Lenses' keys, and what each is in the sink's own.

use lavka_api::config::{Check, Config, KeyError, Password, key};

use super::statement::Statement;
use crate::lenses::keys::{self, CONNECTION, set_reach};
use crate::lenses::schema_files::{AVRO_SCHEMAS, AvroSchemas, CONVERTER, SchemaFiles, avro_schemas, missing};

const KCQL: &str = "KCQL";
const METRICS: &str = "Metrics";

lavka_api::config! {
    /// Settings of Lenses' MQTT sink.
    pub(crate) struct LensesSinkConfig {
        pub(crate) hosts: String = keys::hosts(),
        pub(crate) user: Option<String> = keys::user(),
        pub(crate) password: Option<Password> = keys::password(),
        pub(crate) qos: i32 = key("connect.mqtt.service.quality").group(CONNECTION)
            .check(Check::between(0, 2))
            .doc("Quality of service: 0 at most once, 1 at least once, 2 exactly once as far as one connection lasts. Here: \
                  mqtt.qos."),
        pub(crate) timeout: i32 = keys::timeout(),
        pub(crate) clean: bool = key("connect.mqtt.clean").default(true).low().group(CONNECTION)
            .doc("Accepted for compatibility, without effect: the session of a sink ends with its connection. What was not \
                  acknowledged is sent again in any case."),
        pub(crate) keep_alive: i32 = keys::keep_alive(),
        pub(crate) client_id: Option<String> = keys::client_id(),
        pub(crate) retained: bool = key("connect.mqtt.retained.messages").default(false).group(CONNECTION)
            .doc("Whether the server keeps the last message of each topic. Here: mqtt.retained.enabled."),
        pub(crate) error_policy: String = key("connect.mqtt.error.policy").default("THROW").high().group(CONNECTION)
            .check(Check::one_of_ignoring_case(&["THROW", "NOOP", "RETRY"]))
            .doc("What a failure leads to. THROW: the task fails when the server was away for 30 s, and at a record that \
                  cannot be published (unless errors.tolerance takes it). RETRY: as THROW, with \
                  connect.mqtt.max.retries tries. NOOP: records that cannot be published are logged and left out; while \
                  the server is away the task goes on trying."),
        pub(crate) retry_interval: i32 = key("connect.mqtt.retry.interval").default(60_000).group(CONNECTION)
            .check(Check::at_least(1))
            .doc("Milliseconds between two tries with connect.mqtt.error.policy=RETRY."),
        pub(crate) max_retries: i32 = key("connect.mqtt.max.retries").default(20).group(CONNECTION)
            .check(Check::at_least(0))
            .doc("How often a batch is tried again with connect.mqtt.error.policy=RETRY. Here, times \
                  connect.mqtt.retry.interval: max.retry.time.ms."),
        pub(crate) ca: Option<String> = keys::ca(),
        pub(crate) cert: Option<String> = keys::cert(),
        pub(crate) key: Option<String> = keys::private_key(),
        pub(crate) kcql: String = key("connect.mqtt.kcql").high().group(KCQL)
            .check(Check::new("KCQL", |text| Statement::parse_all(text).map(drop)))
            .doc("Statements with ; between them: INSERT INTO <MQTT topic> SELECT *|<field> [AS <name>], ... FROM <Kafka \
                  topic> [WITHCONVERTER=`<class>`] [WITHTARGET=<field>] \
                  [PROPERTIES('mqtt.target.from.field'='true')]. The target `_key` is the \
                  record's key, `_topic` its topic. Bytes and texts go out as they are, everything else as JSON; with \
                  WITHCONVERTER=`AvroConverter` it is Avro, by the schema in connect.converter.avro.schemas."),
        pub(crate) throw_on_error: bool = key("connect.mqtt.converter.throw.on.error").default(false).high().group(CONVERTER)
            .doc("Accepted for compatibility, without effect on a sink: connect.mqtt.error.policy decides."),
        pub(crate) avro_schemas: String = avro_schemas(AVRO_SCHEMAS)
            .doc("Files with the Avro schemas of statements with AvroConverter: <Kafka topic>=<file>, with ; between them; upper \
                  and lower case of topics do not matter."),
        pub(crate) progress: bool = key("connect.progress.enabled").default(false).group(METRICS)
            .doc("Accepted for compatibility, without effect: metrics tell how many records there were."),
    }
}

impl LensesSinkConfig {
    /// The same in the sink's own keys. Those that begin with `lavka.` are taken over from `config` as they are.
    pub(crate) fn translated(&self, config: &Config) -> Config {
        let mut own = keys::taken_over(config);
        let retry_for = match self.error_policy.to_ascii_uppercase().as_str() {
            "NOOP" => -1,
            "RETRY" => i64::from(self.max_retries) * i64::from(self.retry_interval),
            _ => 30_000,
        };
        own.set("max.retry.time.ms", retry_for.to_string());
        own.set("mqtt.retained.enabled", self.retained.to_string());
        set_reach!(own, self);
        own
    }

    /// The Avro schemas in files. Blocks.
    ///
    /// # Errors
    /// What is wrong with one of them, or with a statement that lacks its own.
    pub(crate) fn schemas(&self, statements: &[Statement]) -> Result<AvroSchemas, KeyError> {
        let at_key = |what| KeyError::new(AVRO_SCHEMAS, what);
        let schemas =
            SchemaFiles::parse(&self.avro_schemas).and_then(|files| files.read()).map_err(at_key)?;
        let mut avro = statements.iter().filter(|statement| statement.avro);
        match avro.find(|statement| schemas.of(&statement.source).is_none()) {
            Some(statement) => Err(at_key(missing(&statement.source))),
            None => Ok(schemas),
        }
    }

    /// Milliseconds between two tries, where Lenses' keys say it.
    pub(crate) fn retry_every(&self) -> Option<u64> {
        let retries = self.error_policy.eq_ignore_ascii_case("RETRY");
        retries.then(|| u64::from(self.retry_interval.unsigned_abs()))
    }

    /// Whether records that cannot be published are left out.
    pub(crate) fn leaves_out(&self) -> bool {
        self.error_policy.eq_ignore_ascii_case("NOOP")
    }
}

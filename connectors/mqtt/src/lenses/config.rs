//! Lenses' keys, and what each is in the source's own.

use lavka_api::Result;
use lavka_api::config::{Check, Config, ConfigSpec as _, KeyError, Password, key};

use super::converter::Converter;
use super::keys::{self, CONNECTION, all_or_none, set_reach};
use super::record::{Conversions, KEY_NAME, OLD_KEY_NAME};
use super::schema_files::{AVRO_SCHEMAS, AvroSchemas, CONVERTER, SchemaFiles, avro_schemas};
use super::statement::Statement;
use crate::config::MqttConfig;

const KCQL: &str = "KCQL";
const MANAGER: &str = "Manager";

lavka_api::config! {
    /// Settings of Lenses' MQTT source.
    pub(crate) struct LensesConfig {
        pub(crate) hosts: String = keys::hosts(),
        pub(crate) user: Option<String> = keys::user(),
        pub(crate) password: Option<Password> = keys::password(),
        pub(crate) qos: i32 = key("connect.mqtt.service.quality").group(CONNECTION)
            .check(Check::between(0, 2))
            .doc("Quality of service asked for: 0 at most once, 1 at least once, 2 exactly once as far as the connector. \
                  With 1 and 2 a message is acknowledged only after Kafka has acknowledged its record. Here: mqtt.qos."),
        pub(crate) timeout: i32 = keys::timeout(),
        pub(crate) clean: bool = key("connect.mqtt.clean").default(true).low().group(CONNECTION)
            .doc("Whether the server forgets the subscription when the task is away. It must be false for at least once \
                  delivery. Here: mqtt.clean.session.enabled."),
        pub(crate) keep_alive: i32 = keys::keep_alive(),
        pub(crate) client_id: Option<String> = keys::client_id(),
        pub(crate) ca: Option<String> = keys::ca(),
        pub(crate) cert: Option<String> = keys::cert(),
        pub(crate) key: Option<String> = keys::private_key(),
        pub(crate) kcql: String = key("connect.mqtt.kcql").high().group(KCQL)
            .check(Check::new("KCQL", |text| Statement::parse_all(text).map(drop)))
            .doc("Statements with ; between them: INSERT INTO <topic> SELECT * FROM <filter> [WITHCONVERTER=`<class>`] \
                  [WITHKEY(<field>, ...)] [KEYDELIMITER='.'] [WITHREGEX=`<regex>`]. The topic `$` is made of the MQTT topic. \
                  Converters: BytesConverter, which is the default, JsonSimpleConverter, JsonOptNullConverter, \
                  JsonConverterWithSchemaEvolution, JsonPassThroughConverter and AvroConverter. Here the filters are \
                  mqtt.topics."),
        pub(crate) throw_on_error: bool = key("connect.mqtt.converter.throw.on.error").default(false).high().group(CONVERTER)
            .doc("Whether a message that cannot be converted fails the task. Otherwise it is logged, counted and left out."),
        pub(crate) avro_schemas: String = avro_schemas(AVRO_SCHEMAS)
            .doc("Files with the Avro schemas of statements with AvroConverter: <filter>=<file>, with ; between them; upper and \
                  lower case of filters do not matter. With one of them the filter stands in all keys and names of schemas \
                  in place of the MQTT topic, as with Lenses."),
        pub(crate) source_avro_schemas: String = avro_schemas("connect.source.converter.avro.schemas").low()
            .doc("As connect.converter.avro.schemas, which takes filters alone; here topics may stand as well, and they stay in \
                  keys and names."),
        pub(crate) bare_avro_schemas: String = avro_schemas("avro.schemas").low()
            .doc("As connect.source.converter.avro.schemas, under the name that newer releases of Lenses look for first."),
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

impl LensesConfig {
    /// The same as settings of the source. Keys that begin with `lavka.` are taken over from `config` as they are.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub(crate) fn own(&self, config: &Config, statements: &[Statement]) -> Result<MqttConfig> {
        let mut own = keys::taken_over(config);
        // Names in backticks may have commas, which the text of a list cannot tell from those between its items.
        own.set("mqtt.topics", "#");
        set_reach!(own, self);
        let topics = statements.iter().map(|statement| statement.filter.clone()).collect();
        Ok(MqttConfig { topics, ..MqttConfig::from_config(&own)? })
    }

    /// How messages become records; `config` is where these settings are from.
    pub(crate) fn conversions(&self, config: &Config, statements: Vec<Statement>) -> Conversions {
        let class = config.get("connector.class").unwrap_or_default();
        Conversions {
            statements,
            throw_on_error: self.throw_on_error,
            named_by_filter: !self.avro_schemas.trim().is_empty(),
            key_name: if class.starts_with("com.datamountaineer.") { OLD_KEY_NAME } else { KEY_NAME },
        }
    }

    /// The Avro schemas in files. Blocks.
    ///
    /// # Errors
    /// What is wrong with one of them, or with a statement that lacks its own.
    pub(crate) fn schemas(&self, statements: &[Statement]) -> Result<AvroSchemas, KeyError> {
        let lists = [&*self.source_avro_schemas, &*self.bare_avro_schemas, &*self.avro_schemas];
        let at_key = |what| KeyError::new(AVRO_SCHEMAS, what);
        let schemas = SchemaFiles::of_all(&lists).and_then(|files| files.read()).map_err(at_key)?;
        match statements.iter().find_map(|statement| Converter::new(statement, &schemas).err()) {
            Some(error) => Err(at_key(error.message().unwrap_or_default().to_owned())),
            None => Ok(schemas),
        }
    }

    /// What is wrong beyond single keys, as Lenses has it.
    pub(crate) fn certificates(&self) -> Result<(), String> {
        all_or_none([&self.ca, &self.cert, &self.key])
    }
}

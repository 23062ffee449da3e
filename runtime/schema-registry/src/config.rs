//! The keys that all converters with a registry share.

use std::fmt;
use std::time::Duration;

use lavka_api::Result;
use lavka_api::config::{Check, ClassName, Config, ConfigSpec, ConfigType, Kind, Password, key};
use lavka_api::plugin::ConverterRole;

use crate::java::JavaConfig;
use crate::schema::Guid;
use crate::subject::SubjectStrategy;
use crate::unsupported;
use crate::wire::{IdForm, IdPlace};

const TOPIC_NAME: &str = "io.confluent.kafka.serializers.subject.TopicNameStrategy";
const NULL_CONTEXT: &str = "io.confluent.kafka.serializers.context.NullContextNameStrategy";
const PREFIX_SERIALIZER: &str = "io.confluent.kafka.serializers.schema.id.PrefixSchemaIdSerializer";
const DUAL_DESERIALIZER: &str = "io.confluent.kafka.serializers.schema.id.DualSchemaIdDeserializer";
const ID_PACKAGE: &str = "io.confluent.kafka.serializers.schema.id.";

lavka_api::config! {
    /// What Confluent's converters share, under their keys and with their defaults. A converter has them in its own
    /// definition:
    ///
    /// ```
    /// use lavka_api::config::{Config, ConfigDef, ConfigSpec, key};
    ///
    /// lavka_api::config! {
    ///     struct MyConfig {
    ///         scrub: bool = key("scrub.invalid.names").default(false).doc("Whether names are made to fit."),
    ///     }
    /// }
    ///
    /// fn definition() -> ConfigDef {
    ///     let mut all = lavka_schema_registry::definition();
    ///     all.extend(MyConfig::definition());
    ///     all
    /// }
    /// assert!(definition().get("schema.registry.url").is_some() && definition().get("scrub.invalid.names").is_some());
    /// ```
    pub struct RegistryConfig {
        /// Where the registry is.
        pub urls: Urls = key("schema.registry.url")
            .high()
            .check(Check::non_empty_list())
            .check(unsupported::urls())
            .doc("URLs of the registry, separated by commas; where one does not answer, the next is asked. User and \
                 password may stand before the host: http://user:password@host:8081."),
        /// Whether a request begins at any of the URLs.
        pub randomize: bool = key("schema.registry.url.randomize")
            .default(false)
            .low()
            .doc("Whether the first URL asked is chosen at random, instead of being the first of the list."),
        /// Bound of the caches.
        pub max_schemas: i32 = key("max.schemas.per.subject")
            .default(1000)
            .low()
            .check(Check::at_least(1))
            .doc("How many schemas are remembered. Beyond it the one that was used longest ago is asked for again."),
        /// Whether the registry puts schemas into a normal form.
        pub normalize: bool = key("normalize.schemas")
            .default(false)
            .doc("Whether the registry ignores differences between schemas that mean nothing, as the order of \
                 properties."),
        /// Whether unknown schemas are registered.
        pub auto_register: bool = key("auto.register.schemas")
            .default(true)
            .doc("Whether a schema that the registry does not have yet is registered. It comes before use.schema.id, \
                 use.schema.guid and use.latest.version: set it to false with those."),
        /// Not supported: tags.
        pub propagate_tags: bool = key("propagate.schema.tags")
            .default(false)
            .low()
            .check(unsupported::switch("tags of schemas are not copied from one version to the next"))
            .doc("Whether tags of the version before are kept on registering; not supported."),
        /// The id of the schema that is written.
        pub schema_id: i32 = key("use.schema.id")
            .default(-1)
            .low()
            .doc("The id of the schema that data is written with; -1 for none. Wants auto.register.schemas=false."),
        /// The GUID of the schema that is written.
        pub schema_guid: Option<String> = key("use.schema.guid")
            .low()
            .check(unsupported::guid())
            .doc("The GUID of the schema that data is written with. Wants auto.register.schemas=false."),
        /// Strictness of `use.schema.id`.
        pub id_strict: bool = key("id.compatibility.strict")
            .default(true)
            .low()
            .doc("Whether data is written with the schema of use.schema.id only if that can read what the data's own \
                 schema describes."),
        /// Whether the newest schema of the subject is written.
        pub latest: bool = key("use.latest.version")
            .default(false)
            .low()
            .doc("Whether data is written with the newest schema of the subject. Wants auto.register.schemas=false."),
        /// Strictness of `use.latest.version`.
        pub latest_strict: bool = key("latest.compatibility.strict")
            .default(true)
            .low()
            .doc("Whether data is written with the newest schema only if that can read what the data's own schema \
                 describes."),
        /// Bound of the cache of newest schemas.
        pub latest_cache_size: i32 = key("latest.cache.size")
            .default(1000)
            .low()
            .check(Check::at_least(0))
            .doc("How many newest schemas are remembered."),
        /// Age of what counts as newest.
        pub latest_cache_ttl: i32 = key("latest.cache.ttl.sec")
            .default(-1)
            .low()
            .check(Check::at_least(-1))
            .doc("After how many seconds the newest schema of a subject is asked for again; -1 for never."),
        /// Not supported: metadata.
        pub latest_metadata: Option<String> = key("use.latest.with.metadata")
            .low()
            .check(unsupported::setting("schemas are not looked for by their metadata; use use.schema.id"))
            .doc("Metadata by which the newest schema is found; not supported."),
        /// Not supported: formats.
        pub schema_format: Option<String> = key("schema.format")
            .low()
            .check(unsupported::setting("schemas are asked for as they were registered"))
            .doc("The form in which the registry gives schemas; not supported."),
        /// Not supported: rules.
        pub rule_executors: Vec<String> = key("rule.executors")
            .default("")
            .low()
            .check(unsupported::setting("rules of data contracts are not run"))
            .doc("Executors of rules; not supported."),
        /// Not supported: rules.
        pub rule_actions: Vec<String> = key("rule.actions")
            .default("")
            .low()
            .check(unsupported::setting("rules of data contracts are not run"))
            .doc("Actions of rules; not supported."),
        /// Where user and password come from.
        pub basic_source: String = key("basic.auth.credentials.source")
            .default("URL")
            .check(Check::one_of(&["URL", "USER_INFO", "SASL_INHERIT"]))
            .doc("Where user and password for the registry come from: URL, USER_INFO (basic.auth.user.info) or \
                 SASL_INHERIT (sasl.jaas.config of this converter)."),
        /// User and password.
        pub user_info: Password = key("basic.auth.user.info")
            .default("")
            .doc("User and password for USER_INFO, as user:password."),
        /// The same, under its old name.
        pub old_user_info: Password = key("schema.registry.basic.auth.user.info")
            .default("")
            .doc("The old name of basic.auth.user.info, which comes first if both are set."),
        /// User and password of Kafka.
        pub sasl_jaas: Option<Password> = key("sasl.jaas.config")
            .low()
            .doc("The JAAS line whose username and password SASL_INHERIT takes."),
        /// Not supported but for one.
        pub sasl_mechanism: Option<String> = key("sasl.mechanism")
            .low()
            .check(unsupported::kerberos())
            .doc("The mechanism that sasl.jaas.config is for; GSSAPI has no password to inherit."),
        /// Where the bearer token comes from.
        pub bearer_source: String = key("bearer.auth.credentials.source")
            .default("STATIC_TOKEN")
            .check(unsupported::bearer_source())
            .doc("Where the bearer token comes from: STATIC_TOKEN (bearer.auth.token, if set) or OAUTHBEARER (client \
                 credentials at bearer.auth.issuer.endpoint.url)."),
        /// The token.
        pub bearer_token: Password = key("bearer.auth.token").default("").doc("The token of STATIC_TOKEN."),
        /// Where tokens are issued.
        pub bearer_endpoint: Option<String> = key("bearer.auth.issuer.endpoint.url")
            .doc("The token endpoint of OAUTHBEARER."),
        /// Who asks for tokens.
        pub bearer_client: Option<String> = key("bearer.auth.client.id").doc("The client id of OAUTHBEARER."),
        /// With what secret.
        pub bearer_secret: Option<Password> =
            key("bearer.auth.client.secret").doc("The client secret of OAUTHBEARER."),
        /// For what.
        pub bearer_scope: Option<String> = key("bearer.auth.scope").doc("The scope that OAUTHBEARER asks for."),
        /// A header that Confluent Cloud wants.
        pub bearer_cluster: Option<String> = key("bearer.auth.logical.cluster")
            .doc("The registry's id, sent as target-sr-cluster along with a bearer token."),
        /// A header that Confluent Cloud wants.
        pub bearer_pool: Option<String> = key("bearer.auth.identity.pool.id")
            .doc("The identity pool, sent as Confluent-Identity-Pool-Id along with a bearer token."),
        /// How long before its end a token is renewed.
        pub bearer_buffer: i16 = key("bearer.auth.cache.expiry.buffer.seconds")
            .default(300)
            .low()
            .check(Check::between(0, 3600))
            .doc("How many seconds before a token of OAUTHBEARER ends the next one is asked for."),
        /// Not supported: Java classes.
        pub bearer_class: Option<String> = key("bearer.auth.custom.provider.class")
            .low()
            .check(unsupported::setting("Java classes are not loaded; use STATIC_TOKEN or OAUTHBEARER"))
            .doc("A Java class that provides tokens; not supported."),
        /// Contexts.
        pub context_strategy: ClassName = key("context.name.strategy")
            .default(NULL_CONTEXT)
            .check(unsupported::context_strategy(NULL_CONTEXT))
            .doc("How the context of a subject is named; a context may also be part of the URL: \
                 http://host:8081/contexts/.name."),
        /// Subjects of keys.
        pub key_subjects: ClassName = key("key.subject.name.strategy")
            .default(TOPIC_NAME)
            .check(unsupported::subject_strategy())
            .doc("How subjects of keys are named: TopicNameStrategy, RecordNameStrategy or TopicRecordNameStrategy of \
                 io.confluent.kafka.serializers.subject."),
        /// Subjects of values.
        pub value_subjects: ClassName = key("value.subject.name.strategy")
            .default(TOPIC_NAME)
            .check(unsupported::subject_strategy())
            .doc("How subjects of values are named, as for keys."),
        /// Where keys name their schema.
        pub key_serializer: ClassName = key("key.schema.id.serializer")
            .default(PREFIX_SERIALIZER)
            .check(unsupported::one_class(&["PrefixSchemaIdSerializer", "HeaderSchemaIdSerializer"]))
            .doc("Where a key names its schema: before the key (PrefixSchemaIdSerializer), or in the header \
                 __key_schema_id (HeaderSchemaIdSerializer)."),
        /// Where values name their schema.
        pub value_serializer: ClassName = key("value.schema.id.serializer")
            .default(PREFIX_SERIALIZER)
            .check(unsupported::one_class(&["PrefixSchemaIdSerializer", "HeaderSchemaIdSerializer"]))
            .doc("Where a value names its schema: before the value, or in the header __value_schema_id."),
        /// Where schemas of keys are looked for.
        pub key_deserializer: ClassName = key("key.schema.id.deserializer")
            .default(DUAL_DESERIALIZER)
            .check(unsupported::one_class(&["DualSchemaIdDeserializer", "PrefixSchemaIdDeserializer"]))
            .doc("Where the schema of a key is looked for: in the header and then before the key \
                 (DualSchemaIdDeserializer), or before the key alone (PrefixSchemaIdDeserializer)."),
        /// Where schemas of values are looked for.
        pub value_deserializer: ClassName = key("value.schema.id.deserializer")
            .default(DUAL_DESERIALIZER)
            .check(unsupported::one_class(&["DualSchemaIdDeserializer", "PrefixSchemaIdDeserializer"]))
            .doc("Where the schema of a value is looked for, as for keys."),
        /// A proxy.
        pub proxy_host: String = key("proxy.host")
            .default("")
            .low()
            .doc("Host of the HTTP proxy on the way to the registry; empty for none."),
        /// Its port.
        pub proxy_port: i32 = key("proxy.port").default(-1).low().check(Check::between(-1, 65_535)).doc("Port of the proxy."),
        /// Limit of connecting.
        pub connect_timeout: i32 = key("http.connect.timeout.ms")
            .default(60_000)
            .low()
            .check(Check::at_least(1))
            .doc("How many milliseconds connecting may take."),
        /// Limit of waiting.
        pub read_timeout: i32 = key("http.read.timeout.ms")
            .default(60_000)
            .low()
            .check(Check::at_least(1))
            .doc("How many milliseconds the registry may keep silent."),
        /// Rounds.
        pub max_retries: i32 = key("max.retries")
            .default(3)
            .low()
            .check(Check::between(0, 1000))
            .doc("How many times a request is repeated at all URLs, while they do not answer or answer with 408, 429, \
                 500, 502, 503 or 504."),
        /// First wait.
        pub retries_wait: i32 = key("retries.wait.ms")
            .default(1000)
            .low()
            .check(Check::at_least(0))
            .doc("How many milliseconds are waited at most before the first repetition; each time it is twice as many."),
        /// Longest wait.
        pub retries_max_wait: i32 = key("retries.max.wait.ms")
            .default(20_000)
            .low()
            .check(Check::at_least(0))
            .doc("How many milliseconds are waited at most before any repetition."),
        /// Bound of what is known to be missing.
        pub missing_size: i32 = key("missing.cache.size")
            .default(10_000)
            .low()
            .check(Check::at_least(0))
            .doc("How many ids, versions and schemas are remembered as missing."),
        /// How long a missing id is believed.
        pub missing_id_ttl: i32 = key("missing.id.cache.ttl.sec")
            .default(0)
            .low()
            .check(Check::at_least(0))
            .doc("For how many seconds an id that the registry did not know is not asked for again."),
        /// How long a missing version is believed.
        pub missing_version_ttl: i32 = key("missing.version.cache.ttl.sec")
            .default(0)
            .low()
            .check(Check::at_least(0))
            .doc("For how many seconds a version that the registry did not know is not asked for again."),
        /// How long a missing schema is believed.
        pub missing_schema_ttl: i32 = key("missing.schema.cache.ttl.sec")
            .default(0)
            .low()
            .check(Check::at_least(0))
            .doc("For how many seconds a schema that the registry did not know is not looked up again."),
        /// Trusted certificates.
        pub trust_location: Option<String> = key("schema.registry.ssl.truststore.location")
            .doc("A file with the certificates that are trusted, in PEM; the operating system's otherwise."),
        /// Trusted certificates, as text.
        pub trust_certificates: Option<Password> = key("schema.registry.ssl.truststore.certificates")
            .doc("The certificates that are trusted, in PEM."),
        /// Of which kind.
        pub trust_type: String = key("schema.registry.ssl.truststore.type")
            .default("PEM")
            .check(unsupported::store_type("truststore"))
            .doc("The format of the trusted certificates: PEM."),
        /// Not supported: nothing to open with it.
        pub trust_password: Option<Password> = key("schema.registry.ssl.truststore.password")
            .doc("The password of a Java key store; without effect on PEM files, which have none."),
        /// The client's certificate and key.
        pub key_location: Option<String> = key("schema.registry.ssl.keystore.location")
            .doc("A file with the client's private key and certificates, in PEM."),
        /// The client's certificate.
        pub key_certificates: Option<Password> = key("schema.registry.ssl.keystore.certificate.chain")
            .doc("The client's certificates, in PEM."),
        /// The client's key.
        pub key_key: Option<Password> = key("schema.registry.ssl.keystore.key")
            .doc("The client's private key, in PEM."),
        /// Of which kind.
        pub key_type: String = key("schema.registry.ssl.keystore.type")
            .default("PEM")
            .check(unsupported::store_type("keystore"))
            .doc("The format of the client's key and certificates: PEM."),
        /// Not supported: nothing to open with it.
        pub key_store_password: Option<Password> = key("schema.registry.ssl.keystore.password")
            .doc("The password of a Java key store; without effect on PEM files, which have none."),
        /// Not supported: encrypted keys.
        pub key_password: Option<Password> = key("schema.registry.ssl.key.password")
            .check(unsupported::setting(
                "encrypted private keys are not read; decrypt the key with: openssl pkey -in key.pem -out plain.pem",
            ))
            .doc("The password of an encrypted private key; not supported."),
        /// Whether the host name counts.
        pub verify_host: String = key("schema.registry.ssl.endpoint.identification.algorithm")
            .default("https")
            .check(unsupported::host_verification())
            .doc("How the registry's host name is checked against its certificate: https."),
    }
}

/// URLs, which may hold a password: `Debug` tells how many there are.
#[derive(Clone)]
pub struct Urls(pub(crate) Vec<String>);

impl ConfigType for Urls {
    const KIND: Kind = Kind::List;

    fn parse(text: &str) -> Result<Self, String> {
        Vec::<String>::parse(text).map(Self)
    }
}

impl fmt::Debug for Urls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} URLs", self.0.len())
    }
}

/// [`RegistryConfig`] as one converter uses it.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) strategy: SubjectStrategy,
    pub(crate) form: IdForm,
    pub(crate) place: IdPlace,
    pub(crate) auto_register: bool,
    pub(crate) normalize: bool,
    pub(crate) schema_id: Option<i32>,
    pub(crate) schema_guid: Option<Guid>,
    pub(crate) id_strict: bool,
    pub(crate) latest: bool,
    pub(crate) latest_strict: bool,
    pub(crate) latest_cache_size: usize,
    pub(crate) latest_lifetime: Option<Duration>,
    pub(crate) max_schemas: usize,
}

impl Options {
    pub(crate) fn new(config: &RegistryConfig, role: ConverterRole) -> Result<Self> {
        let is_key = role == ConverterRole::Key;
        let pick =
            |key: &'_ ClassName, value: &'_ ClassName| if is_key { key.0.clone() } else { value.0.clone() };
        let strategy = pick(&config.key_subjects, &config.value_subjects);
        let is = |class: &str, simple: &str| class.strip_prefix(ID_PACKAGE).unwrap_or(class) == simple;
        let serializer = pick(&config.key_serializer, &config.value_serializer);
        let deserializer = pick(&config.key_deserializer, &config.value_deserializer);
        Ok(Self {
            strategy: SubjectStrategy::from_class(&strategy).map_err(|detail| {
                let side = if is_key { "key" } else { "value" };
                lavka_api::Error::invalid_value(&format!("{side}.subject.name.strategy"), &strategy, detail)
            })?,
            form: if is(&serializer, "HeaderSchemaIdSerializer") { IdForm::Header } else { IdForm::Prefix },
            place: if is(&deserializer, "PrefixSchemaIdDeserializer") {
                IdPlace::Prefix
            } else {
                IdPlace::HeaderOrPrefix
            },
            auto_register: config.auto_register,
            normalize: config.normalize,
            schema_id: (config.schema_id >= 0).then_some(config.schema_id),
            schema_guid: config.schema_guid.as_deref().and_then(Guid::parse),
            id_strict: config.id_strict,
            latest: config.latest,
            latest_strict: config.latest_strict,
            latest_cache_size: size(config.latest_cache_size),
            latest_lifetime: u64::try_from(config.latest_cache_ttl).ok().map(Duration::from_secs),
            max_schemas: size(config.max_schemas),
        })
    }
}

impl RegistryConfig {
    /// Reads the keys of `config`, and refuses those that are known and not supported though no list can name them.
    ///
    /// # Errors
    /// A config error that names the first wrong key.
    pub fn read(config: &Config) -> Result<Self> {
        unsupported::check_open_keys(config)?;
        JavaConfig::from_config(config)?;
        Self::from_config(config)
    }
}

/// A count as it is used; what is negative counts as nothing.
pub(crate) fn size(number: i32) -> usize {
    usize::try_from(number).unwrap_or(0)
}

/// Milliseconds as a duration.
pub(crate) fn millis(number: i32) -> Duration {
    Duration::from_millis(u64::try_from(number).unwrap_or(0))
}

/// Seconds as a duration.
pub(crate) fn seconds(number: i32) -> Duration {
    Duration::from_secs(u64::try_from(number).unwrap_or(0))
}

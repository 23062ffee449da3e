//! Data model, configuration declarations, plugin contracts and errors: the one crate a plugin author sees.
//!
//! # A plugin
//!
//! A connector, transform, predicate or converter is a crate that depends on this one and exports its
//! [`Plugin`](plugin::Plugin)s. A worker is built with them: `StandaloneBuilder::plugins` of the crate `lavka`. From then on
//! users name the plugin by its class in `connector.class` or `transforms.<name>.type`; the REST API, validation and the
//! reference page know it from its declaration.
//!
//! This one is whole: a transform that drops records older than a limit.
//!
//! ```
//! use lavka_api::Result;
//! use lavka_api::config::{Check, ConfigSpec, key};
//! use lavka_api::data::Record;
//! use lavka_api::plugin::{Factory, Plugin, Transform, Verdict};
//!
//! lavka_api::config! {
//!     /// The keys: each line is a field, its type, its default, its checks and its documentation.
//!     struct NotBeforeConfig {
//!         limit: i64 = key("limit.ms").high().check(Check::at_least(0))
//!             .doc("Records with a timestamp before this one (epoch milliseconds) are dropped."),
//!     }
//! }
//!
//! struct NotBefore {
//!     limit: i64,
//! }
//!
//! impl Transform for NotBefore {
//!     fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
//!         let old = record.timestamp.is_some_and(|timestamp| timestamp < self.limit);
//!         Ok(if old { Verdict::Drop } else { Verdict::Keep })
//!     }
//! }
//!
//! pub fn plugins() -> Vec<Plugin> {
//!     vec![Plugin {
//!         class: "org.example.NotBefore",
//!         aliases: &[],
//!         version: "1.0.0",
//!         doc: "Drops records that are too old.",
//!         definition: NotBeforeConfig::definition,
//!         factory: Factory::Transform(|config| {
//!             Ok(Box::new(NotBefore { limit: NotBeforeConfig::from_config(config)?.limit }))
//!         }),
//!     }]
//! }
//!
//! // What a worker does with it:
//! let Factory::Transform(make) = plugins()[0].factory else { unreachable!() };
//! let mut transform = make(&[("limit.ms", "1000")].into())?;
//! let mut record = Record::for_topic("readings");
//! record.timestamp = Some(999);
//! assert_eq!(transform.apply(&mut record)?, Verdict::Drop);
//! let refused = make(&[("limit.ms", "yesterday")].into()).err().unwrap();
//! assert_eq!(
//!     refused.message(),
//!     Some("Invalid value yesterday for configuration limit.ms: Not a number of type LONG")
//! );
//! # Ok::<(), lavka_api::Error>(())
//! ```
//!
//! A source and a sink are in the documentation of [`plugin`]. `examples/custom-connector` in the repository is a source
//! and a transform with tests, and a worker that has them; its README walks through it. The acceptance suite of
//! `lavka-testkit` holds a plugin against the contracts.
//!
//! # Data in a minute
//!
//! A [`Record`](data::Record) has a topic, a key, a value, headers and a timestamp. Key, value and each header are a
//! [`Datum`](data::Datum): a [`Value`](data::Value) and, where there is one, its [`Schema`](data::Schema).
//!
//! - **With a schema**, a composite value is a [`Struct`](data::Struct): the schema has the names, the struct one value per
//!   field, by position. Build a schema once and clone it into records: a clone is a pointer, and whoever comes behind
//!   finds plans by that pointer.
//! - **Without**, it is an [`Object`](data::Object): names and values, as JSON has them. The list of names is shared too: a
//!   [`Shape`](data::Shape).
//! - **Null** is a value of any type where its schema is optional. A record whose value is null is a *tombstone*: it says
//!   that the key is gone, and passes through whatever it does not concern.
//!
//! ```
//! use lavka_api::data::{Datum, Object, Schema, Struct, Type, Value};
//!
//! let schema = Schema::structure()
//!     .name("org.example.Reading")
//!     .field("device", Schema::of(Type::String))
//!     .field("celsius", Schema::optional(Type::Float64))
//!     .build()?;
//! let reading = Struct::new(schema.clone(), ["d-1".into(), Value::Float64(21.5)])?;
//! assert_eq!(reading.get("celsius"), Some(&Value::Float64(21.5)));
//! let with_schema = Datum::new(schema, reading);
//!
//! let object = Object::from_entries([("device", Value::from("d-1")), ("celsius", 21.5.into())]);
//! let schemaless = Datum::schemaless(object);
//! # assert!(with_schema.schema.is_some() && schemaless.schema.is_none());
//! # Ok::<(), lavka_api::Error>(())
//! ```
//!
//! # What the runtime counts on
//!
//! - **A `poll` that is dropped has taken nothing**, or hands it out next time. The engine drops it to pause or stop a task.
//!   Wait first and take then, or keep what came half in `self`.
//! - **A source offset stands for everything before it.** It is committed after Kafka acknowledged the record that carries
//!   it, and a restarted task goes on behind it. So records of one source partition are handed out in order, and what can
//!   go on independently is a partition of its own: a file, a table; never "task 3", since the number of tasks changes.
//! - **What `pre_commit` answers is durable.** Less is always right: it will be read again.
//! - **On an error nothing has changed.** A transform checks all that can fail before its first change.
//! - **Who raises an error says what it is**: worth another try ([`Error::retriable`]), this record's fault
//!   ([`Error::data`]), the user's ([`Error::config`]), the end of the task ([`Error::fatal`]). What becomes of it is
//!   decided elsewhere, by `errors.tolerance` and the dead letter queue.
//! - **An async method does not block its thread**: files and blocking drivers go to a blocking pool or a thread of their
//!   own. Tasks run on tokio; this crate itself needs no runtime.
//!
//! # Map
//!
//! - [`data`]: [`Schema`](data::Schema), [`Value`](data::Value), records, headers. Rows with shared schemas.
//! - [`config`](mod@config): raw configurations as users write them, and the declaration from which the typed struct, the REST
//!   definition, validation and the reference page of a plugin all come.
//! - [`plugin`]: the contracts of connectors, transforms, predicates and converters, and the catalogue that finds
//!   them by class name or alias.
//! - [`error`]: one error type with four classes; who raises an error classifies it, one policy module acts on it.
//! - [`hex`]: bytes as hexadecimal digits.
//! - [`java`]: Java's rules for turning numbers, decimals, dates and collections into text, which users see in keys,
//!   headers and files.
//!
//! # Invariants
//!
//! - Nothing here does I/O, reads a clock or needs an async runtime.
//! - A schema is never cloned deeply nor compared deeply per record: equality is pointer, then fingerprint.
//! - Called once per batch → async; called per record → sync.
//! - What is public is recorded in `public-api.txt`, which a test compares: a change of it is meant.

pub mod config;
pub mod data;
pub mod error;
pub mod hex;
pub mod java;
pub mod plugin;

pub use error::{Error, ErrorClass, Result};

/// The release of Apache Kafka whose behaviour this build follows; shown where Connect shows its own version.
pub const KAFKA_VERSION: &str = "4.3.0";

/// The version of Lavka itself.
pub const LAVKA_VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the contracts with `async` methods are implemented under (of the crate of that name), so that a plugin crate
/// needs no dependency for it.
pub use async_trait::async_trait;

//! What converters with a schema registry have in common.

use super::ConverterAcceptance;
use crate::failure::{Failure, OrFail};
use lavka_api::Result;
use lavka_api::config::Config;
use lavka_api::data::{Blob, Datum, Decimal, Logical, Schema, SchemaBuilder, Struct, Type, Value};
use lavka_api::plugin::Plugin;

/// The record that converters with a registry keep.
#[derive(Debug, Clone, Copy)]
pub struct RegistryRecord {
    /// The name of its schema.
    pub name: &'static str,
    /// The version of its schema; none before the registry gave one.
    pub version: Option<i32>,
    /// Whether decimals and instants are optional, as where they are messages.
    pub optional_logicals: bool,
    /// Whether it has arrays and maps.
    pub containers: bool,
}

impl RegistryRecord {
    /// The record.
    #[must_use]
    pub fn datum(&self) -> Datum {
        self.made().map_err(|error| Failure::new(format!("the record of a registry: {error}"))).or_fail()
    }

    fn made(&self) -> Result<Datum> {
        let logical =
            |logical: Logical| SchemaBuilder::logical(logical).optional_if(self.optional_logicals).build();
        let of = Schema::of;
        let mut fields: Vec<(&str, Schema, Value)> = vec![
            ("device", of(Type::String), "d-1".into()),
            ("celsius", Schema::optional(Type::Float64), Value::Null),
            ("raw", of(Type::Bytes), Blob::from(vec![0, 0xff]).into()),
            ("price", logical(Logical::Decimal(2))?, Decimal::new(1234, 2).into()),
            ("at", logical(Logical::Timestamp)?, Value::Timestamp(1_700_000_000_000)),
            ("small", of(Type::Int8), Value::Int8(-8)),
        ];
        if self.containers {
            let texts = vec!["a".into(), "b".into()].into();
            fields.push(("tags", Schema::array(of(Type::String)), texts));
            let counts = Value::Map([("k".into(), Value::Int64(-1))].into());
            fields.push(("counts", Schema::map(of(Type::String), of(Type::Int64)), counts));
        }
        let mut builder = Schema::structure().name(self.name);
        if let Some(version) = self.version {
            builder = builder.version(version);
        }
        let mut values = Vec::with_capacity(fields.len());
        for (name, schema, value) in fields {
            builder = builder.field(name, schema);
            values.push(value);
        }
        let schema = builder.build()?;
        Ok(Datum::new(schema.clone(), Struct::new(schema, values)?))
    }
}

/// The checks of a converter with a registry at `url` and with `keys`: what becomes of a record, and keys of the registry
/// that are refused.
pub fn registry_converter(
    plugin: Plugin,
    url: &str,
    keys: &[(&str, &str)],
    (record, back): (RegistryRecord, RegistryRecord),
) -> ConverterAcceptance {
    let config: Config = [("schema.registry.url", url), ("max.retries", "0")]
        .into_iter()
        .chain(keys.iter().copied())
        .collect();
    super::converter(plugin)
        .config(config)
        .changes(record.datum(), back.datum())
        .refuses("schemas.cache.config", "0")
        .refuses("schema.registry.url", "localhost")
        .refuses("value.subject.name.strategy", "org.example.Mine")
        .refuses("value.schema.id.serializer", "org.example.Mine")
        .refuses("rule.executors", "mine")
}

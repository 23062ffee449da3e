//! What is the same for all records of a connector, and the records that need nothing else.

use std::sync::Arc;

use lavka_api::Result;
use lavka_api::data::{
    Datum, Header, Headers, OffsetMap, Record, Schema, SourcePosition, SourceRecord, Str, Struct, Topic,
    Type, Value,
};

use super::plan::TablePlan;
use super::position::SourceBase;
use super::settings::EventSettings;
use crate::model::{Table, TypeCatalog};
use crate::offset::Offset;
use crate::schema::SharedSchemas;

/// Makes records; immutable, so that threads share it.
#[derive(Debug)]
pub struct Recorder {
    pub(super) settings: EventSettings,
    pub(super) shared: SharedSchemas,
    pub(super) source: SourceBase,
    partition: OffsetMap,
    headers: Headers,
    heartbeats: Topic,
    heartbeat_key: Datum,
}

impl Recorder {
    /// A recorder of `settings`.
    ///
    /// # Errors
    /// None in practice: the shared schemas are valid under every setting.
    pub fn new(settings: EventSettings) -> Result<Self> {
        let shared = SharedSchemas::new(settings.schema_names, settings.conversions.binary)?;
        let server = Str::from(settings.topics.prefix.as_str());
        let key = Struct::new(shared.heartbeat_key.clone(), vec![Value::String(server.clone())])?;
        Ok(Self {
            partition: Offset::partition(&server),
            headers: context_headers(&settings),
            heartbeats: Topic::from(settings.topics.heartbeat()),
            heartbeat_key: Datum::new(shared.heartbeat_key.clone(), key),
            source: SourceBase { schema: shared.source.clone(), server, database: settings.database.clone() },
            shared,
            settings,
        })
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &EventSettings {
        &self.settings
    }

    /// The plan of a table as the catalogue has it: for snapshots.
    ///
    /// # Errors
    /// Where its columns cannot be told apart, or become the same field.
    pub fn plan(&self, table: &Table, types: &TypeCatalog) -> Result<Arc<TablePlan>> {
        TablePlan::of_table(table, types, &self.settings, &self.shared).map(Arc::new)
    }

    /// A heartbeat: carries the offset, and nothing else but the time.
    ///
    /// # Errors
    /// None in practice.
    pub fn heartbeat(&self, offset: &Offset, now_nanos: i64) -> Result<SourceRecord> {
        let fields = vec![Value::Int64(now_nanos.div_euclid(1_000_000))];
        let value = Struct::new(self.shared.heartbeat_value.clone(), fields)?;
        let value = Datum::new(self.shared.heartbeat_value.clone(), value);
        let mut record = self.record(
            self.heartbeats.clone(),
            self.heartbeat_key.clone(),
            value,
            Headers::new(),
            offset.to_map(),
        );
        record.record.partition = Some(0);
        Ok(record)
    }

    /// A record of the connector's source partition.
    pub(super) fn record(
        &self,
        topic: Topic,
        key: Datum,
        value: Datum,
        headers: Headers,
        offset: OffsetMap,
    ) -> SourceRecord {
        SourceRecord {
            record: Record { key, value, headers, ..Record::for_topic(topic) },
            position: Some(SourcePosition { partition: self.partition.clone(), offset }),
            token: 0,
        }
    }

    /// The headers of a change, with one before the others.
    pub(super) fn headers(&self, first: Option<Header>) -> Headers {
        match first {
            None => self.headers.clone(),
            Some(first) => std::iter::once(first).chain(self.headers.iter().cloned()).collect(),
        }
    }

    /// The envelope around a table's rows.
    pub(super) fn envelope(
        &self,
        plan: &TablePlan,
        [before, after]: [Option<Struct>; 2],
        source: Struct,
        transaction: Option<Struct>,
        op: &'static str,
        now_nanos: i64,
    ) -> Result<Datum> {
        let fields = vec![
            before.into(),
            after.into(),
            Value::from(source),
            transaction.into(),
            Value::String(Str::from_static(op)),
            Value::Int64(now_nanos.div_euclid(1_000_000)),
            Value::Int64(now_nanos.div_euclid(1000)),
            Value::Int64(now_nanos),
        ];
        Ok(Datum::new(plan.envelope.clone(), Struct::new(plan.envelope.clone(), fields)?))
    }
}

/// A key with its schema; nothing for tables without key.
pub(super) fn key_datum(key: Option<Struct>) -> Datum {
    key.map_or(Datum::NULL, |key| Datum::new(key.schema().clone(), key))
}

fn context_headers(settings: &EventSettings) -> Headers {
    let Some(context) = &settings.headers else { return Headers::new() };
    let text = |text: Str| Datum::new(Schema::of(Type::String), text);
    let header = |key: &'static str, value: Str| Header { key: Str::from_static(key), datum: text(value) };
    [
        header("__debezium.context.connectorLogicalName", settings.topics.prefix.as_str().into()),
        header("__debezium.context.taskId", context.task_id.clone()),
        header("__debezium.context.connectorName", Str::from_static(crate::schema::CONNECTOR)),
        header("__debezium.context.runId", context.run_id.clone()),
    ]
    .into_iter()
    .collect()
}

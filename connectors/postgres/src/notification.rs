//! Notifications: what a snapshot is doing, as records (`notification.enabled.channels=sink`) and in the log (`log`).

use lavka_api::Result;
use lavka_api::data::{
    Datum, OffsetMap, Record, Schema, SourcePosition, SourceRecord, Str, Struct, Topic, Type, Value,
};

use crate::config::Settings;
use crate::offset::Offset;

/// What is told of the initial snapshot, and of a blocking one.
const INITIAL: &str = "Initial Snapshot";
/// What is told of an incremental snapshot.
const INCREMENTAL: &str = "Incremental Snapshot";

/// Something that happened in an incremental snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// The signal that asked for the snapshot.
    pub(crate) correlation: Option<Str>,
    /// What happened (`STARTED`).
    pub(crate) ty: &'static str,
    /// What else is known.
    pub(crate) data: Vec<(&'static str, String)>,
}

/// Tells what a snapshot is doing.
#[derive(Clone, Debug)]
pub(crate) struct Notifier {
    topic: Option<Topic>,
    log: bool,
    server: Str,
    partition: OffsetMap,
    key: Schema,
    value: Schema,
    new_id: fn() -> String,
}

impl Notifier {
    /// The notifications of a configuration; `new_id` makes their ids.
    ///
    /// # Errors
    /// None in practice: the schemas are valid.
    pub(crate) fn new(settings: &Settings, new_id: fn() -> String) -> Result<Self> {
        let topic = settings.run.notification_sink_topic_name.as_deref();
        let topic = topic.filter(|_| settings.notifies_by("sink"));
        let text = || Schema::of(Type::String);
        let key = Schema::structure()
            .name("io.debezium.connector.common.NotificationKey")
            .version(1)
            .field("id", text())
            .build()?;
        let value = Schema::structure()
            .name("io.debezium.connector.common.Notification")
            .version(1)
            .field("id", text())
            .field("type", text())
            .field("aggregate_type", text())
            .field("additional_data", Schema::map(text(), text()).to_builder().optional().build()?)
            .field("timestamp", Schema::of(Type::Int64))
            .build()?;
        Ok(Self {
            topic: topic.map(Topic::from),
            log: settings.notifies_by("log"),
            server: settings.server().into(),
            partition: Offset::partition(settings.server()),
            key,
            value,
            new_id,
        })
    }

    /// Whether anybody wants to know.
    pub(crate) fn is_on(&self) -> bool {
        self.log || self.topic.is_some()
    }

    /// Tells of the initial snapshot: `ty` is what happened, `data` what else is known. The record carries `offset`.
    ///
    /// # Errors
    /// None in practice.
    pub(crate) fn snapshot(
        &self,
        ty: &'static str,
        data: &[(&'static str, String)],
        now_nanos: i64,
        offset: &Offset,
        out: &mut Vec<SourceRecord>,
    ) -> Result<()> {
        self.tell(INITIAL, (self.new_id)(), (ty, data), now_nanos, offset, out)
    }

    /// Tells of an incremental snapshot. The record carries `offset`.
    ///
    /// # Errors
    /// None in practice.
    pub(crate) fn incremental(
        &self,
        note: &Note,
        now_nanos: i64,
        offset: &Offset,
        out: &mut Vec<SourceRecord>,
    ) -> Result<()> {
        let id = note.correlation.as_ref().map_or_else(self.new_id, ToString::to_string);
        self.tell(INCREMENTAL, id, (note.ty, &note.data), now_nanos, offset, out)
    }

    fn tell(
        &self,
        aggregate: &'static str,
        id: String,
        (ty, data): (&'static str, &[(&'static str, String)]),
        now_nanos: i64,
        offset: &Offset,
        out: &mut Vec<SourceRecord>,
    ) -> Result<()> {
        if self.log {
            tracing::info!(connector = %self.server, "notification: {aggregate} {ty} {data:?}");
        }
        let Some(topic) = &self.topic else { return Ok(()) };
        let id = Value::from(id);
        let connector = ("connector_name", self.server.to_string());
        let entries = std::iter::once(&connector).chain(data);
        let entries: Box<[(Value, Value)]> =
            entries.map(|(name, text)| (Value::from(*name), Value::from(text.as_str()))).collect();
        let fields = vec![
            id.clone(),
            Value::from(ty),
            Value::from(aggregate),
            Value::Map(entries),
            Value::Int64(now_nanos.div_euclid(1_000_000)),
        ];
        let key = Datum::new(self.key.clone(), Struct::new(self.key.clone(), vec![id])?);
        let value = Datum::new(self.value.clone(), Struct::new(self.value.clone(), fields)?);
        out.push(SourceRecord {
            record: Record { key, value, ..Record::for_topic(topic.clone()) },
            position: Some(SourcePosition { partition: self.partition.clone(), offset: offset.to_map() }),
            token: 0,
        });
        Ok(())
    }
}

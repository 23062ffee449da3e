//! A stream through the emitter, and its records as text.

use lavka_api::data::{Datum, ShapeTable, SourceRecord, Value};
use lavka_api::java::plain_text;
use lavka_api::plugin::{Catalogue, Factory, PluginKind, Transform};
use lavka_avro::{Decoder, Encoder, Mapping};
use lavka_connector_postgres::event::{At, Change, Emitter, EventSettings, ReadKind, SnapshotMarker};
use lavka_connector_postgres::model::{ColumnText, Table};
use lavka_connector_postgres::offset::{Offset, Snapshot, SnapshotKind};
use lavka_connector_postgres::pgoutput::{Lsn, Message, decode};
use lavka_converters::json::{JsonWriter, WriteOptions};

use crate::stream::{self, Line};

/// The wall clock of every record.
const NOW: i64 = 1_795_217_463_531_090_029;

/// A record as the captures show one.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) topic: String,
    pub(crate) partition: Option<i32>,
    pub(crate) offset: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    /// With its schema; `null` for none.
    pub(crate) key: String,
    /// Without its schema.
    pub(crate) value: String,
    /// With it.
    pub(crate) value_full: String,
    /// The Avro schemas of key and value, or why there is none.
    pub(crate) avro_key: Result<String, String>,
    pub(crate) avro: Result<String, String>,
}

/// The records of a scenario. `xmin` is that of the slot, if it is tracked.
pub(crate) fn replay(name: &str, settings: EventSettings, xmin: Option<i64>) -> Vec<SourceRecord> {
    let (types, lines) = stream::read(name);
    let mut emitter = Emitter::new(settings, types, Offset::default()).unwrap();
    let mut records = Vec::new();
    let mut tables: Vec<Table> = Vec::new();
    let rows: Vec<(&str, &Vec<Option<String>>)> = lines
        .iter()
        .filter_map(|line| match line {
            Line::Row(table, texts) => Some((table.as_str(), texts)),
            _ => None,
        })
        .collect();
    if let Some(Line::Catalog(first)) = lines.first() {
        snapshot(&emitter, first, &rows, &mut records);
    }
    emitter.start(Lsn(1));
    emitter.offset_mut().xmin = xmin;
    let mut number = 0;
    for line in &lines {
        match line {
            Line::Row(..) => {}
            Line::Catalog(now) => tables.clone_from(now),
            Line::Frame(lsn, bytes) => {
                let at = At { lsn: *lsn, now_nanos: NOW };
                let change = match decode(bytes).unwrap() {
                    Message::Begin(begin) => {
                        number = 0;
                        emitter.begin(&begin, at, false, &mut records).unwrap();
                        continue;
                    }
                    Message::Commit(_) => {
                        emitter.commit(at, false, &mut records).unwrap();
                        continue;
                    }
                    Message::Origin(origin) => {
                        emitter.origin(&origin);
                        continue;
                    }
                    Message::Relation(relation) => {
                        let table = tables.iter().find(|table| {
                            *table.id.schema == *relation.schema && *table.id.table == *relation.name
                        });
                        emitter.relation(&relation, table).unwrap();
                        continue;
                    }
                    Message::Type(_) => continue,
                    Message::Insert(insert) => Change::Insert(insert),
                    Message::Update(update) => Change::Update(update),
                    Message::Delete(delete) => Change::Delete(delete),
                    Message::Truncate(truncate) => Change::Truncate(truncate),
                    Message::Logical(message) => Change::Logical(message),
                };
                number += 1;
                emitter.change(&change, number, 0, at, &mut records).unwrap();
            }
        }
    }
    records
}

/// The records of the rows that were there before.
fn snapshot(
    emitter: &Emitter,
    tables: &[Table],
    rows: &[(&str, &Vec<Option<String>>)],
    records: &mut Vec<SourceRecord>,
) {
    for (index, (name, texts)) in rows.iter().enumerate() {
        let table = tables.iter().find(|table| *table.id.table == **name).unwrap();
        if !emitter.wants(&table.id) {
            continue;
        }
        let neighbour = |at: Option<usize>| at.and_then(|at| rows.get(at)).map(|(name, _)| name);
        let first_in_table = neighbour(index.checked_sub(1)) != Some(name);
        let marker = match (index, neighbour(Some(index + 1))) {
            (_, None) => SnapshotMarker::Last,
            (0, _) => SnapshotMarker::First,
            (_, Some(next)) if next != name => SnapshotMarker::LastInTable,
            _ if first_in_table => SnapshotMarker::FirstInTable,
            _ => SnapshotMarker::Between,
        };
        let last = marker == SnapshotMarker::Last;
        let offset = Offset {
            lsn: Some(Lsn(1)),
            tx_id: Some(1),
            ts_usec: Some(NOW / 1000),
            snapshot: Some(Snapshot { kind: SnapshotKind::Initial, last_record: last, completed: last }),
            ..Offset::default()
        };
        let plan = emitter.recorder().plan(table, emitter.types()).unwrap();
        let columns = texts.iter().map(|text| match text {
            Some(text) => ColumnText::Text(text.as_bytes()),
            None => ColumnText::Null,
        });
        let kind = ReadKind::Snapshot(marker);
        let map = offset.to_map();
        records.push(emitter.recorder().snapshot_row(&plan, columns, kind, (&offset, &map), NOW).unwrap());
    }
}

fn json(datum: &Datum, with_schema: bool) -> String {
    if datum.schema.is_none() && datum.is_null() {
        return "null".to_owned();
    }
    // What is made fits its schema, as Java would have checked.
    lavka_api::data::validate(None, datum.schema.as_ref().unwrap(), &datum.value).unwrap();
    let mut writer = JsonWriter::new(WriteOptions::default(), 1);
    let mut out = Vec::new();
    match with_schema {
        true => writer.write_enveloped(datum.schema.as_ref(), &datum.value, &mut out).unwrap(),
        false => writer.write(datum.schema.as_ref(), &datum.value, &mut out).unwrap(),
    }
    String::from_utf8(out).unwrap()
}

/// The Avro schema of a datum. Its value comes back from the bytes that are written by it.
fn avro(datum: &Datum) -> Result<String, String> {
    let mapping = Mapping::default();
    let told = |error: lavka_api::Error| error.to_string();
    let avro = mapping.to_avro(datum.schema.as_ref()).map_err(told)?;
    if datum.schema.is_some() {
        let mut bytes = Vec::new();
        let encoder = Encoder::new(&mapping, datum.schema.as_ref(), &avro).map_err(told)?;
        encoder.encode(&datum.value, &mut bytes).map_err(told)?;
        let decoder = Decoder::new(&mapping, &avro, &avro, None).map_err(told)?;
        let value = decoder.decode(&bytes, &mut ShapeTable::new(16)).map_err(told)?;
        let read = Datum { schema: decoder.schema().cloned(), value };
        assert_eq!(json(&read, false), json(datum, false));
    }
    Ok(avro.to_string())
}

/// The transform of that class.
pub(crate) fn transform(class: &str, keys: &[(&str, &str)]) -> Box<dyn Transform> {
    let catalogue = Catalogue::new(lavka_transforms::plugins());
    let plugin = catalogue.find(class, |kind| kind == PluginKind::Transformation).unwrap();
    let Factory::Transform(make) = plugin.factory else { panic!("{class} is no transform") };
    make(&keys.iter().copied().collect()).unwrap()
}

pub(crate) fn shown(record: &SourceRecord) -> Shown {
    let offset = &record.position.as_ref().unwrap().offset;
    let record = &record.record;
    let offset = offset.entries().iter().filter(|(key, _)| !key.starts_with("lavka_"));
    Shown {
        topic: record.topic.to_string(),
        partition: record.partition,
        offset: offset
            .map(|(key, value)| {
                let ty = match value {
                    Value::Int64(_) => "Long",
                    Value::Boolean(_) => "Boolean",
                    _ => "String",
                };
                (key.to_string(), format!("{}:{ty}", plain_text(value)))
            })
            .collect(),
        headers: record
            .headers
            .iter()
            .map(|header| (header.key.to_string(), plain_text(&header.datum.value)))
            .collect(),
        key: json(&record.key, true),
        value: json(&record.value, false),
        value_full: json(&record.value, true),
        avro_key: avro(&record.key),
        avro: avro(&record.value),
    }
}

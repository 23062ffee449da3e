//! What a change costs: an insert of eight columns, from the frame to the record, and on to JSON without schemas.

#![allow(missing_docs, reason = "criterion's macros make functions without documentation")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that fails, fails")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use lavka_api::data::SourceRecord;
use lavka_connector_postgres::event::{At, Change, ContextHeaders, Emitter, EventSettings};
use lavka_connector_postgres::model::{
    Column, PgType, ReplicaIdentity, Table, TableId, TypeCatalog, TypeKind, oid,
};
use lavka_connector_postgres::offset::Offset;
use lavka_connector_postgres::pgoutput::{Begin, Lsn, Message, Relation, RelationColumn, decode};
use lavka_converters::json::{JsonWriter, WriteOptions};

/// Changes in one round.
const CHANGES: u64 = 1000;
const COLUMNS: [(&str, u32, i32, &str); 8] = [
    ("id", oid::INT8, -1, "123456789"),
    ("customer", oid::INT4, -1, "4711"),
    ("name", oid::VARCHAR, 54, "Ana Marie Novakova"),
    ("note", oid::TEXT, -1, "a note of some length, as people write them"),
    ("amount", oid::NUMERIC, ((10 << 16) | 2) + 4, "12345678.90"),
    ("active", oid::BOOL, -1, "t"),
    ("ratio", oid::FLOAT8, -1, "2.718281828459045"),
    ("created", oid::TIMESTAMPTZ, -1, "2026-03-04 11:14:15.123456+00"),
];

fn emitter() -> Emitter {
    let base =
        |oid: u32| PgType { oid, name: "type".into(), schema: "pg_catalog".into(), kind: TypeKind::Base };
    let types = TypeCatalog::new(COLUMNS.iter().map(|(_, oid, ..)| base(*oid)));
    let settings = EventSettings {
        headers: Some(ContextHeaders {
            task_id: "0".into(),
            run_id: "01a1fb4c-922c-7636-9ac7-85f48f080f17".into(),
        }),
        ..EventSettings::new("srv", "dbz").unwrap()
    };
    let table = Table {
        oid: 1,
        id: TableId::new("inv", "payments"),
        columns: COLUMNS
            .iter()
            .zip(1..)
            .map(|((name, type_oid, type_modifier, _), position)| Column {
                name: (*name).into(),
                type_oid: *type_oid,
                type_modifier: *type_modifier,
                optional: position > 1,
                default: None,
                generated: false,
                comment: None,
                position,
            })
            .collect(),
        key: vec!["id".into()],
        replica_identity: ReplicaIdentity::Default,
    };
    let relation = Relation {
        id: 1,
        schema: "inv",
        name: "payments",
        replica_identity: ReplicaIdentity::Default,
        columns: COLUMNS
            .iter()
            .map(|(name, type_oid, type_modifier, _)| RelationColumn {
                is_key: *name == "id",
                name,
                type_oid: *type_oid,
                type_modifier: *type_modifier,
            })
            .collect(),
    };
    let mut emitter = Emitter::new(settings, types, Offset::default()).unwrap();
    emitter.relation(&relation, Some(&table)).unwrap();
    emitter.start(Lsn(1));
    let begin = Begin { final_lsn: Lsn(0x16_B374_D848), commit_micros: 1_795_217_463_531_090, xid: 1176 };
    let at = At { lsn: Lsn(0x16_B374_0000), now_nanos: 1_795_217_463_531_090_029 };
    emitter.begin(&begin, at, false, &mut Vec::new()).unwrap();
    emitter.offset_mut().lsn_commit = Some(Lsn(0x16_B373_0000));
    emitter
}

fn insert() -> Vec<u8> {
    let mut frame = b"I\0\0\0\x01N\0\x08".to_vec();
    for (_, _, _, text) in COLUMNS {
        frame.push(b't');
        frame.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
        frame.extend_from_slice(text.as_bytes());
    }
    frame
}

fn emit(emitter: &mut Emitter, frame: &[u8], number: u64, out: &mut Vec<SourceRecord>) {
    let Message::Insert(insert) = decode(frame).unwrap() else { unreachable!() };
    let at = At { lsn: Lsn(0x16_B374_0000 + number * 120), now_nanos: 1_795_217_463_531_090_029 };
    emitter.change(&Change::Insert(insert), number, 0, at, out).unwrap();
}

fn changes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("insert of 8 columns");
    group.throughput(Throughput::Elements(CHANGES));
    let frame = insert();
    group.bench_function("decode", |bencher| {
        bencher.iter(|| {
            for _ in 0..CHANGES {
                let Ok(Message::Insert(insert)) = decode(black_box(&frame)) else { unreachable!() };
                black_box(insert.new.columns().count());
            }
        });
    });
    group.bench_function("decode and record", |bencher| {
        let mut emitter = emitter();
        bencher.iter_batched_ref(
            || Vec::with_capacity(1000),
            |records| (1..=CHANGES).for_each(|number| emit(&mut emitter, black_box(&frame), number, records)),
            BatchSize::LargeInput,
        );
    });
    group.bench_function("decode, record and JSON", |bencher| {
        let mut emitter = emitter();
        let mut keys = JsonWriter::new(WriteOptions::default(), 10);
        let mut values = JsonWriter::new(WriteOptions::default(), 10);
        let mut records = Vec::with_capacity(1000);
        let mut bytes = Vec::new();
        bencher.iter(|| {
            (1..=CHANGES).for_each(|number| emit(&mut emitter, black_box(&frame), number, &mut records));
            for record in records.drain(..) {
                bytes.clear();
                keys.write(record.record.key.schema.as_ref(), &record.record.key.value, &mut bytes).unwrap();
                values
                    .write(record.record.value.schema.as_ref(), &record.record.value.value, &mut bytes)
                    .unwrap();
                black_box(&bytes);
            }
        });
    });
    group.finish();
}

criterion_group!(benches, changes);
criterion_main!(benches);

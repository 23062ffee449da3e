//! Whatever comes: an error or a record that fits its schema, and nothing half done.

use lavka_api::data::validate;
use lavka_connector_postgres::event::Change;
use lavka_connector_postgres::model::{PgType, Table, TypeKind, oid};
use lavka_connector_postgres::pgoutput::{Message, decode};
use proptest::prelude::*;

use crate::rig::{RELATION, Rig, at, column, frame, relation, settings, table};

/// One type of each kind, by object id.
const TYPES: &[u32] = &[
    oid::BOOL,
    oid::INT2,
    oid::INT4,
    oid::INT8,
    oid::OID,
    oid::FLOAT4,
    oid::FLOAT8,
    oid::NUMERIC,
    oid::MONEY,
    oid::TEXT,
    oid::BYTEA,
    oid::BIT,
    oid::VARBIT,
    oid::DATE,
    oid::TIME,
    oid::TIMETZ,
    oid::TIMESTAMP,
    oid::TIMESTAMPTZ,
    oid::INTERVAL,
    oid::UUID,
    oid::JSONB,
    oid::POINT,
    oid::INT4RANGE,
    oid::XML,
];
const EXTENSIONS: &[&str] = &["hstore", "geometry", "vector", "sparsevec", "citext"];

fn rig(modifier: i32) -> Rig {
    let mut rig = Rig::new(settings());
    let base = |oid, name: &str, kind| PgType { oid, name: name.into(), schema: "public".into(), kind };
    let mut columns = vec![column("id", oid::INT4, 1)];
    let mut position = 1;
    let mut add = |oid| {
        position += 1;
        let mut column = column(&format!("c{oid}"), oid, position);
        column.type_modifier = modifier;
        columns.push(column);
    };
    for &scalar in TYPES {
        let array = scalar + 100_000;
        rig.emitter.types_mut().insert(base(scalar, "t", TypeKind::Base));
        rig.emitter.types_mut().insert(base(array, "_t", TypeKind::Array { element: scalar }));
        add(scalar);
        add(array);
    }
    for (oid, name) in (200_000..).zip(EXTENSIONS) {
        rig.emitter.types_mut().insert(base(oid, name, TypeKind::Base));
        add(oid);
    }
    let wide = Table { columns, ..table() };
    rig.emitter.relation(&relation(&wide), Some(&wide)).unwrap();
    rig
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9.,:+-]{0,12}",
        "\\PC{0,12}",
        r#"[{}\[\]()<>=",\\x0-9a-f /-]{0,20}"#,
        Just("infinity".to_owned()),
        Just("NaN".to_owned()),
        Just("2026-01-01 00:00:00+00".to_owned()),
    ]
}

proptest! {
    #[test]
    fn any_texts_give_records_that_fit(
        texts in proptest::collection::vec(proptest::option::of(text()), TYPES.len() * 2 + EXTENSIONS.len()),
        modifier in prop_oneof![Just(-1), Just(4), Just((10 << 16 | 2) + 4), any::<i32>()],
    ) {
        let mut rig = rig(modifier);
        let mut columns = vec![Some("1")];
        columns.extend(texts.iter().map(|text| text.as_deref().filter(|text| *text != "<toast>")));
        rig.feed(&frame(b"I", RELATION, &[(b'N', &columns)])).unwrap();
        let value = &rig.out[0].record.value;
        validate(None, value.schema.as_ref().unwrap(), &value.value).unwrap();
    }

    #[test]
    fn a_change_that_fails_has_done_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..60), kind in 0..3_usize) {
        let mut frame = vec![b"IUD"[kind], 0, 0, 0, 7];
        frame.extend(bytes);
        let change = match decode(&frame) {
            Ok(Message::Insert(insert)) => Change::Insert(insert),
            Ok(Message::Update(update)) => Change::Update(update),
            Ok(Message::Delete(delete)) => Change::Delete(delete),
            _ => return Ok(()),
        };
        let mut rig = Rig::new(settings());
        let before = rig.emitter.offset().clone();
        if rig.emitter.change(&change, 1, 0, at(110), &mut rig.out).is_err() {
            prop_assert!(rig.out.is_empty());
            prop_assert_eq!(rig.emitter.offset(), &before);
        }
    }
}

#[test]
fn rows_that_do_not_fit_their_relation_are_fatal() {
    let mut rig = Rig::new(settings());
    for texts in [&[Some("1")][..], &[Some("1"), None, None, None][..]] {
        let error = rig.feed(&frame(b"I", RELATION, &[(b'N', texts)])).unwrap_err().to_string();
        assert!(error.contains("3 columns that were announced"), "{error}");
    }
    let error = rig.feed(&frame(b"I", 99, &[(b'N', &[Some("1")])])).unwrap_err().to_string();
    assert!(error.contains("object id 99"), "{error}");
    assert!(rig.out.is_empty());
}

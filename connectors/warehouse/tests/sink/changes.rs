//! Change events of Debezium, taken as they come.

use lavka_api::data::{Datum, Schema, Struct, Type, Value};

use crate::databases::ALL;
use crate::harness::{DEBEZIUM, Rig, key, name, record};

fn row_schema() -> Schema {
    Schema::structure()
        .field("id", Schema::of(Type::Int32))
        .field("name", Schema::optional(Type::String))
        .field(
            "at",
            Schema::builder(Type::Int64).name("io.debezium.time.MicroTimestamp").optional().build().unwrap(),
        )
        .optional()
        .build()
        .unwrap()
}

fn event(op: &str, before: Option<i32>, after: Option<(i32, &str)>) -> Datum {
    thread_local! {
        static SCHEMAS: (Schema, Schema, Schema) = {
            let row = row_schema();
            let source = Schema::structure().field("table", Schema::of(Type::String)).build().unwrap();
            let envelope = Schema::structure()
                .name("shop.public.orders.Envelope")
                .field("before", row.clone())
                .field("after", row.clone())
                .field("source", source.clone())
                .field("op", Schema::of(Type::String))
                .build()
                .unwrap();
            (row, source, envelope)
        };
    }
    SCHEMAS.with(|(row, source, envelope)| {
        let before =
            before.map(|id| Struct::new(row.clone(), [Value::Int32(id), Value::Null, Value::Null]).unwrap());
        let after = after.map(|(id, name)| {
            Struct::new(row.clone(), [Value::Int32(id), name.into(), Value::Int64(1_500_000)]).unwrap()
        });
        let source = Struct::new(source.clone(), ["orders".into()]).unwrap();
        let event =
            Struct::new(envelope.clone(), [before.into(), after.into(), source.into(), op.into()]).unwrap();
        Datum::new(envelope.clone(), event)
    })
}

#[test]
fn change_events_become_rows() {
    for db in ALL {
        let place = name("shop");
        let topic = format!("{place}.public.orders");
        let table = format!("{place}_public_orders");
        let keys = [
            ("insert.mode", "upsert"),
            ("primary.key.mode", "record_key"),
            ("delete.enabled", "true"),
            ("truncate.enabled", "true"),
            ("schema.evolution", "basic"),
            ("field.exclude.list", "other:name"),
        ];
        let mut rig = Rig::of(DEBEZIUM, db, &place, &keys);
        let rows = || db.sql(&place, &format!("SELECT id, name FROM {table} ORDER BY id"));
        rig.put(vec![
            record(&topic, 0, key(1), event("r", None, Some((1, "one")))),
            record(&topic, 1, key(2), event("c", None, Some((2, "two")))),
            record(&topic, 2, key(1), event("u", None, Some((1, "uno")))),
            record(&topic, 3, key(2), event("d", Some(2), None)),
            record(&topic, 4, key(2), Datum::NULL),
            record(&topic, 5, key(3), event("c", None, Some((3, "three")))),
        ]);
        assert_eq!(rows(), "1|uno\n3|three", "{db:?} {:?}", rig.errant);
        rig.put(vec![
            record(&topic, 6, Datum::NULL, event("t", None, None)),
            record(&topic, 7, key(4), event("c", None, Some((4, "four")))),
        ]);
        assert_eq!(rows(), "4|four", "{db:?} {:?}", rig.errant);
        // An update of a row without its after is nobody's fault but the record's.
        rig.put(vec![record(&topic, 8, key(5), event("u", Some(5), None))]);
        assert_eq!(rig.errant.len(), 1, "{db:?}");
        rig.stop();
    }
}

#[test]
fn sources_of_events_name_tables_and_deletes_may_be_off() {
    for db in ALL {
        let place = name("named");
        let format = format!("{place}_${{source.table}}");
        let keys = [
            ("collection.name.format", format.as_str()),
            ("insert.mode", "upsert"),
            ("primary.key.mode", "record_value"),
            ("primary.key.fields", "id"),
            ("schema.evolution", "basic"),
        ];
        let mut rig = Rig::of(DEBEZIUM, db, &place, &keys);
        rig.put(vec![
            record("a.b.c", 0, Datum::NULL, event("c", None, Some((1, "one")))),
            record("a.b.c", 1, Datum::NULL, event("d", Some(1), None)),
        ]);
        let found = db.sql(&place, &format!("SELECT id, name FROM {place}_orders"));
        assert_eq!(found, "1|one", "{db:?}");
        rig.stop();
    }
}

#[test]
fn a_delete_that_comes_first_does_not_narrow_what_is_written_later() {
    for db in ALL {
        let place = name("narrow");
        let topic = format!("{place}.public.orders");
        let keys = [
            ("insert.mode", "upsert"),
            ("primary.key.mode", "record_value"),
            ("primary.key.fields", "id"),
            ("delete.enabled", "true"),
            ("schema.evolution", "basic"),
        ];
        let mut rig = Rig::of(DEBEZIUM, db, &place, &keys);
        rig.put(vec![record(&topic, 0, Datum::NULL, event("c", None, Some((1, "one"))))]);
        rig.stop();
        // Another task, whose first batch has a delete alone.
        let mut rig = Rig::of(DEBEZIUM, db, &place, &keys);
        rig.put(vec![record(&topic, 1, Datum::NULL, event("d", Some(1), None))]);
        rig.put(vec![record(&topic, 2, Datum::NULL, event("c", None, Some((2, "two"))))]);
        let found = db.sql(&place, &format!("SELECT id, name FROM {place}_public_orders"));
        assert_eq!(found, "2|two", "{db:?} {:?}", rig.errant);
        rig.stop();
    }
}

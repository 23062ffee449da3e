//! Offsets in the database.

use lavka_api::data::{Datum, TopicPartition};

use crate::databases::ALL;
use crate::harness::{Rig, name, record, value};

#[test]
fn what_comes_again_is_not_written_again() {
    for db in ALL {
        let table = name("once");
        let offsets = format!("{table}_offsets");
        let keys = [
            ("auto.create", "true"),
            ("lavka.exactly.once", "true"),
            ("lavka.offsets.table", offsets.as_str()),
        ];
        let partition = TopicPartition::new(table.as_str(), 0);
        let batch = |from: i64, to: i64| {
            (from..to).map(|at| record(&table, at, Datum::NULL, value("x", at))).collect::<Vec<_>>()
        };
        let count = || db.sql(&table, &format!("SELECT count(*), count(DISTINCT amount) FROM {table}"));
        let mut rig = Rig::new(db, &table, &keys);
        rig.open(std::slice::from_ref(&partition));
        assert!(rig.context.rewind.is_empty());
        rig.put(batch(0, 10));
        rig.put(batch(10, 20));
        // Killed before Kafka has the offsets: the next task is sent to the right place, and passes over what comes twice.
        drop(rig);
        let mut rig = Rig::new(db, &table, &keys);
        rig.open(std::slice::from_ref(&partition));
        assert_eq!(rig.context.rewind.get(&partition), Some(&20), "{db:?}");
        rig.put(batch(5, 25));
        assert_eq!(count(), "25|25", "{db:?}");

        // Another task took over; this one does not know it yet, and its batch is not written.
        let mut successor = Rig::new(db, &table, &keys);
        successor.open(std::slice::from_ref(&partition));
        successor.put(batch(25, 30));
        assert!(rig.try_put(batch(25, 28)).unwrap_err().is_retriable(), "{db:?}");
        assert_eq!(count(), "30|30", "{db:?}");
        rig.put(batch(25, 28));
        successor.put(batch(30, 31));
        assert_eq!(count(), "31|31", "{db:?}");
        rig.stop();
        successor.stop();
    }
}

//! Going on in the middle: behind the records that were handed out before.

use lavka_api::data::{SourceRecord, Value};
use lavka_connector_postgres::event::{Emitter, EventSettings};
use lavka_connector_postgres::offset::Offset;

use crate::rig::{RELATION, Rig, at, frame, relation, settings, show, table, types};

fn with_metadata() -> EventSettings {
    EventSettings { transaction_metadata: true, ..settings() }
}

fn frames() -> [Vec<u8>; 3] {
    [
        frame(b"I", RELATION, &[(b'N', &[Some("1"), Some("a"), None])]),
        frame(b"U", RELATION, &[(b'K', &[Some("1"), None, None]), (b'N', &[Some("2"), Some("a"), None])]),
        frame(b"D", RELATION, &[(b'K', &[Some("2"), None, None])]),
    ]
}

/// Everything of a record that a consumer sees, with its counts.
fn seen(record: &SourceRecord) -> (String, Option<Value>, Vec<(String, Value)>) {
    let transaction = match &record.record.value.value {
        Value::Struct(value) => value.get_without_default("transaction").cloned(),
        _ => None,
    };
    let offset = record.position.as_ref().unwrap().offset.entries();
    (show(record), transaction, offset.iter().map(|(key, value)| (key.to_string(), value.clone())).collect())
}

#[test]
fn behind_every_record_the_rest_is_the_same() {
    let mut whole = Rig::new(with_metadata());
    for frame in frames() {
        whole.feed(&frame).unwrap();
    }
    whole.emitter.commit(at(1010), false, &mut whole.out).unwrap();
    let all = whole.out;
    // BEGIN, create, delete, tombstone, create, delete, tombstone, END.
    assert_eq!(all.len(), 8);
    for stop in 0..7 {
        let stored = Offset::from_map(&all[stop].position.as_ref().unwrap().offset);
        let place = stored.place.unwrap();
        let mut emitter = Emitter::new(with_metadata(), types(), stored).unwrap();
        emitter.relation(&relation(&table()), Some(&table())).unwrap();
        emitter.start(at(50).lsn);
        let mut rig = Rig::new(settings());
        rig.out.clear();
        rig.emitter = emitter;
        rig.begin(true);
        for (number, frame) in (1..).zip(frames()) {
            let handed_out = match number {
                _ if number < place.change => u64::MAX,
                _ if number == place.change => place.record,
                _ => 0,
            };
            // What was handed out whole is not fed again.
            match handed_out {
                u64::MAX => rig.pass(),
                handed_out => rig.feed_behind(&frame, handed_out).unwrap(),
            }
        }
        rig.emitter.commit(at(1010), false, &mut rig.out).unwrap();
        let rest: Vec<_> = rig.out.iter().map(seen).collect();
        assert_eq!(rest, all[stop + 1..].iter().map(seen).collect::<Vec<_>>(), "behind record {stop}");
    }
}

//! Which records a change makes.

use lavka_api::data::Value;
use lavka_connector_postgres::event::{EventSettings, OnUnconvertible, SkippedOperations};
use lavka_connector_postgres::model::{ReplicaIdentity, Table};
use lavka_connector_postgres::schema::{PatternList, TopicNaming, TopicRegex};

use crate::rig::{NOW, RELATION, Rig, after, at, change, frame, settings, table};

fn key_change() -> Vec<u8> {
    frame(b"U", RELATION, &[(b'K', &[Some("1"), None, None]), (b'N', &[Some("2"), Some("b"), None])])
}

#[test]
fn a_changed_key_is_a_delete_and_a_create() {
    let mut rig = Rig::new(settings());
    rig.feed(&key_change()).unwrap();
    let headers: Vec<String> = rig
        .out
        .iter()
        .map(|record| record.record.headers.iter().map(|h| h.key.to_string()).collect())
        .collect();
    assert_eq!(headers, ["__debezium.newkey", "__debezium.newkey", "__debezium.oldkey"]);
    assert_eq!(
        rig.shown(),
        ["d Struct{id=1} Struct{id=1} null", "- Struct{id=1}", "c Struct{id=2} null Struct{id=2,body=b}",]
    );
}

#[test]
fn skipped_operations_go_by_what_becomes_of_a_change() {
    let skipped = |list: &str| EventSettings {
        skipped: SkippedOperations::parse(list.split(',')).unwrap(),
        ..settings()
    };
    for (list, records) in [("d", 1), ("c", 2), ("c,d", 0), ("u", 3)] {
        let mut rig = Rig::new(skipped(list));
        rig.feed(&key_change()).unwrap();
        assert_eq!(rig.out.len(), records, "{list}");
    }
    let mut rig = Rig::new(skipped("u"));
    rig.feed(&frame(b"U", RELATION, &[(b'N', &[Some("1"), None, None])])).unwrap();
    assert!(rig.out.is_empty());
    assert_eq!(rig.emitter.offset().lsn_proc.map(|lsn| lsn.0), Some(110), "it counts as processed");
    assert!(SkippedOperations::parse(["x"]).is_err());
}

#[test]
fn tombstones_can_be_left_out() {
    let mut rig = Rig::new(EventSettings { tombstones: false, ..settings() });
    rig.feed(&frame(b"D", RELATION, &[(b'K', &[Some("1"), None, None])])).unwrap();
    assert_eq!(rig.shown(), ["d Struct{id=1} Struct{id=1} null"]);
}

#[test]
fn a_table_without_key_has_records_without() {
    let keyless = Table { key: Vec::new(), replica_identity: ReplicaIdentity::Full, ..table() };
    let mut rig = Rig::of(settings(), &keyless);
    rig.feed(&frame(b"D", RELATION, &[(b'O', &[Some("1"), Some("a"), None])])).unwrap();
    assert!(rig.out.iter().all(|record| record.record.key.schema.is_none()));
    assert_eq!(rig.shown(), ["d null Struct{id=1,body=a} null", "- null"]);
}

#[test]
fn values_that_are_not_sent_come_from_the_old_row_or_have_a_placeholder() {
    let mut rig = Rig::new(settings());
    let new = [Some("1"), Some("<toast>"), Some("5")];
    rig.feed(&frame(b"U", RELATION, &[(b'O', &[Some("1"), Some("long"), None]), (b'N', &new)])).unwrap();
    rig.feed(&frame(b"U", RELATION, &[(b'N', &new)])).unwrap();
    assert_eq!(after(&rig.out[0], "body"), &Value::from("long"));
    assert_eq!(after(&rig.out[1], "body"), &Value::from("__debezium_unavailable_value"));
}

#[test]
fn updates_without_change_can_be_left_out() {
    let mut rig = Rig::new(EventSettings { skip_unchanged: true, ..settings() });
    let same = [Some("1"), Some("a"), None];
    rig.feed(&frame(b"U", RELATION, &[(b'O', &same), (b'N', &same)])).unwrap();
    assert!(rig.out.is_empty());
    rig.feed(&frame(b"U", RELATION, &[(b'O', &same), (b'N', &[Some("1"), Some("b"), None])])).unwrap();
    assert_eq!(rig.out.len(), 1);
}

#[test]
fn what_cannot_be_converted_is_null_or_fatal() {
    let bad = frame(b"I", RELATION, &[(b'N', &[Some("1"), Some("a"), Some("12x")])]);
    let mut rig = Rig::new(settings());
    rig.feed(&bad).unwrap();
    assert_eq!(after(&rig.out[0], "n"), &Value::Null);

    let mut rig = Rig::new(EventSettings { on_unconvertible: OnUnconvertible::Fail, ..settings() });
    let error = rig.feed(&bad).unwrap_err().to_string();
    assert!(error.contains("inv.t.n") && !error.contains("12x"), "{error}");
    assert!(rig.out.is_empty());

    let mut rig = Rig::new(settings());
    let error =
        rig.feed(&frame(b"I", RELATION, &[(b'N', &[Some("x"), None, None])])).unwrap_err().to_string();
    assert!(error.contains("The key column inv.t.id"), "{error}");
}

#[test]
fn tables_that_are_not_captured_only_move_the_position() {
    let mut rig = Rig::new(settings());
    let other =
        Table { oid: 8, id: lavka_connector_postgres::model::TableId::new("pg_catalog", "x"), ..table() };
    rig.emitter.relation(&crate::rig::relation(&other), None).unwrap();
    rig.feed(&frame(b"I", 8, &[(b'N', &[Some("1"), None, None])])).unwrap();
    assert!(rig.out.is_empty());
    assert_eq!(rig.emitter.offset().lsn.map(|lsn| lsn.0), Some(110));
}

fn logical(prefix: &str, transactional: bool) -> Vec<u8> {
    let mut out = vec![b'M', u8::from(transactional)];
    out.extend(5_u64.to_be_bytes());
    out.extend_from_slice(prefix.as_bytes());
    out.push(0);
    out.extend(2_u32.to_be_bytes());
    out.extend_from_slice(b"hi");
    out
}

#[test]
fn messages_are_chosen_by_their_prefix() {
    let list = |text| Some(PatternList::parse(text).unwrap());
    let mut rig = Rig::new(EventSettings { message_include: list("app\\..*"), ..settings() });
    rig.feed(&logical("app.a", true)).unwrap();
    rig.feed(&logical("other", true)).unwrap();
    assert_eq!(rig.out.len(), 1);
    assert_eq!(&*rig.out[0].record.topic, "srv.message");
    let mut rig = Rig::new(EventSettings { message_exclude: list("app\\..*"), ..settings() });
    rig.feed(&logical("app.a", true)).unwrap();
    assert!(rig.out.is_empty());
}

#[test]
fn a_message_outside_of_transactions_commits_its_own_position() {
    let mut rig = Rig::new(settings());
    rig.emitter.commit(at(200), false, &mut rig.out).unwrap();
    let message = logical("m", false);
    rig.emitter.change(&change(&message), 0, 0, at(300), &mut rig.out).unwrap();
    let offset = rig.emitter.offset();
    assert_eq!(offset.lsn_commit.map(|lsn| lsn.0), Some(300));
    assert_eq!((offset.tx_id, offset.place), (None, None));
}

#[test]
fn heartbeats_have_partition_0_and_the_offset() {
    let rig = Rig::new(EventSettings { topics: TopicNaming::new("my-srv"), ..settings() });
    let record = rig.emitter.recorder().heartbeat(rig.emitter.offset(), NOW).unwrap();
    assert_eq!((&*record.record.topic, record.record.partition), ("__debezium-heartbeat.my-srv", Some(0)));
    assert!(record.record.headers.is_empty());
    let Value::Struct(value) = &record.record.value.value else { panic!() };
    assert_eq!(value.get("ts_ms"), Some(&Value::Int64(1_795_217_767_403)));
    let position = record.position.unwrap();
    assert_eq!(position.partition.get("server"), Some(&Value::from("my-srv")));
    assert_eq!(position.offset.get("lsn"), Some(&Value::Int64(100)));
}

#[test]
fn tables_that_share_a_topic_are_told_apart_by_their_keys() {
    let regex =
        TopicRegex::new(r"srv\.inv\.(.*)", "srv.all", true, "__dbz__physicalTableIdentifier", None).unwrap();
    let topics = TopicNaming { regex: Some(regex), ..TopicNaming::new("srv") };
    let mut rig = Rig::new(EventSettings { topics, ..settings() });
    rig.feed(&frame(b"I", RELATION, &[(b'N', &[Some("1"), None, None])])).unwrap();
    let record = &rig.out[0].record;
    assert_eq!(&*record.topic, "srv.all");
    assert_eq!(
        lavka_api::java::plain_text(&record.key.value),
        "Struct{id=1,__dbz__physicalTableIdentifier=srv.inv.t}"
    );
}

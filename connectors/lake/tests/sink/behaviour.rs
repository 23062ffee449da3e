//! Rotation, offsets, errant records, fencing, recovery of what others left behind.

use std::sync::Arc;

use lavka_api::ErrorClass;
use lavka_api::data::{Datum, Object, Schema, Struct, TopicPartition, Type, Value};
use lavka_api::plugin::{SinkContext, SinkTask as _};

use crate::harness::{
    NOW, assignment, config, durable, offsets_in, opened, put, reading, record, rows, runtime, start, started,
};
use crate::model_store::{Loss, ModelStore};

fn names(store: &ModelStore) -> Vec<String> {
    store.files("topics/t/").into_keys().map(|path| path.trim_start_matches("topics/t/").to_owned()).collect()
}

#[test]
fn flush_size_counts_over_all_files_of_a_partition() {
    let store = ModelStore::new();
    runtime().block_on(async {
        let config =
            config([("flush.size", "4"), ("partitioner.class", "Field"), ("partition.field.name", "device")]);
        let (mut task, _) = opened(&config, &store, 2).await.unwrap();
        let batch = (0..6).map(|offset| reading(0, offset)).chain((0..3).map(|offset| reading(1, offset)));
        put(&mut task, batch.collect(), NOW).await.unwrap();
        assert_eq!(
            names(&store),
            [
                "device=a/t+0+0000000000+0000000003.parquet",
                "device=b/t+0+0000000001+0000000001.parquet",
                "device=c/t+0+0000000002+0000000002.parquet",
            ]
        );
        assert_eq!(durable(&mut task).await, [(0, 4), (1, 0)].into());
    });
}

#[test]
fn the_wall_clock_rotates_without_records() {
    let store = ModelStore::new();
    runtime().block_on(async {
        let config = config([("rotate.interval.ms", "1000")]);
        let (mut task, _) = opened(&config, &store, 1).await.unwrap();
        put(&mut task, vec![reading(0, 0)], NOW + 999).await.unwrap();
        put(&mut task, vec![], NOW + 999).await.unwrap();
        assert!(names(&store).is_empty());
        put(&mut task, vec![], NOW + 1000).await.unwrap();
        assert_eq!(names(&store), ["partition=0/t+0+0000000000+0000000000.parquet"]);
        put(&mut task, vec![], NOW + 9000).await.unwrap();
        assert_eq!(names(&store).len(), 1, "no empty files");
    });
}

#[test]
fn the_schedule_rotates_without_records() {
    let store = ModelStore::new();
    runtime().block_on(async {
        // NOW is 22:13:20 UTC.
        let config = config([("rotate.schedule.interval.ms", "3600000"), ("timezone", "UTC")]);
        let (mut task, _) = opened(&config, &store, 1).await.unwrap();
        put(&mut task, vec![reading(0, 0)], NOW).await.unwrap();
        put(&mut task, vec![], NOW + 2_799_999).await.unwrap();
        assert!(names(&store).is_empty());
        put(&mut task, vec![], NOW + 2_800_000).await.unwrap();
        assert_eq!(names(&store).len(), 1);
    });
}

#[test]
fn the_time_of_records_rotates_and_names_directories() {
    let store = ModelStore::new();
    runtime().block_on(async {
        let config = config([
            ("rotate.interval.ms", "3000"),
            ("partitioner.class", "io.confluent.connect.storage.partitioner.TimeBasedPartitioner"),
            ("partition.duration.ms", "2000"),
            ("path.format", "'s'=ss/"),
            ("locale", "en-US"),
            ("timezone", "UTC"),
            ("timestamp.extractor", "Record"),
        ]);
        let (mut task, _) = opened(&config, &store, 1).await.unwrap();
        put(&mut task, (0..5).map(|offset| reading(0, offset)).collect(), NOW).await.unwrap();
        put(&mut task, vec![], NOW + 1_000_000).await.unwrap();
        assert_eq!(
            names(&store),
            ["s=20/t+0+0000000000+0000000001.parquet", "s=22/t+0+0000000002+0000000002.parquet"],
            "the record of second 23 rotates; nothing does while none arrives"
        );
    });
}

#[test]
fn bytes_rotate() {
    let store = ModelStore::new();
    runtime().block_on(async {
        let config = config([("lavka.rotate.bytes", "20000"), ("format.class", "Json")]);
        let (mut task, _) = opened(&config, &store, 1).await.unwrap();
        for offset in 0..1150 {
            put(&mut task, vec![reading(0, offset)], NOW).await.unwrap();
        }
        let files = store.files("topics/t/");
        assert_eq!(files.len(), 2);
        assert!(files.values().all(|bytes| (20_000..20_100).contains(&bytes.len())));
    });
}

#[test]
fn another_schema_finishes_the_files() {
    let store = ModelStore::new();
    runtime().block_on(async {
        let (mut task, _) = opened(&config([]), &store, 1).await.unwrap();
        let schema =
            |ty| Schema::structure().field("offset", Schema::of(Type::Int64)).field("x", ty).build().unwrap();
        let struct_of = |schema: &Schema, offset: i64, x: Value| {
            Datum::new(schema.clone(), Struct::new(schema.clone(), vec![Value::Int64(offset), x]).unwrap())
        };
        let one = schema(Schema::of(Type::Int32));
        let equal = schema(Schema::of(Type::Int32));
        let two = schema(Schema::optional(Type::Int32));
        let batch = vec![
            record("t", 0, 0, struct_of(&one, 0, Value::Int32(1))),
            record("t", 0, 1, struct_of(&equal, 1, Value::Int32(1))),
            record("t", 0, 2, struct_of(&two, 2, Value::Null)),
            reading(0, 3),
            record("t", 0, 4, struct_of(&two, 4, Value::Null)),
        ];
        put(&mut task, batch, NOW).await.unwrap();
        assert_eq!(
            names(&store),
            [
                "partition=0/t+0+0000000000+0000000001.parquet",
                "partition=0/t+0+0000000002+0000000002.parquet",
                "partition=0/t+0+0000000003+0000000003.parquet",
            ]
        );
        assert_eq!(durable(&mut task).await, [(0, 4)].into());
    });
}

#[test]
fn inferred_columns_that_appear_late_finish_the_file_and_stay() {
    let store = ModelStore::new();
    runtime().block_on(async {
        // What is encoded first fixes the file's columns.
        let config = config([("flush.size", "100000")]);
        let (mut task, _) = opened(&config, &store, 1).await.unwrap();
        let late = |offset: i64| {
            record("t", 0, offset, Datum::schemaless(Object::from_entries([("offset", offset), ("late", 1)])))
        };
        for start in (0..80_000).step_by(1000) {
            put(&mut task, (start..start + 1000).map(|offset| reading(0, offset)).collect(), NOW)
                .await
                .unwrap();
        }
        put(&mut task, (80_000..80_005).map(late).collect(), NOW).await.unwrap();
        assert_eq!(names(&store), ["partition=0/t+0+0000000000+0000079999.parquet"]);
        put(&mut task, (80_005..180_000).map(|offset| reading(0, offset)).collect(), NOW).await.unwrap();
        let files: Vec<Vec<u8>> = store.files("topics/t/").into_values().collect();
        let columns = |bytes: &[u8]| {
            let batches = crate::harness::parquet(bytes);
            batches[0].schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>()
        };
        assert_eq!(columns(&files[0]), ["offset", "device", "t"]);
        assert_eq!(columns(&files[1]), ["offset", "device", "t", "late"]);
        assert_eq!(offsets_in(&files[1]), (80_000..180_000).collect::<Vec<_>>());
    });
}

#[test]
fn poison_records_are_errant_or_fail_the_task() {
    let store = ModelStore::new();
    let poison = |offset: i64, value: Datum| record("t", 0, offset, value);
    let conflict = || Datum::schemaless(Object::from_entries([("offset", Value::from("text"))]));
    runtime().block_on(async {
        let config = config([("flush.size", "3")]);
        let (mut task, _) = opened(&config, &store, 1).await.unwrap();
        let batch = vec![
            reading(0, 0),
            poison(1, Datum::NULL),
            poison(2, conflict()),
            poison(3, Datum::schemaless("no fields")),
            reading(0, 4),
            poison(5, Datum::new(Schema::of(Type::Int32), Value::Int32(1))),
            reading(0, 6),
        ];
        let mut context = SinkContext { takes_errant_records: true, ..SinkContext::at(NOW) };
        task.put(batch.into(), &mut context).await.unwrap();
        let errant: Vec<(usize, String)> =
            context.errant.iter().map(|errant| (errant.index, errant.error.to_string())).collect();
        let places: Vec<usize> = errant.iter().map(|(index, _)| *index).collect();
        assert_eq!(places, [1, 2, 3, 5]);
        assert_eq!(
            errant[1].1,
            "topic t, partition 0, offset 2: field \"offset\": a value of type STRING conflicts with INT64, the type \
             inferred so far"
        );
        // The schema of record 5 has finished the files before it.
        assert_eq!(rows(&store), [(0, vec![0, 4])].into());
        assert_eq!(names(&store), ["partition=0/t+0+0000000000+0000000004.parquet"]);
        put(&mut task, vec![], NOW).await.unwrap();

        let mut strict = SinkContext::at(NOW);
        let error = task.put(vec![poison(7, Datum::NULL)].into(), &mut strict).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Data);
        assert!(error.message().unwrap().starts_with("topic t, partition 0, offset 7: the value is null"));
        assert!(strict.errant.is_empty());
    });
}

#[test]
fn nulls_can_be_ignored() {
    let store = ModelStore::new();
    runtime().block_on(async {
        let config = config([("flush.size", "1"), ("behavior.on.null.values", "IGNORE")]);
        let (mut task, _) = opened(&config, &store, 1).await.unwrap();
        let batch = vec![
            reading(0, 0),
            record("t", 0, 1, Datum::NULL),
            reading(0, 2),
            record("t", 0, 3, Datum::NULL),
        ];
        put(&mut task, batch, NOW).await.unwrap();
        assert_eq!(rows(&store), [(0, vec![0, 2])].into());
        assert_eq!(durable(&mut task).await, [(0, 4)].into());
    });
}

#[test]
fn errant_records_survive_a_retry_of_their_batch() {
    let store = ModelStore::new();
    runtime().block_on(async {
        let (mut task, _) = opened(&config([("flush.size", "2")]), &store, 1).await.unwrap();
        let batch: Arc<[_]> =
            vec![record("t", 0, 0, Datum::NULL), reading(0, 1), reading(0, 2), reading(0, 3)].into();
        let mut first = SinkContext { takes_errant_records: true, ..SinkContext::at(NOW) };
        store.fill_up(1);
        assert!(task.put(Arc::clone(&batch), &mut first).await.unwrap_err().is_retriable());
        assert!(first.errant.is_empty());
        let mut second = SinkContext { takes_errant_records: true, ..SinkContext::at(NOW) };
        task.put(batch, &mut second).await.unwrap();
        assert_eq!(second.errant.iter().map(|errant| errant.index).collect::<Vec<_>>(), [0]);
        assert_eq!(rows(&store), [(0, vec![1, 2])].into());
    });
}

#[test]
fn a_second_writer_waits_for_the_lease_and_goes_on_where_the_first_stopped() {
    let store = ModelStore::new();
    runtime().block_on(async {
        let config = config([("flush.size", "2")]);
        let (mut first, rewind) = opened(&config, &store, 1).await.unwrap();
        assert!(rewind.is_empty());
        put(&mut first, (0..5).map(|offset| reading(0, offset)).collect(), NOW).await.unwrap();

        let (mut second, rewind) = opened(&config, &store, 1).await.unwrap();
        assert!(rewind.is_empty());
        assert!(durable(&mut second).await.is_empty());
        put(&mut second, vec![], NOW).await.unwrap();
        let mut context = SinkContext::at(NOW + 400);
        let error = second.put(vec![reading(0, 2)].into(), &mut context).await.unwrap_err();
        assert!(error.is_retriable());
        assert!(
            error.message().unwrap().starts_with("another writer holds the lease of t-0 (logs/t/0/lock)"),
            "{error}"
        );
        assert_eq!(context.retry_after_ms, Some(600));

        first.close(&assignment(1), &mut SinkContext::at(NOW)).await.unwrap();
        let context =
            put(&mut second, (2..8).map(|offset| reading(0, offset)).collect(), NOW + 1000).await.unwrap();
        assert!(context.rewind.is_empty(), "the batch begins before the end of the files");
        assert_eq!(rows(&store), [(0, (0..8).collect())].into());

        // A third one comes too late for the records at hand and asks to read again.
        let (mut third, _) = opened(&config, &store, 1).await.unwrap();
        drop(second);
        let context = put(&mut third, vec![reading(0, 9)], NOW + 1000).await.unwrap();
        assert_eq!(context.rewind, [(TopicPartition::new("t", 0), 8)].into());
        put(&mut third, vec![reading(0, 8), reading(0, 9)], NOW + 1000).await.unwrap();
        assert_eq!(rows(&store), [(0, (0..10).collect())].into());
    });
}

#[test]
fn files_or_log_alone_say_where_to_go_on() {
    let mut store = ModelStore::new();
    runtime().block_on(async {
        let config = config([("flush.size", "2")]);
        let (mut task, _) = opened(&config, &store, 1).await.unwrap();
        put(&mut task, (0..4).map(|offset| reading(0, offset)).collect(), NOW).await.unwrap();
        drop(task);
        store.restart(Loss::Unsynced);
        let next = |rewind: &lavka_api::plugin::Offsets| rewind.values().copied().next();

        // Somebody ships finished files away.
        let shipped = names(&store);
        for name in &shipped {
            store.remove(&format!("topics/t/{name}"));
        }
        let (task, rewind) = opened(&config, &store, 1).await.unwrap();
        assert_eq!(next(&rewind), Some(4));
        drop(task);
        store.restart(Loss::Nothing);

        // The log is lost; a file of the HDFS sink is there.
        store.remove("logs/t/0/commits");
        store.put("topics/t/year=2020/t+0+0000000000+0000000006.avro", b"");
        store.put("topics/t/year=2020/t+1+0000000000+0000000099.avro", b"");
        let (task, rewind) = opened(&config, &store, 1).await.unwrap();
        assert_eq!(next(&rewind), Some(7));
        drop(task);
        store.restart(Loss::Nothing);

        // Both: the larger one counts. Nothing: Kafka's own offset does.
        store.put("logs/t/0/commits", b"\nbegin 5\nend 0000000000000000\ngarbage");
        assert_eq!(next(&opened(&config, &store, 1).await.unwrap().1), Some(7));
        store.restart(Loss::Nothing);
        store.remove("topics/t/year=2020/t+0+0000000000+0000000006.avro");
        assert_eq!(next(&opened(&config, &store, 1).await.unwrap().1), None);
    });
}

#[test]
fn a_foreign_file_of_the_same_name_is_never_replaced() {
    let store = ModelStore::new();
    runtime().block_on(async {
        let (mut task, _) = opened(&config([("flush.size", "2")]), &store, 1).await.unwrap();
        let name = "topics/t/partition=0/t+0+0000000000+0000000001.parquet";
        store.put(name, b"foreign");
        let error = put(&mut task, vec![reading(0, 0), reading(0, 1)], NOW).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Fatal);
        assert!(error.message().unwrap().contains(name), "{error}");
        assert_eq!(store.files("topics/t/")[name], b"foreign");
    });
}

#[test]
fn a_renamed_topic_makes_the_directory_and_the_original_one_the_file_name() {
    let mut store = ModelStore::new();
    runtime().block_on(async {
        let config = config([("flush.size", "1")]);
        let (mut task, _) = opened(&config, &store, 1).await.unwrap();
        let mut renamed = reading(0, 0);
        renamed.record.topic = "other".into();
        put(&mut task, vec![renamed], NOW).await.unwrap();
        assert_eq!(
            store.files("topics/").into_keys().collect::<Vec<_>>(),
            ["topics/other/partition=0/t+0+0000000000+0000000000.parquet"]
        );
        drop(task);
        store.restart(Loss::Unsynced);
        let (_, rewind) = opened(&config, &store, 1).await.unwrap();
        assert_eq!(rewind.values().copied().collect::<Vec<_>>(), [1], "the log knows");
    });
}

#[test]
fn a_field_value_cannot_lead_out_of_the_lake() {
    let store = ModelStore::new();
    runtime().block_on(async {
        let config =
            config([("flush.size", "1"), ("partitioner.class", "Field"), ("partition.field.name", "device")]);
        let (mut task, _) = opened(&config, &store, 1).await.unwrap();
        let device = |offset, name: &str| {
            record("t", 0, offset, Datum::schemaless(Object::from_entries([("device", name)])))
        };
        let batch = vec![device(0, "../../../etc"), device(1, "a\nb"), device(2, "a/b")];
        let mut context = SinkContext { takes_errant_records: true, ..SinkContext::at(NOW) };
        task.put(batch.into(), &mut context).await.unwrap();
        assert_eq!(context.errant.iter().map(|errant| errant.index).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(names(&store), ["device=a/b/t+0+0000000002+0000000002.parquet"]);
    });
}

#[test]
fn the_log_is_kept_short() {
    let mut store = ModelStore::new();
    runtime().block_on(async {
        let config = config([("flush.size", "1"), ("format.class", "Json")]);
        let (mut task, _) = opened(&config, &store, 1).await.unwrap();
        for start in (0..8000).step_by(500) {
            put(&mut task, (start..start + 500).map(|offset| reading(0, offset)).collect(), NOW)
                .await
                .unwrap();
        }
        let logs = store.files("logs/");
        assert_eq!(logs.keys().collect::<Vec<_>>(), ["logs/t/0/commits", "logs/t/0/commits.1"]);
        assert!(logs["logs/t/0/commits"].len() < 1_100_000);
        drop(task);
        store.restart(Loss::Unsynced);
        let (_, rewind) = opened(&config, &store, 1).await.unwrap();
        assert_eq!(rewind.values().copied().collect::<Vec<_>>(), [8000]);
    });
}

#[test]
fn a_closed_partition_leaves_nothing_behind() {
    let store = ModelStore::new();
    runtime().block_on(async {
        let config = config([("lavka.buffer.bytes", "1048576")]);
        let (mut task, _) = opened(&config, &store, 1).await.unwrap();
        put(&mut task, (0..100_000).map(|offset| reading(0, offset)).collect(), NOW).await.unwrap();
        assert_eq!(store.files("topics/+tmp/t/0/").len(), 1);
        assert_eq!(durable(&mut task).await, [(0, 0)].into());
        task.stop().await;
        assert!(store.files("topics/").is_empty());
    });
}

#[test]
fn records_of_partitions_that_are_not_assigned_are_refused() {
    let store = ModelStore::new();
    runtime().block_on(async {
        let mut task = started(&config([]), &store).await.unwrap();
        let error = put(&mut task, vec![reading(0, 0)], NOW).await.unwrap_err();
        assert_eq!(error.message(), Some("t-0 was not assigned to this task"));
        assert_eq!(start(1).id.to_string(), "lake-1");
    });
}

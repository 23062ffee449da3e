//! What operators and other processes do: offsets set by hand, kills, full disks, topics with odd names.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use lavka_api::ErrorClass;
use lavka_api::config::Config;
use lavka_api::data::{Datum, Object, SinkRecord, TopicPartition, Value};
use lavka_api::plugin::{Factory, Offsets, SinkConnector, SinkContext, SinkTask};

use crate::harness::{
    NOW, assignment, config, durable, offsets_in, opened, put, reading, record, rows, runtime, start,
};
use crate::model_store::{Loss, ModelStore};

fn connector() -> Box<dyn SinkConnector> {
    let plugin = &lavka_connector_lake::plugins()[0];
    let Factory::Sink(new) = plugin.factory else { panic!() };
    new()
}

/// A configuration for a real directory.
fn on_disk<const N: usize>(root: &Path, entries: [(&str, &str); N]) -> Config {
    let mut config = config(entries);
    config.set("store.url", root.display().to_string());
    config
}

/// A task on a real directory with partition 0 of `t`, and where it wants to go on.
async fn opened_on_disk(config: &Config) -> lavka_api::Result<(Box<dyn SinkTask>, Option<i64>)> {
    let mut task = connector().task(config)?;
    task.start(start(0)).await?;
    let mut context = SinkContext::at(NOW);
    task.open(&assignment(1), &mut context).await?;
    Ok((task, context.rewind.into_values().next()))
}

async fn put_on_disk(task: &mut Box<dyn SinkTask>, batch: Vec<SinkRecord>) -> lavka_api::Result<SinkContext> {
    let mut context = SinkContext::at(NOW);
    task.put(batch.into(), &mut context).await?;
    Ok(context)
}

fn readings(offsets: impl IntoIterator<Item = i64>) -> Vec<SinkRecord> {
    offsets.into_iter().map(|offset| reading(0, offset)).collect()
}

#[test]
fn a_partition_taken_over_in_a_batch_that_is_tried_again_is_read_from_its_end() {
    let store = ModelStore::new();
    runtime().block_on(async {
        let config = config([("flush.size", "2")]);
        let (mut first, _) = opened(&config, &store, 2).await.unwrap();
        let both = |offsets: std::ops::Range<i64>| {
            (0..2)
                .flat_map(|p| offsets.clone().map(move |o| reading(p, o)).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        };
        put(&mut first, both(0..4), NOW).await.unwrap();
        let (mut second, _) = opened(&config, &store, 2).await.unwrap();
        first.close(&assignment(1), &mut SinkContext::at(NOW)).await.unwrap();

        // Partition 0 is free now, partition 1 is not, and the consumer stands behind a gap.
        let batch = both(6..10);
        let mut context = SinkContext::at(NOW + 1000);
        let error = second.put(batch.clone().into(), &mut context).await.unwrap_err();
        assert!(error.is_retriable());
        assert_eq!(context.rewind, [(TopicPartition::new("t", 0), 4)].into());
        drop(first);
        let context = put(&mut second, batch, NOW + 10_000).await.unwrap();
        let wanted: Offsets = [(TopicPartition::new("t", 0), 4), (TopicPartition::new("t", 1), 4)].into();
        assert_eq!(context.rewind, wanted, "the records at hand were not taken");
        put(&mut second, both(4..10), NOW + 10_000).await.unwrap();
        assert_eq!(rows(&store), [(0, (0..10).collect()), (1, (0..10).collect())].into());
    });
}

#[test]
fn a_partition_that_another_writer_has_does_not_hold_up_the_others() {
    let store = ModelStore::new();
    runtime().block_on(async {
        let config = config([("flush.size", "2")]);
        let (mut first, _) = opened(&config, &store, 1).await.unwrap();
        put(&mut first, readings(0..3), NOW).await.unwrap();
        let mut second = crate::harness::started(&config, &store).await.unwrap();
        let mut context = SinkContext::at(NOW);
        second.open(&assignment(2), &mut context).await.unwrap();
        let held = vec![TopicPartition::new("t", 0)];
        assert_eq!((context.pause, context.rewind), (held.clone(), Offsets::new()));
        let other = |offsets: std::ops::Range<i64>| offsets.map(|offset| reading(1, offset)).collect();
        let context = put(&mut second, other(0..2), NOW + 1000).await.unwrap();
        assert!(context.resume.is_empty());
        assert_eq!(durable(&mut second).await, [(1, 2)].into());

        drop(first);
        assert!(put(&mut second, vec![], NOW + 2999).await.unwrap().resume.is_empty(), "not yet tried again");
        let context = put(&mut second, vec![], NOW + 3000).await.unwrap();
        let from: Offsets = [(held[0].clone(), 2)].into();
        assert_eq!((context.resume, context.rewind), (held, from));
        put(&mut second, readings(2..4), NOW + 3000).await.unwrap();
        assert_eq!(rows(&store), [(0, vec![0, 1, 2, 3]), (1, vec![0, 1])].into());
    });
}

#[test]
fn offsets_that_are_not_there_do_not_matter() {
    let mut store = ModelStore::new();
    runtime().block_on(async {
        let config = config([("flush.size", "3")]);
        let (mut task, _) = opened(&config, &store, 1).await.unwrap();
        put(&mut task, readings([2, 3, 7, 20, 21]), NOW).await.unwrap();
        let files: Vec<String> = store.files("topics/t/").into_keys().collect();
        assert_eq!(files, ["topics/t/partition=0/t+0+0000000002+0000000007.parquet"]);
        assert_eq!(durable(&mut task).await, [(0, 20)].into());
        drop(task);
        store.restart(Loss::Unsynced);
        let (mut task, rewind) = opened(&config, &store, 1).await.unwrap();
        assert_eq!(rewind.into_values().collect::<Vec<_>>(), [8]);
        put(&mut task, readings([20, 21, 40]), NOW).await.unwrap();
        assert_eq!(rows(&store), [(0, vec![2, 3, 7, 20, 21, 40])].into());
    });
}

#[test]
fn records_that_never_come_here_count_as_durable_when_nothing_is_open() {
    let store = ModelStore::new();
    runtime().block_on(async {
        let (mut task, _) = opened(&config([("flush.size", "2")]), &store, 1).await.unwrap();
        let tp = TopicPartition::new("t", 0);
        // The engine has handed out offsets below 50, all of which a filter dropped.
        let seen: Offsets = [(tp.clone(), 50)].into();
        assert_eq!(task.pre_commit(&seen, &mut SinkContext::at(NOW)).await.unwrap(), seen);
        put(&mut task, readings([60]), NOW).await.unwrap();
        let seen: Offsets = [(tp.clone(), 70)].into();
        let open = task.pre_commit(&seen, &mut SinkContext::at(NOW)).await.unwrap();
        assert_eq!(open, [(tp, 60)].into(), "the file is still open");
        put(&mut task, readings([75]), NOW).await.unwrap();
        assert_eq!(durable(&mut task).await, [(0, 76)].into());
    });
}

#[test]
fn a_topic_made_of_field_values_cannot_lead_to_the_unfinished_files() {
    let mut store = ModelStore::new();
    runtime().block_on(async {
        let config = config([("flush.size", "1")]);
        let (mut task, _) = opened(&config, &store, 1).await.unwrap();
        let routed = |offset: i64, topic: &str| {
            let mut routed = reading(0, offset);
            routed.record.topic = topic.into();
            routed
        };
        let deep = "d/".repeat(1100);
        let batch = vec![
            routed(0, "+tmp/t/0"),
            routed(1, "a/../../b"),
            routed(2, &deep),
            routed(3, "a/b"),
            routed(4, ".hidden-_.dots"),
        ];
        let mut context = SinkContext { takes_errant_records: true, ..SinkContext::at(NOW) };
        task.put(batch.into(), &mut context).await.unwrap();
        let texts: Vec<String> = context.errant.iter().map(|errant| errant.error.to_string()).collect();
        assert!(
            texts[0].ends_with("topics/+tmp/t/0/partition=0 is the directory of unfinished files"),
            "{texts:?}"
        );
        assert!(
            texts[1].contains("\"..\" is not allowed") && texts[2].contains("longer than 2048 bytes"),
            "{texts:?}"
        );
        assert_eq!(texts.len(), 3);
        drop(task);
        store.restart(Loss::Unsynced);
        opened(&config, &store, 1).await.unwrap();
        assert_eq!(
            store.files("topics/").into_keys().collect::<Vec<_>>(),
            [
                "topics/.hidden-_.dots/partition=0/t+0+0000000004+0000000004.parquet",
                "topics/a/b/partition=0/t+0+0000000003+0000000003.parquet"
            ]
        );
    });
}

#[test]
fn what_is_known_of_fields_comes_from_all_files() {
    let store = ModelStore::new();
    runtime().block_on(async {
        let config =
            config([("flush.size", "2"), ("partitioner.class", "Field"), ("partition.field.name", "device")]);
        let (mut task, _) = opened(&config, &store, 1).await.unwrap();
        let row = |offset: i64, device: &str, x: Value| {
            let value =
                Object::from_entries([("offset", offset.into()), ("device", device.into()), ("x", x)]);
            record("t", 0, offset, Datum::schemaless(value))
        };
        let batch = vec![
            row(0, "a", Value::Float64(0.5)),
            row(1, "b", Value::Int64(1)),
            row(2, "a", Value::Int64(2)),
            row(3, "b", Value::Int64(3)),
        ];
        put(&mut task, batch, NOW).await.unwrap();
        let types: Vec<String> = store
            .files("topics/t/")
            .values()
            .map(|bytes| {
                assert_eq!(offsets_in(bytes).len(), 1);
                crate::harness::parquet(bytes)[0].column_by_name("x").unwrap().data_type().to_string()
            })
            .collect();
        assert_eq!(
            types,
            ["Float64", "Float64", "Int64", "Float64"],
            "the third is from before anybody knew"
        );
    });
}

/// A process that ends by SIGKILL.
struct Victim(Child);

impl Drop for Victim {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_writer_that_was_killed_leaves_its_partition_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let config = on_disk(dir.path(), [("flush.size", "3")]);
    let mut writer = Victim(
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "operations::writes_until_it_is_killed", "--ignored", "--nocapture"])
            .env("LAKE_OF_A_VICTIM", dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let said = BufReader::new(writer.0.stdout.take().unwrap()).lines();
    let ready = said.map_while(Result::ok).any(|line| line.contains("eight records were put"));
    assert!(ready, "the writer ended by itself");
    runtime().block_on(async {
        let (mut task, rewind) = opened_on_disk(&config).await.unwrap();
        assert_eq!(rewind, None);
        let error = put_on_disk(&mut task, readings(0..1)).await.unwrap_err();
        let holder = format!("The lock was taken by process {} on ", writer.0.id());
        assert!(error.is_retriable() && error.to_string().contains(&holder), "{error}");
        drop(task);

        drop(writer);
        let (mut task, rewind) = opened_on_disk(&config).await.unwrap();
        assert_eq!(rewind, Some(6));
        put_on_disk(&mut task, readings(6..9)).await.unwrap();
    });
    let directory = dir.path().join("topics/t/partition=0");
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let offsets: Vec<i64> = files.iter().flat_map(|file| offsets_in(&std::fs::read(file).unwrap())).collect();
    assert_eq!(offsets, (0..9).collect::<Vec<_>>());
}

#[test]
#[ignore = "the process that a_writer_that_was_killed_leaves_its_partition_at_once starts and kills"]
fn writes_until_it_is_killed() {
    let root = std::env::var_os("LAKE_OF_A_VICTIM").unwrap();
    let config = on_disk(Path::new(&root), [("flush.size", "3")]);
    runtime().block_on(async {
        let (mut task, _) = opened_on_disk(&config).await.unwrap();
        put_on_disk(&mut task, readings(0..8)).await.unwrap();
        println!("eight records were put");
        tokio::time::sleep(std::time::Duration::from_secs(600)).await;
        panic!("nobody killed this process");
    });
}

/// A file system of one mebibyte, until it is dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Self {
        let disk = Self(tempfile::tempdir().unwrap());
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "lake"]).arg(disk.0.path()).status();
        assert!(mount.unwrap().success(), "this test has to be run by root");
        disk
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(self.0.path()).status());
    }
}

#[test]
#[ignore = "mounts a small file system, which needs root"]
fn a_real_full_disk_is_waited_out() {
    let disk = SmallDisk::mount();
    let root = disk.0.path();
    let ballast = root.join("ballast");
    let config =
        on_disk(root, [("flush.size", "20000"), ("format.class", "Json"), ("retry.backoff.ms", "250")]);
    let full = |error: &lavka_api::Error| {
        let text = error.message().unwrap();
        assert!(error.is_retriable(), "{text}");
        assert!(text.starts_with(&format!("store.url: cannot write to {}/", root.display())), "{text}");
        assert!(
            text.ends_with(
                "No space left on device (os error 28); make room there; the task then goes on by itself"
            ),
            "{text}"
        );
    };
    runtime().block_on(async {
        // Full before the task starts, which has nothing to write yet.
        let fill = || drop(std::fs::write(&ballast, vec![0; 2 << 20]));
        fill();
        let (mut task, _) = opened_on_disk(&config).await.unwrap();
        put_on_disk(&mut task, readings(0..10_000)).await.unwrap();

        // Full when the file is due, for several tries.
        for _ in 0..3 {
            full(&put_on_disk(&mut task, readings(10_000..20_001)).await.unwrap_err());
            let durable = task.pre_commit(&Offsets::new(), &mut SinkContext::at(NOW)).await.unwrap();
            assert_eq!(durable.into_values().collect::<Vec<_>>(), [0]);
        }
        std::fs::remove_file(&ballast).unwrap();
        // 20,000 lines of 38 bytes fit.
        put_on_disk(&mut task, readings(10_000..20_001)).await.unwrap();
        let durable = task.pre_commit(&Offsets::new(), &mut SinkContext::at(NOW)).await.unwrap();
        assert_eq!(durable.into_values().collect::<Vec<_>>(), [20_000]);
    });
    let file = root.join("topics/t/partition=0/t+0+0000000000+0000019999.json");
    let text = std::fs::read_to_string(file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 20_000);
    for (i, line) in lines.iter().enumerate() {
        assert!(line.starts_with(&format!("{{\"offset\":{i},")), "{line}");
    }
}

#[test]
fn offsets_can_be_set_behind_the_files_but_not_into_them() {
    let dir = tempfile::tempdir().unwrap();
    let config = on_disk(dir.path(), [("flush.size", "3")]);
    let tp = TopicPartition::new("t", 0);
    let runtime = runtime();
    runtime.block_on(async {
        let alter = |offset: Option<i64>| connector().alter_offsets(&config, &[(tp.clone(), offset)]);
        assert!(alter(Some(5)).unwrap(), "there is nothing yet");
        let (mut task, rewind) = opened_on_disk(&config).await.unwrap();
        assert_eq!(rewind, None, "Kafka's own offset counts");
        put_on_disk(&mut task, readings(0..3)).await.unwrap();
        let error = alter(Some(9)).unwrap_err();
        assert!(error.to_string().contains("another writer holds the lease of t-0"), "{error}");
        drop(task);

        for refused in [Some(2), None] {
            let error = alter(refused).unwrap_err();
            assert_eq!(error.class(), ErrorClass::Data);
            assert!(
                error.to_string().contains("up to offset 2") && error.to_string().contains("topics/t away"),
                "{error}"
            );
        }
        // Over a record that no file can take, and back a little.
        for next in [9, 7, 3] {
            assert!(alter(Some(next)).unwrap());
            assert_eq!(opened_on_disk(&config).await.unwrap().1, Some(next));
        }
        // The files were shipped away, and the topic is to be read anew.
        std::fs::remove_dir_all(dir.path().join("topics/t")).unwrap();
        assert_eq!(opened_on_disk(&config).await.unwrap().1, Some(3));
        assert!(alter(Some(1)).unwrap());
        assert_eq!(opened_on_disk(&config).await.unwrap().1, Some(1));
        assert!(alter(None).unwrap());
        assert_eq!(opened_on_disk(&config).await.unwrap().1, None);
    });
}

#[test]
fn files_and_their_directories_may_be_moved_away_at_any_time() {
    let dir = tempfile::tempdir().unwrap();
    let config = on_disk(dir.path(), [("flush.size", "2")]);
    runtime().block_on(async {
        let (mut task, _) = opened_on_disk(&config).await.unwrap();
        for start in [0, 2, 4] {
            put_on_disk(&mut task, readings(start..start + 2)).await.unwrap();
            std::fs::remove_dir_all(dir.path().join("topics")).unwrap();
        }
        drop(task);
        assert_eq!(opened_on_disk(&config).await.unwrap().1, Some(6));
    });
}

#[test]
fn a_temporary_file_that_something_deletes_fails_the_task() {
    let dir = tempfile::tempdir().unwrap();
    let config = on_disk(dir.path(), [("flush.size", "30000"), ("format.class", "Json")]);
    runtime().block_on(async {
        let (mut task, _) = opened_on_disk(&config).await.unwrap();
        put_on_disk(&mut task, readings(0..29_000)).await.unwrap();
        let temp = dir.path().join("topics/+tmp/t/0");
        assert_eq!(std::fs::read_dir(&temp).unwrap().count(), 1, "a mebibyte was written");
        std::fs::remove_dir_all(&temp).unwrap();
        let error = put_on_disk(&mut task, readings(29_000..30_001)).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Fatal);
        assert!(error.to_string().contains("+tmp/t/0/"), "{error}");
        drop(task);
        let (mut task, rewind) = opened_on_disk(&config).await.unwrap();
        assert_eq!(rewind, None);
        put_on_disk(&mut task, readings(0..30_001)).await.unwrap();
        assert!(dir.path().join("topics/t/partition=0/t+0+0000000000+0000029999.json").is_file());
    });
}

#[test]
fn a_topic_whose_name_is_too_long_is_named() {
    let store = ModelStore::new();
    runtime().block_on(async {
        let mut task = crate::harness::started(&config([]), &store).await.unwrap();
        let long = TopicPartition::new("t".repeat(249), 0);
        let error = task.open(&[long], &mut SinkContext::at(NOW)).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Fatal);
        assert!(
            error.to_string().contains("the topic's name is too long for the names of its files"),
            "{error}"
        );
    });
}

#[test]
fn a_directory_that_cannot_be_written_to_fails_the_task_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let config = on_disk(&dir.path().join("file/lake"), []);
    runtime().block_on(async {
        let error = opened_on_disk(&config).await.err().unwrap();
        assert_eq!(error.class(), ErrorClass::Fatal);
        let text = error.to_string();
        assert!(text.contains("store.url: cannot write to ") && text.contains("move it away"), "{text}");
    });
}

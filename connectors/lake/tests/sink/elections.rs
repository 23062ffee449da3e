//! Unclean leader elections: the topic loses its end and has other records there. Each record that it has in the end is
//! in the lake once, whenever the election came, the process died and the disk was full.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use lavka_api::Result;
use lavka_api::config::Config;
use lavka_api::data::{Datum, Object, SinkRecord, TopicPartition, Value};
use lavka_api::plugin::{Offsets, SinkContext, SinkTask as _};
use lavka_connector_lake::LakeSinkTask;

use crate::harness::{NOW, Random, assignment, config, opened, parquet, put, record, runtime};
use crate::model_store::{Death, Loss, ModelStore};

/// A record, by its leader epoch and a number that no other has.
type Entry = (i32, i64);

/// Partition 0 of `t`.
#[derive(Debug, Default)]
struct Log {
    entries: Vec<Entry>,
    /// What elections took away, with its offset.
    lost: BTreeSet<(i64, i64)>,
    epoch: i32,
    ids: i64,
}

impl Log {
    fn append(&mut self, count: usize) {
        for _ in 0..count {
            self.entries.push((self.epoch, self.ids));
            self.ids += 1;
        }
    }

    fn elect(&mut self, lose: usize) {
        let end = self.entries.len().saturating_sub(lose);
        let lost = self.entries.split_off(end);
        self.lost.extend(offsets(end).zip(lost.into_iter().map(|(_, id)| id)));
        self.epoch += 1;
    }

    /// Where the records up to an epoch end (OffsetForLeaderEpoch).
    fn end_of(&self, epoch: i32) -> usize {
        self.entries.partition_point(|entry| entry.0 <= epoch)
    }
}

fn offsets(from: usize) -> impl Iterator<Item = i64> {
    (i64::try_from(from).unwrap())..
}

/// A consumer that goes back to the cut as the port promises.
#[derive(Debug, Default)]
struct Reader {
    position: usize,
    epoch: Option<i32>,
    committed: usize,
}

impl Reader {
    fn rejoin(&mut self, context: &SinkContext) {
        (self.position, self.epoch) = (self.committed, None);
        self.seek(context);
    }

    fn seek(&mut self, context: &SinkContext) {
        let tp = TopicPartition::new("t", 0);
        if let Some(offset) = context.rewind.get(&tp) {
            self.position = usize::try_from(*offset).unwrap();
            self.epoch = context.rewind_epochs.get(&tp).copied();
        }
    }

    fn poll(&mut self, log: &Log, count: usize) -> Vec<SinkRecord> {
        if let Some(epoch) = self.epoch {
            self.position = self.position.min(log.end_of(epoch));
        } else if self.position > log.entries.len() {
            self.position = 0;
        }
        let entries: Vec<Entry> = log.entries.iter().skip(self.position).take(count).copied().collect();
        let first = self.position;
        self.position += entries.len();
        self.epoch = entries.last().map(|entry| entry.0).or(self.epoch);
        offsets(first).zip(entries).map(|(offset, entry)| reading(offset, entry)).collect()
    }
}

fn reading(offset: i64, (epoch, id): Entry) -> SinkRecord {
    let device = ["a", "b", "c"][usize::try_from(id % 3).unwrap()];
    let value = Object::from_entries([
        ("offset", Value::Int64(offset)),
        ("epoch", Value::Int64(epoch.into())),
        ("id", Value::Int64(id)),
        ("device", device.into()),
    ]);
    let mut record = record("t", 0, offset, Datum::schemaless(value));
    record.origin.leader_epoch = Some(epoch);
    record
}

/// Offsets and ids of the rows in finished files. Fails where a name does not say what is in its file.
fn rows(store: &ModelStore) -> Vec<(i64, i64)> {
    let mut all = Vec::new();
    for (path, bytes) in store.files("topics/t/") {
        let name = path.rsplit('/').next().unwrap().strip_suffix(".parquet").unwrap();
        let numbers: Vec<i64> = name.split('+').skip(1).map(|number| number.parse().unwrap()).collect();
        let mut rows = Vec::new();
        for batch in parquet(&bytes) {
            let column = |name| {
                batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().values().iter().copied()
            };
            rows.extend(column("offset").zip(column("epoch")).zip(column("id")));
        }
        let ((first, epoch), _) = rows[0];
        let ((last, _), _) = rows[rows.len() - 1];
        assert_eq!(numbers[..3], [0, first, last], "{name}");
        assert!(numbers.get(3).is_none_or(|named| *named == epoch), "{name}");
        assert!(rows.windows(2).all(|pair| pair[0].0.0 < pair[1].0.0), "{name}: {rows:?}");
        all.extend(rows.into_iter().map(|((offset, _), id)| (offset, id)));
    }
    all.sort_unstable();
    all
}

/// Each record of the log has one row, and nothing else has but records that were lost, one each at most.
fn check(store: &ModelStore, log: &Log, place: &str) {
    let rows = rows(store);
    let set: BTreeSet<(i64, i64)> = rows.iter().copied().collect();
    assert_eq!(set.len(), rows.len(), "{place}: a record is there twice: {rows:?}");
    let wanted: BTreeSet<(i64, i64)> = offsets(0).zip(log.entries.iter().map(|entry| entry.1)).collect();
    let missing: Vec<_> = wanted.difference(&set).collect();
    assert_eq!(missing, Vec::<&(i64, i64)>::new(), "{place}: missing");
    let others: Vec<_> = set.difference(&wanted).filter(|row| !log.lost.contains(row)).collect();
    assert_eq!(others, Vec::<&(i64, i64)>::new(), "{place}: neither in the topic nor lost");
    assert_eq!(store.files("topics/+tmp"), BTreeMap::new(), "{place}");
}

/// Puts a batch again and again while the sink says that it cannot take it now.
async fn deliver(task: &mut LakeSinkTask, batch: Vec<SinkRecord>, reader: &mut Reader) -> Result<()> {
    let batch: lavka_api::plugin::SinkBatch = batch.into();
    loop {
        let mut context = SinkContext::at(NOW);
        match task.put(batch.clone(), &mut context).await {
            Err(error) if error.is_retriable() => {}
            Err(error) => return Err(error),
            Ok(()) => {
                reader.seek(&context);
                break;
            }
        }
    }
    let seen = Offsets::from([(TopicPartition::new("t", 0), i64::try_from(reader.position).unwrap())]);
    for (_, offset) in task.pre_commit(&seen, &mut SinkContext::at(NOW)).await? {
        reader.committed = usize::try_from(offset).unwrap();
    }
    Ok(())
}

async fn open(config: &Config, store: &ModelStore, reader: &mut Reader) -> Result<LakeSinkTask> {
    let mut task = crate::harness::started(config, store).await?;
    let mut context = SinkContext::at(NOW);
    task.open(&assignment(1), &mut context).await?;
    reader.rejoin(&context);
    Ok(task)
}

/// Reads to the end and finishes all files.
async fn finish(config: &Config, store: &ModelStore, reader: &mut Reader, log: &Log) -> Result<()> {
    let mut task = open(config, store, reader).await?;
    loop {
        let batch = reader.poll(log, 7);
        if batch.is_empty() {
            break;
        }
        deliver(&mut task, batch, reader).await?;
    }
    put(&mut task, Vec::new(), NOW + 10_000_000).await?;
    task.close(&assignment(1), &mut SinkContext::at(NOW)).await?;
    task.stop().await;
    Ok(())
}

const ROTATE: (&str, &str) = ("rotate.interval.ms", "3600000");

fn names(store: &ModelStore) -> Vec<String> {
    store.files("topics/t/").into_keys().map(|path| path.rsplit('/').next().unwrap().to_owned()).collect()
}

#[test]
fn what_took_the_place_of_lost_records_goes_into_files_of_its_own() {
    runtime().block_on(async {
        let config = config([("flush.size", "4"), ROTATE]);
        let (store, mut log, mut reader) = (ModelStore::new(), Log::default(), Reader::default());
        let mut task = open(&config, &store, &mut reader).await.unwrap();
        log.append(10);
        deliver(&mut task, reader.poll(&log, 10), &mut reader).await.unwrap();
        log.elect(6);
        log.append(8);
        deliver(&mut task, reader.poll(&log, 20), &mut reader).await.unwrap();
        // From where it ended before, names are what they always were.
        log.append(4);
        deliver(&mut task, reader.poll(&log, 20), &mut reader).await.unwrap();
        finish(&config, &store, &mut reader, &log).await.unwrap();
        let expected = [
            "t+0+0000000000+0000000003.parquet",
            "t+0+0000000004+0000000007+1.parquet",
            "t+0+0000000004+0000000007.parquet",
            "t+0+0000000008+0000000009.parquet",
            "t+0+0000000008+0000000011+1.parquet",
            "t+0+0000000012+0000000015.parquet",
        ];
        assert_eq!(names(&store), expected);
        check(&store, &log, "one election");
    });
}

#[test]
fn an_election_while_nobody_reads_is_noticed_by_the_next_task() {
    runtime().block_on(async {
        for appended in [0, 2, 6, 20] {
            let config = config([("flush.size", "4"), ROTATE]);
            let (store, mut log, mut reader) = (ModelStore::new(), Log::default(), Reader::default());
            log.append(12);
            finish(&config, &store, &mut reader, &log).await.unwrap();
            log.elect(6);
            log.append(appended);
            finish(&config, &store, &mut reader, &log).await.unwrap();
            check(&store, &log, &format!("{appended} came after it"));
        }
    });
}

/// A batch that comes again begins with records that were lost and are in files, or reported, already.
#[test]
fn a_batch_over_an_election_may_come_again_at_every_write() {
    runtime().block_on(async {
        let config = config([("flush.size", "2"), ROTATE]);
        for spare in 0..24 {
            let (store, mut log, mut reader) = (ModelStore::new(), Log::default(), Reader::default());
            let mut task = open(&config, &store, &mut reader).await.unwrap();
            log.append(10);
            let mut batch = reader.poll(&log, 10);
            log.elect(6);
            log.append(4);
            batch.append(&mut reader.poll(&log, 10));
            log.elect(2);
            log.append(3);
            batch.append(&mut reader.poll(&log, 10));
            store.fill_up_after(spare, 2);
            deliver(&mut task, batch, &mut reader).await.unwrap();
            store.fill_up(0);
            put(&mut task, Vec::new(), NOW + 10_000_000).await.unwrap();
            check(&store, &log, &format!("after {spare} writes"));
        }
    });
}

/// Without epochs nothing tells a record from another at its offset: what came first stays, as it always did.
#[test]
fn without_epochs_what_came_first_stays() {
    runtime().block_on(async {
        let config = config([("flush.size", "4"), ROTATE]);
        let store = ModelStore::new();
        let (mut task, _) = opened(&config, &store, 1).await.unwrap();
        let unknown = |offset: i64, id: i64| {
            let mut record = reading(offset, (0, id));
            record.origin.leader_epoch = None;
            record
        };
        put(&mut task, (0..8).map(|offset| unknown(offset, offset)).collect(), NOW).await.unwrap();
        put(&mut task, (6..12).map(|offset| unknown(offset, 100 + offset)).collect(), NOW).await.unwrap();
        let ids: Vec<i64> = rows(&store).into_iter().map(|(_, id)| id).collect();
        assert_eq!(ids, [0, 1, 2, 3, 4, 5, 6, 7, 108, 109, 110, 111]);
    });
}

/// The log of commits of a version that did not know of epochs, and files alone.
#[test]
fn an_older_lake_is_gone_on_with() {
    runtime().block_on(async {
        let config = config([("flush.size", "4"), ROTATE]);
        for remove_log in [false, true] {
            let (mut store, mut log, mut reader) = (ModelStore::new(), Log::default(), Reader::default());
            log.append(8);
            finish(&config, &store, &mut reader, &log).await.unwrap();
            let path = "logs/t/0/commits";
            let text = String::from_utf8(store.files(path)[path].clone()).unwrap();
            assert!(text.contains("\ntaken ..0@0 0..8@0\n"), "{text}");
            store.restart(Loss::Nothing);
            store.remove(path);
            if !remove_log {
                let lines = "begin 8\n";
                let checksum = lines.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                    (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
                });
                store.put(path, format!("\n{lines}end {checksum:016x}\n").as_bytes());
            }
            log.append(5);
            finish(&config, &store, &mut reader, &log).await.unwrap();
            log.elect(3);
            log.append(6);
            finish(&config, &store, &mut reader, &log).await.unwrap();
            check(&store, &log, "an older lake");
        }
    });
}

#[test]
fn a_death_at_every_operation_around_an_election() {
    let runtime = runtime();
    let config = config([("flush.size", "4"), ROTATE]);
    let run = async |store: &ModelStore, log: &mut Log, reader: &mut Reader| -> Result<()> {
        let mut task = open(&config, store, reader).await?;
        log.append(10);
        deliver(&mut task, reader.poll(log, 10), reader).await?;
        // What was fetched before the election, and what is there after it.
        log.append(3);
        let mut batch = reader.poll(log, 3);
        log.elect(6);
        log.append(4);
        batch.append(&mut reader.poll(log, 20));
        deliver(&mut task, batch, reader).await?;
        log.elect(2);
        log.append(9);
        deliver(&mut task, reader.poll(log, 20), reader).await?;
        put(&mut task, Vec::new(), NOW + 10_000_000).await?;
        task.stop().await;
        Ok(())
    };
    let operations = {
        let (store, mut log, mut reader) = (ModelStore::new(), Log::default(), Reader::default());
        runtime.block_on(run(&store, &mut log, &mut reader)).unwrap();
        check(&store, &log, "no death");
        store.operations()
    };
    for at in 0..operations {
        for how in [Death::Before, Death::Halfway, Death::After] {
            for loss in [Loss::Nothing, Loss::Unsynced] {
                let (mut store, mut log, mut reader) = (ModelStore::new(), Log::default(), Reader::default());
                store.die_at(at, how);
                let _ = runtime.block_on(run(&store, &mut log, &mut reader));
                store.restart(loss);
                runtime.block_on(finish(&config, &store, &mut reader, &log)).unwrap();
                check(&store, &log, &format!("{how:?} operation {at} of {operations}, losing {loss:?}"));
            }
        }
    }
}

#[test]
fn random_elections_kills_and_full_disks() {
    let runtime = runtime();
    for seed in 0..60 {
        let mut random = Random(seed);
        let flush = (1 + random.below(9)).to_string();
        let class = ["Default", "Field"][random.below(2)];
        let config = config([
            ("flush.size", &flush),
            ROTATE,
            ("partitioner.class", class),
            ("partition.field.name", "device"),
            ("lavka.max.open.files", "2"),
        ]);
        let (mut store, mut log, mut reader) = (ModelStore::new(), Log::default(), Reader::default());
        for _ in 0..1 + random.below(4) {
            store.die_at(
                20 + random.below(150),
                [Death::Before, Death::Halfway, Death::After][random.below(3)],
            );
            let _: Result<()> = runtime.block_on(async {
                let mut task = open(&config, &store, &mut reader).await?;
                for _ in 0..random.below(12) {
                    log.append(random.below(9));
                    let mut batch = reader.poll(&log, random.below(12));
                    if random.below(3) == 0 {
                        log.elect(random.below(12));
                        log.append(random.below(20));
                        batch.append(&mut reader.poll(&log, random.below(12)));
                    }
                    if random.below(4) == 0 {
                        store.fill_up_after(random.below(6), random.below(4));
                    }
                    deliver(&mut task, batch, &mut reader).await?;
                }
                task.stop().await;
                Ok(())
            });
            if random.below(2) == 0 {
                log.elect(random.below(10));
                log.append(random.below(15));
            }
            store.restart([Loss::Nothing, Loss::Unsynced][random.below(2)]);
        }
        runtime.block_on(finish(&config, &store, &mut reader, &log)).unwrap();
        check(&store, &log, &format!("seed {seed}"));
    }
}

//! What a store clears away behind the sink's back: parts of uploads that were not completed yet. No record may be passed over
//! for that; and nobody is to be bothered where somebody has only moved finished files away.

use lavka_api::config::Config;
use lavka_api::data::{Datum, Object, SinkRecord, Value};
use lavka_api::plugin::SinkConnector as _;
use lavka_connector_lake::LakeSinkConnector;
use lavka_connector_lake::store::{BucketStore, Chunk, LakePath, LakeStore as _, Lease, Renamed};

use crate::bucket::PART;
use crate::support::{Rig, names_below, partition, record};

/// Clears away the parts of uploads that are under way; of that of the file with this name, where they have names.
pub(crate) type Clear<'a> = &'a (dyn Fn(&LakePath) + Sync);

fn path(text: &str) -> LakePath {
    LakePath::new(text).unwrap()
}

/// Writes a file that takes an upload.
async fn write(store: &BucketStore, lease: &Lease, temp: &LakePath, becomes: Option<&LakePath>) {
    store.create(lease, temp, becomes).await.unwrap();
    store.append(lease, temp, 0, Chunk::from(vec![7; PART + 10])).await.unwrap();
    store.sync(lease, temp).await.unwrap();
}

fn note_of(temp: &LakePath) -> LakePath {
    path(&format!("{temp}.upload"))
}

/// Three stores of one bucket are three writers.
pub(crate) async fn are_told_from_moved_files(stores: [&BucketStore; 3], clear: Clear<'_>) {
    let [mine, other, third] = stores;
    let lease = mine.lease(&path("lock")).await.unwrap().unwrap();
    for (name, is_known) in [("known", true), ("unknown", false)] {
        let named = |what: &str| (path(&format!("+tmp/{what}-{name}")), path(&format!("t/{what}-{name}")));
        let becomes = |done: &LakePath| is_known.then(|| done.clone());
        // Nobody has made it visible, and nobody can.
        let (temp, done) = named("lost");
        write(mine, &lease, &temp, becomes(&done).as_ref()).await;
        clear(if is_known { &done } else { &temp });
        for store in [mine, other, other] {
            let Renamed::Lost(lost) = store.rename_if_absent(&lease, &temp, &done).await.unwrap() else {
                panic!("{name}: the file is lost");
            };
            assert!(lost.object.ends_with(if is_known { done.as_str() } else { temp.as_str() }), "{lost:?}");
            assert!(lost.note.ends_with(note_of(&temp).as_str()), "{lost:?}");
            assert!(lost.age.is_some_and(|age| age.as_secs() < 3600), "{lost:?}");
        }
        // Somebody says that it was there.
        other.delete(&lease, &note_of(&temp)).await.unwrap();
        let renamed = other.rename_if_absent(&lease, &temp, &done).await.unwrap();
        assert_eq!(renamed, Renamed::SourceMissing);
        // A writer died between making it visible and deleting the note.
        let (temp, done) = named("done");
        write(mine, &lease, &temp, becomes(&done).as_ref()).await;
        let note = Chunk::from(other.read(&note_of(&temp), 10_000).await.unwrap().unwrap());
        assert_eq!(other.rename_if_absent(&lease, &temp, &done).await.unwrap(), Renamed::Done);
        assert!(other.create_object(&note_of(&temp), note.clone()).await.unwrap());
        let renamed = third.rename_if_absent(&lease, &temp, &done).await.unwrap();
        assert!(matches!(renamed, Renamed::Done | Renamed::AlreadyDone), "{name}: {renamed:?}");
        assert!(third.list(&path("+tmp")).await.unwrap().is_empty(), "{name}: the note is deleted");
        // And the file was moved away: that cannot be told from one that was lost.
        assert!(other.create_object(&note_of(&temp), note).await.unwrap());
        other.delete(&lease, &done).await.unwrap();
        let renamed = third.rename_if_absent(&lease, &temp, &done).await.unwrap();
        assert!(matches!(renamed, Renamed::Lost(_)), "{name}: {renamed:?}");
        other.delete(&lease, &note_of(&temp)).await.unwrap();
        // Another writer has finished it, and it was moved away.
        for store in [mine, third] {
            let renamed = store.rename_if_absent(&lease, &temp, &done).await.unwrap();
            assert_eq!(renamed, Renamed::SourceMissing, "{name}");
        }
        // A note that is none does not count as a file without one.
        let (temp, done) = named("torn");
        assert!(other.create_object(&note_of(&temp), Chunk::from_static(b"lavka")).await.unwrap());
        let error = other.rename_if_absent(&lease, &temp, &done).await.unwrap_err();
        assert!(!error.is_retriable() && error.to_string().contains(note_of(&temp).as_str()), "{error}");
        other.delete(&lease, &note_of(&temp)).await.unwrap();
    }
}

/// The first eight records are of a megabyte, for device `a`; the others small, for device `b`.
pub(crate) fn heavy(offset: i64) -> SinkRecord {
    let (device, length) = if offset < 8 { ("a", 1_000_000) } else { ("b", 10) };
    let mut record = record(offset);
    let value = Object::from_entries([
        ("offset", Value::Int64(offset)),
        ("device", device.into()),
        ("text", "x".repeat(length).as_str().into()),
    ]);
    record.record.value = Datum::schemaless(value);
    record
}

/// Lines of JSON in a directory for each device, twelve records at a time. A file that got no record for 15 seconds is finished
/// up to its name.
pub(crate) fn by_device(config: &Config) -> Config {
    let mut config = config.clone();
    config.set("format.class", "io.confluent.connect.s3.format.json.JsonFormat");
    config.set("partitioner.class", "io.confluent.connect.storage.partitioner.FieldPartitioner");
    config.set("partition.field.name", "device");
    config.set("flush.size", "12");
    config.set("s3.part.size", PART.to_string());
    config.set("lavka.rotate.idle.ms", "15000");
    // What is lost is looked for as often as by itself, with less of a pause.
    config.set("s3.retry.backoff.ms", "20");
    config
}

/// The numbers in all finished files, in order.
pub(crate) async fn offsets(store: &BucketStore) -> Vec<i64> {
    let mut offsets = Vec::new();
    for file in store.list(&path("topics/t")).await.unwrap() {
        let text = String::from_utf8(store.read(&file, 1 << 24).await.unwrap().unwrap()).unwrap();
        let value = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        offsets.extend(text.lines().map(|line| value(line)["offset"].as_i64().unwrap()));
    }
    offsets.sort_unstable();
    offsets
}

/// The upload of a file that waits for others is cleared away, and only then their commit comes.
pub(crate) async fn end_the_task_that_counts_on_them(store: &BucketStore, config: &Config, clear: Clear<'_>) {
    let config = by_device(config);
    let mut rig = Rig::open(&config).await.unwrap();
    rig.record = heavy;
    // Ten seconds lie between one batch and the next.
    for count in [8, 1, 1] {
        rig.put(count).await.unwrap();
    }
    let notes = names_below(store, "topics/+tmp").await;
    let note = notes.iter().find(|name| name.ends_with(".upload")).unwrap();
    let text = String::from_utf8(store.read(&path(note), 10_000).await.unwrap().unwrap()).unwrap();
    assert!(text.contains("length "), "the file is whole: {text}");
    let key = text.lines().find_map(|line| line.strip_prefix("key ")).unwrap();
    let key = key.split_once("topics/").unwrap().1;
    clear(&path(&format!("topics/{key}")));
    let told = |error: lavka_api::Error| {
        assert!(!error.is_retriable(), "{error}");
        let text = error.to_string();
        for part in [
            note.as_str(),
            key,
            "set the connector's offset of t-0 to 0 ",
            "offsets 0 to 11 again",
            "seconds old",
        ] {
            assert!(text.contains(part), "no {part}: {text}");
        }
    };
    told(rig.put(2).await.unwrap_err());
    drop(rig);
    // However often it is started, it does not go on behind them; nor are offsets altered.
    told(Rig::open(&config).await.map(|rig| rig.position).unwrap_err());
    told(Rig::open(&config).await.map(|rig| rig.position).unwrap_err());
    let alter = |offset| LakeSinkConnector::default().alter_offsets(&config, &[(partition(), Some(offset))]);
    told(alter(0).unwrap_err());
    // What the error says helps.
    let lease = store.lease(&path("lock")).await.unwrap().unwrap();
    store.delete(&lease, &path(note)).await.unwrap();
    for file in store.list(&path("topics/t")).await.unwrap() {
        store.delete(&lease, &file).await.unwrap();
    }
    alter(0).unwrap();
    let mut rig = Rig::open(&config).await.unwrap();
    assert_eq!(rig.position, 0);
    rig.record = heavy;
    rig.put(24).await.unwrap();
    assert_eq!(rig.durable().await, Some(24));
    rig.stop().await;
    assert_eq!(offsets(store).await, (0..24).collect::<Vec<i64>>());
    assert_eq!(names_below(store, "topics/+tmp").await, Vec::<String>::new());
}

/// The upload of a file that is being written is cleared away, where the store says so when the next part comes.
pub(crate) async fn cost_a_reading_anew(store: &BucketStore, config: &Config, clear: Clear<'_>) {
    let mut config = by_device(config);
    config.set("lavka.rotate.idle.ms", "-1");
    let mut rig = Rig::open(&config).await.unwrap();
    rig.record = heavy;
    rig.put(7).await.unwrap();
    clear(&path("topics"));
    let error = rig.put(13).await.unwrap_err();
    assert!(error.is_retriable() && error.to_string().contains("is gone"), "{error}");
    rig.put_at_last(13, 100).await;
    assert!(rig.position < 20, "it reads from the beginning again: {}", rig.position);
    while rig.position < 36 {
        rig.put(12).await.unwrap();
    }
    let durable = rig.durable().await.unwrap();
    rig.stop().await;
    assert_eq!(offsets(store).await, (0..durable).collect::<Vec<i64>>());
    assert!(durable >= 20, "{durable}");
}

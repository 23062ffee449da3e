//! What every store of objects promises, whoever's it is.

use lavka_api::config::Config;
use lavka_api::error::ErrorClass;
use lavka_connector_lake::store::{BucketStore, Chunk, End, LakePath, LakeStore as _, Renamed};

use crate::bucket::PART;
use crate::support::{Rig, assert_complete, kill_writers, names_below, rows, runtime};

fn path(text: &str) -> LakePath {
    LakePath::new(text).unwrap()
}

fn chunk(text: &str) -> Chunk {
    Chunk::from(text.as_bytes().to_vec())
}

/// Small files, an object and a copy each, and objects that one writer alone can create.
pub(crate) async fn of_the_port(store: &BucketStore) {
    store.prepare().await.unwrap();
    let lease = store.lease(&path("logs/lock")).await.unwrap().unwrap();
    let (temp, done) = (path("+tmp/a+b"), path("t/f=1 ž%/done"));
    assert!(store.create(&lease, &temp, None).await.unwrap());
    store.append(&lease, &temp, 0, chunk("abc")).await.unwrap();
    store.append(&lease, &temp, 0, chunk("abc")).await.unwrap();
    store.append(&lease, &temp, 3, chunk("def")).await.unwrap();
    assert!(store.append(&lease, &temp, 2, chunk("xy")).await.is_err());
    assert!(store.list(&path("+tmp")).await.unwrap().is_empty(), "it waits in memory");
    assert_eq!(store.held_bytes(&temp), 6);
    assert!(store.sync(&lease, &temp).await.unwrap() && store.sync(&lease, &temp).await.unwrap());
    assert_eq!(store.held_bytes(&temp), 0);
    assert_eq!(store.read(&temp, 100).await.unwrap().unwrap(), b"abcdef");
    assert!(store.read(&temp, 5).await.is_err());
    for (end, want) in [(End::First(2), "ab"), (End::Last(2), "ef"), (End::Last(9), "abcdef")] {
        assert_eq!(store.read_end(&temp, end).await.unwrap().unwrap(), want.as_bytes());
    }
    assert_eq!(store.read_end(&path("none"), End::Last(1)).await.unwrap(), None);
    assert_eq!(store.rename_if_absent(&lease, &temp, &done).await.unwrap(), Renamed::Done);
    assert_eq!(store.rename_if_absent(&lease, &temp, &done).await.unwrap(), Renamed::AlreadyDone);
    assert_eq!(store.rename_if_absent(&lease, &temp, &path("t/x")).await.unwrap(), Renamed::SourceMissing);
    assert_eq!(store.list(&path("t")).await.unwrap(), [done]);
    // What the store would refuse when it is too late is refused before.
    let name = |length: usize| path(&format!("{}x", "123456789/".repeat(length / 10)));
    store.check_name(&name(1000)).unwrap();
    let error = store.check_name(&name(1030)).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Data, "{error}");
    // One that creates wins.
    assert!(store.create_object(&path("logs/1"), chunk("mine")).await.unwrap());
    assert!(!store.create_object(&path("logs/1"), chunk("yours")).await.unwrap());
    assert_eq!(store.read(&path("logs/1"), 100).await.unwrap().unwrap(), b"mine");
}

/// Large files, which whoever takes over completes or aborts. `open` counts the uploads that were neither, where the store
/// tells.
pub(crate) async fn of_parts(mine: &BucketStore, other: &BucketStore, open: Option<&dyn Fn() -> usize>) {
    let assert_open = |want: usize| {
        if let Some(open) = open {
            assert_eq!(open(), want);
        }
    };
    let lease = mine.lease(&path("lock")).await.unwrap().unwrap();
    let bytes: Vec<u8> = (0..PART * 2 + 1000).map(|i| u8::try_from(i % 251).unwrap()).collect();
    let write = async |temp: &LakePath, becomes: Option<&LakePath>| {
        mine.create(&lease, temp, becomes).await.unwrap();
        let mut at = 0;
        for part in bytes.chunks(3_000_000) {
            mine.append(&lease, temp, at, Chunk::from(part.to_vec())).await.unwrap();
            at += u64::try_from(part.len()).unwrap();
        }
    };
    for (name, becomes) in [("known", true), ("unknown", false)] {
        let (temp, done) = (path(&format!("+tmp/{name}")), path(&format!("t/{name}")));
        write(&temp, becomes.then_some(&done)).await;
        assert_open(1);
        assert!(mine.held_bytes(&temp) < PART, "full parts have left");
        assert!(mine.list(&path("t")).await.unwrap().iter().all(|path| *path != done));
        mine.sync(&lease, &temp).await.unwrap();
        // As after a crash: whoever takes over knows the names alone.
        assert_eq!(other.rename_if_absent(&lease, &temp, &done).await.unwrap(), Renamed::Done);
        assert_eq!(other.read(&done, 100_000_000).await.unwrap().unwrap(), bytes);
        // The former writer wakes up.
        let late = mine.rename_if_absent(&lease, &temp, &done).await.unwrap();
        assert!(matches!(late, Renamed::Done | Renamed::AlreadyDone), "{late:?}");
        assert_eq!(mine.read(&done, 100_000_000).await.unwrap().unwrap(), bytes);
        assert_open(0);
        assert!(mine.list(&path("+tmp")).await.unwrap().is_empty(), "{name}");
    }
    // One that nobody completes.
    let temp = path("+tmp/dead");
    write(&temp, Some(&path("t/dead"))).await;
    assert_open(1);
    for found in other.list(&path("+tmp")).await.unwrap() {
        other.delete(&lease, &found).await.unwrap();
    }
    assert_open(0);
    for directory in ["+tmp", "t/dead"] {
        assert!(other.list(&path(directory)).await.unwrap().is_empty());
    }
}

/// Two tasks that both believe that they have a partition.
pub(crate) async fn of_two_writers(store: &BucketStore, config: &Config) {
    let mut first = Rig::open(config).await.unwrap();
    first.put(30).await.unwrap();
    // Another one takes over while the first believes that it still has the partition.
    let mut second = Rig::open(config).await.unwrap();
    assert_eq!(second.position, 20);
    second.put(35).await.unwrap();
    assert_eq!(rows(store).await, (0..40).collect::<Vec<i64>>());
    let error = first.put(30).await.unwrap_err();
    assert!(error.is_retriable() && error.to_string().contains("another writer"), "{error}");
    // It takes the partition over in turn, from where the files end.
    first.put_at_last(20, 400).await;
    first.put(30).await.unwrap();
    let error = second.put(30).await.unwrap_err();
    assert!(error.is_retriable(), "{error}");
    let durable = first.durable().await.unwrap();
    first.stop().await;
    second.stop().await;
    assert_complete(store, durable).await;
    assert_eq!(names_below(store, "topics/+tmp").await, Vec::<String>::new());
}

/// A task that believes that it has a partition, while another one has committed often: so often that the log has no object
/// any more of the number that the first one would create.
pub(crate) async fn of_a_writer_that_slept(store: &BucketStore, config: &Config) {
    let mut first = Rig::open(config).await.unwrap();
    first.put(30).await.unwrap();
    let mut second = Rig::open(config).await.unwrap();
    assert_eq!(second.position, 20);
    for _ in 0..5 {
        second.put(20).await.unwrap();
    }
    let error = first.put(25).await.unwrap_err();
    assert!(error.is_retriable() && error.to_string().contains("another writer"), "{error}");
    second.put(20).await.unwrap();
    assert_eq!(second.durable().await, Some(140));
    second.stop().await;
    first.put_at_last(20, 400).await;
    let durable = first.durable().await.unwrap();
    first.stop().await;
    assert_complete(store, durable).await;
}

/// Writers that are killed so many times, and one that goes on.
pub(crate) fn of_killed_writers(store: &BucketStore, config: &Config, times: usize) {
    let chance = kill_writers(config, times, 150..1050, store, "topics");
    runtime().block_on(async {
        let mut rig = Rig::open(config).await.unwrap();
        let reached = rig.position;
        assert!(reached > 0, "something was written before the last kill (seed {})", chance.seed());
        rig.put(20).await.unwrap();
        rig.stop().await;
        assert_complete(store, reached + 20).await;
        assert_eq!(names_below(store, "topics/+tmp").await, Vec::<String>::new());
        assert!(names_below(store, "logs").await.len() <= 3, "old commits are cleared away");
    });
}

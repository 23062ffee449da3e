use std::io::{Cursor, Write as _};
use std::path::Path;

use lavka_api::config::{Config, ConfigSpec};
use lavka_api::plugin::TaskId;

use super::*;

/// Offsets as an earlier run left them.
struct Stored(Option<OffsetMap>);

#[async_trait]
impl OffsetReader for Stored {
    async fn offsets(&self, partitions: &[OffsetMap]) -> Result<Vec<Option<OffsetMap>>> {
        Ok(partitions.iter().map(|_| self.0.clone()).collect())
    }
}

async fn task(file: &Path, position: Option<i64>, extra: &[(&str, &str)]) -> FileSourceTask {
    let mut config = Config::from([("file", file.to_str().unwrap()), ("topic", "lines")]);
    for (key, value) in extra {
        config.set(*key, *value);
    }
    let mut task = FileSourceTask::new(&FileSourceConfig::from_config(&config).unwrap());
    task.idle = Duration::from_millis(5);
    let offset = position.map(|p| OffsetMap::new([(POSITION, Value::Int64(p))]));
    let id = TaskId { connector: "file".into(), task: 0 };
    task.start(SourceTaskStart { id, offsets: Arc::new(Stored(offset)) }).await.unwrap();
    task
}

fn append(file: &Path, bytes: &[u8]) {
    std::fs::OpenOptions::new().append(true).create(true).open(file).unwrap().write_all(bytes).unwrap();
}

/// Text and position of each record.
fn seen(records: &[SourceRecord]) -> Vec<(String, i64)> {
    records
        .iter()
        .map(|r| {
            let position = r.position.as_ref().unwrap().offset.get(POSITION).unwrap().as_i64().unwrap();
            (r.record.value.value.as_str().unwrap().to_owned(), position)
        })
        .collect()
}

fn pairs(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
    expected.iter().map(|(text, position)| ((*text).to_owned(), *position)).collect()
}

/// A poll that finds nothing for a while.
async fn nothing(task: &mut FileSourceTask) {
    let polled = tokio::time::timeout(Duration::from_millis(100), task.poll()).await;
    assert!(polled.is_err(), "expected to wait, got {polled:?}");
}

#[tokio::test]
async fn records_look_like_apaches() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("in.txt");
    append(&file, b"hello\n");
    let mut task = task(&file, None, &[]).await;
    let records = task.poll().await.unwrap();
    let [SourceRecord { record, position: Some(position), .. }] = records.as_slice() else {
        panic!("{records:?}");
    };
    assert_eq!(record.topic.as_str(), "lines");
    assert_eq!(record.partition, None);
    assert_eq!(record.key, Datum::NULL);
    assert_eq!(record.value, Datum::new(Schema::of(Type::String), "hello"));
    assert!(record.timestamp.is_some());
    assert!(record.headers.is_empty());
    assert_eq!(position.partition, OffsetMap::new([("filename", file.to_str().unwrap())]));
    assert_eq!(position.offset, OffsetMap::new([("position", Value::Int64(6))]));
}

#[tokio::test]
async fn tails_a_growing_file_and_holds_back_a_partial_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("in.txt");
    append(&file, b"one\ntw");
    let mut task = task(&file, None, &[]).await;
    assert_eq!(seen(&task.poll().await.unwrap()), pairs(&[("one", 4)]));
    nothing(&mut task).await;
    append(&file, b"o\r\nthree\n");
    assert_eq!(seen(&task.poll().await.unwrap()), pairs(&[("two", 9), ("three", 15)]));
    nothing(&mut task).await;
}

#[tokio::test]
async fn terminators_and_umlauts_count_in_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("in.txt");
    append(&file, "ä\r\n\rö\nx\r".as_bytes());
    let mut task = task(&file, None, &[]).await;
    assert_eq!(seen(&task.poll().await.unwrap()), pairs(&[("ä", 4), ("", 5), ("ö", 8)]));
    append(&file, b"y\n");
    assert_eq!(seen(&task.poll().await.unwrap()), pairs(&[("x", 10), ("y", 12)]));
}

#[tokio::test]
async fn resumes_behind_the_committed_position() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("in.txt");
    append(&file, b"one\ntwo\nthree\n");
    let mut task = task(&file, Some(4), &[]).await;
    assert_eq!(seen(&task.poll().await.unwrap()), pairs(&[("two", 8), ("three", 14)]));
}

#[tokio::test]
async fn waits_for_a_file_to_appear() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("later.txt");
    let mut task = task(&file, None, &[]).await;
    nothing(&mut task).await;
    append(&file, b"here\n");
    assert_eq!(seen(&task.poll().await.unwrap()), pairs(&[("here", 5)]));
}

#[tokio::test]
async fn a_truncated_file_is_read_from_its_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("in.txt");
    append(&file, b"a long first line\nand a part");
    let mut task = task(&file, None, &[]).await;
    assert_eq!(seen(&task.poll().await.unwrap()), pairs(&[("a long first line", 18)]));
    nothing(&mut task).await;
    std::fs::write(&file, b"new\n").unwrap();
    assert_eq!(seen(&task.poll().await.unwrap()), pairs(&[("new", 4)]));
}

#[tokio::test]
async fn a_position_behind_the_end_means_a_replaced_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("in.txt");
    append(&file, b"new\n");
    let mut task = task(&file, Some(1000), &[]).await;
    assert_eq!(seen(&task.poll().await.unwrap()), pairs(&[("new", 4)]));
}

#[tokio::test]
async fn a_batch_holds_no_more_than_its_size_and_loses_nothing_when_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("in.txt");
    for i in 0..25 {
        append(&file, format!("{i}\n").as_bytes());
    }
    let mut task = task(&file, None, &[("batch.size", "10")]).await;
    let mut all = Vec::new();
    while all.len() < 25 {
        // Polls that are dropped at their first wait, as a pause does.
        for _ in 0..3 {
            let dropped = tokio::time::timeout(Duration::ZERO, task.poll()).await;
            if let Ok(records) = dropped {
                all.extend(seen(&records.unwrap()));
            }
        }
        if all.len() < 25 {
            let records = task.poll().await.unwrap();
            assert!(records.len() <= 10);
            all.extend(seen(&records));
        }
    }
    let texts: Vec<String> = all.into_iter().map(|(text, _)| text).collect();
    assert_eq!(texts, (0..25).map(|i| i.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_endless_line_fails_with_the_key_to_raise() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("in.txt");
    append(&file, &vec![b'x'; 5000]);
    let mut task = task(&file, None, &[("lavka.file.max.line.bytes", "4096")]).await;
    let error = task.poll().await.unwrap_err().to_string();
    assert!(error.contains("lavka.file.max.line.bytes") && error.contains("in.txt"), "{error}");
}

#[tokio::test]
async fn a_directory_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut task = task(folder.path(), None, &[]).await;
    let error = task.poll().await.unwrap_err().to_string();
    assert!(error.contains(folder.path().to_str().unwrap()) && error.contains("regular file"), "{error}");
}

#[tokio::test]
async fn standard_input_has_no_positions() {
    let config = Config::from([("topic", "lines")]);
    let mut task = FileSourceTask::new(&FileSourceConfig::from_config(&config).unwrap());
    task.idle = Duration::from_millis(5);
    task.input = Input::Stdin(Some(Pump::start(Cursor::new(b"a\nb\nrest".to_vec()))));
    let records = task.poll().await.unwrap();
    let texts: Vec<_> = records.iter().map(|r| (r.record.value.value.as_str(), &r.position)).collect();
    assert_eq!(texts, [(Some("a"), &None), (Some("b"), &None)]);
    nothing(&mut task).await;
}

//! Directories that have parts of topics' names in them.

use lavka_api::data::TopicPartition;
use lavka_api::plugin::{SinkContext, SinkTask as _};

use crate::harness::{NOW, config, put, reading, runtime, started};
use crate::model_store::ModelStore;

#[test]
fn parts_of_the_topic_become_directories_of_files_and_logs() {
    let config = config([
        ("topic.capture.groups.regex", "([a-z]+)_([a-z]+)"),
        ("topics.dir", "sites/${1}"),
        ("logs.dir", "wal/${2}/${topic}"),
        ("flush.size", "2"),
        ("rotate.interval.ms", "1000"),
        ("format.class", "Json"),
    ]);
    runtime().block_on(async {
        let store = ModelStore::new();
        let mut task = started(&config, &store).await.unwrap();
        let topics = ["north_power", "south_power"];
        let partitions: Vec<TopicPartition> =
            topics.iter().map(|topic| TopicPartition::new(*topic, 0)).collect();
        task.open(&partitions, &mut SinkContext::at(NOW)).await.unwrap();
        let batch = topics.into_iter().flat_map(|topic| {
            (0..3).map(move |offset| {
                let mut record = reading(0, offset);
                record.record.topic = topic.into();
                record.origin.topic = topic.into();
                record
            })
        });
        put(&mut task, batch.collect(), NOW).await.unwrap();
        put(&mut task, Vec::new(), NOW + 2000).await.unwrap();
        let files: Vec<String> = store.files("").into_keys().filter(|name| name.contains('+')).collect();
        let want = |site: &str, offsets: &str| {
            format!("sites/{site}/{site}_power/partition=0/{site}_power+0+{offsets}.json")
        };
        assert_eq!(
            files,
            [
                want("north", "0000000000+0000000001"),
                want("north", "0000000002+0000000002"),
                want("south", "0000000000+0000000001"),
                want("south", "0000000002+0000000002"),
            ]
        );
        let logs: Vec<String> =
            store.files("wal").into_keys().filter(|name| name.ends_with("commits")).collect();
        assert_eq!(
            logs,
            ["wal/power/north_power/north_power/0/commits", "wal/power/south_power/south_power/0/commits"]
        );
        // Another task goes on where these files end.
        task.stop().await;
        let mut task = started(&config, &store).await.unwrap();
        let mut context = SinkContext::at(NOW);
        task.open(&partitions, &mut context).await.unwrap();
        assert_eq!(context.rewind.values().copied().collect::<Vec<_>>(), [3, 3]);
        // A topic that the expression does not match has no directory.
        let error = task.open(&[TopicPartition::new("other", 0)], &mut context).await.unwrap_err();
        assert_eq!(error.class(), lavka_api::ErrorClass::Config);
        let text = "Topic other does not fully match the specified regex.";
        assert!(error.to_string().contains(text), "{error}");
    });
}

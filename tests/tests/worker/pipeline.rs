//! A worker in process, file connectors, a real Kafka: what goes in comes out, whatever happens in between.

use std::time::Duration;

use crate::support::TestWorker;
use lavka_api::config::Config;
use lavka_testkit::{eventually, services, temp_dir, unique};
use lavka_worker::{RestartRequest, State, TargetState};

const PATIENCE: Duration = Duration::from_secs(60);

/// A file source with transforms, and a file sink, over the topic `name`.
struct Pipe {
    name: String,
    folder: tempfile::TempDir,
}

impl Pipe {
    fn new(stem: &str) -> Self {
        let pipe = Self { name: unique(stem), folder: temp_dir() };
        services().kafka.client().create_topic(&pipe.name, 1);
        pipe
    }

    fn source(&self) -> Config {
        Config::from([
            ("name", format!("{}-source", self.name)),
            ("connector.class", "FileStreamSource".into()),
            ("topic", self.name.clone()),
            ("file", self.path("in.txt")),
        ])
    }

    fn sink(&self) -> Config {
        Config::from([
            ("name", format!("{}-sink", self.name)),
            ("connector.class", "org.apache.kafka.connect.file.FileStreamSinkConnector".into()),
            ("topics", self.name.clone()),
            ("file", self.path("out.txt")),
        ])
    }

    fn path(&self, file: &str) -> String {
        self.folder.path().join(file).display().to_string()
    }

    fn append(&self, lines: std::ops::Range<u32>) {
        use std::io::Write as _;
        let mut file = std::fs::File::options().create(true).append(true).open(self.path("in.txt")).unwrap();
        for line in lines {
            writeln!(file, "line {line}").unwrap();
        }
    }

    fn out(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("out.txt")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits until the lines `0..count` came out, each once, in order.
    fn expect(&self, count: u32) {
        let wanted: Vec<String> = (0..count).map(|line| format!("line {line}")).collect();
        eventually("all lines in the sink's file", PATIENCE, || {
            (self.out().len() >= wanted.len()).then_some(())
        });
        assert_eq!(self.out(), wanted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_go_through_kafka_and_survive_pause_stop_restart_and_a_new_worker() {
    let pipe = Pipe::new("pipeline");
    let worker = TestWorker::start(pipe.folder.path());
    let handle = worker.handle();
    let (source, sink) = (format!("{}-source", pipe.name), format!("{}-sink", pipe.name));
    pipe.append(0..100);
    let (created, info) = handle.put_connector(source.clone(), pipe.source(), None, false).await.unwrap();
    assert!(created);
    assert_eq!(info.tasks, 1);
    handle.put_connector(sink.clone(), pipe.sink(), None, false).await.unwrap();
    pipe.expect(100);

    // Paused, nothing moves; resumed, it does.
    handle.set_target(&source, TargetState::Paused).await.unwrap();
    worker.wait_for_state(&source, State::Paused, PATIENCE);
    pipe.append(100..200);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(pipe.out().len(), 100);
    handle.set_target(&source, TargetState::Started).await.unwrap();
    pipe.expect(200);

    // Stopped there are no tasks, and offsets may be looked at and changed.
    handle.set_target(&sink, TargetState::Stopped).await.unwrap();
    assert_eq!(handle.status(&sink).unwrap().connector.state, State::Stopped);
    assert!(handle.status(&sink).unwrap().tasks.is_empty());
    let offsets = handle.offsets(&sink).await.unwrap();
    assert_eq!(offsets.len(), 1);
    assert_eq!(offsets[0].offset.get("kafka_offset").and_then(lavka_api::data::Value::as_i64), Some(200));
    handle.set_target(&sink, TargetState::Started).await.unwrap();
    let restarted =
        handle.restart(&source, RestartRequest { include_tasks: true, only_failed: false }).await.unwrap();
    assert_eq!(restarted.unwrap().connector.state, State::Restarting);
    pipe.append(200..300);
    pipe.expect(300);
    assert_eq!(handle.topics(&sink).unwrap(), [pipe.name.as_str()]);

    // A new worker on the same offset file goes on where the old one stopped.
    worker.shutdown().await;
    pipe.append(300..400);
    let worker = TestWorker::start(pipe.folder.path());
    worker.handle().put_connector(source.clone(), pipe.source(), None, false).await.unwrap();
    worker.handle().put_connector(sink.clone(), pipe.sink(), None, false).await.unwrap();
    pipe.expect(400);

    worker.handle().delete(&source).await.unwrap();
    assert_eq!(worker.handle().info(&source).unwrap_err().status, 404);
    worker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_refused_with_connects_texts() {
    let folder = temp_dir();
    let worker = TestWorker::start(folder.path());
    let handle = worker.handle();
    let put = async |config: Config| handle.put_connector("c".into(), config, None, false).await.unwrap_err();

    let refusal = put(Config::from([("connector.class", "FileStreamSink"), ("tasks.max", "0")])).await;
    assert_eq!(refusal.status, 400);
    assert!(
        refusal
            .message
            .starts_with("Connector configuration is invalid and contains the following 3 error(s):\n")
    );
    assert!(refusal.message.contains("\nMust configure one of topics or topics.regex\n"), "{refusal}");
    assert!(
        refusal.message.contains("Invalid value 0 for configuration tasks.max: Value must be at least 1")
    );

    let refusal = put(Config::from([("connector.class", "FileStreamSonk")])).await;
    assert_eq!(refusal.status, 400);
    assert!(refusal.message.contains("FileStreamSink"), "{refusal}");

    let refusal = put(Config::from([("name", "d"), ("connector.class", "FileStreamSink")])).await;
    assert!(refusal.message.contains("doesn't match connector name in the URL (c)"), "{refusal}");
    worker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_record_fails_the_task_or_goes_to_the_dead_letters() {
    let pipe = Pipe::new("poison");
    let dead = format!("{}-dead", pipe.name);
    let client = services().kafka.client();
    client.produce(&pipe.name, ["1", "{broken", "2"].map(lavka_testkit::NewRecord::of));
    let worker = TestWorker::start(pipe.folder.path());
    let handle = worker.handle();
    let sink = format!("{}-sink", pipe.name);
    let mut config = pipe.sink();
    config.set("value.converter", "org.apache.kafka.connect.json.JsonConverter");
    config.set("value.converter.schemas.enable", "false");
    handle.put_connector(sink.clone(), config.clone(), None, false).await.unwrap();
    let failed = eventually("the task to fail", PATIENCE, || {
        handle.task_status(&sink, 0).ok().filter(|status| status.state == State::Failed)
    });
    let trace = failed.trace.unwrap();
    assert!(trace.contains("Tolerance exceeded in error handler"), "{trace}");
    assert!(
        trace.contains("Converting byte[] to Kafka Connect data failed due to serialization error"),
        "{trace}"
    );
    assert_eq!(pipe.out(), ["1"], "what came before the poison record was delivered");

    config.set("errors.tolerance", "all");
    config.set("errors.deadletterqueue.topic.name", dead.clone());
    config.set("errors.deadletterqueue.topic.replication.factor", "1");
    config.set("errors.deadletterqueue.context.headers.enable", "true");
    let (created, _) = handle.put_connector(sink.clone(), config, None, true).await.unwrap();
    assert!(!created);
    let letters = client.consume_count(&dead, 1, PATIENCE);
    assert_eq!(letters[0].value.as_deref(), Some(b"{broken".as_slice()));
    assert_eq!(letters[0].header("__connect.errors.stage"), Some(b"VALUE_CONVERTER".as_slice()));
    eventually("the record behind it", PATIENCE, || (pipe.out().last()? == "2").then_some(()));
    worker.shutdown().await;
}

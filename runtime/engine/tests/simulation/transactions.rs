//! Exactly-once delivery: what is in which transaction.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use lavka_api::data::{OffsetMap, Topic, Value};
use lavka_api::plugin::{OffsetReader, TaskId, TransactionContext};
use lavka_api::{Error, Result};
use lavka_engine::source::{Boundary, Generation, OffsetRecord, OffsetTopic};
use lavka_engine::task::Target;

use crate::plugins::{Step, record, scripted, tolerant};
use crate::producer::{Answer, FakeProducer};
use crate::rig::{SourceRig, SourceSetup, counter, pass, until};

/// What exactly-once delivery needs beside the producer.
pub(crate) struct Once {
    pub(crate) offsets: Arc<dyn OffsetTopic>,
    pub(crate) generation: Arc<dyn Generation>,
    pub(crate) boundary: Boundary,
}

/// An offsets topic whose records are `partition=offset`.
struct FakeTopic(Topic);

struct Nothing;

#[async_trait]
impl OffsetReader for Nothing {
    async fn offsets(&self, partitions: &[OffsetMap]) -> Result<Vec<Option<OffsetMap>>> {
        Ok(vec![None; partitions.len()])
    }
}

pub(crate) fn number(map: &OffsetMap, key: &str) -> i64 {
    map.get(key).and_then(Value::as_i64).unwrap()
}

#[async_trait]
impl OffsetTopic for FakeTopic {
    fn topic(&self) -> &Topic {
        &self.0
    }

    async fn reader(&self) -> Result<Arc<dyn OffsetReader>> {
        Ok(Arc::new(Nothing))
    }

    fn records(&self, offsets: &[(OffsetMap, OffsetMap)]) -> Result<Vec<OffsetRecord>> {
        let one = |(partition, offset): &(OffsetMap, OffsetMap)| OffsetRecord {
            key: Vec::new(),
            value: format!("{}={}", number(partition, "p"), number(offset, "o")).into_bytes(),
        };
        Ok(offsets.iter().map(one).collect())
    }

    fn committed(&self, _: &[(OffsetMap, OffsetMap)]) {}

    async fn close(&self) {}
}

/// The newest generation, but for the checks that a test orders otherwise.
#[derive(Default)]
pub(crate) struct FakeGeneration {
    checks: Mutex<VecDeque<Result<()>>>,
    fencings: Mutex<VecDeque<Error>>,
}

#[async_trait]
impl Generation for FakeGeneration {
    async fn fence(&self) -> Result<()> {
        self.fencings.lock().unwrap().pop_front().map_or(Ok(()), Err)
    }

    fn check(&self, _: &TaskId) -> Result<()> {
        self.checks.lock().unwrap().pop_front().unwrap_or(Ok(()))
    }
}

fn once(boundary: Boundary) -> Once {
    Once {
        offsets: Arc::new(FakeTopic(Topic::from("offsets"))),
        generation: Arc::<FakeGeneration>::default(),
        boundary,
    }
}

fn setup(boundary: Boundary) -> SourceSetup {
    SourceSetup { once: Some(once(boundary)), ..SourceSetup::default() }
}

/// Nothing happens before the task has taken over.
async fn started(setup: SourceSetup) -> SourceRig {
    let rig = setup.run();
    until("the first poll", || rig.journal.count("poll") > 0).await;
    assert_eq!(rig.producer.calls(), ["init"]);
    rig
}

async fn calls(rig: &SourceRig, count: usize) -> Vec<String> {
    until("the producer is asked", || rig.producer.calls().len() > count).await;
    pass(50).await;
    rig.producer.calls().split_off(1)
}

#[tokio::test(start_paused = true)]
async fn each_batch_and_its_offsets_are_one_transaction() {
    let rig = started(setup(Boundary::Poll)).await;
    rig.poll(Step::Batch(vec![record("a", 0, 1), record("b", 1, 7), record("c", 0, 2)]));
    let first = ["begin", "t a", "t b", "t c", "offsets 0=2", "offsets 1=7", "commit"];
    assert_eq!(calls(&rig, 7).await, first);
    let heard = ["batches are transactions", "start", "delivered [1, 7, 2]", "committed [(0, 2), (1, 7)]"];
    assert_eq!(rig.journal.without("poll"), heard);
    rig.batch(&["d"], 3);
    assert_eq!(calls(&rig, 11).await.split_off(7), ["begin", "t d", "offsets 0=3", "commit"]);
    let ended = rig.stop().await;
    assert_eq!(ended.producer.calls().len(), 12, "nothing is left to commit");
    assert_eq!(counter(&ended.metrics, "source-record-write-total"), 4.0, "offsets are not counted");
    assert_eq!(counter(&ended.metrics, "transaction-size-max"), 3.0);
    assert_eq!(counter(&ended.metrics, "transaction-size-min"), 1.0);
    assert!(ended.offsets.writes().is_empty(), "nothing goes past the transactions");
}

#[tokio::test(start_paused = true)]
async fn e18_an_empty_poll_opens_no_transaction() {
    for boundary in [Boundary::Poll, Boundary::Interval(Duration::from_millis(10))] {
        let rig = started(setup(boundary)).await;
        for _ in 0..3 {
            rig.poll(Step::Batch(Vec::new()));
            pass(100).await;
        }
        assert_eq!(rig.stop().await.producer.calls(), ["init"]);
    }
    let context = TransactionContext::new();
    let rig = started(setup(Boundary::Connector(context.clone()))).await;
    context.commit_batch();
    rig.poll(Step::Batch(Vec::new()));
    pass(100).await;
    assert_eq!(rig.stop().await.producer.calls(), ["init"]);
}

/// The reference's words: produced records are aborted, but their source offsets are still committed in the next
/// transaction, so that the connector skips past them.
#[tokio::test(start_paused = true)]
async fn e19_an_aborted_batch_is_passed_over_for_good() {
    let context = TransactionContext::new();
    let rig = started(setup(Boundary::Connector(context.clone()))).await;
    rig.batch(&["a"], 1);
    pass(50).await;
    context.abort_batch();
    rig.batch(&["b"], 2);
    let aborted = ["begin", "t a", "t b", "abort", "begin", "offsets 0=2", "commit"];
    assert_eq!(calls(&rig, 7).await, aborted);
    assert_eq!(
        rig.journal.without("poll"),
        ["defines transactions", "start", "delivered [1, 2]", "committed [(0, 2)]"]
    );
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn e19_aborting_an_empty_transaction_does_nothing() {
    let context = TransactionContext::new();
    let rig = started(setup(Boundary::Connector(context.clone()))).await;
    context.abort_batch();
    rig.poll(Step::Batch(Vec::new()));
    pass(100).await;
    assert_eq!(rig.producer.calls(), ["init"]);
    rig.batch(&["a"], 1);
    context.commit_batch();
    assert_eq!(calls(&rig, 4).await, ["begin", "t a", "offsets 0=1", "commit"]);
    assert_eq!(rig.stop().await.observer.states(), ["running", "stopped"]);
}

#[tokio::test(start_paused = true)]
async fn a_connector_ends_transactions_in_the_middle_of_a_batch() {
    let context = TransactionContext::new();
    let mut setup = setup(Boundary::Connector(context.clone()));
    setup.config = scripted(&[]);
    let rig = started(setup).await;
    context.commit_after(2);
    context.abort_after(4);
    // A record that a transform drops ends a transaction as well.
    context.commit_after(5);
    rig.batch(&["a", "b", "c", "d", "drop"], 1);
    let expected = [
        "begin",
        "t a",
        "t b",
        "offsets 0=2",
        "commit", //
        "begin",
        "t c",
        "t d",
        "abort",
        "begin",
        "offsets 0=4",
        "commit", //
        "begin",
        "offsets 0=5",
        "commit",
    ];
    assert_eq!(calls(&rig, expected.len()).await, expected);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_connector_that_wants_both_fails() {
    let context = TransactionContext::new();
    let rig = started(setup(Boundary::Connector(context.clone()))).await;
    context.commit_batch();
    context.abort_batch();
    rig.batch(&["a"], 1);
    let text = rig.observer.failed().await;
    assert_eq!(text, "Connector requested both commit and abort of same transaction");
    assert_eq!(rig.producer.calls(), ["init", "begin", "t a", "abort"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_connector_did_not_end_is_given_up_when_the_task_stops() {
    let context = TransactionContext::new();
    let rig = started(setup(Boundary::Connector(context))).await;
    rig.batch(&["a"], 1);
    pass(50).await;
    let ended = rig.stop().await;
    assert_eq!(ended.producer.calls(), ["init", "begin", "t a", "abort"]);
    assert_eq!(ended.observer.states(), ["running", "stopped"]);
    assert_eq!(ended.journal.count("committed [(0, 1)]"), 0);
}

#[tokio::test(start_paused = true)]
async fn an_interval_ends_also_while_the_source_has_nothing() {
    let rig = started(setup(Boundary::Interval(Duration::from_secs(10)))).await;
    rig.batch(&["a"], 1);
    rig.batch(&["b"], 2);
    pass(5000).await;
    assert_eq!(rig.producer.calls(), ["init", "begin", "t a", "t b"]);
    pass(6000).await;
    assert_eq!(rig.producer.calls().split_off(4), ["offsets 0=2", "commit"]);
    rig.batch(&["c"], 3);
    pass(1000).await;
    // A task that holds keeps nothing open.
    rig.target(Target::Paused);
    pass(1000).await;
    assert_eq!(rig.producer.calls().split_off(6), ["begin", "t c", "offsets 0=3", "commit"]);
    rig.target(Target::Running);
    rig.batch(&["d"], 4);
    pass(1000).await;
    let ended = rig.stop().await;
    assert_eq!(ended.producer.calls().split_off(10), ["begin", "t d", "offsets 0=4", "commit"]);
}

/// Before it takes over, and again before it touches the source.
#[tokio::test(start_paused = true)]
async fn e20_a_task_does_not_start_where_a_newer_generation_is_there() {
    for (passed, calls) in [(0, vec![]), (1, vec![]), (2, vec!["init"])] {
        let generation = Arc::<FakeGeneration>::default();
        let newer = || Error::fatal("the connector has already generated a new set of task configs");
        let checks = (0..passed).map(|_| Ok(())).chain([Err(newer())]);
        generation.checks.lock().unwrap().extend(checks);
        let once = Once { generation, ..once(Boundary::Poll) };
        let rig = SourceSetup { once: Some(once), ..SourceSetup::default() }.run();
        assert_eq!(rig.observer.failed().await, newer().to_string());
        assert_eq!(rig.producer.calls(), calls);
        assert!(rig.journal.entries().is_empty(), "the source was not started");
        assert_eq!(rig.observer.states(), ["failed"]);
    }
}

#[tokio::test(start_paused = true)]
async fn taking_over_waits_for_the_cluster_and_can_be_stopped() {
    let generation = Arc::<FakeGeneration>::default();
    generation.fencings.lock().unwrap().push_back(Error::retriable("no coordinator"));
    let producer = FakeProducer::new();
    producer.fail("init", Error::retriable("no coordinator"));
    let once = Once { generation, ..once(Boundary::Poll) };
    let rig = SourceSetup { once: Some(once), producer, ..SourceSetup::default() }.run();
    until("the first poll", || rig.journal.count("poll") > 0).await;
    assert_eq!(rig.producer.calls(), ["init", "init"]);
    rig.stop().await;

    let producer = FakeProducer::new();
    for _ in 0..1000 {
        producer.fail("init", Error::retriable("no coordinator"));
    }
    let rig = SourceSetup { producer, ..setup(Boundary::Poll) }.run();
    pass(3000).await;
    let ended = rig.stop().await;
    assert!(ended.by_itself);
    assert_eq!((ended.observer.states(), ended.journal.entries()), (vec!["stopped"], vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_transaction_without_one_of_its_records_is_never_committed() {
    for tolerance in ["none", "all"] {
        let refuse = |sent: &crate::producer::Sent| {
            if sent.text() == "b" { Answer::Nack(Error::data("too large")) } else { Answer::Ack }
        };
        let rig = SourceSetup {
            producer: FakeProducer::deciding(refuse),
            config: scripted(&[("errors.tolerance", tolerance)]),
            ..setup(Boundary::Interval(Duration::from_secs(10)))
        }
        .run();
        rig.batch(&["a", "b", "c"], 1);
        let text = rig.observer.failed().await;
        assert_eq!(text, "Unrecoverable exception from producer send callback: too large");
        let calls = rig.producer.calls();
        assert_eq!(
            (calls.last().map(String::as_str), calls.iter().any(|call| call == "commit")),
            (Some("abort"), false)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_commit_fails_the_task() {
    let rig = started(setup(Boundary::Poll)).await;
    rig.producer.fail("commit", Error::retriable("not yet"));
    rig.batch(&["a"], 1);
    assert_eq!(calls(&rig, 5).await.split_off(3), ["commit", "commit"], "one that can be repeated is");
    rig.producer.fail("commit", Error::fatal("fenced"));
    rig.producer.fail("abort", Error::fatal("fenced"));
    rig.batch(&["b"], 2);
    let text = rig.observer.failed().await;
    assert_eq!(text, "Failed to flush offsets and/or records for task c-0: fenced");
    assert_eq!(rig.journal.count("committed [(0, 2)]"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_source_cannot_write_to_its_own_offsets() {
    let own = Once { offsets: Arc::new(FakeTopic(Topic::from("t"))), ..once(Boundary::Poll) };
    let rig = SourceSetup { once: Some(own), ..SourceSetup::default() }.run();
    rig.batch(&["a"], 1);
    assert_eq!(
        rig.observer.failed().await,
        "Source tasks may not produce to their own offsets topics when exactly-once support is enabled"
    );
    assert_eq!(rig.producer.calls(), ["init"]);
}

#[tokio::test(start_paused = true)]
async fn dead_letters_and_dropped_records_belong_to_the_transaction() {
    let setup = SourceSetup { config: tolerant(), dead_letters: Some(false), ..setup(Boundary::Poll) };
    let rig = started(setup).await;
    rig.batch(&["a", "bad", "drop"], 1);
    let calls = calls(&rig, 5).await;
    assert_eq!(calls[..2], ["begin", "t a"]);
    assert!(calls[2].starts_with("dlq "), "{}", calls[2]);
    assert_eq!(calls[3..], ["offsets 0=3", "commit"]);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_commit_waits_for_acknowledgements() {
    let producer = FakeProducer::deciding(|_| Answer::Hold);
    let rig = started(SourceSetup { producer, ..setup(Boundary::Poll) }).await;
    rig.batch(&["a"], 1);
    pass(20_000).await;
    assert_eq!(rig.producer.calls(), ["init", "begin", "t a", "offsets 0=1"]);
    assert_eq!(rig.journal.count("delivered [1]"), 0);
    rig.producer.release();
    until("the commit", || rig.producer.calls().len() == 5).await;
    until("the news of it", || rig.journal.count("committed [(0, 1)]") == 1).await;
    rig.stop().await;
}

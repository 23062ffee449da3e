//! Topics that a source task creates (KIP-158). Texts were observed on Kafka 4.3.0.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use lavka_api::data::{Topic, TopicPartition};
use lavka_api::error::exception;
use lavka_api::plugin::Offsets;
use lavka_api::{Error, ErrorClass, Result};
use lavka_engine::source::{TopicCreation, TopicGroup};
use lavka_ports::{Admin, ClusterInfo, NewTopic, TopicCreated, TopicInfo};
use tokio::sync::Notify;

use crate::plugins::{Step, record, records};
use crate::producer::{Answer, FakeProducer};
use crate::rig::{SourceSetup, counter, pass, until};

/// A cluster's topics, with failures to order. What is asked of it is noted.
#[derive(Default)]
struct FakeAdmin {
    topics: Mutex<Vec<String>>,
    created: Mutex<Vec<NewTopic>>,
    asked: Mutex<Vec<String>>,
    failures: Mutex<VecDeque<(&'static str, Error)>>,
    /// Whether asking for a topic takes until `go_on`.
    hold: Mutex<bool>,
    go_on: Notify,
    /// Whether somebody else creates what was asked for right after the answer.
    others_create: Mutex<bool>,
}

impl FakeAdmin {
    fn with(topics: &[&str]) -> Arc<Self> {
        let admin = Self::default();
        admin.topics.lock().unwrap().extend(topics.iter().map(|&topic| topic.to_owned()));
        Arc::new(admin)
    }

    fn failing(calls: impl IntoIterator<Item = (&'static str, Error)>) -> Arc<Self> {
        let admin = Self::default();
        admin.failures.lock().unwrap().extend(calls);
        Arc::new(admin)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn created(&self) -> Vec<NewTopic> {
        self.created.lock().unwrap().clone()
    }

    fn note(&self, call: &'static str, topic: &str) -> Result<()> {
        self.asked.lock().unwrap().push(format!("{call} {topic}"));
        let mut failures = self.failures.lock().unwrap();
        match failures.front() {
            Some((fails, _)) if *fails == call => Err(failures.pop_front().unwrap().1),
            _ => Ok(()),
        }
    }

    fn has(&self, topic: &str) -> bool {
        self.topics.lock().unwrap().iter().any(|known| known == topic)
    }
}

#[async_trait]
impl Admin for FakeAdmin {
    async fn cluster(&self) -> Result<ClusterInfo> {
        Err(Error::fatal("not asked for"))
    }

    async fn topic(&self, name: &str) -> Result<Option<TopicInfo>> {
        if *self.hold.lock().unwrap() {
            self.go_on.notified().await;
        }
        self.note("topic", name)?;
        let found = self.has(name).then(|| TopicInfo { name: name.to_owned(), partitions: 1 });
        if *self.others_create.lock().unwrap() {
            self.topics.lock().unwrap().push(name.to_owned());
        }
        Ok(found)
    }

    async fn create_topic(&self, topic: &NewTopic) -> Result<TopicCreated> {
        self.note("create", &topic.name)?;
        if self.has(&topic.name) {
            return Ok(TopicCreated::Existed);
        }
        self.topics.lock().unwrap().push(topic.name.clone());
        self.created.lock().unwrap().push(topic.clone());
        Ok(TopicCreated::Created)
    }

    async fn topic_setting(&self, _: &str, _: &str) -> Result<Option<String>> {
        Ok(None)
    }

    async fn fence_producers(&self, _: &[String]) -> Result<()> {
        Ok(())
    }

    async fn end_offsets(&self, _: &[TopicPartition]) -> Result<Offsets> {
        Ok(Offsets::default())
    }

    async fn group_offsets(&self, _: &str) -> Result<Offsets> {
        Ok(Offsets::default())
    }

    async fn alter_group_offsets(&self, _: &str, _: &Offsets) -> Result<()> {
        Ok(())
    }

    async fn delete_group_offsets(&self, _: &str, _: &[TopicPartition]) -> Result<()> {
        Ok(())
    }

    async fn delete_group(&self, _: &str) -> Result<()> {
        Ok(())
    }
}

/// A group of the topics whose names begin with `prefix`.
fn group(name: &str, prefix: &'static str, partitions: Option<i32>) -> TopicGroup {
    TopicGroup {
        name: name.to_owned(),
        matcher: Arc::new(move |topic: &str| topic.starts_with(prefix)),
        partitions,
        replication_factor: Some(1),
        configs: vec![("cleanup.policy".into(), name.into())],
    }
}

fn creation(admin: &Arc<FakeAdmin>) -> TopicCreation {
    let groups = vec![group("a", "t-a", Some(3)), group("b", "t-", None), group("default", "", Some(2))];
    TopicCreation::new(groups, admin.clone(), "one:9092,two:9092")
}

fn setup(admin: &Arc<FakeAdmin>) -> SourceSetup {
    SourceSetup { topic_creation: Some(creation(admin)), ..SourceSetup::default() }
}

fn refused(name: &'static str, text: &str) -> Error {
    Error::new(ErrorClass::Fatal, name, text)
}

const AUTHORIZATION: &str = "org.apache.kafka.common.errors.TopicAuthorizationException";

#[tokio::test(start_paused = true)]
async fn a_topic_is_created_before_its_first_record_and_looked_at_once() {
    let admin = FakeAdmin::with(&[]);
    let rig = {
        let admin = Arc::clone(&admin);
        let producer = FakeProducer::deciding({
            let admin = Arc::clone(&admin);
            move |sent| {
                if admin.has(&sent.topic) { Answer::Ack } else { Answer::Fatal(Error::fatal("too early")) }
            }
        });
        SourceSetup { producer, ..setup(&admin) }.run()
    };
    rig.batch(&["a", "b", "c"], 1);
    rig.sent(3).await;
    rig.batch(&["d"], 4);
    rig.sent(4).await;
    assert!(rig.stop().await.by_itself);
    assert_eq!(admin.asked(), ["topic t", "create t"]);
    let [topic] = &admin.created()[..] else { panic!("{:?}", admin.created()) };
    assert_eq!((topic.partitions, topic.replication_factor), (Some(2), Some(1)));
    assert_eq!(topic.configs, [("cleanup.policy".to_owned(), "default".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn the_first_group_that_matches_says_what_a_topic_is_like() {
    let admin = FakeAdmin::with(&["t-there"]);
    let rig = setup(&admin).run();
    let to = |topic: &str, offset| {
        let mut item = record("x", 0, offset);
        item.record.topic = Topic::from(topic);
        item
    };
    rig.poll(Step::Batch(vec![
        to("t-a1", 1),
        to("t-b1", 2),
        to("t-there", 3),
        to("t-a1", 4),
        to("other", 5),
    ]));
    rig.sent(5).await;
    let shown: Vec<_> = admin.created().into_iter().map(|topic| (topic.name, topic.partitions)).collect();
    assert_eq!(
        shown,
        [("t-a1".to_owned(), Some(3)), ("t-b1".to_owned(), None), ("other".to_owned(), Some(2))]
    );
    assert_eq!(
        admin.asked(),
        [
            "topic t-a1",
            "create t-a1",
            "topic t-b1",
            "create t-b1",
            "topic t-there",
            "topic other",
            "create other"
        ]
    );
    assert!(rig.stop().await.by_itself);
}

#[tokio::test(start_paused = true)]
async fn the_topic_counts_that_transforms_and_converters_leave() {
    let admin = FakeAdmin::with(&[]);
    let mut setup = setup(&admin);
    setup.config = [("transforms", "s"), ("transforms.s.type", "Script"), ("errors.tolerance", "all")]
        .into_iter()
        .collect();
    let rig = setup.run();
    rig.batch(&["bad", "unencodable", "drop"], 1);
    pass(10).await;
    assert!(admin.asked().is_empty(), "{:?}", admin.asked());
    rig.batch(&["moved"], 4);
    rig.sent(1).await;
    assert_eq!(admin.asked(), ["topic elsewhere", "create elsewhere"]);
    assert!(rig.stop().await.by_itself);
}

#[tokio::test(start_paused = true)]
async fn where_the_cluster_cannot_be_asked_it_is_asked_again() {
    let away = || Error::retriable("timed out");
    let admin = FakeAdmin::failing([("topic", away()), ("topic", away()), ("create", away())]);
    let rig = setup(&admin).run();
    rig.batch(&["a"], 1);
    rig.sent(1).await;
    assert_eq!(
        admin.asked(),
        ["topic t", "topic t", "topic t", "create t", "topic t", "create t"],
        "a topic that was not created is looked at again: the request may have arrived"
    );
    let ended = rig.stop().await;
    assert_eq!(ended.observer.states(), ["running", "stopped"]);
    assert_eq!(ended.offsets.newest(0), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_somebody_else_creates_meanwhile_is_fine() {
    let admin = FakeAdmin::with(&[]);
    *admin.others_create.lock().unwrap() = true;
    let rig = setup(&admin).run();
    rig.batch(&["a"], 1);
    rig.sent(1).await;
    assert_eq!(admin.asked(), ["topic t", "create t"]);
    assert!(admin.created().is_empty());
    assert!(rig.stop().await.by_itself);
}

#[tokio::test(start_paused = true)]
async fn what_the_cluster_refuses_fails_the_task_with_connects_text() {
    let unsupported = "org.apache.kafka.common.errors.UnsupportedVersionException";
    let config = "org.apache.kafka.common.errors.InvalidConfigurationException";
    let replication = "org.apache.kafka.common.errors.InvalidReplicationFactorException";
    let topic = "org.apache.kafka.common.errors.InvalidTopicException";
    let policy = "org.apache.kafka.common.errors.PolicyViolationException";
    let failed = "Task failed to create new topic (name=t, numPartitions=2, replicationFactor=1, \
                  replicasAssignments=null, configs={cleanup.policy=default}). Ensure that the task is authorized to \
                  create topics or that the topic exists and restart the task";
    for (call, exception, text) in [
        ("topic", AUTHORIZATION, "Not authorized to describe topic(s) 't' on the brokers one:9092,two:9092"),
        (
            "topic",
            unsupported,
            "Unable to describe topic(s) 't' since the brokers at one:9092,two:9092 do not support the DescribeTopics \
             API.",
        ),
        ("topic", topic, "Error while attempting to describe topics 't'"),
        ("create", AUTHORIZATION, failed),
        ("create", "org.apache.kafka.common.errors.ClusterAuthorizationException", failed),
        ("create", unsupported, failed),
        ("create", config, "Unable to create topic(s) 't': Unknown topic config name: no.such"),
        ("create", replication, "Unable to create topic(s) 't': Unknown topic config name: no.such"),
        ("create", topic, "Unable to create topic(s) 't': Unknown topic config name: no.such"),
        ("create", policy, "Error while attempting to create/find topic(s) 't'"),
    ] {
        let admin =
            FakeAdmin::failing([(call, refused(exception, "Topic t: Unknown topic config name: no.such"))]);
        let rig = setup(&admin).run();
        rig.batch(&["a"], 1);
        until("the task ends", || rig.observer.has_ended()).await;
        let error = rig.observer.failure().unwrap();
        assert_eq!(
            (error.exception(), error.message()),
            (exception::CONNECT, Some(text)),
            "{call} {exception}"
        );
        assert_eq!(error.cause().map(Error::exception), Some(exception));
        assert!(rig.producer.sent().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn tolerance_is_about_records_and_not_about_topics() {
    let admin = FakeAdmin::failing([("create", refused(AUTHORIZATION, "no"))]);
    let mut setup = setup(&admin);
    setup.config.set("errors.tolerance", "all");
    let rig = setup.run();
    rig.batch(&["a"], 1);
    assert!(rig.observer.failed().await.starts_with("Task failed to create new topic (name=t, "));
    assert_eq!(counter(&rig.metrics, "total-records-skipped"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_wait_for_a_topic_and_nothing_is_committed_for_it() {
    let admin = FakeAdmin::with(&["t"]);
    let rig = setup(&admin).run();
    rig.batch(&["a"], 1);
    rig.sent(1).await;
    *admin.hold.lock().unwrap() = true;
    let mut item = record("b", 0, 2);
    item.record.topic = Topic::from("u");
    rig.poll(Step::Batch(vec![item]));
    pass(50).await;
    let ended = rig.stop().await;
    assert!(ended.by_itself);
    assert_eq!((ended.producer.texts(), ended.offsets.newest(0)), (vec!["a".to_owned()], Some(1)));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_refused_while_a_topic_is_waited_for_fails_the_task() {
    let admin = FakeAdmin::with(&["t"]);
    let producer = FakeProducer::deciding(|_| Answer::Hold);
    let rig = SourceSetup { producer, ..setup(&admin) }.run();
    rig.poll(Step::Batch(records(&["a"], 1)));
    rig.sent(1).await;
    *admin.hold.lock().unwrap() = true;
    let mut item = record("b", 0, 2);
    item.record.topic = Topic::from("u");
    rig.poll(Step::Batch(vec![item]));
    pass(50).await;
    rig.producer.answer(0, Err(Error::data("too large")));
    let text = rig.observer.failed().await;
    assert!(text.starts_with("Unrecoverable exception from producer send callback"), "{text}");
    admin.go_on.notify_waiters();
}

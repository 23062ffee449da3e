//! Topics and their settings; finding the broker.

use kafka_protocol::{
    messages::{
        AlterConfigsRequest, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest,
        DescribeClusterRequest, DescribeConfigsRequest, FindCoordinatorRequest,
        IncrementalAlterConfigsRequest, MetadataRequest, alter_configs_request as alter,
        create_partitions_request::CreatePartitionsTopic,
        create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig},
        delete_topics_request::DeleteTopicState,
        describe_configs_request::DescribeConfigsResource,
        describe_configs_response::DescribeConfigsResult,
        incremental_alter_configs_request as incremental,
        metadata_request::MetadataRequestTopic,
        metadata_response::MetadataResponseTopic,
    },
    protocol::StrBytes,
};

use super::{Sim, ask, topic};
use crate::BrokerConfig;

fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

fn creatable(name: &str, partitions: i32, replicas: i16) -> CreatableTopic {
    CreatableTopic::default()
        .with_name(text(name).into())
        .with_num_partitions(partitions)
        .with_replication_factor(replicas)
}

fn refusals(sim: &mut Sim, topics: Vec<CreatableTopic>) -> Vec<(i16, String)> {
    let answer = ask!(sim, CreateTopics 7, CreateTopicsRequest::default().with_topics(topics));
    let message = |text: Option<StrBytes>| text.map_or_else(String::new, |text| text.to_string());
    answer.topics.into_iter().map(|topic| (topic.error_code, message(topic.error_message))).collect()
}

fn refusal(sim: &mut Sim, topic: CreatableTopic) -> (i16, String) {
    refusals(sim, vec![topic]).remove(0)
}

fn metadata(sim: &mut Sim, name: &str, create: bool) -> MetadataResponseTopic {
    let wanted = MetadataRequestTopic::default().with_name(Some(text(name).into()));
    let request =
        MetadataRequest::default().with_topics(Some(vec![wanted])).with_allow_auto_topic_creation(create);
    ask!(sim, Metadata 12, request).topics.remove(0)
}

#[test]
fn topics_are_created_with_defaults_where_nothing_is_said() {
    let mut sim = Sim::with(BrokerConfig { default_partitions: 3, ..BrokerConfig::default() });
    let request = CreateTopicsRequest::default().with_topics(vec![creatable("t", -1, -1)]);
    let created = ask!(sim, CreateTopics 7, request).topics.remove(0);
    assert_eq!((created.error_code, created.num_partitions, created.replication_factor), (0, 3, 1));
    assert_eq!(created.configs.unwrap().len(), 33);
    let described = metadata(&mut sim, "t", false);
    assert_eq!((described.topic_id, described.partitions.len()), (created.topic_id, 3));
    let partition = &described.partitions[2];
    assert_eq!((partition.partition_index, partition.leader_id.0, partition.isr_nodes.len()), (2, 1, 1));
}

#[test]
fn what_cannot_be_created_is_refused_in_kafkas_words() {
    let mut sim = Sim::with(BrokerConfig { max_partitions: 20, ..BrokerConfig::default() });
    sim.create("t", 1, &[]);
    sim.create("a.b", 1, &[]);
    let with_config = |name: &str, value: &str| {
        let config = CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)));
        creatable("new", 1, 1).with_configs(vec![config])
    };
    let assigned = |partition, broker: i32| {
        let assignment = CreatableReplicaAssignment::default()
            .with_partition_index(partition)
            .with_broker_ids(vec![broker.into()]);
        creatable("new", -1, -1).with_assignments(vec![assignment])
    };
    let long = "x".repeat(250);
    let cases = [
        (creatable("t", 1, 1), 36, "Topic 't' already exists.".to_owned()),
        (creatable("", 1, 1), 17, "Topic name is invalid: the empty string is not allowed".to_owned()),
        (creatable("..", 1, 1), 17, "Topic name is invalid: '..' is not allowed".to_owned()),
        (
            creatable(&long, 1, 1),
            17,
            format!("Topic name is invalid: the length of '{long}' is longer than the max allowed length 249"),
        ),
        (
            creatable("ü", 1, 1),
            17,
            "Topic name is invalid: 'ü' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
                .to_owned(),
        ),
        (creatable("a_b", 1, 1), 17, "Topic 'a_b' collides with existing topic: a.b".to_owned()),
        (
            creatable("new", 0, 1),
            37,
            "Number of partitions was set to an invalid non-positive value.".to_owned(),
        ),
        (
            creatable("new", 1, 0),
            38,
            "Replication factor must be larger than 0, or -1 to use the default value.".to_owned(),
        ),
        (
            creatable("new", 1, 3),
            38,
            "Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be reached because only 1 broker(s) are registered or some brokers have all their log directories cordoned."
                .to_owned(),
        ),
        (with_config("no.such", "1"), 40, "Unknown topic config name: no.such".to_owned()),
        (
            with_config("retention.ms", "long"),
            40,
            "Invalid value long for configuration retention.ms: Not a number of type LONG".to_owned(),
        ),
        (
            with_config("cleanup.policy", "shred"),
            40,
            "Invalid value shred for configuration cleanup.policy: String must be one of: compact, delete".to_owned(),
        ),
        (
            with_config("min.cleanable.dirty.ratio", "1.5"),
            40,
            "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more than 1".to_owned(),
        ),
        (
            creatable("new", 19, 1),
            44,
            "19 more partitions would be more than max_partitions allows, 20 in all".to_owned(),
        ),
        (
            assigned(0, 2),
            39,
            "The manual partition assignment includes broker 2, but no such broker is registered.".to_owned(),
        ),
        (assigned(1, 1), 39, "partitions should be a consecutive 0-based integer sequence".to_owned()),
    ];
    for (wanted, code, message) in cases {
        assert_eq!(refusal(&mut sim, wanted), (code, message));
    }
    let twice = vec![creatable("new", 1, 1), creatable("new", 1, 1)];
    assert_eq!(refusals(&mut sim, twice), vec![(42, "Duplicate topic name.".to_owned()); 2]);
    assert_eq!(sim.cluster.holdings().topics, 2);
    assert_eq!(refusal(&mut sim, assigned(0, 1)).0, 0);
}

#[test]
fn only_checking_creates_nothing() {
    let mut sim = Sim::new();
    let request =
        CreateTopicsRequest::default().with_topics(vec![creatable("t", 2, 1)]).with_validate_only(true);
    let checked = ask!(sim, CreateTopics 7, request).topics.remove(0);
    assert_eq!((checked.error_code, checked.num_partitions), (0, 2));
    assert_eq!(sim.cluster.holdings().topics, 0);
}

#[test]
fn metadata_creates_topics_only_where_both_sides_want_it() {
    let mut sim = Sim::with(BrokerConfig { default_partitions: 2, ..BrokerConfig::default() });
    assert_eq!(metadata(&mut sim, "t", false).error_code, 3);
    assert_eq!(metadata(&mut sim, "t", true).partitions.len(), 2);
    assert_eq!(metadata(&mut sim, "t", false).error_code, 0);
    assert_eq!(metadata(&mut sim, "a b", true).error_code, 17);
    let mut sim = Sim::with(BrokerConfig { auto_create_topics: false, ..BrokerConfig::default() });
    assert_eq!(metadata(&mut sim, "t", true).error_code, 3);
}

#[test]
fn metadata_lists_all_topics_or_none_or_one_by_id() {
    let mut sim = Sim::new();
    sim.create("b", 1, &[]);
    sim.create("a", 1, &[]);
    let names = |topics: Vec<MetadataResponseTopic>| {
        topics.into_iter().map(|topic| topic.name.unwrap().to_string()).collect::<Vec<_>>()
    };
    let all = ask!(sim, Metadata 12, MetadataRequest::default().with_topics(None));
    assert_eq!(all.brokers.len(), 1);
    assert_eq!(
        (&*all.brokers[0].host, all.brokers[0].port, all.brokers[0].node_id.0),
        ("localhost", 9092, 1)
    );
    assert_eq!(all.cluster_id.as_deref().map(str::len), Some(22));
    let id = all.topics[1].topic_id;
    let twice = vec![MetadataRequestTopic::default().with_name(Some(topic("a"))); 2];
    assert_eq!(
        names(ask!(sim, Metadata 12, MetadataRequest::default().with_topics(Some(twice))).topics),
        ["a"]
    );
    assert_eq!(names(all.topics), ["a", "b"]);
    let none = MetadataRequest::default().with_topics(Some(vec![]));
    assert!(ask!(sim, Metadata 12, none.clone()).topics.is_empty());
    assert_eq!(names(ask!(sim, Metadata 0, none).topics), ["a", "b"], "version 0 meant all by none");
    let mut by_id = |id| {
        let wanted = MetadataRequestTopic::default().with_name(None).with_topic_id(id);
        ask!(sim, Metadata 12, MetadataRequest::default().with_topics(Some(vec![wanted]))).topics.remove(0)
    };
    assert_eq!(by_id(id).name.as_deref().map(|name| name.as_str()), Some("b"));
    assert_eq!(by_id(uuid::Uuid::from_u128(1)).error_code, 100);
}

#[test]
fn topics_are_deleted_by_name_or_id() {
    let mut sim = Sim::new();
    sim.create("a", 1, &[]);
    sim.create("b", 2, &[]);
    let id = metadata(&mut sim, "b", false).topic_id;
    let request = DeleteTopicsRequest::default().with_topics(vec![
        DeleteTopicState::default().with_name(Some(topic("a"))),
        DeleteTopicState::default().with_name(None).with_topic_id(id),
        DeleteTopicState::default().with_name(Some(topic("c"))),
        DeleteTopicState::default().with_name(None).with_topic_id(id),
    ]);
    let answer = ask!(sim, DeleteTopics 6, request);
    assert_eq!(answer.responses.iter().map(|one| one.error_code).collect::<Vec<_>>(), [0, 0, 3, 100]);
    assert_eq!(answer.responses[1].name.as_deref().map(|name| name.as_str()), Some("b"));
    assert_eq!((sim.cluster.holdings().topics, sim.cluster.holdings().partitions), (0, 0));
}

#[test]
fn partitions_are_added_and_never_taken_away() {
    let mut sim = Sim::new();
    sim.create("t", 2, &[]);
    let mut grow = |name: &'static str, count| {
        let wanted =
            CreatePartitionsTopic::default().with_name(topic(name)).with_count(count).with_assignments(None);
        let request = CreatePartitionsRequest::default().with_topics(vec![wanted]);
        let result = ask!(sim, CreatePartitions 3, request).results.remove(0);
        (result.error_code, result.error_message.map(|text| text.to_string()))
    };
    assert_eq!(grow("t", 4), (0, None));
    assert_eq!(grow("t", 4), (37, Some("Topic already has 4 partition(s).".to_owned())));
    let less = "The topic t currently has 4 partition(s); 3 would not be an increase.";
    assert_eq!(grow("t", 3), (37, Some(less.to_owned())));
    assert_eq!(grow("t", i32::MAX).0, 44);
    assert_eq!(grow("u", 2).0, 3);
    assert_eq!(metadata(&mut sim, "t", false).partitions.len(), 4);
}

fn describe(sim: &mut Sim, kind: i8, name: &str, keys: Option<&[&str]>) -> DescribeConfigsResult {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(keys.map(|keys| keys.iter().map(|key| text(key)).collect()));
    let request =
        DescribeConfigsRequest::default().with_resources(vec![resource]).with_include_synonyms(true);
    ask!(sim, DescribeConfigs 4, request).results.remove(0)
}

fn value(sim: &mut Sim, name: &str) -> (String, i8) {
    let result = describe(sim, 2, "t", Some(&[name]));
    let config = &result.configs[0];
    (config.value.as_deref().unwrap().to_owned(), config.config_source)
}

#[test]
fn settings_say_where_they_come_from() {
    let mut sim = Sim::new();
    sim.create("t", 1, &[("cleanup.policy", "compact")]);
    assert_eq!(describe(&mut sim, 2, "t", None).configs.len(), 33);
    assert_eq!(value(&mut sim, "cleanup.policy"), ("compact".to_owned(), 1));
    assert_eq!(value(&mut sim, "retention.bytes"), ("268435456".to_owned(), 4));
    assert_eq!(value(&mut sim, "retention.ms"), ("604800000".to_owned(), 5));
    let synonyms = describe(&mut sim, 2, "t", Some(&["cleanup.policy"])).configs.remove(0).synonyms;
    let synonyms: Vec<_> =
        synonyms.iter().map(|one| (&*one.name, one.value.as_deref().unwrap(), one.source)).collect();
    assert_eq!(synonyms, [("cleanup.policy", "compact", 1), ("log.cleanup.policy", "delete", 5)]);
    assert_eq!(describe(&mut sim, 2, "nowhere", None).error_code, 3);
    let broker = describe(&mut sim, 4, "1", Some(&["auto.create.topics.enable", "listeners"]));
    let broker: Vec<_> = broker.configs.iter().map(|one| one.value.as_deref().unwrap()).collect();
    assert_eq!(broker, ["true", "PLAINTEXT://localhost:9092"]);
    assert_eq!(describe(&mut sim, 4, "9", None).error_code, 42);
    assert_eq!(describe(&mut sim, 8, "1", None).error_code, 42);
}

#[test]
fn settings_are_changed_one_by_one_or_all_together() {
    let mut sim = Sim::new();
    sim.create("t", 1, &[("retention.ms", "1")]);
    let change = |sim: &mut Sim, name: &str, operation, new: Option<&str>| {
        let config = incremental::AlterableConfig::default()
            .with_name(text(name))
            .with_config_operation(operation)
            .with_value(new.map(text));
        let resource = incremental::AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text("t"))
            .with_configs(vec![config]);
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        ask!(sim, IncrementalAlterConfigs 1, request).responses[0].error_code
    };
    assert_eq!(change(&mut sim, "max.message.bytes", 0, Some("77")), 0);
    assert_eq!(value(&mut sim, "max.message.bytes"), ("77".to_owned(), 1));
    assert_eq!(value(&mut sim, "retention.ms"), ("1".to_owned(), 1));
    assert_eq!(change(&mut sim, "retention.ms", 1, None), 0);
    assert_eq!(value(&mut sim, "retention.ms"), ("604800000".to_owned(), 5));
    assert_eq!(change(&mut sim, "cleanup.policy", 2, Some("compact")), 0);
    assert_eq!(value(&mut sim, "cleanup.policy"), ("delete,compact".to_owned(), 1));
    assert_eq!(change(&mut sim, "cleanup.policy", 3, Some("delete")), 0);
    assert_eq!(value(&mut sim, "cleanup.policy"), ("compact".to_owned(), 1));
    assert_eq!(change(&mut sim, "retention.ms", 2, Some("1")), 40, "not a list");
    assert_eq!(change(&mut sim, "retention.ms", 0, None), 42);
    assert_eq!(change(&mut sim, "retention.ms", 0, Some("x")), 40);
    assert_eq!(change(&mut sim, "no.such", 0, Some("x")), 40);
    let config = alter::AlterableConfig::default().with_name(text("segment.ms")).with_value(Some(text("9")));
    let resource = alter::AlterConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text("t"))
        .with_configs(vec![config]);
    let request = AlterConfigsRequest::default().with_resources(vec![resource]);
    assert_eq!(ask!(sim, AlterConfigs 2, request).responses[0].error_code, 0);
    assert_eq!(value(&mut sim, "segment.ms"), ("9".to_owned(), 1));
    assert_eq!(
        value(&mut sim, "max.message.bytes"),
        ("1048588".to_owned(), 5),
        "everything else is as it was"
    );
}

#[test]
fn the_broker_is_its_own_coordinator_and_cluster() {
    let mut sim = Sim::new();
    let old = ask!(sim, FindCoordinator 2, FindCoordinatorRequest::default().with_key(text("g")));
    assert_eq!((old.error_code, old.node_id.0, &*old.host, old.port), (0, 1, "localhost", 9092));
    let request = FindCoordinatorRequest::default().with_coordinator_keys(vec![text("g"), text("h")]);
    let new = ask!(sim, FindCoordinator 6, request.clone());
    assert_eq!(new.coordinators.len(), 2);
    assert_eq!((&*new.coordinators[1].key, new.coordinators[1].node_id.0), ("h", 1));
    let transaction = ask!(sim, FindCoordinator 6, request.with_key_type(1));
    assert_eq!(transaction.coordinators[0].error_code, 0);
    let cluster = ask!(sim, DescribeCluster 2, DescribeClusterRequest::default().with_endpoint_type(1));
    assert_eq!((cluster.brokers.len(), cluster.controller_id.0), (1, 1));
    assert_eq!(&*cluster.cluster_id, sim.cluster.id());
    let controllers = ask!(sim, DescribeCluster 2, DescribeClusterRequest::default().with_endpoint_type(2));
    assert_eq!(controllers.error_code, 114);
}

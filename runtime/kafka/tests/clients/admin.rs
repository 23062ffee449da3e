//! Topics, end offsets and offsets of groups.

use std::collections::BTreeMap;
use std::time::Duration;

use lavka_api::ErrorClass;
use lavka_kafka::RdKafkaCluster;
use lavka_ports::{Cluster, NewTopic, TopicCreated};

use crate::support::*;

on_both! {
    the_cluster_has_an_id,
    topics_are_created_once_and_described,
    end_offsets_leave_out_what_does_not_exist,
    offsets_of_a_group_are_listed_altered_and_deleted,
    a_group_with_members_is_protected,
}

async fn the_cluster_has_an_id(bootstrap: &str) {
    let admin = admin(bootstrap);
    let id = admin.cluster().await.unwrap().id;
    assert_eq!(id.len(), 22);
    assert_eq!(admin.cluster().await.unwrap().id, id);
}

async fn topics_are_created_once_and_described(bootstrap: &str) {
    let admin = admin(bootstrap);
    let mut topic = NewTopic {
        name: lavka_testkit::unique("created"),
        partitions: None,
        replication_factor: None,
        configs: vec![("cleanup.policy".into(), "compact".into())],
    };
    assert_eq!(admin.topic(&topic.name).await.unwrap(), None);
    assert_eq!(admin.create_topic(&topic).await.unwrap(), TopicCreated::Created);
    assert_eq!(admin.create_topic(&topic).await.unwrap(), TopicCreated::Existed);
    let info = loop {
        match admin.topic(&topic.name).await.unwrap() {
            Some(info) => break info,
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    assert_eq!((info.name, info.partitions), (topic.name.clone(), 1));
    let client = lavka_testkit::KafkaClient::new(bootstrap);
    let configs = tokio::task::block_in_place(|| client.topic_configs(&topic.name));
    assert_eq!(configs["cleanup.policy"].as_deref(), Some("compact"));

    topic.name = lavka_testkit::unique("created");
    topic.replication_factor = Some(3);
    let error = admin.create_topic(&topic).await.unwrap_err();
    assert_eq!(error.exception(), "org.apache.kafka.common.errors.InvalidReplicationFactorException");
    assert!(error.to_string().starts_with(&format!("Topic {}: ", topic.name)), "{error}");
    topic.name = "not a name".into();
    let error = admin.create_topic(&topic).await.unwrap_err();
    assert_eq!(error.exception(), "org.apache.kafka.common.errors.InvalidTopicException");
    topic.name = lavka_testkit::unique("created");
    topic.replication_factor = Some(1);
    topic.configs = vec![("cleanup.policy".into(), "burn".into())];
    let error = admin.create_topic(&topic).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Fatal);
    assert!(error.to_string().contains("burn"), "{error}");
}

async fn end_offsets_leave_out_what_does_not_exist(bootstrap: &str) {
    let topic = topic(bootstrap, 2).await;
    fill(bootstrap, &topic, 1, 7, 10).await;
    let admin = admin(bootstrap);
    let nowhere = lavka_api::data::TopicPartition::new(lavka_testkit::unique("nowhere"), 0);
    let asked = [place(&topic, 0), place(&topic, 1), place(&topic, 2), nowhere];
    let ends = admin.end_offsets(&asked).await.unwrap();
    assert_eq!(ends, BTreeMap::from([(place(&topic, 0), 7), (place(&topic, 1), 0)]));
    assert!(admin.end_offsets(&[]).await.unwrap().is_empty());
    let committed = RdKafkaCluster::new()
        .admin(&config(bootstrap, &[("isolation.level", "read_committed")]))
        .unwrap()
        .end_offsets(&asked[..1])
        .await
        .unwrap();
    assert_eq!(committed, BTreeMap::from([(place(&topic, 0), 7)]));
}

async fn offsets_of_a_group_are_listed_altered_and_deleted(bootstrap: &str) {
    let topic = topic(bootstrap, 3).await;
    let other = self::topic(bootstrap, 1).await;
    fill(bootstrap, &topic, 3, 10, 10).await;
    let admin = admin(bootstrap);
    let group = format!("{topic}-group");
    assert!(admin.group_offsets(&group).await.unwrap().is_empty());
    // The group comes about by its offsets.
    let mut offsets = BTreeMap::from([(place(&topic, 0), 1), (place(&topic, 2), 3), (place(&other, 0), 0)]);
    admin.alter_group_offsets(&group, &offsets).await.unwrap();
    assert_eq!(admin.group_offsets(&group).await.unwrap(), offsets);
    admin.alter_group_offsets(&group, &BTreeMap::from([(place(&topic, 0), 9)])).await.unwrap();
    offsets.insert(place(&topic, 0), 9);
    assert_eq!(admin.group_offsets(&group).await.unwrap(), offsets);
    // A member of the group starts there.
    let mut consumer = reader(bootstrap, &group, &topic, &[]).await;
    assigned(&mut *consumer).await;
    let read = read(&mut *consumer, 1 + 10 + 7).await;
    assert_eq!((numbers(&read, 0).len(), numbers(&read, 1).len(), numbers(&read, 2).len()), (1, 10, 7));
    consumer.close().await;
    // Closing left the group, so that nothing is in the way; what is not there is fine.
    admin
        .delete_group_offsets(&group, &[place(&topic, 0), place(&topic, 1), place(&other, 5)])
        .await
        .unwrap();
    offsets.remove(&place(&topic, 0));
    assert_eq!(admin.group_offsets(&group).await.unwrap(), offsets);
    admin.delete_group(&group).await.unwrap();
    assert!(admin.group_offsets(&group).await.unwrap().is_empty());
    admin.delete_group(&group).await.unwrap();
    admin.delete_group_offsets(&group, &[place(&topic, 0)]).await.unwrap();
}

async fn a_group_with_members_is_protected(bootstrap: &str) {
    let topic = topic(bootstrap, 1).await;
    let group = format!("{topic}-group");
    let mut consumer = reader(bootstrap, &group, &topic, &[]).await;
    assigned(&mut *consumer).await;
    consumer.commit(&BTreeMap::from([(place(&topic, 0), 0)])).await.unwrap();
    let admin = admin(bootstrap);
    let error =
        admin.alter_group_offsets(&group, &BTreeMap::from([(place(&topic, 0), 5)])).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Fatal);
    assert_eq!(error.exception(), "org.apache.kafka.common.errors.UnknownMemberIdException");
    assert_eq!(
        error.to_string(),
        format!(
            "Cannot alter offsets of consumer group {group}, partition {topic}-0: The coordinator is not aware of this \
             member. The group still has members: stop them first."
        )
    );
    let error = admin.delete_group_offsets(&group, &[place(&topic, 0)]).await.unwrap_err();
    assert_eq!(error.exception(), "org.apache.kafka.common.errors.GroupSubscribedToTopicException");
    let error = admin.delete_group(&group).await.unwrap_err();
    assert_eq!(error.exception(), "org.apache.kafka.common.errors.GroupNotEmptyException");
    assert_eq!(admin.group_offsets(&group).await.unwrap(), BTreeMap::from([(place(&topic, 0), 0)]));
    consumer.close().await;
    admin.delete_group(&group).await.unwrap();
}

#[tokio::test]
async fn a_cluster_that_cannot_be_asked_is_a_retriable_error() {
    let nobody = format!("127.0.0.1:{}", lavka_testkit::free_port());
    let limits = config(&nobody, &[("default.api.timeout.ms", "300")]);
    let admin = RdKafkaCluster::new().admin(&limits).unwrap();
    let error = admin.cluster().await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Retriable);
    let text = error.to_string();
    assert!(
        text.starts_with("Asking for the cluster's id: timed out after 300 ms: Cannot connect to "),
        "{text}"
    );
}

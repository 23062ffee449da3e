//! Metadata, DescribeCluster and FindCoordinator: where everything is. It is always here.

use kafka_protocol::{
    ResponseError,
    messages::{
        BrokerId, DescribeClusterRequest, DescribeClusterResponse, FindCoordinatorRequest,
        FindCoordinatorResponse, MetadataRequest, MetadataResponse, ResponseKind, TopicName,
        describe_cluster_response::DescribeClusterBroker,
        find_coordinator_response::Coordinator,
        metadata_request::MetadataRequestTopic,
        metadata_response::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic},
    },
    protocol::StrBytes,
};
use uuid::Uuid;

use super::{
    Cluster,
    operations::{self, NOT_ASKED},
    topics::{Topic, TopicRef},
    unique,
};

/// Kinds of keys in FindCoordinator.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
/// Kinds of endpoints in DescribeCluster.
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

impl Cluster {
    pub(super) fn metadata(&mut self, version: i16, request: MetadataRequest) -> ResponseKind {
        // Version 0 had no null; there an empty list means all topics.
        let wanted = request.topics.filter(|topics| version > 0 || !topics.is_empty());
        let create = self.config.auto_create_topics && request.allow_auto_topic_creation;
        let with_operations = request.include_topic_authorized_operations;
        let topics = match wanted {
            None => self.topics.iter().map(|topic| self.describe_topic(topic, with_operations)).collect(),
            Some(topics) => unique(topics, |topic| (topic.name.clone(), topic.topic_id))
                .map(|topic| self.metadata_of(&topic, create, with_operations))
                .collect(),
        };
        let broker = MetadataResponseBroker::default()
            .with_node_id(self.node())
            .with_host(self.host())
            .with_port(i32::from(self.endpoint.port));
        let operations =
            if request.include_cluster_authorized_operations { operations::CLUSTER } else { NOT_ASKED };
        ResponseKind::Metadata(
            MetadataResponse::default()
                .with_brokers(vec![broker])
                .with_cluster_id(Some(StrBytes::from_string(self.cluster_id.clone())))
                .with_controller_id(self.node())
                .with_topics(topics)
                .with_cluster_authorized_operations(operations),
        )
    }

    fn metadata_of(
        &mut self,
        wanted: &MetadataRequestTopic,
        create: bool,
        with_operations: bool,
    ) -> MetadataResponseTopic {
        let failure = |error: ResponseError| {
            let name = wanted.name.clone();
            let answer = MetadataResponseTopic::default().with_error_code(error.code()).with_name(name);
            answer.with_topic_id(wanted.topic_id).with_topic_authorized_operations(NOT_ASKED)
        };
        let Some(name) = &wanted.name else {
            if wanted.topic_id == Uuid::nil() {
                return failure(ResponseError::InvalidRequest);
            }
            return match self.topics.get(TopicRef::Id(wanted.topic_id)) {
                Some(topic) => self.describe_topic(topic, with_operations),
                None => failure(ResponseError::UnknownTopicId),
            };
        };
        if create
            && self.topics.get(TopicRef::Name(name)).is_none()
            && let Err((error, _)) = self.auto_create(name)
        {
            return failure(error);
        }
        match self.topics.get(TopicRef::Name(name)) {
            Some(topic) => self.describe_topic(topic, with_operations),
            None => failure(ResponseError::UnknownTopicOrPartition),
        }
    }

    fn describe_topic(&self, topic: &Topic, with_operations: bool) -> MetadataResponseTopic {
        let partitions = (0..).zip(&topic.partitions).map(|(index, partition)| {
            MetadataResponsePartition::default()
                .with_partition_index(index)
                .with_leader_id(self.node())
                .with_leader_epoch(partition.leader_epoch)
                .with_replica_nodes(vec![self.node()])
                .with_isr_nodes(vec![self.node()])
        });
        MetadataResponseTopic::default()
            .with_name(Some(TopicName(topic.name.wire())))
            .with_topic_id(topic.id)
            .with_partitions(partitions.collect())
            .with_topic_authorized_operations(if with_operations { operations::TOPIC } else { NOT_ASKED })
    }

    pub(super) fn describe_cluster(&self, request: &DescribeClusterRequest) -> ResponseKind {
        let response = DescribeClusterResponse::default();
        let error = match request.endpoint_type {
            BROKERS => None,
            CONTROLLERS => Some(ResponseError::MismatchedEndpointType),
            _ => Some(ResponseError::UnsupportedEndpointType),
        };
        if let Some(error) = error {
            let text = format!("endpoint type {} cannot be described here", request.endpoint_type);
            return ResponseKind::DescribeCluster(
                response.with_error_code(error.code()).with_error_message(Some(StrBytes::from_string(text))),
            );
        }
        let broker = DescribeClusterBroker::default()
            .with_broker_id(self.node())
            .with_host(self.host())
            .with_port(i32::from(self.endpoint.port));
        let operations =
            if request.include_cluster_authorized_operations { operations::CLUSTER } else { NOT_ASKED };
        ResponseKind::DescribeCluster(
            response
                .with_cluster_id(StrBytes::from_string(self.cluster_id.clone()))
                .with_controller_id(self.node())
                .with_brokers(vec![broker])
                .with_cluster_authorized_operations(operations),
        )
    }

    pub(super) fn find_coordinator(&self, version: i16, request: FindCoordinatorRequest) -> ResponseKind {
        let refusal = match request.key_type {
            GROUP | TRANSACTION => None,
            _ => Some(StrBytes::from_static_str("this kind of coordinator does not exist here")),
        };
        let error = refusal.as_ref().map_or(0, |_| ResponseError::InvalidRequest.code());
        let (node, host, port) = match refusal {
            None => (self.node(), self.host(), i32::from(self.endpoint.port)),
            Some(_) => (BrokerId(-1), StrBytes::new(), -1),
        };
        let response = FindCoordinatorResponse::default();
        if version < 4 {
            let response = response.with_error_code(error).with_error_message(refusal);
            return ResponseKind::FindCoordinator(
                response.with_node_id(node).with_host(host).with_port(port),
            );
        }
        let coordinators = request.coordinator_keys.into_iter().map(|key| {
            Coordinator::default()
                .with_key(key)
                .with_error_code(error)
                .with_error_message(refusal.clone())
                .with_node_id(node)
                .with_host(host.clone())
                .with_port(port)
        });
        ResponseKind::FindCoordinator(response.with_coordinators(coordinators.collect()))
    }

    pub(super) fn node(&self) -> BrokerId {
        BrokerId(self.config.node_id)
    }

    fn host(&self) -> StrBytes {
        StrBytes::from_string(self.endpoint.host.clone())
    }
}

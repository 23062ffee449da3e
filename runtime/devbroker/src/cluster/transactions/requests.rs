//! InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, TxnOffsetCommit and EndTxn, and what ends a transaction
//! without its producer; DescribeTransactions and ListTransactions.

use std::time::Duration;

use kafka_protocol::{
    ResponseError,
    messages::{
        AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest,
        AddPartitionsToTxnResponse, DescribeTransactionsRequest, DescribeTransactionsResponse, EndTxnRequest,
        EndTxnResponse, InitProducerIdRequest, InitProducerIdResponse, ListTransactionsRequest,
        ListTransactionsResponse, ProducerId, ResponseKind, TopicName, TransactionalId,
        TxnOffsetCommitRequest,
        add_partitions_to_txn_response::{AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult},
        describe_transactions_response::{TopicData, TransactionState as Described},
        list_transactions_response::TransactionState as Listed,
    },
    protocol::StrBytes,
};

use crate::cluster::{
    Cluster,
    agenda::Alarm,
    groups::Client,
    name::Name,
    topics::{PartitionKey, TopicRef},
    unique,
};

use super::{
    registry::{Protocol, Target, Write},
    transaction::{End, Ending, Introduced, Markers, NONE, State},
};

/// The first versions of AddPartitionsToTxn, AddOffsetsToTxn and EndTxn whose clients know PRODUCER_FENCED.
const KNOWS_FENCED: i16 = 2;
/// The first EndTxn version that raises the epoch.
const RAISES_EPOCH: i16 = 5;

/// The index of a partition, and the partition if there is one.
type Place = (i32, Option<PartitionKey>);

/// Older clients know only the error that producing to a partition gives.
fn code_for(version: i16, error: ResponseError) -> i16 {
    match error {
        ResponseError::ProducerFenced if version < KNOWS_FENCED => ResponseError::InvalidProducerEpoch.code(),
        error => error.code(),
    }
}

impl Cluster {
    pub(in crate::cluster) fn init_producer_id(
        &mut self,
        version: i16,
        request: &InitProducerIdRequest,
    ) -> ResponseKind {
        let response = InitProducerIdResponse::default();
        let (code, (id, epoch)) = match self.introduce(request) {
            Ok(given) => (0, given),
            // Versions before 4 know only the older name of the same thing (KIP-588).
            Err(ResponseError::ProducerFenced) if version < 4 => {
                (ResponseError::InvalidProducerEpoch.code(), NONE)
            }
            Err(error) => (error.code(), NONE),
        };
        ResponseKind::InitProducerId(
            response.with_error_code(code).with_producer_id(ProducerId(id)).with_producer_epoch(epoch),
        )
    }

    fn introduce(&mut self, request: &InitProducerIdRequest) -> Result<(i64, i16), ResponseError> {
        let before = (*request.producer_id, request.producer_epoch);
        if (before.0 < 0) != (before.1 < 0) {
            return Err(ResponseError::InvalidRequest);
        }
        let Some(TransactionalId(id)) = &request.transactional_id else {
            // Without a transactional id nobody can be fenced, so every producer is simply given a new id.
            return Ok((self.transactions.new_producer_id(), 0));
        };
        if id.is_empty() {
            return Err(ResponseError::InvalidRequest);
        }
        let timeout = u64::try_from(request.transaction_timeout_ms).map(Duration::from_millis);
        let timeout = timeout
            .ok()
            .filter(|timeout| !timeout.is_zero() && *timeout <= self.config.max_transaction_timeout)
            .ok_or(ResponseError::InvalidTransactionTimeout)?;
        let now = self.agenda.now();
        self.transactions.ensure(id, timeout, now.elapsed, self.config.max_transactional_ids)?;
        let (transaction, next_id) = self.transactions.find(id)?;
        transaction.last_used = now.elapsed;
        let before = (before != NONE).then_some(before);
        let introduced = transaction.introduce(before, timeout, || take_id(next_id))?;
        let given = (transaction.producer_id, transaction.epoch);
        self.keep_house();
        match introduced {
            Introduced::Ready => Ok(given),
            Introduced::Fenced(markers) => {
                self.finish(id, markers);
                Err(ResponseError::ConcurrentTransactions)
            }
        }
    }

    pub(in crate::cluster) fn add_partitions_to_txn(
        &mut self,
        version: i16,
        request: AddPartitionsToTxnRequest,
    ) -> ResponseKind {
        let key = |name: &TopicName, index: i32| {
            let topic = self.topics.get(TopicRef::Name(name))?;
            topic.partition(index).map(|_| topic.key(index))
        };
        let wanted: Vec<(TopicName, Vec<Place>)> = request
            .v3_and_below_topics
            .into_iter()
            .map(|topic| {
                let keys = topic.partitions.iter().map(|index| (*index, key(&topic.name, *index))).collect();
                (topic.name, keys)
            })
            .collect();
        let all = || wanted.iter().flat_map(|(_, partitions)| partitions);
        let some_unknown = all().any(|(_, key)| key.is_none());
        let write = Write {
            id: &request.v3_and_below_transactional_id,
            producer_id: *request.v3_and_below_producer_id,
            epoch: request.v3_and_below_producer_epoch,
            protocol: Protocol::First,
        };
        let result = if some_unknown {
            // All or nothing: what could be added says that nobody tried.
            Err(ResponseError::OperationNotAttempted)
        } else if write.id.is_empty() {
            Err(ResponseError::InvalidRequest)
        } else {
            let targets = all().filter_map(|(_, key)| key.map(Target::Partition));
            self.transactions.add(&mut self.agenda, write, targets)
        };
        let common = result.err().map_or(0, |error| code_for(version, error));
        let results = wanted.into_iter().map(|(name, partitions)| {
            let answers = partitions.into_iter().map(|(index, key)| {
                let code = match key {
                    Some(_) => common,
                    None => ResponseError::UnknownTopicOrPartition.code(),
                };
                AddPartitionsToTxnPartitionResult::default()
                    .with_partition_index(index)
                    .with_partition_error_code(code)
            });
            let answers = answers.collect();
            AddPartitionsToTxnTopicResult::default().with_name(name).with_results_by_partition(answers)
        });
        let response = AddPartitionsToTxnResponse::default();
        ResponseKind::AddPartitionsToTxn(response.with_results_by_topic_v3_and_below(results.collect()))
    }

    pub(in crate::cluster) fn add_offsets_to_txn(
        &mut self,
        version: i16,
        request: &AddOffsetsToTxnRequest,
    ) -> ResponseKind {
        let write = Write {
            id: &request.transactional_id,
            producer_id: *request.producer_id,
            epoch: request.producer_epoch,
            protocol: Protocol::First,
        };
        let result = if write.id.is_empty() {
            Err(ResponseError::InvalidRequest)
        } else {
            self.transactions.add(&mut self.agenda, write, [Target::Group(&request.group_id)])
        };
        let code = result.err().map_or(0, |error| code_for(version, error));
        ResponseKind::AddOffsetsToTxn(AddOffsetsToTxnResponse::default().with_error_code(code))
    }

    pub(in crate::cluster) fn txn_offset_commit(
        &mut self,
        client: Client<'_>,
        request: TxnOffsetCommitRequest,
    ) -> ResponseKind {
        let protocol = match client.version {
            ..4 => Protocol::First,
            4 => Protocol::Abortable,
            _ => Protocol::Second,
        };
        let write = Write {
            id: &request.transactional_id,
            producer_id: *request.producer_id,
            epoch: request.producer_epoch,
            protocol,
        };
        let admitted = if request.group_id.is_empty() {
            Err(ResponseError::InvalidGroupId)
        } else {
            self.transactions.admit(&mut self.agenda, write, Target::Group(&request.group_id))
        };
        let admitted = admitted.map_err(|error| match error {
            ResponseError::ProducerFenced => ResponseError::InvalidProducerEpoch,
            other => other,
        });
        let Self { groups, agenda, config, topics, .. } = self;
        groups.commit_in_transaction(agenda, config, topics, request, admitted)
    }

    pub(in crate::cluster) fn end_txn(&mut self, version: i16, request: &EndTxnRequest) -> ResponseKind {
        let response = EndTxnResponse::default();
        ResponseKind::EndTxn(match self.end_transaction(version, request) {
            Ok((id, epoch)) if version >= RAISES_EPOCH => {
                response.with_producer_id(ProducerId(id)).with_producer_epoch(epoch)
            }
            Ok(_) => response,
            Err(error) => response.with_error_code(code_for(version, error)),
        })
    }

    fn end_transaction(
        &mut self,
        version: i16,
        request: &EndTxnRequest,
    ) -> Result<(i64, i16), ResponseError> {
        let id = &request.transactional_id;
        if id.is_empty() {
            return Err(ResponseError::InvalidRequest);
        }
        let now = self.agenda.now();
        let wanted = End {
            producer_id: *request.producer_id,
            epoch: request.producer_epoch,
            commit: request.committed,
        };
        let (transaction, next_id) = self.transactions.find(id)?;
        let ending = if version >= RAISES_EPOCH {
            transaction.end_and_raise(wanted, || take_id(next_id))
        } else {
            transaction.end(wanted)
        };
        let ending = ending?;
        transaction.last_used = now.elapsed;
        let given = (transaction.producer_id, transaction.epoch);
        if let Ending::Markers(markers) = ending {
            self.finish(id, markers);
        }
        Ok(given)
    }

    /// A producer had the time it asked for and neither committed nor aborted.
    pub(in crate::cluster) fn transaction_timed_out(&mut self, id: &str) {
        let Ok((transaction, _)) = self.transactions.find(id) else { return };
        if transaction.is_ongoing() {
            let markers = transaction.fence();
            self.finish(id, markers);
        }
    }

    /// Writes what ends a transaction into every log and group that has a part in it.
    fn finish(&mut self, id: &str, markers: Markers) {
        self.agenda.cancel(&Alarm::Transaction { id: Name::from(id) });
        let Markers { producer_id, epoch, commit, partitions, groups } = markers;
        for key in partitions {
            self.write_marker(key, (producer_id, epoch), commit);
        }
        for group in groups {
            self.groups.transaction_ended(&group, producer_id, commit, self.agenda.now().elapsed);
        }
    }

    pub(in crate::cluster) fn describe_transactions(
        &self,
        request: DescribeTransactionsRequest,
    ) -> ResponseKind {
        let described = unique(request.transactional_ids, TransactionalId::clone).map(|id| {
            let answer = Described::default();
            let answer = match self.transactions.get(&id) {
                _ if id.is_empty() => answer.with_error_code(ResponseError::InvalidRequest.code()),
                None => answer.with_error_code(ResponseError::TransactionalIdNotFound.code()),
                Some(one) => {
                    let mut topics: Vec<TopicData> = Vec::new();
                    for key in &one.partitions {
                        let Some(topic) = self.topics.get(TopicRef::Id(key.topic)) else { continue };
                        let name = TopicName(topic.name.wire());
                        match topics.last_mut().filter(|last| last.topic == name) {
                            Some(last) => last.partitions.push(key.index),
                            None => topics
                                .push(TopicData::default().with_topic(name).with_partitions(vec![key.index])),
                        }
                    }
                    let timeout = i32::try_from(one.timeout.as_millis()).unwrap_or(i32::MAX);
                    answer
                        .with_transaction_state(StrBytes::from_static_str(one.state().name()))
                        .with_transaction_timeout_ms(timeout)
                        .with_transaction_start_time_ms(one.started)
                        .with_producer_id(ProducerId(one.producer_id))
                        .with_producer_epoch(one.epoch)
                        .with_topics(topics)
                }
            };
            answer.with_transactional_id(id)
        });
        let response = DescribeTransactionsResponse::default();
        ResponseKind::DescribeTransactions(response.with_transaction_states(described.collect()))
    }

    pub(in crate::cluster) fn list_transactions(&self, request: &ListTransactionsRequest) -> ResponseKind {
        const STATES: [&str; 7] = [
            "Empty",
            "Ongoing",
            "PrepareCommit",
            "PrepareAbort",
            "CompleteCommit",
            "CompleteAbort",
            "PrepareEpochFence",
        ];
        let now = self.agenda.now().unix_millis;
        let states = &request.state_filters;
        let unknown = states.iter().filter(|state| !STATES.contains(&state.as_str())).cloned().collect();
        let ids = &request.producer_id_filters;
        let matches = |state: State, id: i64, started: i64| {
            (states.is_empty() || states.iter().any(|wanted| wanted.as_str() == state.name()))
                && (ids.is_empty() || ids.contains(&ProducerId(id)))
                && (request.duration_filter < 0
                    || (started >= 0 && now.saturating_sub(started) > request.duration_filter))
        };
        let listed =
            self.transactions.iter().filter(|(_, one)| matches(one.state(), one.producer_id, one.started));
        let listed = listed.map(|(id, one)| {
            Listed::default()
                .with_transactional_id(TransactionalId(id.wire()))
                .with_producer_id(ProducerId(one.producer_id))
                .with_transaction_state(StrBytes::from_static_str(one.state().name()))
        });
        ResponseKind::ListTransactions(
            ListTransactionsResponse::default()
                .with_unknown_state_filters(unknown)
                .with_transaction_states(listed.collect()),
        )
    }
}

fn take_id(next: &mut i64) -> i64 {
    let id = *next;
    *next += 1;
    id
}

//! All transactional ids.

use std::{collections::BTreeMap, time::Duration};

use kafka_protocol::ResponseError;

use crate::cluster::{
    Moment,
    agenda::{Agenda, Alarm},
    name::Name,
    topics::PartitionKey,
};

use super::transaction::Transaction;

/// How much of the newer protocol the sender of a write knows (KIP-890).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cluster) enum Protocol {
    /// What is written to was added before; else INVALID_TXN_STATE.
    First,
    /// The same, but the error is TRANSACTION_ABORTABLE.
    Abortable,
    /// Writing adds.
    Second,
}

/// Who writes in a transaction.
#[derive(Debug, Clone, Copy)]
pub(in crate::cluster) struct Write<'a> {
    pub(in crate::cluster) id: &'a str,
    pub(in crate::cluster) producer_id: i64,
    pub(in crate::cluster) epoch: i16,
    pub(in crate::cluster) protocol: Protocol,
}

/// What is written to.
#[derive(Debug, Clone, Copy)]
pub(in crate::cluster) enum Target<'a> {
    Partition(PartitionKey),
    Group(&'a str),
}

/// Transactional ids and what is known of each.
#[derive(Debug, Default)]
pub(in crate::cluster) struct Transactions {
    by_id: BTreeMap<Name, Transaction>,
    next_producer_id: i64,
}

impl Transactions {
    /// A producer id that nobody has.
    pub(in crate::cluster) fn new_producer_id(&mut self) -> i64 {
        let id = self.next_producer_id;
        self.next_producer_id += 1;
        id
    }

    pub(in crate::cluster) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Name, &Transaction)> {
        self.by_id.iter()
    }

    pub(super) fn get(&self, id: &str) -> Option<&Transaction> {
        self.by_id.get(id)
    }

    /// The transaction of this id, and producer ids to give out.
    pub(super) fn find(&mut self, id: &str) -> Result<(&mut Transaction, &mut i64), ResponseError> {
        let found = self.by_id.get_mut(id).ok_or(ResponseError::InvalidProducerIdMapping)?;
        Ok((found, &mut self.next_producer_id))
    }

    /// Makes sure that there is a transaction of this id, unless there are `limit` others.
    pub(super) fn ensure(
        &mut self,
        id: &str,
        timeout: Duration,
        now: Duration,
        limit: usize,
    ) -> Result<(), ResponseError> {
        if self.by_id.contains_key(id) {
            return Ok(());
        }
        if self.by_id.len() >= limit {
            return Err(ResponseError::CoordinatorNotAvailable);
        }
        let producer_id = self.new_producer_id();
        self.by_id.insert(Name::from(id), Transaction::new(producer_id, timeout, now));
        Ok(())
    }

    /// Whether this producer has a transaction open that includes the partition.
    pub(in crate::cluster) fn includes(&self, producer_id: i64, key: PartitionKey) -> bool {
        let mut all = self.by_id.values();
        all.any(|one| one.producer_id == producer_id && one.partitions.contains(&key))
    }

    /// Lets a producer write somewhere: it must be the current one of its id, and the place part of the transaction,
    /// which the second protocol sees to.
    pub(in crate::cluster) fn admit(
        &mut self,
        agenda: &mut Agenda,
        write: Write<'_>,
        target: Target<'_>,
    ) -> Result<(), ResponseError> {
        let now = agenda.now();
        let (transaction, _) = self.find(write.id)?;
        transaction.check(write.producer_id, write.epoch)?;
        let known = transaction.is_ongoing()
            && match target {
                Target::Partition(key) => transaction.partitions.contains(&key),
                Target::Group(group) => transaction.groups.contains(group),
            };
        if known {
            return Ok(());
        }
        match write.protocol {
            Protocol::First => Err(ResponseError::InvalidTxnState),
            Protocol::Abortable => Err(ResponseError::TransactionAbortable),
            Protocol::Second => {
                add(agenda, now, write.id, transaction, target);
                Ok(())
            }
        }
    }

    /// Adds places to a transaction, as clients of the first protocol ask.
    pub(super) fn add<'a>(
        &mut self,
        agenda: &mut Agenda,
        write: Write<'_>,
        targets: impl IntoIterator<Item = Target<'a>>,
    ) -> Result<(), ResponseError> {
        let now = agenda.now();
        let (transaction, _) = self.find(write.id)?;
        transaction.check(write.producer_id, write.epoch)?;
        for target in targets {
            add(agenda, now, write.id, transaction, target);
        }
        Ok(())
    }

    /// Forgets the ids that were not used for `idle` (transactional.id.expiration.ms).
    pub(in crate::cluster) fn forget_unused(&mut self, now: Duration, idle: Duration) {
        self.by_id.retain(|_, one| one.is_ongoing() || one.last_used + idle > now);
    }

    /// A topic is gone: nothing is to be written there any more.
    pub(in crate::cluster) fn topic_removed(&mut self, topic: uuid::Uuid) {
        for transaction in self.by_id.values_mut() {
            transaction.partitions.retain(|key| key.topic != topic);
        }
    }
}

fn add(agenda: &mut Agenda, now: Moment, id: &str, transaction: &mut Transaction, target: Target<'_>) {
    transaction.last_used = now.elapsed;
    match target {
        Target::Partition(key) => {
            transaction.partitions.insert(key);
        }
        Target::Group(group) => {
            transaction.groups.insert(Name::from(group));
        }
    }
    if transaction.begin(now.unix_millis) {
        agenda.set(Alarm::Transaction { id: Name::from(id) }, transaction.timeout);
    }
}

//! What is forgotten, and when: records by size and age, idle producers, groups nobody uses.

use std::time::Duration;

use super::{
    Cluster,
    agenda::{Agenda, Alarm},
    topics::{PartitionKey, Topics},
};

/// How long an idempotent producer may be silent before its sequence is forgotten (producer.id.expiration.ms).
const PRODUCER_IDLE: Duration = Duration::from_hours(24);

/// How long a transactional id may be unused before it is forgotten (transactional.id.expiration.ms).
const TRANSACTIONAL_ID_IDLE: Duration = Duration::from_hours(7 * 24);

/// Drops what a partition holds beyond its own limit. Compacted topics have none.
pub(super) fn trim_partition(topics: &mut Topics, key: PartitionKey) {
    topics.change(key, |partition, rules| {
        if let (true, Some(limit)) = (rules.deletable, rules.retention_bytes) {
            partition.log.trim_to(limit);
        }
    });
}

/// Makes room for `wanted` more bytes under `limit` by dropping the oldest records of the largest partitions. False
/// if only compacted topics are left and there is still no room.
pub(super) fn make_room(topics: &mut Topics, wanted: usize, limit: usize) -> bool {
    loop {
        let over = topics.held().bytes.saturating_add(wanted).saturating_sub(limit);
        if over == 0 {
            return true;
        }
        let Some((key, bytes)) = topics.largest_deletable() else { return false };
        // An eighth at a time, so that a full broker does not look for the largest partition at every batch.
        let amount = over.max(bytes / 8);
        topics.change(key, |partition, _| partition.log.give_back(amount));
    }
}

/// Sees to it that the next check comes. Without data and groups there is none, and so an unused broker sleeps.
pub(super) fn schedule(agenda: &mut Agenda, interval: Duration) {
    if !agenda.is_set(&Alarm::Retention) {
        agenda.set(Alarm::Retention, interval);
    }
}

impl Cluster {
    /// Sees to it that what is held now is looked at again.
    pub(super) fn keep_house(&mut self) {
        if self.topics.held().records > 0 || !self.groups.is_empty() || !self.transactions.is_empty() {
            schedule(&mut self.agenda, self.config.retention_check_interval);
        }
    }

    /// The periodic check.
    pub(super) fn enforce_retention(&mut self) {
        let now = self.agenda.now();
        for key in self.topics.keys() {
            self.topics.change(key, |partition, rules| {
                partition.producers.expire(now.elapsed, PRODUCER_IDLE);
                if let (true, Some(age)) = (rules.deletable, rules.retention) {
                    let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
                    partition.log.drop_before_time(now.unix_millis.saturating_sub(age));
                }
            });
        }
        self.groups.forget_unused(now.elapsed, self.config.offsets_retention);
        self.transactions.forget_unused(now.elapsed, TRANSACTIONAL_ID_IDLE);
        self.keep_house();
    }
}

//! What is forgotten, and when: records by size, age and key, idle producers, groups nobody uses.

use std::time::Duration;

use super::{
    Cluster,
    agenda::{Agenda, Alarm},
    log::Pass,
    topic_config::Rules,
    topics::{Partition, PartitionKey, TopicRef, Topics},
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

/// Makes room for `wanted` more bytes under `limit` by dropping the oldest records of the largest partitions, and then
/// by compacting. False if only compacted topics are left and there is still no room.
pub(super) fn make_room(topics: &mut Topics, wanted: usize, limit: usize, unix_millis: i64) -> bool {
    let mut squeezed = false;
    loop {
        let over = topics.held().bytes.saturating_add(wanted).saturating_sub(limit);
        if over == 0 {
            return true;
        }
        let Some((key, bytes)) = topics.largest_deletable() else {
            if squeezed {
                return false;
            }
            squeezed = true;
            squeeze(topics, unix_millis);
            continue;
        };
        // An eighth at a time, so that a full broker does not look for the largest partition at every batch.
        let amount = over.max(bytes / 8);
        topics.change(key, |partition, _| partition.log.give_back(amount));
    }
}

/// Compacts whatever promises to give something back, the newest segments included.
fn squeeze(topics: &mut Topics, unix_millis: i64) {
    for key in topics.keys() {
        topics.change(key, |partition, rules| {
            let stable = partition.last_stable_offset();
            if rules.compacted && partition.log.is_worth_squeezing(stable) {
                compact(partition, rules, unix_millis, stable);
            }
        });
    }
}

fn compact(partition: &mut Partition, rules: &Rules, now: i64, until: i64) {
    let pass = Pass { until, now, delete_retention: rules.delete_retention };
    partition.log.compact(pass, &mut partition.isolation);
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

    /// Sees to it that a compacted partition is looked at, if it has anything to compact.
    pub(super) fn schedule_compaction(&mut self, key: PartitionKey) {
        let topic = self.topics.get(TopicRef::Id(key.topic)).filter(|topic| topic.config.rules.compacted);
        let partition = topic.and_then(|topic| topic.partition(key.index));
        if partition.is_some_and(|partition| partition.log.may_be_compacted())
            && !self.agenda.is_set(&Alarm::Compaction)
        {
            self.agenda.set(Alarm::Compaction, self.config.compaction_interval);
        }
    }

    /// Compacts what is worth it.
    pub(super) fn compact_topics(&mut self) {
        let now = self.agenda.now().unix_millis;
        for key in self.topics.keys() {
            self.topics.change(key, |partition, rules| {
                if !rules.compacted {
                    return;
                }
                let stable = partition.last_stable_offset();
                if let Some(until) = partition.log.compactable(stable, now, rules.appetite) {
                    compact(partition, rules, now, until);
                }
            });
            self.schedule_compaction(key);
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

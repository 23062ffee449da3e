//! A leader that lacks the newest records.

use crate::cluster::{Cluster, isolation::Isolation, producers::Producers, topics::PartitionKey};

impl Cluster {
    /// Every partition has a new leader epoch and loses at least this many of its newest records, in whole batches.
    /// What is known of producers and transactions follows from what is left; a transaction whose end was lost is
    /// aborted. Gives how many records are gone in all.
    pub fn elect_uncleanly(&mut self, lose: u64) -> u64 {
        let mut lost = 0;
        for key in self.topics.keys() {
            let now = self.agenda.now().elapsed;
            self.topics.change(key, |partition, _| {
                let before = partition.log.held().records;
                partition.log.lose(lose);
                lost += before.saturating_sub(partition.log.held().records);
                partition.leader_epoch = partition.leader_epoch.saturating_add(1);
                partition.log.begin_epoch(partition.leader_epoch);
                let (mut producers, mut isolation) = (Producers::default(), Isolation::default());
                for batch in partition.log.entries() {
                    let header = batch.header;
                    match batch.outcome() {
                        Some(committed) => {
                            producers.record_marker(header.producer_id, header.producer_epoch, now);
                            isolation.ended(header.producer_id, batch.base_offset, committed);
                        }
                        None => {
                            producers.record(&header, batch.base_offset, header.max_timestamp, now);
                            if header.is_transactional() {
                                isolation.wrote(header.producer_id, batch.base_offset);
                            }
                        }
                    }
                }
                partition.producers = producers;
                partition.isolation = isolation;
            });
            self.abort_orphans(key);
            self.wake_fetches_of(key.topic);
        }
        lost
    }

    /// Ends the transactions of a partition that their coordinator knows nothing of.
    fn abort_orphans(&mut self, key: PartitionKey) {
        let open = self.topics.change(key, |partition, _| {
            let producers = partition.isolation.open_producers();
            let epoch = |id: &i64| partition.producers.epoch(*id).unwrap_or_default();
            producers.iter().map(|id| (*id, epoch(id))).collect::<Vec<_>>()
        });
        for producer in open.unwrap_or_default() {
            if !self.transactions.includes(producer.0, key) {
                self.write_marker(key, producer, false);
            }
        }
    }
}

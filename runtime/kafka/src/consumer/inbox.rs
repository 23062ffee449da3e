//! What was read ahead and what is to be told, between the consumer's thread and its reader.
//!
//! Pure state: the thread puts in, the reader takes out, a lock around it is the caller's. Rebalances go before records,
//! because the group waits for them; records of a partition keep their order, partitions take turns.
//!
//! The bound holds for all partitions together. Records of paused partitions count too, but so that they cannot starve
//! the others, an empty partition may always take a small share ([`Inbox::room`]); with `n` partitions the inbox so
//! holds at most `1 + n / 16` times its bound.

use std::collections::{HashMap, VecDeque};

use lavka_api::Error;
use lavka_api::data::TopicPartition;
use lavka_ports::{Buffer, ConsumedRecord, ConsumerEvent};

/// An empty partition may take this part of the bound whatever the others hold.
const SHARE: usize = 16;

/// Records and events on their way to the reader.
pub(super) struct Inbox {
    bound: Buffer,
    events: VecDeque<ConsumerEvent>,
    failure: Option<Error>,
    places: HashMap<TopicPartition, Place>,
    /// Partitions in the order in which they are next to hand out records.
    turns: VecDeque<TopicPartition>,
    held: Held,
    /// Whether the thread stopped reading for want of room.
    starved: bool,
}

#[derive(Default)]
struct Place {
    records: VecDeque<ConsumedRecord>,
    held: Held,
    paused: bool,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Held {
    records: usize,
    bytes: usize,
}

impl Held {
    fn add(&mut self, record: &ConsumedRecord) {
        self.records += 1;
        self.bytes += size(record);
    }

    fn subtract(&mut self, other: Held) {
        self.records = self.records.saturating_sub(other.records);
        self.bytes = self.bytes.saturating_sub(other.bytes);
    }

    fn of(record: &ConsumedRecord) -> Self {
        Self { records: 1, bytes: size(record) }
    }
}

/// Bytes a record takes, its payloads included.
pub(super) fn size(record: &ConsumedRecord) -> usize {
    let payload = record.key.as_ref().map_or(0, |b| b.len()) + record.value.as_ref().map_or(0, |b| b.len());
    let headers = record.headers.iter().map(|(name, value)| {
        size_of_val(name) + name.heap_size() + size_of_val(value) + value.as_ref().map_or(0, |b| b.len())
    });
    size_of::<ConsumedRecord>() + payload + headers.sum::<usize>()
}

impl Inbox {
    pub(super) fn new(bound: Buffer) -> Self {
        Self {
            bound: Buffer { records: bound.records.max(1), bytes: bound.bytes.max(1) },
            events: VecDeque::new(),
            failure: None,
            places: HashMap::new(),
            turns: VecDeque::new(),
            held: Held::default(),
            starved: false,
        }
    }

    /// Partitions are ours from now on, with nothing read and not paused.
    pub(super) fn open(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            if self.places.insert(partition.clone(), Place::default()).is_none() {
                self.turns.push_back(partition.clone());
            }
        }
    }

    /// Partitions are no longer ours: what was read of them is dropped.
    pub(super) fn close(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            if let Some(place) = self.places.remove(partition) {
                self.held.subtract(place.held);
            }
            self.turns.retain(|turn| turn != partition);
        }
    }

    /// Drops what was read of a partition; it stays ours, and paused if it was.
    pub(super) fn drop_records(&mut self, partition: &TopicPartition) {
        if let Some(place) = self.places.get_mut(partition) {
            self.held.subtract(place.held);
            place.held = Held::default();
            place.records = VecDeque::new();
        }
    }

    pub(super) fn pause(&mut self, partitions: &[TopicPartition], paused: bool) {
        for partition in partitions {
            if let Some(place) = self.places.get_mut(partition) {
                place.paused = paused;
            }
        }
    }

    /// How much of `partition` may be read now; nothing of it where it is paused or not ours.
    pub(super) fn room(&mut self, partition: &TopicPartition) -> Option<Buffer> {
        let place = self.places.get(partition).filter(|place| !place.paused)?;
        let mut room = Buffer {
            records: self.bound.records.saturating_sub(self.held.records),
            bytes: self.bound.bytes.saturating_sub(self.held.bytes),
        };
        if room.records == 0 || room.bytes == 0 {
            if !place.records.is_empty() {
                self.starved = true;
                return None;
            }
            room = Buffer {
                records: (self.bound.records / SHARE).max(1),
                bytes: (self.bound.bytes / SHARE).max(1),
            };
        }
        Some(room)
    }

    /// Adds records of one partition, emptying `records`. Those of a partition that is not ours are dropped.
    pub(super) fn put(&mut self, partition: &TopicPartition, records: &mut Vec<ConsumedRecord>) {
        let Some(place) = self.places.get_mut(partition) else { return records.clear() };
        for record in records.drain(..) {
            self.held.add(&record);
            place.held.add(&record);
            place.records.push_back(record);
        }
    }

    /// Adds something to tell.
    pub(super) fn tell(&mut self, event: ConsumerEvent) {
        self.events.push_back(event);
    }

    /// The consumer cannot go on; the first reason is kept and told from now on.
    pub(super) fn fail(&mut self, error: Error) {
        self.failure.get_or_insert(error);
    }

    /// What the reader is to be told next, with at most `most` records.
    ///
    /// # Errors
    /// Where the consumer cannot go on.
    pub(super) fn take(&mut self, most: usize) -> Result<Option<ConsumerEvent>, Error> {
        if let Some(event) = self.events.pop_front() {
            return Ok(Some(event));
        }
        if let Some(error) = &self.failure {
            return Err(error.clone());
        }
        let records = self.take_records(most);
        Ok(if records.is_empty() { None } else { Some(ConsumerEvent::Records(records)) })
    }

    fn take_records(&mut self, most: usize) -> Vec<ConsumedRecord> {
        let mut taken = Vec::new();
        for _ in 0..self.turns.len() {
            let missing = most - taken.len();
            if missing == 0 {
                break;
            }
            let Some(partition) = self.turns.pop_front() else { break };
            if let Some(place) = self.places.get_mut(&partition).filter(|place| !place.paused) {
                let count = missing.min(place.records.len());
                taken.reserve(count);
                for record in place.records.drain(..count) {
                    let held = Held::of(&record);
                    place.held.subtract(held);
                    self.held.subtract(held);
                    taken.push(record);
                }
            }
            self.turns.push_back(partition);
        }
        taken
    }

    /// Whether the thread should be told to read on: it stopped for want of room, and half of it is free or a partition
    /// has nothing left to hand out. Said once.
    pub(super) fn ask_for_more(&mut self) -> bool {
        if !self.starved {
            return false;
        }
        let half_free =
            self.held.records <= self.bound.records / 2 && self.held.bytes <= self.bound.bytes / 2;
        let ask = half_free || self.places.values().any(|place| !place.paused && place.records.is_empty());
        self.starved = !ask;
        ask
    }
}

#[cfg(test)]
mod tests {
    use lavka_api::data::{Blob, TimestampType};

    use super::*;

    fn place(partition: i32) -> TopicPartition {
        TopicPartition::new("t", partition)
    }

    fn records(partition: i32, offsets: std::ops::Range<i64>) -> Vec<ConsumedRecord> {
        let record = |offset| ConsumedRecord {
            topic: "t".into(),
            partition,
            offset,
            leader_epoch: None,
            timestamp: None,
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: Some(Blob::from(&[0u8; 100])),
            headers: Vec::new(),
        };
        offsets.map(record).collect()
    }

    fn inbox(records: usize) -> Inbox {
        let mut inbox = Inbox::new(Buffer { records, bytes: usize::MAX });
        inbox.open(&[place(0), place(1)]);
        inbox
    }

    fn taken(inbox: &mut Inbox, most: usize) -> Vec<(i32, i64)> {
        match inbox.take(most).unwrap() {
            Some(ConsumerEvent::Records(records)) => {
                records.iter().map(|r| (r.partition, r.offset)).collect()
            }
            None => Vec::new(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn partitions_take_turns_and_keep_their_order() {
        let mut inbox = inbox(100);
        inbox.put(&place(0), &mut records(0, 0..3));
        inbox.put(&place(1), &mut records(1, 0..3));
        assert_eq!(taken(&mut inbox, 2), [(0, 0), (0, 1)]);
        assert_eq!(taken(&mut inbox, 4), [(1, 0), (1, 1), (1, 2), (0, 2)]);
        assert_eq!(taken(&mut inbox, 4), []);
    }

    #[test]
    fn rebalances_go_before_records_and_records_may_be_unwanted() {
        let mut inbox = inbox(100);
        inbox.put(&place(0), &mut records(0, 0..1));
        inbox.tell(ConsumerEvent::Assigned(vec![place(2)]));
        assert!(matches!(inbox.take(0), Ok(Some(ConsumerEvent::Assigned(_)))));
        assert!(matches!(inbox.take(0), Ok(None)));
        assert_eq!(taken(&mut inbox, 9), [(0, 0)]);
    }

    #[test]
    fn a_failure_is_told_again_and_again_after_what_happened_before() {
        let mut inbox = inbox(100);
        inbox.tell(ConsumerEvent::Assigned(vec![place(0)]));
        inbox.fail(Error::fatal("first"));
        inbox.fail(Error::fatal("second"));
        assert!(inbox.take(1).is_ok());
        for _ in 0..2 {
            assert_eq!(inbox.take(1).unwrap_err().to_string(), "first");
        }
    }

    #[test]
    fn the_bound_holds_and_is_freed_by_halves() {
        let mut inbox = inbox(10);
        inbox.close(&[place(1)]);
        assert_eq!(inbox.room(&place(0)).unwrap().records, 10);
        inbox.put(&place(0), &mut records(0, 0..10));
        assert!(inbox.room(&place(0)).is_none());
        assert!(!inbox.ask_for_more());
        taken(&mut inbox, 4);
        assert!(!inbox.ask_for_more());
        taken(&mut inbox, 1);
        assert!(inbox.ask_for_more());
        assert!(!inbox.ask_for_more());
        assert_eq!(inbox.room(&place(0)).unwrap().records, 5);
    }

    #[test]
    fn bytes_are_bounded_too() {
        let one = size(&records(0, 0..1)[0]);
        let mut inbox = Inbox::new(Buffer { records: 1000, bytes: one * 2 });
        inbox.open(&[place(0)]);
        inbox.put(&place(0), &mut records(0, 0..2));
        assert!(inbox.room(&place(0)).is_none());
        taken(&mut inbox, 2);
        assert_eq!(inbox.held, Held::default());
        assert_eq!(inbox.room(&place(0)).unwrap().bytes, one * 2);
    }

    #[test]
    fn paused_partitions_keep_what_they_hold_and_do_not_starve_others() {
        let mut inbox = inbox(32);
        inbox.put(&place(0), &mut records(0, 0..32));
        inbox.pause(&[place(0)], true);
        assert!(inbox.room(&place(0)).is_none());
        assert_eq!(inbox.room(&place(1)).unwrap().records, 2);
        inbox.put(&place(1), &mut records(1, 0..2));
        assert!(inbox.room(&place(1)).is_none());
        assert!(!inbox.ask_for_more());
        assert_eq!(taken(&mut inbox, 100), [(1, 0), (1, 1)]);
        assert!(inbox.ask_for_more());
        inbox.pause(&[place(0)], false);
        assert_eq!(taken(&mut inbox, 100).len(), 32);
    }

    #[test]
    fn what_is_dropped_never_surfaces() {
        let mut inbox = inbox(10);
        inbox.put(&place(0), &mut records(0, 0..5));
        inbox.put(&place(1), &mut records(1, 0..5));
        inbox.drop_records(&place(0));
        inbox.close(&[place(1)]);
        inbox.put(&place(1), &mut records(1, 5..9));
        assert_eq!(taken(&mut inbox, 100), []);
        assert_eq!(inbox.held, Held::default());
        inbox.put(&place(0), &mut records(0, 2..4));
        assert_eq!(taken(&mut inbox, 100), [(0, 2), (0, 3)]);
    }
}

//! The state that an offset holds.

use lavka_api::data::{OffsetMap, Str, Value};

use crate::pgoutput::Lsn;

/// What the record that carries an offset was made of (`messageType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageType {
    /// The beginning of a transaction.
    Begin,
    /// An insert.
    Insert,
    /// An update.
    Update,
    /// A delete.
    Delete,
    /// A truncate.
    Truncate,
    /// A logical message.
    Message,
    /// The end of a transaction.
    Commit,
}

impl MessageType {
    const ALL: [Self; 7] =
        [Self::Begin, Self::Insert, Self::Update, Self::Delete, Self::Truncate, Self::Message, Self::Commit];

    /// The word in the offset.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Begin => "BEGIN",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Truncate => "TRUNCATE",
            Self::Message => "MESSAGE",
            Self::Commit => "COMMIT",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ty| ty.name() == name)
    }
}

/// Which snapshot a record belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotKind {
    /// The one before the stream.
    Initial,
    /// One that runs beside the stream.
    Incremental,
    /// One that the stream waits for.
    Blocking,
}

impl SnapshotKind {
    /// The word in the offset.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Initial => "INITIAL",
            Self::Incremental => "INCREMENTAL",
            Self::Blocking => "BLOCKING",
        }
    }
}

/// The part of an offset that snapshots write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Which one.
    pub kind: SnapshotKind,
    /// `last_snapshot_record`.
    pub last_record: bool,
    /// `snapshot_completed`.
    pub completed: bool,
}

/// The part of an offset that transaction metadata writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionCounts {
    /// `transaction_id`: the transaction's id as text.
    pub id: Str,
    /// `transaction_data_collection_order_<schema.table>`: records so far, by table.
    pub orders: Vec<(Str, i64)>,
}

/// The part of an offset that a running incremental snapshot writes, as Debezium's texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incremental {
    /// `incremental_snapshot_collections`: JSON.
    pub collections: Str,
    /// `incremental_snapshot_primary_key`: the key of the last row that was sent.
    pub primary_key: Option<Str>,
    /// `incremental_snapshot_maximum_key`: the largest key of the table when it was begun.
    pub maximum_key: Option<Str>,
    /// `incremental_snapshot_correlation_id`: the signal's id.
    pub correlation_id: Option<Str>,
    /// `lavka_incremental`: both keys in a form of our own.
    pub keys: Option<Str>,
}

/// A place in the stream, behind a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The commit LSN of the transaction (of its Begin message).
    pub commit: Lsn,
    /// The number of the change in the transaction, from 1, counting every change message that the server sends; 0 before
    /// the first.
    pub change: u64,
    /// How many records of that change there were up to here, from 1 (a changed key makes three).
    pub record: u64,
}

/// What a source offset holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Offset {
    /// `lsn`: of the record.
    pub lsn: Option<Lsn>,
    /// `lsn_proc`: up to where everything was processed.
    pub lsn_proc: Option<Lsn>,
    /// `lsn_commit`: the end of the last transaction that was seen whole; what the server is told.
    pub lsn_commit: Option<Lsn>,
    /// `lsn_events_processed`: how many records of `lsn` there were (Debezium 3.7).
    pub events_at_lsn: Option<i64>,
    /// `txId`.
    pub tx_id: Option<i64>,
    /// `ts_usec`: commit time, microseconds of the Unix epoch.
    pub ts_usec: Option<i64>,
    /// `messageType`.
    pub message_type: Option<MessageType>,
    /// `xmin`.
    pub xmin: Option<i64>,
    /// `snapshot`, `snapshot_completed`, `last_snapshot_record`.
    pub snapshot: Option<Snapshot>,
    /// `transaction_id` and the counts by table.
    pub transaction: Option<TransactionCounts>,
    /// The state of a running incremental snapshot.
    pub incremental: Option<Incremental>,
    /// `lavka_commit_lsn`, `lavka_change`, `lavka_record`.
    pub place: Option<Place>,
    /// `lavka_cluster`: the database cluster and its timeline, as `<system identifier>/<timeline>`.
    pub cluster: Option<Str>,
    /// `lavka_slot`: up to here there was nothing more to hand out, and the slot may stand here although no record does.
    pub slot: Option<Lsn>,
    /// `lavka_snapshot`: which parts of an unfinished snapshot are done, in the snapshot's own form.
    pub progress: Option<Str>,
}

const ORDER_PREFIX: &str = "transaction_data_collection_order_";

impl Offset {
    /// The partition that all offsets of a connector belong to: `{"server": <topic.prefix>}`.
    #[must_use]
    pub fn partition(server: &str) -> OffsetMap {
        OffsetMap::new([("server", Value::from(server))])
    }

    /// The map for Connect. What is unknown is left out, as Debezium does.
    #[must_use]
    pub fn to_map(&self) -> OffsetMap {
        OffsetMap::of_distinct(self.to_entries())
    }

    /// The entries of [`to_map`](Self::to_map).
    pub(super) fn to_entries(&self) -> Vec<(Str, Value)> {
        let mut map: Vec<(Str, Value)> = Vec::with_capacity(12);
        let mut put = |key: &'static str, value: Value| map.push((Str::from_static(key), value));
        if let Some(transaction) = &self.transaction {
            put("transaction_id", Value::from(transaction.id.clone()));
        }
        if let Some(lsn) = self.lsn_proc {
            put("lsn_proc", Value::Int64(lsn.as_i64()));
        }
        if let Some(xmin) = self.xmin {
            put("xmin", Value::Int64(xmin));
        }
        if let Some(ty) = self.message_type {
            put("messageType", Value::from(Str::from_static(ty.name())));
        }
        if let Some(lsn) = self.lsn_commit {
            put("lsn_commit", Value::Int64(lsn.as_i64()));
        }
        if let Some(lsn) = self.lsn {
            put("lsn", Value::Int64(lsn.as_i64()));
        }
        if let Some(tx_id) = self.tx_id {
            put("txId", Value::Int64(tx_id));
        }
        if let Some(ts) = self.ts_usec {
            put("ts_usec", Value::Int64(ts));
        }
        if let Some(snapshot) = self.snapshot {
            put("snapshot", Value::from(Str::from_static(snapshot.kind.name())));
            put("snapshot_completed", Value::Boolean(snapshot.completed));
            put("last_snapshot_record", Value::Boolean(snapshot.last_record));
        }
        if let Some(incremental) = &self.incremental {
            put("incremental_snapshot_collections", Value::from(incremental.collections.clone()));
            for (key, text) in [
                ("incremental_snapshot_primary_key", &incremental.primary_key),
                ("incremental_snapshot_maximum_key", &incremental.maximum_key),
                ("incremental_snapshot_correlation_id", &incremental.correlation_id),
                ("lavka_incremental", &incremental.keys),
            ] {
                if let Some(text) = text {
                    put(key, Value::from(text.clone()));
                }
            }
        }
        if let Some(place) = self.place {
            put("lavka_commit_lsn", Value::Int64(place.commit.as_i64()));
            put("lavka_change", Value::Int64(place.change.cast_signed()));
            put("lavka_record", Value::Int64(place.record.cast_signed()));
        }
        if let Some(cluster) = &self.cluster {
            put("lavka_cluster", Value::from(cluster.clone()));
        }
        // Behind a transaction that was read whole its end says the same.
        if let Some(slot) = self.slot.filter(|&slot| self.lsn_commit.is_none_or(|end| slot > end)) {
            put("lavka_slot", Value::Int64(slot.as_i64()));
        }
        if let Some(progress) = &self.progress {
            put("lavka_snapshot", Value::from(progress.clone()));
        }
        if let Some(transaction) = &self.transaction {
            for (table, order) in &transaction.orders {
                map.push((Str::from(format!("{ORDER_PREFIX}{table}")), Value::Int64(*order)));
            }
        }
        map
    }

    /// Reads a map, Debezium's or our own. Keys that are missing or of another type count as unknown; an older Debezium
    /// wrote `snapshot` as a boolean.
    #[must_use]
    pub fn from_map(map: &OffsetMap) -> Self {
        let number = |key: &str| map.get(key).and_then(Value::as_i64);
        let text = |key: &str| map.get(key).and_then(Value::as_str).map(Str::from);
        let flag = |key: &str| matches!(map.get(key), Some(Value::Boolean(true)));
        let lsn = |key: &str| number(key).map(Lsn::from_i64);
        let count = |key: &str| number(key).map(i64::cast_unsigned);
        let kind = match map.get("snapshot") {
            Some(Value::Boolean(true)) => Some(SnapshotKind::Initial),
            Some(value) => match value.as_str().map(str::to_ascii_uppercase).as_deref() {
                Some("INITIAL" | "TRUE") => Some(SnapshotKind::Initial),
                Some("INCREMENTAL") => Some(SnapshotKind::Incremental),
                Some("BLOCKING") => Some(SnapshotKind::Blocking),
                _ => None,
            },
            None => None,
        };
        let snapshot = kind.map(|kind| Snapshot {
            kind,
            last_record: flag("last_snapshot_record"),
            completed: flag("snapshot_completed"),
        });
        let transaction = text("transaction_id").map(|id| TransactionCounts {
            id,
            orders: map
                .entries()
                .iter()
                .filter_map(|(key, value)| {
                    Some((Str::from(key.as_str().strip_prefix(ORDER_PREFIX)?), value.as_i64()?))
                })
                .collect(),
        });
        let incremental = text("incremental_snapshot_collections").map(|collections| Incremental {
            collections,
            primary_key: text("incremental_snapshot_primary_key"),
            maximum_key: text("incremental_snapshot_maximum_key"),
            correlation_id: text("incremental_snapshot_correlation_id"),
            keys: text("lavka_incremental"),
        });
        let place = lsn("lavka_commit_lsn").map(|commit| Place {
            commit,
            change: count("lavka_change").unwrap_or_default(),
            record: count("lavka_record").unwrap_or_default(),
        });
        Self {
            lsn: lsn("lsn"),
            lsn_proc: lsn("lsn_proc"),
            lsn_commit: lsn("lsn_commit"),
            events_at_lsn: number("lsn_events_processed"),
            tx_id: number("txId"),
            ts_usec: number("ts_usec"),
            message_type: text("messageType").and_then(|name| MessageType::named(&name)),
            xmin: number("xmin"),
            snapshot,
            transaction,
            incremental,
            place,
            cluster: text("lavka_cluster"),
            slot: lsn("lavka_slot"),
            progress: text("lavka_snapshot"),
        }
    }

    /// Whether it is from an initial snapshot that did not finish. The others have a place in the stream.
    #[must_use]
    pub fn snapshot_is_unfinished(&self) -> bool {
        self.snapshot.is_some_and(|snapshot| snapshot.kind == SnapshotKind::Initial && !snapshot.completed)
    }

    /// What the server may be told is durable once Connect has committed this offset: the end of the last whole
    /// transaction, else where the stream goes on after a snapshot.
    #[must_use]
    pub fn confirmed(&self) -> Option<Lsn> {
        if self.snapshot_is_unfinished() {
            return None;
        }
        self.lsn_commit.or(self.lsn_proc).or(self.snapshot.and(self.lsn)).max(self.slot)
    }

    /// The furthest place that the slot can stand at by what was confirmed up to this offset.
    #[must_use]
    pub fn reached(&self) -> Option<Lsn> {
        self.start().max(self.slot)
    }

    /// What to store where nothing was handed out up to [`slot`](Self::slot): that a transaction has ended there, in
    /// Debezium's own keys. It refuses an offset that lies before what the slot still has.
    #[must_use]
    pub fn passed(&self) -> Self {
        let mut passed = self.clone();
        if let Some(slot) = self.slot.filter(|&slot| self.reached().is_none_or(|known| slot >= known)) {
            [passed.lsn, passed.lsn_proc, passed.lsn_commit] = [Some(slot); 3];
            passed.message_type = Some(MessageType::Commit);
            passed.place = None;
        }
        passed
    }

    /// Where START_REPLICATION asks the server to begin.
    #[must_use]
    pub fn start(&self) -> Option<Lsn> {
        // `lsn_proc` lies within a transaction that may have to be sent again.
        self.lsn_commit.or(self.lsn_proc).or(self.lsn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(value: i64) -> Value {
        Value::Int64(value)
    }

    #[test]
    fn maps_of_debezium_come_back_as_they_were() {
        for map in [
            OffsetMap::new([
                ("last_snapshot_record", Value::Boolean(false)),
                ("lsn", long(97_821_632)),
                ("txId", long(1175)),
                ("ts_usec", long(1_795_217_463_531_090)),
                ("snapshot", Value::from("INITIAL")),
                ("snapshot_completed", Value::Boolean(false)),
            ]),
            OffsetMap::new([
                ("transaction_id", Value::from("1180")),
                ("lsn_proc", long(97_822_520)),
                ("xmin", long(1175)),
                ("messageType", Value::from("INSERT")),
                ("lsn_commit", long(97_822_384)),
                ("lsn", long(97_822_520)),
                ("txId", long(1180)),
                ("ts_usec", long(1_795_217_467_048_064)),
                ("transaction_data_collection_order_inv.orders", long(2)),
            ]),
            OffsetMap::new([
                ("incremental_snapshot_correlation_id", Value::from("s1")),
                ("lsn_proc", long(109_728_832)),
                ("messageType", Value::from("DELETE")),
                ("lsn_commit", long(109_728_832)),
                ("lsn", long(109_728_832)),
                ("incremental_snapshot_maximum_key", Value::from("aced0005")),
                ("txId", long(1404)),
                ("incremental_snapshot_collections", Value::from("[]")),
                ("ts_usec", long(1_795_217_913_274_122)),
                ("incremental_snapshot_primary_key", Value::from("aced000570")),
            ]),
        ] {
            assert_eq!(Offset::from_map(&map).to_map(), map);
        }
    }

    #[test]
    fn our_own_keys_come_back() {
        let offset = Offset {
            place: Some(Place { commit: Lsn(u64::MAX - 1), change: 7, record: 2 }),
            cluster: Some("7001/1".into()),
            slot: Some(Lsn(9)),
            progress: Some("x".into()),
            ..Offset::default()
        };
        assert_eq!(Offset::from_map(&offset.to_map()), offset);
    }

    #[test]
    fn the_slot_may_stand_behind_the_last_transaction() {
        let offset =
            Offset { lsn: Some(Lsn(7)), lsn_commit: Some(Lsn(7)), slot: Some(Lsn(9)), ..Offset::default() };
        assert_eq!(
            (offset.start(), offset.confirmed(), offset.reached()),
            (Some(Lsn(7)), Some(Lsn(9)), Some(Lsn(9)))
        );
        let later = Offset { lsn_commit: Some(Lsn(12)), ..offset };
        assert_eq!((later.confirmed(), later.reached()), (Some(Lsn(12)), Some(Lsn(12))));
        assert!(later.to_map().get("lavka_slot").is_none());
    }

    #[test]
    fn what_was_passed_without_a_record_is_said_in_debezium_s_keys() {
        let offset = Offset {
            lsn: Some(Lsn(9)),
            lsn_proc: Some(Lsn(9)),
            lsn_commit: Some(Lsn(7)),
            message_type: Some(MessageType::Insert),
            place: Some(Place { commit: Lsn(10), change: 1, record: 1 }),
            slot: Some(Lsn(50)),
            ..Offset::default()
        };
        let map = offset.passed().to_map();
        let expected = OffsetMap::new([
            ("lsn_proc", long(50)),
            ("messageType", Value::from("COMMIT")),
            ("lsn_commit", long(50)),
            ("lsn", long(50)),
        ]);
        assert_eq!(map, expected);
        let before = Offset { slot: Some(Lsn(5)), ..offset };
        assert_eq!(before.passed(), before, "a record says more");
    }

    #[test]
    fn nothing_is_confirmed_before_the_snapshot_is_done() {
        let snapshot = |completed| Offset {
            lsn: Some(Lsn(5)),
            snapshot: Some(Snapshot { kind: SnapshotKind::Initial, last_record: completed, completed }),
            ..Offset::default()
        };
        assert_eq!(snapshot(false).confirmed(), None);
        assert_eq!(snapshot(true).confirmed(), Some(Lsn(5)));
        let inside = Offset {
            lsn: Some(Lsn(9)),
            lsn_proc: Some(Lsn(9)),
            lsn_commit: Some(Lsn(7)),
            ..Offset::default()
        };
        assert_eq!(inside.confirmed(), Some(Lsn(7)), "not what lies within a transaction");
        let old = OffsetMap::new([("snapshot", Value::Boolean(true))]);
        assert!(Offset::from_map(&old).snapshot_is_unfinished());
    }
}

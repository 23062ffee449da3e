//! Offsets, in the form in which Confluent's source keeps them.

use lavka_api::data::{OffsetMap, Value};

use crate::table::TableId;

/// Up to where a table or query was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) incrementing: Option<i64>,
    /// Microseconds since 1970.
    pub(crate) timestamp: Option<i64>,
}

impl Position {
    /// `{"incrementing": 5, "timestamp": MILLIS, "timestamp_nanos": NANOS_OF_THE_SECOND}`, as far as known.
    pub(crate) fn to_map(self) -> OffsetMap {
        let mut entries: Vec<(&str, Value)> = Vec::new();
        if let Some(id) = self.incrementing {
            entries.push(("incrementing", Value::Int64(id)));
        }
        if let Some(micros) = self.timestamp {
            entries.push(("timestamp", Value::Int64(micros.div_euclid(1000))));
            entries.push(("timestamp_nanos", Value::Int64(micros.rem_euclid(1_000_000) * 1000)));
        }
        OffsetMap::new(entries)
    }

    /// Reads what [`to_map`](Self::to_map), or the Java source, wrote.
    pub(crate) fn from_map(map: &OffsetMap) -> Self {
        let number = |name: &str| map.get(name).and_then(Value::as_i64);
        let timestamp = number("timestamp").and_then(|millis| match number("timestamp_nanos") {
            Some(nanos) => millis.div_euclid(1000).checked_mul(1_000_000)?.checked_add(nanos / 1000),
            None => millis.checked_mul(1000),
        });
        Self { incrementing: number("incrementing"), timestamp }
    }
}

/// The source partition of a table: its full name without quotes, and the protocol.
pub(crate) fn table_partition(id: &TableId) -> OffsetMap {
    OffsetMap::new([("table", id.to_string()), ("protocol", "1".to_owned())])
}

/// The source partition that versions before protocol 1 used.
pub(crate) fn old_table_partition(id: &TableId) -> OffsetMap {
    OffsetMap::new([("table", id.table())])
}

/// The source partition of a query.
pub(crate) fn query_partition() -> OffsetMap {
    OffsetMap::new([("query", "query")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_those_of_the_java_source() {
        let position = Position { incrementing: Some(5), timestamp: Some(1_709_209_800_123_456) };
        let map = position.to_map();
        assert_eq!(map.get("timestamp"), Some(&Value::Int64(1_709_209_800_123)));
        assert_eq!(map.get("timestamp_nanos"), Some(&Value::Int64(123_456_000)));
        assert_eq!(Position::from_map(&map), position);
        let before = Position { incrementing: None, timestamp: Some(-1) };
        assert_eq!(Position::from_map(&before.to_map()), before);
        let old = OffsetMap::new([("timestamp", Value::Int64(7))]);
        assert_eq!(Position::from_map(&old).timestamp, Some(7000));
    }
}

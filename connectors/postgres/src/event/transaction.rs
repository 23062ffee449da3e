//! Transaction metadata: the block in records, and the records at beginnings and ends.

use lavka_api::Result;
use lavka_api::data::{Datum, Str, Struct, Topic, Value};

use crate::offset::TransactionCounts;
use crate::pgoutput::Lsn;
use crate::schema::SharedSchemas;
use crate::types::hash_map_order;

/// Under which name logical messages are counted. Debezium has a Java object's name here, with its address, which changes
/// from run to run.
pub(super) const MESSAGES: &str =
    "io.debezium.connector.postgresql.LogicalDecodingMessageMonitor$LogicalDecodingMessageId";

/// The id that records show: the transaction's, and the LSN of the record, so that it differs from record to record.
fn shown_id(counts: &TransactionCounts, lsn: Lsn) -> Str {
    let mut out = String::with_capacity(32);
    out.push_str(&counts.id);
    out.push(':');
    out.push_str(itoa::Buffer::new().format(lsn.as_i64()));
    Str::from(out)
}

/// Counts an event of a table (or of the logical messages) and gives the block that its record shows.
pub(super) fn counted(
    counts: &mut TransactionCounts,
    table: &Str,
    lsn: Lsn,
    shared: &SharedSchemas,
) -> Result<Struct> {
    let order = match counts.orders.iter_mut().find(|(name, _)| name == table) {
        Some((_, order)) => {
            *order = order.saturating_add(1);
            *order
        }
        None => {
            counts.orders.push((table.clone(), 1));
            1
        }
    };
    let fields = vec![Value::String(shown_id(counts, lsn)), Value::Int64(total(counts)), Value::Int64(order)];
    Struct::new(shared.transaction_block.clone(), fields)
}

fn total(counts: &TransactionCounts) -> i64 {
    counts.orders.iter().fold(0, |sum, (_, order)| sum.saturating_add(*order))
}

/// Key and value of the record at a beginning.
pub(super) fn begin(
    counts: &TransactionCounts,
    lsn: Lsn,
    millis: i64,
    shared: &SharedSchemas,
) -> Result<(Datum, Datum)> {
    boundary("BEGIN", counts, lsn, millis, Value::Null, Value::Null, shared)
}

/// Key and value of the record at an end, with the counts.
pub(super) fn end(
    counts: &TransactionCounts,
    lsn: Lsn,
    millis: i64,
    shared: &SharedSchemas,
) -> Result<(Datum, Datum)> {
    let mut orders = counts.orders.clone();
    hash_map_order(&mut orders, |(name, _)| name);
    let collections: Result<Vec<Value>> = orders
        .into_iter()
        .map(|(name, count)| {
            let fields = vec![Value::String(name), Value::Int64(count)];
            Struct::new(shared.transaction_collection.clone(), fields).map(Value::from)
        })
        .collect();
    boundary("END", counts, lsn, millis, Value::Int64(total(counts)), Value::from(collections?), shared)
}

fn boundary(
    status: &'static str,
    counts: &TransactionCounts,
    lsn: Lsn,
    millis: i64,
    events: Value,
    collections: Value,
    shared: &SharedSchemas,
) -> Result<(Datum, Datum)> {
    let id = Value::String(shown_id(counts, lsn));
    let key = Struct::new(shared.transaction_key.clone(), vec![id.clone()])?;
    let fields = vec![Value::String(Str::from_static(status)), id, events, collections, Value::Int64(millis)];
    let value = Struct::new(shared.transaction_value.clone(), fields)?;
    Ok((Datum::new(shared.transaction_key.clone(), key), Datum::new(shared.transaction_value.clone(), value)))
}

/// The topic of these records.
pub(super) fn topic(naming: &crate::schema::TopicNaming) -> Topic {
    Topic::from(naming.transactions())
}

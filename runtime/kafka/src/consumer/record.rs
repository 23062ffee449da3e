//! Copying a record out of librdkafka, once.

use std::panic::{AssertUnwindSafe, catch_unwind};

use lavka_api::data::{Blob, Str, TimestampType, Topic};
use lavka_ports::ConsumedRecord;
use rdkafka::Timestamp;
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Headers, Message};

use super::epoch;

/// A copy of `message`, which came from `topic`.
pub(super) fn copy(message: &BorrowedMessage<'_>, topic: &Topic) -> ConsumedRecord {
    let (timestamp, timestamp_type) = match message.timestamp() {
        Timestamp::NotAvailable => (None, TimestampType::NoTimestampType),
        Timestamp::CreateTime(millis) => (Some(millis), TimestampType::CreateTime),
        Timestamp::LogAppendTime(millis) => (Some(millis), TimestampType::LogAppendTime),
    };
    ConsumedRecord {
        topic: topic.clone(),
        partition: message.partition(),
        offset: message.offset(),
        leader_epoch: epoch::of(message),
        timestamp,
        timestamp_type,
        key: message.key().map(Blob::from),
        value: message.payload().map(Blob::from),
        headers: message.headers().map(|headers| copy_headers(headers, message)).unwrap_or_default(),
    }
}

/// The binding panics at a header whose name is not UTF-8, and gives no other way to read it. Java reads the name with
/// replacement characters. Here such a header keeps its place with a replacement character for a name and without its
/// value; all others are as they were sent.
fn copy_headers(headers: &BorrowedHeaders, message: &BorrowedMessage<'_>) -> Vec<(Str, Option<Blob>)> {
    let all = || headers.iter().map(|h| (Str::from(h.key), h.value.map(Blob::from))).collect();
    catch_unwind(AssertUnwindSafe(all)).unwrap_or_else(|_| {
        tracing::warn!(
            topic = message.topic(),
            partition = message.partition(),
            offset = message.offset(),
            "a header's name is not UTF-8: the header is passed on without name and value"
        );
        let one = |index| headers.try_get(index).map(|h| (Str::from(h.key), h.value.map(Blob::from)));
        (0..headers.count())
            .filter_map(|index| {
                catch_unwind(AssertUnwindSafe(|| one(index)))
                    .unwrap_or_else(|_| Some((Str::from_static("\u{fffd}"), None)))
            })
            .collect()
    })
}

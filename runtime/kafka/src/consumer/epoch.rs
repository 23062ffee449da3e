//! Leader epochs, which librdkafka knows of records and positions and the binding does not pass on.
//!
//! The two calls here are all the `unsafe` of a consumer; `runtime/adr/0005-leader-epochs.md` has the reasons. Neither
//! keeps a pointer, hands one out or frees anything.

use std::ffi::CString;

use rdkafka::bindings::{
    rd_kafka_message_leader_epoch, rd_kafka_topic_partition_list_find,
    rd_kafka_topic_partition_set_leader_epoch,
};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::TopicPartitionList;

/// The epoch of the leader that wrote `message`; `None` where the broker does not tell it (message formats before
/// version 2).
pub(super) fn of(message: &BorrowedMessage<'_>) -> Option<i32> {
    #[expect(unsafe_code, reason = "the binding has no call for it")]
    // SAFETY: the pointer is that of the message, which librdkafka frees when `message` is dropped and not before; the
    // function reads from it alone.
    let epoch = unsafe { rd_kafka_message_leader_epoch(message.ptr()) };
    (epoch >= 0).then_some(epoch)
}

/// Says of a partition in `list` that the record before its offset was written in `epoch`. Does nothing where the
/// partition is not in the list.
pub(super) fn set(list: &mut TopicPartitionList, topic: &str, partition: i32, epoch: i32) {
    // A name with a NUL is in no list.
    let Ok(topic) = CString::new(topic) else { return };
    #[expect(unsafe_code, reason = "the binding has no call for it")]
    // SAFETY: the list is borrowed for as long as the element is used, and exclusively so, which keeps it and its elements
    // where they are; `topic` ends with a NUL and outlives the call. A null pointer, for a partition that is not found, is
    // not followed.
    unsafe {
        let element = rd_kafka_topic_partition_list_find(list.ptr(), topic.as_ptr(), partition);
        if !element.is_null() {
            rd_kafka_topic_partition_set_leader_epoch(element, epoch);
        }
    }
}

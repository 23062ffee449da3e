//! Handing records to librdkafka, with the topics' handles kept.
//!
//! Given a topic's name librdkafka walks through all topics that it knows until it finds it, for each record: with the
//! topics of a database of 5,000 tables that costs more than all else. A handle costs nothing, and the binding has none for
//! producers; `runtime/adr/0020-topic-handles.md` has the figures. All the `unsafe` of a producer is here.

use std::collections::HashMap;
use std::ffi::{CString, c_void};
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, PoisonError};

use lavka_api::data::Topic;
use lavka_ports::OutgoingRecord;
use rdkafka::bindings::{
    RD_KAFKA_MSG_F_COPY, rd_kafka_header_add, rd_kafka_headers_destroy, rd_kafka_headers_new,
    rd_kafka_headers_t, rd_kafka_last_error, rd_kafka_producev, rd_kafka_topic_destroy, rd_kafka_topic_new,
    rd_kafka_topic_t, rd_kafka_vtype_t,
};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::types::RDKafkaRespErr;

use super::Deliveries;

/// Handles kept at most. Topics are mostly few; where their names come from data all are asked for anew now and then.
const MOST_TOPICS: usize = 50_000;

/// librdkafka's producer, and the handles of the topics it was given records for.
pub(super) struct NativeProducer {
    /// Dropped first: a handle is no longer one when its client is gone.
    topics: Mutex<HashMap<Topic, TopicHandle>>,
    base: Arc<BaseProducer<Deliveries>>,
}

impl NativeProducer {
    pub(super) fn new(base: Arc<BaseProducer<Deliveries>>) -> Self {
        Self { topics: Mutex::default(), base }
    }

    /// The binding's, for all but sending.
    pub(super) fn base(&self) -> &Arc<BaseProducer<Deliveries>> {
        &self.base
    }

    /// Gives librdkafka a copy of `record`, whose token will be the delivery's.
    pub(super) fn send(&self, record: &OutgoingRecord<'_>) -> KafkaResult<()> {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let topic = match topics.get(record.topic) {
            Some(topic) => topic,
            None => {
                if topics.len() >= MOST_TOPICS {
                    topics.clear();
                }
                let handle = TopicHandle::new(&self.base, record.topic)?;
                topics.entry(record.topic.clone()).or_insert(handle)
            }
        };
        let headers = NativeHeaders::of(record.headers)?;
        let (value, value_length) = parts(record.value);
        let (key, key_length) = parts(record.key);
        #[expect(unsafe_code, reason = "the binding sends to topics by name alone")]
        // SAFETY: the arguments are those that the tags before them announce, with the end's tag last. The client is alive as
        // long as `self`, the topic's handle as long as the lock is held. Key and value are borrowed for the call, which
        // copies both. A token is no pointer for librdkafka, which hands it back as it is.
        let code = unsafe {
            rd_kafka_producev(
                self.base.client().native_ptr(),
                rd_kafka_vtype_t::RD_KAFKA_VTYPE_RKT,
                topic.0.as_ptr(),
                rd_kafka_vtype_t::RD_KAFKA_VTYPE_PARTITION,
                record.partition.unwrap_or(-1),
                rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS,
                RD_KAFKA_MSG_F_COPY,
                rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE,
                value,
                value_length,
                rd_kafka_vtype_t::RD_KAFKA_VTYPE_KEY,
                key,
                key_length,
                rd_kafka_vtype_t::RD_KAFKA_VTYPE_OPAQUE,
                record.token as *mut c_void,
                rd_kafka_vtype_t::RD_KAFKA_VTYPE_TIMESTAMP,
                record.timestamp.unwrap_or(0),
                rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADERS,
                headers.as_ptr(),
                rd_kafka_vtype_t::RD_KAFKA_VTYPE_END,
            )
        };
        outcome(code)?;
        headers.taken();
        Ok(())
    }
}

fn outcome(code: RDKafkaRespErr) -> KafkaResult<()> {
    match code {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        code => Err(KafkaError::MessageProduction(code.into())),
    }
}

/// Where bytes are and how many; null for none.
fn parts(bytes: Option<&[u8]>) -> (*mut c_void, usize) {
    bytes.map_or((ptr::null_mut(), 0), |bytes| (bytes.as_ptr().cast_mut().cast(), bytes.len()))
}

/// A topic of a client, which must outlive it.
struct TopicHandle(NonNull<rd_kafka_topic_t>);

#[expect(unsafe_code, reason = "a pointer is not Send by itself")]
// SAFETY: librdkafka's topics may be used and destroyed by any thread.
unsafe impl Send for TopicHandle {}

impl TopicHandle {
    fn new(base: &BaseProducer<Deliveries>, topic: &Topic) -> KafkaResult<Self> {
        let name = CString::new(topic.as_str())?;
        #[expect(unsafe_code, reason = "the binding gives no handles of topics")]
        // SAFETY: the client is alive, the name ends with a NUL and is copied; no settings are given. The error is that of
        // this thread's last call.
        let (handle, code) = unsafe {
            let handle = rd_kafka_topic_new(base.client().native_ptr(), name.as_ptr(), ptr::null_mut());
            (handle, rd_kafka_last_error())
        };
        NonNull::new(handle).map(Self).ok_or_else(|| KafkaError::MessageProduction(code.into()))
    }
}

impl Drop for TopicHandle {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "a handle is given back by hand")]
        // SAFETY: the handle was made by `new` and is given back once; its client outlives it.
        unsafe {
            rd_kafka_topic_destroy(self.0.as_ptr());
        }
    }
}

/// Headers that a record takes with it, if librdkafka takes the record.
struct NativeHeaders(*mut rd_kafka_headers_t);

impl NativeHeaders {
    fn of(headers: &[(&str, Option<&[u8]>)]) -> KafkaResult<Self> {
        if headers.is_empty() {
            return Ok(Self(ptr::null_mut()));
        }
        #[expect(unsafe_code, reason = "the binding's headers cannot be had as a pointer")]
        // SAFETY: makes an empty list.
        let native = Self(unsafe { rd_kafka_headers_new(headers.len()) });
        for (name, value) in headers {
            let (bytes, length) = match value {
                Some(bytes) => (bytes.as_ptr().cast::<c_void>(), bytes.len()),
                None => (ptr::null(), 0),
            };
            let (name_length, length) = (signed(name.len())?, signed(length)?);
            #[expect(unsafe_code, reason = "as above")]
            // SAFETY: the list is alive; name and value are borrowed for the call, which copies both. Their lengths are
            // theirs.
            let code =
                unsafe { rd_kafka_header_add(native.0, name.as_ptr().cast(), name_length, bytes, length) };
            outcome(code)?;
        }
        Ok(native)
    }

    fn as_ptr(&self) -> *mut rd_kafka_headers_t {
        self.0
    }

    /// They are librdkafka's now.
    fn taken(mut self) {
        self.0 = ptr::null_mut();
    }
}

impl Drop for NativeHeaders {
    fn drop(&mut self) {
        if !self.0.is_null() {
            #[expect(unsafe_code, reason = "a list is given back by hand")]
            // SAFETY: the list was made by `of`, and nobody has taken it.
            unsafe {
                rd_kafka_headers_destroy(self.0);
            }
        }
    }
}

fn signed(length: usize) -> KafkaResult<isize> {
    isize::try_from(length).map_err(|_| KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge))
}

//! Fencing of transactional producers, asked of their coordinators.

use futures::stream::{self, StreamExt, TryStreamExt};
use kafka_protocol::messages::{InitProducerIdRequest, ProducerId, TransactionalId};
use kafka_protocol::protocol::StrBytes;
use lavka_api::{Error, Result};

use crate::failure;
use crate::wire::WireClient;

/// A transaction of the id was open: it is being aborted, and the id is free once it is.
const CONCURRENT_TRANSACTIONS: i16 = 51;
/// Somebody else was introduced under the id at the same time: whoever had it before is fenced either way.
const FENCED: [i16; 2] = [47, 90];

/// Ids that are fenced at a time.
const AT_ONCE: usize = 8;

/// Takes each id for a producer that never sends: whoever has it is fenced.
pub(super) async fn fence(wire: &WireClient, ids: &[String]) -> Result<()> {
    stream::iter(ids).map(Ok).try_for_each_concurrent(AT_ONCE, |id| fence_one(wire, id)).await
}

async fn fence_one(wire: &WireClient, id: &str) -> Result<()> {
    let subject = format!("Fencing the producer with the transactional id {id}");
    wire.repeat(&subject, || async {
        let coordinator = wire.transaction_coordinator(id).await?;
        let timeout = i32::try_from(wire.settings().request_timeout.as_millis()).unwrap_or(i32::MAX);
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(TransactionalId(StrBytes::from_string(id.to_owned()))))
            .with_transaction_timeout_ms(timeout)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let answer = coordinator.call(0..=5, |_| request).await?;
        match answer.error_code {
            0 => Ok(()),
            code if FENCED.contains(&code) => Ok(()),
            CONCURRENT_TRANSACTIONS => {
                Err(Error::retriable(format!("{subject}: its open transaction is being aborted")))
            }
            code => Err(failure::protocol(code, &subject, None)),
        }
    })
    .await
}

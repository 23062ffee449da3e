//! Transactions. librdkafka's calls block, so they run on blocking threads; each can be called again where it ran out of
//! time, and goes on where it was.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use lavka_api::{Error, ErrorClass, Result};
use lavka_ports::TransactionalProducer;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer as _};

use super::{Deliveries, RdKafkaProducer};
use crate::failure;

/// The pause between looks at what is in flight.
const DELIVERY_PAUSE: Duration = Duration::from_millis(1);

impl RdKafkaProducer {
    async fn blocking(
        &self,
        what: &'static str,
        call: impl FnOnce(&BaseProducer<Deliveries>) -> KafkaResult<()> + Send + 'static,
    ) -> Result<()> {
        let native = Arc::clone(self.native.base());
        match tokio::task::spawn_blocking(move || call(&native)).await {
            Ok(outcome) => outcome.map_err(|error| self.trouble(what, &error)),
            Err(error) => Err(Error::retriable(format!("{what}: {error}"))),
        }
    }

    fn trouble(&self, what: &str, error: &KafkaError) -> Error {
        let code = error.rdkafka_error_code();
        let (retriable, text) = match error {
            KafkaError::Transaction(error) => (error.is_retriable(), error.string()),
            other => (code == Some(RDKafkaErrorCode::OperationTimedOut), other.to_string()),
        };
        if retriable {
            return Error::new(ErrorClass::Retriable, failure::TIMEOUT, format!("{what}: {text}"));
        }
        let code = match code {
            Some(RDKafkaErrorCode::Fatal) => self.native.base().client().fatal_error().map(|(code, _)| code),
            code => code,
        };
        match code {
            Some(
                RDKafkaErrorCode::Fenced
                | RDKafkaErrorCode::ProducerFenced
                | RDKafkaErrorCode::InvalidProducerEpoch,
            ) => Error::new(
                ErrorClass::Fatal,
                failure::FENCED,
                format!(
                    "{what}: There is a newer producer with the same transactionalId which fences the current one. \
                         ({text})"
                ),
            ),
            Some(code) => {
                let named = failure::native(code, what);
                Error::new(ErrorClass::Fatal, named.exception(), format!("{what}: {text}"))
            }
            None => Error::fatal(format!("{what}: {text}")),
        }
    }
}

#[async_trait]
impl TransactionalProducer for RdKafkaProducer {
    async fn init(&self, timeout: Duration) -> Result<()> {
        self.blocking("Initializing transactions", move |native| native.init_transactions(timeout)).await
    }

    fn begin(&self) -> Result<()> {
        self.native
            .base()
            .begin_transaction()
            .map_err(|error| self.trouble("Beginning a transaction", &error))
    }

    async fn commit(&self, timeout: Duration) -> Result<()> {
        self.blocking("Committing a transaction", move |native| {
            // The binding's own wait is of tenths of a second, each to its end. Here the producer's thread takes the
            // acknowledgements, so that there is next to nothing to wait for once they are in.
            let deadline = Instant::now() + timeout;
            while native.in_flight_count() > 0 && Instant::now() < deadline {
                std::thread::sleep(DELIVERY_PAUSE);
            }
            native.commit_transaction(deadline.saturating_duration_since(Instant::now()).max(DELIVERY_PAUSE))
        })
        .await
    }

    async fn abort(&self, timeout: Duration) -> Result<()> {
        self.blocking("Aborting a transaction", move |native| native.abort_transaction(timeout)).await
    }
}

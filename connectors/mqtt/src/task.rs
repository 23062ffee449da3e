//! The source task.

use std::sync::Arc;

use async_trait::async_trait;
use lavka_api::data::SourceRecord;
use lavka_api::plugin::{Counter, DeliveryListener, SourceTask, SourceTaskStart};
use lavka_api::{Error, Result};
use tokio::task::spawn_blocking;

use crate::config::MqttConfig;
use crate::connection::Connection;
use crate::environment::Environment;
use crate::exchange::Exchange;
use crate::inbox::Limits;
use crate::lenses::{Conversions, LensesConfig, LensesRecords};
use crate::record::{MakeRecord, RecordMaker, make};
use crate::settings::Settings;

/// Whose configurations and records they are.
#[derive(Debug)]
pub(crate) enum Dialect {
    Confluent,
    Lenses { conversions: Conversions, config: Box<LensesConfig> },
}

/// A task: a connection of its own, under a client id of its own.
pub(crate) struct MqttTask {
    config: MqttConfig,
    dialect: Dialect,
    environment: Environment,
    batch_size: usize,
    exchange: Arc<Exchange>,
    /// QoS 0 messages dropped because `records.buffer.queue.size` or `lavka.mqtt.buffer.bytes` was reached.
    dropped: Counter,
    /// Messages passed over by `lavka.payload.on.error=skip`.
    skipped: Counter,
    running: Option<Running>,
}

struct Running {
    connection: Connection,
    records: Box<dyn MakeRecord>,
    /// What keeps `poll` from going on, behind the records before it.
    failure: Option<Error>,
}

impl MqttTask {
    pub(crate) fn new(config: MqttConfig, dialect: Dialect, environment: Environment) -> Self {
        let positive = |number: i32| usize::try_from(number).unwrap_or(1).max(1);
        let limits = Limits {
            messages: positive(config.queue_size),
            bytes: usize::try_from(config.buffer_bytes).unwrap_or(usize::MAX),
        };
        Self {
            environment,
            batch_size: positive(config.batch_size),
            exchange: Arc::new(Exchange::new(limits)),
            dropped: Counter::new("message-dropped-total"),
            skipped: Counter::new("message-skipped-total"),
            config,
            dialect,
            running: None,
        }
    }
}

#[async_trait]
impl SourceTask for MqttTask {
    /// Reads the certificates and begins to connect. Whether the server can be reached is not waited for: one that is
    /// away will be back, and one that refuses fails the next `poll`.
    async fn start(&mut self, start: SourceTaskStart) -> Result<()> {
        let mut settings = Settings::new(&self.config, &start.id)?;
        let access = self.config.access();
        let tls = spawn_blocking(move || access.tls()).await;
        settings.tls = tls.map_err(|panic| Error::fatal(panic.to_string()))??;
        let records: Box<dyn MakeRecord> = match &self.dialect {
            Dialect::Confluent => Box::new(RecordMaker::new(&self.config, start.id)),
            Dialect::Lenses { conversions, config } => {
                // As it is, without the task's number, which the connector has put there.
                if let Some(id) = &config.client_id {
                    settings.client_id.clone_from(id);
                }
                let (config, statements) = (config.clone(), conversions.statements.clone());
                let schemas = spawn_blocking(move || config.schemas(&statements)).await;
                let schemas = schemas.map_err(|panic| Error::fatal(panic.to_string()))??;
                Box::new(LensesRecords::new(conversions.clone(), &schemas, start.id)?)
            }
        };
        self.running = Some(Running {
            connection: Connection::start(
                settings,
                Arc::clone(&self.exchange),
                self.environment,
                self.dropped.clone(),
            ),
            records,
            failure: None,
        });
        Ok(())
    }

    async fn poll(&mut self) -> Result<Vec<SourceRecord>> {
        let Some(running) = &mut self.running else {
            return Err(Error::fatal("the MQTT task was polled before it was started"));
        };
        loop {
            if let Some(failure) = &running.failure {
                return Err(failure.clone());
            }
            // Nothing is awaited between taking messages out of the exchange and handing them out.
            let arrivals = self.exchange.take(self.batch_size).await?;
            let taken = arrivals.len();
            let made = make(running.records.as_mut(), arrivals, &self.exchange);
            if made.failure.is_none() {
                let skipped = taken.saturating_sub(made.records.len());
                self.skipped.add(u64::try_from(skipped).unwrap_or(u64::MAX));
            }
            running.failure = made.failure;
            if !made.records.is_empty() {
                return Ok(made.records);
            }
        }
    }

    fn delivery_listener(&self) -> Option<Arc<dyn DeliveryListener>> {
        Some(Arc::clone(&self.exchange) as Arc<dyn DeliveryListener>)
    }

    fn counters(&self) -> Vec<Counter> {
        vec![self.dropped.clone(), self.skipped.clone()]
    }

    async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.connection.stop().await;
        }
    }
}

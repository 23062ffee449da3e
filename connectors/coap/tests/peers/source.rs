//! A running source, whose records are delivered after as long as the test wants.

use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use lavka_api::config::Config;
use lavka_api::data::{OffsetMap, Record, Value};
use lavka_api::plugin::{Factory, OffsetReader, SourceTaskStart, TaskId};
use tokio::task::JoinHandle;

/// A server on a port of its own.
pub(crate) struct Source {
    pub(crate) port: u16,
    records: Arc<Mutex<Vec<Record>>>,
    running: JoinHandle<()>,
}

struct NoOffsets;

#[async_trait]
impl OffsetReader for NoOffsets {
    async fn offsets(&self, partitions: &[OffsetMap]) -> lavka_api::Result<Vec<Option<OffsetMap>>> {
        Ok(vec![None; partitions.len()])
    }
}

impl Source {
    /// Starts one for `resources`; Kafka takes `delay`.
    pub(crate) async fn start(resources: &str, delay: Duration) -> Self {
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = Config::from([
            ("lavka.coap.listen", format!("127.0.0.1:{port}")),
            ("lavka.coap.resources", resources.to_owned()),
        ]);
        let Factory::Source(make) = lavka_connector_coap::plugins().remove(0).factory else {
            panic!("no source")
        };
        let mut task = make().task(&config).unwrap();
        let id = TaskId { connector: "coap".into(), task: 0 };
        task.start(SourceTaskStart { id, offsets: Arc::new(NoOffsets) }).await.unwrap();
        let listener = task.delivery_listener().unwrap();
        let records = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&records);
        let running = tokio::spawn(async move {
            loop {
                let polled = task.poll().await.unwrap();
                let tokens: Vec<u64> = polled.iter().map(|record| record.token).collect();
                seen.lock().unwrap().extend(polled.into_iter().map(|record| record.record));
                let listener = Arc::clone(&listener);
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    listener.delivered(&tokens);
                });
            }
        });
        Self { port, records, running }
    }

    /// The records so far.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.records.lock().unwrap().clone()
    }

    /// Their payloads.
    pub(crate) fn payloads(&self) -> Vec<Vec<u8>> {
        let bytes = |record: Record| match record.value.value {
            Value::Bytes(bytes) => bytes.to_vec(),
            other => panic!("{other:?} is no payload"),
        };
        self.records().into_iter().map(bytes).collect()
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.running.abort();
    }
}

//! A database and tasks that read it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lavka_api::async_trait;
use lavka_api::config::Config;
use lavka_api::data::{OffsetMap, SourceRecord, Value};
use lavka_api::plugin::{
    DeliveryListener, Factory, OffsetReader, SourceConnector, SourceTask, SourceTaskStart, TaskId, Topics,
};
use lavka_testkit::{Postgres, PostgresConfig};

/// The longest wait for records that have to come.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// The offset store: what was committed, by partition.
#[derive(Clone, Default)]
pub(crate) struct Store(Arc<Mutex<Vec<(OffsetMap, OffsetMap)>>>);

impl Store {
    pub(crate) fn put(&self, partition: &OffsetMap, offset: &OffsetMap) {
        let mut store = self.0.lock().unwrap();
        store.retain(|(known, _)| known != partition);
        store.push((partition.clone(), offset.clone()));
    }
}

#[async_trait]
impl OffsetReader for Store {
    async fn offsets(&self, partitions: &[OffsetMap]) -> lavka_api::Result<Vec<Option<OffsetMap>>> {
        let store = self.0.lock().unwrap();
        let find = |partition: &OffsetMap| {
            store.iter().find(|(known, _)| known == partition).map(|(_, offset)| offset.clone())
        };
        Ok(partitions.iter().map(find).collect())
    }
}

pub(crate) fn connector() -> Box<dyn SourceConnector> {
    let Factory::Source(make) = lavka_connector_postgres::plugins().remove(0).factory else {
        panic!("it is a source")
    };
    make()
}

/// A server with a database for a test.
pub(crate) fn database() -> Postgres {
    Postgres::start(&PostgresConfig::default()).unwrap()
}

/// The configuration for it, with more entries.
pub(crate) fn config(server: &Postgres, more: &[(&str, &str)]) -> Config {
    let mut config = Config::from([
        ("connector.class", "io.debezium.connector.postgresql.PostgresConnector".to_owned()),
        ("topic.prefix", "srv".into()),
        ("database.hostname", "127.0.0.1".into()),
        ("database.port", server.port().to_string()),
        ("database.user", Postgres::USER.into()),
        ("database.password", Postgres::PASSWORD.into()),
        ("database.dbname", Postgres::DATABASE.into()),
        ("plugin.name", "pgoutput".into()),
        ("poll.interval.ms", "50".into()),
        ("status.update.interval.ms", "100".into()),
        ("retriable.restart.connector.wait.ms", "200".into()),
        ("slot.retry.delay.ms", "200".into()),
        ("slot.max.retries", "100".into()),
    ]);
    for (key, value) in more {
        config.set(*key, *value);
    }
    config
}

/// A running task.
pub(crate) struct Running {
    task: Box<dyn SourceTask>,
    listener: Option<Arc<dyn DeliveryListener>>,
    store: Store,
    /// How many records were handed out and not committed yet.
    open: usize,
    /// The last place without a record, which waits for them.
    progress: Option<SourceRecord>,
}

impl Running {
    pub(crate) async fn start(config: &Config, store: &Store) -> lavka_api::Result<Self> {
        Self::begin(connector().task(config)?, store).await
    }

    /// With topics that the task may read.
    pub(crate) async fn start_with(
        config: &Config,
        store: &Store,
        topics: Arc<dyn Topics>,
    ) -> lavka_api::Result<Self> {
        let mut task = connector().task(config)?;
        task.take_topics(topics);
        Self::begin(task, store).await
    }

    /// As the engine does where each batch becomes a transaction.
    pub(crate) async fn start_transactional(config: &Config, store: &Store) -> lavka_api::Result<Self> {
        let mut task = connector().task(config)?;
        task.batches_are_transactions();
        Self::begin(task, store).await
    }

    async fn begin(mut task: Box<dyn SourceTask>, store: &Store) -> lavka_api::Result<Self> {
        let id = TaskId { connector: "cdc".into(), task: 0 };
        task.start(SourceTaskStart { id, offsets: Arc::new(store.clone()) }).await?;
        let listener = task.delivery_listener();
        Ok(Self { task, listener, store: store.clone(), open: 0, progress: None })
    }

    /// Records. Places without one are committed once everything before them is.
    pub(crate) async fn poll(&mut self) -> lavka_api::Result<Vec<SourceRecord>> {
        let (progress, records): (Vec<_>, Vec<_>) =
            self.task.poll().await?.into_iter().partition(SourceRecord::is_progress);
        self.open += records.len();
        // Records say more than a place before them, which would set the offset back behind them.
        let earlier = self.progress.take().filter(|_| records.is_empty());
        self.progress = progress.into_iter().next_back().or(earlier);
        self.commit_progress();
        Ok(records)
    }

    fn commit_progress(&mut self) {
        if let Some(progress) = self.progress.take_if(|_| self.open == 0) {
            self.put(&[progress]);
        }
    }

    /// Polls until there are `count` records; what comes beyond is there too.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<SourceRecord> {
        self.take_until(|records| records.len() >= count).await
    }

    /// Polls until the records that came are as wanted.
    pub(crate) async fn take_until(
        &mut self,
        are_wanted: impl Fn(&[SourceRecord]) -> bool,
    ) -> Vec<SourceRecord> {
        let mut out = Vec::new();
        let until = tokio::time::Instant::now() + LONG;
        while !are_wanted(&out) {
            match tokio::time::timeout_at(until, self.poll()).await {
                Ok(records) => out.extend(records.unwrap()),
                Err(_) => panic!("only {} after {LONG:?}: {:?}", out.len(), rows(&out, "id")),
            }
        }
        out
    }

    /// Polls until the topic `told` has a notification of this type.
    pub(crate) async fn take_until_told(&mut self, ty: &str) -> Vec<SourceRecord> {
        let tells = |record: &SourceRecord| {
            let said = at(&record.record.value.value, "type").and_then(Value::as_str);
            &*record.record.topic == "told" && said == Some(ty)
        };
        self.take_until(|records| records.iter().any(tells)).await
    }

    /// Polls, whatever comes, until `is_so`.
    pub(crate) async fn poll_until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let began = tokio::time::Instant::now();
        while !is_so(self) {
            assert!(began.elapsed() < LONG, "waited in vain for {what}");
            self.poll().await.unwrap();
        }
    }

    /// What still comes until nothing does for a while: for what should not come, not for what has to.
    pub(crate) async fn drain(&mut self) -> Vec<SourceRecord> {
        let mut out = Vec::new();
        let mut quiet = 0;
        while quiet < 20 {
            let records = self.poll().await.unwrap();
            quiet = if records.is_empty() { quiet + 1 } else { 0 };
            out.extend(records);
        }
        out
    }

    /// Whether nothing comes for a while.
    pub(crate) async fn is_quiet(&mut self) -> bool {
        for _ in 0..10 {
            if !self.poll().await.unwrap().is_empty() {
                return false;
            }
        }
        true
    }

    /// Kafka has these, and the offset of the last is committed.
    pub(crate) fn commit(&mut self, records: &[SourceRecord]) {
        self.put(records);
        self.open = self.open.saturating_sub(records.len());
        self.commit_progress();
    }

    fn put(&self, records: &[SourceRecord]) {
        let Some(position) = records.iter().rev().find_map(|record| record.position.clone()) else { return };
        self.store.put(&position.partition, &position.offset);
        if let Some(listener) = &self.listener {
            listener.committed(&[(position.partition, position.offset)]);
        }
    }

    /// What is counted or measured under `name`.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let gauge = self.task.gauges().into_iter().find(|gauge| gauge.name() == name);
        let counter = || self.task.counters().into_iter().find(|counter| counter.name() == name);
        gauge.map_or_else(|| counter().expect(name).value() as f64, |gauge| gauge.value())
    }

    /// What is measured under `name`, by label.
    pub(crate) fn by_label(&self, name: &str) -> Vec<(String, f64)> {
        self.task.gauges_by_label().into_iter().find(|gauges| gauges.name() == name).expect(name).values()
    }

    /// Labels of all that is counted and measured.
    pub(crate) fn labels(&self) -> Vec<(&'static str, String)> {
        self.task.metric_labels()
    }

    pub(crate) async fn stop(mut self) {
        self.task.stop().await;
    }
}

/// A field of a record's value, by its path.
pub(crate) fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, name| match value {
        Value::Struct(inner) => inner.get(name),
        _ => None,
    })
}

/// `op` and a field of the row, for each record; a tombstone is `-`.
pub(crate) fn rows(records: &[SourceRecord], field: &str) -> Vec<String> {
    records
        .iter()
        .map(|record| {
            let value = &record.record.value.value;
            if value.is_null() {
                return "-".to_owned();
            }
            let op = at(value, "op").and_then(Value::as_str).unwrap_or("?");
            let row = match op {
                "d" => at(value, "before"),
                _ => at(value, "after"),
            };
            match row.and_then(|row| at(row, field)) {
                Some(Value::Int32(number)) => format!("{op}{number}"),
                Some(Value::Int64(number)) => format!("{op}{number}"),
                Some(Value::String(text)) => format!("{op}{text}"),
                _ => op.to_owned(),
            }
        })
        .collect()
}

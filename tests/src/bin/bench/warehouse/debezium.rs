//! Debezium's JDBC sink in Java's Connect worker.

use std::time::{Duration, Instant};

use lavka_testkit::{JarSet, Jars, Postgres};
use serde_json::json;

use super::raw::{TABLE, Table, url};
use super::{BATCH, Outcome, RECORDS, rows};
use crate::java::Java;
use crate::usage::{Run, seconds_of};

pub(super) struct Debezium {
    worker: Java,
    round: u32,
}

impl Debezium {
    pub(super) fn launch(bootstrap: &str) -> Outcome<Self> {
        let plugins = Jars::resolve(JarSet::DebeziumJdbc).map_err(lavka_testkit::Failure::from)?;
        let plugins = plugins.folder().display().to_string();
        let settings = [
            ("plugin.path", plugins.as_str()),
            ("key.converter", "org.apache.kafka.connect.storage.StringConverter"),
            ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
            ("value.converter.schemas.enable", "true"),
        ];
        Ok(Self { worker: Java::launch(bootstrap, JarSet::Connect, &settings)?, round: 0 })
    }

    pub(super) fn pid(&self) -> u32 {
        self.worker.pid()
    }

    /// Writes the whole topic; timed from the first rows in the table on.
    pub(super) async fn write(&mut self, server: &Postgres, table: &mut Table, mode: &str) -> Outcome<Run> {
        self.round += 1;
        let name = format!("{}-{}", lavka_testkit::unique("debezium"), self.round);
        let config = json!({
            "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector",
            "tasks.max": "1",
            "topics": rows::JSON,
            "connection.url": format!("{}?reWriteBatchedInserts=true", url(server)),
            "connection.username": Postgres::USER,
            "connection.password": Postgres::PASSWORD,
            "collection.name.format": TABLE,
            "insert.mode": mode,
            "primary.key.mode": "record_value",
            "primary.key.fields": "id",
            "schema.evolution": "none",
            "batch.size": BATCH.to_string(),
            "dialect.postgres.unnest.insert.enabled": "true",
            "consumer.override.max.poll.records": BATCH.to_string(),
        });
        self.worker.start(&name, &config)?;
        let limit = Duration::from_secs(120);
        if tokio::time::timeout(limit, table.wait_for(0)).await.is_err() {
            return Err(self.worker.status(&name).into());
        }
        let (began, before) = (Instant::now(), seconds_of(self.worker.pid()));
        tokio::time::timeout(limit, table.wait_for(RECORDS - 1)).await??;
        let rate = f64::from(RECORDS - BATCH) / began.elapsed().as_secs_f64();
        let run = Run { rate, cpu_seconds: seconds_of(self.worker.pid()) - before };
        self.worker.delete(&name);
        Ok(run)
    }
}

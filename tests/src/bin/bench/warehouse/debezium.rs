//! Debezium's JDBC sink in Java's Connect worker.

use std::time::Duration;

use lavka_api::config::Config;
use lavka_testkit::{JarSet, Jars, Postgres};

use super::raw::{TABLE, Table, url};
use super::{BATCH, Outcome, RECORDS, rows};
use crate::java::Java;
use crate::usage::{Run, Stopwatch};

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
        let config = Config::from([
            ("connector.class", "io.debezium.connector.jdbc.JdbcSinkConnector".to_owned()),
            ("tasks.max", "1".into()),
            ("topics", rows::JSON.into()),
            ("connection.url", format!("{}?reWriteBatchedInserts=true", url(server))),
            ("connection.username", Postgres::USER.into()),
            ("connection.password", Postgres::PASSWORD.into()),
            ("collection.name.format", TABLE.into()),
            ("insert.mode", mode.into()),
            ("primary.key.mode", "record_value".into()),
            ("primary.key.fields", "id".into()),
            ("schema.evolution", "none".into()),
            ("batch.size", BATCH.to_string()),
            ("dialect.postgres.unnest.insert.enabled", "true".into()),
            ("consumer.override.max.poll.records", BATCH.to_string()),
        ]);
        self.worker.start(&name, &config)?;
        let limit = Duration::from_secs(120);
        if tokio::time::timeout(limit, table.wait_for(0)).await.is_err() {
            return Err(self.worker.status(&name).into());
        }
        let watch = Stopwatch::beside(self.worker.pid());
        tokio::time::timeout(limit, table.wait_for(RECORDS - 1)).await??;
        let run = watch.stop(RECORDS - BATCH);
        self.worker.delete(&name);
        Ok(run)
    }
}

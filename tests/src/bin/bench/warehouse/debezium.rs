//! Debezium's JDBC sink in Java's Connect worker.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lavka_testkit::{JarSet, Jars, Postgres, RestClient, TempDir, temp_dir, write_file};
use serde_json::json;

use super::raw::{TABLE, Table, url};
use super::{BATCH, Outcome, RECORDS, rows};
use crate::usage::{Run, seconds_of};

pub(super) struct Debezium {
    process: Child,
    rest: RestClient,
    round: u32,
    _folder: TempDir,
}

impl Debezium {
    pub(super) fn launch(bootstrap: &str) -> Outcome<Self> {
        let plugins = Jars::resolve(JarSet::DebeziumJdbc).map_err(lavka_testkit::Failure::from)?;
        let connect = Jars::resolve(JarSet::Connect).map_err(lavka_testkit::Failure::from)?;
        let folder = temp_dir();
        let port = lavka_testkit::free_port();
        let worker = format!(
            "bootstrap.servers={bootstrap}\nlisteners=http://127.0.0.1:{port}\nplugin.path={}\n\
             key.converter=org.apache.kafka.connect.storage.StringConverter\n\
             value.converter=org.apache.kafka.connect.json.JsonConverter\nvalue.converter.schemas.enable=true\n\
             offset.storage.file.filename={}\n",
            plugins.folder().display(),
            folder.path().join("offsets").display()
        );
        let file = write_file(folder.path(), "worker.properties", worker);
        let log = std::fs::File::create(folder.path().join("log"))?;
        let process = Command::new("java")
            // The heap that Kafka's scripts give a Connect worker.
            .args(["-Xms256m", "-Xmx2g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"])
            .args(["-cp", &connect.class_path(), "org.apache.kafka.connect.cli.ConnectStandalone"])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let rest = RestClient::new(format!("http://127.0.0.1:{port}"));
        let deadline = Instant::now() + Duration::from_secs(120);
        while !rest.try_get("/connectors").is_ok_and(|answer| answer.status == 200) {
            if Instant::now() > deadline {
                let log = std::fs::read_to_string(folder.path().join("log"))?;
                return Err(format!("Java's worker did not start: {log}").into());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(Self { process, rest, round: 0, _folder: folder })
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
        let answer = self.rest.post("/connectors", &json!({"name": name, "config": config}));
        if answer.status != 201 {
            return Err(answer.text.into());
        }
        let limit = Duration::from_secs(120);
        if tokio::time::timeout(limit, table.wait_for(0)).await.is_err() {
            return Err(self.rest.get(&format!("/connectors/{name}/status")).text.into());
        }
        let (began, before) = (Instant::now(), seconds_of(self.process.id()));
        tokio::time::timeout(limit, table.wait_for(RECORDS - 1)).await??;
        let rate = f64::from(RECORDS - BATCH) / began.elapsed().as_secs_f64();
        let run = Run { rate, cpu_seconds: seconds_of(self.process.id()) - before };
        self.rest.send("DELETE", &format!("/connectors/{name}"), &[], None);
        Ok(run)
    }
}

impl Drop for Debezium {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

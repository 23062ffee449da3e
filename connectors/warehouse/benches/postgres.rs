//! How fast rows get into PostgreSQL, against what the database takes from a program that does nothing else.
//!
//! One run, one server, tables of one form (ten columns and a primary key): raw binary `COPY` of rows that were encoded
//! beforehand; the sink's inserts; a hand-written upsert (`COPY` into a staging table, one `INSERT ... ON CONFLICT`) of
//! encoded rows; the sink's upserts. Rounds alternate, the median counts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a bench")]

use std::time::{Duration, Instant};

use lavka_api::config::Config;
use lavka_api::data::{
    Datum, KafkaOrigin, Logical, Record, RecordKind, Schema, SinkRecord, Struct, TimestampType, Type, Value,
};
use lavka_api::plugin::{Factory, SinkBatch, SinkContext, SinkTask, SinkTaskStart, TaskId};
use lavka_testkit::{Postgres, PostgresConfig};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _};

const ROWS: i64 = 60_000;
const BATCH: i64 = 3000;
const ROUNDS: usize = 7;
const COLUMNS: &str = "id bigint PRIMARY KEY, device text, site text, a bigint, b int, c double precision, d double precision, \
                       e boolean, f text, at timestamp";
const NAMES: &str = "id,device,site,a,b,c,d,e,f,at";

fn main() {
    let server = Postgres::start(&PostgresConfig {
        settings: vec!["shared_buffers = 256MB".into(), "max_wal_size = 4GB".into()],
        ..PostgresConfig::default()
    })
    .unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run(&server));
}

async fn run(server: &Postgres) {
    let options = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(server.port())
        .username(Postgres::USER)
        .password(Postgres::PASSWORD)
        .database(Postgres::DATABASE);
    let mut raw = options.connect().await.unwrap();
    let batches: Vec<SinkBatch> =
        (0..ROWS / BATCH).map(|batch| (batch * BATCH..(batch + 1) * BATCH).map(record).collect()).collect();
    let encoded: Vec<Vec<u8>> = (0..ROWS / BATCH).map(|batch| encode(batch * BATCH)).collect();
    for table in ["raw_inserts", "raw_upserts", "inserts", "upserts"] {
        execute(&mut raw, &format!("CREATE TABLE {table} ({COLUMNS})")).await;
    }
    execute(
        &mut raw,
        "CREATE TEMPORARY TABLE stage ON COMMIT DELETE ROWS AS SELECT * FROM raw_upserts WITH NO DATA",
    )
    .await;
    let mut inserts = task(server, "inserts", "insert").await;
    let mut upserts = task(server, "upserts", "upsert").await;
    let mut times: [Vec<Duration>; 4] = Default::default();
    for round in 0..=ROUNDS {
        for table in ["raw_inserts", "inserts"] {
            execute(&mut raw, &format!("TRUNCATE {table}")).await;
        }
        for table in ["raw_upserts", "upserts"] {
            execute(&mut raw, &format!("VACUUM {table}")).await;
        }
        execute(&mut raw, "CHECKPOINT").await;
        let mut taken = [Duration::ZERO; 4];
        let begin = Instant::now();
        for data in &encoded {
            copy(&mut raw, "raw_inserts", data).await;
        }
        taken[0] = begin.elapsed();
        taken[1] = put_all(&mut inserts, &batches).await;
        let begin = Instant::now();
        for data in &encoded {
            execute(&mut raw, "BEGIN").await;
            copy(&mut raw, "stage", data).await;
            let set: Vec<String> =
                NAMES.split(',').skip(1).map(|name| format!("{name}=EXCLUDED.{name}")).collect();
            execute(
                &mut raw,
                &format!(
                    "INSERT INTO raw_upserts SELECT * FROM stage ON CONFLICT (id) DO UPDATE SET {}",
                    set.join(",")
                ),
            )
            .await;
            execute(&mut raw, "COMMIT").await;
        }
        taken[2] = begin.elapsed();
        taken[3] = put_all(&mut upserts, &batches).await;
        // The first round fills caches, and the tables of the upserts.
        if round > 0 {
            taken.into_iter().zip(&mut times).for_each(|(taken, times)| times.push(taken));
        }
    }
    let rates = times.map(|mut times| {
        times.sort();
        let rows = u32::try_from(ROWS).unwrap();
        f64::from(rows) / times[ROUNDS / 2].as_secs_f64()
    });
    for (name, rate) in
        ["raw binary COPY", "sink, insert", "hand-written upsert", "sink, upsert"].iter().zip(rates)
    {
        println!("{name:22} {rate:>10.0} rows/s");
    }
    println!(
        "insert {:.0} % of raw COPY, upsert {:.0} % of hand-written",
        rates[1] / rates[0] * 100.0,
        rates[3] / rates[2] * 100.0
    );
    inserts.stop().await;
    upserts.stop().await;
}

async fn execute(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.unwrap();
}

async fn copy(connection: &mut PgConnection, table: &str, data: &[u8]) {
    let statement = format!("COPY {table} ({NAMES}) FROM STDIN WITH (FORMAT binary)");
    let mut copy = connection.copy_in_raw(&statement).await.unwrap();
    copy.send(data).await.unwrap();
    copy.finish().await.unwrap();
}

async fn put_all(task: &mut Box<dyn SinkTask>, batches: &[SinkBatch]) -> Duration {
    let begin = Instant::now();
    for batch in batches {
        let mut context = SinkContext::at(0);
        task.put(batch.clone(), &mut context).await.unwrap();
        assert!(context.errant.is_empty());
    }
    begin.elapsed()
}

async fn task(server: &Postgres, table: &str, mode: &str) -> Box<dyn SinkTask> {
    let plugin = lavka_connector_warehouse::plugins().remove(0);
    let Factory::Sink(make) = plugin.factory else { panic!("it is a sink") };
    let url = format!("jdbc:postgresql://127.0.0.1:{}/{}", server.port(), Postgres::DATABASE);
    let config = Config::from([
        ("name", "bench"),
        ("connection.url", url.as_str()),
        ("connection.user", Postgres::USER),
        ("connection.password", Postgres::PASSWORD),
        ("table.name.format", table),
        ("insert.mode", mode),
        ("pk.mode", "record_value"),
        ("pk.fields", "id"),
    ]);
    let mut task = make().task(&config).unwrap();
    task.start(SinkTaskStart { id: TaskId { connector: "bench".into(), task: 0 } }).await.unwrap();
    task
}

fn record(at: i64) -> SinkRecord {
    thread_local! {
        static SCHEMA: Schema = Schema::structure()
            .field("id", Schema::of(Type::Int64))
            .field("device", Schema::of(Type::String))
            .field("site", Schema::of(Type::String))
            .field("a", Schema::of(Type::Int64))
            .field("b", Schema::of(Type::Int32))
            .field("c", Schema::of(Type::Float64))
            .field("d", Schema::of(Type::Float64))
            .field("e", Schema::of(Type::Boolean))
            .field("f", Schema::of(Type::String))
            .field("at", Schema::logical_of(Logical::Timestamp))
            .build()
            .unwrap();
    }
    SCHEMA.with(|schema| {
        let values = [
            Value::Int64(at),
            format!("device-{:06}", at % 5000).into(),
            format!("site-{}", at % 40).into(),
            Value::Int64(at * 7),
            Value::Int32(i32::try_from(at % 1000).unwrap()),
            Value::Float64(21.5),
            Value::Float64(0.25),
            Value::Boolean(at % 2 == 0),
            "a text of some forty characters, as usual".into(),
            Value::Timestamp(1_700_000_000_000 + at),
        ];
        let record = Record {
            value: Datum::new(schema.clone(), Struct::new(schema.clone(), values).unwrap()),
            kind: RecordKind::Sink { offset: at, timestamp_type: TimestampType::CreateTime },
            ..Record::for_topic("bench")
        };
        let origin = KafkaOrigin { topic: "bench".into(), partition: 0, offset: at, leader_epoch: None };
        SinkRecord { record, origin, raw_key: None, raw_value: None }
    })
}

/// A batch in `COPY`'s binary form, written down here and not by the crate that is measured.
fn encode(from: i64) -> Vec<u8> {
    let mut out = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    let field = |out: &mut Vec<u8>, bytes: &[u8]| {
        out.extend(i32::try_from(bytes.len()).unwrap().to_be_bytes());
        out.extend(bytes);
    };
    for at in from..from + BATCH {
        out.extend(10_i16.to_be_bytes());
        field(&mut out, &at.to_be_bytes());
        field(&mut out, format!("device-{:06}", at % 5000).as_bytes());
        field(&mut out, format!("site-{}", at % 40).as_bytes());
        field(&mut out, &(at * 7).to_be_bytes());
        field(&mut out, &i32::try_from(at % 1000).unwrap().to_be_bytes());
        field(&mut out, &21.5_f64.to_be_bytes());
        field(&mut out, &0.25_f64.to_be_bytes());
        field(&mut out, &[u8::from(at % 2 == 0)]);
        field(&mut out, b"a text of some forty characters, as usual");
        field(&mut out, &((1_700_000_000_000 + at) * 1000 - 946_684_800_000_000).to_be_bytes());
    }
    out.extend((-1_i16).to_be_bytes());
    out
}

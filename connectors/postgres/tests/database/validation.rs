//! What is wrong with a configuration, told by key and in Debezium's words.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};

use lavka_api::config::Config;
use lavka_testkit::{Postgres, PostgresConfig};

use crate::debezium::Debezium;
use crate::rig::{Running, Store, config, connector};

type Entries = &'static [(&'static str, &'static str)];

/// What both refuse, in the same words. An empty value stands for none.
const REFUSED: &[Entries] = &[
    &[("topic.prefix", "")],
    &[("database.hostname", "")],
    &[("database.user", "")],
    &[("database.dbname", "")],
    &[("topic.prefix", "a b")],
    &[("slot.name", "My-Slot")],
    &[("snapshot.mode", "sometimes")],
    &[("snapshot.locking.mode", "x")],
    &[("snapshot.isolation.mode", "x")],
    &[("snapshot.query.mode", "x")],
    &[("plugin.name", "wal2json")],
    &[("publication.autocreate.mode", "x")],
    &[("lsn.flush.mode", "x")],
    &[("lsn.flush.timeout.action", "x")],
    &[("table.include.list", "a,(")],
    &[("table.exclude.list", "a,(")],
    &[("schema.include.list", "(")],
    &[("schema.exclude.list", "(")],
    &[("column.include.list", "(")],
    &[("column.exclude.list", "(")],
    &[("message.prefix.include.list", "(")],
    &[("message.prefix.exclude.list", "(")],
    &[("snapshot.include.collection.list", "(")],
    &[("datatype.propagate.source.type", "(")],
    &[("column.propagate.source.type", "(")],
    &[("table.include.list", "a"), ("table.exclude.list", "b")],
    &[("schema.include.list", "a"), ("schema.exclude.list", "b")],
    &[("column.include.list", "a"), ("column.exclude.list", "b")],
    &[("message.prefix.include.list", "a"), ("message.prefix.exclude.list", "b")],
    &[("max.queue.size", "5"), ("max.batch.size", "5")],
    &[("max.queue.size", "0")],
    &[("max.batch.size", "-1")],
    &[("poll.interval.ms", "-1")],
    &[("max.queue.size.in.bytes", "-1")],
    &[("snapshot.fetch.size", "-1")],
    &[("snapshot.max.threads", "0")],
    &[("snapshot.delay.ms", "-1")],
    &[("database.port", "x")],
    &[("decimal.handling.mode", "x")],
    &[("time.precision.mode", "x")],
    &[("binary.handling.mode", "x")],
    &[("hstore.handling.mode", "x")],
    &[("interval.handling.mode", "x")],
    &[("schema.name.adjustment.mode", "x")],
    &[("schema.refresh.mode", "x")],
    &[("message.key.columns", "public.t")],
    &[("message.key.columns", "t:")],
    &[("skipped.operations", "x")],
    &[("skipped.operations", "none,c")],
    &[("heartbeat.interval.ms", "-1")],
    &[("status.update.interval.ms", "-1")],
    &[("xmin.fetch.interval.ms", "-1")],
    &[("database.sslmode", "x")],
    &[("event.processing.failure.handling.mode", "x")],
    &[("replica.identity.autoset.values", "x")],
    &[("replica.identity.autoset.values", "public.t:OTHER")],
    &[("notification.enabled.channels", "sink")],
    &[("tombstones.on.delete", "x")],
    &[("retriable.restart.connector.wait.ms", "-1")],
    &[("incremental.snapshot.watermarking.strategy", "x")],
    &[("snapshot.tables.order.by.row.count", "x")],
    &[("guardrail.collections.limit.action", "x")],
    &[("guardrail.collections.max", "-1")],
    &[("custom.metric.tags", "x")],
    &[("connection.validation.timeout.ms", "0")],
];

/// What Debezium takes and fails over later, passes over, or does not survive; here it is told by its key.
const REFUSED_HERE: &[(Entries, &str)] = &[
    (&[("offset.mismatch.strategy", "x")], "offset.mismatch.strategy"),
    (&[("event.converting.failure.handling.mode", "x")], "event.converting.failure.handling.mode"),
    (&[("field.name.adjustment.mode", "x")], "field.name.adjustment.mode"),
    (&[("unavailable.value.placeholder", "hex:0")], "unavailable.value.placeholder"),
    (&[("snapshot.select.statement.overrides", "s.t")], "snapshot.select.statement.overrides"),
    (&[("column.mask.with.5.chars", "(")], "column.mask.with.(d+).chars"),
    (&[("column.truncate.to.x.chars", "a")], "column.truncate.to.(d+).chars"),
    (&[("column.mask.hash.XX.with.salt.s", "a")], "column.mask.hash.([^.]+).with.salt.(.+)"),
    (&[("topic.naming.strategy", "org.x.Mine")], "topic.naming.strategy"),
    (&[("post.processors", "a")], "post.processors"),
    (&[("converters", "a")], "converters"),
    (&[("slot.stream.params", "proto_version=4")], "slot.stream.params"),
    // Theirs wants the name of a Java class, which would be of no use here.
    (&[("snapshot.mode", "custom")], "snapshot.mode"),
];

async fn ours(config: &Config) -> Vec<(String, String)> {
    let plugin = lavka_connector_postgres::plugins().remove(0);
    let reports = connector().validate(&(plugin.definition)(), config).await;
    let errors = |report: lavka_api::config::KeyReport| {
        let name = report.name;
        report.errors.into_iter().map(move |error| (name.clone(), error))
    };
    reports.into_iter().flat_map(errors).collect()
}

fn with(config: &Config, entries: Entries) -> Config {
    let mut config = config.clone();
    for (key, value) in entries {
        match *value {
            "" => drop(config.remove(key)),
            value => config.set(*key, value),
        }
    }
    config
}

/// Without what is each one's own: the order in which a mode's words are listed, and what the engine says of an expression.
fn steady(errors: Vec<(String, String)>) -> BTreeSet<(String, String)> {
    let steady = |text: String| {
        if let Some((before, words)) = text.split_once("Value must be one of ") {
            let words: BTreeSet<&str> = words.split(", ").collect();
            return format!("{before}Value must be one of {words:?}");
        }
        match text.split_once(" is expected, but ") {
            Some((before, _)) => format!("{before} is expected, but"),
            None => text,
        }
    };
    errors.into_iter().map(|(key, text)| (key, steady(text))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_debezium_refuses_is_refused_in_its_words() {
    let Some(mut debezium) = Debezium::launch("what_debezium_refuses_is_refused_in_its_words") else {
        return;
    };
    // Nobody is asked: something is wrong before.
    let server = Config::from([
        ("name", "c"),
        ("connector.class", "io.debezium.connector.postgresql.PostgresConnector"),
        ("topic.prefix", "srv"),
        ("database.hostname", "127.0.0.1"),
        ("database.port", "1"),
        ("database.user", "u"),
        ("database.password", "p"),
        ("database.dbname", "d"),
        ("plugin.name", "pgoutput"),
    ]);
    let mut differences = Vec::new();
    for &entries in REFUSED {
        let config = with(&server, entries);
        let (theirs, ours) = (steady(debezium.validate(&config)), steady(ours(&config).await));
        if theirs != ours {
            differences.push(format!("{entries:?}\n  theirs {theirs:?}\n  ours   {ours:?}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    for &(entries, key) in REFUSED_HERE {
        let ours = ours(&with(&server, entries)).await;
        assert!(matches!(&ours[..], [(name, _)] if name == key), "{entries:?}: {ours:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_server_is_told_as_debezium_tells_it_with_what_to_run() {
    let test = "what_is_wrong_with_the_server_is_told_as_debezium_tells_it_with_what_to_run";
    let Some(mut debezium) = Debezium::launch(test) else { return };
    let server = Postgres::start(&PostgresConfig {
        settings: vec!["wal_level = replica".into()],
        ..PostgresConfig::default()
    })
    .unwrap();
    server.sql("create role plain login password 'p'");
    // Debezium asks for no more than a connection; here both are looked at.
    let theirs = |debezium: &mut Debezium, config: &Config| {
        let found = debezium.validate(config);
        let text = found.into_iter().next().map(|(key, text)| {
            assert_eq!(key, "database.hostname");
            text.replace("FATAL: ", "")
        });
        text.unwrap_or_default()
    };
    let level = ["wal_level is replica", "ALTER SYSTEM SET wal_level = 'logical'"];
    for (more, parts) in [
        (&[][..], &level[..]),
        (&[("database.user", "plain"), ("database.password", "p")], &level),
        (&[("database.password", "wrong")], &["Check database.user and database.password."]),
        (&[("database.dbname", "nothere")], &["Check database.dbname."]),
        (&[("database.user", "nobody")], &["Check database.user and database.password."]),
    ] {
        let config = config(&server, more);
        let (theirs, ours) = (theirs(&mut debezium, &config), ours(&config).await);
        let text =
            ours.iter().find(|(key, _)| key == "database.hostname").map(|(_, text)| text.as_str()).unwrap();
        assert!(parts.iter().all(|part| text.contains(part)), "{more:?}: {ours:?}");
        // What the server said is the same; where it was asked is ours.
        let (opening, said) = theirs.split_once(": ").unwrap_or_default();
        assert!(text.starts_with(opening) && text.contains(said), "{theirs}\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn publications_that_cannot_be_read_are_told_with_what_to_run() {
    let server = crate::rig::database();
    server.sql(
        "create table t (id int primary key); create table other (id int primary key);
         create publication everything for all tables; create publication others for table other;
         create publication two for table t, other",
    );
    for (more, part) in [
        (
            &[("publication.autocreate.mode", "disabled")][..],
            "CREATE PUBLICATION \"dbz_publication\" FOR TABLE",
        ),
        (
            &[("publication.autocreate.mode", "disabled"), ("publication.name", "others")],
            "ALTER PUBLICATION \"others\" ADD TABLE \"public\".\"t\"",
        ),
        (
            &[("publication.autocreate.mode", "filtered"), ("publication.name", "everything")],
            "DROP PUBLICATION \"everything\"",
        ),
        (&[("publication.autocreate.mode", "disabled"), ("publication.name", "two")], ""),
        (&[("publication.autocreate.mode", "filtered"), ("publication.name", "others")], ""),
        (&[], ""),
    ] {
        let mut more = more.to_vec();
        more.push(("table.include.list", "public.t"));
        let found = ours(&config(&server, &more)).await;
        match found.as_slice() {
            [] => assert!(part.is_empty(), "{more:?}: nothing"),
            [(key, text)] => {
                assert!(
                    key == "publication.name" && !part.is_empty() && text.contains(part),
                    "{more:?}: {text}"
                );
            }
            _ => panic!("{more:?}: {found:?}"),
        }
    }
    // What is wrong at validation is wrong at the start.
    let refused = config(&server, &[("publication.autocreate.mode", "disabled")]);
    let error = Running::start(&refused, &Store::default()).await.err().unwrap().to_string();
    assert!(error.contains("CREATE PUBLICATION"), "{error}");
}

/// The port of a server that says of itself that it is version 9.6, and is `server` otherwise.
fn aged(server: &Postgres) -> u16 {
    // A column of four bytes, as the version is asked for.
    let value = |version: i32| [4_i32.to_be_bytes(), version.to_be_bytes()].concat();
    let [from, to] = [server.sql("show server_version_num").parse().unwrap(), 90_624].map(value);
    let (listener, port) = (TcpListener::bind("127.0.0.1:0").unwrap(), server.port());
    let own = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (mut up, mut down) = (client.try_clone().unwrap(), client);
            let (mut into, mut out) = (server.try_clone().unwrap(), server);
            std::thread::spawn(move || std::io::copy(&mut up, &mut into));
            let (from, to) = (from.clone(), to.clone());
            std::thread::spawn(move || {
                let mut buffer = [0; 16 * 1024];
                while let Ok(length @ 1..) = out.read(&mut buffer) {
                    let bytes = &mut buffer[..length];
                    if let Some(at) = bytes.windows(from.len()).position(|window| *window == *from) {
                        bytes[at..at + to.len()].copy_from_slice(&to);
                    }
                    if down.write_all(bytes).is_err() {
                        break;
                    }
                }
                let _ = down.shutdown(Shutdown::Both);
            });
        }
    });
    own
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_too_old_is_told_by_its_version() {
    let server = crate::rig::database();
    let port = aged(&server).to_string();
    let config = config(&server, &[("database.port", &port)]);
    let found = ours(&config).await;
    assert!(
        matches!(&found[..], [(key, text)] if key == "database.hostname"
            && text.contains("version 9.6") && text.contains("PostgreSQL 10 or newer")),
        "{found:?}"
    );
    let error = Running::start(&config, &Store::default()).await.err().unwrap().to_string();
    assert!(error.contains("version 9.6") && error.contains("PostgreSQL 10 or newer"), "{error}");
}

//! The same database read by Debezium and by us, every record compared.

use lavka_api::config::Config;
use lavka_api::data::{OffsetMap, Value};
use lavka_testkit::{Chance, Postgres, PostgresConfig, soak};
use serde_json::Value as Json;

use crate::debezium::Debezium;
use crate::rig::{Running, Store, config};
use crate::shown::{Shown, differences};
use crate::workload::Workload;

type Keys = &'static [(&'static str, &'static str)];

/// The configurations that read at the same time: a name, whether partitions are published under their root, and keys.
const CONFIGURATIONS: &[(&str, bool, Keys)] = &[
    ("plain", false, &[("skipped.operations", "none")]),
    (
        "connect",
        false,
        &[
            ("time.precision.mode", "connect"),
            ("decimal.handling.mode", "string"),
            ("binary.handling.mode", "base64"),
            ("interval.handling.mode", "string"),
            ("hstore.handling.mode", "map"),
            ("include.unknown.datatypes", "true"),
            ("provide.transaction.metadata", "true"),
            ("tombstones.on.delete", "false"),
            ("skipped.operations", "none"),
        ],
    ),
    (
        "iso",
        true,
        &[
            ("time.precision.mode", "isostring"),
            ("decimal.handling.mode", "double"),
            ("binary.handling.mode", "hex"),
            ("schema.name.adjustment.mode", "avro"),
            ("message.key.columns", "public.t1:part,id;public.t2:part"),
            ("column.mask.with.4.chars", "public\\.t.*\\.c1"),
            ("column.truncate.to.3.chars", "public.t.*[.]c2"),
            ("column.mask.hash.SHA-256.with.salt.Salz", "public\\.t.*\\.c3"),
            ("column.exclude.list", "public.t[0-9]+.c4"),
            ("column.propagate.source.type", ".*\\.c[05]"),
            ("provide.transaction.metadata", "true"),
        ],
    ),
    (
        "nanos",
        false,
        &[
            ("time.precision.mode", "nanoseconds"),
            ("binary.handling.mode", "base64-url-safe"),
            ("table.include.list", "public.t.*,public.marker"),
            ("skip.messages.without.change", "true"),
            ("unavailable.value.placeholder", "hex:ff00"),
            ("snapshot.mode", "no_data"),
            ("skipped.operations", "u"),
            ("message.prefix.exclude.list", "app.1.*"),
            ("heartbeat.interval.ms", "0"),
            ("extended.headers.enabled", "false"),
        ],
    ),
];

/// Both readers of one configuration.
struct Pair {
    name: &'static str,
    theirs: Config,
    ours: Config,
    task: Running,
    /// Our records behind the last marker.
    ahead: Vec<Shown>,
}

impl Pair {
    /// Each goes on with the other's slot where the other's last record says.
    async fn change_sides(self, debezium: &mut Debezium, theirs: &Shown, ours: &Shown) -> Self {
        debezium.stop(self.name);
        self.task.stop().await;
        let store = Store::default();
        store.put(&map(theirs.server.as_object().unwrap()), &map(&theirs.offset));
        let offset = serde_json::to_value(&ours.offset).unwrap();
        debezium.start(self.name, &self.ours, Some(&offset));
        let task = Running::start(&self.theirs, &store).await.unwrap();
        Self { theirs: self.ours, ours: self.theirs, task, ahead: Vec::new(), ..self }
    }
}

/// As an offset comes out of the worker's store.
fn map<'a>(entries: impl IntoIterator<Item = (&'a String, &'a Json)>) -> OffsetMap {
    let value = |json: &Json| match json {
        Json::Bool(flag) => Value::Boolean(*flag),
        Json::Number(number) => Value::Int64(number.as_i64().unwrap()),
        text => Value::from(text.as_str().unwrap()),
    };
    OffsetMap::new(entries.into_iter().map(|(key, json)| (key.clone(), value(json))))
}

fn settings(server: &Postgres, name: &str, slot: &str, keys: &[(&str, &str)]) -> Config {
    let slot = format!("{slot}_{name}");
    let publication = format!("p_{name}");
    // Debezium's metrics of one prefix stand in each other's way.
    let mut all = vec![
        ("topic.prefix", name),
        ("slot.name", slot.as_str()),
        ("publication.name", publication.as_str()),
        ("publication.autocreate.mode", "disabled"),
    ];
    all.extend(keys);
    config(server, &all)
}

/// Whether the record is the row of `marker` that ends a round.
fn is_marker(shown: &Shown, number: u64) -> bool {
    shown.topic.ends_with(".public.marker") && shown.at("/after/n") == &Json::from(number)
}

/// Our records up to the end of a round: its marker, and with transaction metadata the end of its transaction.
async fn ours(pair: &mut Pair, ends: impl Fn(&[Shown]) -> bool) -> Vec<Shown> {
    let mut shown = Vec::new();
    loop {
        while let Some(record) = (!pair.ahead.is_empty()).then(|| pair.ahead.remove(0)) {
            shown.push(record);
            if ends(&shown) {
                return shown;
            }
        }
        let records = pair.task.take(1).await;
        pair.task.commit(&records);
        pair.ahead.extend(records.iter().map(Shown::of_ours));
    }
}

fn theirs(debezium: &mut Debezium, pair: &Pair, ends: impl Fn(&[Shown]) -> bool) -> Vec<Shown> {
    let mut shown = Vec::new();
    while !ends(&shown) {
        shown.push(debezium.record(pair.name));
    }
    debezium.commit(pair.name);
    shown
}

/// What differs, by record.
fn compare(name: &str, theirs: &[Shown], ours: &[Shown]) -> Vec<String> {
    let mut found = Vec::new();
    for (index, (theirs, ours)) in theirs.iter().zip(ours).enumerate() {
        let (theirs, ours) = (theirs.clone().steady(), ours.clone().steady());
        let all = differences(&theirs, &ours);
        let place = format!("{name} {index} {} {}", theirs.topic, theirs.at("/op"));
        found.extend(all.into_iter().map(|difference| format!("{place} {difference}")));
    }
    if theirs.len() != ours.len() {
        let brief = |records: &[Shown]| -> Vec<String> {
            records.iter().map(|record| format!("{} {}", record.topic, record.at("/op"))).collect()
        };
        found.push(format!("{name}: {:?}\n  ours: {:?}", brief(theirs), brief(ours)));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_is_as_debezium_s() {
    let Some(mut debezium) = Debezium::launch("the comparison with Debezium") else { return };
    let chance = Chance::new();
    let seed = chance.seed();
    let mut workload = Workload::new(chance);
    let slots = ["max_replication_slots = 20".to_owned(), "max_wal_senders = 20".to_owned()];
    let server =
        Postgres::start(&PostgresConfig { settings: slots.into(), ..PostgresConfig::default() }).unwrap();
    let begin = workload.begin();
    server.sql(&begin);
    let mut pairs = Vec::new();
    for (name, root, keys) in CONFIGURATIONS {
        server.sql(&format!(
            "create publication p_{name} for all tables with (publish_via_partition_root = {root})"
        ));
        let (theirs, ours) = (settings(&server, name, "their", keys), settings(&server, name, "our", keys));
        debezium.start(name, &theirs, None);
        let task = Running::start(&ours, &Store::default()).await.unwrap();
        pairs.push(Pair { name, theirs, ours, task, ahead: Vec::new() });
    }
    let mut found = Vec::new();
    for pair in &mut pairs {
        if pair.name != "nanos" {
            let ends = |shown: &[Shown]| {
                shown.last().is_some_and(|last| last.offset.get("snapshot_completed") == Some(&true.into()))
            };
            let theirs = theirs(&mut debezium, pair, ends);
            let ours = ours(pair, ends).await;
            found.extend(compare(pair.name, &theirs, &ours));
        }
    }
    assert!(found.is_empty(), "LAVKA_SEED={seed}, snapshot: {}\n{begin}", found.join("\n"));
    let rounds = if soak() { 300 } else { 8 };
    let mut compared = 0;
    for round in 0..=rounds {
        // The first transaction's records tell where each slot was made, so they are not compared.
        let (number, sql) = match round {
            0 => (0, "insert into marker values (0)".to_owned()),
            // Debezium loses a message outside of transactions that is the first it sees when it goes on.
            _ => workload.round(round % 4 != 0),
        };
        server.sql(&sql);
        let mut next = Vec::new();
        for mut pair in pairs {
            let metadata = pair.ours.get("provide.transaction.metadata").is_some();
            let ends = |shown: &[Shown]| match shown {
                [.., marker, end] if metadata => {
                    is_marker(marker, number) && end.topic.ends_with(".transaction")
                }
                [.., marker] => !metadata && is_marker(marker, number),
                [] => false,
            };
            let theirs = theirs(&mut debezium, &pair, ends);
            let ours = ours(&mut pair, ends).await;
            if round > 0 {
                compared += theirs.len();
                found.extend(compare(pair.name, &theirs, &ours));
            }
            let last = theirs.last().zip(ours.last());
            next.push(match last.filter(|_| round % 4 == 3 && found.is_empty()) {
                Some((theirs, ours)) => pair.change_sides(&mut debezium, theirs, ours).await,
                None => pair,
            });
        }
        pairs = next;
        assert!(found.is_empty(), "LAVKA_SEED={seed}, round {number}: {}\n{sql}", found.join("\n"));
    }
    assert!(compared > rounds * 40, "only {compared} records were compared");
    for pair in pairs {
        debezium.stop(pair.name);
        pair.task.stop().await;
    }
}

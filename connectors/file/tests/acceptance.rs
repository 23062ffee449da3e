//! Both connectors keep what the runtime counts on.

#![allow(clippy::unwrap_used, reason = "a helper that fails, fails its test")]

use std::path::Path;

use lavka_api::config::Config;
use lavka_api::data::{Datum, Record, Schema, Type};
use lavka_api::plugin::{Catalogue, Plugin};
use lavka_testkit::acceptance;

fn plugin(name: &str) -> Plugin {
    let catalogue = Catalogue::new(lavka_connector_file::plugins());
    catalogue.find(name, |kind| kind.is_connector()).unwrap().clone()
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

#[test]
fn file_source() {
    let folder = tempfile::tempdir().unwrap();
    let file = path(folder.path(), "lines");
    let lines = ["one", "two", "", "four\r", "fünf", "🦀", "two", "", &"x".repeat(5000), "ten"];
    std::fs::write(&file, lines.join("\n") + "\n").unwrap();
    acceptance::source(plugin("FileStreamSource"))
        .config([("file", file.as_str()), ("topic", "lines"), ("batch.size", "3")])
        .refuses("topic", "")
        .records(lines.len())
        .check()
        .assert_clean();
}

fn written(config: &Config) -> Vec<(i32, i64)> {
    let text = std::fs::read_to_string(config.get("file").unwrap()).unwrap();
    let place = |line: &str| {
        let (partition, offset) = line.split_once(' ').unwrap();
        (partition.parse().unwrap(), offset.parse().unwrap())
    };
    text.lines().map(place).collect()
}

#[test]
fn file_sink() {
    let folder = tempfile::tempdir().unwrap();
    let sample = path(folder.path(), "sample");
    acceptance::sink(plugin("FileStreamSink"))
        .config([("file", sample.as_str())])
        .round(move |round| Config::from([("file", path(folder.path(), &round.to_string()))]))
        .record(|partition, offset| Record {
            value: Datum::new(Schema::of(Type::String), format!("{} {offset}", partition.partition)),
            ..Record::for_topic("lines")
        })
        .written(written)
        .check()
        .assert_clean();
}

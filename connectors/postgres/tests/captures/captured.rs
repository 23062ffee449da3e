//! What Debezium made: `testdata/*.captured`.

use crate::stream::data;

/// A record of a capture.
#[derive(Debug, Default)]
pub(crate) struct Captured {
    pub(crate) topic: String,
    pub(crate) partition: Option<i32>,
    /// Keys, and values with their Java types.
    pub(crate) offset: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    /// With its schema; `null` for none.
    pub(crate) key: String,
    pub(crate) value: String,
    /// Whether the value comes with its schema.
    pub(crate) full: bool,
    /// The Avro schemas of key and value, where they are new; what `AvroData` said against the value's.
    pub(crate) avro_key: Option<String>,
    pub(crate) avro: Option<String>,
    pub(crate) avro_error: Option<String>,
}

pub(crate) fn read(name: &str) -> Vec<Captured> {
    let mut records: Vec<Captured> = Vec::new();
    for line in data(&format!("{name}.captured")).lines() {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        if kind == "#TOPIC" {
            let (topic, rest) = rest.split_once(' ').unwrap();
            let partition = rest.strip_prefix("partition=").unwrap().split(' ').next().unwrap();
            records.push(Captured {
                topic: topic.to_owned(),
                partition: partition.parse().ok(),
                ..Captured::default()
            });
            continue;
        }
        let record = records.last_mut().unwrap();
        match kind {
            "#OFFSET" => {
                let (_, map) = rest.split_once("} {").unwrap();
                let map = map.trim_end().strip_suffix('}').unwrap();
                record.offset = map.split(", ").filter(|entry| !entry.is_empty()).map(pair).collect();
            }
            "#HEADERS" => {
                record.headers = rest.split(' ').filter(|header| !header.is_empty()).map(pair).collect();
            }
            "#KEY" => rest.clone_into(&mut record.key),
            "#VALUE" => rest.clone_into(&mut record.value),
            "#VALUE_FULL" => {
                rest.clone_into(&mut record.value);
                record.full = true;
            }
            "#AVRO" => record.avro = Some(rest.to_owned()),
            "#AVROKEY" => record.avro_key = Some(rest.to_owned()),
            "#AVROERR" => record.avro_error = Some(rest.to_owned()),
            other => panic!("{other}"),
        }
    }
    records
}

fn pair(text: &str) -> (String, String) {
    let (key, value) = text.split_once('=').unwrap_or_else(|| panic!("{text}"));
    (key.to_owned(), value.to_owned())
}

//! `lavka transform`: records through a connector's converters and transforms.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::ExitCode;

use base64::Engine as _;
use lavka_api::config::Config;
use lavka_api::data::{Blob, Datum, Headers, Record, RecordKind, TimestampType, Topic};
use lavka_api::plugin::{Converter, PluginKind, Verdict};
use lavka_api::{Error, Result};
use lavka_engine::chain::Chain;
use lavka_worker::Converters;
use serde_json::{Map, Value, json};

use super::check::default_worker;
use crate::connector_file::ConnectorFile;

pub(super) fn run(connector: &Path, records: Option<&Path>, worker: Option<&Path>) -> Result<ExitCode> {
    let file = ConnectorFile::read(connector)?;
    let worker = match worker {
        Some(path) => crate::read_worker_file(path)?,
        None => default_worker(),
    };
    let mut bench = Bench::new(&file.config, &worker)?;
    let input: Box<dyn BufRead> = match records {
        Some(path) => Box::new(BufReader::new(std::fs::File::open(path)?)),
        None => Box::new(BufReader::new(io::stdin())),
    };
    let mut out = io::stdout().lock();
    let mut all_went_through = true;
    for (number, line) in input.lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let answer = bench.line(&line, number + 1);
        all_went_through &= answer.get("error").is_none();
        writeln!(out, "{answer}")?;
    }
    Ok(if all_went_through { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The converters and the chain of one connector.
struct Bench {
    converters: Converters,
    chain: Chain,
    sink: bool,
}

struct Failed {
    stage: &'static str,
    class: String,
    error: Error,
}

impl Bench {
    fn new(connector: &Config, worker: &Config) -> Result<Self> {
        let catalogue = crate::catalogue();
        let class = connector.get("connector.class").unwrap_or_default();
        let kind = catalogue.find(class, PluginKind::is_connector).map(|plugin| plugin.kind());
        Ok(Self {
            converters: Converters::new(connector, worker, &catalogue)?,
            chain: Chain::from_config(connector, &catalogue)?,
            sink: kind != Ok(PluginKind::Source),
        })
    }

    fn line(&mut self, line: &str, number: usize) -> Value {
        let parsed: Result<Map<String, Value>, _> = serde_json::from_str(line);
        let input = match parsed {
            Ok(input) => input,
            Err(error) => {
                return json!({ "error": { "message": format!("line {number} is no JSON object: {error}") } });
            }
        };
        match self.record(&input) {
            Ok(Some(output)) => Value::Object(output),
            Ok(None) => {
                json!({ "dropped": true, "topic": input.get("topic"), "offset": input.get("offset") })
            }
            Err(failed) => json!({ "error": {
                "stage": failed.stage,
                "class": failed.class,
                "exception": failed.error.exception(),
                "message": failed.error.message(),
            } }),
        }
    }

    fn record(&mut self, input: &Map<String, Value>) -> Result<Option<Map<String, Value>>, Failed> {
        let topic = Topic::from(input.get("topic").and_then(Value::as_str).unwrap_or("topic"));
        let integer = |key: &str| input.get(key).and_then(Value::as_i64);
        let Converters { key, value, header } = &mut self.converters;
        let mut headers = Headers::new();
        for entry in input.get("headers").and_then(Value::as_array).into_iter().flatten() {
            let name = entry.get("key").and_then(Value::as_str).unwrap_or_default();
            let payload = bytes(entry.get("value"), "");
            let datum = header.1.decode(&topic, name, payload.as_ref());
            headers.add(name, datum.map_err(|error| failed("HEADER_CONVERTER", &header.0, error))?);
        }
        let decode = |(class, converter): &mut (String, Box<dyn Converter>),
                      stage,
                      part: &str|
         -> Result<Datum, Failed> {
            let payload = bytes(input.get(part), class);
            converter.decode(&topic, payload.as_ref()).map_err(|error| failed(stage, class, error))
        };
        let offset = integer("offset").unwrap_or(0);
        let mut record = Record {
            topic: topic.clone(),
            partition: integer("partition").and_then(|number| i32::try_from(number).ok()),
            key: decode(key, "KEY_CONVERTER", "key")?,
            value: decode(value, "VALUE_CONVERTER", "value")?,
            timestamp: integer("timestamp"),
            headers,
            kind: match self.sink {
                true => RecordKind::Sink { offset, timestamp_type: TimestampType::CreateTime },
                false => RecordKind::Source,
            },
        };
        let verdict = self
            .chain
            .apply_one(&mut record)
            .map_err(|failure| failed(failure.stage.name(), &failure.class, failure.error))?;
        if verdict == Verdict::Drop {
            return Ok(None);
        }
        let Converters { key, value, header } = &mut self.converters;
        let mut output = Map::new();
        output.insert("topic".into(), json!(record.topic.as_str()));
        output.insert("partition".into(), json!(record.partition));
        if self.sink {
            output.insert("offset".into(), json!(offset));
        }
        output.insert("timestamp".into(), json!(record.timestamp));
        let mut shown_headers = Vec::new();
        for entry in record.headers.iter() {
            let mut out = Vec::new();
            let present = header.1.encode(&record.topic, &entry.key, &entry.datum, &mut out);
            let present = present.map_err(|error| failed("HEADER_CONVERTER", &header.0, error))?;
            shown_headers
                .push(json!({ "key": entry.key.as_str(), "value": shown(present.then_some(&*out)) }));
        }
        output.insert("headers".into(), Value::Array(shown_headers));
        for (part, (class, converter), stage, datum) in
            [("key", key, "KEY_CONVERTER", &record.key), ("value", value, "VALUE_CONVERTER", &record.value)]
        {
            let mut out = Vec::new();
            let encoded = converter.encode(
                &record.topic,
                &mut record.headers.clone(),
                datum.schema.as_ref(),
                &datum.value,
                &mut out,
            );
            let present = encoded.map_err(|error| failed(stage, class, error))?;
            output.insert(part.into(), shown(present.then_some(&*out)));
        }
        Ok(Some(output))
    }
}

fn failed(stage: &'static str, class: &str, error: Error) -> Failed {
    Failed { stage, class: class.to_owned(), error }
}

/// The bytes a record would have in Kafka: a text as it is for a converter of texts, anything else as JSON.
fn bytes(value: Option<&Value>, class: &str) -> Option<Blob> {
    match value? {
        Value::Null => None,
        Value::String(text) if !class.ends_with("JsonConverter") => Some(Blob::from(text.as_bytes())),
        other => Some(Blob::from(other.to_string().into_bytes())),
    }
}

/// Bytes as JSON where they are JSON, else as text, else as Base64.
fn shown(bytes: Option<&[u8]>) -> Value {
    let Some(bytes) = bytes else { return Value::Null };
    if let Ok(value) = serde_json::from_slice(bytes) {
        return value;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!(base64::engine::general_purpose::STANDARD.encode(bytes)),
    }
}

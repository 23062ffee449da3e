//! One connector's converters and transforms on a bench: records go in as lines of JSON and come out as lines of JSON,
//! with no Kafka in between.
//!
//! - `line`: one JSON object a line, and records.
//! - `payload`: what stands for a converter's bytes in such a line.
//! - `steps`: a record after each transform, for people.

mod line;
mod payload;
mod steps;

use lavka_api::config::{Config, ConfigType};
use lavka_api::data::{Datum, Header, Headers, Record, RecordKind, TimestampType, Topic};
use lavka_api::plugin::{Converter, PluginKind, Undecoded, Verdict};
use lavka_api::{Error, Result};
use lavka_engine::chain::Chain;
use lavka_worker::Converters;

use line::{Input, Output, OutputHeader, quoted};
use payload::Form;
pub(crate) use steps::{Paint, Steps};

/// The converters and the transforms of one connector.
pub(crate) struct Bench {
    converters: Converters,
    forms: [Form; 3],
    links: Vec<Link>,
    sink: bool,
    default_topic: String,
}

/// One transform, with whatever its predicate needs.
struct Link {
    alias: String,
    class: String,
    chain: Chain,
}

/// What became of one line.
pub(crate) enum Answer {
    /// The record that came out.
    Through(String),
    /// A transform dropped it.
    Dropped(String),
    /// It failed.
    Failed(String),
}

impl Answer {
    /// The line to print, one JSON object.
    pub(crate) fn line(&self) -> &str {
        match self {
            Answer::Through(line) | Answer::Dropped(line) | Answer::Failed(line) => line,
        }
    }
}

/// Where and why a record failed.
struct Failed {
    stage: &'static str,
    class: String,
    error: Error,
}

impl Bench {
    /// # Errors
    /// A config error that names the key: converters or transforms cannot be made from the configuration.
    pub(crate) fn new(connector: &Config, worker: &Config) -> Result<Self> {
        let catalogue = crate::catalogue();
        let class = connector.get("connector.class").unwrap_or_default();
        let kind = catalogue.find(class, PluginKind::is_connector).map(|plugin| plugin.kind());
        let converters = Converters::new(connector, worker, &catalogue)?;
        let list = |key: &str| Vec::<String>::parse(connector.get(key).unwrap_or_default());
        let mut links = Vec::new();
        for alias in list("transforms").unwrap_or_default() {
            let mut alone = connector.clone();
            alone.set("transforms", alias.clone());
            let class = connector.get(&format!("transforms.{alias}.type")).unwrap_or_default().trim();
            let class = catalogue.find(class, |k| k == PluginKind::Transformation).map(|plugin| plugin.class);
            let chain = Chain::from_config(&alone, &catalogue)?;
            links.push(Link { class: class.unwrap_or_default().to_owned(), alias, chain });
        }
        let topics = list("topics").unwrap_or_default();
        Ok(Self {
            forms: [&converters.key.0, &converters.value.0, &converters.header.0].map(|c| Form::of(c)),
            converters,
            links,
            sink: kind != Ok(PluginKind::Source),
            default_topic: topics.into_iter().next().unwrap_or_else(|| "topic".to_owned()),
        })
    }

    /// Sends the record in line `number` through; `steps` are told how it looks on the way.
    pub(crate) async fn run(&mut self, line: &str, number: usize, steps: &mut Option<Steps>) -> Answer {
        let input = match Input::parse(line) {
            Ok(input) => input,
            Err(detail) => {
                let message = quoted(&format!("line {number}, {detail}"));
                return Answer::Failed(format!("{{\"line\":{number},\"error\":{{\"message\":{message}}}}}"));
            }
        };
        let place = format!(
            "\"line\":{number},\"topic\":{},\"partition\":{},\"offset\":{}",
            quoted(input.topic.as_deref().unwrap_or(&self.default_topic)),
            line::number(input.partition),
            line::number(input.offset)
        );
        let failed = |failed: &Failed| {
            Answer::Failed(format!(
                "{{{place},\"error\":{{\"stage\":\"{}\",\"class\":{},\"exception\":{},\"message\":{}}}}}",
                failed.stage,
                quoted(&failed.class),
                quoted(failed.error.exception()),
                failed.error.message().map_or("null".to_owned(), quoted)
            ))
        };
        let mut record = match self.decode(&input).await {
            Ok(record) => record,
            Err(failure) => return failed(&failure),
        };
        if let Some(steps) = steps {
            steps.input(number, &record);
        }
        for link in &mut self.links {
            let verdict = link.chain.apply_one(&mut record);
            if let (Ok(verdict), Some(steps)) = (&verdict, &mut *steps) {
                steps.transform(&link.alias, &link.class, (*verdict == Verdict::Keep).then_some(&record));
            }
            match verdict {
                Ok(Verdict::Keep) => {}
                Ok(Verdict::Drop) => {
                    let by = quoted(&link.alias);
                    return Answer::Dropped(format!("{{{place},\"dropped\":true,\"by\":{by}}}"));
                }
                Err(failure) => {
                    if let Some(steps) = steps {
                        steps.failure(&link.alias, &link.class);
                    }
                    return failed(&Failed {
                        stage: failure.stage.name(),
                        class: failure.class,
                        error: failure.error,
                    });
                }
            }
        }
        match self.encode(&mut record, input.offset).await {
            Ok(output) => Answer::Through(output.to_line()),
            Err(failure) => failed(&failure),
        }
    }

    async fn decode(&mut self, input: &Input) -> Result<Record, Failed> {
        let topic = Topic::from(input.topic.as_deref().unwrap_or(&self.default_topic));
        let Converters { key, value, header } = &mut self.converters;
        let [key_form, value_form, header_form] = self.forms;
        let key = decode(key, key_form, "KEY_CONVERTER", &topic, input.key.as_deref()).await?;
        let value = decode(value, value_form, "VALUE_CONVERTER", &topic, input.value.as_deref()).await?;
        let mut headers = Headers::new();
        for (name, raw) in &input.headers {
            let payload = header_form.header_payload(raw.as_deref());
            let datum = header.1.decode(&topic, name, payload.as_ref());
            let datum = datum.map_err(|error| failed("HEADER_CONVERTER", &header.0, error))?;
            headers.push(Header { key: name.as_str().into(), datum });
        }
        Ok(Record {
            topic,
            partition: input.partition,
            key,
            value,
            timestamp: input.timestamp,
            headers,
            kind: match self.sink {
                true => RecordKind::Sink {
                    offset: input.offset.unwrap_or(0),
                    timestamp_type: TimestampType::CreateTime,
                },
                false => RecordKind::Source,
            },
        })
    }

    async fn encode(&mut self, record: &mut Record, offset: Option<i64>) -> Result<Output, Failed> {
        let Converters { key, value, header } = &mut self.converters;
        let [key_form, value_form, header_form] = self.forms;
        let Record { topic, headers, .. } = record;
        let key = encode(key, key_form, "KEY_CONVERTER", topic, headers, &record.key).await?;
        let value = encode(value, value_form, "VALUE_CONVERTER", topic, headers, &record.value).await?;
        let mut shown_headers = Vec::with_capacity(headers.len());
        for entry in headers.iter() {
            let mut bytes = Vec::new();
            let present = header.1.encode(topic, &entry.key, &entry.datum, &mut bytes);
            let present = present.map_err(|error| failed("HEADER_CONVERTER", &header.0, error))?;
            let value = header_form.shown(present.then_some(&*bytes));
            shown_headers.push(OutputHeader { key: entry.key.as_str().to_owned(), value });
        }
        Ok(Output {
            topic: record.topic.as_str().to_owned(),
            partition: record.partition,
            offset,
            timestamp: record.timestamp,
            headers: shown_headers,
            key,
            value,
        })
    }
}

type Named = (String, Box<dyn Converter>);

async fn decode(
    (class, converter): &mut Named,
    form: Form,
    stage: &'static str,
    topic: &Topic,
    raw: Option<&str>,
) -> Result<Datum, Failed> {
    let payload = form.payload(raw, &mut **converter, topic).map_err(|error| failed(stage, class, error))?;
    let undecoded = Undecoded { topic, payload: payload.as_ref(), headers: &[] };
    converter.prepare_decode(&[undecoded]).await.map_err(|error| failed(stage, class, error))?;
    converter.decode_record(&undecoded).map_err(|error| failed(stage, class, error))
}

/// What stands for the bytes, as JSON.
async fn encode(
    (class, converter): &mut Named,
    form: Form,
    stage: &'static str,
    topic: &Topic,
    headers: &mut Headers,
    datum: &Datum,
) -> Result<String, Failed> {
    converter.prepare_encode(&[(topic, datum)]).await.map_err(|error| failed(stage, class, error))?;
    let mut bytes = Vec::new();
    let present = converter
        .encode(topic, headers, datum.schema.as_ref(), &datum.value, &mut bytes)
        .map_err(|error| failed(stage, class, error))?;
    Ok(match form {
        Form::Scalar if present => payload::scalar(&datum.value),
        form => form.shown(present.then_some(&*bytes)),
    })
}

fn failed(stage: &'static str, class: &str, error: Error) -> Failed {
    Failed { stage, class: class.to_owned(), error }
}

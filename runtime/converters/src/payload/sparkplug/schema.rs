//! The struct that a message becomes.

use lavka_api::data::{Blob, Datum, Decimal, Logical, Schema, Str, Struct, Type, Value};
use lavka_api::{Error, Result};

use super::births::{Node, Standing};
use super::datatype::DataType;
use super::message::{Metric, Payload, metadata, properties, unsigned};
use super::topic::Kind;
use super::wrong;
use crate::json::{JsonReader, write_value};
use crate::payload::whole::holds_one_value;

/// Bytes of data sets, templates, arrays, properties and metadata in a message: once decoded they take many times as much.
const COMPOSITE: usize = 1024 * 1024;

/// The schemas, made once.
#[derive(Debug)]
pub(super) struct Schemas {
    message: Schema,
    metric: Schema,
}

/// What is not in the payload.
pub(super) struct Head<'a> {
    pub(super) group: &'a str,
    pub(super) kind: Kind,
    pub(super) node: &'a str,
    pub(super) device: Option<&'a str>,
    pub(super) standing: Standing,
}

/// The fields for a value, in the order of the schema.
#[derive(Default)]
struct Values {
    int: Value,
    big: Value,
    float: Value,
    boolean: Value,
    string: Value,
    timestamp: Value,
    bytes: Value,
    json: Value,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let timestamp = Schema::logical_of(Logical::Timestamp).to_builder().optional().build();
        let big = Schema::logical_of(Logical::Decimal(0)).to_builder().optional().build();
        // Never refused: both are whole as they are.
        let timestamp = timestamp.unwrap_or_else(|_| Schema::optional(Type::Int64));
        let big = big.unwrap_or_else(|_| Schema::optional(Type::Bytes));
        let metric = structure(
            "io.lavka.sparkplug.Metric",
            [
                ("name", Schema::optional(Type::String)),
                ("alias", Schema::optional(Type::Int64)),
                ("timestamp", timestamp.clone()),
                ("datatype", Schema::of(Type::String)),
                ("is_historical", Schema::of(Type::Boolean)),
                ("is_transient", Schema::of(Type::Boolean)),
                ("int_value", Schema::optional(Type::Int64)),
                ("big_value", big),
                ("float_value", Schema::optional(Type::Float64)),
                ("boolean_value", Schema::optional(Type::Boolean)),
                ("string_value", Schema::optional(Type::String)),
                ("timestamp_value", timestamp.clone()),
                ("bytes_value", Schema::optional(Type::Bytes)),
                ("json_value", Schema::optional(Type::String)),
                ("properties", Schema::optional(Type::String)),
                ("metadata", Schema::optional(Type::String)),
            ],
        );
        let message = structure(
            "io.lavka.sparkplug.Message",
            [
                ("group", Schema::optional(Type::String)),
                ("type", Schema::of(Type::String)),
                ("node", Schema::of(Type::String)),
                ("device", Schema::optional(Type::String)),
                ("timestamp", timestamp),
                ("seq", Schema::optional(Type::Int32)),
                ("expected_seq", Schema::optional(Type::Int32)),
                ("stale", Schema::of(Type::Boolean)),
                ("online", Schema::optional(Type::Boolean)),
                ("uuid", Schema::optional(Type::String)),
                ("body", Schema::optional(Type::Bytes)),
                ("metrics", Schema::array(metric.clone())),
            ],
        );
        Self { message, metric }
    }

    /// A message of a node or device; `known` is what is known of the node.
    pub(super) fn message(
        &self,
        head: &Head<'_>,
        payload: &Payload<'_>,
        known: Option<&Node>,
    ) -> Result<Datum> {
        let mut composite = 0;
        let metrics =
            payload.metrics.iter().map(|metric| self.metric(head.device, metric, known, &mut composite));
        let metrics: Vec<Value> = metrics.collect::<Result<_>>()?;
        let values = vec![
            Value::from(head.group),
            head.kind.name().into(),
            head.node.into(),
            head.device.map(Str::from).into(),
            timestamp(payload.timestamp)?,
            sequence(payload.seq)?,
            sequence(head.standing.expected_seq)?,
            head.standing.stale.into(),
            Value::Null,
            payload.uuid.map(Str::from).into(),
            payload.body.map(Blob::from).into(),
            metrics.into(),
        ];
        Ok(Datum::new(self.message.clone(), Struct::new(self.message.clone(), values)?))
    }

    /// The state of a host: `{"online":…,"timestamp":…}`, before version 3 the text `ONLINE` or `OFFLINE`.
    pub(super) fn host(&self, host: &str, payload: &[u8], json: &mut JsonReader) -> Result<Datum> {
        let (online, time) = match payload {
            b"ONLINE" => (true, Value::Null),
            b"OFFLINE" => (false, Value::Null),
            _ => {
                let state = || {
                    wrong("the state of a host is neither JSON with the member online, nor ONLINE or OFFLINE")
                };
                if !holds_one_value(payload) {
                    return Err(state());
                }
                let Value::Object(members) = json.read(payload)? else { return Err(state()) };
                let Some(Value::Boolean(online)) = members.get("online") else { return Err(state()) };
                let time = members.get("timestamp").and_then(Value::as_i64);
                (*online, time.map_or(Value::Null, Value::Timestamp))
            }
        };
        let values = vec![
            Value::Null,
            "STATE".into(),
            host.into(),
            Value::Null,
            time,
            Value::Null,
            Value::Null,
            false.into(),
            online.into(),
            Value::Null,
            Value::Null,
            Value::from(Vec::new()),
        ];
        Ok(Datum::new(self.message.clone(), Struct::new(self.message.clone(), values)?))
    }

    /// `composite` adds up the bytes of what is not a scalar.
    fn metric(
        &self,
        device: Option<&str>,
        metric: &Metric<'_>,
        node: Option<&Node>,
        composite: &mut usize,
    ) -> Result<Value> {
        let by_alias = || node?.alias(metric.alias?);
        let known = by_alias().filter(|_| metric.name.is_none());
        let datatype = metric.datatype.map_or(DataType::Unknown, DataType::of);
        let datatype = match (datatype, known, metric.name) {
            (DataType::Unknown, Some(known), _) => known.datatype,
            (DataType::Unknown, None, Some(name)) => {
                let by_name = || node?.datatype(device, name);
                by_alias().map(|known| known.datatype).or_else(by_name).unwrap_or_default()
            }
            (said, ..) => said,
        };
        let written = metric.value.filter(|_| !metric.is_null);
        let parts =
            [metric.properties, metric.metadata, written.and_then(|written| written.composite(datatype))];
        *composite += parts.into_iter().flatten().map(<[u8]>::len).sum::<usize>();
        if *composite > COMPOSITE {
            return Err(wrong("its data sets, templates, arrays and properties have more than 1 MiB"));
        }
        let value = written.map_or(Ok(Value::Null), |written| written.value(datatype)).map_err(wrong)?;
        let Values { int, big, float, boolean, string, timestamp: time, bytes, json } = Values::of(value)?;
        let alias = metric.alias.map(i64::try_from).transpose();
        let values = vec![
            metric.name.map(Str::from).or_else(|| known.map(|known| known.name.clone())).into(),
            alias.map_err(|_| wrong("an alias is beyond INT64"))?.into(),
            timestamp(metric.timestamp)?,
            datatype.name().into(),
            metric.is_historical.into(),
            metric.is_transient.into(),
            int,
            big,
            float,
            boolean,
            string,
            time,
            bytes,
            json,
            metric.properties.map(|message| as_json(properties(message))).transpose()?.into(),
            metric.metadata.map(|message| as_json(metadata(message))).transpose()?.into(),
        ];
        Ok(Struct::new(self.metric.clone(), values)?.into())
    }
}

impl Values {
    fn of(value: Value) -> Result<Self> {
        let mut values = Self::default();
        let field = match &value {
            Value::Null => return Ok(values),
            Value::Int64(_) => &mut values.int,
            Value::Decimal(_) => &mut values.big,
            Value::Float64(_) => &mut values.float,
            Value::Boolean(_) => &mut values.boolean,
            Value::String(_) => &mut values.string,
            Value::Timestamp(_) => &mut values.timestamp,
            Value::Bytes(_) => &mut values.bytes,
            _ => {
                values.json = as_json(Ok(value))?.into();
                return Ok(values);
            }
        };
        *field = value;
        Ok(values)
    }
}

/// As JSON text; integers beyond INT64 as texts, times as milliseconds.
fn as_json(value: std::result::Result<Value, &'static str>) -> Result<Str> {
    let mut text = Vec::new();
    write_value(&plain(value.map_err(wrong)?), &mut text)?;
    Str::from_utf8(&text).map_err(|_| Error::data("JSON that is not UTF-8"))
}

/// `value` without what JSON has no form for. As deep as `message` lets values be.
fn plain(value: Value) -> Value {
    match value {
        Value::Decimal(number) => Decimal::to_string(&number).into(),
        Value::Timestamp(millis) => Value::Int64(millis),
        Value::Array(elements) => Value::from(elements.into_vec().into_iter().map(plain).collect::<Vec<_>>()),
        Value::Object(mut object) => {
            for member in object.values_mut() {
                *member = plain(member.take());
            }
            Value::Object(object)
        }
        other => other,
    }
}

fn structure<const N: usize>(name: &str, fields: [(&str, Schema); N]) -> Schema {
    let builder = Schema::structure().name(name).version(1);
    let builder = fields.into_iter().fold(builder, |builder, (name, schema)| builder.field(name, schema));
    // Never refused: the names are different and the types are whole.
    builder.build().unwrap_or_else(|_| Schema::of(Type::Struct))
}

fn timestamp(millis: Option<u64>) -> Result<Value> {
    let millis = millis.map(|millis| match unsigned(millis) {
        Value::Int64(millis) => Ok(Value::Timestamp(millis)),
        _ => Err(wrong("a timestamp is beyond what a timestamp can hold")),
    });
    Ok(millis.transpose()?.unwrap_or(Value::Null))
}

fn sequence(seq: Option<u64>) -> Result<Value> {
    let seq = seq.map(i32::try_from).transpose();
    Ok(seq.map_err(|_| wrong("the sequence number is beyond 255"))?.into())
}

//! Rows made of more than a record's value, as Aiven's sinks write them: key, value, offset, timestamp and headers.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lavka_api::data::{Datum, Schema, SinkRecord, Struct, Type, Value};
use lavka_api::java::write_timestamp;
use lavka_api::{Error, Result};
use lavka_converters::json::{JsonWriter, WriteOptions};

/// A part of a record that goes into rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputField {
    Key,
    Value,
    Offset,
    Timestamp,
    Headers,
}

impl OutputField {
    /// All of them, in the order in which JSON objects have them: that of the Java sink's hash map.
    pub(crate) const ALL: [Self; 5] = [Self::Headers, Self::Offset, Self::Value, Self::Key, Self::Timestamp];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Value => "value",
            Self::Offset => "offset",
            Self::Timestamp => "timestamp",
            Self::Headers => "headers",
        }
    }
}

/// What rows are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowForm {
    /// The bytes of a line with commas between the fields; the value in Base64 or as it is, the others as the Java sink
    /// writes them.
    Plain { base64: bool },
    /// The bytes of a JSON text.
    Json,
    /// Structs of this name for formats with schemas.
    Typed(&'static str),
}

/// What rows are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) fields: Vec<OutputField>,
    pub(crate) form: RowForm,
    /// `format.output.envelope=false`: the only field stands for the row.
    pub(crate) unwrapped: bool,
}

/// Schemas of keys, values and headers whose plans are kept.
const JSON_SCHEMAS: usize = 16;

/// Makes the rows of a topic partition.
pub(crate) struct RowMaker {
    envelope: Arc<Envelope>,
    /// The fields of JSON objects.
    fields: Vec<OutputField>,
    json: JsonWriter,
    /// The schema of the last row, and what it was made of.
    known: Option<(Vec<Schema>, Schema)>,
}

impl RowMaker {
    pub(crate) fn new(envelope: Arc<Envelope>) -> Self {
        let fields: Vec<OutputField> =
            OutputField::ALL.into_iter().filter(|field| envelope.fields.contains(field)).collect();
        let json = JsonWriter::new(WriteOptions::default(), JSON_SCHEMAS);
        Self { envelope, fields, json, known: None }
    }

    /// The row of `record`.
    ///
    /// # Errors
    /// A data error where the record makes none.
    pub(crate) fn row(&mut self, record: &SinkRecord) -> Result<Datum> {
        match self.envelope.form {
            RowForm::Plain { base64 } => plain(record, &self.envelope.fields, base64),
            RowForm::Json => self.json(record),
            RowForm::Typed(name) => self.typed(record, name),
        }
    }

    /// The text of an object, or of the only field.
    fn json(&mut self, record: &SinkRecord) -> Result<Datum> {
        let mut out = Vec::new();
        let fields = std::mem::take(&mut self.fields);
        let outcome = self.write_json(record, &fields, &mut out);
        self.fields = fields;
        outcome?;
        Ok(Datum::schemaless(Value::Bytes(out.into())))
    }

    fn write_json(&mut self, record: &SinkRecord, fields: &[OutputField], out: &mut Vec<u8>) -> Result<()> {
        if self.envelope.unwrapped
            && let Some(field) = fields.first()
        {
            return self.write_field(record, *field, out);
        }
        for (i, field) in fields.iter().enumerate() {
            out.push(if i == 0 { b'{' } else { b',' });
            out.extend_from_slice(format!("\"{}\":", field.name()).as_bytes());
            self.write_field(record, *field, out)?;
        }
        out.push(b'}');
        Ok(())
    }

    fn write_field(&mut self, record: &SinkRecord, field: OutputField, out: &mut Vec<u8>) -> Result<()> {
        match field {
            OutputField::Key => self.write_datum(&record.record.key, out),
            OutputField::Value => self.write_datum(&record.record.value, out),
            OutputField::Offset => self.json.write(None, &Value::Int64(record.origin.offset), out),
            OutputField::Timestamp => {
                let time = record.record.timestamp.map_or(Value::Null, iso_instant);
                self.json.write(None, &time, out)
            }
            OutputField::Headers => {
                out.push(b'[');
                for (i, header) in record.record.headers.iter().enumerate() {
                    out.extend_from_slice(if i == 0 { b"{\"key\":" } else { b",{\"key\":" });
                    self.json.write(None, &header.key.clone().into(), out)?;
                    out.extend_from_slice(b",\"value\":");
                    self.write_datum(&header.datum, out)?;
                    out.push(b'}');
                }
                out.push(b']');
                Ok(())
            }
        }
    }

    /// A null is no default here, whatever its schema says.
    fn write_datum(&mut self, datum: &Datum, out: &mut Vec<u8>) -> Result<()> {
        let schema = datum.schema.as_ref().filter(|_| !datum.value.is_null());
        self.json.write(schema, &datum.value, out)
    }

    fn typed(&mut self, record: &SinkRecord, name: &str) -> Result<Datum> {
        let mut parts = Vec::with_capacity(self.envelope.fields.len());
        for field in &self.envelope.fields {
            parts.push(typed_part(record, *field)?);
        }
        if self.envelope.unwrapped
            && let Some((schema, value)) = parts.first()
        {
            match schema.ty() {
                Type::Struct => return Ok(Datum::new(schema.clone(), value.clone())),
                Type::Map => {
                    return Err(Error::data(
                        "a map has no fields that all rows have, as format.output.envelope=false needs; use a struct, or \
                         leave the envelope",
                    ));
                }
                _ => {}
            }
        }
        let (schemas, values): (Vec<Schema>, Vec<Value>) = parts.into_iter().unzip();
        let schema = match &self.known {
            Some((of, schema))
                if of.iter().zip(&schemas).all(|(known, new)| known.same(new) || known == new) =>
            {
                schema.clone()
            }
            _ => {
                let fields = self.envelope.fields.iter().zip(&schemas);
                let schema = fields
                    .fold(Schema::structure().name(name), |schema, (field, part)| {
                        schema.field(field.name(), part.clone())
                    })
                    .build()?;
                self.known = Some((schemas, schema.clone()));
                schema
            }
        };
        Ok(Datum::new(schema.clone(), Struct::new(schema, values)?))
    }
}

fn typed_part(record: &SinkRecord, field: OutputField) -> Result<(Schema, Value)> {
    let of = |datum: &Datum, what: &str| match &datum.schema {
        Some(schema) => Ok((schema.clone(), datum.value.clone())),
        None => Err(Error::data(format!("Record {what} without schema"))),
    };
    match field {
        OutputField::Key => of(&record.record.key, "key"),
        OutputField::Value => of(&record.record.value, "value"),
        OutputField::Offset => Ok((Schema::of(Type::Int64), Value::Int64(record.origin.offset))),
        OutputField::Timestamp => match record.record.timestamp {
            Some(timestamp) => Ok((Schema::of(Type::Int64), Value::Int64(timestamp))),
            None => Err(Error::data("Record without timestamp")),
        },
        OutputField::Headers => headers(record),
    }
}

/// The headers as a map; of two of one name the last one counts.
fn headers(record: &SinkRecord) -> Result<(Schema, Value)> {
    let mut items: Option<Schema> = None;
    let mut entries: Vec<(Value, Value)> = Vec::new();
    for header in record.record.headers.iter() {
        let Some(schema) = &header.datum.schema else {
            return Err(Error::data(format!("Header {} without schema", header.key)));
        };
        match &items {
            None => items = Some(schema.clone()),
            Some(first) if first.ty() != schema.ty() => {
                return Err(Error::data(format!(
                    "Header schema {schema} for '{}' is not the same as the already defined map type: {first}. To force \
                     the same type, consider using StringConverter or similar.",
                    header.key
                )));
            }
            Some(_) => {}
        }
        entries.retain(|(key, _)| key.as_str() != Some(header.key.as_str()));
        entries.push((header.key.clone().into(), header.datum.value.clone()));
    }
    let items = items.unwrap_or_else(|| Schema::optional(Type::String));
    Ok((Schema::map(Schema::of(Type::String), items), Value::Map(entries.into())))
}

/// As `DateTimeFormatter.ISO_INSTANT` writes it: without a fraction where that is zero.
fn iso_instant(epoch_ms: i64) -> Value {
    let mut text = Vec::new();
    write_timestamp(&mut text, epoch_ms);
    let text = String::from_utf8_lossy(&text);
    Value::from(text.strip_suffix(".000Z").map_or_else(|| text.to_string(), |whole| format!("{whole}Z")))
}

fn plain(record: &SinkRecord, fields: &[OutputField], base64: bool) -> Result<Datum> {
    let mut line = Vec::new();
    let encoded = |bytes: &[u8], line: &mut Vec<u8>| line.extend_from_slice(BASE64.encode(bytes).as_bytes());
    for (i, field) in fields.iter().enumerate() {
        if i > 0 {
            line.push(b',');
        }
        match field {
            OutputField::Key => match &record.record.key.value {
                Value::Null => {}
                Value::Bytes(bytes) => encoded(bytes, &mut line),
                Value::String(text) => encoded(text.as_bytes(), &mut line),
                other => {
                    return Err(Error::data(format!(
                        "Record key schema type must be BYTES or STRING, {} given",
                        other.java_class()
                    )));
                }
            },
            OutputField::Value => match &record.record.value.value {
                Value::Null => {}
                Value::Bytes(bytes) if base64 => encoded(bytes, &mut line),
                Value::Bytes(bytes) => line.extend_from_slice(bytes),
                other => {
                    return Err(Error::data(format!(
                        "Record value schema type must be BYTES, {} given; use ByteArrayConverter",
                        other.java_class()
                    )));
                }
            },
            OutputField::Offset => line.extend_from_slice(record.origin.offset.to_string().as_bytes()),
            OutputField::Timestamp => {
                let text = record.record.timestamp.map(|timestamp| timestamp.to_string()).unwrap_or_default();
                line.extend_from_slice(text.as_bytes());
            }
            OutputField::Headers => {
                for header in record.record.headers.iter() {
                    encoded(header.key.as_bytes(), &mut line);
                    line.push(b':');
                    match &header.datum.value {
                        Value::Null => {}
                        Value::Bytes(bytes) => encoded(bytes, &mut line),
                        other => {
                            return Err(Error::data(format!(
                                "the header {} is a {}; use ByteArrayConverter as header.converter",
                                header.key,
                                other.java_class()
                            )));
                        }
                    }
                    line.push(b';');
                }
            }
        }
    }
    Ok(Datum::schemaless(Value::Bytes(line.as_slice().into())))
}

//! CSV (RFC 4180): a header with the fields' names, then a row a record.
//!
//! Nothing stands for null, `""` for an empty text. Dates, times and timestamps are ISO 8601 texts, decimals their
//! digits, bytes Base64; arrays, maps and structs are JSON texts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lavka_api::data::{Schema, Shape, Str, Type, Value};
use lavka_api::java::{write_date, write_f32, write_f64, write_time, write_timestamp};
use lavka_api::{Error, Result};
use lavka_columnar::Refusal;
use lavka_converters::json::{DecimalFormat, JsonWriter, WriteOptions};

pub(crate) struct CsvWriter {
    /// The header's names; without a schema those of the first record.
    columns: Option<Vec<Str>>,
    /// Where an object of this shape has the value of each column.
    places: Option<(Shape, Vec<Option<usize>>)>,
    /// Whether the header is still to be written.
    pending: bool,
    json: JsonWriter,
    /// The schemas of the columns, where there is one.
    schemas: Vec<Schema>,
}

impl CsvWriter {
    /// # Errors
    /// A data error where `schema` is not that of a struct.
    pub(crate) fn new(schema: Option<&Schema>) -> Result<Self> {
        let mut writer = Self {
            columns: None,
            places: None,
            pending: true,
            json: JsonWriter::new(
                WriteOptions { decimal_format: DecimalFormat::Numeric, ..WriteOptions::default() },
                64,
            ),
            schemas: Vec::new(),
        };
        if let Some(schema) = schema {
            if schema.ty() != Type::Struct {
                return Err(Error::data(format!(
                    "a row of CSV is made of a struct or an object, not of {schema}"
                )));
            }
            writer.columns = Some(schema.fields().iter().map(|field| field.name().clone()).collect());
            writer.schemas = schema.fields().iter().map(|field| field.schema().clone()).collect();
        }
        Ok(writer)
    }

    /// Appends the row of `value`, after the header where it is the first.
    ///
    /// # Errors
    /// A refusal of the row where it is no struct or object; of the layout where an object has a field that the header
    /// lacks.
    pub(crate) fn write(&mut self, value: &Value, out: &mut Vec<u8>) -> Result<(), Refusal> {
        match value {
            Value::Struct(record) => {
                self.header(out);
                for (i, (field, item)) in record.iter().enumerate() {
                    separate(i, out);
                    let schema = self.schemas.get(i).unwrap_or(field.schema());
                    cell(&mut self.json, Some(schema), schema.or_default(item), out)?;
                }
            }
            Value::Object(object) => {
                self.find_places(object.shape())?;
                self.header(out);
                let places = self.places.iter().flat_map(|(_, places)| places);
                for (i, place) in places.enumerate() {
                    separate(i, out);
                    let value = place.and_then(|place| object.values().get(place));
                    cell(&mut self.json, None, value.unwrap_or(&Value::Null), out)?;
                }
            }
            other => {
                let text =
                    format!("a row of CSV is made of a struct or an object, not of {}", other.java_class());
                return Err(Refusal::Row(Error::data(text)));
            }
        }
        out.extend_from_slice(b"\r\n");
        self.pending = false;
        Ok(())
    }

    /// Finds out where objects of `shape` have the columns' values; the first one says which columns there are.
    fn find_places(&mut self, shape: &Shape) -> Result<(), Refusal> {
        if self.places.as_ref().is_some_and(|(known, _)| known.same(shape)) {
            return Ok(());
        }
        let columns = self.columns.get_or_insert_with(|| shape.keys().to_vec());
        let places: Vec<Option<usize>> = columns.iter().map(|column| shape.index_of(column)).collect();
        if places.iter().flatten().count() < shape.len() {
            return Err(Refusal::Layout);
        }
        self.places = Some((shape.clone(), places));
        Ok(())
    }

    /// Appends the header if it is not in the file yet. A row that is refused takes it back along.
    fn header(&self, out: &mut Vec<u8>) {
        if !self.pending {
            return;
        }
        for (i, column) in self.columns.iter().flatten().enumerate() {
            separate(i, out);
            text(column, out);
        }
        out.extend_from_slice(b"\r\n");
    }
}

fn separate(index: usize, out: &mut Vec<u8>) {
    if index > 0 {
        out.push(b',');
    }
}

fn cell(
    json: &mut JsonWriter,
    schema: Option<&Schema>,
    value: &Value,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    match value {
        Value::Null => {}
        Value::String(it) => text(it, out),
        Value::Bytes(bytes) => out.extend_from_slice(BASE64.encode(bytes).as_bytes()),
        Value::Float32(it) => write_f32(out, *it),
        Value::Float64(it) => write_f64(out, *it),
        Value::Decimal(it) => out.extend_from_slice(it.to_string().as_bytes()),
        Value::Date(days) => write_date(out, i64::from(*days)),
        Value::Time(ms) => write_time(out, i64::from(*ms)),
        Value::Timestamp(ms) => write_timestamp(out, *ms),
        Value::Boolean(_) | Value::Int8(_) | Value::Int16(_) | Value::Int32(_) | Value::Int64(_) => {
            json.write(None, value, out).map_err(Refusal::Row)?;
        }
        Value::Array(_) | Value::Map(_) | Value::Object(_) | Value::Struct(_) => {
            let mut nested = Vec::new();
            json.write(schema, value, &mut nested).map_err(Refusal::Row)?;
            quoted(&nested, out);
        }
    }
    Ok(())
}

/// A text, in quotes where it needs them.
fn text(text: &str, out: &mut Vec<u8>) {
    let needs_quotes = |byte: u8| matches!(byte, b',' | b'"' | b'\r' | b'\n');
    if text.is_empty() || text.bytes().any(needs_quotes) || text.starts_with(' ') || text.ends_with(' ') {
        quoted(text.as_bytes(), out);
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

fn quoted(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in bytes {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use lavka_api::data::{Decimal, Logical, Object, Struct};

    use super::*;

    #[test]
    fn fields_of_a_schema_make_the_header_and_their_types_the_cells() {
        let schema = Schema::structure()
            .field("id", Schema::of(Type::Int32))
            .field("a,b", Schema::optional(Type::String))
            .field("price", Schema::logical_of(Logical::Decimal(2)))
            .field("at", Schema::logical_of(Logical::Timestamp))
            .field("on", Schema::logical_of(Logical::Date))
            .field("time", Schema::logical_of(Logical::Time))
            .field("raw", Schema::of(Type::Bytes))
            .field("ok", Schema::of(Type::Boolean))
            .field("list", Schema::builder(Type::Array).values(Schema::of(Type::Int32)).build().unwrap())
            .build()
            .unwrap();
        let mut writer = CsvWriter::new(Some(&schema)).unwrap();
        let mut out = Vec::new();
        for text in [Value::Null, "".into(), "say \"hi\"\n".into()] {
            let row = Struct::new(
                schema.clone(),
                [
                    Value::Int32(-1),
                    text,
                    Decimal::new(1999, 2).into(),
                    Value::Timestamp(1_700_000_000_001),
                    Value::Date(-1),
                    Value::Time(3_723_004),
                    Value::Bytes((&[1, 2]).into()),
                    true.into(),
                    vec![Value::Int32(1), Value::Int32(2)].into(),
                ],
            );
            writer.write(&row.unwrap().into(), &mut out).unwrap();
        }
        let rest = "19.99,2023-11-14T22:13:20.001Z,1969-12-31,01:02:03.004Z,AQI=,true,\"[1,2]\"\r\n";
        let want = format!(
            "id,\"a,b\",price,at,on,time,raw,ok,list\r\n-1,,{rest}-1,\"\",{rest}-1,\"say \"\"hi\"\"\n\",{rest}"
        );
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }

    #[test]
    fn the_first_object_lays_out_the_file() {
        let mut writer = CsvWriter::new(None).unwrap();
        let mut out = Vec::new();
        let object = |entries: &[(&str, i64)]| {
            let entries = entries.iter().map(|(key, value)| (*key, Value::Int64(*value)));
            Value::from(Object::from_entries(entries.collect::<Vec<_>>()))
        };
        writer.write(&object(&[("a", 1), ("b", 2)]), &mut out).unwrap();
        writer.write(&object(&[("b", 3)]), &mut out).unwrap();
        let refusal = writer.write(&object(&[("a", 1), ("c", 4)]), &mut out).unwrap_err();
        assert!(matches!(refusal, Refusal::Layout));
        assert!(matches!(writer.write(&Value::Int32(1), &mut out), Err(Refusal::Row(_))));
        assert_eq!(out, b"a,b\r\n1,2\r\n,3\r\n");
    }
}

//! SenML packs (RFC 8428), resolved: each record stands for itself, with its base values added.
//!
//! The base fields of a pack apply to the records behind them (section 4.1); a resolved record (section 4.6) has an absolute
//! time. Labels that end in `_` must be understood; there are none so far, so a pack with one is refused. Other labels that
//! are not of the RFC are left out.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use lavka_api::data::{Blob, Datum, Logical, Schema, Str, Struct, Type, Value};
use lavka_api::{Error, Result};

/// Resolves packs; one per task.
#[derive(Debug)]
pub struct Senml {
    record: Schema,
    pack: Schema,
}

/// Times below this many seconds are relative to now (section 4.5.3).
const RELATIVE: f64 = 268_435_456.0;
/// The version of SenML that the RFC describes.
const VERSION: f64 = 10.0;

/// Data values come with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A label: its name in JSON, its number in CBOR (section 6, table 4).
type Label = (&'static str, i64);

const BASE_VERSION: Label = ("bver", -1);
const BASE_NAME: Label = ("bn", -2);
const BASE_TIME: Label = ("bt", -3);
const BASE_UNIT: Label = ("bu", -4);
const BASE_VALUE: Label = ("bv", -5);
const BASE_SUM: Label = ("bs", -6);
const NAME: Label = ("n", 0);
const UNIT: Label = ("u", 1);
const VALUE: Label = ("v", 2);
const STRING_VALUE: Label = ("vs", 3);
const BOOLEAN_VALUE: Label = ("vb", 4);
const SUM: Label = ("s", 5);
const TIME: Label = ("t", 6);
const UPDATE_TIME: Label = ("ut", 7);
const DATA_VALUE: Label = ("vd", 8);

/// What applies to the records behind.
#[derive(Debug, Default)]
struct Base {
    name: Option<Str>,
    time: f64,
    unit: Option<Str>,
    value: Option<f64>,
    sum: Option<f64>,
}

impl Default for Senml {
    fn default() -> Self {
        Self::new()
    }
}

impl Senml {
    /// A resolver with its schemas: an array of structs `io.lavka.senml.Record` with the fields `name`, `time` (a
    /// timestamp), `unit`, `value`, `string_value`, `boolean_value`, `data_value`, `sum` and `update_time` (seconds), all
    /// but the first two optional.
    #[must_use]
    pub fn new() -> Self {
        let fields = [
            ("name", Schema::of(Type::String)),
            ("time", Schema::logical_of(Logical::Timestamp)),
            ("unit", Schema::optional(Type::String)),
            ("value", Schema::optional(Type::Float64)),
            ("string_value", Schema::optional(Type::String)),
            ("boolean_value", Schema::optional(Type::Boolean)),
            ("data_value", Schema::optional(Type::Bytes)),
            ("sum", Schema::optional(Type::Float64)),
            ("update_time", Schema::optional(Type::Float64)),
        ];
        let builder = Schema::structure().name("io.lavka.senml.Record").version(1);
        let builder = fields.into_iter().fold(builder, |builder, (name, schema)| builder.field(name, schema));
        // Never refused: the names are different and the types are whole.
        let record = builder.build().unwrap_or_else(|_| Schema::of(Type::Struct));
        let pack = Schema::array(record.clone());
        Self { record, pack }
    }

    /// The records of `pack`, a JSON or CBOR document that was read into schemaless values; `now` in epoch milliseconds is
    /// what relative times are relative to.
    ///
    /// # Errors
    /// A data error that tells the record, counted from 0, and what is wrong with it.
    pub fn resolve(&self, pack: &Value, now: i64) -> Result<Datum> {
        let Value::Array(records) = pack else { return Err(wrong("the payload is not an array of records")) };
        let mut base = Base::default();
        let mut resolved = Vec::with_capacity(records.len());
        for (number, record) in records.iter().enumerate() {
            let values = base
                .take(record)
                .and_then(|()| base.resolve(record, now))
                .map_err(|what| wrong(&format!("record {number}: {what}")))?;
            // A record may carry base values alone (section 4.1).
            if let Some(values) = values {
                resolved.push(Value::from(Struct::new(self.record.clone(), values)?));
            }
        }
        Ok(Datum::new(self.pack.clone(), resolved))
    }
}

fn wrong(what: &str) -> Error {
    Error::data(format!("the payload is not SenML: {what}"))
}

impl Base {
    /// Takes the base fields of a record.
    fn take(&mut self, record: &Value) -> Result<(), String> {
        must_be_understood(record)?;
        if let Some(version) = number(record, BASE_VERSION)?.filter(|version| *version > VERSION) {
            return Err(format!("version {version} of SenML is not known"));
        }
        if let Some(name) = text(record, BASE_NAME)? {
            self.name = Some(name);
        }
        if let Some(time) = number(record, BASE_TIME)? {
            self.time = time;
        }
        if let Some(unit) = text(record, BASE_UNIT)? {
            self.unit = Some(unit);
        }
        self.value = number(record, BASE_VALUE)?.or(self.value);
        self.sum = number(record, BASE_SUM)?.or(self.sum);
        Ok(())
    }

    /// The values of a record in the order of the schema, none where it has no value.
    fn resolve(&self, record: &Value, now: i64) -> Result<Option<Vec<Value>>, String> {
        let value = number(record, VALUE)?;
        let (string, boolean) = (text(record, STRING_VALUE)?, boolean(record)?);
        let (data, sum) = (data(record)?, number(record, SUM)?);
        let values = usize::from(value.is_some())
            + usize::from(string.is_some())
            + usize::from(boolean.is_some())
            + usize::from(data.is_some());
        if values > 1 {
            return Err("it has more than one value".into());
        }
        if values == 0 && sum.is_none() {
            return Ok(None);
        }
        let name = [self.name.clone(), text(record, NAME)?];
        let name: String = name.iter().flatten().map(Str::as_str).collect();
        check_name(&name)?;
        let time = absolute(self.time + number(record, TIME)?.unwrap_or(0.0), now)?;
        let plus = |number: Option<f64>, base: Option<f64>| number.map(|number| number + base.unwrap_or(0.0));
        Ok(Some(vec![
            Value::from(name),
            time,
            text(record, UNIT)?.or_else(|| self.unit.clone()).into(),
            plus(value, self.value).into(),
            string.into(),
            boolean.into(),
            data.into(),
            // A sum that is only in the base still counts (section 4.2).
            plus(sum, self.sum).or(self.sum).into(),
            number(record, UPDATE_TIME)?.into(),
        ]))
    }
}

/// A time in seconds to a timestamp; below 2^28 it is relative to now, zero being now.
fn absolute(seconds: f64, now: i64) -> Result<Value, String> {
    let millis = (seconds * 1000.0).round();
    // Far beyond any date, and exact.
    if millis.is_nan() || millis.abs() >= 9.0e15 {
        return Err(format!("the time {seconds} is out of range"));
    }
    let millis = millis as i64;
    Ok(Value::Timestamp(if seconds < RELATIVE { now.saturating_add(millis) } else { millis }))
}

/// Section 4.5.1.
fn check_name(name: &str) -> Result<(), String> {
    let Some(first) = name.chars().next() else { return Err("it has no name".into()) };
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.' | '/' | '_');
    if !first.is_ascii_alphanumeric() || !name.chars().all(good) {
        return Err(format!("the name {name:?} has characters that a name must not have"));
    }
    Ok(())
}

fn must_be_understood(record: &Value) -> Result<(), String> {
    let labels: Vec<&str> = match record {
        Value::Object(object) => object.shape().keys().iter().map(Str::as_str).collect(),
        Value::Map(entries) => entries
            .iter()
            .filter_map(|(key, _)| match key {
                Value::String(key) => Some(key.as_str()),
                _ => None,
            })
            .collect(),
        _ => return Err("it is not an object".into()),
    };
    match labels.iter().find(|label| label.ends_with('_')) {
        Some(label) => Err(format!("the label {label} must be understood, and is not")),
        None => Ok(()),
    }
}

/// The field with this label: an object's in JSON, a map's in CBOR, where the last of a label counts as in an object.
fn field(record: &Value, (name, label): Label) -> Option<&Value> {
    match record {
        Value::Object(object) => object.get(name),
        Value::Map(entries) => entries.iter().rev().find_map(|(key, value)| match key {
            Value::Int64(key) if *key == label => Some(value),
            _ => None,
        }),
        _ => None,
    }
}

fn number(record: &Value, label: Label) -> Result<Option<f64>, String> {
    let number = match field(record, label) {
        None => return Ok(None),
        Some(Value::Int64(number)) => *number as f64,
        Some(Value::Float64(number)) => *number,
        Some(Value::Decimal(number)) => number.to_f64(),
        Some(_) => return Err(format!("{} is not a number", label.0)),
    };
    Ok(Some(number))
}

fn text(record: &Value, label: Label) -> Result<Option<Str>, String> {
    match field(record, label) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("{} is not text", label.0)),
    }
}

fn boolean(record: &Value) -> Result<Option<bool>, String> {
    match field(record, BOOLEAN_VALUE) {
        None => Ok(None),
        Some(Value::Boolean(boolean)) => Ok(Some(*boolean)),
        Some(_) => Err("vb is neither true nor false".into()),
    }
}

/// Bytes in CBOR, base64 with the alphabet for URLs in JSON.
fn data(record: &Value) -> Result<Option<Blob>, String> {
    match field(record, DATA_VALUE) {
        None => Ok(None),
        Some(Value::Bytes(bytes)) => Ok(Some(bytes.clone())),
        Some(Value::String(text)) => BASE64
            .decode(text.as_str())
            .map(|bytes| Some(bytes.into()))
            .map_err(|_| "vd is not base64".into()),
        Some(_) => Err("vd is not data".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;
    use crate::payload::CborReader;

    const NOW: i64 = 1_700_000_000_000;

    fn resolve(json: &str) -> Result<Vec<String>> {
        records(&parse(json.as_bytes()).unwrap())
    }

    /// Each record as `field=value`, what is null left out.
    fn records(pack: &Value) -> Result<Vec<String>> {
        let Value::Array(records) = Senml::new().resolve(pack, NOW)?.value else { panic!("no array") };
        let show = |record: &Value| match record {
            Value::Struct(record) => record
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(field, value)| format!("{}={value:?}", field.name()))
                .collect::<Vec<_>>()
                .join(" "),
            other => panic!("{other:?}"),
        };
        Ok(records.iter().map(show).collect())
    }

    /// RFC 8428, section 5.1.
    #[test]
    fn examples_of_the_rfc() {
        let now = format!("time=Timestamp({NOW})");
        assert_eq!(
            resolve(r#"[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]"#).unwrap(),
            [format!(
                "name=String(\"urn:dev:ow:10e2073a01080063\") {now} unit=String(\"Cel\") value=Float64(23.1)"
            )]
        );
        let several = r#"[
            {"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","bver":5,"n":"voltage","u":"V","v":120.1},
            {"n":"current","t":-5,"v":1.2},
            {"n":"current","t":-4,"v":1.3}
        ]"#;
        assert_eq!(
            resolve(several).unwrap(),
            [
                r#"name=String("urn:dev:ow:10e2073a0108006:voltage") time=Timestamp(1276020076001) unit=String("V") value=Float64(120.1)"#,
                r#"name=String("urn:dev:ow:10e2073a0108006:current") time=Timestamp(1276020071001) unit=String("A") value=Float64(1.2)"#,
                r#"name=String("urn:dev:ow:10e2073a0108006:current") time=Timestamp(1276020072001) unit=String("A") value=Float64(1.3)"#,
            ]
        );
    }

    #[test]
    fn values_of_every_kind() {
        let pack = r#"[
            {"bn":"d/","bv":10,"bs":100},
            {"n":"a","v":1,"ut":5},
            {"n":"b","vs":"text"},
            {"n":"c","vb":true},
            {"n":"e","vd":"_-8"},
            {"n":"f","s":2,"t":-60}
        ]"#;
        let at = |name: &str| format!("name=String(\"d/{name}\") time=Timestamp({NOW})");
        assert_eq!(
            resolve(pack).unwrap(),
            [
                format!("{} value=Float64(11.0) sum=Float64(100.0) update_time=Float64(5.0)", at("a")),
                format!("{} string_value=String(\"text\") sum=Float64(100.0)", at("b")),
                format!("{} boolean_value=Boolean(true) sum=Float64(100.0)", at("c")),
                format!("{} data_value=Bytes(Blob(2 bytes)) sum=Float64(100.0)", at("e")),
                format!("name=String(\"d/f\") time=Timestamp({}) sum=Float64(102.0)", NOW - 60_000),
            ]
        );
    }

    /// RFC 8428, section 6: the second example of section 5.1, shortened, in CBOR.
    #[test]
    fn cbor_has_numbers_for_labels() {
        // [{-2: "dev:", -4: "A", 0: "v", 1: "V", 2: 120.5}, {0: "c", 6: -5, 2: 1}, {0: "d", 8: h'0102'}]
        let pack = [
            &[0x83, 0xa5, 0x21, 0x64][..],
            b"dev:",
            &[0x23, 0x61, b'A', 0x00, 0x61, b'v', 0x01, 0x61, b'V', 0x02, 0xf9, 0x57, 0x88],
            &[0xa3, 0x00, 0x61, b'c', 0x06, 0x24, 0x02, 0x01],
            &[0xa2, 0x00, 0x61, b'd', 0x08, 0x42, 1, 2],
        ]
        .concat();
        let pack = CborReader::new().read(&pack).unwrap();
        assert_eq!(
            records(&pack).unwrap(),
            [
                format!(
                    r#"name=String("dev:v") time=Timestamp({NOW}) unit=String("V") value=Float64(120.5)"#
                ),
                format!(
                    r#"name=String("dev:c") time=Timestamp({}) unit=String("A") value=Float64(1.0)"#,
                    NOW - 5000
                ),
                format!(
                    r#"name=String("dev:d") time=Timestamp({NOW}) unit=String("A") data_value=Bytes(Blob(2 bytes))"#
                ),
            ]
        );
    }

    #[test]
    fn what_is_not_senml() {
        for (json, part) in [
            ("{}", "not an array of records"),
            ("[1]", "record 0: it is not an object"),
            (r#"[{"n":"a","v":1},{"v":1}]"#, "record 1: it has no name"),
            (r#"[{"n":"_a","v":1}]"#, "characters that a name must not have"),
            (r#"[{"n":"a b","v":1}]"#, "characters that a name must not have"),
            (r#"[{"n":"a","v":1,"vs":"x"}]"#, "more than one value"),
            (r#"[{"n":"a","v":"1"}]"#, "v is not a number"),
            (r#"[{"n":1,"v":1}]"#, "n is not text"),
            (r#"[{"n":"a","vb":1}]"#, "vb is neither true nor false"),
            (r#"[{"n":"a","vd":"*"}]"#, "vd is not base64"),
            (r#"[{"n":"a","v":1,"x_":1}]"#, "the label x_ must be understood"),
            (r#"[{"bver":11,"n":"a","v":1}]"#, "version 11 of SenML"),
            (r#"[{"n":"a","v":1,"t":1e300}]"#, "out of range"),
        ] {
            let error = resolve(json).unwrap_err();
            assert!(error.message().unwrap().contains(part), "{json}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn hostile_packs_are_resolved_without_harm(bytes: Vec<u8>) {
            if let Ok(value) = CborReader::new().read(&bytes) {
                let _ = Senml::new().resolve(&value, NOW);
                let _ = Senml::new().resolve(&Value::from(vec![value]), NOW);
            }
        }
    }
}

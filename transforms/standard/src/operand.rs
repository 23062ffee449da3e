//! The half of a record that a transform works on, and the wording of what it refuses.

use lavka_api::data::{Datum, Object, Record, RecordKind, Schema, Shape, Str, Struct, Value};
use lavka_api::{Error, ErrorClass, Result};

/// Key or value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Key,
    Value,
}

impl Side {
    /// This half of `record`.
    pub(crate) fn of(self, record: &mut Record) -> &mut Datum {
        match self {
            Side::Key => &mut record.key,
            Side::Value => &mut record.value,
        }
    }
}

/// Where the value is not a struct although there is a schema.
pub(crate) fn not_a_struct(value: &Value, purpose: &str) -> Error {
    Error::data(format!("Only Struct objects supported for [{purpose}], found: {}", value.java_class()))
}

/// Where the value is not a map although there is no schema.
pub(crate) fn not_a_map(value: &Value, purpose: &str) -> Error {
    let class = value.java_class();
    Error::data(format!("Only Map objects supported in absence of schema for [{purpose}], found: {class}"))
}

/// The offset of a sink record.
///
/// # Errors
/// For a source record, which has none.
pub(crate) fn sink_offset(kind: RecordKind, purpose: &str) -> Result<i64> {
    match kind {
        RecordKind::Sink { offset, .. } => Ok(offset),
        RecordKind::Source => Err(Error::data(format!(
            "Only SinkRecord supported for [{purpose}], found: org.apache.kafka.connect.source.SourceRecord"
        ))),
    }
}

/// Where Java casts the key of a map to `String` and it is something else.
pub(crate) fn not_a_string_key(key: &Value) -> Error {
    let class = key.java_class();
    let message = format!(
        "class {class} cannot be cast to class java.lang.String ({class} and java.lang.String are in module java.base \
         of loader 'bootstrap')"
    );
    Error::new(ErrorClass::Data, "java.lang.ClassCastException", message)
}

/// Rebuilds the struct in `operand` around changed values, with another schema. `change` must give as many values as
/// `schema` has fields.
pub(crate) fn rebuild_struct(
    operand: &mut Datum,
    schema: &Schema,
    change: impl FnOnce(Box<[Value]>) -> Box<[Value]>,
) -> Result<()> {
    match operand.value.take() {
        Value::Struct(mut record) => {
            let values = (*record).into_values();
            // The box is used again.
            *record = Struct::new(schema.clone(), change(values))?;
            operand.value = Value::Struct(record);
            operand.schema = Some(schema.clone());
        }
        other => operand.value = other,
    }
    Ok(())
}

/// Rebuilds the object in `operand` around changed values, with another shape.
pub(crate) fn rebuild_object(
    operand: &mut Datum,
    shape: &Shape,
    change: impl FnOnce(Vec<Value>) -> Vec<Value>,
) {
    match operand.value.take() {
        Value::Object(object) => {
            let (_, values) = object.into_parts();
            operand.value = Object::new(shape.clone(), change(values.into_vec())).into();
        }
        other => operand.value = other,
    }
}

/// Changes the entries of the map in `operand`, whose keys may be of any type.
pub(crate) fn rebuild_map(
    operand: &mut Datum,
    change: impl FnOnce(Vec<(Value, Value)>) -> Vec<(Value, Value)>,
) {
    match operand.value.take() {
        Value::Map(entries) => operand.value = Value::Map(change(entries.into_vec()).into_boxed_slice()),
        other => operand.value = other,
    }
}

/// The value of the string key `name`.
pub(crate) fn map_get<'a>(entries: &'a [(Value, Value)], name: &str) -> Option<&'a Value> {
    entries.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
}

/// Sets the value of the string key `name`, at the end if it is new.
pub(crate) fn map_put(entries: &mut Vec<(Value, Value)>, name: &Str, value: Value) {
    match entries.iter_mut().find(|(key, _)| key.as_str() == Some(name)) {
        Some(entry) => entry.1 = value,
        None => entries.push((name.clone().into(), value)),
    }
}

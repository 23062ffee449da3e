//! Change events as Debezium's sources write them.

use lavka_api::data::{Datum, Schema, Struct, Type, Value};

/// Whether values of this schema are change events: named `...Envelope`, or without a name and with a field `op`.
pub(crate) fn is_envelope(schema: &Schema) -> bool {
    schema.ty() == Type::Struct
        && match schema.name() {
            Some(name) => {
                let name = name.as_str();
                name.ends_with(".Envelope") || name.ends_with("-Envelope") || name == "Envelope"
            }
            None => schema.field("op").is_some(),
        }
}

/// Whether values of this schema tell of changes of tables, which are nobody's rows.
pub(crate) fn is_schema_change(schema: &Schema) -> bool {
    schema.name().is_some_and(|name| name.as_str().contains("SchemaChangeValue"))
}

/// What happened to the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Created, read by a snapshot, or updated: there is an `after`.
    Write,
    Delete,
    Truncate,
    /// Something that is about no row (`m`, a logical message).
    Other,
}

/// A change event, read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Envelope<'a> {
    pub(crate) operation: Operation,
    pub(crate) before: Option<&'a Struct>,
    pub(crate) after: Option<&'a Struct>,
    pub(crate) source: Option<&'a Struct>,
}

impl<'a> Envelope<'a> {
    /// Reads a value whose schema [`is_envelope`]; `None` where it is no struct.
    pub(crate) fn read(value: &'a Datum) -> Option<Self> {
        let Value::Struct(event) = &value.value else { return None };
        let part = |name: &str| match event.get(name) {
            Some(Value::Struct(part)) => Some(&**part),
            _ => None,
        };
        let operation = match event.get("op").and_then(Value::as_str) {
            Some("c" | "r" | "u") => Operation::Write,
            Some("d") => Operation::Delete,
            Some("t") => Operation::Truncate,
            _ => Operation::Other,
        };
        Some(Self { operation, before: part("before"), after: part("after"), source: part("source") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_taken_apart() {
        let row = Schema::structure().field("id", Schema::of(Type::Int32)).optional().build().unwrap();
        let schema = Schema::structure()
            .name("shop.public.orders.Envelope")
            .field("before", row.clone())
            .field("after", row.clone())
            .field("op", Schema::of(Type::String))
            .build()
            .unwrap();
        assert!(is_envelope(&schema) && !is_envelope(&row));
        let after = Struct::new(row, [Value::Int32(1)]).unwrap();
        let event = Struct::new(schema.clone(), [Value::Null, after.into(), "u".into()]).unwrap();
        let datum = Datum::new(schema, event);
        let envelope = Envelope::read(&datum).unwrap();
        assert_eq!(envelope.operation, Operation::Write);
        assert!(envelope.before.is_none() && envelope.after.is_some() && envelope.source.is_none());
    }
}

//! Payloads of Lenses' `AvroConverter`: Avro without a header, by the schema in a file.

use lavka_api::data::{Blob, Datum, Schema, Struct, Value};
use lavka_api::{Error, Result};
use lavka_avro::{AvroSchema, Encoder, Mapping};

use super::statement::Selected;
use crate::sink::field::find;

/// Writes the values of one statement.
pub(crate) struct AvroWriter {
    avro: AvroSchema,
    /// Plans for the schemas of records, by pointer.
    plans: Vec<Plan>,
    scratch: Vec<u8>,
}

struct Plan {
    /// Of the records.
    schema: Schema,
    /// Of what is selected of them, where it is not the whole.
    selection: Option<Schema>,
    encoder: Encoder,
}

/// Schemas whose plans are kept.
const PLANS: usize = 100;

impl AvroWriter {
    pub(crate) fn new(avro: AvroSchema) -> Self {
        Self { avro, plans: Vec::new(), scratch: Vec::new() }
    }

    /// The payload of `datum`, of `fields` where there are some; a null has none.
    ///
    /// # Errors
    /// A data error where it has no schema, or the schema in the file does not take it.
    pub(crate) fn encode(&mut self, datum: &Datum, fields: &[Selected]) -> Result<Blob> {
        let schema = match (&datum.schema, &datum.value) {
            (_, Value::Null) => return Ok(Blob::default()),
            (Some(schema), Value::Struct(_)) => schema,
            (_, other) => {
                let what = format!("AvroConverter writes structs; the value is a {}", other.java_class());
                return Err(Error::data(what));
            }
        };
        let at = match self.plans.iter().position(|plan| plan.schema.same(schema)) {
            Some(at) => at,
            None => self.plan(schema, fields)?,
        };
        let Some(plan) = self.plans.get(at) else { return Ok(Blob::default()) };
        self.scratch.clear();
        match &plan.selection {
            None => plan.encoder.encode_datum(&datum.value, &mut self.scratch)?,
            Some(selection) => {
                let values = fields.iter().map(|field| find(&datum.value, &field.path, "value").cloned());
                let values: Vec<Value> = values.collect::<Result<_>>()?;
                let part = Struct::new(selection.clone(), values)?;
                plan.encoder.encode_datum(&part.into(), &mut self.scratch)?;
            }
        }
        Ok(self.scratch.as_slice().into())
    }

    /// The place of a new plan.
    fn plan(&mut self, schema: &Schema, fields: &[Selected]) -> Result<usize> {
        let selection = match fields {
            [] => None,
            fields => {
                let mut builder = Schema::structure();
                for field in fields {
                    builder = builder.field(field.name.as_str(), schema_at(schema, &field.path)?);
                }
                Some(builder.build()?)
            }
        };
        let encoder =
            Encoder::new(&Mapping::default(), Some(selection.as_ref().unwrap_or(schema)), &self.avro)?;
        if self.plans.len() >= PLANS {
            self.plans.clear();
        }
        self.plans.push(Plan { schema: schema.clone(), selection, encoder });
        Ok(self.plans.len() - 1)
    }
}

fn schema_at(schema: &Schema, path: &[String]) -> Result<Schema> {
    let mut at = schema;
    for name in path {
        let field = at
            .field(name)
            .ok_or_else(|| Error::data(format!("there is no field {} in value", path.join("."))))?;
        at = field.schema();
    }
    Ok(at.clone())
}

#[cfg(test)]
mod tests {
    use lavka_api::data::{Object, Type};

    use super::super::statement::Statement;
    use super::*;

    fn writer() -> AvroWriter {
        let schema = r#"{"type":"record","name":"R","fields":[{"name":"n","type":"long"},
            {"name":"room","type":["null","string"],"default":null}]}"#;
        AvroWriter::new(AvroSchema::parse(schema).unwrap())
    }

    fn reading(room: Option<&str>) -> Datum {
        let place = Schema::structure().field("room", Schema::optional(Type::String)).build().unwrap();
        let schema = Schema::structure()
            .field("id", Schema::of(Type::Int64))
            .field("place", place.clone())
            .build()
            .unwrap();
        let place = Struct::new(place, vec![room.into()]).unwrap();
        Datum::new(schema.clone(), Struct::new(schema, vec![7i64.into(), place.into()]).unwrap())
    }

    #[test]
    fn what_is_selected_is_written() {
        let kcql = "INSERT INTO t SELECT id AS n, place.room FROM k";
        let fields = Statement::parse_all(kcql).unwrap().remove(0).fields;
        let mut writer = writer();
        let mut written = |datum: &Datum| writer.encode(datum, &fields).unwrap().to_vec();
        assert_eq!(written(&reading(Some("r1"))), [14, 2, 4, b'r', b'1']);
        assert_eq!(written(&reading(None)), [14, 0]);
        assert_eq!(written(&Datum::NULL), [0u8; 0]);
    }

    #[test]
    fn what_the_schema_does_not_take_is_the_records_error() {
        let mut writer = writer();
        for (datum, part) in [
            (Datum::schemaless(Object::from_entries([("n", 1i64)])), "AvroConverter writes structs"),
            (Datum::schemaless("text"), "AvroConverter writes structs"),
            (reading(None), "n"),
        ] {
            let error = writer.encode(&datum, &[]).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            assert_eq!(error.class(), lavka_api::ErrorClass::Data);
        }
    }
}

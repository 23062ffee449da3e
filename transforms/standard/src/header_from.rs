//! `HeaderFrom`: moves or copies fields into headers.

use lavka_api::config::{Check, Config, ConfigSpec, key};
use lavka_api::data::{Datum, Header, Record, Schema, Shape, ShapeTable, Str, Value};
use lavka_api::plugin::{Transform, Verdict};
use lavka_api::{Error, ErrorClass, Result, error::exception};

use crate::nulls::{NullRules, replace_null_with_default};
use crate::operand::{Side, map_get, not_a_map, not_a_struct, rebuild_map, rebuild_object, rebuild_struct};
use crate::plan::{Plans, SCHEMAS, SHAPES, TRANSITIONS};

lavka_api::config! {
    /// Keys of `HeaderFrom`.
    pub(crate) struct HeaderFromConfig {
        fields: Vec<String> = key("fields").high().check(Check::non_empty_list())
            .doc("Fields whose values become headers."),
        headers: Vec<String> = key("headers").high().check(Check::non_empty_list())
            .doc("Names of the headers, one for each of fields, in the same order."),
        operation: String = key("operation").high().check(Check::one_of(&["move", "copy"]))
            .doc("move: the fields are taken out of the struct or map. copy: they stay there too."),
        replace_null_with_default: bool = replace_null_with_default(),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Move,
    Copy,
}

impl Operation {
    fn purpose(self) -> &'static str {
        match self {
            Operation::Move => "header move",
            Operation::Copy => "header copy",
        }
    }
}

struct StructPlan {
    /// For each header the place of its field and that field's schema, or that there is no such field.
    sources: Vec<Result<(usize, Schema)>>,
    /// What is left after a move; `None` for a copy.
    rest: Option<Rest>,
}

struct Rest {
    schema: Schema,
    /// Places of the fields that stay.
    kept: Vec<usize>,
    nulls: NullRules,
}

struct ObjectPlan {
    sources: Vec<Option<usize>>,
    rest: Option<(Shape, Vec<usize>)>,
}

pub(crate) struct HeaderFrom {
    side: Side,
    fields: Vec<Str>,
    headers: Vec<Str>,
    operation: Operation,
    replace_nulls: bool,
    structs: Plans<Schema, StructPlan>,
    objects: Plans<Shape, ObjectPlan>,
    shapes: ShapeTable,
}

impl HeaderFrom {
    pub(crate) fn new(config: &Config, side: Side) -> Result<Self> {
        let config = HeaderFromConfig::from_config(config)?;
        if config.fields.len() != config.headers.len() {
            return Err(Error::config(
                "'fields' config must have the same number of elements as 'headers' config.",
            ));
        }
        Ok(Self {
            side,
            fields: config.fields.into_iter().map(Str::from).collect(),
            headers: config.headers.into_iter().map(Str::from).collect(),
            operation: if config.operation == "move" { Operation::Move } else { Operation::Copy },
            replace_nulls: config.replace_null_with_default,
            structs: Plans::new(SCHEMAS),
            objects: Plans::new(SHAPES),
            shapes: ShapeTable::new(TRANSITIONS),
        })
    }
}

fn compile_struct(
    fields: &[Str],
    operation: Operation,
    replace_nulls: bool,
    schema: &Schema,
) -> Result<StructPlan> {
    let sources = fields.iter().map(|name| {
        let at = schema.index_of(name);
        at.and_then(|at| Some((at, schema.fields().get(at)?.schema().clone()))).ok_or_else(|| {
            Error::new(
                ErrorClass::Data,
                exception::NULL_POINTER,
                format!("There is no field {name} to make a header of: see fields of HeaderFrom"),
            )
        })
    });
    let rest = || -> Result<Rest> {
        let mut builder = Schema::structure().basics_of(schema);
        let mut nulls = NullRules::new();
        let mut kept = Vec::new();
        for (at, field) in schema.fields().iter().enumerate() {
            if !fields.contains(field.name()) {
                let default = field.schema().default_value().filter(|_| replace_nulls);
                nulls.add(at, default, field.name(), field.schema());
                builder = builder.field(field.name().clone(), field.schema().clone());
                kept.push(at);
            }
        }
        Ok(Rest { schema: builder.build()?, kept, nulls })
    };
    Ok(StructPlan {
        sources: sources.collect(),
        rest: if operation == Operation::Move { Some(rest()?) } else { None },
    })
}

fn compile_object(
    fields: &[Str],
    operation: Operation,
    shape: &Shape,
    shapes: &mut ShapeTable,
) -> ObjectPlan {
    let rest = (operation == Operation::Move).then(|| {
        let kept: Vec<usize> = shape
            .keys()
            .iter()
            .enumerate()
            .filter(|(_, key)| !fields.contains(key))
            .map(|(at, _)| at)
            .collect();
        let keys: Vec<&str> = kept.iter().filter_map(|&at| shape.keys().get(at)).map(Str::as_str).collect();
        (shapes.intern(keys), kept)
    });
    ObjectPlan { sources: fields.iter().map(|name| shape.index_of(name)).collect(), rest }
}

/// The header of a field, if its value may be null there.
fn header(name: &Str, schema: &Schema, value: &Value, replace_nulls: bool) -> Result<Header> {
    let value = if replace_nulls { schema.or_default(value) } else { value };
    if value.is_null() && !schema.is_optional() {
        return Err(Error::data(format!("A null value requires an optional schema but was {schema}")));
    }
    Ok(Header { key: name.clone(), datum: Datum::new(schema.clone(), value.clone()) })
}

fn kept(values: &mut [Value], places: &[usize]) -> Vec<Value> {
    places.iter().map(|&at| values.get_mut(at).map(Value::take).unwrap_or_default()).collect()
}

/// What stays of `value` and the headers that come of it.
fn schemaless_headers<'a>(names: &[Str], values: impl Iterator<Item = Option<&'a Value>>) -> Vec<Header> {
    names
        .iter()
        .zip(values)
        .map(|(name, value)| Header {
            key: name.clone(),
            datum: Datum::schemaless(value.cloned().unwrap_or_default()),
        })
        .collect()
}

impl HeaderFrom {
    /// The headers to add, after the operand was changed.
    fn take_headers(&mut self, record: &mut Record) -> Result<Vec<Header>> {
        let Self { side, fields, headers: names, operation, replace_nulls, structs, objects, shapes } = self;
        let purpose = operation.purpose();
        let operand: &mut Datum = side.of(record);
        match (&operand.schema, &operand.value) {
            (Some(_), Value::Struct(value)) => {
                let plan = structs.get(value.schema(), |schema| {
                    compile_struct(fields, *operation, *replace_nulls, schema)
                })?;
                if let Some(rest) = &plan.rest {
                    rest.nulls.check(value.values())?;
                }
                let headers = names.iter().zip(&plan.sources).map(|(name, source)| {
                    let (at, schema) = source.as_ref().map_err(Clone::clone)?;
                    header(name, schema, value.values().get(*at).unwrap_or(&Value::Null), *replace_nulls)
                });
                let headers = headers.collect::<Result<Vec<_>>>()?;
                if let Some(rest) = &plan.rest {
                    rebuild_struct(operand, &rest.schema, |mut values| {
                        rest.nulls.fill(&mut values);
                        kept(&mut values, &rest.kept).into_boxed_slice()
                    })?;
                }
                Ok(headers)
            }
            (Some(_), other) => Err(not_a_struct(other, purpose)),
            (None, Value::Object(object)) => {
                let plan = objects
                    .get(object.shape(), |shape| Ok(compile_object(fields, *operation, shape, shapes)))?;
                let sources = plan.sources.iter().map(|at| at.and_then(|at| object.values().get(at)));
                let headers = schemaless_headers(names, sources);
                if let Some((shape, places)) = &plan.rest {
                    rebuild_object(operand, shape, |mut values| kept(&mut values, places));
                }
                Ok(headers)
            }
            (None, Value::Map(entries)) => {
                let headers = schemaless_headers(names, fields.iter().map(|name| map_get(entries, name)));
                if *operation == Operation::Move {
                    rebuild_map(operand, |mut entries| {
                        entries.retain(|(key, _)| !fields.iter().any(|name| key.as_str() == Some(name)));
                        entries
                    });
                }
                Ok(headers)
            }
            (None, other) => Err(not_a_map(other, purpose)),
        }
    }
}

impl Transform for HeaderFrom {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        let headers = self.take_headers(record)?;
        record.headers.extend(headers);
        Ok(Verdict::Keep)
    }
}

#[cfg(test)]
mod tests {
    use lavka_api::data::{Struct, Type};

    use super::*;

    #[test]
    fn a_struct_that_lacks_a_field_keeps_its_place_in_the_message() {
        let schema = Schema::structure().field("a", Schema::of(Type::Int32)).build().unwrap();
        let value = Struct::new(schema.clone(), [Value::Int32(1)]).unwrap();
        let keys = [("fields", "zz"), ("headers", "h"), ("operation", "copy")];
        let mut transform = HeaderFrom::new(&Config::from(keys), Side::Value).unwrap();
        let mut record = Record { value: Datum::new(schema, value), ..Record::for_topic("t") };
        let error = transform.apply(&mut record).unwrap_err();
        assert_eq!(error.exception(), exception::NULL_POINTER);
        assert!(error.message().unwrap().contains("no field zz"));
    }
}

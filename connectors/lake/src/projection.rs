//! A record of one schema in the form of another: fields by name, numbers widened, what is missing by its default.

use std::sync::Arc;

use lavka_api::data::{Schema, Str, Struct, Type, Value};
use lavka_api::{Error, Result};
use lavka_avro::parameter;

/// Parameters with which enums carry their symbols: `<prefix>` names the enum, `<prefix>.<symbol>` a symbol.
const ENUMS: [&str; 2] = [parameter::ENUM, parameter::GENERAL_ENUM];
/// Beginnings of parameters that describe and do not change what values are.
const DESCRIPTIONS: [&str; 5] = [
    parameter::FIELD_DOC,
    parameter::RECORD_DOC,
    parameter::ENUM_DOC,
    parameter::ENUM_DEFAULT,
    parameter::FIELD_DEFAULT,
];

/// Numbers in the order in which they are widened.
const NUMBERS: [Type; 6] = [Type::Int8, Type::Int16, Type::Int32, Type::Int64, Type::Float32, Type::Float64];

/// A plan from one schema to another.
#[derive(Debug)]
pub(crate) struct Projection {
    step: Step,
    /// Stands in for null.
    default: Option<Value>,
}

#[derive(Debug)]
enum Step {
    /// The value as it is.
    Copy,
    /// A number as one of this type.
    Widen(Type),
    Struct(Schema, Vec<Part>),
    Array(Arc<Projection>),
    Map(Arc<Projection>, Arc<Projection>),
}

/// A field of the result.
#[derive(Debug)]
enum Part {
    /// The field of the record at this place.
    Field(usize, Projection),
    /// Not in the record: the default, or null.
    Missing(Value),
}

impl Projection {
    /// The plan from values of `from` to values of `to`; `None` where some cannot be brought into that form.
    pub(crate) fn compile(from: &Schema, to: &Schema) -> Option<Self> {
        if from == to {
            return Some(Self { step: Step::Copy, default: None });
        }
        let default = to.default_value().cloned();
        if from.is_optional() && !to.is_optional() && default.is_none() {
            return None;
        }
        if from.name() != to.name() || !parameters_fit(from, to) {
            return None;
        }
        let step = match (from.ty(), to.ty()) {
            (Type::Struct, Type::Struct) => {
                let part = |field: &lavka_api::data::Field| match from.index_of(field.name()) {
                    Some(index) => {
                        let source = from.fields().get(index)?.schema();
                        Some(Part::Field(index, Self::compile(source, field.schema())?))
                    }
                    None => match field.schema().default_value() {
                        Some(default) => Some(Part::Missing(default.clone())),
                        None => field.schema().is_optional().then_some(Part::Missing(Value::Null)),
                    },
                };
                Step::Struct(to.clone(), to.fields().iter().map(part).collect::<Option<_>>()?)
            }
            (Type::Array, Type::Array) => Step::Array(Arc::new(Self::compile(from.values()?, to.values()?)?)),
            (Type::Map, Type::Map) => Step::Map(
                Arc::new(Self::compile(from.keys()?, to.keys()?)?),
                Arc::new(Self::compile(from.values()?, to.values()?)?),
            ),
            (narrow, wide) if narrow == wide => Step::Copy,
            (narrow, wide) => {
                let rank = |ty: Type| NUMBERS.iter().position(|number| *number == ty);
                if rank(narrow)? > rank(wide)? || from.logical().is_some() || to.logical().is_some() {
                    return None;
                }
                Step::Widen(wide)
            }
        };
        Some(Self { step, default })
    }

    /// `value` in the form of the plan's target.
    ///
    /// # Errors
    /// A data error where `value` is not of the plan's source.
    pub(crate) fn apply(&self, value: &Value) -> Result<Value> {
        if value.is_null() {
            return Ok(self.default.clone().unwrap_or(Value::Null));
        }
        match (&self.step, value) {
            (Step::Copy, value) => Ok(value.clone()),
            (Step::Widen(ty), value) => widen(value, *ty).ok_or_else(|| mismatch(value)),
            (Step::Struct(schema, parts), Value::Struct(record)) => {
                let values = parts.iter().map(|part| match part {
                    Part::Field(index, projection) => {
                        projection.apply(record.values().get(*index).unwrap_or(&Value::Null))
                    }
                    Part::Missing(default) => Ok(default.clone()),
                });
                Ok(Struct::new(schema.clone(), values.collect::<Result<Vec<_>>>()?)?.into())
            }
            (Step::Array(items), Value::Array(array)) => {
                Ok(array.iter().map(|item| items.apply(item)).collect::<Result<Vec<_>>>()?.into())
            }
            (Step::Map(keys, values), Value::Map(map)) => {
                let entries = map.iter().map(|(key, value)| Ok((keys.apply(key)?, values.apply(value)?)));
                Ok(Value::Map(entries.collect::<Result<_>>()?))
            }
            (_, value) => Err(mismatch(value)),
        }
    }
}

fn mismatch(value: &Value) -> Error {
    Error::data(format!("a {} where the record's schema has another type", value.java_class()))
}

#[expect(clippy::cast_precision_loss, reason = "what Java's widening of numbers does as well")]
fn widen(value: &Value, ty: Type) -> Option<Value> {
    let whole = match value {
        Value::Int8(it) => i64::from(*it),
        Value::Int16(it) => i64::from(*it),
        Value::Int32(it) => i64::from(*it),
        Value::Int64(it) => *it,
        Value::Float32(it) if ty == Type::Float64 => return Some(Value::Float64(f64::from(*it))),
        _ => return None,
    };
    Some(match ty {
        Type::Int16 => Value::Int16(i16::try_from(whole).ok()?),
        Type::Int32 => Value::Int32(i32::try_from(whole).ok()?),
        Type::Int64 => Value::Int64(whole),
        Type::Float32 => Value::Float32(whole as f32),
        Type::Float64 => Value::Float64(whole as f64),
        _ => return None,
    })
}

/// Whether parameters are the same, but for descriptions; an enum's symbols need only be among the target's.
fn parameters_fit(from: &Schema, to: &Schema) -> bool {
    let is_symbol =
        |key: &str| ENUMS.iter().any(|name| key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')));
    fn telling(schema: &Schema) -> impl Iterator<Item = &(Str, Str)> {
        schema.parameters().iter().filter(|(key, _)| !DESCRIPTIONS.iter().any(|name| key.starts_with(name)))
    }
    let is_in = |schema: &Schema, (key, value): &(Str, Str)| schema.parameter(key) == Some(value);
    telling(from).all(|parameter| {
        is_in(to, parameter) || (is_symbol(&parameter.0) && to.parameter(&parameter.0).is_some())
    }) && telling(to).all(|parameter| is_symbol(&parameter.0) || is_in(from, parameter))
}

#[cfg(test)]
mod tests {
    use lavka_api::data::{Logical, SchemaBuilder};

    use super::*;

    fn plan(from: &Schema, to: &Schema) -> Option<Projection> {
        Projection::compile(from, to)
    }

    fn with_default(ty: Type, value: Value) -> Schema {
        Schema::builder(ty).default_value(value).build().unwrap()
    }

    #[test]
    fn fields_go_by_name_and_missing_ones_by_their_default() {
        let from = Schema::structure()
            .field("gone", Schema::of(Type::String))
            .field("n", Schema::of(Type::Int32))
            .field("maybe", Schema::optional(Type::String));
        let to = Schema::structure()
            .field("maybe", with_default(Type::String, "none".into()))
            .field("n", Schema::of(Type::Float64))
            .field("new", with_default(Type::Int32, Value::Int32(7)))
            .field("extra", Schema::optional(Type::Int32));
        let (from, to) = (from.build().unwrap(), to.build().unwrap());
        let record = Struct::new(from.clone(), ["x".into(), Value::Int32(-2), Value::Null]).unwrap();
        let got = plan(&from, &to).unwrap().apply(&record.into()).unwrap();
        let want = Struct::new(to, ["none".into(), Value::Float64(-2.0), Value::Int32(7), Value::Null]);
        assert_eq!(got, want.unwrap().into());
    }

    #[test]
    fn numbers_are_widened_and_never_narrowed() {
        for (i, from) in NUMBERS.into_iter().enumerate() {
            for (j, to) in NUMBERS.into_iter().enumerate() {
                let plan = plan(&Schema::of(from), &Schema::of(to));
                assert_eq!(plan.is_some(), i <= j, "{from:?} {to:?}");
            }
        }
        let long = plan(&Schema::of(Type::Int8), &Schema::of(Type::Int64)).unwrap();
        assert_eq!(long.apply(&Value::Int8(-1)).unwrap(), Value::Int64(-1));
        let double = plan(&Schema::of(Type::Float32), &Schema::of(Type::Float64)).unwrap();
        assert_eq!(double.apply(&Value::Float32(0.5)).unwrap(), Value::Float64(0.5));
        assert!(double.apply(&"x".into()).is_err());
        assert!(plan(&Schema::logical_of(Logical::Date), &Schema::of(Type::Int32)).is_none());
        assert!(plan(&Schema::of(Type::Int32), &Schema::logical_of(Logical::Timestamp)).is_none());
    }

    #[test]
    fn inside_of_lists_and_maps_as_well() {
        let from = Schema::array(Schema::map(Schema::of(Type::String), Schema::of(Type::Int16)));
        let to = Schema::array(Schema::map(Schema::of(Type::String), Schema::of(Type::Int32)));
        let value =
            |number: Value| Value::from(vec![Value::Map([("k".into(), number)].into_iter().collect())]);
        let got = plan(&from, &to).unwrap().apply(&value(Value::Int16(3))).unwrap();
        assert_eq!(got, value(Value::Int32(3)));
    }

    #[test]
    fn what_has_no_form_in_the_target_has_no_plan() {
        let field = |schema: Schema| Schema::structure().field("a", schema).build().unwrap();
        let named = |name: &str| Schema::builder(Type::String).name(name).build().unwrap();
        let parameter = |value: &str| Schema::builder(Type::String).parameter("p", value).build().unwrap();
        for (from, to) in [
            (Schema::of(Type::String), Schema::of(Type::Bytes)),
            (Schema::optional(Type::String), Schema::of(Type::String)),
            (field(Schema::optional(Type::Int32)), field(Schema::of(Type::Int32))),
            (Schema::structure().build().unwrap(), field(Schema::of(Type::Int32))),
            (named("a"), named("b")),
            (parameter("1"), parameter("2")),
            (parameter("1"), Schema::of(Type::String)),
        ] {
            assert!(plan(&from, &to).is_none(), "{from} {to}");
        }
    }

    #[test]
    fn symbols_of_an_enum_have_to_be_among_those_of_the_target() {
        let symbols = |symbols: &[&str]| {
            let schema: SchemaBuilder = Schema::builder(Type::String).parameter(ENUMS[0], "Color");
            let symbol = |schema: SchemaBuilder, symbol: &&str| {
                schema.parameter(format!("{}.{symbol}", ENUMS[0]), *symbol)
            };
            symbols.iter().fold(schema, symbol).build().unwrap()
        };
        assert!(plan(&symbols(&["RED"]), &symbols(&["RED", "BLUE"])).is_some());
        assert!(plan(&symbols(&["RED", "BLUE"]), &symbols(&["RED"])).is_none());
        let documented = |text: &str| {
            let schema = Schema::builder(Type::String).parameter(DESCRIPTIONS[0], text);
            schema.build().unwrap()
        };
        assert!(plan(&documented("one"), &documented("another")).is_some());
    }
}

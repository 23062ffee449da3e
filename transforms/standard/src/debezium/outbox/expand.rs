//! JSON text as data with the schema that it looks like.

use lavka_api::data::{Datum, Schema, SchemaBuilder, Struct, Type, Value};

use crate::plan::{PlanKey, Plans, SHAPES};

/// Documents whose sketch is longer get a schema of their own each time.
const LONGEST_SKETCH: usize = 16 << 10;

/// All of a document that its schema depends on: types, names of fields, and how they are nested.
#[derive(Clone, Default, PartialEq)]
struct Sketch(Vec<u8>);

impl PlanKey for Sketch {
    fn same(&self, other: &Self) -> bool {
        self == other
    }
}

impl Sketch {
    fn of(&mut self, document: &Value) {
        self.0.clear();
        self.add(document);
    }

    fn add(&mut self, value: &Value) {
        match value {
            Value::String(_) => self.0.push(b's'),
            Value::Boolean(_) => self.0.push(b'b'),
            Value::Int64(number) => self.0.push(if fits_int32(*number) { b'i' } else { b'l' }),
            Value::Float64(_) => self.0.push(b'f'),
            Value::Array(items) => {
                self.0.push(b'[');
                let mut last = self.0.len()..self.0.len();
                for item in items.iter() {
                    let start = self.0.len();
                    self.add(item);
                    // Another item like the one before says nothing new.
                    if self.0.get(last.clone()) == self.0.get(start..) {
                        self.0.truncate(start);
                    } else {
                        last = start..self.0.len();
                    }
                }
                self.0.push(b']');
            }
            Value::Object(object) => {
                self.0.push(b'{');
                for (key, value) in object.iter() {
                    // The length first, so that no name can look like what follows it.
                    self.0.extend_from_slice(&key.len().to_le_bytes());
                    self.0.extend_from_slice(key.as_bytes());
                    self.add(value);
                }
                self.0.push(b'}');
            }
            _ => self.0.push(b'n'),
        }
    }
}

/// Expands JSON texts; documents that look alike share one schema.
pub(super) struct Expansion {
    name: String,
    inference: Inference,
    schemas: Plans<Sketch, Option<Schema>>,
    sketch: Sketch,
}

impl Expansion {
    /// Structs are named by the path of `name` and the fields that led to them. Nulls are left out, or where
    /// `keeps_nulls` are of optional bytes.
    pub(super) fn new(name: &str, keeps_nulls: bool) -> Self {
        Self {
            name: name.to_owned(),
            inference: Inference { keeps_nulls },
            schemas: Plans::new(SHAPES),
            sketch: Sketch::default(),
        }
    }

    /// The data of a JSON object or array; `None` where the text is none, or has no one schema (arrays of mixed types).
    pub(super) fn expand(&mut self, text: &str) -> Option<Datum> {
        if !text.starts_with(['{', '[']) {
            return None;
        }
        let document = lavka_converters::json::parse(text.as_bytes()).ok()?;
        let Self { name, inference, schemas, sketch } = self;
        sketch.of(&document);
        let infer = || inference.schema(name, &document).flatten();
        let schema = if sketch.0.len() > LONGEST_SKETCH {
            infer()
        } else {
            schemas.get(sketch, |_| Ok(infer())).ok()?.clone()
        }?;
        let value = data(&document, &schema)?;
        Some(Datum::new(schema, value))
    }
}

fn fits_int32(number: i64) -> bool {
    i32::try_from(number).is_ok()
}

struct Inference {
    /// Whether nulls are of optional bytes rather than left out.
    keeps_nulls: bool,
}

impl Inference {
    /// The schema of a value, `Some(None)` where it says nothing about it, `None` where it has no one.
    fn schema(&self, name: &str, value: &Value) -> Option<Option<Schema>> {
        Some(match value {
            Value::String(_) => Some(Schema::optional(Type::String)),
            Value::Boolean(_) => Some(Schema::optional(Type::Boolean)),
            Value::Int64(number) if fits_int32(*number) => Some(Schema::optional(Type::Int32)),
            Value::Int64(_) => Some(Schema::optional(Type::Int64)),
            Value::Float64(_) => Some(Schema::optional(Type::Float64)),
            Value::Null => self.keeps_nulls.then(|| Schema::optional(Type::Bytes)),
            Value::Array(items) if items.is_empty() => None,
            Value::Array(items) => {
                let items = self.items(name, items)?;
                Some(Schema::builder(Type::Array).values(items).optional().build().ok()?)
            }
            Value::Object(object) => {
                let mut builder = named(name);
                for (key, value) in object.iter() {
                    let path = if name.is_empty() { key.to_string() } else { format!("{name}.{key}") };
                    if let Some(schema) = self.schema(&path, value)? {
                        builder = builder.field(key.clone(), schema);
                    }
                }
                Some(builder.build().ok()?)
            }
            _ => return None,
        })
    }

    /// The one schema of all items but nulls.
    fn items(&self, name: &str, items: &[Value]) -> Option<Schema> {
        let mut common: Option<Schema> = None;
        let has_nulls = items.iter().any(Value::is_null);
        for item in items.iter().filter(|item| !item.is_null()) {
            let is_object = matches!(item, Value::Object(_));
            let schema = self.schema(if is_object { name } else { "" }, item)??;
            common = Some(match common {
                None => schema,
                Some(known) if known == schema => known,
                Some(known) if is_object && known.ty() == Type::Struct => merged(&known, &schema, has_nulls)?,
                Some(_) => return None,
            });
        }
        common.or_else(|| self.keeps_nulls.then(|| Schema::optional(Type::Bytes)))
    }
}

fn named(name: &str) -> SchemaBuilder {
    let builder = Schema::structure().optional();
    if name.is_empty() { builder } else { builder.name(name) }
}

/// The fields of both; of one that both have, that which is not of bytes, as nulls are, counts. As in Debezium it is
/// not optional any more, unless there are nulls beside such objects.
fn merged(left: &Schema, right: &Schema, has_nulls: bool) -> Option<Schema> {
    let mut builder = Schema::structure().basics_of(left);
    if has_nulls {
        builder = builder.optional();
    }
    for field in left.fields() {
        let other = right.field(field.name()).map(|field| field.schema());
        let schema = match other {
            Some(other) if field.schema().ty() == Type::Bytes => other,
            _ => field.schema(),
        };
        builder = builder.field(field.name().clone(), schema.clone());
    }
    for field in right.fields().iter().filter(|field| left.field(field.name()).is_none()) {
        builder = builder.field(field.name().clone(), field.schema().clone());
    }
    builder.build().ok()
}

/// A value as one of `schema`; `None` where it does not fit.
fn data(value: &Value, schema: &Schema) -> Option<Value> {
    Some(match (value, schema.ty()) {
        (Value::Null, _) => Value::Null,
        (Value::Int64(number), Type::Int32) => Value::Int32(i32::try_from(*number).ok()?),
        (Value::Int64(_), Type::Int64)
        | (Value::Float64(_), Type::Float64)
        | (Value::Boolean(_), Type::Boolean)
        | (Value::String(_), Type::String) => value.clone(),
        (Value::Array(items), Type::Array) => {
            let schema = schema.values()?;
            Value::from(items.iter().map(|item| data(item, schema)).collect::<Option<Vec<_>>>()?)
        }
        (Value::Object(object), Type::Struct) => {
            let field = |field: &lavka_api::data::Field| match object.get(field.name()) {
                Some(value) => data(value, field.schema()),
                None => Some(Value::Null),
            };
            let values = schema.fields().iter().map(field).collect::<Option<Vec<_>>>()?;
            Struct::new(schema.clone(), values).ok()?.into()
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(name: &str, text: &str, keeps_nulls: bool) -> Option<Datum> {
        Expansion::new(name, keeps_nulls).expand(text)
    }

    #[test]
    fn documents_that_look_alike_share_a_schema() {
        let mut expansion = Expansion::new("p", false);
        let mut schema = |text: &str| expansion.expand(text).unwrap().schema.unwrap();
        let first = schema(r#"{"a":1,"b":[{"c":"x"},{"c":"y"}],"d":null}"#);
        for alike in
            [r#"{"a":2,"b":[{"c":"z"}],"d":null}"#, r#"{"a":-7,"b":[{"c":""},{"c":""},{"c":""}],"d":null}"#]
        {
            assert!(schema(alike).same(&first), "{alike}");
        }
        for other in [
            r#"{"a":5000000000,"b":[{"c":"z"}],"d":null}"#,
            r#"{"a":2.5,"b":[{"c":"z"}],"d":null}"#,
            r#"{"a":2,"b":[{"c":true}],"d":null}"#,
            r#"{"a":2,"b":[{"c":"z"},{"e":1}],"d":null}"#,
            r#"{"a":2,"b":[],"d":null}"#,
            r#"{"a":2,"b":[{"c":"z"}],"d":"x"}"#,
        ] {
            assert!(!schema(other).same(&first) && schema(other) != first, "{other}");
        }
        assert_eq!(expansion.expand("[1,\"x\"]"), None);
        assert_eq!(expansion.expand("[1,\"x\"]"), None, "that there is none is kept too");
        let wide: String = (0..4000).map(|i| format!("\"field{i}\":1,")).collect();
        let wide = format!("{{{wide}\"z\":1}}");
        let sizes = [&wide, &wide].map(|text| expansion.expand(text).unwrap().schema.unwrap());
        assert!(!sizes[0].same(&sizes[1]) && sizes[0] == sizes[1], "too long a sketch is not kept");
    }

    #[test]
    fn json_gets_a_schema() {
        let text = r#"{"i":1,"l":5000000000,"f":1.5,"s":"x","b":true,"n":null,"e":[],"a":[1,null],"o":{"p":[{"q":1},{"r":"y"}]}}"#;
        let datum = expand("payload", text, false).unwrap();
        assert_eq!(
            format!("{:?}", datum.schema.unwrap()),
            "STRUCT(payload)?{\"i\": INT32?, \"l\": INT64?, \"f\": FLOAT64?, \"s\": STRING?, \"b\": BOOLEAN?, \
             \"a\": ARRAY?<INT32?>, \"o\": STRUCT(payload.o)?{\"p\": ARRAY?<STRUCT(payload.o.p){\"q\": INT32?, \"r\": \
             STRING?}>}}"
        );
        let shown = lavka_api::java::connect_text(&datum.value);
        assert_eq!(
            shown,
            r#"{"i":1,"l":5000000000,"f":1.5,"s":"x","b":true,"a":[1,null],"o":{"p":[{"q":1,"r":null},{"q":null,"r":"y"}]}}"#
        );
        let nulls = expand("p", r#"{"n":null,"a":[{"x":null},{"x":1}]}"#, true).unwrap();
        assert_eq!(
            format!("{:?}", nulls.schema.unwrap()),
            "STRUCT(p)?{\"n\": BYTES?, \"a\": ARRAY?<STRUCT(p.a){\"x\": INT32?}>}"
        );
    }

    #[test]
    fn what_is_not_expanded() {
        for text in [
            "",
            "x",
            "1",
            "\"x\"",
            " {}",
            "{",
            "[1,\"x\"]",
            "[1,5000000000]",
            "[null]",
            "[]",
            r#"{"a":[{},1]}"#,
        ] {
            assert_eq!(expand("p", text, false), None, "{text}");
        }
    }
}

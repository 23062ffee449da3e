//! Reading values of a schema: the schema compiled once to what has to be read.
//!
//! Reading is as lax as Java's: a number stands for any number type, text is zero to it, and most things that are not
//! what the schema says become zero, false, null or empty without an error.

use std::collections::HashMap;
use std::sync::Arc;

use lavka_api::data::{Blob, Decimal, Logical, Schema, Str, Struct, Type, Value};
use lavka_api::error::exception;
use lavka_api::{Error, Result};

use super::base64_text;
use super::decoder::Decoder;
use super::dialect::Dialect;
use super::escape::write_string;
use super::met::Met;
use super::nesting::check_nesting;
use super::place::Place;
use super::read_containers::{read_array, read_entries, read_members, read_pairs};
use super::reader::Reader;
use super::stand_in::StandIn;
use super::union;

const MS_PER_DAY: i32 = 86_400_000;

/// How values of one schema are read.
pub(super) struct ReadNode {
    schema: Schema,
    kind: Kind,
    dialect: Dialect,
    /// Read for null, where nulls are replaced.
    default: Option<StandIn>,
}

/// A clone is a pointer: schemas that are used again and again are compiled once.
#[derive(Clone)]
enum Kind {
    Scalar(Type),
    /// The schema's scale, as far as the schema tells a valid one.
    Decimal(Option<i32>),
    Date,
    Time,
    Timestamp,
    Array(Arc<ReadNode>),
    /// Keys are strings: an object.
    TextMap(Arc<ReadNode>),
    /// An array of pairs.
    PairMap(Arc<(ReadNode, ReadNode)>),
    /// An array of objects with `key` and `value`.
    EntryMap(Arc<(ReadNode, ReadNode)>),
    Struct(Arc<[ReadField]>),
    /// A struct of which one field is read.
    Union(Arc<[ReadNode]>),
}

struct ReadField {
    /// `"name":`, as a writer without white space begins the member.
    lead: Box<[u8]>,
    node: ReadNode,
}

/// Compiles schemas whose nesting was checked.
struct Compiler {
    replace_null_with_default: bool,
    dialect: Dialect,
    /// What containers are read as, by the address of their schema, which the root keeps alive.
    known: HashMap<usize, Kind>,
}

impl Compiler {
    fn node(&mut self, schema: &Schema) -> Result<ReadNode> {
        let kind = self.kind(schema)?;
        let default = schema.default_value().filter(|_| self.replace_null_with_default).map(StandIn::new);
        Ok(ReadNode { schema: schema.clone(), kind, dialect: self.dialect, default })
    }

    fn kind(&mut self, schema: &Schema) -> Result<Kind> {
        // As in Java the name alone says that a type is logical, whatever its base.
        match schema.name().map(|name| name.as_str()) {
            Some(Logical::DECIMAL) => {
                return Ok(Kind::Decimal(schema.parameter("scale").and_then(|scale| scale.parse().ok())));
            }
            Some(Logical::DATE) => return Ok(Kind::Date),
            Some(Logical::TIME) => return Ok(Kind::Time),
            Some(Logical::TIMESTAMP) => return Ok(Kind::Timestamp),
            _ => {}
        }
        if schema.ty().is_primitive() {
            return Ok(Kind::Scalar(schema.ty()));
        }
        if let Some(kind) = self.known.get(&schema.address()) {
            return Ok(kind.clone());
        }
        let kind = self.container(schema)?;
        self.known.insert(schema.address(), kind.clone());
        Ok(kind)
    }

    fn container(&mut self, schema: &Schema) -> Result<Kind> {
        let inner = |compiler: &mut Self, inner: Option<&Schema>| match inner {
            Some(inner) => compiler.node(inner),
            None => Err(Error::data(format!("A schema of type {} lacks an inner schema", schema.ty()))),
        };
        Ok(match schema.ty() {
            Type::Array => Kind::Array(Arc::new(inner(self, schema.values())?)),
            Type::Map if self.dialect.has_text_keys(schema) => {
                Kind::TextMap(Arc::new(inner(self, schema.values())?))
            }
            Type::Map => {
                let nodes = Arc::new((inner(self, schema.keys())?, inner(self, schema.values())?));
                match self.dialect {
                    Dialect::JsonConverter => Kind::PairMap(nodes),
                    Dialect::JsonSchema => Kind::EntryMap(nodes),
                }
            }
            Type::Struct if self.dialect.is_union(schema) => {
                let nodes = schema.fields().iter().map(|field| self.node(field.schema()));
                Kind::Union(nodes.collect::<Result<_>>()?)
            }
            Type::Struct => {
                let fields = schema.fields().iter().map(|field| {
                    let mut lead = Vec::new();
                    write_string(&mut lead, field.name());
                    lead.push(b':');
                    Ok(ReadField { lead: lead.into_boxed_slice(), node: self.node(field.schema())? })
                });
                Kind::Struct(fields.collect::<Result<_>>()?)
            }
            scalar => Kind::Scalar(scalar),
        })
    }
}

impl ReadNode {
    /// Compiles `schema`.
    ///
    /// # Errors
    /// Where it is nested too deep for any document to have values of it.
    pub(super) fn compile(
        schema: &Schema,
        replace_null_with_default: bool,
        dialect: Dialect,
        depth: usize,
    ) -> Result<Self> {
        if !schema.ty().is_primitive() {
            check_nesting(schema, depth)?;
        }
        Compiler { replace_null_with_default, dialect, known: HashMap::new() }.node(schema)
    }

    /// The schema whose values this reads.
    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The value at the position.
    pub(super) fn read(
        &self,
        reader: &mut Reader<'_>,
        decoder: &mut Decoder,
        place: Place<'_>,
        depth: usize,
    ) -> Result<Value> {
        match (&self.kind, reader.next()) {
            (_, b'n') => {
                reader.literal("null")?;
                self.null(decoder)
            }
            (Kind::Struct(fields), b'{') => self.read_struct(fields, reader, decoder, depth),
            (Kind::Array(items), open @ (b'[' | b'{')) => {
                let place = Place::Element(&place);
                read_array(items, open, reader, decoder, place, depth).map(Value::Array)
            }
            (Kind::TextMap(items), b'{') => {
                reader.check_depth(depth)?;
                let place = Place::Item(&place);
                read_members(items, reader, decoder, place, depth)
                    .map(|entries| Value::Map(entries.into_entries()))
            }
            (Kind::PairMap(nodes), b'[') => read_pairs(nodes, reader, decoder, place, depth).map(Value::Map),
            (Kind::EntryMap(nodes), b'[') => {
                read_entries(nodes, reader, decoder, place, depth).map(Value::Map)
            }
            (Kind::Union(nodes), _) => self.read_union(nodes, reader, decoder, depth),
            (Kind::Scalar(ty @ (Type::Float32 | Type::Float64)), first @ (b'"' | b'N' | b'I' | b'-'))
                if self.dialect == Dialect::JsonSchema =>
            {
                self.read_special(*ty, first, reader, decoder, place)
            }
            (Kind::Scalar(Type::String), b'"') => {
                Ok(Value::String(Str::from(reader.string(&mut decoder.scratch)?)))
            }
            (Kind::Scalar(Type::Boolean), b't') => {
                reader.literal("true")?;
                Ok(Value::Boolean(true))
            }
            (Kind::Scalar(Type::Boolean), b'f') => {
                reader.literal("false")?;
                Ok(Value::Boolean(false))
            }
            (Kind::Scalar(Type::Bytes), b'"') => {
                let text = reader.string(&mut decoder.scratch)?;
                let bytes = base64_text::decode(text).ok_or_else(|| Error::data("Invalid bytes field"))?;
                Ok(Value::Bytes(Blob::from(bytes)))
            }
            (Kind::Decimal(scale), b'"') => {
                let text = reader.string(&mut decoder.scratch)?;
                let bytes = base64_text::decode(text).filter(|bytes| !bytes.is_empty());
                let (Some(bytes), Some(scale)) = (bytes, *scale) else {
                    return Err(Error::data("Invalid bytes for Decimal field"));
                };
                Ok(Decimal::from_be_bytes(&bytes, scale).into())
            }
            (_, b'-' | b'0'..=b'9') => self.read_number(reader, place),
            (_, first) => {
                reader.skip(depth)?;
                self.mistyped(node_type(first), place)
            }
        }
    }

    /// A float that may be none of JSON's numbers: as text, or bare as some writers have them.
    fn read_special(
        &self,
        ty: Type,
        first: u8,
        reader: &mut Reader<'_>,
        decoder: &mut Decoder,
        place: Place<'_>,
    ) -> Result<Value> {
        let negative = first == b'-' && reader.rest().starts_with(b"-I");
        let number = match first {
            b'"' => match reader.string(&mut decoder.scratch)? {
                "NaN" => f64::NAN,
                "Infinity" => f64::INFINITY,
                "-Infinity" => f64::NEG_INFINITY,
                _ => 0.0,
            },
            b'N' => {
                reader.literal("NaN")?;
                f64::NAN
            }
            b'-' if !negative => return self.read_number(reader, place),
            _ => {
                reader.advance(usize::from(negative));
                reader.literal("Infinity")?;
                if negative { f64::NEG_INFINITY } else { f64::INFINITY }
            }
        };
        #[expect(clippy::cast_possible_truncation, reason = "it is zero, infinite or no number")]
        let single = number as f32;
        Ok(if ty == Type::Float32 { Value::Float32(single) } else { Value::Float64(number) })
    }

    fn read_union(
        &self,
        nodes: &[ReadNode],
        reader: &mut Reader<'_>,
        decoder: &mut Decoder,
        depth: usize,
    ) -> Result<Value> {
        reader.check_depth(depth)?;
        let found = union::field_of(&self.schema, reader, depth)?;
        let (Some(at), Some(node)) = (found, found.and_then(|at| nodes.get(at))) else {
            return Err(Error::data("Did not find matching oneof field for data"));
        };
        let named = self.schema.fields().get(at).map_or("", |field| field.name().as_str());
        let value = node.read(reader, decoder, Place::Field(named), depth + 1)?;
        let mut values = vec![Value::Null; nodes.len()];
        if let Some(slot) = values.get_mut(at) {
            *slot = value;
        }
        Ok(Value::from(Struct::new(self.schema.clone(), values)?))
    }

    /// What a member that is missing is read as.
    pub(super) fn missing(&self, decoder: &mut Decoder) -> Result<Value> {
        match (self.dialect, &self.default) {
            (Dialect::JsonSchema, None) => Ok(Value::Null),
            _ => self.null(decoder),
        }
    }

    /// Pushes the value at the position. The most usual ones are made where they are to be: moving a value out of a
    /// `Result` costs as much as reading a short number.
    #[inline]
    fn push(
        &self,
        reader: &mut Reader<'_>,
        decoder: &mut Decoder,
        place: Place<'_>,
        depth: usize,
    ) -> Result<()> {
        let value = match (&self.kind, reader.next()) {
            (Kind::Scalar(Type::String), b'"') => {
                Value::String(Str::from(reader.string(&mut decoder.scratch)?))
            }
            (Kind::Scalar(Type::Int32), b'-' | b'0'..=b'9') => Value::Int32(reader.number()?.to_i64() as i32),
            (Kind::Scalar(Type::Int64), b'-' | b'0'..=b'9') => Value::Int64(reader.number()?.to_i64()),
            (Kind::Scalar(Type::Float64), b'0'..=b'9') => Value::Float64(reader.number()?.to_f64()),
            (Kind::Scalar(Type::Float32), b'0'..=b'9') => Value::Float32(reader.number()?.to_f32()),
            (Kind::Scalar(Type::Boolean), b't') => {
                reader.literal("true")?;
                Value::Boolean(true)
            }
            (Kind::Scalar(Type::Boolean), b'f') => {
                reader.literal("false")?;
                Value::Boolean(false)
            }
            _ => {
                let value = self.read(reader, decoder, place, depth)?;
                decoder.stack.push(value);
                return Ok(());
            }
        };
        decoder.stack.push(value);
        Ok(())
    }

    fn read_number(&self, reader: &mut Reader<'_>, place: Place<'_>) -> Result<Value> {
        let number = reader.number()?;
        // Casts cut off what the type has no room for, as Java's do.
        Ok(match self.kind {
            Kind::Scalar(Type::Int8) => Value::Int8(number.to_i64() as i8),
            Kind::Scalar(Type::Int16) => Value::Int16(number.to_i64() as i16),
            Kind::Scalar(Type::Int32) => Value::Int32(number.to_i64() as i32),
            Kind::Scalar(Type::Int64) => Value::Int64(number.to_i64()),
            Kind::Scalar(Type::Float32) => Value::Float32(number.to_f32()),
            Kind::Scalar(Type::Float64) => Value::Float64(number.to_f64()),
            Kind::Decimal(_) => match number.to_decimal() {
                Some(decimal) => decimal.into(),
                None => return Err(Error::data("Invalid bytes for Decimal field")),
            },
            Kind::Date | Kind::Time => {
                let Some(value) = number.as_exact_i64().and_then(|value| i32::try_from(value).ok()) else {
                    return self.mistyped("NUMBER", place);
                };
                match self.kind {
                    Kind::Date => Value::Date(value),
                    _ if (0..=MS_PER_DAY).contains(&value) => Value::Time(value),
                    _ => {
                        return Err(Error::data(format!(
                            "Time values must use number of milliseconds greater than 0 and less than {MS_PER_DAY}"
                        )));
                    }
                }
            }
            Kind::Timestamp if number.is_integral() => Value::Timestamp(number.to_i64()),
            _ => return self.mistyped("NUMBER", place),
        })
    }

    fn read_struct(
        &self,
        fields: &[ReadField],
        reader: &mut Reader<'_>,
        decoder: &mut Decoder,
        depth: usize,
    ) -> Result<Value> {
        reader.check_depth(depth)?;
        let base = decoder.stack.len();
        // As long as the members come in the order of the fields, values are pushed and nothing is looked up. From
        // the first that does not on, all fields have a slot and `met` says which were there.
        let mut met: Option<Met> = None;
        let mut expected = 0;
        let mut more = !reader.open(b'}');
        while more {
            let at = field_at(fields, expected, &self.schema, reader, &mut decoder.scratch)?;
            match at.and_then(|at| Some((at, fields.get(at)?, self.schema.fields().get(at)?))) {
                Some((at, field, named)) => {
                    let place = Place::Field(named.name());
                    if met.is_none() && at == expected {
                        field.node.push(reader, decoder, place, depth + 1)?;
                    } else {
                        let value = field.node.read(reader, decoder, place, depth + 1)?;
                        let met = met.get_or_insert_with(|| {
                            decoder.stack.resize(base + fields.len(), Value::Null);
                            Met::up_to(expected)
                        });
                        met.add(at);
                        if let Some(slot) = decoder.stack.get_mut(base + at) {
                            *slot = value;
                        }
                    }
                    expected = at + 1;
                }
                None => reader.skip(depth + 1)?,
            }
            more = reader.more(b'}')?;
        }
        match met {
            None => {
                for field in fields.get(expected..).unwrap_or_default() {
                    let value = field.node.missing(decoder)?;
                    decoder.stack.push(value);
                }
            }
            Some(met) => {
                for (at, field) in fields.iter().enumerate().filter(|(at, _)| !met.contains(*at)) {
                    let value = field.node.missing(decoder)?;
                    if let Some(slot) = decoder.stack.get_mut(base + at) {
                        *slot = value;
                    }
                }
            }
        }
        let values = decoder.stack.split_off(base);
        Ok(Value::from(Struct::new(self.schema.clone(), values)?))
    }

    /// What null, or a field that is missing, is read as.
    fn null(&self, decoder: &mut Decoder) -> Result<Value> {
        match &self.default {
            Some(default) => default.value(&mut decoder.stood_in),
            None if self.schema.is_optional() => Ok(Value::Null),
            None => Err(Error::data(format!("Invalid null value for required {} field", self.schema.ty()))),
        }
    }

    /// What a value of a type that the schema does not expect is read as; `found` is what Jackson calls the type.
    #[cold]
    pub(super) fn mistyped(&self, found: &str, place: Place<'_>) -> Result<Value> {
        let refused = |text: &str| Err(Error::data(format!("{text}{found}")));
        match self.kind {
            Kind::Scalar(Type::Int8) => Ok(Value::Int8(0)),
            Kind::Scalar(Type::Int16) => Ok(Value::Int16(0)),
            Kind::Scalar(Type::Int32) => Ok(Value::Int32(0)),
            Kind::Scalar(Type::Int64) => Ok(Value::Int64(0)),
            Kind::Scalar(Type::Float32) => Ok(Value::Float32(0.0)),
            Kind::Scalar(Type::Float64) => Ok(Value::Float64(0.0)),
            Kind::Scalar(Type::Boolean) => Ok(Value::Boolean(false)),
            Kind::Scalar(_) => {
                if self.schema.is_optional() || !place.is_checked() {
                    return Ok(Value::Null);
                }
                let mut text = "Invalid value: null used for required ".to_owned();
                place.describe(&mut text);
                Err(Error::data(format!("{text}, schema type: {}", self.schema.ty())))
            }
            Kind::Array(_) => Ok(Value::Array(Box::default())),
            Kind::TextMap(_) => {
                refused("Maps with string fields should be encoded as JSON objects, but found ")
            }
            Kind::PairMap(_) => {
                refused("Maps with non-string fields should be encoded as JSON array of tuples, but found ")
            }
            Kind::EntryMap(_) => {
                refused("Maps with non-string fields should be encoded as JSON array of objects, but found ")
            }
            Kind::Union(_) => Err(Error::data("Did not find matching oneof field for data")),
            Kind::Struct(_) => refused("Structs should be encoded as JSON objects, but found "),
            Kind::Decimal(_) => refused(
                "Invalid type for Decimal, underlying representation should be numeric or bytes but was ",
            ),
            Kind::Date => {
                refused("Invalid type for Date, underlying representation should be integer but was ")
            }
            Kind::Time => {
                refused("Invalid type for Time, underlying representation should be integer but was ")
            }
            Kind::Timestamp => {
                refused("Invalid type for Timestamp, underlying representation should be integral but was ")
            }
        }
    }

    /// The default that `document`, a part of a schema's text, describes. `None` for a null that the schema allows.
    ///
    /// # Errors
    /// `SchemaBuilderException` as from Java for a default that is not a value of the schema; which includes every
    /// default of a struct, because the struct's own schema would have to contain that default already.
    pub(super) fn read_default(&self, document: &str, decoder: &mut Decoder) -> Result<Option<Value>> {
        let mut reader = Reader::of_text(document);
        let invalid = |cause: Error| {
            let class = cause.class();
            Error::new(class, exception::SCHEMA_BUILDER, "Invalid default value").caused_by(cause)
        };
        let value = self.read(&mut reader, decoder, Place::Default, 0).map_err(|error| {
            let is_null = error.message().is_some_and(|text| text.starts_with("Invalid value: null"));
            if is_null { invalid(error) } else { error }
        })?;
        match value {
            Value::Null => Ok(None),
            Value::Struct(_) => Err(invalid(Error::data("Struct schemas do not match."))),
            value => Ok(Some(value)),
        }
    }
}

/// Reads up to the colon of a member: the position of its field, `None` where the struct has none of this name.
#[inline]
fn field_at(
    fields: &[ReadField],
    expected: usize,
    schema: &Schema,
    reader: &mut Reader<'_>,
    scratch: &mut String,
) -> Result<Option<usize>> {
    if reader.next() == b'"'
        && let Some(field) = fields.get(expected)
        && reader.rest().starts_with(&field.lead)
    {
        reader.advance(field.lead.len());
        return Ok(Some(expected));
    }
    let name = reader.key(scratch)?;
    Ok(schema.index_of(name))
}

/// What Jackson calls the type of a value that begins with `first`.
pub(super) fn node_type(first: u8) -> &'static str {
    match first {
        b'"' => "STRING",
        b'[' => "ARRAY",
        b'{' => "OBJECT",
        b't' | b'f' => "BOOLEAN",
        b'n' => "NULL",
        _ => "NUMBER",
    }
}

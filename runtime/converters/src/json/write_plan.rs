//! Writing values of a schema: the schema compiled once to what has to be written.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::Arc;

use lavka_api::data::{Decimal, Logical, Schema, Struct, Type, Value};
use lavka_api::{Error, Result};

use super::dialect::Dialect;
use super::escape::{write_base64, write_string};
use super::lead::{Lead, ShapeLeads};
use super::nesting::check_nesting;
use super::plain_writer::{
    self, check_depth, mismatching_schema, write_bool, write_double, write_float, write_int,
};
use super::writer::DecimalFormat;

const MS_PER_DAY: i64 = 86_400_000;

/// Choices that apply to a whole writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteOptions {
    /// `decimal.format`.
    pub decimal_format: DecimalFormat,
    /// `replace.null.with.default`: whether the default is written for a null.
    pub replace_null_with_default: bool,
}

impl Default for WriteOptions {
    /// Connect's defaults: Base64, and nulls replaced.
    fn default() -> Self {
        Self { decimal_format: DecimalFormat::Base64, replace_null_with_default: true }
    }
}

/// How values of one schema are written.
pub(super) struct WriteNode {
    kind: Kind,
    optional: bool,
    /// Whether a null that the schema does not allow is left out, rather than an error.
    omits: bool,
    /// Written for null, where nulls are replaced.
    default: Option<Value>,
}

/// A clone is a pointer: schemas that are used again and again are compiled once.
#[derive(Clone)]
enum Kind {
    /// Without a schema.
    Any,
    Scalar(Type),
    /// The schema's scale, as far as the schema tells a valid one.
    Decimal(Option<i32>, DecimalFormat),
    Date,
    Time,
    Timestamp,
    Array(Arc<WriteNode>),
    /// Keys are strings: an object.
    TextMap(Arc<(WriteNode, WriteNode)>),
    /// An array of pairs.
    PairMap(Arc<(WriteNode, WriteNode)>),
    /// An array of objects with `key` and `value`.
    EntryMap(Arc<(WriteNode, WriteNode)>),
    Struct(Schema, Arc<[WriteField]>),
    /// A struct whose members may be left out: every lead is that of a later member.
    SparseStruct(Schema, Arc<[WriteField]>),
    /// A struct of which the first field that is not null is written.
    Union(Schema, Arc<[WriteNode]>),
}

struct WriteField {
    lead: Lead,
    node: WriteNode,
}

/// Compiles schemas whose nesting was checked.
struct Compiler {
    options: WriteOptions,
    dialect: Dialect,
    /// What containers are written as, by the address of their schema, which the root keeps alive.
    known: HashMap<usize, Kind>,
}

impl Compiler {
    fn node(&mut self, schema: &Schema) -> WriteNode {
        let default = schema.default_value().filter(|_| self.options.replace_null_with_default).cloned();
        let omits = self.dialect == Dialect::JsonSchema;
        WriteNode { kind: self.kind(schema), optional: schema.is_optional(), omits, default }
    }

    fn inner(&mut self, inner: Option<&Schema>) -> WriteNode {
        match inner {
            Some(inner) => self.node(inner),
            None => WriteNode { kind: Kind::Any, optional: true, omits: false, default: None },
        }
    }

    fn kind(&mut self, schema: &Schema) -> Kind {
        // As in Java the name alone says that a type is logical, whatever its base.
        match schema.name().map(|name| name.as_str()) {
            Some(Logical::DECIMAL) => {
                let scale = schema.parameter("scale").and_then(|scale| scale.parse().ok());
                return Kind::Decimal(scale, self.options.decimal_format);
            }
            Some(Logical::DATE) => return Kind::Date,
            Some(Logical::TIME) => return Kind::Time,
            Some(Logical::TIMESTAMP) => return Kind::Timestamp,
            _ => {}
        }
        if schema.ty().is_primitive() {
            return Kind::Scalar(schema.ty());
        }
        if let Some(kind) = self.known.get(&schema.address()) {
            return kind.clone();
        }
        let kind = self.container(schema);
        self.known.insert(schema.address(), kind.clone());
        kind
    }

    fn container(&mut self, schema: &Schema) -> Kind {
        match schema.ty() {
            Type::Array => Kind::Array(Arc::new(self.inner(schema.values()))),
            Type::Map => {
                let nodes = Arc::new((self.inner(schema.keys()), self.inner(schema.values())));
                match self.dialect {
                    _ if self.dialect.has_text_keys(schema) => Kind::TextMap(nodes),
                    Dialect::JsonConverter => Kind::PairMap(nodes),
                    Dialect::JsonSchema => Kind::EntryMap(nodes),
                }
            }
            Type::Struct if self.dialect.is_union(schema) => {
                let nodes = schema.fields().iter().map(|field| self.node(field.schema()));
                Kind::Union(schema.clone(), nodes.collect())
            }
            Type::Struct => {
                let is_sparse = self.dialect == Dialect::JsonSchema;
                let fields = schema.fields().iter().enumerate().map(|(i, field)| WriteField {
                    lead: Lead::new(field.name(), i == 0 && !is_sparse),
                    node: self.node(field.schema()),
                });
                let fields = fields.collect();
                if is_sparse {
                    Kind::SparseStruct(schema.clone(), fields)
                } else {
                    Kind::Struct(schema.clone(), fields)
                }
            }
            scalar => Kind::Scalar(scalar),
        }
    }
}

impl WriteNode {
    /// Compiles `schema`.
    ///
    /// # Errors
    /// Where it is nested too deep for its values to be written.
    pub(super) fn compile(
        schema: &Schema,
        options: WriteOptions,
        dialect: Dialect,
        depth: usize,
    ) -> Result<Self> {
        if !schema.ty().is_primitive() {
            check_nesting(schema, depth)?;
        }
        Ok(Compiler { options, dialect, known: HashMap::new() }.node(schema))
    }

    /// Whether `value` is a null that is left out.
    #[inline]
    pub(super) fn is_absent(&self, value: &Value) -> bool {
        value.is_null() && self.omits && !self.optional && self.default.is_none()
    }

    /// Appends `value`.
    ///
    /// # Errors
    /// Where the value does not fit the schema; `out` then holds a part, which the caller cuts off.
    pub(super) fn write(&self, value: &Value, out: &mut Vec<u8>, depth: usize) -> Result<()> {
        match (&self.kind, value) {
            (_, Value::Null) => return self.write_null(out, depth),
            (Kind::Scalar(Type::Int64), Value::Int64(value)) => write_int(out, *value),
            (Kind::Scalar(Type::Int32), Value::Int32(value)) => write_int(out, *value),
            (Kind::Scalar(Type::String), Value::String(text)) => write_string(out, text),
            (Kind::Scalar(Type::Float64), Value::Float64(value)) => write_double(out, *value),
            (Kind::Scalar(Type::Boolean), Value::Boolean(value)) => write_bool(out, *value),
            (Kind::Scalar(Type::Float32), Value::Float32(value)) => write_float(out, *value),
            (Kind::Scalar(Type::Int16), Value::Int16(value)) => write_int(out, *value),
            (Kind::Scalar(Type::Int8), Value::Int8(value)) => write_int(out, *value),
            (Kind::Scalar(Type::Bytes), Value::Bytes(bytes)) => write_base64(out, bytes),
            (Kind::Struct(schema, fields), Value::Struct(record)) => {
                return write_struct(schema, fields, record, out, depth);
            }
            (Kind::SparseStruct(schema, fields), Value::Struct(record)) => {
                return write_sparse_struct(schema, fields, record, out, depth);
            }
            (Kind::Union(schema, nodes), Value::Struct(record)) => {
                return self.write_union(schema, nodes, record, out, depth);
            }
            (Kind::Timestamp, value) => match epoch_ms(value) {
                Some(ms) => write_int(out, ms),
                None => return Err(not_a("Timestamp", "Date", value)),
            },
            (Kind::Date, value) => match epoch_ms(value) {
                Some(ms) if ms % MS_PER_DAY == 0 => write_int(out, ms / MS_PER_DAY),
                Some(_) => {
                    return Err(Error::data(
                        "Kafka Connect Date type should not have any time fields set to non-zero values.",
                    ));
                }
                None => return Err(not_a("Date", "Date", value)),
            },
            (Kind::Time, value) => match epoch_ms(value) {
                Some(ms @ 0..=MS_PER_DAY) => write_int(out, ms),
                Some(_) => {
                    return Err(Error::data(
                        "Kafka Connect Time type should not have any date fields set to non-zero values.",
                    ));
                }
                None => return Err(not_a("Time", "Date", value)),
            },
            (Kind::Decimal(scale, format), Value::Decimal(decimal)) => {
                write_decimal(*scale, *format, decimal, out)?;
            }
            (Kind::Decimal(..), value) => return Err(not_a("Decimal", "BigDecimal", value)),
            (Kind::Array(node), Value::Array(items)) => {
                check_depth(depth)?;
                out.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    node.write(item, out, depth + 1)?;
                }
                out.push(b']');
            }
            (Kind::TextMap(_) | Kind::PairMap(_) | Kind::EntryMap(_), value) => {
                return self.write_map(value, out, depth);
            }
            (Kind::Any, value) => return plain_writer::write(value, &mut ShapeLeads::none(), out, depth),
            (_, value) => return Err(self.mistyped(value)),
        }
        Ok(())
    }

    fn write_null(&self, out: &mut Vec<u8>, depth: usize) -> Result<()> {
        match &self.default {
            Some(default) if !default.is_null() => self.write(default, out, depth),
            _ if self.optional || self.omits => {
                out.extend_from_slice(b"null");
                Ok(())
            }
            _ => Err(Error::data(
                "Conversion error: null value for field that is required and has no default value",
            )),
        }
    }

    fn write_map(&self, value: &Value, out: &mut Vec<u8>, depth: usize) -> Result<()> {
        check_depth(depth)?;
        match (&self.kind, value) {
            (Kind::TextMap(nodes), Value::Map(entries)) => {
                let (keys, values) = &**nodes;
                out.push(b'{');
                for (i, (key, item)) in entries.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    if key.is_null() && keys.optional && keys.default.is_none() {
                        // Jackson has no other name for it.
                        out.extend_from_slice(b"\"null\"");
                    } else {
                        keys.write(key, out, depth + 1)?;
                    }
                    out.push(b':');
                    values.write(item, out, depth + 1)?;
                }
                out.push(b'}');
            }
            (Kind::TextMap(nodes), Value::Object(object)) => {
                out.push(b'{');
                for (i, (key, item)) in object.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    write_string(out, key);
                    out.push(b':');
                    nodes.1.write(item, out, depth + 1)?;
                }
                out.push(b'}');
            }
            (Kind::PairMap(nodes) | Kind::EntryMap(nodes), Value::Map(entries)) => {
                let pairs = entries.iter().map(|(key, item)| (key, item));
                write_pairs(nodes, self.tuple(), pairs, out, depth)?;
            }
            (Kind::PairMap(nodes) | Kind::EntryMap(nodes), Value::Object(object)) => {
                let entries: Vec<_> =
                    object.iter().map(|(k, item)| (Value::String(k.clone()), item)).collect();
                let pairs = entries.iter().map(|(key, item)| (key, *item));
                write_pairs(nodes, self.tuple(), pairs, out, depth)?;
            }
            _ => return Err(self.mistyped(value)),
        }
        Ok(())
    }

    /// What stands before the key, between key and value, and behind the value of an entry.
    fn tuple(&self) -> [&'static [u8]; 3] {
        match self.kind {
            Kind::EntryMap(_) => [b"{\"key\":", b",\"value\":", b"}"],
            _ => [b"[", b",", b"]"],
        }
    }

    fn write_union(
        &self,
        schema: &Schema,
        nodes: &[WriteNode],
        record: &Struct,
        out: &mut Vec<u8>,
        depth: usize,
    ) -> Result<()> {
        if record.schema() != schema {
            return Err(mismatching_schema());
        }
        check_depth(depth)?;
        let taken = |(node, value): &(&WriteNode, &Value)| !value.is_null() || node.default.is_some();
        match nodes.iter().zip(record.values()).find(taken) {
            Some((node, value)) => node.write(value, out, depth + 1),
            None => self.write_null(out, depth),
        }
    }

    #[cold]
    fn mistyped(&self, value: &Value) -> Error {
        let wanted = match &self.kind {
            Kind::Scalar(Type::Bytes) => "bytes type",
            Kind::Scalar(ty) => ty.name(),
            Kind::Array(_) => Type::Array.name(),
            Kind::TextMap(_) | Kind::PairMap(_) | Kind::EntryMap(_) => Type::Map.name(),
            Kind::Struct(..) | Kind::SparseStruct(..) | Kind::Union(..) => Type::Struct.name(),
            Kind::Any | Kind::Decimal(..) | Kind::Date | Kind::Time | Kind::Timestamp => "logical type",
        };
        Error::data(format!("Invalid type for {wanted}: class {}", value.java_class()))
    }
}

fn write_struct(
    schema: &Schema,
    fields: &[WriteField],
    record: &Struct,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<()> {
    if record.schema() != schema {
        return Err(mismatching_schema());
    }
    check_depth(depth)?;
    if fields.is_empty() {
        out.push(b'{');
    }
    for (field, value) in fields.iter().zip(record.values()) {
        field.lead.write(out);
        field.node.write(value, out, depth + 1)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_sparse_struct(
    schema: &Schema,
    fields: &[WriteField],
    record: &Struct,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<()> {
    if record.schema() != schema {
        return Err(mismatching_schema());
    }
    check_depth(depth)?;
    let start = out.len();
    for (field, value) in fields.iter().zip(record.values()) {
        if field.node.is_absent(value) {
            continue;
        }
        field.lead.write(out);
        field.node.write(value, out, depth + 1)?;
    }
    // The comma before the first member that is there.
    match out.get_mut(start) {
        Some(first) => *first = b'{',
        None => out.push(b'{'),
    }
    out.push(b'}');
    Ok(())
}

fn write_pairs<'v>(
    nodes: &(WriteNode, WriteNode),
    [before, between, behind]: [&[u8]; 3],
    pairs: impl Iterator<Item = (&'v Value, &'v Value)>,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<()> {
    out.push(b'[');
    for (i, (key, item)) in pairs.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.extend_from_slice(before);
        nodes.0.write(key, out, depth + 2)?;
        out.extend_from_slice(between);
        nodes.1.write(item, out, depth + 2)?;
        out.extend_from_slice(behind);
    }
    out.push(b']');
    Ok(())
}

fn write_decimal(
    scale: Option<i32>,
    format: DecimalFormat,
    decimal: &Decimal,
    out: &mut Vec<u8>,
) -> Result<()> {
    match format {
        DecimalFormat::Numeric => {
            // Writing to a Vec cannot fail.
            let _ = write!(out, "{decimal}");
            Ok(())
        }
        DecimalFormat::Base64 => match scale {
            Some(scale) if scale == decimal.scale() => {
                write_base64(out, &decimal.to_be_bytes());
                Ok(())
            }
            Some(scale) => Err(Error::data(format!(
                "Decimal value has mismatching scale for given Decimal schema. Schema has scale {scale}, value has \
                 scale {}.",
                decimal.scale()
            ))),
            None => Err(Error::data("Invalid Decimal schema: scale parameter not found.")),
        },
    }
}

/// The instant that a `java.util.Date` would hold for a date, time or timestamp; any of the three may stand for
/// another, as far as its schema can express it.
fn epoch_ms(value: &Value) -> Option<i64> {
    match *value {
        Value::Timestamp(ms) => Some(ms),
        Value::Date(days) => Some(i64::from(days) * MS_PER_DAY),
        Value::Time(ms) => Some(ms.into()),
        _ => None,
    }
}

#[cold]
fn not_a(logical: &str, class: &str, value: &Value) -> Error {
    Error::data(format!("Invalid type for {logical}, expected {class} but was class {}", value.java_class()))
}

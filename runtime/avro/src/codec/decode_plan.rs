//! What each part of a writer's data is read as.

use std::collections::HashMap;
use std::sync::Arc;

use lavka_api::data::{Logical, Schema, Str, Type, Value};
use lavka_api::error::{ErrorClass, exception};
use lavka_api::{Error, Result};

use super::resolution::{Match, best_member, match_kinds};
use crate::mapping::{Mapping, UnionForm, is_anything, is_map_entry, value_of_default};
use crate::schema::{AvroSchema, Kind, MAX_DEPTH, RecordType, TypeId};

/// How a value is read. A clone is a pointer.
#[derive(Clone)]
pub(super) enum Read {
    Null,
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Date,
    Time,
    Timestamp,
    String,
    Bytes,
    Fixed(usize),
    Decimal(i32),
    DecimalInFixed {
        scale: i32,
        size: usize,
    },
    /// A number that the reader has wider.
    Widened {
        from: Narrow,
        to: Wide,
    },
    /// The reader's symbol for each of the writer's; none where the reader knows neither it nor a default.
    Symbol(Arc<[Option<Str>]>),
    Array(Arc<Items>),
    Map(Arc<Items>),
    Entries(Arc<RecordRead>),
    Struct(Arc<RecordRead>),
    /// Null or a value; whether null comes first.
    Nullable {
        null_first: bool,
        inner: Arc<Read>,
    },
    /// By index in the writer's data.
    Union(Arc<[Read]>),
    /// As the field of a struct that stands for a union.
    Member(Arc<MemberRead>),
    Schemaless,
    /// Of a writer's type that the reader does not know.
    Refused(Arc<str>),
    /// A field that the reader does not have.
    Skipped(AvroSchema, TypeId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Narrow {
    Int,
    Long,
    Float,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wide {
    Long,
    Float,
    Double,
}

pub(super) struct Items {
    pub(super) read: Read,
    /// Bytes that an item takes at least.
    pub(super) least: usize,
}

pub(super) struct RecordRead {
    pub(super) schema: Schema,
    /// In the writer's order; the place is the reader's, and none for what is skipped.
    pub(super) parts: Box<[(Option<usize>, Read)]>,
    /// Whether the parts are the reader's fields, all of them and in their order.
    pub(super) in_order: bool,
    /// What fields have that the writer did not write, others null; by the reader's places.
    pub(super) blank: Box<[Value]>,
    /// Fields that are made of no bytes.
    pub(super) free: usize,
    pub(super) least: usize,
}

pub(super) struct MemberRead {
    pub(super) schema: Schema,
    pub(super) field: usize,
    pub(super) read: Read,
}

/// Compiles the reading of `writer`'s data as `reader`, whose Connect schema is `schema` (`None`: schemaless).
pub(super) fn compile(
    mapping: &Mapping,
    writer: &AvroSchema,
    reader: &AvroSchema,
    schema: Option<&Schema>,
) -> Result<Read> {
    let mut compiler = Compiler { mapping, writer, reader, known: HashMap::new(), depth: 0 };
    compiler.any(writer.root(), reader.root(), schema)
}

struct Compiler<'a> {
    mapping: &'a Mapping,
    writer: &'a AvroSchema,
    reader: &'a AvroSchema,
    /// Containers by the types and the address of their schema, which the root keeps alive.
    known: HashMap<(TypeId, TypeId, usize), Read>,
    depth: usize,
}

impl Compiler<'_> {
    fn any(&mut self, from: TypeId, to: TypeId, schema: Option<&Schema>) -> Result<Read> {
        let Some(schema) = schema else {
            if !is_anything(self.writer.types(), from) {
                return Err(self.unfit(from, to));
            }
            return Ok(Read::Schemaless);
        };
        let key = (from, to, schema.address());
        if let Some(read) = self.known.get(&key) {
            return Ok(read.clone());
        }
        if self.depth >= MAX_DEPTH {
            return Err(Error::data(format!(
                "Avro schemas nested deeper than {MAX_DEPTH} levels cannot be read"
            )));
        }
        self.depth += 1;
        let read = self.of_writer(from, to, schema);
        self.depth -= 1;
        let read = read?;
        self.known.insert(key, read.clone());
        Ok(read)
    }

    fn of_writer(&mut self, from: TypeId, to: TypeId, schema: &Schema) -> Result<Read> {
        let writer = self.writer;
        let Kind::Union(members) = writer.types().kind(from) else { return self.of_reader(from, to, schema) };
        let mut reads = Vec::with_capacity(members.len());
        for member in members {
            // A member that the reader does not know matters only where it comes.
            let read = self.of_reader(*member, to, schema);
            reads.push(read.unwrap_or_else(|error| Read::Refused(error.to_string().into())));
        }
        Ok(match <[Read; 2]>::try_from(reads) {
            Ok([Read::Null, inner]) if !matches!(inner, Read::Null) => {
                Read::Nullable { null_first: true, inner: Arc::new(inner) }
            }
            Ok([inner, Read::Null]) => Read::Nullable { null_first: false, inner: Arc::new(inner) },
            Ok(two) => Read::Union(Arc::new(two)),
            Err(reads) => Read::Union(reads.into()),
        })
    }

    fn of_reader(&mut self, from: TypeId, to: TypeId, schema: &Schema) -> Result<Read> {
        let (writer, reader) = (self.writer, self.reader);
        let kind = writer.types().kind(from);
        let Kind::Union(members) = reader.types().kind(to) else { return self.single(from, to, schema) };
        let (at, member) = best_member(kind, reader.types(), members).ok_or_else(|| self.unfit(from, to))?;
        if matches!(reader.types().kind(member), Kind::Null) {
            return Ok(Read::Null);
        }
        if self.mapping.union_form(reader.types(), members) != UnionForm::Struct {
            return self.single(from, member, schema);
        }
        let nulls =
            members.iter().take(at).filter(|it| matches!(reader.types().kind(**it), Kind::Null)).count();
        let place = at - nulls;
        let field = schema.fields().get(place).ok_or_else(|| self.unfit(from, to))?;
        let read = self.single(from, member, field.schema())?;
        Ok(Read::Member(Arc::new(MemberRead { schema: schema.clone(), field: place, read })))
    }

    /// Neither is a union.
    fn single(&mut self, from: TypeId, to: TypeId, schema: &Schema) -> Result<Read> {
        let (writer, reader) = (self.writer, self.reader);
        let (kind, wanted) = (writer.types().kind(from), reader.types().kind(to));
        if match_kinds(kind, wanted) == Match::Not {
            return Err(self.unfit(from, to));
        }
        Ok(match (kind, wanted) {
            (Kind::Null, _) => Read::Null,
            (Kind::Boolean, _) => Read::Boolean,
            (Kind::Int, Kind::Int) => match (schema.logical(), schema.ty()) {
                (Some(Logical::Date), _) => Read::Date,
                (Some(Logical::Time), _) => Read::Time,
                (_, Type::Int8) => Read::Int8,
                (_, Type::Int16) => Read::Int16,
                _ => Read::Int32,
            },
            // An int is the same bytes as the long of that number.
            (Kind::Int | Kind::Long, Kind::Long) if schema.logical() == Some(Logical::Timestamp) => {
                Read::Timestamp
            }
            (Kind::Long, Kind::Long) => Read::Int64,
            (Kind::Float, Kind::Float) => Read::Float32,
            (Kind::Double, _) => Read::Float64,
            (Kind::Int, wide) => Read::Widened { from: Narrow::Int, to: widened(wide) },
            (Kind::Long, wide) => Read::Widened { from: Narrow::Long, to: widened(wide) },
            (Kind::Float, wide) => Read::Widened { from: Narrow::Float, to: widened(wide) },
            (Kind::String | Kind::Bytes, Kind::String) => Read::String,
            (Kind::String | Kind::Bytes, _) => match schema.logical() {
                Some(Logical::Decimal(scale)) => Read::Decimal(scale),
                _ => Read::Bytes,
            },
            (Kind::Fixed(it), _) => match schema.logical() {
                Some(Logical::Decimal(scale)) => Read::DecimalInFixed { scale, size: it.size },
                _ => Read::Fixed(it.size),
            },
            (Kind::Enum(from), Kind::Enum(to)) => {
                let known = |symbol: &String| match to.symbols.contains(symbol) {
                    true => Some(Str::from(symbol)),
                    false => to.default.as_ref().map(Str::from),
                };
                Read::Symbol(from.symbols.iter().map(known).collect())
            }
            (Kind::Array(a), Kind::Array(b)) if schema.ty() == Type::Map => self.entries(*a, *b, schema)?,
            (Kind::Array(a), Kind::Array(b)) => Read::Array(self.items(*a, *b, schema)?),
            (Kind::Map(a), Kind::Map(b)) => Read::Map(self.items(*a, *b, schema)?),
            (Kind::Record(a), Kind::Record(b)) => Read::Struct(Arc::new(self.record(a, b, schema)?)),
            _ => return Err(self.unfit(from, to)),
        })
    }

    fn items(&mut self, from: TypeId, to: TypeId, schema: &Schema) -> Result<Arc<Items>> {
        let read = self.any(from, to, schema.values())?;
        Ok(Arc::new(Items { least: read.least(), read }))
    }

    /// A map whose keys are no strings: an array of records with key and value.
    fn entries(&mut self, from: TypeId, to: TypeId, schema: &Schema) -> Result<Read> {
        let (writer, reader) = (self.writer, self.reader);
        let (Kind::Record(a), Kind::Record(b)) = (writer.types().kind(from), reader.types().kind(to)) else {
            return Err(self.unfit(from, to));
        };
        if !is_map_entry(reader.types(), to) {
            return Err(self.unfit(from, to));
        }
        let field = |name: &str| b.fields.iter().find(|field| field.name == name);
        let (Some(key), Some(value)) = (field("key"), field("value")) else {
            return Err(self.unfit(from, to));
        };
        let mut parts = Vec::with_capacity(a.fields.len());
        for field in &a.fields {
            parts.push(match field.name.as_str() {
                "key" => (Some(0), self.any(field.ty, key.ty, schema.keys())?),
                "value" => (Some(1), self.any(field.ty, value.ty, schema.values())?),
                _ => (None, Read::Skipped(writer.clone(), field.ty)),
            });
        }
        let written = parts.iter().filter(|(at, _)| at.is_some()).count();
        if written != 2 {
            return Err(self.unfit(from, to));
        }
        Ok(Read::Entries(Arc::new(RecordRead::new(schema, parts, Vec::new()))))
    }

    fn record(&mut self, from: &RecordType, to: &RecordType, schema: &Schema) -> Result<RecordRead> {
        let (writer, reader) = (self.writer, self.reader);
        if schema.fields().len() != to.fields.len() {
            return Err(Error::data(format!("{schema} is not the schema of {}", to.name.full())));
        }
        let places: HashMap<&str, usize> =
            to.fields.iter().enumerate().map(|(i, field)| (field.name.as_str(), i)).collect();
        let aliases: HashMap<&str, usize> = to
            .fields
            .iter()
            .enumerate()
            .flat_map(|(i, field)| field.aliases.iter().map(move |alias| (alias.as_str(), i)))
            .collect();
        let mut written = vec![false; to.fields.len()];
        let mut parts = Vec::with_capacity(from.fields.len());
        for field in &from.fields {
            let name = field.name.as_str();
            // An alias counts where the reader has no writer's field of its own name.
            let at = places.get(name).or_else(|| aliases.get(name)).copied();
            let part = match at
                .and_then(|at| Some((at, to.fields.get(at)?, schema.fields().get(at)?, written.get_mut(at)?)))
            {
                Some((at, wanted, connect, written)) if !*written => {
                    *written = true;
                    let read = self.any(field.ty, wanted.ty, Some(connect.schema())).map_err(|error| {
                        error.wrapped_in(exception::DATA, format!("field {name} of {}", to.name.full()))
                    })?;
                    (Some(at), read)
                }
                _ => (None, Read::Skipped(writer.clone(), field.ty)),
            };
            parts.push(part);
        }
        let mut blank = vec![Value::Null; to.fields.len()];
        for (((wanted, connect), written), slot) in
            to.fields.iter().zip(schema.fields()).zip(written).zip(&mut blank)
        {
            if written {
                continue;
            }
            let default = wanted.default.as_ref().ok_or_else(|| {
                resolution(format!(
                    "Found {}, expecting {}, missing required field {}",
                    from.name.full(),
                    to.name.full(),
                    wanted.name
                ))
            })?;
            *slot = value_of_default(self.mapping, reader.types(), wanted.ty, connect.schema(), default)
                .ok_or_else(|| {
                    resolution(format!(
                        "the default of the field {} of {} is no value of it",
                        wanted.name,
                        to.name.full()
                    ))
                })?;
        }
        Ok(RecordRead::new(schema, parts, blank))
    }

    fn unfit(&self, from: TypeId, to: TypeId) -> Error {
        let (found, wanted) = (self.writer.types().kind(from), self.reader.types().kind(to));
        resolution(format!("Found {}, expecting {}", found.label(), wanted.label()))
    }
}

fn widened(kind: &Kind) -> Wide {
    match kind {
        Kind::Long => Wide::Long,
        Kind::Float => Wide::Float,
        _ => Wide::Double,
    }
}

fn resolution(message: String) -> Error {
    Error::new(ErrorClass::Data, exception::SERIALIZATION, message)
}

impl RecordRead {
    fn new(schema: &Schema, parts: Vec<(Option<usize>, Read)>, blank: Vec<Value>) -> Self {
        let in_order =
            parts.len() == blank.len() && parts.iter().enumerate().all(|(i, (at, _))| *at == Some(i));
        let least = |read: &Read| read.least();
        let written = parts.iter().filter(|(at, _)| at.is_some());
        let blank_ones = blank.len().saturating_sub(written.clone().count());
        Self {
            schema: schema.clone(),
            in_order,
            // The struct itself, and what is made for fields, counts where no byte pays for it. What is skipped makes
            // nothing.
            free: written.filter(|(_, read)| least(read) == 0).count()
                + blank_ones
                + usize::from(parts.is_empty()),
            least: parts.iter().map(|(_, read)| least(read)).fold(0, usize::saturating_add),
            parts: parts.into_boxed_slice(),
            blank: blank.into_boxed_slice(),
        }
    }
}

impl Read {
    /// Bytes that a value takes at least.
    fn least(&self) -> usize {
        match self {
            Read::Null | Read::Refused(_) | Read::Skipped(..) => 0,
            Read::Fixed(size) | Read::DecimalInFixed { size, .. } => *size,
            Read::Float32 | Read::Widened { from: Narrow::Float, .. } => 4,
            Read::Float64 => 8,
            Read::Struct(record) => record.least,
            Read::Member(member) => member.read.least(),
            Read::Schemaless => 9,
            _ => 1,
        }
    }
}

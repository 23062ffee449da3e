//! `InsertField`: adds what Kafka knows of a record, or a fixed text, as fields.

use lavka_api::config::{Config, ConfigSpec, key};
use lavka_api::data::{Datum, Logical, Record, Schema, SchemaBuilder, Shape, ShapeTable, Str, Type, Value};
use lavka_api::plugin::{Transform, Verdict};
use lavka_api::{Error, Result};

use crate::nulls::{NullRules, replace_null_with_default};
use crate::operand::{
    Side, map_put, not_a_map, not_a_struct, rebuild_map, rebuild_object, rebuild_struct, sink_offset,
};
use crate::plan::{Plans, SCHEMAS, SHAPES, TRANSITIONS};

const PURPOSE: &str = "field insertion";

lavka_api::config! {
    /// Keys of `InsertField`.
    pub(crate) struct InsertFieldConfig {
        topic_field: Option<String> = key("topic.field")
            .doc("Field for the topic. A suffix ! makes the field required, ? optional, which it is without one."),
        partition_field: Option<String> = key("partition.field")
            .doc("Field for the partition, where it is known. Suffix ! or ? as for topic.field."),
        offset_field: Option<String> = key("offset.field")
            .doc("Field for the offset; sink connectors only. Suffix ! or ? as for topic.field."),
        timestamp_field: Option<String> = key("timestamp.field")
            .doc("Field for the timestamp, where there is one. Suffix ! or ? as for topic.field."),
        static_field: Option<String> = key("static.field")
            .doc("Field for a fixed text. Suffix ! or ? as for topic.field."),
        static_value: Option<String> = key("static.value").doc("The fixed text of static.field."),
        replace_null_with_default: bool = replace_null_with_default(),
    }
}

/// What is inserted.
#[derive(Clone)]
enum Source {
    Topic,
    Partition,
    Offset,
    Timestamp,
    Static(Str),
}

impl Source {
    fn schema(&self, optional: bool) -> Result<Schema> {
        let plain = |ty| Schema::builder(ty);
        let builder = match self {
            Source::Topic | Source::Static(_) => plain(Type::String),
            Source::Partition => plain(Type::Int32),
            Source::Offset => plain(Type::Int64),
            Source::Timestamp => SchemaBuilder::logical(Logical::Timestamp),
        };
        builder.optional_if(optional).build()
    }
}

/// One field to insert.
struct Insertion {
    name: Str,
    optional: bool,
    source: Source,
}

impl Insertion {
    /// Reads `name`, `name?` or `name!`.
    fn parse(text: &str, source: Source) -> Self {
        let (name, optional) = match (text.strip_suffix('?'), text.strip_suffix('!')) {
            (Some(name), _) => (name, true),
            (None, Some(name)) => (name, false),
            (None, None) => (text, true),
        };
        Self { name: name.into(), optional, source }
    }
}

/// What the insertions take from a record besides its topic.
struct Metadata {
    partition: Option<i32>,
    offset: Option<i64>,
    timestamp: Option<i64>,
}

impl Metadata {
    /// # Errors
    /// Where the offset is wanted and the record has none.
    fn of(record: &Record, wants_offset: bool) -> Result<Self> {
        let offset = if wants_offset { Some(sink_offset(record.kind, PURPOSE)?) } else { None };
        Ok(Self { partition: record.partition, offset, timestamp: record.timestamp })
    }

    /// Which of the values that a record may lack are there: what a schemaless plan depends on besides the shape.
    fn known(&self) -> u8 {
        u8::from(self.partition.is_some()) | u8::from(self.timestamp.is_some()) << 1
    }

    fn has(&self, source: &Source) -> bool {
        match source {
            Source::Partition => self.partition.is_some(),
            Source::Timestamp => self.timestamp.is_some(),
            Source::Topic | Source::Offset | Source::Static(_) => true,
        }
    }

    /// The value to insert, null where the record has none. Without a schema a timestamp is a plain number.
    fn value(&self, source: &Source, topic: &str, typed: bool) -> Value {
        match source {
            Source::Topic => topic.into(),
            Source::Partition => self.partition.into(),
            Source::Offset => self.offset.into(),
            Source::Timestamp if typed => self.timestamp.map_or(Value::Null, Value::Timestamp),
            Source::Timestamp => self.timestamp.into(),
            Source::Static(text) => text.clone().into(),
        }
    }
}

struct StructPlan {
    schema: Schema,
    nulls: NullRules,
}

struct ObjectPlan {
    shape: Shape,
    /// Insertion and its place in the new object, in order; of two with one name the later one counts.
    places: Vec<(usize, usize)>,
}

pub(crate) struct InsertField {
    side: Side,
    insertions: Vec<Insertion>,
    wants_offset: bool,
    replace_nulls: bool,
    structs: Plans<Schema, StructPlan>,
    objects: Plans<(Shape, u8), ObjectPlan>,
    shapes: ShapeTable,
}

impl InsertField {
    pub(crate) fn new(config: &Config, side: Side) -> Result<Self> {
        let config = InsertFieldConfig::from_config(config)?;
        let fields = [
            (&config.topic_field, Source::Topic),
            (&config.partition_field, Source::Partition),
            (&config.offset_field, Source::Offset),
            (&config.timestamp_field, Source::Timestamp),
        ];
        let mut insertions: Vec<Insertion> = fields
            .into_iter()
            .filter_map(|(field, source)| Some(Insertion::parse(field.as_deref()?, source)))
            .collect();
        if let Some(field) = &config.static_field {
            let Some(text) = &config.static_value else {
                let detail = format!("No value specified for static field: {field}");
                return Err(Error::invalid_value("static.value", "null", detail));
            };
            insertions.push(Insertion::parse(field, Source::Static(text.into())));
        }
        if insertions.is_empty() {
            return Err(Error::config("No field insertion configured"));
        }
        Ok(Self {
            side,
            insertions,
            wants_offset: config.offset_field.is_some(),
            replace_nulls: config.replace_null_with_default,
            structs: Plans::new(SCHEMAS),
            objects: Plans::new(SHAPES),
            shapes: ShapeTable::new(TRANSITIONS),
        })
    }

    fn compile_struct(insertions: &[Insertion], replace_nulls: bool, schema: &Schema) -> Result<StructPlan> {
        let mut builder = Schema::structure().basics_of(schema);
        for field in schema.fields() {
            builder = builder.field(field.name().clone(), field.schema().clone());
        }
        for insertion in insertions {
            builder = builder.field(insertion.name.clone(), insertion.source.schema(insertion.optional)?);
        }
        Ok(StructPlan { schema: builder.build()?, nulls: NullRules::copying(schema, replace_nulls) })
    }

    fn compile_object(
        insertions: &[Insertion],
        metadata: &Metadata,
        shape: &Shape,
        shapes: &mut ShapeTable,
    ) -> ObjectPlan {
        let mut keys: Vec<&str> = shape.keys().iter().map(Str::as_str).collect();
        let mut places = Vec::with_capacity(insertions.len());
        for (at, insertion) in insertions.iter().enumerate().filter(|(_, i)| metadata.has(&i.source)) {
            let place = keys.iter().position(|key| *key == insertion.name.as_str()).unwrap_or_else(|| {
                keys.push(&insertion.name);
                keys.len() - 1
            });
            places.push((at, place));
        }
        ObjectPlan { shape: shapes.intern(keys), places }
    }
}

impl Transform for InsertField {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        let Self { side, insertions, wants_offset, replace_nulls, structs, objects, shapes } = self;
        let metadata = Metadata::of(record, *wants_offset);
        // A pointer is copied, so that the operand can be changed beside it.
        let topic = record.topic.clone();
        let operand: &mut Datum = side.of(record);
        match (&operand.schema, &operand.value) {
            (_, Value::Null) => {}
            (Some(_), Value::Struct(value)) => {
                let compile = |schema: &Schema| Self::compile_struct(insertions, *replace_nulls, schema);
                let plan = structs.get(value.schema(), compile)?;
                // Of several faults the one that copying meets first is reported.
                plan.nulls.check(value.values())?;
                let metadata = metadata?;
                rebuild_struct(operand, &plan.schema, |values| {
                    let mut values = values.into_vec();
                    plan.nulls.fill(&mut values);
                    values.reserve_exact(insertions.len());
                    values.extend(insertions.iter().map(|i| metadata.value(&i.source, &topic, true)));
                    values.into_boxed_slice()
                })?;
            }
            (Some(_), other) => return Err(not_a_struct(other, PURPOSE)),
            (None, Value::Object(object)) => {
                let metadata = metadata?;
                let key = (object.shape().clone(), metadata.known());
                let plan = objects
                    .get(&key, |(shape, _)| Ok(Self::compile_object(insertions, &metadata, shape, shapes)))?;
                rebuild_object(operand, &plan.shape, |mut values| {
                    values.reserve_exact(plan.shape.len().saturating_sub(values.len()));
                    values.resize(plan.shape.len(), Value::Null);
                    for &(at, place) in &plan.places {
                        if let (Some(insertion), Some(slot)) = (insertions.get(at), values.get_mut(place)) {
                            *slot = metadata.value(&insertion.source, &topic, false);
                        }
                    }
                    values
                });
            }
            (None, Value::Map(_)) => {
                let metadata = metadata?;
                rebuild_map(operand, |mut entries| {
                    for insertion in insertions.iter().filter(|i| metadata.has(&i.source)) {
                        let value = metadata.value(&insertion.source, &topic, false);
                        map_put(&mut entries, &insertion.name, value);
                    }
                    entries
                });
            }
            (None, other) => return Err(not_a_map(other, PURPOSE)),
        }
        Ok(Verdict::Keep)
    }
}

//! Which columns the records of a schema have, and where each column's value is in the record.

use std::collections::HashSet;

use lavka_api::data::{Datum, Field, Schema, SinkRecord, Struct, Type, Value};
use lavka_api::{Error, Result};

use super::cell::Cell;
use super::conversion::{Conversion, Semantics};
use super::temporal::WallClock;
use crate::dialect::{ColumnSpec, TypeRules, literal};
use crate::settings::{FieldFilter, KeyMode};

/// What the configuration says about columns.
#[derive(Clone, Debug)]
pub(crate) struct PlanRules {
    pub(crate) key_mode: KeyMode,
    /// `pk.fields`.
    pub(crate) key_fields: Vec<String>,
    pub(crate) filter: FieldFilter,
    pub(crate) semantics: Semantics,
    /// `replace.null.with.default`.
    pub(crate) null_to_default: bool,
    /// The column of values that are texts, where such values are taken (`string.output.value.column.name`).
    pub(crate) text_column: Option<String>,
    /// `db.timezone`, for literals.
    pub(crate) clock: WallClock,
}

/// Names of the key columns of `pk.mode=kafka`.
pub(crate) const KAFKA_COLUMNS: [&str; 3] = ["__connect_topic", "__connect_partition", "__connect_offset"];

/// Why a struct has no such field, or is none.
const OTHER_SHAPE: &str = "a value of another shape than its schema";

/// Where a column's value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Topic,
    Partition,
    Offset,
    /// The record's key itself.
    Key,
    KeyField(usize),
    /// The payload itself.
    Value,
    ValueField(usize),
    Header(String),
}

/// A column of the plan.
#[derive(Clone, Debug)]
pub(crate) struct PlanColumn {
    pub(crate) name: String,
    pub(crate) schema: Schema,
    pub(crate) origin: Origin,
    pub(crate) key: bool,
    conversion: Conversion,
}

/// The columns of records with one key schema and one payload schema, those of the key first.
#[derive(Clone, Debug)]
pub(crate) struct RowPlan {
    pub(crate) columns: Vec<PlanColumn>,
    /// How many columns are the key.
    pub(crate) keys: usize,
    null_to_default: bool,
    /// The plan of deletes holds it so that the addresses in a cache stay taken.
    _schemas: (Option<Schema>, Option<Schema>),
}

impl RowPlan {
    /// The plan for records of `topic` bound for `table`, with this key schema and payload schema (`None`: deletes, of
    /// which the key alone matters).
    ///
    /// # Errors
    /// Data errors: records of such a schema cannot be written.
    pub(crate) fn of(
        rules: &PlanRules,
        record: &SinkRecord,
        table: &str,
        payload: Option<&Schema>,
    ) -> Result<Self> {
        let key = record.record.key.schema.as_ref();
        let mut columns = Vec::new();
        match rules.key_mode {
            KeyMode::None => {}
            KeyMode::Kafka => columns.extend(kafka_columns(rules, table)?),
            KeyMode::RecordKey => columns.extend(key_columns(rules, table, key)?),
            KeyMode::RecordValue => {
                if let Some(payload) = payload {
                    columns.extend(value_key_columns(rules, table, payload)?);
                }
            }
            KeyMode::RecordHeader => columns.extend(header_columns(rules, table, record)?),
        }
        let keys = columns.len();
        let names: HashSet<String> = columns.iter().map(|column: &PlanColumn| column.name.clone()).collect();
        match payload {
            None => {}
            Some(payload) if payload.ty() == Type::Struct => {
                let topic = record.record.topic.as_str();
                for (at, field) in payload.fields().iter().enumerate() {
                    let name = field.name().as_str();
                    if !names.contains(name) && rules.filter.takes(topic, name) {
                        columns.push(column(rules, name, field.schema(), Origin::ValueField(at), false)?);
                    }
                }
            }
            Some(payload) if payload.ty() == Type::String && rules.text_column.is_some() => {
                let name = rules.text_column.clone().unwrap_or_default();
                if rules.key_mode == KeyMode::RecordValue {
                    return Err(Error::data(
                        "pk.mode record_value is not supported with String value schemas",
                    ));
                }
                if names.contains(&name) {
                    return Err(Error::data(format!(
                        "Configured string.output.value.column.name '{name}' conflicts with a primary key column for \
                         table '{table}'"
                    )));
                }
                columns.push(column(rules, &name, payload, Origin::Value, false)?);
            }
            Some(_) => return Err(Error::data("Value schema must be of type Struct or String")),
        }
        if columns.is_empty() {
            return Err(Error::data(format!(
                "No fields found using key and value schemas for table: {table}"
            )));
        }
        Ok(Self {
            columns,
            keys,
            null_to_default: rules.null_to_default,
            _schemas: (key.cloned(), payload.cloned()),
        })
    }

    /// Appends the row of a record to `cells`, the first `count` columns of it. `payload` is the struct that the columns
    /// of the value are in.
    ///
    /// # Errors
    /// A data error that names the column. `cells` is as it was.
    pub(crate) fn row<'a>(
        &self,
        record: &'a SinkRecord,
        payload: Payload<'a>,
        count: usize,
        cells: &mut Vec<Cell<'a>>,
    ) -> Result<()> {
        let start = cells.len();
        let parts = payload.row();
        for column in self.columns.iter().take(count) {
            let cell = match (&column.origin, parts) {
                // What most columns are.
                (Origin::ValueField(at), Some(parts)) => {
                    self.field(parts, *at).and_then(|value| column.conversion.cell(value))
                }
                _ => self.cell(column, record, payload),
            };
            match cell {
                Ok(cell) => cells.push(cell),
                Err(detail) => {
                    cells.truncate(start);
                    return Err(Error::data(format!("column {} cannot hold {detail}", column.name)));
                }
            }
        }
        Ok(())
    }

    fn cell<'a>(
        &self,
        column: &PlanColumn,
        record: &'a SinkRecord,
        payload: Payload<'a>,
    ) -> Result<Cell<'a>, String> {
        let value = match &column.origin {
            Origin::Topic => return Ok(Cell::Text(record.origin.topic.as_str().into())),
            Origin::Partition => return Ok(Cell::Int(record.origin.partition.into())),
            Origin::Offset => return Ok(Cell::Int(record.origin.offset)),
            Origin::Key => &record.record.key.value,
            Origin::KeyField(at) => match &record.record.key.value {
                Value::Struct(key) => self.field(key, *at)?,
                other => return Err(format!("a key of type {}", other.java_class())),
            },
            Origin::Value => match payload {
                Payload::Value(datum) => &datum.value,
                Payload::Row(_) | Payload::None => return Err("a value that is a struct".to_owned()),
            },
            Origin::ValueField(_) => return Err(OTHER_SHAPE.to_owned()),
            Origin::Header(name) => {
                let header = record.record.headers.last(name);
                header
                    .map(|header| &header.value)
                    .ok_or_else(|| format!("a header {name} that is missing"))?
            }
        };
        column.conversion.cell(value)
    }

    #[inline]
    fn field<'a>(&self, parts: &'a Struct, at: usize) -> Result<&'a Value, String> {
        match parts.values().get(at) {
            Some(value) if self.null_to_default && value.is_null() => {
                Ok(parts.schema().fields().get(at).and_then(default_of).unwrap_or(value))
            }
            Some(value) => Ok(value),
            None => Err(OTHER_SHAPE.to_owned()),
        }
    }

    /// The columns to be made for this plan, in the order in which Confluent's sink has them: the three of Kafka, those of
    /// the value, the rest by name.
    ///
    /// # Errors
    /// A data error for a schema without a column type.
    pub(crate) fn specs(&self, rules: &PlanRules, types: TypeRules) -> Result<Vec<ColumnSpec>> {
        let mut ordered: Vec<&PlanColumn> = self.columns.iter().collect();
        ordered.sort_by_key(|column| match &column.origin {
            Origin::Topic | Origin::Partition | Origin::Offset => (0, 0, String::new()),
            Origin::ValueField(at) => (1, *at, String::new()),
            Origin::Value => (1, 0, String::new()),
            Origin::Key | Origin::KeyField(_) | Origin::Header(_) => (2, 0, column.name.clone()),
        });
        ordered.into_iter().map(|column| self.spec(column, rules, types)).collect()
    }

    /// The spec of one column.
    ///
    /// # Errors
    /// As [`specs`](Self::specs).
    pub(crate) fn spec(
        &self,
        column: &PlanColumn,
        rules: &PlanRules,
        types: TypeRules,
    ) -> Result<ColumnSpec> {
        let ty = types
            .column_type(&column.schema, &column.conversion, column.key)
            .map_err(|detail| Error::data(format!("field {}: {detail}", column.name)))?;
        let default = column.schema.default_value().and_then(|default| {
            let cell = column.conversion.cell(default).ok()?;
            // MySQL has no defaults on TEXT, BLOB and JSON.
            let plain = !(types.dialect.is_mysql()
                && ["TEXT", "BLOB", "JSON"].iter().any(|ending| ty.ends_with(ending)));
            if plain { literal(types.dialect, &cell, &rules.clock) } else { None }
        });
        Ok(ColumnSpec {
            name: column.name.clone(),
            ty,
            optional: column.schema.is_optional(),
            default,
            key: column.key,
        })
    }
}

/// Where the fields of a record's row are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Payload<'a> {
    None,
    Value(&'a Datum),
    /// A part of a change event.
    Row(&'a Struct),
}

impl<'a> Payload<'a> {
    fn row(self) -> Option<&'a Struct> {
        match self {
            Payload::Row(row) => Some(row),
            Payload::Value(datum) => match &datum.value {
                Value::Struct(row) => Some(row),
                _ => None,
            },
            Payload::None => None,
        }
    }
}

fn default_of(field: &Field) -> Option<&Value> {
    field.schema().default_value()
}

fn column(rules: &PlanRules, name: &str, schema: &Schema, origin: Origin, key: bool) -> Result<PlanColumn> {
    let conversion = Conversion::of(name, schema, &rules.semantics).map_err(|what| {
        Error::data(format!(
            "field {name}: a column cannot hold {what}; flatten or drop it with a transform, such as Flatten$Value"
        ))
    })?;
    Ok(PlanColumn { name: name.to_owned(), schema: schema.clone(), origin, key, conversion })
}

fn kafka_columns(rules: &PlanRules, table: &str) -> Result<Vec<PlanColumn>> {
    let defaults = KAFKA_COLUMNS.map(str::to_owned);
    let names: &[String] = match rules.key_fields.len() {
        0 => &defaults,
        3 => &rules.key_fields,
        _ => {
            return Err(Error::config(format!(
                "PK mode for table '{table}' is KAFKA so there should either be no field names defined for defaults [{}] \
                 to be applicable, or exactly 3, defined fields are: [{}]",
                KAFKA_COLUMNS.join(", "),
                rules.key_fields.join(", ")
            )));
        }
    };
    let origins =
        [(Origin::Topic, Type::String), (Origin::Partition, Type::Int32), (Origin::Offset, Type::Int64)];
    names
        .iter()
        .zip(origins)
        .map(|(name, (origin, ty))| column(rules, name, &Schema::of(ty), origin, true))
        .collect()
}

fn key_columns(rules: &PlanRules, table: &str, schema: Option<&Schema>) -> Result<Vec<PlanColumn>> {
    let schema = schema.ok_or_else(|| {
        Error::data(format!("PK mode for table '{table}' is RECORD_KEY, but record key schema is missing"))
    })?;
    let fields = &rules.key_fields;
    if schema.ty().is_primitive() {
        return match fields.as_slice() {
            [name] => Ok(vec![column(rules, name, schema, Origin::Key, true)?]),
            _ => Err(Error::data(format!(
                "Need exactly one PK column defined since the key schema for records is a primitive type, defined columns \
                 are: [{}]",
                fields.join(", ")
            ))),
        };
    }
    if schema.ty() != Type::Struct {
        return Err(Error::data(format!(
            "Key schema must be primitive type or Struct, but is of type: {}",
            schema.ty()
        )));
    }
    struct_keys(rules, table, schema, "RECORD_KEY", "key", Origin::KeyField)
}

fn value_key_columns(rules: &PlanRules, table: &str, schema: &Schema) -> Result<Vec<PlanColumn>> {
    if schema.ty() != Type::Struct {
        return Ok(Vec::new());
    }
    struct_keys(rules, table, schema, "RECORD_VALUE", "value", Origin::ValueField)
}

fn struct_keys(
    rules: &PlanRules,
    table: &str,
    schema: &Schema,
    mode: &str,
    part: &str,
    origin: fn(usize) -> Origin,
) -> Result<Vec<PlanColumn>> {
    if rules.key_fields.is_empty() {
        let all = schema.fields().iter().enumerate();
        return all
            .map(|(at, field)| column(rules, field.name(), field.schema(), origin(at), true))
            .collect();
    }
    let fields = rules.key_fields.iter();
    fields
        .map(|name| match (schema.index_of(name), schema.field(name)) {
            (Some(at), Some(field)) => column(rules, name, field.schema(), origin(at), true),
            _ => Err(Error::data(format!(
                "PK mode for table '{table}' is {mode} with configured PK fields [{}], but record {part} schema does not \
                 contain field: {name}",
                rules.key_fields.join(", ")
            ))),
        })
        .collect()
}

fn header_columns(rules: &PlanRules, table: &str, record: &SinkRecord) -> Result<Vec<PlanColumn>> {
    let headers = &record.record.headers;
    let mut columns: Vec<PlanColumn> = Vec::new();
    for header in headers.iter() {
        let name = header.key.as_str();
        let wanted = rules.key_fields.is_empty() || rules.key_fields.iter().any(|field| field == name);
        if !wanted || columns.iter().any(|column| column.name == name) {
            continue;
        }
        let last = headers.last(name).unwrap_or(&header.datum);
        let schema = last.schema.clone().ok_or_else(|| {
            Error::data(format!(
                "PK mode for table '{table}' is RECORD_HEADER, but header {name} has no schema"
            ))
        })?;
        columns.push(column(rules, name, &schema, Origin::Header(name.to_owned()), true)?);
    }
    if columns.is_empty() || columns.len() < rules.key_fields.len() {
        return Err(Error::data(format!(
            "PK mode for table '{table}' is RECORD_HEADER, but the record has not all headers of the key: [{}]",
            rules.key_fields.join(", ")
        )));
    }
    Ok(columns)
}

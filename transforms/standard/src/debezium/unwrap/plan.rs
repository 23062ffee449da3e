//! What becomes of the change events of one schema.

use lavka_api::data::{Schema, SchemaBuilder, Str, Struct, Type, Value};
use lavka_api::{Error, Result};

use crate::nulls::NullRules;

use super::config::Settings;
use super::reference::Place;

/// The field that says whether a row was deleted.
pub(super) const DELETED: &str = "__deleted";

/// What becomes of the change events of one schema.
pub(super) struct Plan {
    pub(super) before: usize,
    pub(super) after: usize,
    pub(super) after_schema: Schema,
    /// Fields that are added to rows.
    pub(super) fields: Vec<Place>,
    /// Fields that become headers.
    pub(super) headers: Vec<Place>,
    /// Rows that were made of `before`, and of `after`.
    pub(super) rows: [Row; 2],
}

/// What becomes of a row.
pub(super) struct Row {
    /// The row itself, with the mark of deletes where they are rewritten.
    pub(super) own: Schema,
    pub(super) nulls: NullRules,
    /// Fields of the row as it came.
    pub(super) width: usize,
}

impl Plan {
    pub(super) fn compile(settings: &Settings, schema: &Schema) -> Result<Self> {
        let row = |name: &str| {
            let at = schema.index_of(name);
            at.and_then(|at| Some((at, schema.fields().get(at)?.schema())))
                .filter(|(_, schema)| schema.ty() == Type::Struct)
                .ok_or_else(|| {
                    Error::data(format!(
                        "the schema {schema} is that of a change event by its name, but has no struct {name}"
                    ))
                })
        };
        let ((before, before_schema), (after, after_schema)) = (row("before")?, row("after")?);
        let places = |references: &[super::reference::Reference]| -> Result<Vec<Place>> {
            references.iter().filter_map(|reference| reference.place(schema).transpose()).collect()
        };
        Ok(Self {
            before,
            after,
            after_schema: after_schema.clone(),
            fields: places(&settings.fields)?,
            headers: places(&settings.headers)?,
            rows: [Row::compile(settings, before_schema)?, Row::compile(settings, after_schema)?],
        })
    }

    /// The row of an event and its plan: what it was for deletes, what it is for others; `None` where it has neither.
    pub(super) fn row<'p, 'e>(&'p self, envelope: &'e Struct) -> Option<(&'p Row, &'e Struct, bool)> {
        let [before_row, after_row] = &self.rows;
        match (envelope.values().get(self.before), envelope.values().get(self.after)) {
            (_, Some(Value::Struct(after))) => Some((after_row, after, false)),
            (Some(Value::Struct(before)), _) => Some((before_row, before, true)),
            _ => None,
        }
    }
}

impl Row {
    fn compile(settings: &Settings, schema: &Schema) -> Result<Self> {
        let mut builder = copy_of(schema);
        for field in schema.fields() {
            builder = builder.field(field.name().clone(), field.schema().clone());
        }
        let rewrites = settings.deletes.rewrites();
        if rewrites {
            builder = builder.field(DELETED, Schema::optional(Type::String));
        }
        Ok(Self {
            own: builder.build()?,
            // Only where the mark is added is a row copied with its defaults.
            nulls: NullRules::copying(schema, settings.replace_nulls && rewrites),
            width: schema.fields().len(),
        })
    }
}

fn copy_of(schema: &Schema) -> SchemaBuilder {
    Schema::structure().basics_of(schema)
}

/// A struct's schema with fields added at its end.
pub(super) fn with_added(schema: &Schema, added: &[Place]) -> Result<Schema> {
    let mut builder = copy_of(schema);
    for field in schema.fields() {
        builder = builder.field(field.name().clone(), field.schema().clone());
    }
    for place in added {
        builder = builder.field(place.name.clone(), place.schema.clone());
    }
    builder.build()
}

/// A struct's schema without some fields, and the places of those that stay.
pub(super) fn without(schema: &Schema, names: &[Str], only_optional: bool) -> Result<(Schema, Vec<usize>)> {
    let mut builder = copy_of(schema);
    let mut kept = Vec::new();
    for (at, field) in schema.fields().iter().enumerate() {
        let goes = names.contains(field.name()) && (!only_optional || field.schema().is_optional());
        if !goes {
            builder = builder.field(field.name().clone(), field.schema().clone());
            kept.push(at);
        }
    }
    if kept.len() == schema.fields().len() {
        return Ok((schema.clone(), kept));
    }
    Ok((builder.build()?, kept))
}

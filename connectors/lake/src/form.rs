//! The form that the open files of a topic partition have: one schema, or none.

use std::borrow::Cow;

use lavka_api::Result;
use lavka_api::data::{Datum, Schema, Value};
use lavka_columnar::Refusal;

use crate::compatibility::{Compatibility, Fit};
use crate::projection::Projection;

/// Schemas whose projections are kept at a time; with more they are made anew.
const MAX_PROJECTIONS: usize = 16;

/// What the open files take.
pub(crate) struct Form {
    compatibility: Compatibility,
    taken: Taken,
    /// How records of other schemas get into the form.
    projections: Vec<(Schema, Projection)>,
}

#[derive(Debug, Clone, PartialEq)]
enum Taken {
    /// No record came yet.
    Nothing,
    Schemaless,
    Schema(Schema),
}

impl Form {
    pub(crate) fn new(compatibility: Compatibility) -> Self {
        Self { compatibility, taken: Taken::Nothing, projections: Vec::new() }
    }

    /// The files before these had records of `schema`: what comes first is judged by it.
    pub(crate) fn go_on(&mut self, schema: Schema) {
        self.taken = Taken::Schema(schema);
    }

    /// The schema of the files; `None` for files of schemaless records.
    pub(crate) fn schema(&self) -> Option<&Schema> {
        match &self.taken {
            Taken::Schema(schema) => Some(schema),
            Taken::Nothing | Taken::Schemaless => None,
        }
    }

    /// The files that are opened from now on take records of `schema`.
    pub(crate) fn begin(&mut self, schema: Option<&Schema>) {
        self.taken = schema.map_or(Taken::Schemaless, |schema| Taken::Schema(schema.clone()));
        self.projections.clear();
    }

    /// Whether a record of `schema` goes into the open files; where not, they have to be finished before it.
    ///
    /// # Errors
    /// A data error where the record cannot be judged, see [`Compatibility::judge`].
    pub(crate) fn judge(&mut self, schema: Option<&Schema>) -> Result<bool> {
        match (&mut self.taken, schema) {
            (Taken::Schemaless, None) => return Ok(true),
            (Taken::Schema(taken), Some(schema)) if taken.same(schema) => return Ok(true),
            (Taken::Schema(taken), Some(schema)) if taken == schema => {
                // The pointer of later records is compared faster.
                taken.clone_from(schema);
                return Ok(true);
            }
            (Taken::Nothing, _) => return Ok(false),
            _ => {}
        }
        if self.projections.iter().any(|(known, _)| Some(known) == schema) {
            return Ok(true);
        }
        match self.compatibility.judge(self.schema(), schema)? {
            Fit::Same => Ok(true),
            Fit::Rotate => Ok(false),
            Fit::Projected(projection) => {
                if self.projections.len() >= MAX_PROJECTIONS {
                    self.projections.remove(0);
                }
                self.projections.extend(schema.map(|schema| (schema.clone(), projection)));
                Ok(true)
            }
        }
    }

    /// The rows of records, those of other schemas in the form of the files, up to the first that has none, and why it has
    /// none. All of them were judged to go in.
    pub(crate) fn rows<'a>(
        &self,
        data: impl Iterator<Item = &'a Datum>,
    ) -> (Vec<Cow<'a, Value>>, Option<Refusal>) {
        let mut refusal = None;
        let mut rows: Vec<Cow<'a, Value>> = Vec::new();
        for datum in data {
            match self.formed(datum) {
                Ok(row) => rows.push(row),
                Err(error) => {
                    refusal = Some(Refusal::Row(error));
                    break;
                }
            }
        }
        (rows, refusal)
    }

    fn formed<'a>(&self, datum: &'a Datum) -> Result<Cow<'a, Value>> {
        let (Some(form), Some(schema)) = (self.schema(), &datum.schema) else {
            return Ok(Cow::Borrowed(&datum.value));
        };
        if form == schema {
            return Ok(Cow::Borrowed(&datum.value));
        }
        match self.projections.iter().find(|(known, _)| known == schema) {
            Some((_, projection)) => projection.apply(&datum.value).map(Cow::Owned),
            // It was dropped to make room for others since.
            None => match Projection::compile(schema, form) {
                Some(projection) => projection.apply(&datum.value).map(Cow::Owned),
                None => Ok(Cow::Borrowed(&datum.value)),
            },
        }
    }
}

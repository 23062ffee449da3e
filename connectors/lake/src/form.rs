//! The form that the open files of a topic partition have: one schema, or none. In the S3 sink's way, where all records of a
//! file have the same schema, each directory has a form of its own.

use std::borrow::Cow;
use std::collections::HashMap;

use lavka_api::Result;
use lavka_api::data::{Datum, Schema, Value};
use lavka_columnar::Refusal;

use crate::compatibility::{Compatibility, Fit};
use crate::projection::Projection;

/// Schemas whose projections are kept at a time; with more they are made anew.
const MAX_PROJECTIONS: usize = 16;

/// Directories whose forms are kept at a time, unless more have open files.
const MAX_PLACES: usize = 1000;

/// The forms of a topic partition's files.
pub(crate) struct Forms {
    /// That of all directories.
    shared: Form,
    /// Those of each directory, where they have their own.
    by_place: Option<HashMap<String, Form>>,
}

impl Forms {
    /// One form for all directories, or one for each.
    pub(crate) fn new(compatibility: Compatibility, by_place: bool) -> Self {
        Self { shared: Form::new(compatibility), by_place: by_place.then(HashMap::new) }
    }

    /// Whether each directory has a form of its own.
    pub(crate) fn are_by_place(&self) -> bool {
        self.by_place.is_some()
    }

    /// The form of the files in `place`.
    pub(crate) fn of(&self, place: &str) -> &Form {
        self.by_place.as_ref().and_then(|forms| forms.get(place)).unwrap_or(&self.shared)
    }

    /// The same, to be changed. `is_open` tells which directories have open files: forms of others may be forgotten.
    pub(crate) fn of_mut(&mut self, place: &str, is_open: impl Fn(&str) -> bool) -> &mut Form {
        let Some(forms) = &mut self.by_place else { return &mut self.shared };
        if !forms.contains_key(place) {
            if forms.len() >= MAX_PLACES {
                forms.retain(|place, _| is_open(place));
            }
            forms.insert(place.to_owned(), Form::new(self.shared.compatibility));
        }
        forms.get_mut(place).unwrap_or(&mut self.shared)
    }

    /// The files before these had records of `schema`: what comes first is judged by it.
    pub(crate) fn go_on(&mut self, schema: Schema) {
        self.shared.go_on(schema);
    }
}

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

    fn go_on(&mut self, schema: Schema) {
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

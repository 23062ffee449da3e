//! Structs: a schema and one value per field, by position.

use super::values::Values;
use super::{Field, Schema, Type, Value};
use crate::error::{Error, Result};

/// A struct value. Field names resolve once per schema; values are found by position.
///
/// ```
/// use lavka_api::data::{Schema, Struct, Type, Value};
///
/// let unit = Schema::builder(Type::String).default_value(Value::from("C")).build()?;
/// let schema = Schema::structure().field("t", Schema::of(Type::Float64)).field("unit", unit).build()?;
/// let mut reading = Struct::new(schema, [Value::Float64(21.5), Value::Null])?;
/// // A null is read as the default; what is stored stays null.
/// assert_eq!(reading.get("unit"), Some(&"C".into()));
/// assert_eq!(reading.get_without_default("unit"), Some(&Value::Null));
/// assert!(reading.set("unit", "F"));
/// assert!(!reading.set("colour", "red"));
/// # Ok::<(), lavka_api::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Struct {
    schema: Schema,
    values: Values,
}

impl Struct {
    /// A struct of `schema` with `values` in field order.
    ///
    /// # Errors
    /// Where the schema is not a struct's, or the number of values differs from the number of fields. Values are not
    /// checked against the field schemas: [`validate`](super::validate) does that.
    #[inline]
    pub fn new(schema: Schema, values: impl Into<Box<[Value]>>) -> Result<Self> {
        let values: Box<[Value]> = values.into();
        if schema.ty() != Type::Struct {
            return Err(Error::data(format!("Not a struct schema: {schema}")));
        }
        if schema.fields().len() != values.len() {
            return Err(Error::data(format!(
                "Struct schema has {} fields but {} values were given",
                schema.fields().len(),
                values.len()
            )));
        }
        Ok(Self { schema, values: values.into() })
    }

    /// A struct of `schema` with every field null.
    ///
    /// # Errors
    /// Where the schema is not a struct's.
    pub fn empty(schema: Schema) -> Result<Self> {
        let values = vec![Value::Null; schema.fields().len()];
        Self::new(schema, values)
    }

    /// The schema.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The values in field order, null where unset, whatever the default.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The values, for changing them in place.
    #[must_use]
    pub fn values_mut(&mut self) -> &mut [Value] {
        &mut self.values
    }

    /// Gives up the struct for its values.
    #[must_use]
    pub fn into_values(self) -> Box<[Value]> {
        self.values.into_boxed_slice()
    }

    /// The value of `name`, or its default where it is null (`Struct.get`); `None` for an unknown field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        let at = self.schema.index_of(name)?;
        Some(self.schema.fields().get(at)?.schema().or_default(self.values.get(at)?))
    }

    /// The value of `name` as stored (`Struct.getWithoutDefault`); `None` for an unknown field.
    #[must_use]
    pub fn get_without_default(&self, name: &str) -> Option<&Value> {
        self.values.get(self.schema.index_of(name)?)
    }

    /// Sets the value of `name`; false for an unknown field.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) -> bool {
        match self.schema.index_of(name).and_then(|at| self.values.get_mut(at)) {
            Some(slot) => {
                *slot = value.into();
                true
            }
            None => false,
        }
    }

    /// Fields with their stored values.
    pub fn iter(&self) -> impl Iterator<Item = (&Field, &Value)> {
        self.schema.fields().iter().zip(&*self.values)
    }
}

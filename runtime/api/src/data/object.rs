//! Schemaless maps with string keys.

use super::values::Values;
use super::{Shape, ShapeTable, Str, Value};

/// A schemaless map with string keys, in insertion order (Java's would come in hash order).
///
/// ```
/// use lavka_api::data::{Object, ShapeTable, Value};
///
/// let mut shapes = ShapeTable::new(1000);
/// let mut readings = [20.5, 21.5].map(|t| Object::new(shapes.intern(["device", "t"]), vec!["d-1".into(), t.into()]));
/// for reading in &mut readings {
///     reading.insert("unit", "C".into(), &mut shapes);
/// }
/// // The same change to the same keys gives the same shape: whoever comes next compares a pointer.
/// assert!(readings[0].shape().same(readings[1].shape()));
/// assert_eq!(readings[1].get("t"), Some(&Value::Float64(21.5)));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    shape: Shape,
    values: Values,
}

impl Object {
    /// An object of `shape` with `values` in key order. Missing values are null, surplus ones are dropped.
    #[must_use]
    pub fn new(shape: Shape, values: Vec<Value>) -> Self {
        let mut values = values;
        values.resize(shape.len(), Value::Null);
        Self { shape, values: values.into_boxed_slice().into() }
    }

    /// An object of `entries` with a shape of its own; of two equal keys the last value counts.
    pub fn from_entries<K: Into<Str>, V: Into<Value>>(entries: impl IntoIterator<Item = (K, V)>) -> Self {
        let mut keys: Vec<Str> = Vec::new();
        let mut values: Vec<Value> = Vec::new();
        for (key, value) in entries {
            let key = key.into();
            match keys.iter().position(|k| *k == key) {
                Some(at) => values[at] = value.into(),
                None => {
                    keys.push(key);
                    values.push(value.into());
                }
            }
        }
        Self::new(Shape::new(keys), values)
    }

    /// The keys.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The values in key order.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The values, for changing them in place.
    #[must_use]
    pub fn values_mut(&mut self) -> &mut [Value] {
        &mut self.values
    }

    /// Gives up the object for its parts.
    #[must_use]
    pub fn into_parts(self) -> (Shape, Box<[Value]>) {
        (self.shape, self.values.into_boxed_slice())
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(self.shape.index_of(key)?)
    }

    /// Entries in insertion order.
    pub fn iter(&self) -> impl Iterator<Item = (&Str, &Value)> {
        self.shape.keys().iter().zip(&*self.values)
    }

    /// Sets `key`, at the end if it is new; the new shape comes from `shapes`, so that records with the same change
    /// go on sharing one.
    pub fn insert(&mut self, key: &str, value: Value, shapes: &mut ShapeTable) {
        if let Some(at) = self.shape.index_of(key) {
            self.values[at] = value;
            return;
        }
        let keys = self.shape.keys().iter().map(Str::as_str).chain([key]);
        let shape = shapes.intern(keys);
        let mut values = std::mem::take(&mut self.values).into_boxed_slice().into_vec();
        values.push(value);
        *self = Self::new(shape, values);
    }
}

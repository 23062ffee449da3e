//! Schemaless maps with string keys.

use super::values::Values;
use super::{KeyList, Shape, ShapeTable, Str, Value};

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
        Self::listed(KeyList::default(), Vec::new(), entries)
    }

    /// An object of `entries` whose shape comes from `shapes`, or is its own where they have no room; of two equal keys
    /// the last value counts, at the place of the first. Takes time in proportion to the entries, whatever the keys.
    pub fn shared(entries: impl IntoIterator<Item = (Str, Value)>, shapes: &mut ShapeTable) -> Self {
        let mut entries = entries.into_iter();
        let mut at = shapes.start();
        let (least, most) = entries.size_hint();
        let mut values: Vec<Value> = Vec::with_capacity(most.unwrap_or(least));
        while let Some((key, value)) = entries.next() {
            // A step that was made before is no repeated key: those are kept out here.
            if let Some(known) = shapes.find(at, &key) {
                at = known;
                values.push(value);
            } else if let Some(slot) = shapes.position(at, &key).and_then(|place| values.get_mut(place)) {
                *slot = value;
            } else if let Some(next) = shapes.step(at, &key) {
                at = next;
                values.push(value);
            } else {
                let keys = shapes.keys(at).into_iter().collect();
                return Self::listed(keys, values, std::iter::once((key, value)).chain(entries));
            }
        }
        Self::new(shapes.shape(at), values)
    }

    /// An object that has the `values` of `keys` already, and `entries` besides.
    fn listed<K: Into<Str>, V: Into<Value>>(
        mut keys: KeyList,
        mut values: Vec<Value>,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        for (key, value) in entries {
            match values.get_mut(keys.place(key.into())) {
                Some(slot) => *slot = value.into(),
                None => values.push(value.into()),
            }
        }
        Self::new(keys.into(), values)
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

#[cfg(test)]
mod tests {
    use super::*;

    const MANY: i64 = 50_000;

    /// Every key twice.
    fn entries() -> impl Iterator<Item = (Str, Value)> {
        (0..2 * MANY).map(|at| (Str::from(format!("k{}", at % MANY)), Value::from(at)))
    }

    fn is_of_the_last(object: &Object) {
        assert_eq!(object.len() as i64, MANY);
        for ((key, value), at) in object.iter().zip(0..) {
            assert_eq!((key.as_str(), value), (format!("k{at}").as_str(), &Value::from(MANY + at)));
        }
    }

    #[test]
    fn of_many_keys_the_last_value_counts_at_the_first_place() {
        is_of_the_last(&Object::from_entries(entries()));
        for room in [1, 100, 10_000] {
            let mut shapes = ShapeTable::new(room);
            for _ in 0..2 {
                is_of_the_last(&Object::shared(entries(), &mut shapes));
            }
        }
    }

    #[test]
    fn equal_keys_share_a_shape_where_there_is_room() {
        let object = |shapes: &mut ShapeTable, keys: &[&str]| {
            let entries = keys.iter().zip(0_i64..).map(|(key, at)| (Str::from(*key), Value::from(at)));
            Object::shared(entries, shapes)
        };
        let mut shapes = ShapeTable::new(4);
        let first = object(&mut shapes, &["a", "b", "a"]);
        assert!(first.shape().same(object(&mut shapes, &["a", "b"]).shape()));
        assert_eq!(first, Object::from_entries([("a", 2_i64), ("b", 1)]));
        let crowded = object(&mut shapes, &["a", "b", "c", "d", "b", "d", "e"]);
        assert_eq!(crowded, Object::from_entries([("a", 0_i64), ("b", 4), ("c", 2), ("d", 5), ("e", 6)]));
        assert!(!crowded.shape().same(object(&mut shapes, &["a", "b", "c", "d", "e"]).shape()));
    }
}

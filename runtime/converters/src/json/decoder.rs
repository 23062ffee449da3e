//! Reading documents that come without a schema.

use lavka_api::data::{KeyList, Object, Shape, ShapeCursor, ShapeTable, Str, Value};
use lavka_api::{Error, Result};

use super::reader::Reader;

/// Transitions of the shape table; one costs about a hundred bytes.
const SHAPE_LIMIT: usize = 8192;

/// After so many objects for which the full table had no room it is emptied, so that keys that came once do not keep
/// shapes that come all the time out of it.
const CROWDED: u32 = 65_536;

/// Scratch space beyond this is given back after the document that needed it.
const KEPT_SCRATCH: usize = 1 << 16;

/// What reading documents needs again and again: the shapes seen so far, and scratch space.
pub(super) struct Decoder {
    shapes: ShapeTable,
    /// Objects that found the table full since it was emptied.
    crowded: u32,
    /// Values of the arrays and objects that are still open.
    pub(super) stack: Vec<Value>,
    /// The last string that had escapes.
    pub(super) scratch: String,
    /// Bytes of the defaults that stand in the document's value for what it does not have.
    pub(super) stood_in: usize,
}

/// What a member's name means for its object.
enum Member {
    /// The first of this name: the shape goes on from here.
    New(ShapeCursor),
    /// The object has this member already, at this position.
    Again(usize),
    /// The shape table has no room.
    Crowded,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self {
            shapes: ShapeTable::new(SHAPE_LIMIT),
            crowded: 0,
            stack: Vec::new(),
            scratch: String::new(),
            stood_in: 0,
        }
    }

    /// Makes the scratch space ready for another document.
    pub(super) fn reset(&mut self) {
        self.stack.clear();
        self.stack.shrink_to(KEPT_SCRATCH);
        self.scratch.clear();
        self.scratch.shrink_to(KEPT_SCRATCH);
        self.stood_in = 0;
    }

    /// The first value of the document; null where there is none. What follows the value is not looked at.
    pub(super) fn document(&mut self, reader: &mut Reader<'_>) -> Result<Value> {
        self.reset();
        let first = reader.next();
        if reader.is_at_end() {
            return Ok(Value::Null);
        }
        let value = self.value(reader, 0)?;
        if matches!(first, b'-' | b'0'..=b'9') {
            reader.end_of_root_number()?;
        }
        Ok(value)
    }

    /// The value at the position.
    pub(super) fn value(&mut self, reader: &mut Reader<'_>, depth: usize) -> Result<Value> {
        self.push_value(reader, depth)?;
        Ok(self.stack.pop().unwrap_or_default())
    }

    /// Pushes the value at the position.
    fn push_value(&mut self, reader: &mut Reader<'_>, depth: usize) -> Result<()> {
        let value = match reader.next() {
            b'"' => Value::String(Str::from(reader.string(&mut self.scratch)?)),
            b'{' => return self.push_object(reader, depth),
            b'[' => return self.push_array(reader, depth),
            b't' => {
                reader.literal("true")?;
                Value::Boolean(true)
            }
            b'f' => {
                reader.literal("false")?;
                Value::Boolean(false)
            }
            b'n' => {
                reader.literal("null")?;
                Value::Null
            }
            _ => {
                let number = reader.number()?;
                if number.is_integral() {
                    Value::Int64(number.to_i64())
                } else {
                    Value::Float64(number.to_f64())
                }
            }
        };
        self.stack.push(value);
        Ok(())
    }

    fn push_array(&mut self, reader: &mut Reader<'_>, depth: usize) -> Result<()> {
        reader.check_depth(depth)?;
        let base = self.stack.len();
        if !reader.open(b']') {
            loop {
                self.push_value(reader, depth + 1)?;
                if !reader.more(b']')? {
                    break;
                }
            }
        }
        let items = self.stack.split_off(base);
        self.stack.push(Value::Array(items.into_boxed_slice()));
        Ok(())
    }

    fn push_object(&mut self, reader: &mut Reader<'_>, depth: usize) -> Result<()> {
        reader.check_depth(depth)?;
        let base = self.stack.len();
        let mut cursor = self.shapes.start();
        if !reader.open(b'}') {
            loop {
                let key = reader.key(&mut self.scratch)?;
                match self.shapes.find(cursor, key) {
                    Some(known) => {
                        cursor = known;
                        self.push_value(reader, depth + 1)?;
                    }
                    None => match new_member(&mut self.shapes, cursor, key) {
                        Member::New(next) => {
                            cursor = next;
                            self.push_value(reader, depth + 1)?;
                        }
                        Member::Again(at) => {
                            let value = self.value(reader, depth + 1)?;
                            if let Some(slot) = self.stack.get_mut(base + at) {
                                *slot = value;
                            }
                        }
                        Member::Crowded => {
                            let key = Str::from(key);
                            return self.push_unshared(reader, base, cursor, key, depth);
                        }
                    },
                }
                if !reader.more(b'}')? {
                    break;
                }
            }
        }
        let shape = self.shapes.shape(cursor);
        self.close_object(base, shape);
        Ok(())
    }

    /// Goes on with an object whose next member's name, `key`, has no place in the shape table; its value follows.
    #[cold]
    fn push_unshared(
        &mut self,
        reader: &mut Reader<'_>,
        base: usize,
        cursor: ShapeCursor,
        key: Str,
        depth: usize,
    ) -> Result<()> {
        self.crowded += 1;
        let mut keys: KeyList = self.shapes.keys(cursor).into_iter().collect();
        let mut key = key;
        loop {
            let value = self.value(reader, depth + 1)?;
            let place = base + keys.place(key);
            match self.stack.get_mut(place) {
                Some(slot) => *slot = value,
                None => self.stack.push(value),
            }
            if !reader.more(b'}')? {
                break;
            }
            key = Str::from(reader.key(&mut self.scratch)?);
        }
        if self.crowded > CROWDED {
            self.crowded = 0;
            self.shapes = ShapeTable::new(SHAPE_LIMIT);
        }
        self.close_object(base, keys.into());
        Ok(())
    }

    /// Replaces the values from `base` on by the object they make up.
    fn close_object(&mut self, base: usize, shape: Shape) {
        let values = self.stack.split_off(base);
        self.stack.push(Value::Object(Box::new(Object::new(shape, values))));
    }
}

/// Looks at a name that the table does not know behind `cursor`.
#[cold]
fn new_member(shapes: &mut ShapeTable, cursor: ShapeCursor, key: &str) -> Member {
    if let Some(at) = shapes.position(cursor, key) {
        return Member::Again(at);
    }
    shapes.step(cursor, key).map_or(Member::Crowded, Member::New)
}

/// Reads JSON documents as data without a schema, one after another; objects that come with the same keys in the same
/// order share a [`Shape`].
///
/// Integers become `Int64` (beyond 64 bits the low 64, as in Java), fractions and exponents `Float64`, the rest is as
/// one expects. Of duplicate keys the last counts. As with Jackson, leading zeros are allowed, and what follows the
/// first value is ignored.
///
/// ```
/// use lavka_api::data::Value;
/// use lavka_converters::json::JsonReader;
///
/// let mut reader = JsonReader::new();
/// let (a, b) = (reader.read(br#"{"t":1.5,"ok":true}"#)?, reader.read(br#"{"t":2,"ok":null}"#)?);
/// let (Value::Object(a), Value::Object(b)) = (a, b) else { panic!("not objects") };
/// assert_eq!(a.get("t"), Some(&Value::Float64(1.5)));
/// assert!(a.shape().same(b.shape()));
/// # Ok::<(), lavka_api::Error>(())
/// ```
pub struct JsonReader(Decoder);

impl JsonReader {
    /// A reader that has seen no shapes yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Decoder::new())
    }

    /// The first value of `document`; null for a document of white space alone.
    ///
    /// # Errors
    /// A data error with the text of Java's `JsonConverter`, whose cause tells the place and what is wrong there.
    pub fn read(&mut self, document: &[u8]) -> Result<Value> {
        self.0.document(&mut Reader::new(document))
    }

    pub(super) fn decoder(&mut self) -> &mut Decoder {
        &mut self.0
    }
}

impl Default for JsonReader {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads one document; [`JsonReader`] is for many.
///
/// # Errors
/// As [`JsonReader::read`].
pub fn parse(document: &[u8]) -> Result<Value, Error> {
    JsonReader::new().read(document)
}

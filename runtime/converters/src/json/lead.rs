//! Names of members as they are written, with what stands around them.

use lavka_api::data::Shape;

use super::escape::write_string;

/// What stands before the value of a member: `{"name":` for the first, `,"name":` for the others.
pub(super) enum Lead {
    /// Filled up with zeros, because copying a fixed number of bytes is cheaper than copying just so many.
    Short([u8; Lead::SHORT], usize),
    Long(Box<[u8]>),
}

impl Lead {
    const SHORT: usize = 32;

    pub(super) fn new(name: &str, is_first: bool) -> Self {
        let mut text = vec![if is_first { b'{' } else { b',' }];
        write_string(&mut text, name);
        text.push(b':');
        let length = text.len();
        text.resize(length.max(Self::SHORT), 0);
        match <[u8; Self::SHORT]>::try_from(text) {
            Ok(short) => Self::Short(short, length),
            Err(long) => Self::Long(long.into_boxed_slice()),
        }
    }

    #[inline]
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Short(bytes, length) => {
                let end = out.len() + length;
                out.extend_from_slice(bytes);
                out.truncate(end);
            }
            Self::Long(bytes) => out.extend_from_slice(bytes),
        }
    }
}

/// Shapes with more keys than this belong to maps rather than records.
const MAX_KEYS: usize = 512;

/// A power of two.
const SLOTS: usize = 64;

/// The leads of shapes that come again and again, found by the address of the shape.
///
/// A shape is taken in when it comes the second time, so that objects with shapes of their own cost nothing.
pub(super) struct ShapeLeads {
    slots: Vec<Slot>,
}

#[derive(Default)]
struct Slot {
    /// The address of the shape that came last and was not known; only a hint, since the shape may be gone.
    seen: usize,
    known: Option<(Shape, Box<[Lead]>)>,
}

impl ShapeLeads {
    /// A cache that is used.
    pub(super) fn new() -> Self {
        let mut slots = Vec::new();
        slots.resize_with(SLOTS, Slot::default);
        Self { slots }
    }

    /// A cache without room, for a single value.
    pub(super) fn none() -> Self {
        Self { slots: Vec::new() }
    }

    /// The place of `shape`, for [`get`](Self::get).
    pub(super) fn enter(&mut self, shape: &Shape) -> usize {
        // Allocations are at least 16 bytes apart; the upper bits tell arenas apart.
        let address = shape.address();
        let at = (address >> 4 ^ address >> 12) % SLOTS;
        if let Some(slot) = self.slots.get_mut(at)
            && !slot.known.as_ref().is_some_and(|(known, _)| known.same(shape))
            && std::mem::replace(&mut slot.seen, address) == address
            && shape.len() <= MAX_KEYS
        {
            let leads = shape.keys().iter().enumerate().map(|(i, key)| Lead::new(key, i == 0)).collect();
            slot.known = Some((shape.clone(), leads));
        }
        at
    }

    /// The lead of the key at `position` of `shape`, if the shape is still at `place`.
    #[inline]
    pub(super) fn get(&self, place: usize, shape: &Shape, position: usize) -> Option<&Lead> {
        let (known, leads) = self.slots.get(place)?.known.as_ref()?;
        if known.same(shape) { leads.get(position) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lavka_api::data::Str;

    fn shape(keys: &[&str]) -> Shape {
        Shape::new(keys.iter().map(|&key| Str::from(key)).collect::<Vec<_>>())
    }

    #[test]
    fn leads_of_any_length() {
        for (name, is_first, text) in [
            ("a", true, "{\"a\":".to_owned()),
            ("a\"😀", false, ",\"a\\\"\\uD83D\\uDE00\":".to_owned()),
            (&"x".repeat(28), false, format!(",\"{}\":", "x".repeat(28))),
            (&"x".repeat(29), false, format!(",\"{}\":", "x".repeat(29))),
        ] {
            let mut out = b"1".to_vec();
            Lead::new(name, is_first).write(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("1{text}"));
        }
    }

    #[test]
    fn a_shape_is_known_from_the_second_time_on() {
        let mut leads = ShapeLeads::new();
        let (a, b) = (shape(&["x", "y"]), shape(&["x", "y"]));
        let place = leads.enter(&a);
        assert!(leads.get(place, &a, 0).is_none());
        assert_eq!(leads.enter(&a), place);
        assert!(leads.get(place, &a, 1).is_some() && leads.get(place, &a, 2).is_none());
        assert!(leads.get(place, &b, 0).is_none());
        let mut none = ShapeLeads::none();
        assert!((0..3).all(|_| {
            let place = none.enter(&a);
            none.get(place, &a, 0).is_none()
        }));
    }
}

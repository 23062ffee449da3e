//! How deep types lie in each other.

use std::collections::HashMap;

use lavka_api::Result;

use super::name::parse_error;
use super::{Kind, MAX_DEPTH, TypeId, Types};

impl Types {
    /// Refuses types that lie in each other deeper than [`MAX_DEPTH`], by name too: shallow text can define a chain of
    /// records each of which has the one before. What goes over all types later is bounded by this. A type within itself
    /// does not count.
    pub(crate) fn check_depth(&self, root: TypeId) -> Result<()> {
        let mut heights = HashMap::new();
        match self.height(root, &mut heights, 0) {
            Some(_) => Ok(()),
            None => Err(parse_error(format!("types are nested deeper than {MAX_DEPTH} levels"))),
        }
    }

    /// The levels below `id`, or nothing where there are too many. Types that are being looked at have 0 for now.
    fn height(&self, id: TypeId, heights: &mut HashMap<TypeId, usize>, depth: usize) -> Option<usize> {
        if let Some(known) = heights.get(&id) {
            return (depth + known <= MAX_DEPTH).then_some(*known);
        }
        if depth > MAX_DEPTH {
            return None;
        }
        heights.insert(id, 0);
        let mut highest = 0;
        let mut below = |inner: TypeId| {
            highest = highest.max(1 + self.height(inner, heights, depth + 1)?);
            Some(())
        };
        match self.kind(id) {
            Kind::Record(record) => record.fields.iter().try_for_each(|field| below(field.ty))?,
            Kind::Array(inner) | Kind::Map(inner) => below(*inner)?,
            Kind::Union(members) => members.iter().try_for_each(|member| below(*member))?,
            _ => {}
        }
        heights.insert(id, highest);
        Some(highest)
    }
}

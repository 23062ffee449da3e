//! Whether two types have the same bytes, whatever else is written about them.

use std::collections::HashSet;

use super::{Kind, TypeId, Types};

/// Whether values of both types have the same binary form: same kinds, names, field order, symbols and sizes. Docs,
/// defaults and properties do not count. Both may be of one list, or of two.
pub(crate) fn same_shape(a: (&Types, TypeId), b: (&Types, TypeId)) -> bool {
    same(a, b, &mut HashSet::new())
}

/// A pair that was met before counts as the same: if it is not, whoever met it first says so. Recurses as deep as the
/// types, whose depth was bounded when they were made.
fn same(a: (&Types, TypeId), b: (&Types, TypeId), met: &mut HashSet<(TypeId, TypeId)>) -> bool {
    let one = std::ptr::eq(a.0, b.0) && a.1 == b.1;
    if one || !met.insert((a.1, b.1)) {
        return true;
    }
    let (first, second) = (a.0.kind(a.1), b.0.kind(b.1));
    let mut inner = |x: TypeId, y: TypeId| same((a.0, x), (b.0, y), met);
    first.label() == second.label()
        && match (first, second) {
            (Kind::Record(x), Kind::Record(y)) => {
                x.fields.len() == y.fields.len()
                    && x.fields.iter().zip(&y.fields).all(|(x, y)| x.name == y.name && inner(x.ty, y.ty))
            }
            (Kind::Enum(x), Kind::Enum(y)) => x.symbols == y.symbols,
            (Kind::Fixed(x), Kind::Fixed(y)) => x.size == y.size,
            (Kind::Array(x), Kind::Array(y)) | (Kind::Map(x), Kind::Map(y)) => inner(*x, *y),
            (Kind::Union(x), Kind::Union(y)) => {
                x.len() == y.len() && x.iter().zip(y).all(|(x, y)| inner(*x, *y))
            }
            (x, y) => x == y,
        }
}

//! Whether two types have the same bytes, whatever else is written about them.

use super::{Kind, MAX_DEPTH, TypeId, Types};

/// Whether values of both types have the same binary form: same kinds, names, field order, symbols and sizes. Docs,
/// defaults and properties do not count. False beyond [`MAX_DEPTH`].
pub(crate) fn same_shape(types: &Types, a: TypeId, b: TypeId) -> bool {
    same(types, a, b, &mut Vec::new())
}

fn same(types: &Types, a: TypeId, b: TypeId, open: &mut Vec<(TypeId, TypeId)>) -> bool {
    if a == b || open.contains(&(a, b)) {
        return true;
    }
    if open.len() >= MAX_DEPTH {
        return false;
    }
    open.push((a, b));
    let (first, second) = (types.kind(a), types.kind(b));
    let equal = first.label() == second.label()
        && match (first, second) {
            (Kind::Record(x), Kind::Record(y)) => {
                x.fields.len() == y.fields.len()
                    && x.fields
                        .iter()
                        .zip(&y.fields)
                        .all(|(x, y)| x.name == y.name && same(types, x.ty, y.ty, open))
            }
            (Kind::Enum(x), Kind::Enum(y)) => x.symbols == y.symbols,
            (Kind::Fixed(x), Kind::Fixed(y)) => x.size == y.size,
            (Kind::Array(x), Kind::Array(y)) | (Kind::Map(x), Kind::Map(y)) => same(types, *x, *y, open),
            (Kind::Union(x), Kind::Union(y)) => {
                x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(types, *x, *y, open))
            }
            (x, y) => x == y,
        };
    open.pop();
    equal
}

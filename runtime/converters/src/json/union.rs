//! Which field of a union a JSON value belongs to, found without reading it.

use lavka_api::Result;
use lavka_api::data::{Schema, Type};

use super::reader::Reader;

/// What a value is, as far as its first bytes tell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Integer,
    Fraction,
    Boolean,
    Text,
    Array,
    Object,
}

/// The place of the field of `union` that takes the value at the position of `reader`, which stays there: the first
/// whose type fits a scalar, an array or a map; otherwise the struct that has most of the object's members; at last,
/// for text, bytes. `None` where there is none.
pub(super) fn field_of(union: &Schema, reader: &Reader<'_>, depth: usize) -> Result<Option<usize>> {
    let mut ahead = reader.clone();
    let shape = match ahead.next() {
        b'"' => Shape::Text,
        b'[' => Shape::Array,
        b'{' => Shape::Object,
        b't' | b'f' => Shape::Boolean,
        _ if ahead.number()?.is_integral() => Shape::Integer,
        _ => Shape::Fraction,
    };
    let mut best: Option<(usize, usize)> = None;
    for (at, field) in union.fields().iter().enumerate() {
        if fits(field.schema().ty(), shape) {
            return Ok(Some(at));
        }
        if shape == Shape::Object && field.schema().ty() == Type::Struct {
            let matching = matching_members(field.schema(), &mut reader.clone(), depth)?;
            if matching > best.map_or(0, |(most, _)| most) {
                best = Some((matching, at));
            }
        }
    }
    Ok(best.map(|(_, at)| at).or_else(|| {
        let is_bytes = |field: &lavka_api::data::Field| field.schema().ty() == Type::Bytes;
        union.fields().iter().position(is_bytes).filter(|_| shape == Shape::Text)
    }))
}

fn fits(ty: Type, shape: Shape) -> bool {
    match ty {
        Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64 => shape == Shape::Integer,
        Type::Float32 | Type::Float64 => matches!(shape, Shape::Integer | Shape::Fraction),
        Type::Boolean => shape == Shape::Boolean,
        Type::String => shape == Shape::Text,
        Type::Bytes => shape == Shape::Fraction,
        Type::Array => shape == Shape::Array,
        Type::Map => matches!(shape, Shape::Object | Shape::Array),
        Type::Struct => false,
    }
}

/// How many members of the value at the position are fields of `schema`, those of structs within included. Steps over
/// the value.
fn matching_members(schema: &Schema, reader: &mut Reader<'_>, depth: usize) -> Result<usize> {
    if schema.ty() != Type::Struct || reader.next() != b'{' {
        reader.skip(depth)?;
        return Ok(0);
    }
    reader.check_depth(depth)?;
    let mut scratch = String::new();
    let mut met = vec![None; schema.fields().len()];
    let mut more = !reader.open(b'}');
    while more {
        let at = schema.index_of(reader.key(&mut scratch)?);
        match at.and_then(|at| Some((met.get_mut(at)?, schema.fields().get(at)?))) {
            // Of a member that comes twice the last counts.
            Some((slot, field)) => *slot = Some(1 + matching_members(field.schema(), reader, depth + 1)?),
            None => reader.skip(depth + 1)?,
        }
        more = reader.more(b'}')?;
    }
    Ok(met.into_iter().flatten().sum())
}

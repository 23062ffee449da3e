//! The types of pgvector.

use lavka_api::data::{Schema, SchemaBuilder, Struct, Type, Value};

use super::codec::Unconvertible;

/// `vector`: doubles.
pub(super) fn vector_schema() -> SchemaBuilder {
    Schema::array(Schema::of(Type::Float64)).to_builder().name("io.debezium.data.DoubleVector").version(1)
}

/// `halfvec`: floats.
pub(super) fn half_schema() -> SchemaBuilder {
    Schema::array(Schema::of(Type::Float32)).to_builder().name("io.debezium.data.FloatVector").version(1)
}

/// `sparsevec`: the elements that are not zero, by index from 1.
pub(super) fn sparse_schema() -> SchemaBuilder {
    Schema::structure()
        .name("io.debezium.data.SparseDoubleVector")
        .version(1)
        .field("dimensions", Schema::of(Type::Int16))
        .field("vector", Schema::map(Schema::of(Type::Int16), Schema::of(Type::Float64)))
}

/// `[1,2,3]` with each element read by `element`.
pub(super) fn dense(text: &[u8], element: impl Fn(&str) -> Option<Value>) -> Result<Value, Unconvertible> {
    let parse = || {
        let text = std::str::from_utf8(text).ok()?.trim();
        let inside = text.strip_prefix('[')?.strip_suffix(']')?;
        inside.split(',').map(|number| element(number.trim())).collect::<Option<Vec<Value>>>()
    };
    parse().map(Value::from).ok_or(Unconvertible("no vector"))
}

/// `{1:1.5,3:2}/5`.
pub(super) fn sparse(text: &[u8], schema: &Schema) -> Result<Value, Unconvertible> {
    let parse = || {
        let (elements, dimensions) = std::str::from_utf8(text).ok()?.trim().split_once('/')?;
        let dimensions: i16 = dimensions.trim().parse().ok()?;
        let inside = elements.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
        let pairs: Option<Vec<(Value, Value)>> = inside
            .split(',')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (index, number) = pair.split_once(':')?;
                let index: i16 = index.trim().parse().ok()?;
                let number: f64 = number.trim().parse().ok()?;
                Some((Value::Int16(index), Value::Float64(number)))
            })
            .collect();
        let fields = vec![Value::Int16(dimensions), Value::Map(pairs?.into())];
        Struct::new(schema.clone(), fields).ok()
    };
    parse().map(Value::from).ok_or(Unconvertible(
        "no sparsevec of at most 32767 dimensions, which is what io.debezium.data.SparseDoubleVector holds",
    ))
}

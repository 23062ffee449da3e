//! How deep schemas lie in each other.

use std::collections::HashMap;

use lavka_api::Result;
use lavka_api::data::{Field, Schema};

use super::plain_writer::check_depth;

/// Refuses a schema at `depth` whose values would be nested too deep. Looks at a schema that is used again and again
/// once, so that what is compiled from it may be shared in the same way.
pub(super) fn check_nesting(schema: &Schema, depth: usize) -> Result<()> {
    levels(schema, depth, &mut HashMap::new()).map(drop)
}

/// The containers within `schema`, one in the other, and those of `known` schemas by address.
fn levels(schema: &Schema, depth: usize, known: &mut HashMap<usize, usize>) -> Result<usize> {
    check_depth(depth)?;
    if let Some(&levels) = known.get(&schema.address()) {
        check_depth(depth + levels)?;
        return Ok(levels);
    }
    let mut below = 0;
    let inner = schema.fields().iter().map(Field::schema).chain(schema.keys()).chain(schema.values());
    for inner in inner.filter(|inner| !inner.ty().is_primitive()) {
        below = below.max(1 + levels(inner, depth + 1, known)?);
    }
    known.insert(schema.address(), below);
    Ok(below)
}

#[cfg(test)]
mod tests {
    use lavka_api::data::{Struct, Type, Value};

    use super::*;
    use crate::json::{JsonReader, JsonWriter, PayloadReader, PayloadWriter, WriteOptions};

    /// Levels of structs, each of which has the one before in two fields.
    fn doubling(levels: usize) -> Schema {
        let lowest = Schema::structure().field("a", Schema::of(Type::Int32)).optional().build().unwrap();
        (0..levels).fold(lowest, |inner, level| {
            let builder = Schema::structure().name(format!("R{level}")).optional();
            builder.field("x", inner.clone()).field("y", inner).build().unwrap()
        })
    }

    fn empty(schema: &Schema) -> Value {
        Struct::empty(schema.clone()).unwrap().into()
    }

    #[test]
    fn schemas_that_are_used_again_and_again_are_compiled_once() {
        let mut writer = JsonWriter::new(WriteOptions::default(), 10);
        let schema = doubling(19);
        let error = writer.write_enveloped(Some(&schema), &empty(&schema), &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("Schema{R18:STRUCT} as JSON is larger than"), "{error}");
        let schema = doubling(40);
        let text = r#"{"x":null,"y":null}"#;
        let mut out = Vec::new();
        writer.write(Some(&schema), &empty(&schema), &mut out).unwrap();
        PayloadWriter::new(&schema, WriteOptions::default())
            .unwrap()
            .write(&empty(&schema), &mut out)
            .unwrap();
        assert_eq!(out, [text, text].concat().as_bytes());
        let reader = PayloadReader::new(&schema).unwrap();
        assert_eq!(reader.read(text.as_bytes(), &mut JsonReader::new()).unwrap(), empty(&schema));
    }

    #[test]
    fn depth_counts_behind_what_is_known_too() {
        let above = |schema: Schema, levels| (0..levels).fold(schema, |inner, _| Schema::array(inner));
        let lower = above(Schema::of(Type::Int32), 200);
        let upper = above(lower.clone(), 100);
        let both = Schema::structure().field("lower", lower.clone()).field("upper", upper).build().unwrap();
        assert!(check_nesting(&lower, 0).is_ok());
        let error = check_nesting(&both, 0).unwrap_err();
        assert!(error.to_string().contains("nested deeper than 256 levels"), "{error}");
    }
}

//! The record in which schemaless data travels: a field for each type, one of which is set.

use std::sync::LazyLock;

use crate::schema::{AvroSchema, TypeId, Types, same_shape};

/// The name of the record.
pub(crate) const ANYTHING: &str = "io.confluent.connect.avro.Anything";

/// What the Java converter registers for it, byte for byte.
const TEXT: &str = r#"{"type":"record","name":"Anything","namespace":"io.confluent.connect.avro","fields":[{"name":"boolean","type":["null","boolean"],"default":null},{"name":"bytes","type":["null","bytes"],"default":null},{"name":"double","type":["null","double"],"default":null},{"name":"float","type":["null","float"],"default":null},{"name":"int","type":["null","int"],"default":null},{"name":"long","type":["null","long"],"default":null},{"name":"string","type":["null","string"],"default":null},{"name":"array","type":["null",{"type":"array","items":"Anything"}],"default":null},{"name":"map","type":["null",{"type":"array","items":{"type":"record","name":"MapEntry","fields":[{"name":"key","type":"Anything"},{"name":"value","type":"Anything"}]}}],"default":null}]}"#;

static SCHEMA: LazyLock<Option<AvroSchema>> = LazyLock::new(|| AvroSchema::parse(TEXT).ok());

/// The schema of schemaless data.
pub(super) fn schema() -> lavka_api::Result<AvroSchema> {
    SCHEMA.clone().ok_or_else(|| lavka_api::Error::fatal("the schema of schemaless data cannot be read"))
}

/// Adds the record and all it needs to `types`.
pub(super) fn add_to(types: &mut Types) -> lavka_api::Result<TypeId> {
    let anything = schema()?;
    Ok(types.graft(anything.types(), anything.root()))
}

/// Whether values of `id` are schemaless data: the record of that name with fields of those names and types.
pub(crate) fn is_anything(types: &Types, id: TypeId) -> bool {
    let Some(expected) = &*SCHEMA else { return false };
    let name = types.kind(id).name();
    name.is_some_and(|name| name.full() == ANYTHING)
        && same_shape((types, id), (expected.types(), expected.root()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_prints_as_it_is_written() {
        let schema = schema().unwrap();
        assert_eq!(schema.to_string(), TEXT);
        assert!(is_anything(schema.types(), schema.root()));
        let other = AvroSchema::parse(&TEXT.replace("[\"null\",\"int\"]", "[\"null\",\"long\"]")).unwrap();
        assert!(!is_anything(other.types(), other.root()));
    }
}

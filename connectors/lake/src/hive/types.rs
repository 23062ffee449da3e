//! Connect's types as Hive's.

use lavka_api::data::{Logical, Schema, Type};
use lavka_api::{Error, Result};
use lavka_avro::parameter;

/// Hive's widest decimal.
const MAX_PRECISION: i32 = 38;
const MAX_DEPTH: usize = 32;

/// Hive's type for values of `schema`, as the HDFS sink declares it: `struct<a:int,b:array<string>>`.
///
/// # Errors
/// A config error for what Hive has no type for.
pub(super) fn hive_type(schema: &Schema) -> Result<String> {
    let mut out = String::new();
    write(schema, &mut out, 0)?;
    Ok(out)
}

fn write(schema: &Schema, out: &mut String, depth: usize) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(Error::config("a schema is nested too deeply for a table of Hive"));
    }
    let missing = || Error::config(format!("{schema} has no element type, which a table of Hive needs"));
    match (schema.logical(), schema.ty()) {
        (Some(Logical::Decimal(scale)), _) => {
            let precision = schema.parameter(parameter::PRECISION).and_then(|text| text.parse().ok());
            let precision: i32 = precision.unwrap_or(MAX_PRECISION);
            if !(0..=MAX_PRECISION).contains(&scale) || !(1..=MAX_PRECISION).contains(&precision) {
                return Err(Error::config(format!(
                    "Hive has no decimal of {precision} digits with {scale} of them behind the point, 38 at most"
                )));
            }
            out.push_str(&format!("decimal({},{scale})", precision.max(scale)));
        }
        (Some(Logical::Date), _) => out.push_str("date"),
        (Some(Logical::Timestamp), _) => out.push_str("timestamp"),
        // Hive has no time of day; the files have milliseconds.
        (Some(Logical::Time), _) | (None, Type::Int32) => out.push_str("int"),
        (None, Type::Int8) => out.push_str("tinyint"),
        (None, Type::Int16) => out.push_str("smallint"),
        (None, Type::Int64) => out.push_str("bigint"),
        (None, Type::Float32) => out.push_str("float"),
        (None, Type::Float64) => out.push_str("double"),
        (None, Type::Boolean) => out.push_str("boolean"),
        (None, Type::String) => out.push_str("string"),
        (None, Type::Bytes) => out.push_str("binary"),
        (None, Type::Array) => {
            out.push_str("array<");
            write(schema.values().ok_or_else(missing)?, out, depth + 1)?;
            out.push('>');
        }
        (None, Type::Map) => {
            out.push_str("map<");
            write(schema.keys().ok_or_else(missing)?, out, depth + 1)?;
            out.push(',');
            write(schema.values().ok_or_else(missing)?, out, depth + 1)?;
            out.push('>');
        }
        (None, Type::Struct) => {
            out.push_str("struct<");
            for (i, field) in schema.fields().iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(field.name());
                out.push(':');
                write(field.schema(), out, depth + 1)?;
            }
            out.push('>');
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_its_name() {
        let nested = Schema::structure()
            .field("a", Schema::of(Type::Int8))
            .field("b", Schema::array(Schema::map(Schema::of(Type::String), Schema::of(Type::Float64))))
            .build()
            .unwrap();
        let precise = Schema::logical_of(Logical::Decimal(2))
            .to_builder()
            .parameter(parameter::PRECISION, "9")
            .build()
            .unwrap();
        for (schema, want) in [
            (Schema::of(Type::Int16), "smallint"),
            (Schema::optional(Type::Int64), "bigint"),
            (Schema::of(Type::Bytes), "binary"),
            (Schema::logical_of(Logical::Decimal(4)), "decimal(38,4)"),
            (precise, "decimal(9,2)"),
            (Schema::logical_of(Logical::Date), "date"),
            (Schema::logical_of(Logical::Time), "int"),
            (Schema::logical_of(Logical::Timestamp), "timestamp"),
            (nested, "struct<a:tinyint,b:array<map<string,double>>>"),
        ] {
            assert_eq!(hive_type(&schema).unwrap(), want);
        }
        assert!(hive_type(&Schema::logical_of(Logical::Decimal(39))).is_err());
    }
}

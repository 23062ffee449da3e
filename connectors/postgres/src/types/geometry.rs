//! Points, the geometries of PostGIS, and the geometric types as the JDBC driver prints them.

use lavka_api::data::{Blob, Schema, SchemaBuilder, Struct, Type, Value};
use lavka_api::hex;
use lavka_api::java::write_f64;

use super::codec::Unconvertible;

/// `GEOMETRYCOLLECTION EMPTY` as EWKB.
const EMPTY_COLLECTION: &[u8] = &[1, 7, 0, 0, 0, 0, 0, 0, 0];
/// The bit of an EWKB's type that says that an SRID follows.
const HAS_SRID: u32 = 0x2000_0000;

/// `io.debezium.data.geometry.Point`.
pub(super) fn point_schema() -> SchemaBuilder {
    Schema::structure()
        .name("io.debezium.data.geometry.Point")
        .version(1)
        .doc("Geometry (POINT)")
        .field("x", Schema::of(Type::Float64))
        .field("y", Schema::of(Type::Float64))
        .field("wkb", Schema::optional(Type::Bytes))
        .field("srid", Schema::optional(Type::Int32))
}

/// `io.debezium.data.geometry.Geometry` or, with `geography` set, `…Geography`.
pub(super) fn geometry_schema(geography: bool) -> SchemaBuilder {
    let name = if geography { "Geography" } else { "Geometry" };
    Schema::structure()
        .name(format!("io.debezium.data.geometry.{name}"))
        .version(1)
        .doc(name)
        .field("wkb", Schema::of(Type::Bytes))
        .field("srid", Schema::optional(Type::Int32))
}

/// `(1,2)`.
pub(super) fn point(text: &[u8], schema: &Schema) -> Result<Value, Unconvertible> {
    let parse = || {
        let inside = std::str::from_utf8(text).ok()?.trim().strip_prefix('(')?.strip_suffix(')')?;
        let (x, y) = inside.split_once(',')?;
        point_value(x.trim().parse().ok()?, y.trim().parse().ok()?, schema)
    };
    parse().ok_or(Unconvertible("no point"))
}

/// The value of a point: its coordinates, and the same once more as WKB.
pub(super) fn point_value(x: f64, y: f64, schema: &Schema) -> Option<Value> {
    let mut wkb = vec![1, 1, 0, 0, 0];
    wkb.extend(x.to_le_bytes());
    wkb.extend(y.to_le_bytes());
    let fields = vec![Value::Float64(x), Value::Float64(y), Value::Bytes(Blob::from(wkb)), Value::Null];
    Struct::new(schema.clone(), fields).ok().map(Value::from)
}

/// A geometry as PostGIS prints it: hexadecimal EWKB.
pub(super) fn geometry(text: &[u8], schema: &Schema) -> Result<Value, Unconvertible> {
    hex::decode(text)
        .and_then(|ewkb| geometry_value(&ewkb, schema))
        .ok_or(Unconvertible("no geometry (EWKB)"))
}

/// What stands for null where null is not allowed.
pub(super) fn empty_geometry(schema: &Schema) -> Value {
    geometry_value(EMPTY_COLLECTION, schema).unwrap_or_default()
}

fn geometry_value(ewkb: &[u8], schema: &Schema) -> Option<Value> {
    let (order, rest) = ewkb.split_first()?;
    let (kind, rest) = rest.split_first_chunk::<4>()?;
    let (srid, _) = rest.split_first_chunk::<4>()?;
    let read =
        |bytes: [u8; 4]| if *order == 0 { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
    let srid = (read(*kind) & HAS_SRID != 0).then(|| read(*srid).cast_signed());
    let fields = vec![Value::Bytes(Blob::from(ewkb)), srid.into()];
    Struct::new(schema.clone(), fields).ok().map(Value::from)
}

/// The text of a `line`, `lseg`, `box`, `path`, `polygon` or `circle` as the JDBC driver prints it: with each number as Java
/// prints a double.
pub(super) fn driver_text(text: &[u8]) -> Result<Vec<u8>, Unconvertible> {
    let mut out = Vec::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some(&byte) = rest.first() {
        if matches!(byte, b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'<' | b'>' | b',') {
            out.push(byte);
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let length = rest.iter().take_while(|byte| !b"()[]{}<>,".contains(byte)).count();
        let (number, behind) = rest.split_at(length);
        let number = std::str::from_utf8(number).ok().and_then(|number| number.trim().parse::<f64>().ok());
        write_f64(&mut out, number.ok_or(Unconvertible("no geometric type"))?);
        rest = behind;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_carry_their_wkb() {
        let schema = point_schema().build().unwrap();
        let Value::Struct(value) = point(b"(1,2)", &schema).unwrap() else { panic!() };
        let wkb = hex::decode("0101000000000000000000f03f0000000000000040").unwrap();
        assert_eq!(value.get("wkb"), Some(&Value::Bytes(wkb.into())));
        assert!(point(b"1,2", &schema).is_err() && point(b"(1)", &schema).is_err());
    }

    #[test]
    fn an_srid_is_read_in_either_byte_order() {
        let schema = geometry_schema(false).build().unwrap();
        for (hex, srid) in [
            ("0101000020E610000000000000000008400000000000001040", Some(4326)),
            ("0020000001000010E640080000000000004010000000000000", Some(4326)),
            ("0101000000000000000000F03F0000000000000040", None),
        ] {
            let Value::Struct(value) = geometry(hex.as_bytes(), &schema).unwrap() else { panic!() };
            assert_eq!(value.get("srid").and_then(Value::as_i64), srid, "{hex}");
        }
        for hex in ["", "01", "010100000000000", "zz"] {
            assert!(geometry(hex.as_bytes(), &schema).is_err(), "{hex}");
        }
    }

    #[test]
    fn geometric_types_are_printed_as_by_the_driver() {
        for (text, printed) in [
            ("{1,-1,0}", "{1.0,-1.0,0.0}"),
            ("[(0,0),(1,1)]", "[(0.0,0.0),(1.0,1.0)]"),
            ("<(1,2),3e30>", "<(1.0,2.0),3.0E30>"),
        ] {
            assert_eq!(driver_text(text.as_bytes()).unwrap(), printed.as_bytes());
        }
        assert!(driver_text(b"(x)").is_err());
    }
}

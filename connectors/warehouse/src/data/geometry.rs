//! Geometries as Debezium's sources write them: a struct of the standard's bytes (WKB) and of the reference system, and for
//! points the coordinates too.

use std::borrow::Cow;

use lavka_api::data::{Struct, Value};
use lavka_api::hex;

/// The bit of PostGIS's bytes (EWKB) that says that a reference system follows the type.
const HAS_SRID: u32 = 0x2000_0000;
/// Byte order and type: what every geometry begins with.
const HEAD: usize = 5;

/// A geometry on its way into a column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Geometry<'a> {
    wkb: Cow<'a, [u8]>,
    srid: Option<u32>,
    /// The coordinates of what came as a point.
    point: Option<(f64, f64)>,
}

impl<'a> Geometry<'a> {
    /// Reads `wkb`, `srid` and, where there are such fields, `x` and `y`.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn read(parts: &'a Struct) -> Result<Self, String> {
        let coordinate = |name: &str| parts.get(name).and_then(Value::as_f64);
        let point = coordinate("x").zip(coordinate("y"));
        let wkb = match (parts.get("wkb"), point) {
            (Some(Value::Bytes(wkb)), _) if wkb.as_slice().len() >= HEAD => Cow::Borrowed(wkb.as_slice()),
            (_, Some((x, y))) => Cow::Owned(of_point(x, y)),
            _ => return Err("a geometry without its bytes (wkb)".to_owned()),
        };
        let srid = parts.get("srid").and_then(Value::as_i64);
        let srid = srid.map(|srid| u32::try_from(srid).map_err(|_| format!("the reference system {srid}")));
        Ok(Self { wkb, srid: srid.transpose()?, point })
    }

    /// The standard's bytes.
    pub(crate) fn wkb(&self) -> &[u8] {
        &self.wkb
    }

    /// The coordinates, where it came as a point.
    pub(crate) fn point(&self) -> Option<(f64, f64)> {
        self.point
    }

    /// What PostGIS reads as the text of a geometry: its own bytes, with the reference system in them, as hexadecimal digits.
    pub(crate) fn ewkb(&self) -> String {
        let little = self.wkb.first() == Some(&1);
        let ty: Option<[u8; 4]> = self.wkb.get(1..HEAD).and_then(|ty| ty.try_into().ok());
        let ty = ty.map_or(0, |ty| if little { u32::from_le_bytes(ty) } else { u32::from_be_bytes(ty) });
        let Some(srid) = self.srid.filter(|_| ty & HAS_SRID == 0) else { return hex::encode(&self.wkb) };
        let bytes = |number: u32| if little { number.to_le_bytes() } else { number.to_be_bytes() };
        let mut out = Vec::with_capacity(self.wkb.len() + 4);
        out.extend_from_slice(self.wkb.get(..1).unwrap_or_default());
        out.extend_from_slice(&bytes(ty | HAS_SRID));
        out.extend_from_slice(&bytes(srid));
        out.extend_from_slice(self.wkb.get(HEAD..).unwrap_or_default());
        hex::encode(&out)
    }

    /// What MySQL keeps: four bytes of the reference system, with the least significant first, and the standard's bytes.
    pub(crate) fn of_mysql(&self) -> Vec<u8> {
        let mut out = self.srid.unwrap_or(0).to_le_bytes().to_vec();
        out.extend_from_slice(&self.wkb);
        out
    }
}

fn of_point(x: f64, y: f64) -> Vec<u8> {
    let mut wkb = vec![1, 1, 0, 0, 0];
    wkb.extend_from_slice(&x.to_le_bytes());
    wkb.extend_from_slice(&y.to_le_bytes());
    wkb
}

#[cfg(test)]
mod tests {
    use lavka_api::data::{Schema, Type};

    use super::*;

    #[test]
    fn the_reference_system_gets_into_the_bytes_of_either_order() {
        let of = |wkb: &[u8], srid| Geometry { wkb: Cow::Owned(wkb.to_vec()), srid, point: None };
        let little = [1, 1, 0, 0, 0, 7];
        assert_eq!(of(&little, None).ewkb(), "010100000007");
        assert_eq!(of(&little, Some(4326)).ewkb(), "0101000020e610000007");
        assert_eq!(of(&[0, 0, 0, 0, 1, 7], Some(4326)).ewkb(), "0020000001000010e607");
        // It is in them already.
        assert_eq!(of(&[1, 1, 0, 0, 0x20, 1, 0, 0, 0], Some(2)).ewkb(), "010100002001000000");
        assert_eq!(of(&little, Some(1)).of_mysql(), [1, 0, 0, 0, 1, 1, 0, 0, 0, 7]);
    }

    #[test]
    fn coordinates_are_enough_and_nothing_is_not() {
        let schema = Schema::structure()
            .field("x", Schema::optional(Type::Float64))
            .field("y", Schema::optional(Type::Float64))
            .field("srid", Schema::optional(Type::Int32))
            .build()
            .unwrap();
        let of = |x: Value, srid: Value| Struct::new(schema.clone(), [x, Value::Float64(2.0), srid]).unwrap();
        let point = of(Value::Float64(1.0), Value::Null);
        let point = Geometry::read(&point).unwrap();
        assert_eq!((point.point(), point.wkb().len()), (Some((1.0, 2.0)), 21));
        assert!(Geometry::read(&of(Value::Null, Value::Null)).unwrap_err().contains("wkb"));
        assert!(Geometry::read(&of(Value::Float64(1.0), Value::Int32(-1))).is_err());
    }
}

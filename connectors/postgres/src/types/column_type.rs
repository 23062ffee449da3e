//! From a column's type to its schema and its codec.

use lavka_api::data::{Schema, SchemaBuilder, Str, Type};

use super::array::Elements;
use super::codec::{Codec, Kind};
use super::modes::{Conversions, DecimalMode};
use super::placeholder::Shape;
use super::precision::Precision;
use super::temporal::{Unit, named};
use super::{bits, geometry, hstore, interval, numeric, vector};
use crate::model::{PgType, TypeCatalog, TypeKind, oid};

/// What a column's type comes to under the connector's settings.
#[derive(Clone, Debug)]
pub struct ColumnType {
    /// The schema as far as the type decides it: required, without a default.
    pub schema: SchemaBuilder,
    /// How its texts become values. The field's schema is still to be given to it.
    pub codec: Codec,
    /// Length and scale as the JDBC driver reports them.
    pub precision: Precision,
    /// Whether masks and hashes apply to it: types of characters, and enums.
    pub is_character: bool,
    pub(super) shape: Shape,
}

/// The elements of these have no schema in Debezium, whatever it is told of unknown types.
const UNSUPPORTED_ELEMENTS: &[u32] =
    &[oid::MONEY, oid::NAME, oid::INTERVAL, oid::VARBIT, oid::XML, oid::POINT, oid::REFCURSOR];

/// Arrays of these have no null in Debezium's schema, as those of enums, of `tsvector` and of unknown types.
const REQUIRED_ELEMENTS: &[&str] = &["vector", "halfvec", "sparsevec", "isbn"];

/// Arrays in arrays end here; the server has none.
const MAX_NESTING: usize = 4;

impl ColumnType {
    /// The type `type_oid` with a modifier (-1 for none). `None` where columns of that type are left out: types that are not
    /// known, unless `include.unknown.datatypes` is set, and arrays of some types.
    #[must_use]
    pub fn of(types: &TypeCatalog, type_oid: u32, modifier: i32, modes: &Conversions) -> Option<Self> {
        nested(types, type_oid, modifier, modes, 0)
    }
}

fn nested(
    types: &TypeCatalog,
    type_oid: u32,
    modifier: i32,
    modes: &Conversions,
    nesting: usize,
) -> Option<ColumnType> {
    let Some((ty, modifier)) = types.resolve(type_oid, modifier) else {
        return opaque(Kind::Opaque(modes.binary), modes);
    };
    match &ty.kind {
        TypeKind::Array { .. } if nesting >= MAX_NESTING => None,
        TypeKind::Array { element } => array(types, *element, modifier, modes, nesting),
        TypeKind::Enum { labels } => {
            let labels: Vec<&str> = labels.iter().map(Str::as_str).collect();
            let schema = named(Type::String, "io.debezium.data.Enum").parameter("allowed", labels.join(","));
            Some(ColumnType { is_character: true, ..plain(schema, Kind::Text, ty.oid, modifier) })
        }
        TypeKind::Base | TypeKind::Range => scalar(ty, modifier, modes),
        TypeKind::Composite | TypeKind::Multirange | TypeKind::Pseudo | TypeKind::Domain { .. } => {
            opaque(Kind::Opaque(modes.binary), modes)
        }
    }
}

fn plain(schema: SchemaBuilder, kind: Kind, type_oid: u32, modifier: i32) -> ColumnType {
    let precision = Precision::of(type_oid, modifier);
    ColumnType { schema, codec: Codec(kind), precision, is_character: false, shape: Shape::Plain }
}

/// A type that is not known, if such are wanted.
fn opaque(kind: Kind, modes: &Conversions) -> Option<ColumnType> {
    modes.include_unknown.then(|| plain(modes.binary.schema(), kind, 0, -1))
}

fn array(
    types: &TypeCatalog,
    element: u32,
    modifier: i32,
    modes: &Conversions,
    nesting: usize,
) -> Option<ColumnType> {
    // Of a domain's array the elements are unknown, whatever its base is.
    let is_domain = matches!(types.get(element).map(|ty| &ty.kind), Some(TypeKind::Domain { .. }));
    if UNSUPPORTED_ELEMENTS.contains(&element) {
        return None;
    }
    if element == oid::BIT {
        return bit_array(modifier);
    }
    let inner = match is_domain {
        true => opaque(Kind::Opaque(modes.binary), modes)?,
        false => nested(types, element, modifier, modes, nesting + 1)?,
    };
    let required = match types.get(element) {
        Some(PgType { kind: TypeKind::Enum { .. }, .. }) => true,
        Some(ty) => {
            let opaque = matches!(inner.codec.0, Kind::Opaque(_) | Kind::OpaqueGeometric(_));
            opaque || ty.oid == oid::TSVECTOR || REQUIRED_ELEMENTS.contains(&ty.name.as_str())
        }
        None => true,
    };
    let item = inner.schema.optional_if(!required).build().ok()?;
    let mut codec = inner.codec;
    codec.bind(&item);
    let schema = Schema::array(item).to_builder();
    let delimiter = if element == oid::BOX { b';' } else { b',' };
    let kind = Kind::Array(Box::new(Elements { codec, required, delimiter }));
    let shape = Shape::of_array(element);
    Some(ColumnType { precision: inner.precision, shape, ..plain(schema, kind, 0, -1) })
}

/// An array of bits has the schema of its element in Debezium, and therefore no value.
fn bit_array(modifier: i32) -> Option<ColumnType> {
    let precision = Precision::of(oid::BIT, modifier);
    let schema = match precision.length > 1 {
        true => bits::schema(precision.length),
        false => Schema::builder(Type::Boolean),
    };
    Some(plain(schema, Kind::BitArray, oid::BIT, modifier))
}

fn scalar(ty: &PgType, modifier: i32, modes: &Conversions) -> Option<ColumnType> {
    let precision = Precision::of(ty.oid, modifier);
    let of = |schema: SchemaBuilder, kind: Kind| Some(plain(schema, kind, ty.oid, modifier));
    let primitive = |ty: Type, kind: Kind| of(Schema::builder(ty), kind);
    let text = |name: &'static str| of(named(Type::String, name), Kind::Text);
    let geometric = || opaque(Kind::OpaqueGeometric(modes.binary), modes);
    match ty.oid {
        oid::BOOL => primitive(Type::Boolean, Kind::Boolean),
        oid::INT2 => primitive(Type::Int16, Kind::Int16),
        oid::INT4 => primitive(Type::Int32, Kind::Int32),
        oid::INT8 | oid::OID => primitive(Type::Int64, Kind::Int64),
        oid::FLOAT4 => primitive(Type::Float32, Kind::Float32),
        oid::FLOAT8 => primitive(Type::Float64, Kind::Float64),
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::CHAR | oid::NAME => {
            primitive(Type::String, Kind::Text).map(|column| ColumnType { is_character: true, ..column })
        }
        oid::INET
        | oid::CIDR
        | oid::MACADDR
        | oid::MACADDR8
        | oid::INT4RANGE
        | oid::INT8RANGE
        | oid::NUMRANGE
        | oid::TSRANGE
        | oid::TSTZRANGE
        | oid::DATERANGE => primitive(Type::String, Kind::Text),
        oid::JSON | oid::JSONB => text("io.debezium.data.Json"),
        oid::XML => text("io.debezium.data.Xml"),
        oid::UUID => text("io.debezium.data.Uuid"),
        oid::TSVECTOR => text("io.debezium.data.Tsvector"),
        oid::BYTEA => of(modes.binary.schema(), Kind::Bytea(modes.binary)),
        oid::BIT | oid::VARBIT if precision.length > 1 => of(bits::schema(precision.length), Kind::Bits),
        oid::BIT | oid::VARBIT => primitive(Type::Boolean, Kind::Bit),
        oid::DATE => {
            let unit = Unit::of_date(modes.time);
            of(unit.date_schema(), Kind::Date(unit))
        }
        oid::TIME => {
            let unit = Unit::of_time(modes.time, precision.scale);
            of(unit.time_schema(), Kind::Time(unit))
        }
        oid::TIMESTAMP => {
            let unit = Unit::of_timestamp(modes.time, precision.scale);
            of(unit.timestamp_schema(), Kind::Timestamp(unit))
        }
        oid::TIMESTAMPTZ => {
            let width = usize::try_from(precision.scale).ok().filter(|digits| (1..=9).contains(digits));
            of(named(Type::String, "io.debezium.time.ZonedTimestamp"), Kind::ZonedTimestamp(width))
        }
        oid::TIMETZ => of(named(Type::String, "io.debezium.time.ZonedTime"), Kind::ZonedTime),
        oid::INTERVAL => of(interval::schema(modes.interval), Kind::Interval(modes.interval)),
        oid::NUMERIC => {
            let (schema, kind) = numeric_type(modes.decimal, precision);
            of(schema, kind)
        }
        oid::MONEY => {
            let digits = modes.money_fraction_digits;
            match modes.decimal {
                DecimalMode::Precise => of(
                    SchemaBuilder::logical(lavka_api::data::Logical::Decimal(digits)),
                    Kind::Money { digits },
                ),
                DecimalMode::String => primitive(Type::String, Kind::MoneyText { digits }),
                DecimalMode::Double => primitive(Type::Float64, Kind::MoneyDouble { digits }),
            }
        }
        oid::POINT => {
            let schema = geometry::point_schema();
            of(schema.clone(), Kind::Point(schema.build().ok()?))
        }
        oid::LSEG | oid::PATH | oid::BOX | oid::POLYGON | oid::LINE | oid::CIRCLE => geometric(),
        _ => extension(ty, modes),
    }
}

fn numeric_type(mode: DecimalMode, precision: Precision) -> (SchemaBuilder, Kind) {
    let Precision { length, scale } = precision;
    // The driver's length of a numeric without a modifier.
    let variable = length == 131_089 || length == 0;
    match mode {
        DecimalMode::Precise if variable => {
            let schema = numeric::variable_schema();
            let placeholder = Schema::of(Type::Bytes);
            (schema, Kind::VariableDecimal(placeholder))
        }
        DecimalMode::Precise => (numeric::decimal_schema(length, scale), Kind::Decimal { scale }),
        DecimalMode::String => {
            (Schema::builder(Type::String), Kind::DecimalText { scale: (!variable).then_some(scale) })
        }
        DecimalMode::Double => (Schema::builder(Type::Float64), Kind::DecimalDouble),
    }
}

/// Types of extensions, which have no fixed object id.
fn extension(ty: &PgType, modes: &Conversions) -> Option<ColumnType> {
    let of = |schema: SchemaBuilder, kind: Kind| Some(plain(schema, kind, ty.oid, -1));
    match ty.name.as_str() {
        "citext" => of(Schema::builder(Type::String), Kind::Text)
            .map(|column| ColumnType { is_character: true, ..column }),
        "isbn" => of(Schema::builder(Type::String), Kind::Text),
        "ltree" => of(named(Type::String, "io.debezium.data.Ltree"), Kind::Text),
        "hstore" => of(hstore::schema(modes.hstore), Kind::Hstore(modes.hstore))
            .map(|column| ColumnType { shape: Shape::Hstore, ..column }),
        "geometry" | "geography" => {
            let schema = geometry::geometry_schema(ty.name == "geography");
            of(schema.clone(), Kind::Geometry(schema.build().ok()?))
        }
        "vector" => of(vector::vector_schema(), Kind::Vector),
        "halfvec" => of(vector::half_schema(), Kind::HalfVector),
        "sparsevec" => {
            let schema = vector::sparse_schema();
            of(schema.clone(), Kind::SparseVector(schema.build().ok()?))
        }
        _ => opaque(Kind::Opaque(modes.binary), modes),
    }
}

impl ColumnType {
    /// What stands for a value that the server did not send, in a field of `schema`; `None` where the type has room for
    /// none.
    #[must_use]
    pub fn unavailable(&self, schema: &Schema, modes: &Conversions) -> Option<lavka_api::data::Value> {
        modes.placeholder.value(self.shape, schema, modes.hstore)
    }
}

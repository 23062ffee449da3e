//! From an answer's columns to a schema, and from its rows to structs.

use lavka_api::data::{Blob, Datum, Decimal, Logical, Schema, Struct, Type, Value};
use lavka_api::{Error, Result};
use num_traits::ToPrimitive as _;

use super::settings::{Granularity, NumericMapping, SourceSettings};
use crate::data::{Cell, DAY_MICROS, WallClock, datetime_text, parse_datetime};
use crate::driver::Head;
use crate::table::{ColumnKind, ColumnType, Table};

/// Digits behind the point of decimals whose column declares none.
const OPEN_SCALE: i32 = 18;

/// What a column's values become.
#[derive(Clone, Debug, PartialEq)]
enum Target {
    Boolean,
    Int(Type),
    Float32,
    Float64,
    Decimal(i32),
    Text,
    Bytes,
    Date,
    Time,
    Timestamp(Granularity),
    Array(Box<Target>),
}

/// The mapping of an answer.
#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    schema: Schema,
    columns: Vec<(String, Target, bool)>,
    clock: WallClock,
}

impl Mapping {
    /// The mapping of an answer with these columns; `table` is described where the answer is all of one.
    ///
    /// # Errors
    /// Where two columns have one name.
    pub(crate) fn of(heads: &[Head], table: Option<&Table>, settings: &SourceSettings) -> Result<Self> {
        let mut builder = Schema::structure();
        if let Some(table) = table {
            builder = builder.name(table.id.table());
        }
        let mut columns = Vec::with_capacity(heads.len());
        for head in heads {
            let described =
                table.and_then(|table| table.columns.iter().find(|column| column.name == head.name));
            let ty = described.map_or(&head.ty, |column| &column.ty);
            let optional = described.map_or(head.nullable.unwrap_or(true), |column| column.nullable);
            let target = target(ty, settings);
            builder = builder.field(head.name.as_str(), schema(&target, optional)?);
            columns.push((head.name.clone(), target, optional));
        }
        Ok(Self { schema: builder.build()?, columns, clock: settings.clock.clone() })
    }

    /// The struct of a row.
    ///
    /// # Errors
    /// A data error that names the column.
    pub(crate) fn row(&self, cells: Vec<Cell<'static>>) -> Result<Datum> {
        let values = cells.into_iter().zip(&self.columns).map(|(cell, (name, target, optional))| {
            if cell.is_null() && !optional {
                return Err(Error::data(format!("column {name} has a null that its table does not allow")));
            }
            value(cell, target, &self.clock)
                .ok_or_else(|| Error::data(format!("column {name} has a value that its type cannot hold")))
        });
        let values: Vec<Value> = values.collect::<Result<_>>()?;
        Ok(Datum::new(self.schema.clone(), Struct::new(self.schema.clone(), values)?))
    }

    /// Where a column is in a row, also if its name differs by case.
    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        let exact = self.columns.iter().position(|(column, ..)| column == name);
        exact.or_else(|| {
            self.columns.iter().position(|(column, ..)| column.to_lowercase() == name.to_lowercase())
        })
    }
}

fn target(ty: &ColumnType, settings: &SourceSettings) -> Target {
    match &ty.kind {
        ColumnKind::Boolean => Target::Boolean,
        ColumnKind::Int8 => Target::Int(Type::Int8),
        ColumnKind::Int16 => Target::Int(Type::Int16),
        ColumnKind::Int32 => Target::Int(Type::Int32),
        ColumnKind::Int64 => Target::Int(Type::Int64),
        ColumnKind::UInt64 => Target::Decimal(0),
        ColumnKind::Float32 => Target::Float32,
        ColumnKind::Float64 => Target::Float64,
        ColumnKind::Numeric => numeric(ty.digits, settings.numeric),
        ColumnKind::Text
        | ColumnKind::Json
        | ColumnKind::JsonBinary
        | ColumnKind::Uuid
        | ColumnKind::Interval
        | ColumnKind::Point
        | ColumnKind::Other => Target::Text,
        ColumnKind::Bytes | ColumnKind::Bits | ColumnKind::Geometry => Target::Bytes,
        ColumnKind::Date => Target::Date,
        ColumnKind::Time => Target::Time,
        ColumnKind::Timestamp | ColumnKind::TimestampTz => Target::Timestamp(settings.granularity),
        ColumnKind::Array(item, _) => {
            let item = ColumnType { name: String::new(), kind: (**item).clone(), oid: 0, digits: None };
            Target::Array(Box::new(target(&item, settings)))
        }
    }
}

/// By the rules of `numeric.mapping`.
fn numeric(digits: Option<(i32, i32)>, mapping: NumericMapping) -> Target {
    let integer = |precision: i32| {
        Some(Target::Int(match precision {
            ..=2 => Type::Int8,
            3..=4 => Type::Int16,
            5..=9 => Type::Int32,
            10..=18 => Type::Int64,
            _ => return None,
        }))
    };
    let Some((precision, scale)) = digits else {
        return match mapping {
            NumericMapping::BestFit | NumericMapping::EagerDouble => Target::Float64,
            _ => Target::Decimal(OPEN_SCALE),
        };
    };
    let fitting = match mapping {
        NumericMapping::None => None,
        _ if scale == 0 => integer(precision),
        NumericMapping::BestFit if precision <= 15 => Some(Target::Float64),
        NumericMapping::EagerDouble => Some(Target::Float64),
        _ => None,
    };
    fitting.unwrap_or(Target::Decimal(scale))
}

fn schema(target: &Target, optional: bool) -> Result<Schema> {
    let builder = match target {
        Target::Boolean => Schema::builder(Type::Boolean),
        Target::Int(ty) => Schema::builder(*ty),
        Target::Float32 => Schema::builder(Type::Float32),
        Target::Float64 => Schema::builder(Type::Float64),
        Target::Decimal(scale) => Schema::logical_of(Logical::Decimal(*scale)).to_builder(),
        Target::Text => Schema::builder(Type::String),
        Target::Bytes => Schema::builder(Type::Bytes),
        Target::Date => Schema::logical_of(Logical::Date).to_builder(),
        Target::Time => Schema::logical_of(Logical::Time).to_builder(),
        Target::Timestamp(Granularity::Logical) => Schema::logical_of(Logical::Timestamp).to_builder(),
        Target::Timestamp(Granularity::Long(_)) => Schema::builder(Type::Int64),
        Target::Timestamp(_) => Schema::builder(Type::String),
        Target::Array(item) => Schema::array(schema(item, true)?).to_builder(),
    };
    if optional { builder.optional().build() } else { builder.build() }
}

/// The value of a cell; `None` where the target cannot hold it.
fn value(cell: Cell<'static>, target: &Target, clock: &WallClock) -> Option<Value> {
    if cell.is_null() {
        return Some(Value::Null);
    }
    Some(match (target, cell) {
        (Target::Boolean, Cell::Bool(value)) => Value::Boolean(value),
        (Target::Boolean, Cell::Int(value)) => Value::Boolean(value != 0),
        // As PostgreSQL's ODBC driver has them, unless BoolsAsChar=0.
        (Target::Boolean, Cell::Text(value)) => Value::Boolean(matches!(&*value, "1" | "t" | "true")),
        (Target::Int(ty), Cell::Int(value)) => integer(*ty, value)?,
        (Target::Int(ty), Cell::Decimal(value)) => integer(*ty, value.to_integer()?.to_i64()?)?,
        (Target::Float32, Cell::Float32(value)) => Value::Float32(value),
        (Target::Float64, Cell::Float64(value)) => Value::Float64(value),
        (Target::Float64, Cell::Float32(value)) => Value::Float64(value.into()),
        (Target::Float64, Cell::Decimal(value)) => Value::Float64(value.to_f64()),
        (Target::Float64, Cell::Int(value)) => Value::Int64(value).as_f64().map(Value::Float64)?,
        (Target::Decimal(scale), Cell::Decimal(value)) => value.into_owned().with_scale(*scale)?.into(),
        (Target::Decimal(scale), Cell::Int(value)) => Decimal::new(value, 0).with_scale(*scale)?.into(),
        (Target::Decimal(scale), Cell::UInt(value)) => Decimal::new(value, 0).with_scale(*scale)?.into(),
        (Target::Decimal(scale), Cell::Float64(value)) => {
            Decimal::parse(&value.to_string())?.with_scale(*scale)?.into()
        }
        (Target::Decimal(scale), Cell::Text(value)) => Decimal::parse(&value)?.with_scale(*scale)?.into(),
        (Target::Text, Cell::Text(value)) => Value::String(value.into_owned().into()),
        (Target::Text, Cell::Int(value)) => Value::String(value.to_string().into()),
        (Target::Text, Cell::Float64(value)) => Value::String(value.to_string().into()),
        (Target::Text, Cell::Bytes(value)) => {
            Value::String(String::from_utf8(value.into_owned()).ok()?.into())
        }
        (Target::Bytes, Cell::Bytes(value)) => Value::Bytes(Blob::from(value.into_owned())),
        (Target::Bytes, Cell::Text(value)) => Value::Bytes(Blob::from(value.into_owned().into_bytes())),
        (Target::Date, Cell::Date(days)) => Value::Date(days),
        // SQLite's dates are milliseconds or texts.
        (Target::Date, Cell::Int(millis)) => Value::Date(i32::try_from(millis.div_euclid(86_400_000)).ok()?),
        (Target::Date, Cell::Text(text)) => {
            Value::Date(i32::try_from(parse_datetime(&text)?.0.div_euclid(86_400_000_000)).ok()?)
        }
        (Target::Time, Cell::Time(micros)) => Value::Time(i32::try_from(micros.div_euclid(1000)).ok()?),
        (Target::Time, Cell::Int(millis)) => Value::Time(i32::try_from(millis).ok()?),
        (Target::Timestamp(granularity), cell) => timestamp(instant(&cell, clock)?, *granularity, clock)?,
        (Target::Array(item), Cell::Array(items)) => {
            let items: Option<Vec<Value>> = items.into_iter().map(|cell| value(cell, item, clock)).collect();
            items?.into()
        }
        _ => return None,
    })
}

fn integer(ty: Type, value: i64) -> Option<Value> {
    Some(match ty {
        Type::Int8 => Value::Int8(value.try_into().ok()?),
        Type::Int16 => Value::Int16(value.try_into().ok()?),
        Type::Int32 => Value::Int32(value.try_into().ok()?),
        _ => Value::Int64(value),
    })
}

/// The instant of a cell, in microseconds.
pub(crate) fn instant(cell: &Cell<'_>, clock: &WallClock) -> Option<i64> {
    match cell {
        Cell::Instant(instant) => Some(*instant),
        Cell::Local(local) => Some(clock.instant(*local)),
        Cell::Date(days) => i64::from(*days).checked_mul(DAY_MICROS).map(|local| clock.instant(local)),
        // SQLite's are milliseconds or texts.
        Cell::Int(millis) => millis.checked_mul(1000),
        Cell::Text(text) => {
            let (micros, zoned) = parse_datetime(text)?;
            Some(if zoned { micros } else { clock.instant(micros) })
        }
        _ => None,
    }
}

fn timestamp(instant: i64, granularity: Granularity, clock: &WallClock) -> Option<Value> {
    let number = |nanos: i64| if nanos == 1 { instant.checked_mul(1000) } else { Some(instant) };
    Some(match granularity {
        Granularity::Logical => Value::Timestamp(instant.div_euclid(1000)),
        Granularity::Long(nanos) => Value::Int64(number(nanos)?),
        Granularity::Text(nanos) => Value::String(number(nanos)?.to_string().into()),
        Granularity::Iso(digits) => {
            let local = clock.local(instant);
            let whole = datetime_text(local.div_euclid(1_000_000) * 1_000_000).replace(' ', "T");
            let fraction = format!("{:06}000", local.rem_euclid(1_000_000));
            Value::String(format!("{whole}.{}", fraction.get(..digits)?).into())
        }
    })
}

/// The number of a cell of the incrementing column; `None` where it is none of 64 bits.
pub(crate) fn identity(cell: &Cell<'_>) -> Option<i64> {
    match cell {
        Cell::Int(id) => Some(*id),
        Cell::UInt(id) => i64::try_from(*id).ok(),
        Cell::Decimal(value) if value.scale() <= 0 => value.to_integer()?.to_i64(),
        Cell::Decimal(value) => value.as_ref().clone().with_scale(0)?.unscaled().to_i64(),
        _ => None,
    }
}

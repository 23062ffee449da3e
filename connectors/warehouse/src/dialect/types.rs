//! Types of new columns and literals of their defaults.

use std::fmt::Write as _;

use lavka_api::data::{Logical, Schema, Type};

use super::Dialect;
use crate::data::{Cell, Conversion, WallClock, date_text, datetime_text, decimal_text, time_text};

/// A column to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ColumnSpec {
    pub(crate) name: String,
    pub(crate) ty: String,
    pub(crate) optional: bool,
    /// A literal.
    pub(crate) default: Option<String>,
    pub(crate) key: bool,
}

/// Which types new columns get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TypeRules {
    pub(crate) dialect: Dialect,
    /// As Debezium's sink chooses them, else as Confluent's.
    pub(crate) debezium: bool,
}

/// The length of texts and bytes that MySQL can have in a key.
const MYSQL_KEY: &str = "255";

impl TypeRules {
    /// The type of a column for values of `schema`.
    ///
    /// # Errors
    /// `MAP (null) type doesn't have a mapping to the SQL database column type` and the like.
    pub(crate) fn column_type(
        &self,
        schema: &Schema,
        conversion: &Conversion,
        key: bool,
    ) -> Result<String, String> {
        if !self.is_native() {
            return super::odbc_types::column_type(self.dialect, schema, conversion, key)
                .ok_or_else(|| unmapped(schema));
        }
        if let Conversion::Listed(_) = conversion {
            return Ok(self.of(["TIMESTAMP", "TIMESTAMP", "DATETIME(6)", "NUMERIC"]).to_owned());
        }
        if self.debezium
            && let Some(known) = self.of_debezium(schema, conversion)
        {
            return Ok(known);
        }
        if let Some(logical) = schema.logical() {
            return Ok(self.logical(logical, schema));
        }
        let of = |names| Ok(self.of(names).to_owned());
        match schema.ty() {
            Type::Int8 => of(["SMALLINT", "SMALLINT", "TINYINT", "INTEGER"]),
            Type::Int16 => of(["SMALLINT", "SMALLINT", "SMALLINT", "INTEGER"]),
            Type::Int32 => of(["INT", "INT", "INT", "INTEGER"]),
            Type::Int64 => of(["BIGINT", "BIGINT", "BIGINT", "INTEGER"]),
            Type::Float32 => of(["REAL", "REAL", "FLOAT", "REAL"]),
            Type::Float64 => of(["DOUBLE PRECISION", "DOUBLE PRECISION", "DOUBLE", "REAL"]),
            Type::Boolean => of(["BOOLEAN", "BOOLEAN", "TINYINT", "INTEGER"]),
            Type::String if key && self.dialect.is_mysql() => Ok(format!("VARCHAR({MYSQL_KEY})")),
            Type::String if self.debezium && self.dialect.is_mysql() => Ok("LONGTEXT".to_owned()),
            Type::String => of(["TEXT", "VARCHAR(65535)", "TEXT", "TEXT"]),
            Type::Bytes if key && self.dialect.is_mysql() => Ok(format!("VARBINARY({MYSQL_KEY})")),
            Type::Bytes if self.debezium && self.dialect.is_mysql() => Ok("LONGBLOB".to_owned()),
            Type::Bytes => of(["BYTEA", "VARBYTE(65535)", "VARBINARY(1024)", "BLOB"]),
            Type::Array if self.dialect == Dialect::Postgres => {
                let items = schema.values().filter(|items| items.ty().is_primitive());
                match (items, conversion) {
                    (Some(items), Conversion::Array(item)) => {
                        Ok(format!("{}[]", self.column_type(items, item, false)?))
                    }
                    _ => Err(unmapped(schema)),
                }
            }
            Type::Map if matches!(conversion, Conversion::Json) => of(["JSONB", "SUPER", "JSON", "TEXT"]),
            Type::Array | Type::Map | Type::Struct => Err(unmapped(schema)),
        }
    }

    /// Whether the type comes from the tables here.
    fn is_native(&self) -> bool {
        self.dialect.is_postgres() || self.dialect.is_mysql() || self.dialect == Dialect::Sqlite
    }

    /// By dialect: PostgreSQL, Redshift, MySQL and MariaDB, SQLite.
    fn of(&self, names: [&'static str; 4]) -> &'static str {
        let [postgres, redshift, mysql, sqlite] = names;
        match self.dialect {
            Dialect::Postgres => postgres,
            Dialect::Redshift => redshift,
            Dialect::MySql | Dialect::MariaDb => mysql,
            _ => sqlite,
        }
    }

    fn logical(&self, logical: Logical, schema: &Schema) -> String {
        let precise = self.debezium;
        match logical {
            Logical::Decimal(scale) => self.decimal(scale, schema),
            Logical::Date => self.of(["DATE", "DATE", "DATE", "NUMERIC"]).to_owned(),
            Logical::Time if precise => self.of(["TIME(6)", "TIME", "TIME(6)", "NUMERIC"]).to_owned(),
            Logical::Time => self.of(["TIME", "TIME", "TIME(3)", "NUMERIC"]).to_owned(),
            Logical::Timestamp if precise => {
                self.of(["TIMESTAMP(6)", "TIMESTAMP", "DATETIME(6)", "NUMERIC"]).to_owned()
            }
            Logical::Timestamp => self.of(["TIMESTAMP", "TIMESTAMP", "DATETIME(3)", "NUMERIC"]).to_owned(),
        }
    }

    fn decimal(&self, scale: i32, schema: &Schema) -> String {
        let precision: Option<i32> =
            schema.parameter("connect.decimal.precision").and_then(|text| text.as_str().parse().ok());
        match self.dialect {
            Dialect::Postgres if self.debezium => match precision {
                Some(precision) if precision >= scale && (1..=1000).contains(&precision) && scale >= 0 => {
                    format!("DECIMAL({precision},{scale})")
                }
                _ => "DECIMAL".to_owned(),
            },
            Dialect::Postgres => "DECIMAL".to_owned(),
            Dialect::Redshift => format!("DECIMAL(38,{})", scale.clamp(0, 37)),
            Dialect::MySql | Dialect::MariaDb => format!("DECIMAL(65,{})", scale.clamp(0, 30)),
            _ => "NUMERIC".to_owned(),
        }
    }

    fn of_debezium(&self, schema: &Schema, conversion: &Conversion) -> Option<String> {
        let names = match conversion {
            Conversion::Date(_) => ["DATE", "DATE", "DATE", "NUMERIC"],
            Conversion::Time(..) => ["TIME(6)", "TIME", "TIME(6)", "NUMERIC"],
            Conversion::Local(_) => ["TIMESTAMP(6)", "TIMESTAMP", "DATETIME(6)", "NUMERIC"],
            Conversion::ZonedTimestamp => ["TIMESTAMPTZ(6)", "TIMESTAMPTZ", "TIMESTAMP(6)", "TEXT"],
            Conversion::ZonedTime => ["TIMETZ(6)", "TIMETZ", "TIME(6)", "TEXT"],
            Conversion::Duration => ["INTERVAL", "BIGINT", "BIGINT", "INTEGER"],
            Conversion::Geometry(true) => ["POINT", "GEOMETRY", "POINT", "BLOB"],
            Conversion::Geometry(false) => {
                let geography = schema.name().is_some_and(|name| name.as_str().ends_with(".Geography"));
                let of_postgis = if geography { "GEOGRAPHY" } else { "GEOMETRY" };
                [of_postgis, "GEOMETRY", "GEOMETRY", "BLOB"]
            }
            Conversion::VariableScaleDecimal => return Some(self.decimal(0, schema).replace(",0)", ",10)")),
            Conversion::Bits(length) => {
                return Some(match self.dialect {
                    Dialect::Postgres if *length > 0 => format!("BIT VARYING({length})"),
                    Dialect::Postgres => "BIT VARYING".to_owned(),
                    _ => self.of(["", "VARCHAR(65535)", "LONGTEXT", "TEXT"]).to_owned(),
                });
            }
            _ => match schema.name()?.as_str() {
                "io.debezium.data.Uuid" => ["UUID", "VARCHAR(36)", "VARCHAR(36)", "TEXT"],
                "io.debezium.data.Json" => ["JSON", "SUPER", "JSON", "TEXT"],
                "io.debezium.data.Xml" => ["XML", "VARCHAR(65535)", "LONGTEXT", "TEXT"],
                _ => return None,
            },
        };
        Some(self.of(names).to_owned())
    }
}

fn unmapped(schema: &Schema) -> String {
    let name = schema.name().map_or("null", |name| name.as_str());
    format!("{name} ({}) type doesn't have a mapping to the SQL database column type", schema.ty())
}

/// `cell` as a literal, for a default; `None` where it has none. Whatever it is, it cannot end the literal.
pub(crate) fn literal(dialect: Dialect, cell: &Cell<'_>, clock: &WallClock) -> Option<String> {
    let number = |finite: bool, text: String| finite.then_some(text);
    Some(match cell {
        Cell::Null | Cell::Array(_) | Cell::Forever { .. } | Cell::Geometry(_) => return None,
        Cell::Duration(micros) if dialect == Dialect::Postgres => format!("'{micros} microseconds'"),
        Cell::Duration(micros) => micros.to_string(),
        Cell::Bool(value)
            if dialect.is_postgres()
                || matches!(
                    dialect,
                    Dialect::Vertica | Dialect::Snowflake | Dialect::Hive | Dialect::Generic
                ) =>
        {
            if *value { "TRUE" } else { "FALSE" }.to_owned()
        }
        Cell::Bool(value) => u8::from(*value).to_string(),
        Cell::Int(value) => value.to_string(),
        Cell::UInt(value) => value.to_string(),
        Cell::Float32(value) => number(value.is_finite(), value.to_string())?,
        Cell::Float64(value) => number(value.is_finite(), value.to_string())?,
        Cell::Decimal(value) => decimal_text(value)?,
        Cell::Text(text) => quoted(dialect, text),
        Cell::Bytes(bytes) => {
            let mut hex = String::with_capacity(bytes.len() * 2);
            for byte in bytes.iter() {
                let _ = write!(hex, "{byte:02x}");
            }
            match dialect {
                Dialect::Postgres | Dialect::Redshift => format!("'\\x{hex}'"),
                Dialect::Oracle => format!("HEXTORAW('{hex}')"),
                Dialect::SqlServer => format!("0x{hex}"),
                Dialect::Teradata => format!("'{hex}'XB"),
                Dialect::Vertica => format!("HEX_TO_BINARY('0x{hex}')"),
                _ => format!("x'{hex}'"),
            }
        }
        Cell::Date(days) => moment(dialect, "DATE", &date_text((*days).into())),
        Cell::Time(micros) if dialect == Dialect::Oracle => {
            moment(dialect, "TIMESTAMP", &datetime_text(*micros))
        }
        Cell::Time(micros) => moment(dialect, "TIME", &time_text(*micros)),
        Cell::Local(local) => moment(dialect, "TIMESTAMP", &datetime_text(*local)),
        Cell::Instant(instant) => moment(dialect, "TIMESTAMP", &datetime_text(clock.local(*instant))),
    })
}

/// A literal of a date or time. Oracle and Teradata read a bare text by the formats of the session.
fn moment(dialect: Dialect, of: &str, text: &str) -> String {
    let literal = quoted(dialect, text);
    if matches!(dialect, Dialect::Oracle | Dialect::Teradata) { format!("{of} {literal}") } else { literal }
}

/// A text literal. In MySQL a backslash may escape what follows it, so it is doubled; in PostgreSQL it does not, with
/// `standard_conforming_strings`, which every session of ours has on.
fn quoted(dialect: Dialect, text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars().filter(|c| *c != '\0') {
        let escapes = dialect.is_mysql() || matches!(dialect, Dialect::Snowflake | Dialect::Hive);
        if c == '\'' || (c == '\\' && escapes) {
            out.push(c);
        }
        out.push(c);
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Semantics;

    fn semantics() -> Semantics {
        Semantics::Connect {
            clock: WallClock::utc(),
            dates: WallClock::utc(),
            timestamp_fields: vec!["listed".to_owned()],
            nanos: false,
        }
    }

    /// The table of the reference: PostgreSQL, MySQL, SQLite.
    #[test]
    fn types_are_those_of_the_java_sink() {
        let array = Schema::array(Schema::of(Type::Int32));
        for (schema, names) in [
            (Schema::of(Type::Int8), ["SMALLINT", "TINYINT", "INTEGER"]),
            (Schema::of(Type::Int16), ["SMALLINT", "SMALLINT", "INTEGER"]),
            (Schema::of(Type::Int32), ["INT", "INT", "INTEGER"]),
            (Schema::of(Type::Int64), ["BIGINT", "BIGINT", "INTEGER"]),
            (Schema::of(Type::Float32), ["REAL", "FLOAT", "REAL"]),
            (Schema::of(Type::Float64), ["DOUBLE PRECISION", "DOUBLE", "REAL"]),
            (Schema::of(Type::Boolean), ["BOOLEAN", "TINYINT", "INTEGER"]),
            (Schema::of(Type::String), ["TEXT", "TEXT", "TEXT"]),
            (Schema::of(Type::Bytes), ["BYTEA", "VARBINARY(1024)", "BLOB"]),
            (Schema::logical_of(Logical::Decimal(2)), ["DECIMAL", "DECIMAL(65,2)", "NUMERIC"]),
            (Schema::logical_of(Logical::Date), ["DATE", "DATE", "NUMERIC"]),
            (Schema::logical_of(Logical::Time), ["TIME", "TIME(3)", "NUMERIC"]),
            (Schema::logical_of(Logical::Timestamp), ["TIMESTAMP", "DATETIME(3)", "NUMERIC"]),
            (array, ["INT[]", "", ""]),
        ] {
            let conversion = Conversion::of("f", &schema, &semantics()).unwrap();
            let types = [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite].map(|dialect| {
                TypeRules { dialect, debezium: false }
                    .column_type(&schema, &conversion, false)
                    .unwrap_or_default()
            });
            assert_eq!(types, names, "{schema:?}");
        }
        let listed = Conversion::of("listed", &Schema::of(Type::Int64), &semantics()).unwrap();
        let rules = TypeRules { dialect: Dialect::MySql, debezium: false };
        assert_eq!(rules.column_type(&Schema::of(Type::Int64), &listed, false), Ok("DATETIME(6)".to_owned()));
    }

    #[test]
    fn a_literal_cannot_be_ended_from_within() {
        let utc = WallClock::utc();
        let text = Cell::Text(r"'); DROP TABLE t; -- \'".into());
        assert_eq!(literal(Dialect::Postgres, &text, &utc).unwrap(), r"'''); DROP TABLE t; -- \'''");
        assert_eq!(literal(Dialect::MySql, &text, &utc).unwrap(), r"'''); DROP TABLE t; -- \\'''");
        assert_eq!(literal(Dialect::Sqlite, &Cell::Bytes([1, 255][..].into()), &utc).unwrap(), "x'01ff'");
        assert_eq!(literal(Dialect::Sqlite, &Cell::Float64(f64::NAN), &utc), None);
        assert_eq!(literal(Dialect::Postgres, &Cell::Instant(0), &utc).unwrap(), "'1970-01-01 00:00:00'");
    }
}

//! Types of new columns in databases that are reached over ODBC alone.
//!
//! They are those of Confluent's sink where it has the database (Oracle, SQL Server, Vertica, DB2). It differs in SQL
//! Server: its `tinyint` holds no negative numbers and its `varchar` loses letters, so `smallint` and `nvarchar` are taken.

use lavka_api::data::{Logical, Schema, Type};

use super::Dialect;
use crate::data::Conversion;

/// What is to be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Boolean,
    Text,
    Bytes,
    Decimal(i32),
    Date,
    Time,
    Timestamp,
    /// An instant that brings its zone.
    ZonedTimestamp,
}

/// The type of a column for values of `schema`; `None` where there is none.
pub(super) fn column_type(
    dialect: Dialect,
    schema: &Schema,
    conversion: &Conversion,
    key: bool,
) -> Option<String> {
    Some(name(dialect, held(schema, conversion)?, key))
}

fn held(schema: &Schema, conversion: &Conversion) -> Option<Held> {
    Some(match conversion {
        Conversion::Listed(_) | Conversion::Local(_) | Conversion::Instant(_) => Held::Timestamp,
        Conversion::Date(_) => Held::Date,
        Conversion::Time(..) => Held::Time,
        Conversion::ZonedTimestamp => Held::ZonedTimestamp,
        Conversion::ZonedTime | Conversion::Bits(_) | Conversion::Json => Held::Text,
        Conversion::VariableScaleDecimal => Held::Decimal(10),
        Conversion::Duration => Held::Int64,
        Conversion::Array(_) | Conversion::Geometry(_) => return None,
        Conversion::Plain => match (schema.logical(), schema.ty()) {
            (Some(Logical::Decimal(scale)), _) => Held::Decimal(scale),
            (Some(Logical::Date), _) => Held::Date,
            (Some(Logical::Time), _) => Held::Time,
            (Some(Logical::Timestamp), _) => Held::Timestamp,
            (None, Type::Int8) => Held::Int8,
            (None, Type::Int16) => Held::Int16,
            (None, Type::Int32) => Held::Int32,
            (None, Type::Int64) => Held::Int64,
            (None, Type::Float32) => Held::Float32,
            (None, Type::Float64) => Held::Float64,
            (None, Type::Boolean) => Held::Boolean,
            (None, Type::String) => Held::Text,
            (None, Type::Bytes) => Held::Bytes,
            (None, Type::Array | Type::Map | Type::Struct) => return None,
        },
    })
}

fn name(dialect: Dialect, held: Held, key: bool) -> String {
    let plain = match dialect {
        Dialect::Vertica => vertica(held),
        Dialect::Oracle => oracle(held),
        Dialect::SqlServer => sql_server(held, key),
        Dialect::Snowflake => snowflake(held),
        Dialect::Db2 => db2(held, key),
        Dialect::Teradata => teradata(held, key),
        Dialect::Hive => hive(held),
        _ => generic(held),
    };
    match held {
        Held::Decimal(scale) => {
            let digits = match dialect {
                Dialect::Oracle => return format!("NUMBER(*,{})", scale.clamp(-84, 127)),
                Dialect::Vertica | Dialect::Generic => 18,
                Dialect::Db2 => 31,
                _ => 38,
            };
            format!("{plain}({digits},{})", scale.clamp(0, digits))
        }
        _ => plain.to_owned(),
    }
}

fn vertica(held: Held) -> &'static str {
    match held {
        Held::Int8 | Held::Int16 | Held::Int32 | Held::Int64 => "INT",
        Held::Float32 | Held::Float64 => "FLOAT",
        Held::Boolean => "BOOLEAN",
        Held::Text => "VARCHAR(1024)",
        Held::Bytes => "VARBINARY(1024)",
        Held::Decimal(_) => "DECIMAL",
        Held::Date => "DATE",
        Held::Time => "TIME",
        Held::Timestamp => "TIMESTAMP",
        Held::ZonedTimestamp => "TIMESTAMPTZ",
    }
}

fn oracle(held: Held) -> &'static str {
    match held {
        Held::Int8 => "NUMBER(3,0)",
        Held::Int16 => "NUMBER(5,0)",
        Held::Int32 => "NUMBER(10,0)",
        Held::Int64 => "NUMBER(19,0)",
        Held::Float32 => "BINARY_FLOAT",
        Held::Float64 => "BINARY_DOUBLE",
        Held::Boolean => "NUMBER(1,0)",
        Held::Text => "VARCHAR2(4000)",
        Held::Bytes => "BLOB",
        Held::Decimal(_) => "NUMBER",
        // A DATE of Oracle's has a time too.
        Held::Date | Held::Time => "DATE",
        Held::Timestamp => "TIMESTAMP",
        Held::ZonedTimestamp => "TIMESTAMP WITH TIME ZONE",
    }
}

fn sql_server(held: Held, key: bool) -> &'static str {
    match held {
        Held::Int8 | Held::Int16 => "smallint",
        Held::Int32 => "int",
        Held::Int64 => "bigint",
        Held::Float32 => "real",
        Held::Float64 => "float",
        Held::Boolean => "bit",
        // An index takes 900 bytes of a key.
        Held::Text if key => "nvarchar(450)",
        Held::Text => "nvarchar(max)",
        Held::Bytes if key => "varbinary(900)",
        Held::Bytes => "varbinary(max)",
        Held::Decimal(_) => "decimal",
        Held::Date => "date",
        Held::Time => "time",
        Held::Timestamp => "datetime2",
        Held::ZonedTimestamp => "datetimeoffset",
    }
}

fn snowflake(held: Held) -> &'static str {
    match held {
        Held::Int8 => "TINYINT",
        Held::Int16 => "SMALLINT",
        Held::Int32 => "INTEGER",
        Held::Int64 => "BIGINT",
        Held::Float32 | Held::Float64 => "FLOAT",
        Held::Boolean => "BOOLEAN",
        Held::Text => "VARCHAR",
        Held::Bytes => "BINARY",
        Held::Decimal(_) => "NUMBER",
        Held::Date => "DATE",
        Held::Time => "TIME",
        Held::Timestamp => "TIMESTAMP_NTZ",
        Held::ZonedTimestamp => "TIMESTAMP_TZ",
    }
}

fn db2(held: Held, key: bool) -> &'static str {
    match held {
        Held::Int8 | Held::Int16 | Held::Boolean => "SMALLINT",
        Held::Int32 => "INTEGER",
        Held::Int64 => "BIGINT",
        Held::Float32 => "FLOAT",
        Held::Float64 => "DOUBLE",
        // An index takes 1024 bytes of a key with the smallest pages.
        Held::Text if key => "VARCHAR(255)",
        Held::Text => "VARCHAR(32672)",
        Held::Bytes if key => "VARCHAR(255) FOR BIT DATA",
        Held::Bytes => "BLOB(64000)",
        Held::Decimal(_) => "DECIMAL",
        Held::Date => "DATE",
        Held::Time => "TIME",
        Held::Timestamp | Held::ZonedTimestamp => "TIMESTAMP",
    }
}

fn teradata(held: Held, key: bool) -> &'static str {
    match held {
        Held::Int8 | Held::Boolean => "BYTEINT",
        Held::Int16 => "SMALLINT",
        Held::Int32 => "INTEGER",
        Held::Int64 => "BIGINT",
        Held::Float32 | Held::Float64 => "FLOAT",
        Held::Text if key => "VARCHAR(255) CHARACTER SET UNICODE",
        Held::Text => "VARCHAR(32000) CHARACTER SET UNICODE",
        Held::Bytes if key => "VARBYTE(255)",
        Held::Bytes => "VARBYTE(64000)",
        Held::Decimal(_) => "DECIMAL",
        Held::Date => "DATE",
        Held::Time => "TIME(6)",
        Held::Timestamp => "TIMESTAMP(6)",
        Held::ZonedTimestamp => "TIMESTAMP(6) WITH TIME ZONE",
    }
}

fn hive(held: Held) -> &'static str {
    match held {
        Held::Int8 => "TINYINT",
        Held::Int16 => "SMALLINT",
        Held::Int32 => "INT",
        Held::Int64 => "BIGINT",
        Held::Float32 => "FLOAT",
        Held::Float64 => "DOUBLE",
        Held::Boolean => "BOOLEAN",
        // There are no times of day.
        Held::Text | Held::Time => "STRING",
        Held::Bytes => "BINARY",
        Held::Decimal(_) => "DECIMAL",
        Held::Date => "DATE",
        Held::Timestamp | Held::ZonedTimestamp => "TIMESTAMP",
    }
}

/// Of the standard.
fn generic(held: Held) -> &'static str {
    match held {
        Held::Int8 | Held::Int16 => "SMALLINT",
        Held::Int32 => "INTEGER",
        Held::Int64 => "BIGINT",
        Held::Float32 => "REAL",
        Held::Float64 => "DOUBLE PRECISION",
        Held::Boolean => "BOOLEAN",
        Held::Text => "VARCHAR(1024)",
        Held::Bytes => "VARBINARY(1024)",
        Held::Decimal(_) => "DECIMAL",
        Held::Date => "DATE",
        Held::Time => "TIME",
        Held::Timestamp | Held::ZonedTimestamp => "TIMESTAMP",
    }
}

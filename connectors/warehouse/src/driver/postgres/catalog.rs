//! Tables as PostgreSQL's catalogue has them.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row as _};

use super::failure::failed;
use crate::dialect::{Dialect, Quoting, Statements};
use crate::driver::{Failure, FailureKind};
use crate::table::{Column, ColumnKind, ColumnType, Table, TableId, TableKind};

const TABLE: &str = "SELECT c.oid::int8, n.nspname::text, c.relname::text, c.relkind::text FROM pg_class c \
     JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')";

const COLUMNS: &str = "SELECT a.attname::text, t.oid::int8, format_type(a.atttypid, a.atttypmod), b.oid::int8, \
     b.typtype::text, b.typelem::int8, b.typcategory::text, a.atttypmod::int4, a.attnotnull, \
     (a.atthasdef OR a.attidentity <> '') AS hasdef, \
     coalesce((SELECT true FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY(i.indkey)), \
              false) AS pk, \
     (a.attidentity <> '' OR coalesce(pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%', false)) AS auto, \
     a.attgenerated <> '' AS computed \
     FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
     JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END \
     LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
     WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

const TYPES: &str = "SELECT attname::text, atttypid::int8 FROM pg_attribute WHERE attrelid = to_regclass($1) \
     AND attnum > 0 AND NOT attisdropped";

/// Redshift's catalogue is that of an older PostgreSQL; what both have is the standard's.
const STANDARD_COLUMNS: &str = "SELECT table_schema::text, column_name::text, data_type::text, is_nullable::text, \
     (column_default IS NOT NULL) AS hasdef FROM information_schema.columns \
     WHERE table_name = $1 AND table_schema = coalesce($2, current_schema()) ORDER BY ordinal_position";

/// Tables that the user may read, outside of the system's schemas.
const TABLES: &str = "SELECT n.nspname::text, c.relname::text, c.relkind::text FROM pg_class c \
     JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v') \
     AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1, 2";

/// The table that `written` means in a statement.
pub(super) async fn describe(connection: &mut PgConnection, written: &str) -> Result<Option<Table>, Failure> {
    let found = sqlx::query(TABLE).bind(written).fetch_optional(&mut *connection).await.map_err(failed)?;
    let Some(found) = found else { return Ok(None) };
    let oid: i64 = found.try_get(0).map_err(failed)?;
    let (schema, name): (String, String) =
        (found.try_get(1).map_err(failed)?, found.try_get(2).map_err(failed)?);
    let kind: String = found.try_get(3).map_err(failed)?;
    let rows = sqlx::query(COLUMNS).bind(oid).fetch_all(&mut *connection).await.map_err(failed)?;
    let all = rows.iter().map(|row| Ok((column(row)?, row.try_get(12)?)));
    let all = all.collect::<Result<Vec<(Column, bool)>, sqlx::Error>>().map_err(failed)?;
    let selection = selection(all.iter().map(|(column, _)| column));
    let columns = all.into_iter().filter(|(_, computed)| !computed).map(|(column, _)| column).collect();
    Ok(Some(Table { id: TableId::of(Some(&schema), &name), kind: table_kind(&kind), columns, selection }))
}

/// What a query of these columns selects, where some of them have no form that is read but their text.
fn selection<'c>(columns: impl Iterator<Item = &'c Column> + Clone) -> Option<String> {
    let is_text = |column: &Column| {
        matches!(column.ty.kind, ColumnKind::Other | ColumnKind::Interval | ColumnKind::Point)
    };
    if !columns.clone().any(is_text) {
        return None;
    }
    let statements = Statements { dialect: Dialect::Postgres, quoting: Quoting::Always };
    let selected = columns.map(|column| {
        let name = statements.quoted(&column.name);
        if is_text(column) { format!("CAST({name} AS text) AS {name}") } else { name }
    });
    Some(selected.collect::<Vec<_>>().join(", "))
}

/// Whether those of `columns` that the table has are still of the types that rows are encoded for.
///
/// # Errors
/// [`FailureKind::Changed`], for one that is not.
pub(super) async fn confirm(
    connection: &mut PgConnection,
    written: &str,
    columns: &[Column],
) -> Result<(), Failure> {
    let rows = sqlx::query(TYPES).bind(written).fetch_all(connection).await.map_err(failed)?;
    for row in &rows {
        let (name, oid): (&str, i64) = (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
        let described = columns.iter().find(|column| column.name == name);
        if described.is_some_and(|column| i64::from(column.ty.oid) != oid) {
            return Err(Failure::new(
                FailureKind::Changed,
                format!("column {name} of {written} has got another type"),
            ));
        }
    }
    Ok(())
}

fn table_kind(relkind: &str) -> TableKind {
    match relkind {
        "p" => TableKind::PartitionedTable,
        "v" | "m" => TableKind::View,
        _ => TableKind::Table,
    }
}

fn column(row: &PgRow) -> Result<Column, sqlx::Error> {
    let base: i64 = row.try_get(3)?;
    let (typtype, category): (String, String) = (row.try_get(4)?, row.try_get(6)?);
    let element: i64 = row.try_get(5)?;
    let modifier: i32 = row.try_get(7)?;
    let declared: i64 = row.try_get(1)?;
    let oid = |number: i64| u32::try_from(number).unwrap_or(0);
    let kind = if category == "A" && element != 0 {
        match kind_of(oid(element)) {
            // Enums and the like go by their text.
            ColumnKind::Other => ColumnKind::Other,
            item => ColumnKind::Array(Box::new(item), oid(element)),
        }
    } else if typtype == "e" {
        // enum_recv takes the label.
        ColumnKind::Text
    } else {
        match oid(base) {
            1186 => ColumnKind::Interval,
            600 => ColumnKind::Point,
            base => kind_of(base),
        }
    };
    // numeric's modifier: precision and scale, behind the four bytes of the length.
    let digits = (kind == ColumnKind::Numeric && modifier >= 4).then(|| {
        let packed = modifier - 4;
        (packed >> 16 & 0xffff, packed & 0x7ff)
    });
    Ok(Column {
        name: row.try_get(0)?,
        ty: ColumnType { name: row.try_get(2)?, kind, oid: oid(declared), digits },
        nullable: !row.try_get::<bool, _>(8)?,
        has_default: row.try_get(9)?,
        primary_key: row.try_get(10)?,
        autoincrement: row.try_get(11)?,
    })
}

/// The kind of a built-in type.
pub(super) fn kind_of(oid: u32) -> ColumnKind {
    match oid {
        16 => ColumnKind::Boolean,
        21 => ColumnKind::Int16,
        23 => ColumnKind::Int32,
        20 => ColumnKind::Int64,
        700 => ColumnKind::Float32,
        701 => ColumnKind::Float64,
        1700 => ColumnKind::Numeric,
        // text, varchar, bpchar, name
        25 | 1043 | 1042 | 19 => ColumnKind::Text,
        114 => ColumnKind::Json,
        3802 => ColumnKind::JsonBinary,
        17 => ColumnKind::Bytes,
        2950 => ColumnKind::Uuid,
        1082 => ColumnKind::Date,
        1083 => ColumnKind::Time,
        1114 => ColumnKind::Timestamp,
        1184 => ColumnKind::TimestampTz,
        _ => ColumnKind::Other,
    }
}

/// The kind of an array of a built-in type.
pub(super) fn array_kind_of(oid: u32) -> Option<ColumnKind> {
    let item = match oid {
        1000 => 16,
        1005 => 21,
        1007 => 23,
        1016 => 20,
        1021 => 700,
        1022 => 701,
        1231 => 1700,
        1009 => 25,
        1015 => 1043,
        1001 => 17,
        2951 => 2950,
        1182 => 1082,
        1183 => 1083,
        199 => 114,
        3807 => 3802,
        1014 => 1042,
        1003 => 19,
        1115 => 1114,
        1185 => 1184,
        _ => return None,
    };
    Some(ColumnKind::Array(Box::new(kind_of(item)), item))
}

/// As [`describe`], from the standard's views.
pub(super) async fn describe_standard(
    connection: &mut PgConnection,
    id: &TableId,
) -> Result<Option<Table>, Failure> {
    let rows = sqlx::query(STANDARD_COLUMNS)
        .bind(id.table().to_lowercase())
        .bind(id.schema().map(str::to_lowercase))
        .fetch_all(&mut *connection)
        .await
        .map_err(failed)?;
    let Some(first) = rows.first() else { return Ok(None) };
    let schema: String = first.try_get(0).map_err(failed)?;
    let column = |row: &PgRow| -> Result<Column, sqlx::Error> {
        let (name, ty, nullable): (String, String, String) =
            (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        let oid = match ty.as_str() {
            "boolean" => 16,
            "smallint" => 21,
            "integer" => 23,
            "bigint" => 20,
            "real" => 700,
            "double precision" => 701,
            "numeric" => 1700,
            "character varying" | "character" | "text" => 1043,
            "date" => 1082,
            "time without time zone" => 1083,
            "timestamp without time zone" => 1114,
            "timestamp with time zone" => 1184,
            _ => 0,
        };
        Ok(Column {
            name,
            ty: ColumnType { name: ty, kind: kind_of(oid), oid, digits: None },
            nullable: nullable == "YES",
            has_default: row.try_get(4)?,
            primary_key: false,
            autoincrement: false,
        })
    };
    let columns = rows.iter().map(column).collect::<Result<_, sqlx::Error>>().map_err(failed)?;
    Ok(Some(Table {
        id: TableId::of(Some(&schema), &id.table().to_lowercase()),
        kind: TableKind::Table,
        columns,
        selection: None,
    }))
}

/// The tables that the user sees.
pub(super) async fn tables(connection: &mut PgConnection) -> Result<Vec<(TableId, TableKind)>, Failure> {
    let rows = sqlx::raw_sql(AssertSqlSafe(TABLES)).fetch_all(&mut *connection).await.map_err(failed)?;
    rows.iter()
        .map(|row| {
            let (schema, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let kind: String = row.try_get(2)?;
            Ok((TableId::of(Some(&schema), &name), table_kind(&kind)))
        })
        .collect::<Result<_, sqlx::Error>>()
        .map_err(failed)
}

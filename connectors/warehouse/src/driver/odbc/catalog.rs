//! Tables and columns as a driver lists them (`SQLTables`, `SQLColumns`, `SQLPrimaryKeys`).

use odbc_api::handles::AsStatementRef as _;
use odbc_api::sys::SqlDataType;
use odbc_api::{Cursor, CursorRow, DataType, Error, Nullable};

use tokio::sync::mpsc;

use super::decode;
use super::values::Values;
use super::worker::Worker;
use crate::data::Cell;
use crate::dialect::{Dialect, Quoting, Statements};
use crate::driver::Failure;
use crate::table::{Column, ColumnKind, ColumnType, Table, TableId, TableKind};

/// Schemas of the database's own.
const OWN: &[&str] = &[
    "information_schema",
    "pg_catalog",
    "sys",
    "v_catalog",
    "v_monitor",
    "v_internal",
    "mysql",
    "performance_schema",
];

const MYSQL_COLUMNS: &str = "SELECT column_name, is_nullable, extra FROM information_schema.columns \
     WHERE table_schema = ? AND table_name = ?";

/// A line of `SQLTables`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    catalog: Option<String>,
    schema: Option<String>,
    name: String,
    kind: TableKind,
}

impl Listed {
    /// What names without one are looked for in: the schema, or the catalog of databases that have none.
    fn home(&self) -> Option<&str> {
        self.schema.as_deref().or(self.catalog.as_deref())
    }

    /// Its name with as many parts as were asked for, but with its home.
    fn id(&self, asked: usize) -> TableId {
        match (&self.catalog, &self.schema) {
            (Some(catalog), Some(schema)) if asked == 3 => TableId::full(catalog, schema, &self.name),
            _ => TableId::of(self.home(), &self.name),
        }
    }
}

impl Worker<'_> {
    /// The table, if it is there.
    pub(super) fn describe(&mut self, id: &TableId) -> Result<Option<Table>, Failure> {
        let Some(listed) = self.find(id).map_err(|error| self.failed(&error))? else { return Ok(None) };
        let keys = self.primary_keys(&listed);
        let mut columns = self.columns(&listed, &keys).map_err(|error| self.failed(&error))?;
        if self.dialect.is_mysql() {
            self.ask_mysql(&listed, &mut columns)?;
        } else if !self.within && columns.iter().all(|column| !column.autoincrement) {
            self.mark_counting(&listed.id(id.parts().len()), &mut columns);
        }
        Ok(Some(Table { id: listed.id(id.parts().len()), kind: listed.kind, columns, selection: None }))
    }

    /// The tables that the user sees.
    pub(super) fn tables(&mut self) -> Result<Vec<(TableId, TableKind)>, Failure> {
        let listed = self.list("", "%").map_err(|error| self.failed(&error))?;
        let own = |listed: &Listed| {
            listed.home().is_some_and(|home| OWN.iter().any(|own| home.eq_ignore_ascii_case(own)))
        };
        // A MySQL connection is to one database.
        let elsewhere = |listed: &Listed| {
            self.dialect.is_mysql() && self.home.is_some() && listed.home() != self.home.as_deref()
        };
        let seen = listed.into_iter().filter(|listed| !own(listed) && !elsewhere(listed));
        Ok(seen.map(|listed| (listed.id(2), listed.kind)).collect())
    }

    /// The one table that `id` means: with this very name, else the only one that differs by case.
    fn find(&self, id: &TableId) -> Result<Option<Listed>, Error> {
        let home = id.schema().map(str::to_owned).or_else(|| self.home.clone());
        let mut patterns = vec![id.table().to_owned()];
        for form in [id.table().to_uppercase(), id.table().to_lowercase()] {
            if !patterns.contains(&form) {
                patterns.push(form);
            }
        }
        for pattern in patterns {
            // `_` and `%` in a name match more than the name: the answer is looked through.
            let mut found = self.list(home.as_deref().unwrap_or_default(), &pattern)?;
            found.retain(|listed| {
                let schema = home.as_ref().is_none_or(|home| {
                    listed.home().is_none_or(|found| found == home || found.eq_ignore_ascii_case(home))
                });
                let catalog = match id.parts() {
                    [catalog, _, _] => {
                        listed.catalog.as_ref().is_none_or(|found| found.eq_ignore_ascii_case(catalog))
                    }
                    _ => true,
                };
                schema && catalog
            });
            if let Some(exact) = found.iter().find(|listed| listed.name == id.table()) {
                return Ok(Some(exact.clone()));
            }
            found.retain(|listed| listed.name.eq_ignore_ascii_case(id.table()));
            if found.len() == 1 {
                return Ok(found.pop());
            }
        }
        Ok(None)
    }

    fn list(&self, home: &str, table: &str) -> Result<Vec<Listed>, Error> {
        let (catalog, schema) = if self.dialect.is_mysql() { (home, "") } else { ("", home) };
        let mut statement = self.connection.preallocate()?;
        let types = if self.dialect.is_postgres() {
            "TABLE,VIEW,PARTITIONED TABLE,FOREIGN TABLE,MATVIEW"
        } else {
            "TABLE,VIEW"
        };
        let mut cursor = statement.tables_cursor(catalog, schema, table, types)?;
        let mut listed = Vec::new();
        while let Some(mut row) = cursor.next_row()? {
            let (catalog, schema) = (text(&mut row, 1)?, text(&mut row, 2)?);
            let Some(name) = text(&mut row, 3)? else { continue };
            let kind = match text(&mut row, 4)?.unwrap_or_default().to_ascii_uppercase().as_str() {
                "VIEW" | "MATVIEW" => TableKind::View,
                "PARTITIONED TABLE" => TableKind::PartitionedTable,
                kind if kind.contains("TABLE") => TableKind::Table,
                _ => continue,
            };
            listed.push(Listed { catalog, schema, name, kind });
        }
        Ok(listed)
    }

    fn columns(&self, table: &Listed, keys: &[String]) -> Result<Vec<Column>, Error> {
        let mut statement = self.connection.preallocate()?;
        let catalog = table.catalog.as_deref().unwrap_or_default();
        let schema = table.schema.as_deref().unwrap_or_default();
        let mut cursor = statement.columns_cursor(catalog, schema, &table.name, "")?;
        let mut columns = Vec::new();
        while let Some(mut row) = cursor.next_row()? {
            let (home, name) = (text(&mut row, 2)?, text(&mut row, 3)?);
            let column = text(&mut row, 4)?;
            let ty = number(&mut row, 5)?.unwrap_or(0);
            let type_name = text(&mut row, 6)?.unwrap_or_default();
            let size = number(&mut row, 7)?.unwrap_or(0);
            let digits = number(&mut row, 9)?.unwrap_or(0);
            let nullable = number(&mut row, 11)?;
            let default = text(&mut row, 13)?;
            let refuses = nullable == Some(0)
                || text(&mut row, 18)?.is_some_and(|words| words.eq_ignore_ascii_case("no"));
            let other = name.as_ref().is_some_and(|name| *name != table.name)
                || home.as_ref().zip(table.schema.as_ref()).is_some_and(|(home, schema)| home != schema);
            let (Some(column), false) = (column, other) else { continue };
            let data_type = DataType::new(
                SqlDataType(i16::try_from(ty).unwrap_or(0)),
                usize::try_from(size).unwrap_or(0),
                i16::try_from(digits).unwrap_or(0),
            );
            let lower = type_name.to_ascii_lowercase();
            let counts =
                ["identity", "serial", "counter", "auto_increment"].iter().any(|word| lower.contains(word))
                    || default.as_ref().is_some_and(|text| text.to_ascii_lowercase().starts_with("nextval("));
            let declared = default.as_ref().is_some_and(|text| !text.trim().eq_ignore_ascii_case("null"));
            columns.push(Column {
                ty: column_type(self.dialect, data_type, type_name),
                nullable: !refuses,
                has_default: declared || counts,
                primary_key: keys.contains(&column),
                autoincrement: counts,
                name: column,
            });
        }
        Ok(columns)
    }

    /// MySQL's drivers say of columns that count up, and of timestamps, that they take nulls; the server knows better.
    fn ask_mysql(&mut self, table: &Listed, columns: &mut [Column]) -> Result<(), Failure> {
        let (sender, mut receiver) = mpsc::channel(1);
        let values = [table.home().unwrap_or_default(), table.name.as_str()].map(Values::text).into();
        // All of it is one chunk: a table has no more columns.
        self.stream(MYSQL_COLUMNS, values, 10_000, &sender)?;
        let rows = receiver.try_recv().map_or_else(|_| Vec::new(), |chunk| chunk.rows);
        for row in rows {
            let mut texts = row.iter().map(|cell| if let Cell::Text(text) = cell { &**text } else { "" });
            let (name, nullable, extra) = (texts.next(), texts.next(), texts.next());
            let Some(column) = columns.iter_mut().find(|column| Some(column.name.as_str()) == name) else {
                continue;
            };
            column.nullable = nullable != Some("NO");
            column.autoincrement = extra.is_some_and(|extra| extra.contains("auto_increment"));
            column.has_default |= column.autoincrement;
        }
        Ok(())
    }

    /// Asks an empty answer which columns count up by themselves, what the catalog of most drivers does not say. Not all
    /// tell, and who may only write may not ask.
    fn mark_counting(&self, id: &TableId, columns: &mut [Column]) {
        let statements = Statements { dialect: self.dialect, quoting: Quoting::Always };
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let sql = format!("SELECT {} FROM {} WHERE 1 = 0", statements.list(&names), statements.table(id));
        let Ok(mut prepared) = self.connection.prepare(&sql) else { return };
        let Ok(Some(mut cursor)) = prepared.execute(()) else { return };
        for (column, at) in columns.iter_mut().zip(1_u16..) {
            if lavka_odbc_manager::counts_up(&cursor.as_stmt_ref(), at) {
                column.autoincrement = true;
                column.has_default = true;
            }
        }
    }

    /// The columns of the primary key. Not all drivers tell.
    fn primary_keys(&self, table: &Listed) -> Vec<String> {
        let read = || -> Result<Vec<String>, Error> {
            let mut statement = self.connection.preallocate()?;
            let mut cursor = statement.primary_keys_cursor(
                table.catalog.as_deref(),
                table.schema.as_deref(),
                &table.name,
            )?;
            let mut keys = Vec::new();
            while let Some(mut row) = cursor.next_row()? {
                keys.extend(text(&mut row, 4)?);
            }
            Ok(keys)
        };
        read().unwrap_or_default()
    }
}

/// A column's type, by its ODBC type and by what its name says beyond that.
fn column_type(dialect: Dialect, data_type: DataType, name: String) -> ColumnType {
    if dialect == Dialect::Sqlite {
        return crate::driver::sqlite::column_type(&name);
    }
    let lower = name.to_ascii_lowercase();
    let kind = match lower.as_str() {
        "bool" | "boolean" => ColumnKind::Boolean,
        "json" => ColumnKind::Json,
        "jsonb" => ColumnKind::JsonBinary,
        "uuid" | "uniqueidentifier" => ColumnKind::Uuid,
        "timestamptz" | "datetimeoffset" | "timestamp_tz" | "timestamp_ltz" => ColumnKind::TimestampTz,
        _ if lower.starts_with("timestamp")
            && (lower.contains("with time zone") || lower.contains("local")) =>
        {
            ColumnKind::TimestampTz
        }
        // The driver has them as texts.
        "interval" if dialect.is_postgres() => ColumnKind::Interval,
        "point" if dialect.is_postgres() => ColumnKind::Point,
        // The driver has them as bytes, with other names than the server.
        _ if dialect.is_mysql() && decode::kind(data_type) == ColumnKind::Bytes => {
            crate::driver::mysql::kind_of_bytes(&lower)
        }
        _ if dialect.is_mysql() && lower == "timestamp" => ColumnKind::TimestampTz,
        _ if lower.ends_with(" unsigned") && decode::kind(data_type) == ColumnKind::Int64 => {
            ColumnKind::UInt64
        }
        _ => decode::kind(data_type),
    };
    ColumnType { name, kind, oid: 0, digits: decode::digits(dialect, data_type) }
}

fn text(row: &mut CursorRow<'_>, at: u16) -> Result<Option<String>, Error> {
    let mut units = Vec::new();
    let there = row.get_wide_text(at, &mut units)?;
    Ok(there.then(|| String::from_utf16_lossy(&units)).filter(|text| !text.is_empty()))
}

fn number(row: &mut CursorRow<'_>, at: u16) -> Result<Option<i32>, Error> {
    let mut value = Nullable::<i32>::null();
    row.get_data(at, &mut value)?;
    Ok(value.into_opt())
}

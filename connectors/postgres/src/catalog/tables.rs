//! Tables.

use std::collections::HashMap;

use lavka_api::Result;
use lavka_api::data::Str;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row as _};

use crate::database::named;
use crate::model::{Column, ReplicaIdentity, Table, TableId};

const DOING: &str = "reading the tables of the database";

/// A table that could be captured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    /// `pg_class.oid`.
    pub(crate) oid: u32,
    /// Schema and name.
    pub(crate) id: TableId,
    /// Whether it is partitioned: its rows are those of its partitions.
    pub(crate) partitioned: bool,
    /// Whether it is a partition.
    pub(crate) partition: bool,
    /// The server's estimate of its rows; -1 where it was never analysed.
    pub(crate) rows: f64,
    /// Pages on disk now.
    pub(crate) pages: i64,
    /// Where its rows are kept; another one once they were written anew. 0 where it has none of its own.
    pub(crate) filenode: u32,
    /// Whether its rows lie in pages that can be read by range.
    pub(crate) heap: bool,
    /// Whether an old row can be told: what is published and has no identity is not updated by the server.
    pub(crate) identified: bool,
}

const LIST: &str = "
    SELECT c.oid::int8, n.nspname::text, c.relname::text, c.relkind = 'p', c.relispartition, c.reltuples::float8, \
           CASE WHEN c.relkind = 'r' THEN pg_catalog.pg_relation_size(c.oid) / current_setting('block_size')::int8 ELSE 0 END, \
           c.relkind = 'r' AND coalesce(a.amname, 'heap') = 'heap', \
           c.relkind = 'p' OR c.relreplident IN ('f', 'i') OR (c.relreplident = 'd' AND EXISTS \
           (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)), \
           coalesce(pg_catalog.pg_relation_filenode(c.oid), 0)::int8
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
    ORDER BY n.nspname, c.relname";

/// Every table that logical replication could send, by schema and name.
pub(crate) async fn list(connection: &mut PgConnection) -> Result<Vec<Found>> {
    let rows = sqlx::query(LIST).fetch_all(connection).await.map_err(|error| named(&error, DOING))?;
    rows.iter()
        .map(|row| {
            Ok(Found {
                oid: oid(row, 0)?,
                id: TableId::new(text(row, 1)?, text(row, 2)?),
                partitioned: get(row, 3)?,
                partition: get(row, 4)?,
                rows: get(row, 5)?,
                // A table that was dropped meanwhile has no size.
                pages: get::<Option<i64>>(row, 6)?.unwrap_or_default(),
                heap: get(row, 7)?,
                identified: get(row, 8)?,
                filenode: oid(row, 9)?,
            })
        })
        .collect()
}

const TABLES: &str = "
    SELECT c.oid::int8, n.nspname::text, c.relname::text, c.relreplident::text
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid::int8 = ANY($1) ORDER BY c.oid";

/// `attgenerated` came with version 12.
fn columns_query(version: i32) -> String {
    let generated = if version >= 120_000 { "a.attgenerated <> ''" } else { "false" };
    format!(
        "SELECT a.attrelid::int8, a.attname::text, a.atttypid::int8, a.atttypmod, a.attnotnull, \
                pg_catalog.pg_get_expr(d.adbin, d.adrelid), {generated}, a.attnum::int2, \
                CASE WHEN $2 THEN pg_catalog.col_description(a.attrelid, a.attnum) END \
         FROM pg_catalog.pg_attribute a \
         LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
         WHERE a.attrelid::int8 = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped \
         ORDER BY a.attrelid, a.attnum"
    )
}

/// The primary key first, then unique indexes in the order in which JDBC lists them. `indnkeyatts` came with version 11.
fn keys_query(version: i32) -> String {
    let width = if version >= 110_000 { "i.indnkeyatts" } else { "i.indnatts" };
    format!(
        "SELECT i.indrelid::int8, i.indexrelid::int8, a.attname::text \
         FROM pg_catalog.pg_index i \
         JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid \
         CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place) \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum \
         WHERE i.indrelid::int8 = ANY($1) AND i.indisunique AND i.indisvalid AND i.indexprs IS NULL \
           AND k.place <= {width} \
         ORDER BY i.indrelid, i.indisprimary DESC, i.indisclustered DESC, x.relname, k.place"
    )
}

/// What the catalogue says of the tables with these object ids; those that are gone are left out. `comments`: read the
/// comments of columns too.
pub(crate) async fn describe(
    connection: &mut PgConnection,
    version: i32,
    oids: &[u32],
    comments: bool,
) -> Result<Vec<Table>> {
    let ids: Vec<i64> = oids.iter().map(|&oid| i64::from(oid)).collect();
    let failed = |error| named(&error, DOING);
    let tables = sqlx::query(TABLES).bind(&ids).fetch_all(&mut *connection).await.map_err(failed)?;
    let columns = sqlx::query(AssertSqlSafe(columns_query(version)))
        .bind(&ids)
        .bind(comments)
        .fetch_all(&mut *connection)
        .await
        .map_err(failed)?;
    let keys = sqlx::query(AssertSqlSafe(keys_query(version)))
        .bind(&ids)
        .fetch_all(connection)
        .await
        .map_err(failed)?;
    let mut columns_of: HashMap<u32, Vec<Column>> = HashMap::new();
    for row in &columns {
        let column = Column {
            name: text(row, 1)?,
            type_oid: oid(row, 2)?,
            type_modifier: get(row, 3)?,
            optional: !get::<bool>(row, 4)?,
            default: get::<Option<&str>>(row, 5)?.map(Str::from),
            generated: get(row, 6)?,
            comment: get::<Option<&str>>(row, 8)?.map(Str::from),
            position: get(row, 7)?,
        };
        columns_of.entry(oid(row, 0)?).or_default().push(column);
    }
    // The first index of a table counts.
    let mut key_of: HashMap<u32, (u32, Vec<Str>)> = HashMap::new();
    for row in &keys {
        let index = oid(row, 1)?;
        let (chosen, names) = key_of.entry(oid(row, 0)?).or_insert_with(|| (index, Vec::new()));
        if *chosen == index {
            names.push(text(row, 2)?);
        }
    }
    tables
        .iter()
        .map(|row| {
            let id = oid(row, 0)?;
            let identity = text(row, 3)?;
            Ok(Table {
                oid: id,
                id: TableId::new(text(row, 1)?, text(row, 2)?),
                columns: columns_of.remove(&id).unwrap_or_default(),
                key: key_of.remove(&id).map(|(_, names)| names).unwrap_or_default(),
                replica_identity: identity
                    .as_str()
                    .bytes()
                    .next()
                    .and_then(ReplicaIdentity::from_code)
                    .unwrap_or_default(),
            })
        })
        .collect()
}

fn get<'r, T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>>(
    row: &'r PgRow,
    index: usize,
) -> Result<T> {
    row.try_get(index).map_err(|error| named(&error, DOING))
}

fn text(row: &PgRow, index: usize) -> Result<Str> {
    get::<&str>(row, index).map(Str::from)
}

fn oid(row: &PgRow, index: usize) -> Result<u32> {
    Ok(u32::try_from(get::<i64>(row, index)?).unwrap_or_default())
}

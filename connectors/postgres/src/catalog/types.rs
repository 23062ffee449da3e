//! Types.

use std::collections::HashMap;

use lavka_api::Result;
use lavka_api::data::Str;
use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};

use crate::database::named;
use crate::model::{PgType, TypeCatalog, TypeKind};

const DOING: &str = "reading the types of the database";

/// Row types of tables and their arrays are left out: there are two of them for each table, and hardly ever a column of one.
const ALL: &str = "
    SELECT t.oid::int8, t.typname::text, n.nspname::text, t.typtype::text, t.typcategory::text, t.typelem::int8, \
           t.typbasetype::int8, t.typtypmod
    FROM pg_catalog.pg_type t
    JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem
    WHERE t.typtype <> 'c' AND e.typtype IS DISTINCT FROM 'c'";

const SOME: &str = "
    SELECT t.oid::int8, t.typname::text, n.nspname::text, t.typtype::text, t.typcategory::text, t.typelem::int8, \
           t.typbasetype::int8, t.typtypmod
    FROM pg_catalog.pg_type t
    JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    WHERE t.oid::int8 = ANY($1)";

const LABELS: &str = "
    SELECT enumtypid::int8, enumlabel::text FROM pg_catalog.pg_enum
    WHERE $1::int8[] IS NULL OR enumtypid::int8 = ANY($1)
    ORDER BY enumtypid, enumsortorder";

/// Every type that a column is likely to have.
pub(crate) async fn all_types(connection: &mut PgConnection) -> Result<TypeCatalog> {
    let rows = sqlx::query(ALL).fetch_all(&mut *connection).await.map_err(|error| named(&error, DOING))?;
    Ok(TypeCatalog::new(read(connection, rows, None).await?))
}

/// The types with these object ids, and those they are made of as far as `known` lacks them.
pub(crate) async fn types_of(
    connection: &mut PgConnection,
    oids: &[u32],
    known: &TypeCatalog,
) -> Result<Vec<PgType>> {
    let mut found: Vec<PgType> = Vec::new();
    let mut wanted: Vec<u32> = oids.to_vec();
    while !wanted.is_empty() {
        let ids: Vec<i64> = wanted.iter().map(|&oid| i64::from(oid)).collect();
        let rows = sqlx::query(SOME)
            .bind(&ids)
            .fetch_all(&mut *connection)
            .await
            .map_err(|error| named(&error, DOING))?;
        let types = read(connection, rows, Some(&ids)).await?;
        let parts = types.iter().filter_map(|ty| match ty.kind {
            TypeKind::Array { element } => Some(element),
            TypeKind::Domain { base, .. } => Some(base),
            _ => None,
        });
        let missing = |oid: &u32| known.get(*oid).is_none() && !found.iter().any(|ty| ty.oid == *oid);
        wanted = parts.filter(missing).collect();
        found.extend(types);
    }
    Ok(found)
}

async fn read(connection: &mut PgConnection, rows: Vec<PgRow>, ids: Option<&[i64]>) -> Result<Vec<PgType>> {
    let mut labels: HashMap<u32, Vec<Str>> = HashMap::new();
    let enums =
        sqlx::query(LABELS).bind(ids).fetch_all(connection).await.map_err(|error| named(&error, DOING))?;
    for row in enums {
        let (oid, label) = (oid(&row, 0)?, text(&row, 1)?);
        labels.entry(oid).or_default().push(label);
    }
    rows.iter()
        .map(|row| {
            let id = oid(row, 0)?;
            let category = text(row, 4)?;
            let element = oid(row, 5)?;
            let kind = match text(row, 3)?.as_str() {
                "e" => TypeKind::Enum { labels: labels.remove(&id).unwrap_or_default() },
                "d" => TypeKind::Domain {
                    base: oid(row, 6)?,
                    modifier: row.try_get(7).map_err(|error| named(&error, DOING))?,
                },
                "c" => TypeKind::Composite,
                "r" => TypeKind::Range,
                "m" => TypeKind::Multirange,
                "p" => TypeKind::Pseudo,
                _ if category.as_str() == "A" && element != 0 => TypeKind::Array { element },
                _ => TypeKind::Base,
            };
            Ok(PgType { oid: id, name: text(row, 1)?, schema: text(row, 2)?, kind })
        })
        .collect()
}

fn text(row: &PgRow, index: usize) -> Result<Str> {
    row.try_get::<&str, _>(index).map(Str::from).map_err(|error| named(&error, DOING))
}

fn oid(row: &PgRow, index: usize) -> Result<u32> {
    let wide: i64 = row.try_get(index).map_err(|error| named(&error, DOING))?;
    Ok(u32::try_from(wide).unwrap_or_default())
}

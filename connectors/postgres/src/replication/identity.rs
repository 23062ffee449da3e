//! Replica identities that the configuration sets (`replica.identity.autoset.values`).

use lavka_api::{Error, Result};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use crate::config::invalid;
use crate::database::{identifier, named, qualified};
use crate::model::TableId;
use crate::schema::PatternList;

const KEY: &str = "replica.identity.autoset.values";

/// Tables and the identity they are to have.
#[derive(Clone, Debug)]
struct Wanted {
    tables: PatternList,
    /// What follows `REPLICA IDENTITY`, quoted.
    identity: String,
}

/// Reads the list: `schema.table:FULL`, `DEFAULT`, `NOTHING` or `INDEX name`, separated by commas.
fn parse(list: &str) -> Result<Vec<Wanted>> {
    let malformed = |entry: &str| {
        Error::config(invalid(
            KEY,
            // In Debezium's words, with its expression.
            &format!(
                r"{entry} has an invalid format (expecting '(?i)^\s*(?<tablepredicate>[^\s:]+):(?<replicaidentity>DEFAULT|(INDEX) (?<indexname>.\w*)|FULL|NOTHING)\s*$')"
            ),
        ))
    };
    list.split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            let (tables, identity) = entry.rsplit_once(':').ok_or_else(|| malformed(entry))?;
            let mut words = identity.split_whitespace();
            let identity =
                match (words.next().map(str::to_ascii_uppercase).as_deref(), words.next(), words.next()) {
                    (Some(word @ ("FULL" | "DEFAULT" | "NOTHING")), None, None) => word.to_owned(),
                    (Some("INDEX"), Some(index), None) => format!("USING INDEX {}", identifier(index)),
                    _ => return Err(malformed(entry)),
                };
            let tables = PatternList::parse(tables)
                .map_err(|error| Error::config(invalid(KEY, error.message().unwrap_or_default())))?;
            Ok(Wanted { tables, identity })
        })
        .collect()
}

/// The statements for `captured`: the first entry that names a table counts.
fn statements(wanted: &[Wanted], captured: &[TableId]) -> Vec<String> {
    captured
        .iter()
        .filter_map(|table| {
            let name = table.to_string();
            let wanted = wanted.iter().find(|wanted| wanted.tables.matches(&name))?;
            Some(format!("ALTER TABLE {} REPLICA IDENTITY {}", qualified(table), wanted.identity))
        })
        .collect()
}

/// Checks a list.
///
/// # Errors
/// Where it is malformed.
pub(crate) fn check(list: &str) -> Result<()> {
    parse(list).map(drop)
}

/// Sets the identities of the captured tables. What the user may not change is logged, as Debezium does.
///
/// # Errors
/// Where the list is malformed, or the connection is lost.
pub(crate) async fn set(connection: &mut PgConnection, list: &str, captured: &[TableId]) -> Result<()> {
    for statement in statements(&parse(list)?, captured) {
        if let Err(error) = sqlx::raw_sql(AssertSqlSafe(statement.as_str())).execute(&mut *connection).await {
            let error = named(&error, &format!("running {statement}"));
            if error.is_retriable() {
                return Err(error);
            }
            tracing::warn!("{error}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_entry_that_names_a_table_counts() {
        let wanted = parse(r"s\.a:full, s\.b:INDEX b-idx,s\..*:DEFAULT").unwrap();
        let tables = ["a", "b", "c"].map(|name| TableId::new("s", name));
        assert_eq!(
            statements(&wanted, &tables),
            [
                r#"ALTER TABLE "s"."a" REPLICA IDENTITY FULL"#,
                r#"ALTER TABLE "s"."b" REPLICA IDENTITY USING INDEX "b-idx""#,
                r#"ALTER TABLE "s"."c" REPLICA IDENTITY DEFAULT"#,
            ]
        );
        for wrong in ["s.a", "s.a:ALL", "s.a:INDEX", "(:FULL"] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}

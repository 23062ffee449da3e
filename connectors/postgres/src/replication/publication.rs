//! The publication: what the server sends.

use lavka_api::{Error, Result};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

use crate::catalog::list;
use crate::config::{AutocreateMode, Settings};
use crate::database::{identifier, named, qualified};
use crate::model::TableId;

/// What is to be published.
#[derive(Clone, Debug)]
pub(crate) struct Publication {
    pub(crate) name: String,
    mode: AutocreateMode,
    /// The operations, where `skipped.operations` was set.
    publish: Option<String>,
    via_root: bool,
}

/// What a publication says now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Present {
    all_tables: bool,
    tables: Vec<TableId>,
}

impl Publication {
    /// The publication of a configuration.
    pub(crate) fn new(settings: &Settings) -> Self {
        let skipped = settings.raw.get("skipped.operations").map(|_| &settings.records.skipped_operations);
        Self {
            name: settings.replication.publication_name.clone(),
            mode: settings.replication.publication_autocreate_mode,
            publish: skipped.map(|skipped| published(skipped)),
            via_root: settings.replication.publish_via_partition_root,
        }
    }

    /// The statement that makes it what it should be; `None` where it is. Pure.
    fn statement(&self, present: Option<&Present>, captured: &[TableId]) -> Result<Option<String>> {
        let name = identifier(&self.name);
        let list = || captured.iter().map(qualified).collect::<Vec<_>>().join(", ");
        let options = self.options();
        let Some(present) = present else {
            return match self.mode {
                AutocreateMode::Disabled => Err(self.missing(captured)),
                AutocreateMode::AllTables => {
                    Ok(Some(format!("CREATE PUBLICATION {name} FOR ALL TABLES{options}")))
                }
                AutocreateMode::NoTables => Ok(Some(format!("CREATE PUBLICATION {name}{options}"))),
                AutocreateMode::Filtered if captured.is_empty() => Err(self.nothing_captured()),
                AutocreateMode::Filtered => {
                    Ok(Some(format!("CREATE PUBLICATION {name} FOR TABLE {}{options}", list())))
                }
            };
        };
        if self.mode != AutocreateMode::Filtered {
            return Ok(None);
        }
        if present.all_tables {
            return Err(self.not_filtered());
        }
        if captured.is_empty() {
            return Err(self.nothing_captured());
        }
        let mut wanted = captured.to_vec();
        wanted.sort();
        let same = wanted == present.tables;
        Ok((!same).then(|| format!("ALTER PUBLICATION {name} SET TABLE {}", list())))
    }

    /// Captured tables whose changes it does not send: there is nobody else who could say so. `sent` is sorted. Pure.
    fn left_out(&self, sent: &[TableId], captured: &[TableId]) -> Option<String> {
        let missing: Vec<&TableId> =
            captured.iter().filter(|table| sent.binary_search(table).is_err()).collect();
        let (first, count) = (missing.first()?, missing.len());
        Some(format!(
            "The publication {} does not have {count} of the captured tables ({first} among them): their changes do not come. \
             Run ALTER PUBLICATION {} ADD TABLE {}, or set publication.autocreate.mode=filtered.",
            self.name,
            identifier(&self.name),
            missing.iter().map(|table| qualified(table)).collect::<Vec<_>>().join(", ")
        ))
    }

    fn missing(&self, captured: &[TableId]) -> Error {
        let list = captured.iter().map(qualified).collect::<Vec<_>>().join(", ");
        Error::config(format!(
            "The publication {} does not exist, and publication.autocreate.mode=disabled. Create it: CREATE PUBLICATION {} \
             FOR TABLE {}",
            self.name,
            identifier(&self.name),
            if list.is_empty() { "…" } else { &list }
        ))
    }

    fn not_filtered(&self) -> Error {
        Error::config(format!(
            "The publication {} is for all tables, and publication.autocreate.mode=filtered needs one for the captured \
             tables. Drop it (DROP PUBLICATION {}), or set publication.autocreate.mode=all_tables, or another \
             publication.name.",
            self.name,
            identifier(&self.name)
        ))
    }

    fn nothing_captured(&self) -> Error {
        Error::config(format!(
            "No table of the database is captured, so the publication {} would be empty. Check table.include.list and \
             schema.include.list (regular expressions for schema.table).",
            self.name
        ))
    }

    fn options(&self) -> String {
        let mut options = Vec::new();
        if let Some(publish) = &self.publish {
            options.push(format!("publish = '{publish}'"));
        }
        if self.via_root {
            options.push("publish_via_partition_root = true".to_owned());
        }
        if options.is_empty() { String::new() } else { format!(" WITH ({})", options.join(", ")) }
    }
}

/// `publish` for what is not skipped.
fn published(skipped: &[String]) -> String {
    let operations = [("c", "insert"), ("u", "update"), ("d", "delete"), ("t", "truncate")];
    let kept = operations.iter().filter(|(code, _)| !skipped.iter().any(|s| s.trim() == *code));
    kept.map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
}

/// Creates or alters the publication so that it is for `captured`, as far as the mode wants that. `plain` are those of them
/// that have nothing to do with partitions, which a publication may have under another name.
///
/// # Errors
/// Where it is missing or for something else and may not be changed, or the user may not change it.
pub(crate) async fn prepare(
    connection: &mut PgConnection,
    publication: &Publication,
    captured: &[TableId],
    plain: &[TableId],
) -> Result<()> {
    let present = present(connection, publication).await?;
    if present.as_ref().is_some_and(|present| !present.all_tables)
        && publication.mode != AutocreateMode::Filtered
        && let Some(warning) =
            publication.left_out(&named_tables(connection, publication, SENT).await?, plain)
    {
        tracing::warn!("{warning}");
    }
    if let Some(statement) = publication.statement(present.as_ref(), captured)? {
        tracing::info!(publication = publication.name, "running {statement}");
        sqlx::raw_sql(AssertSqlSafe(statement.as_str())).execute(connection).await.map_err(|error| {
            let error = named(&error, &format!("running {statement}"));
            if error.is_retriable() {
                error
            } else {
                Error::config(format!(
                    "{error} The user needs to own the tables (all tables: be superuser). Or let somebody who may run it, and \
                     set publication.autocreate.mode=disabled."
                ))
            }
        })?;
    }
    Ok(())
}

/// What keeps the publication from being read, or from being made what it should be; it is left as it is. Which of the
/// tables are captured is looked up only where that matters.
///
/// # Errors
/// Where the server cannot be asked.
pub(crate) async fn check(connection: &mut PgConnection, settings: &Settings) -> Result<Option<String>> {
    let publication = &Publication::new(settings);
    let all_tables = all_tables(connection, publication).await?;
    match (publication.mode, all_tables) {
        (AutocreateMode::Filtered, Some(true)) => Ok(publication.not_filtered().message().map(str::to_owned)),
        (AutocreateMode::Disabled, None | Some(false)) => {
            let tables = settings.tables()?;
            let mut captured: Vec<TableId> =
                list(connection).await?.into_iter().map(|table| table.id).collect();
            captured.retain(|table| tables.takes(table));
            if all_tables.is_none() {
                return Ok(publication.missing(&captured).message().map(str::to_owned));
            }
            let sent = named_tables(connection, publication, SENT).await?;
            // One that lacks some of them is read, and that is told in the log.
            let none = !captured.iter().any(|table| sent.binary_search(table).is_ok());
            Ok(publication.left_out(&sent, &captured).filter(|_| none))
        }
        _ => Ok(None),
    }
}

/// What the publication says now; `None` where there is none.
async fn present(connection: &mut PgConnection, publication: &Publication) -> Result<Option<Present>> {
    let Some(all_tables) = all_tables(connection, publication).await? else { return Ok(None) };
    Ok(Some(Present { all_tables, tables: named_tables(connection, publication, NAMED).await? }))
}

/// Whether the publication is for all tables; `None` where there is none.
async fn all_tables(connection: &mut PgConnection, publication: &Publication) -> Result<Option<bool>> {
    let failed =
        |error: sqlx::Error| named(&error, &format!("looking at the publication {}", publication.name));
    let row = sqlx::query("SELECT puballtables FROM pg_catalog.pg_publication WHERE pubname = $1::name")
        .bind(&publication.name)
        .fetch_optional(connection)
        .await
        .map_err(failed)?;
    row.map(|row| row.try_get(0)).transpose().map_err(failed)
}

/// The tables that a publication names.
const NAMED: &str = "
    SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_publication p
    JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
    JOIN pg_catalog.pg_class c ON c.oid = r.prrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE p.pubname = $1::name";

/// Those that it sends, of whole schemas too.
const SENT: &str = "
    SELECT schemaname::text, tablename::text FROM pg_catalog.pg_publication_tables WHERE pubname = $1::name";

/// The tables that `query` finds, sorted.
async fn named_tables(
    connection: &mut PgConnection,
    publication: &Publication,
    query: &'static str,
) -> Result<Vec<TableId>> {
    let failed = |error: sqlx::Error| named(&error, "reading the tables of the publication");
    let rows = sqlx::query(query).bind(&publication.name).fetch_all(connection).await.map_err(failed)?;
    let mut tables = rows
        .iter()
        .map(|row| Ok(TableId::new(row.try_get::<&str, _>(0)?, row.try_get::<&str, _>(1)?)))
        .collect::<Result<Vec<_>, sqlx::Error>>()
        .map_err(failed)?;
    tables.sort();
    Ok(tables)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publication(mode: AutocreateMode) -> Publication {
        Publication { name: "P".into(), mode, publish: None, via_root: false }
    }

    fn tables() -> Vec<TableId> {
        vec![TableId::new("s", "b"), TableId::new("s", "a\"b")]
    }

    #[test]
    fn a_missing_publication_is_made_as_the_mode_says() {
        let make = |mode| publication(mode).statement(None, &tables());
        assert_eq!(
            make(AutocreateMode::AllTables).unwrap().unwrap(),
            r#"CREATE PUBLICATION "P" FOR ALL TABLES"#
        );
        assert_eq!(make(AutocreateMode::NoTables).unwrap().unwrap(), r#"CREATE PUBLICATION "P""#);
        assert_eq!(
            make(AutocreateMode::Filtered).unwrap().unwrap(),
            r#"CREATE PUBLICATION "P" FOR TABLE "s"."b", "s"."a""b""#
        );
        let refused = make(AutocreateMode::Disabled).unwrap_err().to_string();
        assert!(refused.contains(r#"CREATE PUBLICATION "P" FOR TABLE "s"."b""#), "{refused}");
        assert!(publication(AutocreateMode::Filtered).statement(None, &[]).is_err());
        let options = Publication {
            publish: Some(published(&["t".into(), "d".into()])),
            via_root: true,
            ..publication(AutocreateMode::NoTables)
        };
        assert_eq!(
            options.statement(None, &[]).unwrap().unwrap(),
            r#"CREATE PUBLICATION "P" WITH (publish = 'insert, update', publish_via_partition_root = true)"#
        );
        assert_eq!(published(&["none".into()]), "insert, update, delete, truncate");
    }

    #[test]
    fn one_that_is_there_is_altered_only_where_it_differs() {
        let filtered = publication(AutocreateMode::Filtered);
        let mut sorted = tables();
        sorted.sort();
        let present = Present { all_tables: false, tables: sorted.clone() };
        assert_eq!(filtered.statement(Some(&present), &tables()).unwrap(), None);
        assert_eq!(
            filtered.statement(Some(&present), &tables()[..1]).unwrap().unwrap(),
            r#"ALTER PUBLICATION "P" SET TABLE "s"."b""#
        );
        let other = [tables(), vec![TableId::new("s", "c")]].concat();
        let warning = filtered.left_out(&sorted, &other).unwrap();
        assert!(warning.contains(r#"ALTER PUBLICATION "P" ADD TABLE "s"."c""#), "{warning}");
        sorted.push(TableId::new("s", "c"));
        assert_eq!(filtered.left_out(&sorted, &tables()), None);
        let all = Present { all_tables: true, tables: Vec::new() };
        assert!(filtered.statement(Some(&all), &tables()).is_err());
        assert_eq!(publication(AutocreateMode::AllTables).statement(Some(&all), &tables()).unwrap(), None);
    }
}

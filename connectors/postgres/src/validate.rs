//! Validation: keys together, and the server, where Debezium looks at it too.

use std::time::Duration;

use lavka_api::config::{Config, ConfigDef, ConfigSpec, KeyReport, Kind};
use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use crate::config::{ORDER, PATTERN_KEYS, Settings, invalid, refused, run};
use crate::database::{Server, named, version};
use crate::replication::{check_identities, check_publication, find_slot};
use crate::schema::PatternList;
use crate::task::{too_old, wal_level};

/// The keys without which there is nothing to connect to.
const REQUIRED: [&str; 4] = ["topic.prefix", "database.hostname", "database.user", "database.dbname"];

/// Checks the keys, alone and together.
pub(crate) fn keys(definition: &ConfigDef, config: &Config) -> Vec<KeyReport> {
    let mut reports = definition.validate(config);
    for report in &mut reports {
        let words = definition.get(&report.name).and_then(|key| mistyped(key.kind));
        for error in report.errors.iter_mut().filter(|error| error.starts_with("Invalid value ")) {
            if let Some(words) = words {
                *error = invalid(&report.name, words);
            }
        }
    }
    for key in REQUIRED {
        if config.get(key).is_none_or(|value| value.trim().is_empty()) {
            add(&mut reports, vec![(key, invalid(key, "A value is required"))]);
        }
    }
    let Ok(settings) = Settings::from_config(config) else { return reports };
    add(&mut reports, together(&settings));
    reports
}

fn together(settings: &Settings) -> Vec<(&'static str, String)> {
    let mut found = refused(settings);
    let keys = &settings.run;
    if keys.max_queue_size <= 0 {
        found.push(("max.queue.size", invalid("max.queue.size", "A positive queue size is required")));
    }
    if keys.max_queue_size <= keys.max_batch_size {
        found.push((
            "max.queue.size",
            invalid("max.queue.size", "Must be larger than the maximum batch size"),
        ));
    }
    let filters = &settings.filters;
    for (include, exclude, name) in [
        (&filters.schema_include_list, &filters.schema_exclude_list, "schema.exclude.list"),
        (&filters.table_include_list, &filters.table_exclude_list, "table.exclude.list"),
        (&filters.column_include_list, &filters.column_exclude_list, "column.exclude.list"),
        (
            &filters.message_prefix_include_list,
            &filters.message_prefix_exclude_list,
            "message.prefix.exclude.list",
        ),
    ] {
        if include.is_some() && exclude.is_some() {
            let other = match name {
                // Debezium's older name of the key.
                "message.prefix.exclude.list" => "logical_decoding_message.prefix.include.list".to_owned(),
                name => name.replace("exclude", "include"),
            };
            found.push((name, invalid(name, &format!("\"{other}\" is already specified"))));
        }
    }
    if let Some(list) = &settings.replication.replica_identity_autoset_values
        && let Err(error) = check_identities(list)
    {
        found.push(("replica.identity.autoset.values", error.message().unwrap_or_default().to_owned()));
    }
    if settings.notifies_by("sink") && settings.run.notification_sink_topic_name.is_none() {
        found.push((
            "notification.sink.topic.name",
            invalid(
                "notification.sink.topic.name",
                "Notification topic name must be provided when kafka notification channel is enabled",
            ),
        ));
    }
    let overrides = settings.overrides();
    for table in settings.snapshot.snapshot_select_statement_overrides.iter().flat_map(|list| list.split(','))
    {
        let table = table.trim();
        if !table.is_empty() && !overrides.contains_key(table) {
            found.push((
                "snapshot.select.statement.overrides",
                invalid(
                    "snapshot.select.statement.overrides",
                    &format!("snapshot.select.statement.overrides.{table} is missing, which has the SELECT for {table}"),
                ),
            ));
        }
    }
    if found.is_empty()
        && let Err(error) = records(settings)
    {
        found = bad_lists(settings);
        if found.is_empty() {
            let message = error.message().unwrap_or_default().to_owned();
            let key = message.split('\'').nth(1).unwrap_or_default();
            found.push((known(key), message));
        }
    }
    found
}

/// Reads what becomes records, and how.
fn records(settings: &Settings) -> lavka_api::Result<()> {
    settings.events(run(0, 0, 0))?;
    settings.snapshot_tables()?;
    settings.plugin_options()?;
    settings.reselections()?;
    Ok(())
}

/// Lists of regular expressions.
const LISTS: [&str; 11] = [
    "table.include.list",
    "table.exclude.list",
    "schema.include.list",
    "schema.exclude.list",
    "column.include.list",
    "column.exclude.list",
    "message.prefix.include.list",
    "message.prefix.exclude.list",
    "snapshot.include.collection.list",
    "column.propagate.source.type",
    "datatype.propagate.source.type",
];

/// Which of the lists are none. Only asked for where something is wrong: to compile expressions takes its time.
fn bad_lists(settings: &Settings) -> Vec<(&'static str, String)> {
    let problem = |key: &'static str| {
        let error = PatternList::parse(settings.raw.get(key)?).err()?;
        Some((key, invalid(key, error.message().unwrap_or_default())))
    };
    LISTS.into_iter().filter_map(problem).collect()
}

/// The key as the definition spells it; of keys that are patterns it is the pattern.
fn known(key: &str) -> &'static str {
    for (prefix, pattern) in PATTERN_KEYS {
        if key.starts_with(prefix) {
            return pattern;
        }
    }
    ORDER.iter().find(|known| **known == key).copied().unwrap_or("table.include.list")
}

/// What is no value of the key's type, in Debezium's words.
fn mistyped(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Int => Some("An integer is expected"),
        Kind::Long => Some("A long value is expected"),
        Kind::Short => Some("A short value is expected"),
        Kind::Boolean => Some("Either 'true' or 'false' is expected"),
        _ => None,
    }
}

/// Puts errors into the reports of their keys.
pub(crate) fn add(reports: &mut [KeyReport], errors: Vec<(&'static str, String)>) {
    for (key, message) in errors {
        if let Some(report) = reports.iter_mut().find(|report| report.name == key)
            && !report.errors.contains(&message)
        {
            // Debezium says of a key that is missing what its own validator says.
            report.errors.retain(|error| !error.starts_with("Missing required configuration"));
            report.errors.push(message);
        }
    }
}

/// Looks at the server: whether it can be reached, streams, and lets the user do what the connector has to do.
pub(crate) async fn server(settings: &Settings) -> Vec<(&'static str, String)> {
    let limit =
        Duration::from_millis(settings.connection.connection_validation_timeout_ms.max(1).unsigned_abs());
    match tokio::time::timeout(limit, look(settings)).await {
        Ok(found) => found,
        Err(_) => vec![(
            "database.hostname",
            format!("Connection validation timed out after {} ms", limit.as_millis()),
        )],
    }
}

async fn look(settings: &Settings) -> Vec<(&'static str, String)> {
    let wrap = |error: &lavka_api::Error| {
        vec![("database.hostname", format!("Error while validating connector config: {error}"))]
    };
    let mut connection = match Server::new(settings).connect_plain().await {
        Ok(connection) => connection,
        Err(error) => return wrap(&error),
    };
    match questions(settings, &mut connection).await {
        Ok(found) => found,
        Err(error) => wrap(&error),
    }
}

async fn questions(
    settings: &Settings,
    connection: &mut PgConnection,
) -> lavka_api::Result<Vec<(&'static str, String)>> {
    let failed = |error: sqlx::Error| named(&error, "looking at the server");
    let mut found = Vec::new();
    let version = version(connection).await?;
    if let Some(problem) = too_old(version) {
        found.push(("database.hostname", problem));
        return Ok(found);
    }
    if settings.connection.read_only && version < 130_000 {
        found.push(("read.only", "Read only is not supported for server versions before 13".to_owned()));
    }
    let row = sqlx::query(
        "SELECT current_setting('wal_level'), current_setting('max_replication_slots')::int8, \
                (SELECT count(*) FROM pg_catalog.pg_replication_slots), r.rolreplication OR r.rolsuper OR \
                EXISTS (SELECT FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid \
                        WHERE m.member = r.oid AND g.rolname IN ('rds_superuser', 'rdsadmin', 'rdsrepladmin', \
                        'rds_replication')), current_user::text \
         FROM pg_catalog.pg_roles r WHERE r.rolname = current_user",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(failed)?;
    let level: String = row.try_get(0).map_err(failed)?;
    let (most, used): (i64, i64) = (row.try_get(1).map_err(failed)?, row.try_get(2).map_err(failed)?);
    let replicates: bool = row.try_get(3).map_err(failed)?;
    let user: String = row.try_get(4).map_err(failed)?;
    if level != "logical" {
        found.push(("database.hostname", wal_level(&level)));
    }
    if !replicates {
        found.push((
            "database.user",
            format!(
                "Postgres roles LOGIN and REPLICATION are not assigned to user: {user}. Run ALTER ROLE {} REPLICATION",
                crate::database::identifier(&user)
            ),
        ));
    }
    let name = &settings.replication.slot_name;
    match find_slot(connection, name).await? {
        Some(slot) => {
            let checked = crate::replication::check_slot(
                name,
                settings.database(),
                Some(&slot),
                None,
                settings.mismatch_strategy(),
                settings.owns_slot(),
            );
            if let Err(error) = checked {
                found.push(("slot.name", error.to_string()));
            }
        }
        None if used >= most => found.push((
            "slot.name",
            format!(
                "All {most} replication slots are in use. Raise max_replication_slots and restart the server, or drop one \
                 that nobody reads any more: SELECT slot_name FROM pg_replication_slots WHERE NOT active"
            ),
        )),
        None => {}
    }
    if let Some(problem) = check_publication(connection, settings).await? {
        found.push(("publication.name", problem));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(entries: &[(&str, &str)]) -> Vec<String> {
        let mut config = Config::from([
            ("topic.prefix", "srv"),
            ("database.hostname", "h"),
            ("database.user", "u"),
            ("database.dbname", "d"),
        ]);
        for (key, value) in entries {
            config.set(*key, *value);
        }
        keys(&Settings::definition(), &config)
            .into_iter()
            .flat_map(|report| {
                report.errors.into_iter().map(move |error| format!("{}: {error}", report.name))
            })
            .collect()
    }

    #[test]
    fn a_small_configuration_is_fine() {
        assert_eq!(errors(&[]), Vec::<String>::new());
    }

    #[test]
    fn what_is_wrong_is_told_by_key_in_debeziums_words() {
        let missing = keys(&Settings::definition(), &Config::new());
        let first = missing.iter().find(|report| report.name == "topic.prefix").unwrap();
        assert_eq!(first.errors, ["The 'topic.prefix' value is invalid: A value is required"]);
        for (entries, expected) in [
            (
                &[("snapshot.mode", "sometimes")][..],
                "snapshot.mode: The 'snapshot.mode' value is invalid: Value must be one of always, initial, initial_only, \
                 no_data, when_needed, configuration_based, custom",
            ),
            (
                &[("slot.name", "My-Slot")],
                "slot.name: The 'slot.name' value is invalid: Valid replication slot name must contain only digits, \
                 lowercase characters and underscores with length <= 63",
            ),
            (
                &[("table.include.list", "a"), ("table.exclude.list", "b")],
                "table.exclude.list: The 'table.exclude.list' value is invalid: \"table.include.list\" is already specified",
            ),
            (
                &[("max.queue.size", "5"), ("max.batch.size", "5")],
                "max.queue.size: The 'max.queue.size' value is invalid: Must be larger than the maximum batch size",
            ),
        ] {
            assert_eq!(errors(entries), [expected]);
        }
        let regex = errors(&[("table.include.list", "a,(")]);
        assert!(
            matches!(regex.as_slice(), [one] if one.starts_with("table.include.list: The 'table.include.list'"))
        );
        assert_eq!(errors(&[("snapshot.select.statement.overrides", "s.t")]).len(), 1);
    }
}

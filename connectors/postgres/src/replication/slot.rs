//! The slot: what the server says of it, and whether the stream can go on from it.

use lavka_api::{Error, Result};
use serde_json::Value;
use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use crate::config::MismatchStrategy;
use crate::database::named;
use crate::offset::Offset;
use crate::pgoutput::Lsn;

/// A row of `pg_replication_slots`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) name: String,
    pub(crate) plugin: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) active_pid: Option<i64>,
    pub(crate) restart: Option<Lsn>,
    pub(crate) confirmed: Option<Lsn>,
    pub(crate) catalog_xmin: Option<i64>,
    /// `wal_status`: `lost` where WAL that it needs is gone.
    pub(crate) wal_status: Option<String>,
    /// Why it cannot be used any more (`invalidation_reason`, version 17; `conflicting`, version 16).
    pub(crate) invalidated: Option<String>,
    /// Whether standbys take it over (version 17).
    pub(crate) failover: Option<bool>,
}

/// The columns differ from version to version, so the row is taken as one JSON text.
const FIND: &str =
    "SELECT to_jsonb(s)::text FROM pg_catalog.pg_replication_slots s WHERE s.slot_name = $1::name";

/// The slot `name`, if there is one.
pub(crate) async fn find(connection: &mut PgConnection, name: &str) -> Result<Option<Slot>> {
    let doing = || format!("looking for the replication slot {name}");
    let row =
        sqlx::query(FIND).bind(name).fetch_optional(connection).await.map_err(|e| named(&e, &doing()))?;
    let Some(row) = row else { return Ok(None) };
    let text: String = row.try_get(0).map_err(|error| named(&error, &doing()))?;
    Ok(parse(name, &text))
}

fn parse(name: &str, text: &str) -> Option<Slot> {
    let row: Value = serde_json::from_str(text).ok()?;
    let string = |key: &str| row.get(key).and_then(Value::as_str).map(str::to_owned);
    let lsn = |key: &str| row.get(key).and_then(Value::as_str).and_then(Lsn::parse);
    // Numbers and texts alike, as the types of the columns have it.
    let number = |key: &str| {
        let value = row.get(key)?;
        value.as_i64().or_else(|| value.as_str()?.parse().ok())
    };
    let invalidated = string("invalidation_reason")
        .or_else(|| {
            (row.get("conflicting") == Some(&Value::Bool(true))).then(|| "conflict with recovery".to_owned())
        })
        .or_else(|| (string("wal_status").as_deref() == Some("lost")).then(|| "wal_removed".to_owned()));
    Some(Slot {
        name: name.to_owned(),
        plugin: string("plugin"),
        database: string("database"),
        active_pid: number("active_pid"),
        restart: lsn("restart_lsn"),
        confirmed: lsn("confirmed_flush_lsn"),
        catalog_xmin: number("catalog_xmin"),
        wal_status: string("wal_status"),
        invalidated,
        failover: row.get("failover").and_then(Value::as_bool),
    })
}

/// Whether a new slot is to be one that standbys take over: `slot.failover` asks for it, and the server (17 or newer, no
/// standby itself) has them. Pure.
pub(crate) fn can_fail_over(wanted: bool, version: i32, standby: bool) -> bool {
    wanted && version >= 170_000 && !standby
}

impl Slot {
    /// What to say of a slot that standbys do not take over, although `slot.failover` asks for it.
    pub(crate) fn without_failover(&self) -> Option<String> {
        (self.failover == Some(false)).then(|| {
            format!(
                "slot.failover=true, but the replication slot {0} was made without it, so that a standby does not take it \
                 over. Stop the connector and run ALTER_REPLICATION_SLOT {0} (FAILOVER true) on a replication connection \
                 (psql \"dbname={1} replication=database\").",
                self.name,
                self.database.as_deref().unwrap_or_default()
            )
        })
    }

    /// Whether it stands where the connector of `offset` has not moved it to: it is another slot of that name, or somebody
    /// else has moved it. Debezium does not say in its offsets where it moves an idle slot to.
    pub(crate) fn is_another(&self, offset: &Offset) -> bool {
        offset.cluster.is_some() && self.is_ahead_of(offset)
    }

    fn is_ahead_of(&self, offset: &Offset) -> bool {
        match (self.confirmed, offset.reached()) {
            (Some(confirmed), Some(reached)) => confirmed > reached,
            _ => false,
        }
    }
}

/// What becomes of the stored position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    /// There was none: the stream begins where the slot stands.
    Slot,
    /// The stream goes on behind it.
    Offset,
}

/// Whether the stream can go on: `slot` is what is there now, `offset` what was stored; `owned`: nobody else is to move the
/// slot. Pure.
///
/// # Errors
/// What is wrong with the slot, named, with what to run. A slot that is gone although there is an offset is an error: what
/// happened since is lost, and only the user can decide what that means.
pub(crate) fn check(
    name: &str,
    database: &str,
    slot: Option<&Slot>,
    offset: Option<&Offset>,
    strategy: MismatchStrategy,
    owned: bool,
) -> Result<Position> {
    let Some(slot) = slot else {
        return match offset {
            None => Ok(Position::Slot),
            Some(_) => Err(Error::fatal(format!(
                "The replication slot {name} is gone, although the connector has an offset: what was written since then \
                 cannot be read any more. Stop the connector, delete its offsets (DELETE /connectors/NAME/offsets) and start \
                 it for a new snapshot, or set snapshot.mode=when_needed, which does that by itself. After a failover of \
                 the server, create slots with slot.failover=true (PostgreSQL 17)."
            ))),
        };
    };
    let drop = format!("drop it (SELECT pg_drop_replication_slot('{name}')) or set another slot.name");
    match slot.plugin.as_deref() {
        Some("pgoutput") => {}
        Some(plugin) => {
            return Err(Error::config(format!(
                "The replication slot {name} is for the output plug-in {plugin}, and pgoutput is needed: {drop}."
            )));
        }
        None => {
            return Err(Error::config(format!(
                "The replication slot {name} is for physical replication: {drop}."
            )));
        }
    }
    if let Some(other) = slot.database.as_deref().filter(|other| *other != database) {
        return Err(Error::config(format!(
            "The replication slot {name} belongs to the database {other}, not to {database}: set another slot.name."
        )));
    }
    if let Some(reason) = &slot.invalidated {
        return Err(Error::fatal(format!(
            "The replication slot {name} was invalidated by the server ({reason}): what it still had to send is lost. Stop \
             the connector, delete its offsets (DELETE /connectors/NAME/offsets), drop the slot (SELECT \
             pg_drop_replication_slot('{name}')) and start the connector for a new snapshot. Raise max_slot_wal_keep_size \
             so that it does not happen again."
        )));
    }
    let Some(offset) = offset else { return Ok(Position::Slot) };
    let stored = offset.start();
    let moved = slot.is_ahead_of(offset);
    match strategy {
        MismatchStrategy::TrustSlot => Ok(Position::Slot),
        MismatchStrategy::TrustGreaterLsn if moved => Ok(Position::Slot),
        MismatchStrategy::NoValidation if moved && !(owned && slot.is_another(offset)) => {
            Ok(Position::Offset)
        }
        _ if moved => Err(Error::fatal(format!(
            "The replication slot {name} stands at {}, ahead of the {} that the connector has confirmed: it was dropped and \
             created again, or advanced by somebody else, and what lies between may be lost. If nothing is missing, set \
             offset.mismatch.strategy=trust_slot; else delete the connector's offsets (DELETE /connectors/NAME/offsets, \
             with the connector stopped) for a new snapshot, or set snapshot.mode=when_needed, which does that by itself.",
            slot.confirmed.unwrap_or_default(),
            offset.reached().unwrap_or_default(),
        ))),
        _ => Ok(if stored.is_some() { Position::Offset } else { Position::Slot }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot() -> Slot {
        let text = r#"{"slot_name":"s","plugin":"pgoutput","slot_type":"logical","database":"d","active":false,
            "active_pid":null,"xmin":null,"catalog_xmin":"740","restart_lsn":"0/1900","confirmed_flush_lsn":"0/1A00",
            "wal_status":"reserved"}"#;
        parse("s", text).unwrap()
    }

    fn offset(lsn: u64) -> Offset {
        Offset { lsn: Some(Lsn(lsn)), lsn_commit: Some(Lsn(lsn)), ..Offset::default() }
    }

    fn outcome(slot: Option<&Slot>, offset: Option<&Offset>, strategy: MismatchStrategy) -> Result<Position> {
        check("s", "d", slot, offset, strategy, true)
    }

    #[test]
    fn a_slot_that_fits_goes_on() {
        let slot = slot();
        assert_eq!((slot.restart, slot.confirmed), (Some(Lsn(0x1900)), Some(Lsn(0x1A00))));
        assert_eq!(slot.catalog_xmin, Some(740));
        let strategy = MismatchStrategy::NoValidation;
        assert_eq!(outcome(Some(&slot), None, strategy).unwrap(), Position::Slot);
        assert_eq!(outcome(Some(&slot), Some(&offset(0x1A00)), strategy).unwrap(), Position::Offset);
        assert_eq!(outcome(None, None, strategy).unwrap(), Position::Slot);
    }

    #[test]
    fn slots_fail_over_where_the_server_has_that() {
        for (wanted, version, standby, expected) in [
            (true, 170_000, false, true),
            (true, 180_001, false, true),
            (true, 160_004, false, false),
            (true, 170_000, true, false),
            (false, 170_000, false, false),
        ] {
            assert_eq!(can_fail_over(wanted, version, standby), expected, "{wanted} {version} {standby}");
        }
        assert_eq!(slot().without_failover(), None, "before version 17");
        let text = r#"{"slot_name":"s","plugin":"pgoutput","database":"d","failover":false}"#;
        let said = parse("s", text).unwrap().without_failover().unwrap();
        assert!(said.contains("ALTER_REPLICATION_SLOT s (FAILOVER true)"), "{said}");
        assert!(said.contains("dbname=d"), "{said}");
    }

    #[test]
    fn what_is_lost_is_never_passed_over() {
        let strategy = MismatchStrategy::NoValidation;
        let gone = outcome(None, Some(&offset(1)), strategy).unwrap_err().to_string();
        assert!(gone.contains("is gone") && gone.contains("DELETE /connectors"), "{gone}");
        for (change, part) in [
            (Slot { plugin: Some("wal2json".into()), ..slot() }, "wal2json"),
            (Slot { plugin: None, ..slot() }, "physical"),
            (Slot { database: Some("other".into()), ..slot() }, "other"),
            (Slot { invalidated: Some("wal_removed".into()), ..slot() }, "invalidated"),
        ] {
            let error = outcome(Some(&change), None, strategy).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        let lost = parse("s", r#"{"plugin":"pgoutput","wal_status":"lost"}"#).unwrap();
        assert_eq!(lost.invalidated.as_deref(), Some("wal_removed"));
    }

    #[test]
    fn the_strategies_differ_where_the_slot_is_ahead() {
        let (slot, behind, ahead) = (slot(), offset(0x1000), offset(0x2000));
        let ours = Offset { cluster: Some("7001/1".into()), ..offset(0x1000) };
        let idle = Offset { slot: Some(Lsn(0x1A00)), ..ours.clone() };
        use MismatchStrategy::*;
        for (strategy, stored, expected) in [
            (NoValidation, &behind, Some(Position::Offset)),
            (NoValidation, &ours, None),
            (NoValidation, &idle, Some(Position::Offset)),
            (TrustOffset, &idle, Some(Position::Offset)),
            (TrustSlot, &ours, Some(Position::Slot)),
            (TrustOffset, &behind, None),
            (TrustOffset, &ahead, Some(Position::Offset)),
            (TrustSlot, &ahead, Some(Position::Slot)),
            (TrustGreaterLsn, &behind, Some(Position::Slot)),
            (TrustGreaterLsn, &ahead, Some(Position::Offset)),
        ] {
            assert_eq!(outcome(Some(&slot), Some(stored), strategy).ok(), expected, "{strategy:?}");
        }
    }
}

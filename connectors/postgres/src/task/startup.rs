//! From nothing to a snapshot that is read or a stream that runs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use lavka_api::data::Str;
use lavka_api::{Error, Result};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _, Row as _, SqlSafeStr as _};

use super::context::{Context, now_nanos, uuid};
use super::planning::plan;
use super::signals::{Blocking, Signals};
use super::streaming::Streaming;
use crate::catalog::{Found, all_types, describe, list};
use crate::config::{GuardrailAction, LockingMode, PluginName};
use crate::database::{named, qualified, version};
use crate::event::{Emitter, Recorder};
use crate::incremental::{reached, see};
use crate::model::{TableId, TypeCatalog};
use crate::notification::Notifier;
use crate::offset::{Offset, Resume, Snapshot, SnapshotKind};
use crate::pgoutput::Lsn;
use crate::replication::{
    Origin, Position, Publication, Session, can_fail_over, check_slot, diverged, find_slot,
    prepare_publication, set_identities,
};
use crate::snapshot::{
    Isolation, Progress, SnapshotRun, TableRead, View, chunks, has_rows_of_its_own, join, order, start,
};

/// The oldest server that has pgoutput.
const OLDEST: i32 = 100_000;

/// What a start came to.
pub(super) struct Started {
    pub(super) offset: Offset,
    pub(super) step: Step,
}

/// What comes first.
pub(super) enum Step {
    Snapshot(Box<SnapshotRun>),
    Stream(Box<Streaming>),
    Idle,
}

/// Connects, looks at everything, and starts the snapshot or the stream. `past_snapshot`: this run has read its snapshot.
pub(super) async fn run(
    context: Arc<Context>,
    stored: Option<Offset>,
    past_snapshot: bool,
) -> Result<Started> {
    let settings = &context.settings;
    if settings.replication.plugin_name == PluginName::Decoderbufs && stored.is_none() {
        tracing::warn!(task = %context.id, "plugin.name is decoderbufs (or not set); pgoutput is used, as with plugin.name=pgoutput");
    }
    if stored.is_none() || !past_snapshot {
        for message in settings.without_effect() {
            tracing::warn!(task = %context.id, "{message}");
        }
    }
    let mut connection = context.server.connect().await?;
    let version = version(&mut connection).await?;
    if !settings.streams() {
        return without_stream(&context, connection, version, stored, past_snapshot).await;
    }
    check_server(&mut connection, version).await?;
    let slot = find_slot(&mut connection, &context.target.slot).await?;
    let plan = plan(settings, slot.as_ref(), stored.as_ref(), past_snapshot)?;
    let captured = captured(&context, &mut connection).await?;
    let publication = Publication::new(settings);
    context.metrics.stream.capture(captured.iter().map(|table| table.id.to_string()));
    let ids: Vec<TableId> = captured.iter().map(|table| table.id.clone()).collect();
    if !past_snapshot {
        publish(&mut connection, &publication, &captured).await?;
        if let Some(identities) = &settings.replication.replica_identity_autoset_values {
            set_identities(&mut connection, identities, &ids).await?;
        } else if let Some(warning) = without_identity(&captured) {
            tracing::warn!(task = %context.id, "{warning}");
        }
    }
    let stored = if plan.fresh { None } else { stored };
    let position = if plan.new_slot {
        Position::Slot
    } else {
        check_slot(
            &context.target.slot,
            settings.database(),
            slot.as_ref(),
            stored.as_ref(),
            settings.mismatch_strategy(),
            settings.owns_slot(),
        )?
    };
    let from = match position {
        Position::Offset => stored.as_ref().and_then(Offset::start).unwrap_or_default(),
        Position::Slot => Lsn::default(),
    };
    let (mut session, cluster) = Session::open(&context.target, from).await?;
    if let Some(before) = stored.as_ref().and_then(|offset| Origin::parse(offset.cluster.as_ref()?)) {
        let history = if before.timeline == cluster.timeline {
            String::new()
        } else {
            session.history(cluster.timeline).await?
        };
        diverged(&before, &cluster, stored.as_ref().and_then(Offset::start), &history)?;
    }
    let cluster = Str::from(cluster.to_string());
    let created = match &slot {
        Some(slot) => {
            let warning = slot.without_failover().filter(|_| settings.replication.slot_failover);
            if let Some(warning) = warning.filter(|_| !past_snapshot) {
                tracing::warn!(task = %context.id, "{warning}");
            }
            None
        }
        None => {
            let limit = Duration::from_secs(
                settings.replication.internal_create_slot_command_timeout.max(1).unsigned_abs(),
            );
            let standby = is_standby(&mut connection).await?;
            let failover = can_fail_over(settings.replication.slot_failover, version, standby);
            tracing::info!(task = %context.id, slot = context.target.slot, "creating the replication slot");
            Some(session.create_slot(failover, limit).await?)
        }
    };
    let captured = match &created {
        Some(_) => made_meanwhile(&context, &mut connection, &publication, captured).await?,
        None => captured,
    };
    let types = all_types(&mut connection).await?;
    let place = created.as_ref().map(|created| created.consistent).or(slot.and_then(|slot| slot.confirmed));
    if plan.snapshot {
        let view = match created.and_then(|created| created.snapshot) {
            Some(name) => View::Exported(name),
            None => View::Own(Isolation(settings.snapshot.snapshot_isolation_mode)),
        };
        let lsn = place.unwrap_or_default();
        let resumed = stored.filter(Offset::snapshot_is_unfinished);
        let begun = Begun { lsn, view, cluster: Some(cluster), resumed, chosen: None };
        let run = begin_snapshot(&context, &mut connection, version, &types, captured, begun).await?;
        // The session has exported the snapshot; the readers have it now.
        drop(session);
        return Ok(Started { offset: run.offset().clone(), step: Step::Snapshot(Box::new(run)) });
    }
    let mut offset = stored.unwrap_or_default();
    if offset.snapshot.is_some_and(|it| it.kind == SnapshotKind::Blocking && !it.completed) {
        tracing::warn!(task = %context.id, "a blocking snapshot was cut off; send its signal again if it is still wanted");
        (offset.snapshot, offset.progress) = (None, None);
    }
    offset.cluster = Some(cluster);
    if past_snapshot && settings.snapshot.streaming_delay_ms > 0 && offset.snapshot.is_some() {
        tokio::time::sleep(Duration::from_millis(settings.snapshot.streaming_delay_ms.unsigned_abs())).await;
    }
    let resume = match position {
        Position::Offset => Resume::behind(&offset),
        Position::Slot => Resume::fresh(),
    };
    tracing::info!(task = %context.id, slot = context.target.slot, "streaming from {from}");
    let stream = session.start(context.confirmed.clone()).await?;
    let mut emitter = Emitter::new(context.events.clone(), types, offset.clone())?;
    emitter.start(offset.lsn.or(place).unwrap_or(from));
    let known = ids.iter().map(ToString::to_string).collect();
    let signals = Signals::new(&context, known, &offset)?;
    let streaming = Streaming::new(stream, emitter, resume, connection, version, signals, &context)?;
    Ok(Started { offset, step: Step::Stream(Box::new(streaming)) })
}

/// Starts a snapshot behind which nothing is streamed. It leaves nothing on the server: a slot that nobody reads would hold
/// back the log without end.
async fn without_stream(
    context: &Context,
    mut connection: PgConnection,
    version: i32,
    stored: Option<Offset>,
    past_snapshot: bool,
) -> Result<Started> {
    let plan = plan(&context.settings, None, stored.as_ref(), past_snapshot)?;
    if !plan.snapshot {
        return Ok(Started { offset: stored.unwrap_or_default(), step: Step::Idle });
    }
    let captured = captured(context, &mut connection).await?;
    let types = all_types(&mut connection).await?;
    let begun = Begun {
        lsn: reached(&mut connection).await?,
        view: View::Own(Isolation(context.settings.snapshot.snapshot_isolation_mode)),
        cluster: None,
        resumed: stored.filter(|_| !plan.fresh),
        chosen: None,
    };
    let run = begin_snapshot(context, &mut connection, version, &types, captured, begun).await?;
    Ok(Started { offset: run.offset().clone(), step: Step::Snapshot(Box::new(run)) })
}

async fn is_standby(connection: &mut PgConnection) -> Result<bool> {
    let failed = |error: sqlx::Error| named(&error, "asking whether the server is a standby");
    let row =
        sqlx::query("SELECT pg_catalog.pg_is_in_recovery()").fetch_one(connection).await.map_err(failed)?;
    row.try_get(0).map_err(failed)
}

async fn check_server(connection: &mut PgConnection, version: i32) -> Result<()> {
    if let Some(problem) = too_old(version) {
        return Err(Error::config(problem));
    }
    let failed = |error: sqlx::Error| named(&error, "asking for wal_level");
    let row =
        sqlx::query("SELECT current_setting('wal_level')").fetch_one(connection).await.map_err(failed)?;
    let level: String = row.try_get(0).map_err(failed)?;
    if level == "logical" {
        return Ok(());
    }
    Err(Error::config(wal_level(&level)))
}

/// What to say of a server without pgoutput.
pub(crate) fn too_old(version: i32) -> Option<String> {
    // Before version 10 the second number belongs to the version too.
    let shown = format!("{}.{}", version / 10_000, version / 100 % 100);
    (version < OLDEST).then(|| {
        format!(
            "The server is version {shown}; logical replication with pgoutput needs PostgreSQL 10 or newer. Upgrade it with \
             pg_upgrade."
        )
    })
}

/// What to do about a `wal_level` that has no logical replication.
pub(crate) fn wal_level(level: &str) -> String {
    format!(
        "The server's wal_level is {level}, and must be logical: ALTER SYSTEM SET wal_level = 'logical', then restart the \
         server."
    )
}

/// The tables that are there and whose changes become records.
async fn listed(context: &Context, connection: &mut PgConnection) -> Result<Vec<Found>> {
    let mut tables = list(connection).await?;
    tables.retain(|table| context.events.tables.takes(&table.id));
    Ok(tables)
}

/// The same, unless they are more than the configuration allows.
async fn captured(context: &Context, connection: &mut PgConnection) -> Result<Vec<Found>> {
    let tables = listed(context, connection).await?;
    let most = usize::try_from(context.settings.run.guardrail_collections_max).unwrap_or_default();
    if most > 0 && tables.len() > most {
        let message = format!(
            "{} tables are captured, more than guardrail.collections.max={most}. Narrow table.include.list, or raise the \
             limit.",
            tables.len()
        );
        if context.settings.run.guardrail_collections_limit_action == GuardrailAction::Fail {
            return Err(Error::config(message));
        }
        tracing::warn!(task = %context.id, "{message}");
    }
    Ok(tables)
}

/// Sees to it that what is captured is published, as far as the configuration wants that.
async fn publish(connection: &mut PgConnection, publication: &Publication, captured: &[Found]) -> Result<()> {
    let all: Vec<TableId> = captured.iter().map(|table| table.id.clone()).collect();
    let plain = captured.iter().filter(|table| !table.partition && !table.partitioned);
    let plain: Vec<TableId> = plain.map(|table| table.id.clone()).collect();
    prepare_publication(connection, publication, &all, &plain).await
}

/// The tables that are captured once the slot is there, `before` being those from before it. Its creation waits for the
/// transactions that are running, and what they have made is in its snapshot and never in its stream.
async fn made_meanwhile(
    context: &Context,
    connection: &mut PgConnection,
    publication: &Publication,
    before: Vec<Found>,
) -> Result<Vec<Found>> {
    let known: HashMap<u32, u32> = before.iter().map(|table| (table.oid, table.filenode)).collect();
    let mut tables = listed(context, connection).await?;
    if tables.iter().any(|table| !known.contains_key(&table.oid)) {
        publish(connection, publication, &tables).await?;
    }
    // One that was rewritten since then may be so behind the slot's snapshot.
    for table in &mut tables {
        table.filenode = known.get(&table.oid).copied().unwrap_or(table.filenode);
    }
    Ok(tables)
}

/// What to say of tables whose old rows nobody can tell. Pure.
fn without_identity(captured: &[Found]) -> Option<String> {
    let mut without = captured.iter().filter(|table| !table.identified).map(|table| &table.id);
    let first = without.next()?;
    Some(format!(
        "{} of the captured tables ({first} among them) have no replica identity (no primary key, or REPLICA IDENTITY \
         NOTHING): the server refuses to update and delete their rows while they are published. Run ALTER TABLE {} REPLICA \
         IDENTITY FULL (or add a primary key, with REPLICA IDENTITY DEFAULT); message.key.columns gives records a key.",
        without.count() + 1,
        qualified(first)
    ))
}

/// What a snapshot begins with.
struct Begun {
    lsn: Lsn,
    view: View,
    cluster: Option<Str>,
    /// The offset of an earlier run that did not finish.
    resumed: Option<Offset>,
    /// The tables to read, each with a query in its place, where a signal has chosen them.
    chosen: Option<HashMap<String, Option<String>>>,
}

/// Begins a snapshot that the stream waits for: of the tables that a signal has chosen, as they are now, which is not before
/// the transactions `passed` that have come by. Its records carry `offset`, the place where the stream waits.
///
/// # Errors
/// Where the server cannot be asked, or a table cannot be read.
pub(super) async fn blocking(
    context: Arc<Context>,
    request: Blocking,
    types: TypeCatalog,
    passed: Vec<u32>,
    offset: Offset,
) -> Result<SnapshotRun> {
    let mut connection = context.server.connect().await?;
    let version = version(&mut connection).await?;
    see(&mut connection, &passed).await?;
    let captured = captured(&context, &mut connection).await?;
    let snapshot = Snapshot { kind: SnapshotKind::Blocking, last_record: false, completed: false };
    let begun = Begun {
        lsn: offset.lsn.unwrap_or_default(),
        view: View::Own(Isolation(context.settings.snapshot.snapshot_isolation_mode)),
        cluster: offset.cluster.clone(),
        resumed: Some(Offset { snapshot: Some(snapshot), ..offset }),
        chosen: Some(request.tables),
    };
    begin_snapshot(&context, &mut connection, version, &types, captured, begun).await
}

/// Refuses a query of a signal that is more than one statement: whoever may write signals is not to run whatever they like
/// as the connector's user.
async fn one_statement(connection: &mut PgConnection, query: &str) -> Result<()> {
    let query = AssertSqlSafe(query.to_owned()).into_sql_str();
    let prepared = connection.prepare(query).await;
    prepared.map(drop).map_err(|error| named(&error, "looking at the query of a blocking snapshot"))
}

async fn begin_snapshot(
    context: &Context,
    connection: &mut PgConnection,
    version: i32,
    types: &TypeCatalog,
    mut tables: Vec<Found>,
    begun: Begun,
) -> Result<SnapshotRun> {
    let settings = &context.settings;
    if settings.snapshot.snapshot_delay_ms > 0 && begun.resumed.is_none() {
        tokio::time::sleep(Duration::from_millis(settings.snapshot.snapshot_delay_ms.unsigned_abs())).await;
    }
    let list = settings.snapshot_tables()?;
    let via_root = settings.replication.publish_via_partition_root;
    tables.retain(|table| {
        let name = table.id.to_string();
        has_rows_of_its_own(table, via_root)
            && match &begun.chosen {
                Some(chosen) => chosen.contains_key(&name),
                None => list.as_ref().is_none_or(|list| list.matches(&name)),
            }
    });
    order(&mut tables, settings.snapshot.snapshot_tables_order_by_row_count);
    let before = begun.resumed.as_ref().and_then(|offset| Progress::parse(offset.progress.as_ref()?));
    let read_before = before.as_ref().map(|progress| progress.tables.clone()).unwrap_or_default();
    let before = before.filter(|progress| progress.left(&mut tables));
    let threads = usize::try_from(settings.snapshot.snapshot_max_threads).unwrap_or(1).clamp(1, 64);
    let locks: Vec<TableId> = match settings.snapshot.snapshot_locking_mode {
        LockingMode::Shared => tables.iter().map(|table| table.id.clone()).collect(),
        LockingMode::None | LockingMode::Custom => Vec::new(),
    };
    let mut readers =
        join(&context.server, &begun.view, threads, &locks, settings.snapshot.snapshot_lock_timeout_ms)
            .await?;
    let (xmin, next) = readers.bounds().await?;
    let recorder = Arc::new(Recorder::new(context.events.clone())?);
    let overrides = settings.overrides();
    let oids: Vec<u32> = tables.iter().map(|table| table.oid).collect();
    let described = describe(connection, version, &oids, settings.records.include_schema_comments).await?;
    let (mut plans, mut reads) = (Vec::new(), Vec::new());
    for (index, table) in tables.iter().enumerate() {
        // One that was dropped meanwhile has nothing to be read.
        let Some(definition) = described.iter().find(|known| known.oid == table.oid) else { continue };
        let plan = recorder.plan(definition, types)?;
        let name = table.id.to_string();
        let signalled = begun.chosen.as_ref().and_then(|chosen| chosen.get(&name).cloned().flatten());
        if let Some(statement) = &signalled {
            one_statement(connection, statement).await?;
        }
        let statement = signalled.or_else(|| overrides.get(&name).cloned());
        let earlier = before.clone().filter(|_| index == 0);
        let count = match &earlier {
            Some(progress) => progress.count,
            None => chunks(table, version, statement.is_some()),
        };
        reads.push(TableRead {
            id: table.id.clone(),
            oid: table.oid,
            filenode: table.filenode,
            columns: plan.column_names().map(str::to_owned).collect(),
            statement,
            partitioned: table.partitioned,
            count,
            before: earlier,
            estimate: (table.rows >= 0.0).then_some(table.rows),
        });
        plans.push(plan);
    }
    let offset = begun.resumed.unwrap_or_else(|| Offset {
        lsn: Some(begun.lsn),
        tx_id: i64::try_from(next).ok(),
        ts_usec: Some(now_nanos() / 1000),
        snapshot: Some(Snapshot { kind: SnapshotKind::Initial, last_record: false, completed: false }),
        cluster: begun.cluster,
        ..Offset::default()
    });
    tracing::info!(task = %context.id, tables = reads.len(), threads, "reading the snapshot at {}", begun.lsn);
    let reads: Arc<[TableRead]> = reads.into();
    let notifier = Notifier::new(settings, uuid)?;
    Ok(SnapshotRun::new(
        start(readers, Arc::clone(&reads)),
        (recorder, notifier),
        context.metrics.snapshot.clone(),
        plans,
        reads,
        (xmin, read_before),
        offset,
    ))
}

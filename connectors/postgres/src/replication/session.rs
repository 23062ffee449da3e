//! A replication connection before it streams: who the server is, creating the slot, starting.

use std::time::Duration;

use lavka_api::config::Password;
use lavka_api::{Error, Result};
use tokio::sync::watch;

use super::history::Origin;
use super::line::Line;
use super::queue::Bounds;
use super::stream::{ChangeStream, WireStream};
use super::wire::{Login, Row, Wire};
use crate::config::Settings;
use crate::database::{TEXT_FORMAT, TlsFiles, WireError, identifier, named_wire};
use crate::pgoutput::Lsn;

/// The longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes that may wait where the configuration does not say.
const DEFAULT_BYTES: i64 = 64 * 1024 * 1024;

/// What a replication connection needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    host: String,
    port: u16,
    user: String,
    password: Password,
    database: String,
    tls: TlsFiles,
    pub(crate) slot: String,
    publication: String,
    status_interval: Duration,
    bounds: Bounds,
}

impl Target {
    /// The target of a configuration.
    pub(crate) fn new(settings: &Settings) -> Self {
        let keys = &settings.connection;
        let bytes = match settings.run.max_queue_size_in_bytes {
            ..=0 => DEFAULT_BYTES,
            bytes => bytes,
        };
        Self {
            host: keys.database_hostname.clone().unwrap_or_else(|| "localhost".to_owned()),
            port: u16::try_from(keys.database_port).unwrap_or(5432),
            user: keys.database_user.clone().unwrap_or_else(|| "postgres".to_owned()),
            password: keys.database_password.clone().unwrap_or_default(),
            database: settings.database().to_owned(),
            tls: TlsFiles::new(settings),
            slot: settings.replication.slot_name.clone(),
            publication: settings.replication.publication_name.clone(),
            status_interval: Duration::from_millis(
                u64::try_from(settings.replication.status_update_interval_ms).unwrap_or(10_000).max(1),
            ),
            bounds: Bounds {
                frames: usize::try_from(settings.run.max_queue_size).unwrap_or(8192).max(1),
                bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
            },
        }
    }

    fn place(&self) -> String {
        format!("the database {} at {}:{} as {}", self.database, self.host, self.port, self.user)
    }
}

/// A slot that was just created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewSlot {
    /// From here on the slot has everything.
    pub(crate) consistent: Lsn,
    /// The name of the snapshot that shows the database at that place, for as long as the session lives and runs nothing
    /// else.
    pub(crate) snapshot: Option<String>,
}

/// An open replication connection that does not stream yet.
pub(crate) struct Session {
    wire: Wire,
    line: Line,
    target: Target,
    /// Where the stream is to begin.
    from: Lsn,
}

impl Session {
    /// Connects and logs in; `from` is where the stream is to begin if it is started, 0 for where the slot stands.
    ///
    /// # Errors
    /// What went wrong, named, with what to do about it.
    pub(crate) async fn open(target: &Target, from: Lsn) -> Result<(Self, Origin)> {
        let doing = format!("connecting to {} for replication", target.place());
        let line = Line::open()
            .map_err(|error| Error::retriable(format!("{doing}: no thread for the connection: {error}")))?;
        // A socket belongs to the runtime that it was opened in, whoever reads it.
        let connecting = line.runtime().spawn(Self::connect(target.clone(), doing.clone()));
        let connected = async {
            let (wire, origin) = connecting
                .await
                .map_err(|error| Error::fatal(format!("{doing}: connecting was cut off: {error}")))??;
            Ok((Self { wire, line, target: target.clone(), from }, origin))
        };
        tokio::time::timeout(CONNECT_TIMEOUT, connected).await.unwrap_or_else(|_| {
            Err(Error::retriable(format!("{doing} took longer than {CONNECT_TIMEOUT:?}")))
        })
    }

    /// Connects on the thread that this runs on.
    async fn connect(target: Target, doing: String) -> Result<(Wire, Origin)> {
        let failed = |error: WireError| named_wire(&error, &doing);
        let mut wire = Wire::connect(&target.host, target.port, &target.tls).await?;
        let options = TEXT_FORMAT.map(|(name, value)| format!("-c {name}={value}")).join(" ");
        let login = Login {
            user: &target.user,
            password: &target.password,
            database: &target.database,
            options: &options,
        };
        wire.log_in(&login).await.map_err(failed)?;
        let rows = wire.query("IDENTIFY_SYSTEM").await.map_err(failed)?;
        let timeline = text(&rows, 1).and_then(|timeline| timeline.parse().ok());
        let (Some(system), Some(timeline)) = (text(&rows, 0), timeline) else {
            return Err(Error::retriable(format!("{doing}: the server does not say which it is")));
        };
        Ok((wire, Origin { system, timeline }))
    }

    /// The history file of `timeline`; the first has none.
    pub(crate) async fn history(&mut self, timeline: u32) -> Result<String> {
        if timeline <= 1 {
            return Ok(String::new());
        }
        let rows = self.wire.query(&format!("TIMELINE_HISTORY {timeline}")).await;
        let rows = rows.map_err(|error| named_wire(&error, "reading the history of the timeline"))?;
        Ok(text(&rows, 1).unwrap_or_default())
    }

    /// Creates the slot. Waits for the transactions that are running, up to `limit`.
    ///
    /// # Errors
    /// Among others where another session has created it meanwhile, or no slot is free.
    pub(crate) async fn create_slot(&mut self, failover: bool, limit: Duration) -> Result<NewSlot> {
        let slot = &self.target.slot;
        let doing = format!("creating the replication slot {slot}");
        let failover = if failover { " (FAILOVER true)" } else { "" };
        // Of letters, digits and underscores: the key's check saw to it.
        let command = format!("CREATE_REPLICATION_SLOT {} LOGICAL pgoutput{failover}", identifier(slot));
        let rows = match tokio::time::timeout(limit, self.wire.query(&command)).await {
            Ok(rows) => rows.map_err(|error| named_wire(&error, &doing))?,
            Err(_) => {
                return Err(Error::retriable(format!(
                    "{doing} took longer than {limit:?}: it waits for every transaction that is running to end. Find them \
                     with SELECT pid, xact_start, query FROM pg_stat_activity WHERE backend_xid IS NOT NULL ORDER BY \
                     xact_start."
                )));
            }
        };
        let consistent = text(&rows, 1).as_deref().and_then(Lsn::parse).ok_or_else(|| {
            Error::retriable(format!("{doing}: the server's answer has no consistent point"))
        })?;
        Ok(NewSlot { consistent, snapshot: text(&rows, 2).filter(|name| !name.is_empty()) })
    }

    /// Starts the stream. `confirmed` says what the server may forget.
    ///
    /// # Errors
    /// Where the server refuses, for example because another session reads the slot.
    pub(crate) async fn start(mut self, confirmed: watch::Receiver<u64>) -> Result<Box<dyn ChangeStream>> {
        let slot = self.target.slot.clone();
        let doing = format!("starting to stream from slot {slot}");
        // Quoted twice: the option is a text, which holds a list of names, which the server folds where they are not quoted.
        let publication = identifier(&self.target.publication).replace('\'', "''");
        // Servers before version 14 have no logical messages in the stream, and refuse what they do not know.
        let messages =
            if self.wire.version().is_none_or(|version| version >= 14) { ", messages 'true'" } else { "" };
        let command = format!(
            "START_REPLICATION SLOT {} LOGICAL {} (proto_version '1', publication_names '{publication}'{messages})",
            identifier(&slot),
            self.from
        );
        match tokio::time::timeout(CONNECT_TIMEOUT, self.wire.copy_both(&command)).await {
            Ok(started) => started.map_err(|error| named_wire(&error, &doing))?,
            Err(_) => return Err(Error::retriable(format!("{doing} took longer than {CONNECT_TIMEOUT:?}"))),
        }
        let Self { wire, line, target, .. } = self;
        let Target { bounds, status_interval, .. } = target;
        Ok(Box::new(WireStream::new(wire, line, confirmed, status_interval, bounds, slot)))
    }
}

/// A column of the first row, as text.
fn text(rows: &[Row], column: usize) -> Option<String> {
    let value = rows.first()?.get(column)?.as_ref()?;
    Some(String::from_utf8_lossy(value).into_owned())
}

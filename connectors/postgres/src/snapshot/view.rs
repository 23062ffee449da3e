//! Which snapshot of the database is read, and the connections that join it.

use lavka_api::{Error, Result};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

use crate::config::IsolationMode;
use crate::database::{Server, named, qualified};
use crate::model::TableId;

/// The snapshot that is read.
#[derive(Clone, Debug)]
pub(crate) enum View {
    /// One that another session exports, by its name.
    Exported(String),
    /// One that the first connection takes, in this isolation.
    Own(Isolation),
}

/// How the first connection's transaction is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Isolation(pub(crate) IsolationMode);

impl Isolation {
    fn begin(self) -> &'static str {
        match self.0 {
            IsolationMode::Serializable => {
                "BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE"
            }
            IsolationMode::RepeatableRead => "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
            IsolationMode::ReadCommitted => "BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY",
            IsolationMode::ReadUncommitted => "BEGIN TRANSACTION ISOLATION LEVEL READ UNCOMMITTED, READ ONLY",
        }
    }
}

/// Connections that have joined the snapshot and are about to read.
pub(crate) struct Readers {
    leader: PgConnection,
    followers: Vec<PgConnection>,
}

/// Opens the connections and has them join the snapshot. The session that exports it is not needed any more afterwards.
///
/// # Errors
/// Where one cannot connect or the snapshot is gone.
pub(crate) async fn join(
    server: &Server,
    view: &View,
    threads: usize,
    locks: &[TableId],
    lock_timeout_millis: i64,
) -> Result<Readers> {
    let failed = |error: sqlx::Error| named(&error, "taking the snapshot");
    let mut leader = connect(server).await?;
    let name = match view {
        View::Exported(name) => {
            import(&mut leader, name).await?;
            name.clone()
        }
        View::Own(isolation) => {
            sqlx::raw_sql(isolation.begin()).execute(&mut leader).await.map_err(failed)?;
            String::new()
        }
    };
    if !locks.is_empty() {
        let list = locks.iter().map(qualified).collect::<Vec<_>>().join(", ");
        let statement =
            format!("SET LOCAL lock_timeout = {lock_timeout_millis}; LOCK TABLE {list} IN ACCESS SHARE MODE");
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut leader).await.map_err(failed)?;
    }
    let mut followers = Vec::new();
    if threads > 1 {
        let name = if name.is_empty() {
            let row =
                sqlx::query("SELECT pg_export_snapshot()").fetch_one(&mut leader).await.map_err(failed)?;
            row.try_get::<String, _>(0).map_err(failed)?
        } else {
            name
        };
        for _ in 1..threads {
            let mut follower = connect(server).await?;
            import(&mut follower, &name).await?;
            followers.push(follower);
        }
    }
    Ok(Readers { leader, followers })
}

/// A connection to read tables on. Rows are read as fast as they are taken, so that a table may take any time, and others
/// wait for it within their transactions.
async fn connect(server: &Server) -> Result<PgConnection> {
    let mut connection = server.connect().await?;
    sqlx::raw_sql("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
        .execute(&mut connection)
        .await
        .map_err(|error| named(&error, "setting up a connection for the snapshot"))?;
    Ok(connection)
}

async fn import(connection: &mut PgConnection, name: &str) -> Result<()> {
    // The server's own form: hexadecimal digits and hyphens.
    if !name.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
        return Err(Error::fatal(format!("the server gave a snapshot a name of another form: {name:?}")));
    }
    let statement = format!(
        "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET TRANSACTION SNAPSHOT '{name}'"
    );
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(connection)
        .await
        .map(drop)
        .map_err(|error| named(&error, "joining the snapshot"))
}

impl Readers {
    /// The connections, in their transactions.
    pub(super) fn into_connections(self) -> impl Iterator<Item = PgConnection> {
        std::iter::once(self.leader).chain(self.followers)
    }

    /// The oldest transaction that was not over when the snapshot was taken, and the next id that will be given.
    ///
    /// # Errors
    /// Where the server does not answer.
    pub(crate) async fn bounds(&mut self) -> Result<(u64, u64)> {
        let failed = |error: sqlx::Error| named(&error, "looking at the snapshot");
        let row = sqlx::query(
            "SELECT txid_snapshot_xmin(txid_current_snapshot()), txid_snapshot_xmax(txid_current_snapshot())",
        )
        .fetch_one(&mut self.leader)
        .await
        .map_err(failed)?;
        let number = |index| row.try_get::<i64, _>(index).map(i64::cast_unsigned).map_err(failed);
        Ok((number(0)?, number(1)?))
    }
}

//! A second server that follows the first.

use std::process::Command;

use super::{Postgres, PostgresConfig, configure, data, give, launch};
use crate::failure::{Context as _, Failure};
use crate::folders::{try_temp_dir, try_write_file};
use crate::ports::on_free_port;

impl Postgres {
    /// The physical slot by which a [standby](Postgres::standby) follows.
    pub const STANDBY_SLOT: &str = "standby";

    /// A standby of this server, which is stopped for a moment to be copied. Settings of `config` are the standby's own.
    ///
    /// # Errors
    /// When one of them does not come up, with its log.
    pub fn standby(&mut self, config: &PostgresConfig) -> Result<Self, Failure> {
        self.try_sql(
            Self::DATABASE,
            &format!("select pg_create_physical_replication_slot('{}', true)", Self::STANDBY_SLOT),
        )?;
        self.try_stop()?;
        let folder = try_temp_dir()?;
        give(folder.path(), self.owner)?;
        // As a base backup is; `pg_basebackup` of the clients may be older than the server.
        let copied = Command::new("cp")
            .args(["-a", "--"])
            .arg(data(self.folder.path()))
            .arg(folder.path())
            .status()
            .context(|| "cannot run cp".to_owned())?;
        if !copied.success() {
            return Err(Failure::new(format!("cannot copy {}", data(self.folder.path()).display())));
        }
        self.restart()?;
        give(&try_write_file(&data(folder.path()), "standby.signal", b"")?, self.owner)?;
        let mut config = config.clone();
        config.settings.extend([
            format!(
                "primary_conninfo = 'host=127.0.0.1 port={} user={} password={} dbname={}'",
                self.port,
                Self::USER,
                Self::PASSWORD,
                Self::DATABASE
            ),
            format!("primary_slot_name = '{}'", Self::STANDBY_SLOT),
            "hot_standby_feedback = on".to_owned(),
        ]);
        let (port, process) = on_free_port("Address already in use", |port| {
            configure(folder.path(), self.owner, port, &config)?;
            launch(&self.programs, self.owner, None, folder.path(), port)
        })?;
        Ok(Self { process, programs: self.programs.clone(), owner: self.owner, port, disk: None, folder })
    }

    /// Makes a primary server of a standby.
    #[track_caller]
    pub fn promote(&self) {
        assert_eq!(self.sql("select pg_promote()"), "t", "it was not promoted: {}", self.log());
    }
}

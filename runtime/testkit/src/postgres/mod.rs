//! PostgreSQL for tests: a server of a test's own, ready for logical replication.

mod programs;
mod standby;

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

pub use self::programs::PostgresRelease;
use self::programs::Programs;

use crate::failure::{Context as _, Failure, OrFail as _};
use crate::folders::{try_temp_dir, try_write_file};
use crate::lavka::disk::{Disk, can_mount_for, is_root, remount};
use crate::leash::{Launch, Leashed};
use crate::missed::miss;
use crate::ports::on_free_port;

const SLOWEST_START: Duration = Duration::from_secs(60);
const SLOWEST_STOP: Duration = Duration::from_secs(60);

/// How a server is to behave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PostgresConfig {
    /// TLS on the port; plain connections stay possible.
    pub tls: Option<PostgresTls>,
    /// Further lines of `postgresql.conf`; the last of a name counts, so they override what the launcher sets:
    /// `wal_level = logical`, ten slots and senders, no fsync, UTC.
    pub settings: Vec<String>,
    /// A disk of the server's own, in memory, for a tablespace at [`Postgres::disk`]: tmpfs's options, such as `size=1m`.
    /// It ends with the process, and only root can give it: ask [`Postgres::can_have_disk_for`] first.
    pub disk: Option<String>,
    /// Which PostgreSQL it is.
    pub release: PostgresRelease,
}

/// What TLS needs, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresTls {
    /// The server's certificate.
    pub certificate: String,
    /// The server's private key.
    pub key: String,
}

/// A server of a test's own, with the superuser [`Postgres::USER`]. It ends with the value, or with the process that
/// made it, and its files with it.
///
/// `postgres` refuses to run as root; started by root, it runs as the user `postgres`, else as `nobody`.
#[derive(Debug)]
pub struct Postgres {
    // Dropped before the folder, so that nothing is written into a folder that is being removed.
    process: Leashed,
    programs: Programs,
    owner: Option<Owner>,
    port: u16,
    disk: Option<Disk>,
    folder: TempDir,
}

/// The unprivileged user that a server started by root runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owner {
    user: u32,
    group: u32,
}

impl Postgres {
    /// The superuser's name.
    pub const USER: &str = "postgres";
    /// The superuser's password; connections over TCP have to give it, by SCRAM.
    pub const PASSWORD: &str = "test-only";
    /// The database that is there from the start.
    pub const DATABASE: &str = "postgres";

    /// Makes a new, empty cluster, starts its server and waits until it answers.
    ///
    /// # Errors
    /// When PostgreSQL is not installed, or does not come up (with its log).
    pub fn start(config: &PostgresConfig) -> Result<Self, Failure> {
        let owner = owner()?;
        let programs = Programs::of(config.release, owner)?;
        let folder = try_temp_dir()?;
        give(folder.path(), owner)?;
        initialise(&programs, owner, folder.path())?;
        let disk = match &config.disk {
            Some(options) => Some(disk_of(folder.path(), owner, options)?),
            None => None,
        };
        let (port, process) = on_free_port("Address already in use", |port| {
            configure(folder.path(), owner, port, config)?;
            launch(&programs, owner, disk.as_ref(), folder.path(), port)
        })?;
        Ok(Self { process, programs, owner, port, disk, folder })
    }

    /// The port on 127.0.0.1, the same from start to start.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The major version, as in `15`; 0 if the server's files do not tell.
    pub fn major(&self) -> u32 {
        let version = std::fs::read_to_string(data(self.folder.path()).join("PG_VERSION"));
        version.ok().and_then(|text| text.trim().parse().ok()).unwrap_or_default()
    }

    /// Whether a test that needs a server with a disk of its own may go on.
    ///
    /// On `false` the test returns; its name is in the closing lines of the run then.
    pub fn can_have_disk_for(test: &str) -> bool {
        if !is_root() {
            miss(test, "root, to mount a file system for another user's process");
            return false;
        }
        can_mount_for(test)
    }

    /// Where the disk is that [`PostgresConfig::disk`] asks for.
    pub fn disk(&self) -> PathBuf {
        disk_path(self.folder.path())
    }

    /// Mounts the disk again, with other options, such as `size=64m`.
    #[track_caller]
    pub fn remount(&self, options: &str) {
        remount(self.process.pid(), &self.disk(), options).or_fail();
    }

    /// The server's output so far.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(log_path(self.folder.path())).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Runs SQL in [`Postgres::DATABASE`] as the superuser and returns what it prints: a line for each row, columns
    /// with `|` between.
    #[track_caller]
    pub fn sql(&self, script: &str) -> String {
        self.try_sql(Self::DATABASE, script).or_fail()
    }

    /// As [`Postgres::sql`], in another database.
    #[track_caller]
    pub fn sql_in(&self, database: &str, script: &str) -> String {
        self.try_sql(database, script).or_fail()
    }

    /// As [`Postgres::sql_in`].
    ///
    /// # Errors
    /// What `psql` says about the first statement that fails; those behind it did not run.
    pub fn try_sql(&self, database: &str, script: &str) -> Result<String, Failure> {
        let file = tempfile::Builder::new()
            .prefix("script-")
            .suffix(".sql")
            .tempfile_in(self.folder.path())
            .context(|| format!("cannot make a file in {}", self.folder.path().display()))?;
        std::fs::write(file.path(), script).context(|| format!("cannot write {}", file.path().display()))?;
        let output = Command::new(self.programs.client("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h"])
            .arg(self.folder.path())
            .args(["-p", &self.port.to_string(), "-U", Self::USER, "-d", database, "-f"])
            .arg(file.path())
            .env("PGCLIENTENCODING", "UTF8")
            .output()
            .context(|| "cannot run psql".to_owned())?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
        } else {
            Err(Failure::new(String::from_utf8_lossy(&output.stderr).into_owned()))
        }
    }

    /// Stops the server in an orderly way, its connections cut (what PostgreSQL calls a fast shutdown).
    #[track_caller]
    pub fn stop(&mut self) {
        self.try_stop().or_fail();
    }

    fn try_stop(&mut self) -> Result<(), Failure> {
        self.process.interrupt()?;
        match self.process.wait(SLOWEST_STOP)? {
            Some(_) => Ok(()),
            None => Err(self.process.failure("did not stop when it was told to")),
        }
    }

    /// Ends the server as a crash does (what PostgreSQL calls an immediate shutdown): the next start recovers.
    #[track_caller]
    pub fn crash(&mut self) {
        self.try_crash().or_fail();
    }

    fn try_crash(&mut self) -> Result<(), Failure> {
        self.process.quit()?;
        match self.process.wait(SLOWEST_STOP)? {
            Some(_) => Ok(()),
            None => Err(self.process.failure("did not end when it was told to")),
        }
    }

    /// Starts the server again on its port and data, after stopping it in an orderly way if it still runs.
    ///
    /// # Errors
    /// When it does not come up, with its log.
    pub fn restart(&mut self) -> Result<(), Failure> {
        if self.process.ended()?.is_none() {
            self.try_stop()?;
        }
        self.process = launch(&self.programs, self.owner, self.disk.as_ref(), self.folder.path(), self.port)?;
        Ok(())
    }
}

impl Drop for Postgres {
    /// A killed postmaster leaves its children to find out; told to quit, it takes them along.
    fn drop(&mut self) {
        let _ = self.try_crash();
    }
}

/// Who the server runs as; `None` to stay who we are.
fn owner() -> Result<Option<Owner>, Failure> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").context(|| "cannot read /etc/passwd".to_owned())?;
    let named = |name: &str| {
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (user, _, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
            (user == name).then_some(Owner { user: uid.parse().ok()?, group: gid.parse().ok()? })
        })
    };
    let owner = named("postgres").or_else(|| named("nobody"));
    owner
        .map(Some)
        .ok_or_else(|| Failure::new("neither the user postgres nor nobody exists to run PostgreSQL as"))
}

fn give(path: &Path, owner: Option<Owner>) -> Result<(), Failure> {
    let Some(owner) = owner else { return Ok(()) };
    chown(path, Some(owner.user), Some(owner.group))
        .context(|| format!("cannot change the owner of {}", path.display()))
}

/// The command that runs `program` as `owner`, under the process id it is started with.
fn command(program: &Path, owner: Option<Owner>) -> Command {
    let Some(owner) = owner else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={}", owner.user))
        .arg(format!("--regid={}", owner.group))
        .args(["--clear-groups", "--"])
        .arg(program);
    command
}

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn disk_path(folder: &Path) -> PathBuf {
    folder.join("disk")
}

/// A disk that belongs to who the server runs as.
fn disk_of(folder: &Path, owner: Option<Owner>, options: &str) -> Result<Disk, Failure> {
    let folder = disk_path(folder);
    std::fs::create_dir(&folder).context(|| format!("cannot make {}", folder.display()))?;
    let owner = owner.map_or_else(String::new, |owner| format!(",uid={},gid={}", owner.user, owner.group));
    Ok(Disk { folder, options: format!("{options}{owner},mode=0700") })
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("postgres.log")
}

fn initialise(programs: &Programs, owner: Option<Owner>, folder: &Path) -> Result<(), Failure> {
    let password = try_write_file(folder, "password", Postgres::PASSWORD.as_bytes())?;
    give(&password, owner)?;
    let output = command(&programs.server("initdb"), owner)
        .args(["--no-sync", "--encoding=UTF8", "--locale=C", "--auth-local=trust"])
        .args(["--auth-host=scram-sha-256", "-U", Postgres::USER, "--pwfile"])
        .arg(&password)
        .arg("-D")
        .arg(data(folder))
        .current_dir(folder)
        .output()
        .context(|| "cannot run initdb".to_owned())?;
    if output.status.success() {
        Ok(())
    } else {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Failure::new(format!("initdb failed: {said}")))
    }
}

fn configure(folder: &Path, owner: Option<Owner>, port: u16, config: &PostgresConfig) -> Result<(), Failure> {
    let mut text = format!(
        "listen_addresses = '127.0.0.1'\n\
         port = {port}\n\
         unix_socket_directories = '{}'\n\
         wal_level = logical\n\
         max_wal_senders = 10\n\
         max_replication_slots = 10\n\
         shared_buffers = 32MB\n\
         fsync = off\n\
         synchronous_commit = off\n\
         full_page_writes = off\n\
         timezone = 'UTC'\n\
         log_timezone = 'UTC'\n",
        folder.display()
    );
    if let Some(tls) = &config.tls {
        let certificate = try_write_file(folder, "server.crt", tls.certificate.as_bytes())?;
        let key = try_write_file(folder, "server.key", tls.key.as_bytes())?;
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600))
            .context(|| format!("cannot protect {}", key.display()))?;
        give(&key, owner)?;
        let _ = write!(
            text,
            "ssl = on\nssl_cert_file = '{}'\nssl_key_file = '{}'\n",
            certificate.display(),
            key.display()
        );
    }
    for line in &config.settings {
        let _ = writeln!(text, "{line}");
    }
    let file = try_write_file(&data(folder), "postgresql.conf", text.as_bytes())?;
    give(&file, owner)
}

fn launch(
    programs: &Programs,
    owner: Option<Owner>,
    disk: Option<&Disk>,
    folder: &Path,
    port: u16,
) -> Result<Leashed, Failure> {
    let log = log_path(folder);
    let mut server = command(&programs.server("postgres"), owner);
    server.arg("-D").arg(data(folder));
    if let Some(disk) = disk {
        let args: Vec<_> = server.get_args().map(OsStr::to_owned).collect();
        server = disk.wrap(Path::new(server.get_program()), &args);
    }
    server.current_dir(folder);
    let launch = Launch { name: "PostgreSQL", command: &server, log: Some(&log), remove: Some(folder) };
    let mut process = launch.start()?;
    let probe = programs.client("pg_isready");
    let port = port.to_string();
    process.wait_ready(SLOWEST_START, || {
        let asked = Command::new(&probe)
            .args(["-q", "-U", Postgres::USER, "-h"])
            .arg(folder)
            .args(["-p", &port])
            .status();
        asked.is_ok_and(|status| status.success())
    })?;
    Ok(process)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_keeps_its_data_and_its_port_from_start_to_start() {
        let mut server = Postgres::start(&PostgresConfig::default()).unwrap();
        let port = server.port();
        server.sql("create table t (id int primary key, v text); insert into t values (1, 'é'), (2, null)");
        assert_eq!(server.sql("show wal_level"), "logical");
        server.restart().unwrap();
        assert_eq!(server.port(), port);
        assert_eq!(server.sql("select * from t order by id"), "1|é\n2|");
        server.crash();
        server.restart().unwrap();
        assert_eq!(server.sql("select count(*) from t"), "2");
        let refused = server.try_sql(Postgres::DATABASE, "select 1; select nonsense").unwrap_err();
        assert!(refused.to_string().contains("column \"nonsense\" does not exist"), "{refused}");
        assert!(server.major() >= 10);
    }

    #[test]
    fn nothing_is_left_of_a_dropped_server() {
        let server = Postgres::start(&PostgresConfig::default()).unwrap();
        let folder = server.folder.path().to_path_buf();
        let process = server.process.pid();
        drop(server);
        assert!(!folder.exists());
        assert!(!Path::new(&format!("/proc/{process}")).exists());
    }
}

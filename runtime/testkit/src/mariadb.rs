//! MariaDB for tests: a server of a test's own.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::failure::{Context as _, Failure, OrFail as _};
use crate::folders::try_temp_dir;
use crate::leash::{Launch, Leashed, find_program};
use crate::ports::on_free_port;

const REMEDY: &str = "run `runtime/testkit/setup.sh tests`, or install it (Debian: mariadb-server)";
const SLOWEST_START: Duration = Duration::from_secs(60);
const SLOWEST_STOP: Duration = Duration::from_secs(60);

/// A server of a test's own, with the user [`MariaDb::USER`] who may do everything. It ends with the value, or with the
/// process that made it, and its files with it.
///
/// Started by root, it runs as the user `mysql`, which Debian's package makes.
#[derive(Debug)]
pub struct MariaDb {
    // Dropped before the folder, so that nothing is written into a folder that is being removed.
    process: Leashed,
    port: u16,
    settings: Vec<String>,
    folder: TempDir,
}

/// The server's folder for temporary files: one that starts clears away those of others that use the same.
const TEMPORARY: &str = "tmp";

impl MariaDb {
    /// The user's name.
    pub const USER: &str = "tester";
    /// The user's password.
    pub const PASSWORD: &str = "test-only";
    /// The database that is there from the start.
    pub const DATABASE: &str = "shop";

    /// Makes an empty data folder, starts a server on it and waits until it answers. `settings` are further arguments of
    /// the server, such as `--max-allowed-packet=1M`.
    ///
    /// # Errors
    /// When MariaDB is not installed, or does not come up (with its log).
    pub fn start(settings: &[&str]) -> Result<Self, Failure> {
        let settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
        let folder = try_temp_dir()?;
        let temporary = folder.path().join(TEMPORARY);
        std::fs::create_dir(&temporary).context(|| format!("cannot make {}", temporary.display()))?;
        let owner = owner()?;
        if let Some((_, user, group)) = &owner {
            for folder in [folder.path(), &temporary] {
                chown(folder, Some(*user), Some(*group))
                    .context(|| format!("cannot change the owner of {}", folder.display()))?;
            }
        }
        initialise(folder.path(), owner.as_ref().map(|(name, ..)| name.as_str()))?;
        let (port, process) =
            on_free_port("Address already in use", |port| launch(folder.path(), port, &settings))?;
        let server = Self { process, port, settings, folder };
        server.run(
            "root",
            None,
            &format!(
                "CREATE DATABASE IF NOT EXISTS {db} CHARACTER SET utf8mb4;\
                 CREATE USER IF NOT EXISTS '{user}'@'%' IDENTIFIED BY '{password}';\
                 GRANT ALL ON *.* TO '{user}'@'%'",
                db = Self::DATABASE,
                user = Self::USER,
                password = Self::PASSWORD
            ),
        )?;
        Ok(server)
    }

    /// The port on 127.0.0.1, the same from start to start.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL in [`MariaDb::DATABASE`] and returns what it prints: a line for each row, columns with tabs between.
    #[track_caller]
    pub fn sql(&self, script: &str) -> String {
        self.try_sql(script).or_fail()
    }

    /// As [`MariaDb::sql`].
    ///
    /// # Errors
    /// What the client says about the first statement that fails.
    pub fn try_sql(&self, script: &str) -> Result<String, Failure> {
        self.run("root", Some(Self::DATABASE), script)
    }

    fn run(&self, user: &str, database: Option<&str>, script: &str) -> Result<String, Failure> {
        let output = Command::new("mariadb")
            .args([
                "--no-defaults",
                "--batch",
                "--skip-column-names",
                "--default-character-set=utf8mb4",
                "--user",
                user,
            ])
            .arg("--socket")
            .arg(self.folder.path().join("socket"))
            .args(database)
            .args(["--execute", script])
            .output()
            .context(|| "cannot run mariadb".to_owned())?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
        } else {
            Err(Failure::new(String::from_utf8_lossy(&output.stderr).into_owned()))
        }
    }

    /// Kills the server as a crash does: the next start recovers.
    pub fn crash(&mut self) {
        self.process.kill();
    }

    /// Starts the server again on its port and data, with the same settings, after stopping it if it still runs.
    ///
    /// # Errors
    /// When it does not come up, with its log.
    pub fn restart(&mut self) -> Result<(), Failure> {
        if self.process.ended()?.is_none() {
            self.process.stop(SLOWEST_STOP)?;
        }
        self.process = launch(self.folder.path(), self.port, &self.settings)?;
        Ok(())
    }
}

fn program(name: &str) -> Result<PathBuf, Failure> {
    let usual = Path::new("/usr/sbin").join(name);
    find_program(name)
        .or_else(|| usual.is_file().then_some(usual))
        .ok_or_else(|| Failure::new(format!("MariaDB is not installed ({name}): {REMEDY}")))
}

/// Who the server runs as, by name and numbers; `None` to stay who we are.
fn owner() -> Result<Option<(String, u32, u32)>, Failure> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").context(|| "cannot read /etc/passwd".to_owned())?;
    let found = ["mysql", "nobody"].iter().find_map(|wanted| {
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (name, _, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
            (name == *wanted).then_some((name.to_owned(), uid.parse().ok()?, gid.parse().ok()?))
        })
    });
    found.map(Some).ok_or_else(|| Failure::new("neither the user mysql nor nobody exists to run MariaDB as"))
}

fn initialise(folder: &Path, owner: Option<&str>) -> Result<(), Failure> {
    let mut command = Command::new(program("mariadb-install-db")?);
    command
        .args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"])
        .arg(format!("--datadir={}", folder.join("data").display()));
    if let Some(owner) = owner {
        command.arg(format!("--user={owner}"));
    }
    let output =
        command.current_dir(folder).output().context(|| "cannot run mariadb-install-db".to_owned())?;
    if output.status.success() {
        Ok(())
    } else {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Failure::new(format!("mariadb-install-db failed: {said}")))
    }
}

fn launch(folder: &Path, port: u16, settings: &[String]) -> Result<Leashed, Failure> {
    let log = folder.join("mariadb.log");
    let socket = folder.join("socket");
    let mut server = Command::new(program("mariadbd")?);
    server
        .args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-log-bin", "--skip-name-resolve"])
        .args(["--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=64M"])
        .arg(format!("--datadir={}", folder.join("data").display()))
        .arg(format!("--tmpdir={}", folder.join(TEMPORARY).display()))
        .arg(format!("--socket={}", socket.display()))
        .arg(format!("--pid-file={}", folder.join("pid").display()))
        .arg(format!("--port={port}"))
        .args(settings)
        .current_dir(folder);
    if let Some((owner, ..)) = owner()? {
        server.arg(format!("--user={owner}"));
    }
    let launch = Launch { name: "MariaDB", command: &server, log: Some(&log), remove: Some(folder) };
    let mut process = launch.start()?;
    process.wait_ready(SLOWEST_START, || {
        let asked = Command::new("mariadb-admin")
            .args(["--no-defaults", "--silent", "--user=root", "ping", "--socket"])
            .arg(&socket)
            .output();
        asked.is_ok_and(|output| output.status.success())
    })?;
    Ok(process)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_keeps_its_data_and_its_port_from_start_to_start() {
        let mut server = MariaDb::start(&[]).unwrap();
        server.sql("create table t (id int primary key, v text); insert into t values (1, 'é')");
        server.crash();
        server.restart().unwrap();
        assert_eq!(server.sql("select * from t"), "1\té");
        assert!(server.try_sql("select nonsense").is_err());
    }
}

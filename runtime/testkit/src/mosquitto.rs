//! Eclipse Mosquitto for tests: the shared broker, and brokers of a test's own.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read as _};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::environment::{MQTT, get};
use crate::failure::{Context as _, Failure, OrFail as _};
use crate::folders::{try_temp_dir, try_write_file};
use crate::leash::{Launch, Leashed, find_program};
use crate::ports::on_free_port;

const REMEDY: &str = "run `runtime/testkit/setup.sh tests`, or install it (Debian: mosquitto)";
const SLOWEST_START: Duration = Duration::from_secs(120);
const SLOWEST_STOP: Duration = Duration::from_secs(60);
/// After it a connection is made anew to see whether the broker serves.
const SLOWEST_ANSWER: Duration = Duration::from_secs(2);

/// How a broker is to behave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MosquittoConfig {
    /// Keep sessions, queues and retained messages across [`Mosquitto::restart`]. Mosquitto writes them when it
    /// ends in an orderly way, so that [`Mosquitto::kill`] loses what came since the start; add
    /// `autosave_on_changes true` and `autosave_interval 1` to `settings` to have each change written.
    pub persistence: bool,
    /// `max_inflight_messages`: QoS 1 and 2 messages under way to a client; Mosquitto's default is 20, 0 is no limit.
    pub max_inflight: Option<u16>,
    /// Users and their passwords; with none, anyone may connect.
    pub users: Vec<(String, String)>,
    /// TLS on the listener; without it the listener is plain.
    pub tls: Option<MosquittoTls>,
    /// Further lines of the configuration file.
    pub settings: Vec<String>,
}

/// What a TLS listener needs, all PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MosquittoTls {
    /// The server's certificate.
    pub certificate: String,
    /// The server's private key.
    pub key: String,
    /// The authority that signs client certificates; with it, clients without one are refused.
    pub client_authority: Option<String>,
}

/// A broker of a test's own. Queues are unlimited. It ends with the value, or with the process that made it.
#[derive(Debug)]
pub struct Mosquitto {
    // Dropped before the folder, so that nothing is written into a folder that is being removed.
    process: Leashed,
    program: PathBuf,
    port: u16,
    folder: TempDir,
}

impl Mosquitto {
    /// Starts a broker and waits until it serves connections.
    ///
    /// # Errors
    /// When Mosquitto is not installed, or does not come up (with its log).
    pub fn start(config: &MosquittoConfig) -> Result<Self, Failure> {
        let program = find_program("mosquitto")
            .ok_or_else(|| Failure::new(format!("Mosquitto is not installed: {REMEDY}")))?;
        let folder = try_temp_dir()?;
        write_users(folder.path(), &config.users)?;
        let (port, process) = on_free_port("already in use", |port| {
            let text = configuration(folder.path(), port, config)?;
            try_write_file(folder.path(), "mosquitto.conf", text.as_bytes())?;
            launch(&program, folder.path(), port)
        })?;
        Ok(Self { process, program, port, folder })
    }

    /// The port on 127.0.0.1, the same from start to start.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The broker's output so far.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(log_path(self.folder.path())).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Stops the broker in an orderly way (SIGTERM): with `persistence`, its state is written.
    #[track_caller]
    pub fn stop(&mut self) {
        self.process.stop(SLOWEST_STOP).or_fail();
    }

    /// Kills the broker (SIGKILL).
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops the broker from running (SIGSTOP): connections stand, and nobody answers.
    #[track_caller]
    pub fn pause(&mut self) {
        self.process.pause().or_fail();
    }

    /// Lets a paused broker go on (SIGCONT).
    #[track_caller]
    pub fn resume(&mut self) {
        self.process.resume().or_fail();
    }

    /// Starts the broker again on its port and state, after stopping it in an orderly way if it still runs.
    ///
    /// # Errors
    /// When it does not come up, with its log.
    pub fn restart(&mut self) -> Result<(), Failure> {
        self.process.stop(SLOWEST_STOP)?;
        self.process = launch(&self.program, self.folder.path(), self.port)?;
        Ok(())
    }
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("mosquitto.log")
}

fn launch(program: &Path, folder: &Path, port: u16) -> Result<Leashed, Failure> {
    let log = log_path(folder);
    let mut command = Command::new(program);
    command.arg("-c").arg(folder.join("mosquitto.conf"));
    let launch = Launch { name: "Mosquitto", command: &command, log: Some(&log), remove: Some(folder) };
    let mut process = launch.start()?;
    process.wait_ready(SLOWEST_START, || serves(port))?;
    Ok(process)
}

/// Whether the broker serves its connections. The kernel accepts them before that: a SIGTERM between the two is forgotten,
/// for Mosquitto notes it and then sets the same variable to begin its work.
fn serves(port: u16) -> bool {
    let answered = || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        // Somebody who says good-bye before anything else is hung up on, whatever the listener speaks.
        stream.shutdown(Shutdown::Write)?;
        stream.set_read_timeout(Some(SLOWEST_ANSWER))?;
        stream.read(&mut [0])
    };
    match answered() {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

fn configuration(folder: &Path, port: u16, config: &MosquittoConfig) -> Result<String, Failure> {
    // `user root` keeps a broker started by root from becoming another user, who could not enter the folder;
    // for anyone else the line has no effect.
    let mut text = format!(
        "listener {port} 127.0.0.1\n\
         user root\n\
         log_dest stderr\n\
         log_type all\n\
         max_queued_messages 0\n\
         allow_anonymous {}\n\
         persistence {}\n\
         persistence_location {}/\n",
        config.users.is_empty(),
        config.persistence,
        folder.display()
    );
    if let Some(limit) = config.max_inflight {
        let _ = writeln!(text, "max_inflight_messages {limit}");
    }
    if !config.users.is_empty() {
        let _ = writeln!(text, "password_file {}", folder.join("users").display());
    }
    if let Some(tls) = &config.tls {
        let certificate = try_write_file(folder, "server.pem", tls.certificate.as_bytes())?;
        let key = try_write_file(folder, "server.key", tls.key.as_bytes())?;
        let _ = writeln!(text, "certfile {}\nkeyfile {}", certificate.display(), key.display());
        if let Some(authority) = &tls.client_authority {
            let file = try_write_file(folder, "clients.pem", authority.as_bytes())?;
            let _ = writeln!(text, "cafile {}\nrequire_certificate true", file.display());
        }
    }
    for line in &config.settings {
        let _ = writeln!(text, "{line}");
    }
    Ok(text)
}

fn write_users(folder: &Path, users: &[(String, String)]) -> Result<(), Failure> {
    if users.is_empty() {
        return Ok(());
    }
    let program = find_program("mosquitto_passwd")
        .ok_or_else(|| Failure::new(format!("mosquitto_passwd is not installed: {REMEDY}")))?;
    let file = try_write_file(folder, "users", b"")?;
    for (name, password) in users {
        let output = Command::new(&program)
            .arg("-b")
            .arg(&file)
            .args([name, password])
            .output()
            .context(|| format!("cannot run {}", program.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Failure::new(format!("mosquitto_passwd refused user {name}: {said}")));
        }
    }
    Ok(())
}

/// The broker that a whole test run shares: no users, no TLS, no persistence. Tell topics and client ids apart by
/// name, see [`unique`](crate::unique).
#[derive(Debug)]
pub struct SharedMosquitto {
    host: String,
    port: u16,
    owned: Option<Mosquitto>,
}

impl SharedMosquitto {
    /// Uses the broker of `LAVKA_TEST_MQTT`, else starts Mosquitto.
    ///
    /// # Errors
    /// When none answers; the message says why and what to install.
    pub fn attach_or_start() -> Result<Self, Failure> {
        let Some(address) = get(MQTT) else {
            let broker = Mosquitto::start(&MosquittoConfig::default())?;
            return Ok(Self { host: "127.0.0.1".to_owned(), port: broker.port(), owned: Some(broker) });
        };
        let named =
            address.rsplit_once(':').and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
        let Some((host, port)) = named else {
            return Err(Failure::new(format!("{MQTT} must be host:port, not {address:?}")));
        };
        TcpStream::connect((host.as_str(), port))
            .context(|| format!("no MQTT broker answers at {address}, which {MQTT} names"))?;
        Ok(Self { host, port, owned: None })
    }

    /// The host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `tcp://host:port`, as MQTT connector configs want it.
    pub fn url(&self) -> String {
        format!("tcp://{}:{}", self.host, self.port)
    }

    /// The log of the broker that was started for this value, if one was.
    pub fn log_path(&self) -> Option<PathBuf> {
        self.owned.as_ref().map(|broker| log_path(broker.folder.path()))
    }
}

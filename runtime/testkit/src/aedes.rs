//! Aedes, an MQTT broker in JavaScript, installed once into the cache folder.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::failure::{Context as _, Failure};
use crate::folders::{cache, try_temp_dir};
use crate::kafka::{Unavailable, lock};
use crate::leash::{Launch, Leashed, find_program, log_tail};
use crate::ports::on_free_port;
use crate::progress::say;

/// The newest that runs on the Node of Debian 12. `setup.sh` looks for its folder.
const VERSION: &str = include_str!("../aedes-version");
const SLOWEST_START: Duration = Duration::from_secs(30);
const LONGEST_DOWNLOAD: Duration = Duration::from_secs(300);
const BROKER: &str = "const broker = require('aedes')();
require('net').createServer(broker.handle).listen(process.argv[1], '127.0.0.1');";

/// A broker that speaks MQTT 3.1.1 and keeps sessions and retained messages in memory. It ends with the value, or with the
/// process that made it.
#[derive(Debug)]
pub struct Aedes {
    _process: Leashed,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Aedes {
    /// Starts a broker and waits until it accepts connections.
    ///
    /// # Errors
    /// [`Unavailable::Unresolvable`] when npm could not install it; [`Unavailable::Broken`] when Node or npm is not
    /// there, or the broker does not come up (with its log).
    pub fn start() -> Result<Self, Unavailable> {
        let node = find_program("node").ok_or_else(|| missing("Node"))?;
        let modules = installed()?;
        let folder = try_temp_dir()?;
        let log = folder.path().join("aedes.log");
        let (port, process) = on_free_port("EADDRINUSE", |port| {
            let mut command = Command::new(&node);
            command.args(["-e", BROKER, &port.to_string()]).env("NODE_PATH", &modules);
            let launch = Launch { name: "Aedes", command: &command, log: Some(&log), remove: None };
            let mut process = launch.start()?;
            let answers = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
            process.wait_ready(SLOWEST_START, answers)?;
            Ok(process)
        })?;
        Ok(Self { _process: process, port, _folder: folder })
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn missing(program: &str) -> Failure {
    Failure::new(format!(
        "{program}, which Aedes needs, is not installed: run `runtime/testkit/setup.sh tests`, or install it (Debian: \
         nodejs and npm)"
    ))
}

/// The folder of modules with Aedes in it.
fn installed() -> Result<PathBuf, Unavailable> {
    let cache = cache();
    let folder = cache.join(format!("aedes-{}", VERSION.trim()));
    let modules = folder.join("node_modules");
    fs::create_dir_all(&cache).context(|| {
        format!("cannot make the cache folder {} (LAVKA_CACHE names another)", cache.display())
    })?;
    let _lock = lock(&cache)?;
    if !folder.is_dir() {
        install(&cache, &folder)?;
    }
    Ok(modules)
}

fn install(cache: &Path, folder: &Path) -> Result<(), Unavailable> {
    let npm = find_program("npm").ok_or_else(|| missing("npm"))?;
    let partial = cache.join(".partial-aedes");
    // The lock is held: whatever is there was left by a run that was aborted.
    if partial.exists() {
        fs::remove_dir_all(&partial).context(|| format!("cannot remove {}", partial.display()))?;
    }
    fs::create_dir_all(&partial).context(|| format!("cannot make {}", partial.display()))?;
    let log = cache.join("aedes.log");
    let package = format!("aedes@{}", VERSION.trim());
    say(&format!("installing {package} by npm (once, about 3 MB)"));
    let mut command = Command::new(npm);
    command.args(["install", "--no-audit", "--no-fund", "--prefix"]).arg(&partial).arg(&package);
    let launch = Launch { name: "npm", command: &command, log: Some(&log), remove: None };
    if !launch.start()?.wait(LONGEST_DOWNLOAD)?.is_some_and(|status| status.success()) {
        let tail = log_tail(&log, 15);
        return Err(Unavailable::Unresolvable(Failure::new(format!(
            "npm could not install {package}:\n{tail}"
        ))));
    }
    fs::rename(&partial, folder).context(|| format!("cannot rename {} into place", partial.display()))?;
    Ok(())
}

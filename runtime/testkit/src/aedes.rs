//! Aedes, an MQTT broker in JavaScript, installed once into the cache folder.

use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::time::Duration;

use crate::folders::try_temp_dir;
use crate::kafka::Unavailable;
use crate::leash::{Launch, Leashed, find_program};
use crate::npm::NpmPackage;
use crate::ports::on_free_port;

/// The newest that runs on the Node of Debian 12. `setup.sh` looks for its folder.
const PACKAGE: NpmPackage = NpmPackage {
    name: "aedes",
    package: "aedes",
    version: include_str!("../aedes-version").trim_ascii(),
    size: "3 MB",
};
const SLOWEST_START: Duration = Duration::from_secs(120);
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
        let node = find_program("node").ok_or_else(|| PACKAGE.missing("Node"))?;
        let modules = PACKAGE.modules()?;
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

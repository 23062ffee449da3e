//! A server that speaks the protocol of Azure's blobs: Azurite, Microsoft's own emulator.

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::failure::{Failure, OrFail as _};
use crate::folders::try_temp_dir;
use crate::kafka::Unavailable;
use crate::leash::{Launch, Leashed, find_program};
use crate::npm::NpmPackage;
use crate::ports::on_free_port;
use crate::progress::say;
use crate::python::Python;

/// The newest that runs on the Node of Debian 12. `setup.sh` looks for its folder.
const PACKAGE: NpmPackage = NpmPackage {
    name: "azurite",
    package: "azurite",
    version: include_str!("../azurite-version").trim_ascii(),
    size: "40 MB",
};
const PROGRAM: &str = "azurite/dist/src/blob/main.js";
const SLOWEST_START: Duration = Duration::from_secs(120);
const SLOWEST_CALL: Duration = Duration::from_secs(120);

/// Makes a container, or reads all blobs of one, with Microsoft's own client, which is in PyArrow.
const CLIENT: &str = "\
import os, sys
from pyarrow import fs
what, authority, account, key, container, *folder = sys.argv[1:]
azure = fs.AzureFileSystem(account, account_key=key, blob_storage_authority=authority,
    dfs_storage_authority=authority, blob_storage_scheme='http', dfs_storage_scheme='http')
if what == 'create':
    azure.create_dir(container)
else:
    fs.copy_files(container, folder[0], source_filesystem=azure, destination_filesystem=fs.LocalFileSystem())
";

/// Signs a shared access signature for a container, as Azure's REST reference has it for this version.
const SIGN: &str = "\
import base64, hashlib, hmac, sys
from urllib.parse import urlencode
account, key, container = sys.argv[1:]
query = dict(sv='2021-12-02', sr='c', sp='racwdl', se='2099-01-01T00:00:00Z', spr='https,http')
signed = [query['sp'], '', query['se'], f'/blob/{account}/{container}', '', '', query['spr'], query['sv'], query['sr']]
text = '\\n'.join(signed + [''] * 7)
digest = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
print(urlencode(dict(query, sig=base64.b64encode(digest).decode())))
";

/// A server of a test's own, which keeps everything in memory. It ends with the value, or with the process that made it.
#[derive(Debug)]
pub struct AzureServer {
    // Dropped before the folder, so that nothing is written into a folder that is being removed.
    _process: Leashed,
    python: Python,
    port: u16,
    _folder: TempDir,
}

impl AzureServer {
    /// The one account that it has.
    pub const ACCOUNT: &str = "devstoreaccount1";
    /// The account's key, which is the same wherever the emulator runs.
    pub const KEY: &str =
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    /// Starts a server and waits until it accepts connections.
    ///
    /// # Errors
    /// [`Unavailable::Unresolvable`] when its packages are not to be had; [`Unavailable::Broken`] when Node, npm or Python is
    /// not there, or the server does not come up (with its log).
    pub fn start() -> Result<Self, Unavailable> {
        let node = find_program("node").ok_or_else(|| PACKAGE.missing("Node"))?;
        let python = Python::for_lake()?;
        let program = PACKAGE.modules()?.join(PROGRAM);
        let folder = try_temp_dir()?;
        let began = Instant::now();
        let (port, process) =
            on_free_port("EADDRINUSE", |port| launch(&node, &program, folder.path(), port))?;
        say(&format!("Azurite ready at 127.0.0.1:{port} in {:.1?}", began.elapsed()));
        Ok(Self { _process: process, python, port, _folder: folder })
    }

    /// The URL of the account, for `lavka.object.store.endpoint`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/{}", self.port, Self::ACCOUNT)
    }

    /// Makes a container.
    #[track_caller]
    pub fn create_container(&self, name: &str) {
        self.call("create", name, None).or_fail();
    }

    /// A shared access signature for a container, good for all that can be done in it, as in a URL's query.
    #[track_caller]
    pub fn shared_access_signature(&self, container: &str) -> String {
        let folder = try_temp_dir().or_fail();
        let arguments = ["-c", SIGN, Self::ACCOUNT, Self::KEY, container];
        self.python.run(folder.path(), &arguments, SLOWEST_CALL).or_fail().trim().to_owned()
    }

    /// Copies all blobs of a container into `folder`, with Microsoft's own client.
    ///
    /// # Errors
    /// When that client fails, with what it printed.
    pub fn copy_out(&self, container: &str, folder: &Path) -> Result<(), Failure> {
        self.call("copy", container, Some(folder))
    }

    fn call(&self, what: &str, container: &str, folder: Option<&Path>) -> Result<(), Failure> {
        let authority = format!("127.0.0.1:{}", self.port);
        let folder = folder.map(|folder| folder.display().to_string());
        let mut arguments = vec!["-c", CLIENT, what, &authority, Self::ACCOUNT, Self::KEY, container];
        arguments.extend(folder.as_deref());
        // Calls may be made at once, and each writes a log into its folder.
        let log = try_temp_dir()?;
        self.python.run(log.path(), &arguments, SLOWEST_CALL).map(drop)
    }
}

fn launch(node: &Path, program: &Path, folder: &Path, port: u16) -> Result<Leashed, Failure> {
    let log = folder.join("azurite.log");
    let mut command = Command::new(node);
    command
        .arg(program)
        .args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()])
        .args(["--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry"])
        .current_dir(folder);
    let launch = Launch { name: "Azurite", command: &command, log: Some(&log), remove: Some(folder) };
    let mut process = launch.start()?;
    process.wait_ready(SLOWEST_START, || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())?;
    Ok(process)
}

//! A Kerberos server.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::java::Java;
use crate::failure::{Context as _, Failure};
use crate::folders::{try_temp_dir, try_write_file};
use crate::kafka::Unavailable;
use crate::leash::{Launch, Leashed, find_program};
use crate::progress::say;

const SLOWEST_START: Duration = Duration::from_secs(60);
const READY: &str = "Standalone MiniKdc Running";
const KDC: &str = "org.apache.hadoop.minikdc.MiniKdc";
/// Tickets live for a day, unless less is asked for: a second or more.
const SETTINGS: &str = "org.name=EXAMPLE\norg.domain=COM\ninstance=DefaultKrbServer\nkdc.bind.address=localhost\n\
                        kdc.port=0\ntransport=TCP\nmax.ticket.lifetime=86400000\nmax.renewable.lifetime=604800000\n\
                        min.ticket.lifetime=1\ndebug=false\n";
/// The libraries of some systems would ask the name service what this machine is called.
const CLIENT_SETTINGS: &str = "[libdefaults]\n    dns_canonicalize_hostname = false\n    rdns = false\n";

/// A Kerberos server of a test's own, with principals for a cluster on this machine and for a client of it. It ends with the
/// value, or with the process that made it.
#[derive(Debug)]
pub struct Kdc {
    // Dropped before the folder, so that nothing is written into a folder that is being removed.
    _process: Leashed,
    folder: TempDir,
}

impl Kdc {
    /// The principal of a client.
    pub const CLIENT: &str = "lavka@EXAMPLE.COM";
    /// The principal of name nodes and data nodes.
    pub const CLUSTER: &str = "hdfs/localhost@EXAMPLE.COM";
    /// The principal of their web pages.
    pub(super) const WEB: &str = "HTTP/localhost@EXAMPLE.COM";

    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    /// [`Unavailable::Unresolvable`] when its jars are not to be had; otherwise when Java is missing, or it does not come
    /// up (with its log).
    pub fn start() -> Result<Self, Unavailable> {
        let java = Java::find()?;
        let folder = try_temp_dir()?;
        let began = Instant::now();
        let settings = try_write_file(folder.path(), "kdc.properties", SETTINGS.as_bytes())?;
        let work = folder.path().join("kdc");
        std::fs::create_dir(&work).context(|| format!("cannot make {}", work.display()))?;
        let log = folder.path().join("kdc.log");
        let mut command = java.command(KDC);
        command.args([&work, &settings, &keytab(folder.path())]);
        command.args(
            [Self::CLIENT, Self::CLUSTER, Self::WEB].map(|name| name.split('@').next().unwrap_or(name)),
        );
        command.current_dir(folder.path());
        let launch = Launch {
            name: "the Kerberos server",
            command: &command,
            log: Some(&log),
            remove: Some(folder.path()),
        };
        let mut process = launch.start()?;
        process.wait_ready(SLOWEST_START, || {
            std::fs::read(&log).is_ok_and(|text| String::from_utf8_lossy(&text).contains(READY))
        })?;
        let made = work.join("krb5.conf");
        let text = std::fs::read_to_string(&made).context(|| format!("cannot read {}", made.display()))?;
        try_write_file(
            folder.path(),
            "krb5.conf",
            text.replace("[libdefaults]\n", CLIENT_SETTINGS).as_bytes(),
        )?;
        say(&format!("Kerberos ready in {:.1?}", began.elapsed()));
        Ok(Self { _process: process, folder })
    }

    /// The configuration file that leads to this server, for `KRB5_CONFIG`.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("krb5.conf")
    }

    /// The file with the keys of all principals.
    pub fn keytab(&self) -> PathBuf {
        keytab(self.folder.path())
    }

    /// Puts a ticket of [`CLIENT`](Self::CLIENT) into the cache file `cache`, as a person does with `kinit`; it is good for
    /// `lifetime`, whole seconds.
    ///
    /// # Errors
    /// When there is no `kinit`, or it fails.
    pub fn get_ticket(&self, cache: &Path, lifetime: Duration) -> Result<(), Failure> {
        let kinit = find_program("kinit").ok_or_else(|| {
            Failure::new(
                "there is no kinit: run `runtime/testkit/setup.sh tests`, or install it (Debian: krb5-user)",
            )
        })?;
        let output = Command::new(kinit)
            .args(["-l", &format!("{}s", lifetime.as_secs()), "-k", "-t"])
            .arg(self.keytab())
            .arg("-c")
            .arg(cache)
            .arg(Self::CLIENT)
            .env("KRB5_CONFIG", self.config())
            .output()
            .context(|| "cannot run kinit".to_owned())?;
        if output.status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("kinit failed: {}", String::from_utf8_lossy(&output.stderr))))
    }
}

fn keytab(folder: &Path) -> PathBuf {
    folder.join("keytab")
}

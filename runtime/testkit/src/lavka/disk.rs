//! A disk of a process's own: small enough to fill, and there to be mended.
//!
//! It is mounted in a mount namespace that only the process is in, so it goes with the process, in whatever way that
//! ends, and nobody else sees it. Where the caller is not root, a user namespace gives the right to mount, if the
//! kernel lets it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Context as _, Failure};
use crate::missed::miss;

/// Mounts at `$0` with the options `$1`, then becomes the rest.
const MOUNT: &str = r#"options=$1; shift; mount -t tmpfs -o "$options" tmpfs "$0" && exec "$@""#;

/// A file system in memory, mounted for one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Disk {
    /// Where it is mounted.
    pub(crate) folder: PathBuf,
    /// tmpfs's mount options, such as `size=1m`.
    pub(crate) options: String,
}

impl Disk {
    /// The command that mounts it and becomes `program` with `args`.
    pub(crate) fn wrap<T: AsRef<OsStr>>(&self, program: &Path, args: &[T]) -> Command {
        let mut command = Command::new("unshare");
        command.args(namespaces()).args(["sh", "-c", MOUNT]);
        command.arg(&self.folder).arg(&self.options).arg(program).args(args);
        command
    }
}

/// Whether a test that needs a disk of its own ([`LavkaCommand::disk`](crate::LavkaCommand::disk)) may go on.
///
/// On `false` the test returns; its name is in the closing lines of the run then.
pub fn can_mount_for(test: &str) -> bool {
    let folder = crate::temp_dir();
    let disk = Disk { folder: folder.path().to_path_buf(), options: "size=64k".to_owned() };
    let mounted =
        disk.wrap::<&str>(Path::new("true"), &[]).output().is_ok_and(|output| output.status.success());
    if !mounted {
        miss(test, "the right to mount a file system (root, or user namespaces)");
    }
    mounted
}

/// Mounts again, with other options, the disk at `folder` of the process `pid`.
pub(crate) fn remount(pid: u32, folder: &Path, options: &str) -> Result<(), Failure> {
    let mut command = Command::new("nsenter");
    command.args(["--target", &pid.to_string(), "--mount"]);
    if !is_root() {
        command.args(["--user", "--preserve-credentials"]);
    }
    // With the source named, mount repeats none of the options in force; in a user namespace it may not set some of them.
    command.args(["mount", "-o", &format!("remount,{options}"), "tmpfs"]).arg(folder);
    let explain = || format!("cannot mount {} again with {options}", folder.display());
    let output = command.output().context(explain)?;
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("{}: {}", explain(), String::from_utf8_lossy(&output.stderr))))
}

fn namespaces() -> &'static [&'static str] {
    if is_root() { &["--mount"] } else { &["--user", "--map-root-user", "--mount"] }
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

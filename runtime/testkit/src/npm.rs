//! Packages of npm, installed once into the cache folder.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::failure::{Context as _, Failure};
use crate::folders::cache;
use crate::kafka::{Unavailable, lock};
use crate::leash::{Launch, find_program, log_tail};
use crate::progress::say;

const LONGEST_DOWNLOAD: Duration = Duration::from_secs(300);

/// A package that tests need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NpmPackage {
    /// What its folder in the cache is named after.
    pub(crate) name: &'static str,
    /// Its name at the registry.
    pub(crate) package: &'static str,
    pub(crate) version: &'static str,
    /// What messages say of a download.
    pub(crate) size: &'static str,
}

impl NpmPackage {
    /// What to say where `program`, of Node's, is missing.
    pub(crate) fn missing(self, program: &str) -> Failure {
        Failure::new(format!(
            "{program}, which {} needs, is not installed: run `runtime/testkit/setup.sh tests`, or install it (Debian: \
             nodejs and npm)",
            self.name
        ))
    }

    /// The folder of modules with the package in it.
    ///
    /// # Errors
    /// [`Unavailable::Unresolvable`] when npm could not install it; [`Unavailable::Broken`] when npm is not there or the
    /// cache folder cannot be written.
    pub(crate) fn modules(self) -> Result<PathBuf, Unavailable> {
        let cache = cache();
        let folder = cache.join(format!("{}-{}", self.name, self.version));
        let modules = folder.join("node_modules");
        fs::create_dir_all(&cache).context(|| {
            format!("cannot make the cache folder {} (LAVKA_CACHE names another)", cache.display())
        })?;
        let _lock = lock(&cache)?;
        if folder.is_dir() {
            return Ok(modules);
        }
        let npm = find_program("npm").ok_or_else(|| self.missing("npm"))?;
        let partial = cache.join(format!(".partial-{}", self.name));
        // The lock is held: whatever is there was left by a run that was aborted.
        if partial.exists() {
            fs::remove_dir_all(&partial).context(|| format!("cannot remove {}", partial.display()))?;
        }
        fs::create_dir_all(&partial).context(|| format!("cannot make {}", partial.display()))?;
        let log = cache.join(format!("{}.log", self.name));
        let package = format!("{}@{}", self.package, self.version);
        say(&format!("installing {package} by npm (once, about {})", self.size));
        let mut command = Command::new(npm);
        command.args(["install", "--no-audit", "--no-fund", "--prefix"]).arg(&partial).arg(&package);
        let launch = Launch { name: "npm", command: &command, log: Some(&log), remove: None };
        if !launch.start()?.wait(LONGEST_DOWNLOAD)?.is_some_and(|status| status.success()) {
            let tail = log_tail(&log, 15);
            return Err(Unavailable::Unresolvable(Failure::new(format!(
                "npm could not install {package}:\n{tail}"
            ))));
        }
        fs::rename(&partial, &folder)
            .context(|| format!("cannot rename {} into place", partial.display()))?;
        Ok(modules)
    }
}

//! Programs in Python that others wrote, to compare with: installed once into the cache folder.
//!
//! Invariants: a folder with the final name is complete (it is renamed into place) and has the packages that its list
//! names, of which it keeps a copy; one process at a time works in the cache (a lock file).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::failure::{Context as _, Failure};
use crate::folders::{self, try_write_file};
use crate::kafka::{Unavailable, lock};
use crate::leash::{Launch, find_program, log_tail};
use crate::progress::say;

/// A set of packages. The lists are shared with `setup.sh`, which installs Python's `venv` only where one of them is not
/// in the cache.
#[derive(Clone, Copy, Debug)]
struct Packages {
    folder: &'static str,
    list: &'static str,
    requirements: &'static str,
    /// What messages say is installed.
    what: &'static str,
}

const REST: Packages = Packages {
    folder: "python",
    list: "python-requirements.txt",
    requirements: include_str!("../python-requirements.txt"),
    what: "schemathesis and kafka-connect-py for Python (once, about 30 MB)",
};

const REGISTRY: Packages = Packages {
    folder: "python-registry",
    list: "python-registry-requirements.txt",
    requirements: include_str!("../python-registry-requirements.txt"),
    what: "confluent-kafka with its serializers for Python (once, about 40 MB)",
};

const COAP: Packages = Packages {
    folder: "python-coap",
    list: "python-coap-requirements.txt",
    requirements: include_str!("../python-coap-requirements.txt"),
    what: "aiocoap for Python (once, under 1 MB)",
};

const LAKE: Packages = Packages {
    folder: "python-lake",
    list: "python-lake-requirements.txt",
    requirements: include_str!("../python-lake-requirements.txt"),
    what: "PyArrow, DuckDB and moto for Python (once, about 100 MB)",
};

const LONGEST_DOWNLOAD: Duration = Duration::from_secs(600);

/// A Python with packages.
#[derive(Clone, Debug)]
pub struct Python {
    folder: PathBuf,
    packages: Packages,
}

impl Python {
    /// The one with [schemathesis](https://pypi.org/project/schemathesis) and
    /// [kafka-connect-py](https://pypi.org/project/kafka-connect-py), which call the REST API. Finds it in the cache, or
    /// has pip install it there.
    ///
    /// # Errors
    /// [`Unavailable::Unresolvable`] when pip could not install the packages; [`Unavailable::Broken`] when there is no
    /// Python 3 with its module `venv`, or the cache folder cannot be written.
    pub fn resolve() -> Result<Self, Unavailable> {
        Self::with(REST)
    }

    /// The one with [confluent-kafka](https://pypi.org/project/confluent-kafka), whose serializers speak with a schema
    /// registry: Avro, JSON Schema and Protobuf, and `grpcio-tools`, which compiles `.proto` files.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn for_registry() -> Result<Self, Unavailable> {
        Self::with(REGISTRY)
    }

    /// The one with [aiocoap](https://pypi.org/project/aiocoap), which makes CoAP servers and clients.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn for_coap() -> Result<Self, Unavailable> {
        Self::with(COAP)
    }

    /// The one with [pyarrow](https://pypi.org/project/pyarrow) and [duckdb](https://pypi.org/project/duckdb), which read files
    /// of the lake, and [moto](https://pypi.org/project/moto), which speaks S3's protocol.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn for_lake() -> Result<Self, Unavailable> {
        Self::with(LAKE)
    }

    /// The interpreter, to which arguments are to be added.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(self.program());
        command.env("PYTHONUNBUFFERED", "1");
        command
    }

    fn with(packages: Packages) -> Result<Self, Unavailable> {
        let cache = folders::cache();
        let found = Self { folder: cache.join(packages.folder), packages };
        if found.is_complete() {
            return Ok(found);
        }
        fs::create_dir_all(&cache).context(|| {
            format!("cannot make the cache folder {} (LAVKA_CACHE names another)", cache.display())
        })?;
        let _lock = lock(&cache)?;
        if !found.is_complete() {
            install(&cache, &found.folder, packages)?;
        }
        Ok(found)
    }

    /// Runs it with `arguments` in `folder`, and returns what it printed, which is in `python.log` there as well. It is
    /// ended when it takes longer than `limit`, or when the test ends.
    ///
    /// # Errors
    /// When it does not end in time, or not with status 0; with what it printed.
    pub fn run(&self, folder: &Path, arguments: &[&str], limit: Duration) -> Result<String, Failure> {
        let log = folder.join("python.log");
        // What an earlier run printed says nothing of this one.
        let _ = fs::remove_file(&log);
        let mut command = Command::new(self.program());
        command.args(arguments).current_dir(folder).env("PYTHONUNBUFFERED", "1");
        let launch = Launch { name: "python", command: &command, log: Some(&log), remove: None };
        let status = launch.start()?.wait(limit)?;
        let bytes = fs::read(&log).context(|| format!("cannot read {}", log.display()))?;
        let printed = String::from_utf8_lossy(&bytes).into_owned();
        let what = arguments.join(" ");
        match status {
            Some(status) if status.success() => Ok(printed),
            Some(status) => Err(Failure::new(format!("python {what} ended with {status}:\n{printed}"))),
            None => Err(Failure::new(format!("python {what} did not end within {limit:?}:\n{printed}"))),
        }
    }

    fn program(&self) -> PathBuf {
        self.folder.join("bin/python")
    }

    fn is_complete(&self) -> bool {
        // A link, which leads nowhere once the system's Python is another one.
        self.program().is_file()
            && fs::read_to_string(self.folder.join(self.packages.list))
                .is_ok_and(|text| text == self.packages.requirements)
    }
}

fn install(cache: &Path, folder: &Path, packages: Packages) -> Result<(), Unavailable> {
    let python = find_program("python3").ok_or_else(|| {
        Failure::new(
            "Python 3 is not installed: run `runtime/testkit/setup.sh tests`, or install it (Debian: python3-venv)",
        )
    })?;
    // The lock is held: whatever is there was left by a run that was aborted, or has other packages.
    let partial = cache.join(format!(".partial-{}", packages.folder));
    for old in [&partial, &folder.to_path_buf()] {
        if old.exists() {
            fs::remove_dir_all(old).context(|| format!("cannot remove {}", old.display()))?;
        }
    }
    fs::create_dir_all(&partial).context(|| format!("cannot make {}", partial.display()))?;
    let log = cache.join(format!("{}.log", packages.folder));
    let began = Instant::now();
    say(&format!("installing {}", packages.what));
    let run = |command: &Command| -> Result<bool, Failure> {
        let launch = Launch { name: "python", command, log: Some(&log), remove: None };
        Ok(launch.start()?.wait(LONGEST_DOWNLOAD)?.is_some_and(|status| status.success()))
    };
    let mut venv = Command::new(python);
    venv.args(["-m", "venv"]).arg(&partial);
    if !run(&venv)? {
        let tail = log_tail(&log, 15);
        return Err(Unavailable::Broken(Failure::new(format!(
            "Python cannot make a virtual environment: run `runtime/testkit/setup.sh tests`, or install what it needs \
             (Debian: python3-venv):\n{tail}"
        ))));
    }
    let list = try_write_file(&partial, packages.list, packages.requirements.as_bytes())?;
    let mut pip = Command::new(partial.join("bin/python"));
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r"]).arg(list);
    if !run(&pip)? {
        let tail = log_tail(&log, 15);
        return Err(Unavailable::Unresolvable(Failure::new(format!("pip could not install:\n{tail}"))));
    }
    // The programs in `bin` name the folder they were installed to; modules, which the tests run, do not.
    fs::rename(&partial, folder).context(|| format!("cannot rename {} into place", partial.display()))?;
    say(&format!("installed to {} in {:.0?}", folder.display(), began.elapsed()));
    Ok(())
}

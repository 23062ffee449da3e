//! How to call the executable.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use super::binary;
use super::disk::Disk;
use super::process::LavkaProcess;
use crate::failure::{Context as _, Failure, OrFail as _};
use crate::folders::try_temp_dir;
use crate::leash::Launch;

/// `lavka ARGS…`, to be run to its end ([`LavkaCommand::output`]) or started ([`LavkaCommand::start`]).
#[derive(Clone, Debug, Default)]
pub struct LavkaCommand {
    program: Option<PathBuf>,
    args: Vec<OsString>,
    envs: Vec<(OsString, OsString)>,
    directory: Option<PathBuf>,
    disk: Option<Disk>,
    input: Vec<u8>,
}

/// What a command that ran to its end left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LavkaOutput {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// Its standard error; bytes that are not UTF-8 are replaced.
    pub stderr: String,
}

impl LavkaCommand {
    /// A command with arguments: `LavkaCommand::new(["check", "sink.json"])`.
    pub fn new<I: Into<OsString>>(args: impl IntoIterator<Item = I>) -> Self {
        Self::default().args(args)
    }

    /// Calls another executable than the one under test, such as a release build.
    #[must_use]
    pub fn program(mut self, path: impl AsRef<Path>) -> Self {
        self.program = Some(path.as_ref().to_path_buf());
        self
    }

    /// Adds arguments, of another type than the first ones if need be.
    #[must_use]
    pub fn args<I: Into<OsString>>(mut self, args: impl IntoIterator<Item = I>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.envs.push((name.into(), value.into()));
        self
    }

    /// Sets the working folder.
    #[must_use]
    pub fn directory(mut self, folder: impl AsRef<Path>) -> Self {
        self.directory = Some(folder.as_ref().to_path_buf());
        self
    }

    /// Gives the process a disk of its own at `folder`, in memory, which nobody else sees and which ends with it;
    /// `options` are tmpfs's, such as `size=1m`. Ask [`can_mount_for`](crate::can_mount_for) first.
    #[must_use]
    pub fn disk(mut self, folder: impl AsRef<Path>, options: &str) -> Self {
        self.disk = Some(Disk { folder: folder.as_ref().to_path_buf(), options: options.to_owned() });
        self
    }

    /// What [`LavkaCommand::output`] writes to standard input; empty otherwise.
    #[must_use]
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    /// Starts the program and leaves it running.
    #[track_caller]
    pub fn start(&self) -> LavkaProcess {
        self.try_start().or_fail()
    }

    /// Runs the program to its end.
    #[track_caller]
    pub fn output(&self) -> LavkaOutput {
        self.try_output().or_fail()
    }

    fn command(&self) -> Result<Command, Failure> {
        let program = self.program.clone().map_or_else(binary::find, Ok)?;
        let mut command = match &self.disk {
            Some(disk) => disk.wrap(&program, &self.args),
            None => {
                let mut command = Command::new(program);
                command.args(&self.args);
                command
            }
        };
        command.envs(self.envs.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.directory {
            command.current_dir(folder);
        }
        Ok(command)
    }

    fn try_start(&self) -> Result<LavkaProcess, Failure> {
        let command = self.command()?;
        let folder = try_temp_dir()?;
        let log = folder.path().join("lavka.log");
        let launch =
            Launch { name: "lavka", command: &command, log: Some(&log), remove: Some(folder.path()) };
        Ok(LavkaProcess::new(launch.start()?, log, folder))
    }

    fn try_output(&self) -> Result<LavkaOutput, Failure> {
        let mut command = self.command()?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context(|| format!("cannot run {}", command.get_program().display()))?;
        let input = child.stdin.take();
        let output = std::thread::scope(|scope| {
            scope.spawn(|| {
                // A program that ends without reading its input closes the pipe: that is its right.
                let _ = input.map(|mut pipe| pipe.write_all(&self.input));
            });
            child.wait_with_output()
        });
        let output = output.context(|| format!("cannot wait for {}", command.get_program().display()))?;
        Ok(LavkaOutput {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

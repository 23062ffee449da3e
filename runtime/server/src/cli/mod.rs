//! The subcommands of the `lavka` binary.

mod broker;
mod check;
mod demo;
mod docs;
mod health;
mod man;
mod plugins;
mod standalone;
mod transform;

use std::io::{self, ErrorKind, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use lavka_api::Result;

use crate::demo::DemoOptions;

/// Kafka Connect without the JVM
#[derive(Debug, Parser)]
#[command(name = "lavka", version, about = "Kafka Connect without the JVM", arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a standalone worker, with the arguments of connect-standalone
    #[command(
        after_help = "Example:\n  lavka standalone worker.properties file-source.json file-sink.properties\n\n\
                      Exits with 1 if the worker cannot run, with 3 if a connector cannot be started."
    )]
    Standalone {
        /// Worker configuration, a Java properties file
        worker: PathBuf,
        /// Connectors to start, JSON or properties
        connectors: Vec<PathBuf>,
    },
    /// Say of each key of a connector what it means, and whether the connector would start
    #[command(
        after_help = "Example:\n  lavka check mqtt-source.json\n\nExits with 1 if the connector would not start."
    )]
    Check {
        /// Connector configuration, JSON or properties
        connector: PathBuf,
        /// Worker configuration whose converters apply where the connector names none, and whose override policy counts
        #[arg(long)]
        worker: Option<PathBuf>,
    },
    /// Run records through a connector's converters and transforms, without Kafka
    #[command(after_help = "Each line is a record; all of its fields may be left out:\n  \
                            {\"topic\":\"t\",\"partition\":0,\"offset\":7,\"timestamp\":1700000000000,\
                            \"headers\":[{\"key\":\"h\",\"value\":\"x\"}],\"key\":\"k\",\"value\":{\"a\":1}}\n\n\
                            Examples:\n  echo '{\"value\":{\"a\":1}}' | lavka transform connector.json\n  \
                            lavka transform --diff connector.json records.jsonl\n\n\
                            Exits with 1 if a record failed.")]
    Transform {
        /// Connector configuration, JSON or properties
        connector: PathBuf,
        /// Records, one JSON object a line; standard input if not given
        records: Option<PathBuf>,
        /// Worker configuration whose converters apply where the connector names none
        #[arg(long)]
        worker: Option<PathBuf>,
        /// Show each record after each transform, with what changed
        #[arg(long)]
        diff: bool,
    },
    /// List the plugins
    #[command(after_help = "Example:\n  lavka plugins --json | jq '.[].class'")]
    Plugins {
        /// As JSON, with every configuration key
        #[arg(long)]
        json: bool,
    },
    /// Run the embedded Kafka broker: in memory, for trying and testing, never for production
    #[command(after_help = "Faults:\n  \
                            drop:share=0.01                          close connections instead of carrying requests out\n  \
                            cut:api=Produce,share=0.01               close them within the answer\n  \
                            delay:by=200ms,share=0.5                 carry requests out later\n  \
                            error:api=Produce,code=NOT_LEADER_OR_FOLLOWER  answer with an error\n  \
                            move-coordinator:every=10s,away=1s       groups and transactions move away for a while\n  \
                            full-disk:after=5s,lasting=10s           refuse to store records\n  \
                            unclean-election:every=30s,lose=5        lose the newest records\n\n\
                            Examples:\n  lavka broker --port 9092\n  \
                            lavka broker --fault delay:by=200ms,share=0.5 --fault move-coordinator:every=10s,away=1s")]
    Broker(broker::BrokerArguments),
    /// Watch sensor readings arrive over MQTT, go through Kafka, get scored and land in Parquet files
    #[command(after_help = "Examples:\n  lavka demo\n  lavka demo --bootstrap kafka:9092 --seconds 60")]
    Demo {
        /// A Kafka cluster to use instead of the embedded broker
        #[arg(long)]
        bootstrap: Option<String>,
        /// How long devices send
        #[arg(long, default_value_t = 20)]
        seconds: u64,
        /// Simulated devices
        #[arg(long, default_value_t = 300)]
        devices: u64,
        /// Readings a second, all devices together
        #[arg(long, default_value_t = 2000)]
        rate: u64,
    },
    /// Ask a worker whether it is well, for health checks of containers
    #[command(after_help = "Example:\n  lavka health http://localhost:8083\n\nExits with 1 if it is not.")]
    Health {
        /// The worker's REST API
        #[arg(default_value = "http://localhost:8083")]
        url: String,
    },
    /// Write the reference pages of all configuration keys
    #[command(after_help = "Example:\n  lavka docs reference")]
    Docs {
        /// Folder to write to; what is in it of an earlier run is replaced
        #[arg(default_value = "examples/reference")]
        folder: PathBuf,
    },
    /// Print shell completions
    #[command(after_help = "Example:\n  lavka completions bash > /etc/bash_completion.d/lavka")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write manual pages
    #[command(hide = true, after_help = "Example:\n  lavka man /usr/local/share/man/man1")]
    Man {
        /// Folder to write lavka.1 and one page for each command to; without it lavka.1 is printed
        folder: Option<PathBuf>,
    },
}

impl Arguments {
    /// Runs the subcommand; its exit status.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let outcome = match self.command {
            Command::Standalone { worker, connectors } => standalone::run(&worker, &connectors),
            Command::Check { connector, worker } => check::run(&connector, worker.as_deref()),
            Command::Transform { connector, records, worker, diff } => {
                transform::run(&connector, records.as_deref(), worker.as_deref(), diff)
            }
            Command::Plugins { json } => plugins::run(json),
            Command::Broker(arguments) => broker::run(arguments),
            Command::Demo { bootstrap, seconds, devices, rate } => demo::run(DemoOptions {
                bootstrap,
                duration: std::time::Duration::from_secs(seconds),
                devices,
                rate,
                folder: None,
            }),
            Command::Health { url } => health::run(&url),
            Command::Docs { folder } => docs::run(&folder),
            Command::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Self::command(), "lavka", &mut script);
                emit(&String::from_utf8_lossy(&script)).map(|()| ExitCode::SUCCESS)
            }
            Command::Man { folder } => man::run(Self::command(), folder.as_deref()),
        };
        outcome.unwrap_or_else(|error| {
            eprintln!("lavka: {error}");
            ExitCode::FAILURE
        })
    }
}

/// A runtime with the usual threads.
fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// Prints `text`. Whoever stops reading early has read enough.
fn emit(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    still_read(out.write_all(text.as_bytes()).and_then(|()| out.flush())).map(|_| ())
}

/// Whether somebody still reads what was `written` to standard output.
fn still_read(written: io::Result<()>) -> Result<bool> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}

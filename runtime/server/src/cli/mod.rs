//! The subcommands of the `lavka` binary.

mod broker;
mod check;
mod demo;
mod plugins;
mod standalone;
mod transform;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::demo::DemoOptions;

/// Kafka Connect without the JVM.
#[derive(Debug, Parser)]
#[command(name = "lavka", version, about, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a standalone worker, with the arguments of connect-standalone
    #[command(
        after_help = "Example:\n  lavka standalone worker.properties file-source.json file-sink.properties"
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
    },
    /// Run records through a connector's converters and transforms, without Kafka
    #[command(after_help = "Each line is a record: {\"topic\":\"t\",\"key\":\"k\",\"value\":{\"a\":1}}\n\n\
                            Example:\n  echo '{\"topic\":\"t\",\"value\":{\"a\":1}}' | lavka transform connector.json")]
    Transform {
        /// Connector configuration, JSON or properties
        connector: PathBuf,
        /// Records, one JSON object a line; standard input if not given
        records: Option<PathBuf>,
        /// Worker configuration whose converters apply where the connector names none
        #[arg(long)]
        worker: Option<PathBuf>,
    },
    /// List the plugins
    #[command(after_help = "Example:\n  lavka plugins --json | jq '.[].class'")]
    Plugins {
        /// As JSON, with every configuration key
        #[arg(long)]
        json: bool,
    },
    /// Run the embedded Kafka broker: in memory, for trying and testing, never for production
    #[command(after_help = "Example:\n  lavka broker --port 9092")]
    Broker {
        /// Port to listen on; 0 for a free one
        #[arg(long, default_value_t = 9092)]
        port: u16,
        /// Address to listen on
        #[arg(long, default_value = "127.0.0.1")]
        host: std::net::IpAddr,
    },
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
    /// Print shell completions
    #[command(after_help = "Example:\n  lavka completions bash > /etc/bash_completion.d/lavka")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

impl Arguments {
    /// Runs the subcommand; its exit status.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let outcome = match self.command {
            Command::Standalone { worker, connectors } => standalone::run(&worker, &connectors),
            Command::Check { connector } => check::run(&connector),
            Command::Transform { connector, records, worker } => {
                transform::run(&connector, records.as_deref(), worker.as_deref())
            }
            Command::Plugins { json } => {
                plugins::run(json);
                Ok(ExitCode::SUCCESS)
            }
            Command::Broker { port, host } => broker::run(host, port),
            Command::Demo { bootstrap, seconds, devices, rate } => demo::run(DemoOptions {
                bootstrap,
                duration: std::time::Duration::from_secs(seconds),
                devices,
                rate,
                folder: None,
            }),
            Command::Completions { shell } => {
                clap_complete::generate(shell, &mut Self::command(), "lavka", &mut std::io::stdout());
                Ok(ExitCode::SUCCESS)
            }
        };
        outcome.unwrap_or_else(|error| {
            eprintln!("lavka: {error}");
            ExitCode::FAILURE
        })
    }
}

/// A runtime with the usual threads.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

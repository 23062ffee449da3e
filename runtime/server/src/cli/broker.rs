//! `lavka broker`.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lavka_api::{Error, Result};
use lavka_devbroker::{Broker, BrokerConfig, Fault, SaslConfig, SaslMechanism, TlsConfig};
use lavka_telemetry::log::{LogConfig, init};
use tokio::signal::unix::{SignalKind, signal};

use crate::properties;

/// How the broker is to be.
#[derive(Debug, clap::Args)]
pub(super) struct BrokerArguments {
    /// Port to listen on; 0 for a free one
    #[arg(long, default_value_t = 9092)]
    port: u16,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// Host name that clients are told to connect to; the address listened on if not given
    #[arg(long)]
    advertised_host: Option<String>,
    /// Partitions of topics that are created without saying how many
    #[arg(long, default_value_t = BrokerConfig::default().default_partitions)]
    partitions: i32,
    /// Something that goes wrong on purpose; may be given several times
    #[arg(long)]
    fault: Vec<Fault>,
    /// Decides which requests a fault hits that concerns a share of them
    #[arg(long, default_value_t = BrokerConfig::default().fault_seed)]
    fault_seed: u64,
    /// PEM file with the broker's certificate: clients connect by TLS
    #[arg(long, requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// PEM file with the key of the certificate
    #[arg(long, requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// PEM file with authorities: clients have to show a certificate of one of them
    #[arg(long, requires = "tls_certificate")]
    tls_client_authorities: Option<PathBuf>,
    /// Properties file with NAME=PASSWORD lines: clients have to log in (SASL PLAIN or SCRAM)
    #[arg(long)]
    users: Option<PathBuf>,
}

pub(super) fn run(arguments: BrokerArguments) -> Result<ExitCode> {
    crate::install_tls_provider();
    init(&LogConfig::default());
    let config = config(arguments)?;
    super::runtime()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let broker = Broker::start(config).await?;
        super::emit(&format!(
            "bootstrap.servers={}\nRecords are kept in memory and are gone when it stops. End it with Ctrl-C.\n",
            broker.bootstrap()
        ))?;
        tokio::select! {
            _ = terminate.recv() => {}
            ended = tokio::signal::ctrl_c() => ended?,
        }
        broker.shutdown().await;
        Ok(ExitCode::SUCCESS)
    })
}

fn config(arguments: BrokerArguments) -> Result<BrokerConfig> {
    let pem = |path: &Path| {
        std::fs::read_to_string(path)
            .map_err(|error| Error::config(format!("{} cannot be read: {error}", path.display())))
    };
    let tls = match (&arguments.tls_certificate, &arguments.tls_key) {
        (Some(certificate), Some(key)) => Some(TlsConfig {
            certificate: pem(certificate)?,
            key: pem(key)?,
            client_authorities: arguments.tls_client_authorities.as_deref().map(pem).transpose()?,
        }),
        _ => None,
    };
    Ok(BrokerConfig {
        listen: SocketAddr::from((arguments.host, arguments.port)),
        advertised_host: arguments.advertised_host,
        default_partitions: arguments.partitions.max(1),
        faults: arguments.fault,
        fault_seed: arguments.fault_seed,
        tls,
        sasl: arguments.users.as_deref().map(users).transpose()?,
        ..BrokerConfig::default()
    })
}

fn users(path: &Path) -> Result<SaslConfig> {
    let users = properties::read(path)?;
    if users.is_empty() {
        return Err(Error::config(format!("{} names no user; write NAME=PASSWORD lines", path.display())));
    }
    let users =
        users.iter().map(|(name, password)| (name.to_owned(), password.unwrap_or_default().to_owned()));
    Ok(SaslConfig { users: users.collect(), mechanisms: SaslMechanism::ALL.to_vec() })
}

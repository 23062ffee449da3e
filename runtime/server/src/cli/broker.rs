//! `lavka broker`.

use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;

use lavka_api::Result;
use lavka_devbroker::{Broker, BrokerConfig};
use lavka_telemetry::log::{LogConfig, init};

pub(super) fn run(host: IpAddr, port: u16) -> Result<ExitCode> {
    init(&LogConfig::default());
    super::runtime()?.block_on(async {
        let config = BrokerConfig { listen: SocketAddr::from((host, port)), ..BrokerConfig::default() };
        let broker = Broker::start(config).await?;
        println!("bootstrap.servers={}", broker.bootstrap());
        println!("Records are kept in memory and are gone when it stops. End it with Ctrl-C.");
        tokio::signal::ctrl_c().await?;
        broker.shutdown().await;
        Ok(ExitCode::SUCCESS)
    })
}

//! Runs a broker until it is interrupted, for trying clients by hand:
//! `cargo run -p lavka-devbroker --example serve -- 9092`.

use std::net::{Ipv4Addr, SocketAddr};

use lavka_devbroker::{Broker, BrokerConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).map_or(Ok(0), |port| port.parse())?;
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let broker = Broker::start(BrokerConfig { listen, ..BrokerConfig::default() }).await?;
    println!("bootstrap.servers={}", broker.bootstrap());
    println!("cluster id {}; stop with Ctrl-C", broker.cluster_id());
    std::future::pending::<()>().await;
    Ok(())
}

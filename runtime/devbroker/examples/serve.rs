//! Runs a broker until it is interrupted, for trying clients by hand, with faults if there are any:
//! `cargo run -p lavka-devbroker --example serve -- 9092 delay:by=100ms,share=0.1 unclean-election:every=30s,lose=5`.

use std::net::{Ipv4Addr, SocketAddr};

use lavka_devbroker::{Broker, BrokerConfig, Fault};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().map_or(Ok(0), |port| port.parse())?;
    let faults: Vec<Fault> = arguments.map(|text| text.parse()).collect::<Result<_, _>>()?;
    for fault in &faults {
        println!("going wrong on purpose: {fault}");
    }
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let broker = Broker::start(BrokerConfig { listen, faults, ..BrokerConfig::default() }).await?;
    println!("bootstrap.servers={}", broker.bootstrap());
    println!("cluster id {}; stop with Ctrl-C", broker.cluster_id());
    std::future::pending::<()>().await;
    Ok(())
}

//! A network that is cut, and one that goes silent.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use lavka_testkit::{Postgres, PostgresConfig};

use crate::rig::{Running, Store, config, rows};

/// How often a carrier looks whether the network is still there.
const LOOK: Duration = Duration::from_millis(20);

/// Carries connections to a server.
struct Network {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// New connections are refused.
    down: AtomicBool,
    /// Connections up to this number are cut.
    cut: AtomicUsize,
    /// On connections up to this number nothing arrives any more, and nobody is told.
    silent: AtomicUsize,
    connections: AtomicUsize,
}

impl Network {
    fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.down.load(Relaxed) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let number = shared.connections.fetch_add(1, Relaxed) + 1;
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let shared = Arc::clone(&shared);
                    std::thread::spawn(move || carry(from, to, number, &shared));
                }
            }
        });
        Self { port, state }
    }

    /// Every connection ends, and none can be made.
    fn cut(&self) {
        self.state.down.store(true, Relaxed);
        self.state.cut.store(self.state.connections.load(Relaxed), Relaxed);
    }

    fn heal(&self) {
        self.state.down.store(false, Relaxed);
    }

    /// Every connection is dead without either end knowing; new ones work.
    fn lose(&self) {
        self.state.silent.store(self.state.connections.load(Relaxed), Relaxed);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, number: usize, state: &State) {
    from.set_read_timeout(Some(LOOK)).unwrap();
    let mut buffer = [0; 65536];
    loop {
        if number <= state.silent.load(Relaxed) {
            std::thread::sleep(LOOK);
            continue;
        }
        if number <= state.cut.load(Relaxed) {
            break;
        }
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                if to.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_goes_on_when_the_network_comes_back_and_when_it_went_silent() {
    let settings = vec!["wal_sender_timeout = '1s'".to_owned()];
    let server = Postgres::start(&PostgresConfig { settings, ..PostgresConfig::default() }).unwrap();
    server.sql("create table t (id int primary key)");
    let network = Network::to(server.port());
    let port = network.port.to_string();
    let config = config(&server, &[("database.port", &port), ("snapshot.mode", "no_data")]);
    let mut task = Running::start(&config, &Store::default()).await.unwrap();
    let next = async |task: &mut Running| {
        let records = task.take(1).await;
        task.commit(&records);
        rows(&records, "id").concat()
    };
    server.sql("insert into t values (1)");
    assert_eq!(next(&mut task).await, "c1");
    network.cut();
    server.sql("insert into t values (2)");
    // Nothing comes back before there is a network.
    assert!(tokio::time::timeout(Duration::from_secs(1), task.take(1)).await.is_err());
    network.heal();
    assert_eq!(next(&mut task).await, "c2");
    network.lose();
    server.sql("insert into t values (3)");
    assert_eq!(next(&mut task).await, "c3");
    task.stop().await;
}

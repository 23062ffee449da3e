//! libcoap's `coap-server`.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lavka_testkit::{cannot_run, free_port};
use tokio::time::sleep;

use crate::source::PATIENCE;

/// A server process: `/time` changes every second, `/example_data` when somebody writes it.
pub(crate) struct Server {
    pub(crate) port: u16,
    process: Child,
}

impl Server {
    /// Starts one on a port of its own; none where there is no such program.
    pub(crate) async fn start(test: &str) -> Option<Self> {
        Self::start_with(test, "coap-server-notls", free_port(), &[]).await
    }

    /// Starts `program` on `port`, where it answers.
    pub(crate) async fn start_with(test: &str, program: &str, port: u16, more: &[&str]) -> Option<Self> {
        let mut command = Command::new(program);
        command.args(["-A", "127.0.0.1", "-p", &port.to_string(), "-v", "3"]).args(more);
        match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
            Ok(process) => {
                let mut server = Self { port, process };
                let began = Instant::now();
                while server.get("time").await.is_none() {
                    let ended = server.process.try_wait().unwrap();
                    assert!(ended.is_none(), "{program} has ended: {ended:?}");
                    assert!(began.elapsed() < PATIENCE, "{program} does not answer");
                    sleep(Duration::from_millis(50)).await;
                }
                Some(server)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                cannot_run(test, "libcoap's coap-server (Debian: libcoap3-bin)");
                None
            }
            Err(error) => panic!("{program}: {error}"),
        }
    }

    pub(crate) fn uri(&self) -> String {
        format!("coap://127.0.0.1:{}", self.port)
    }

    /// What is at `path`.
    pub(crate) async fn get(&self, path: &str) -> Option<Vec<u8>> {
        let got = client(&["-B", "1", "-m", "get", &format!("{}/{path}", self.uri())]).await;
        (!got.is_empty()).then_some(got)
    }

    /// Writes `value` to `/example_data`.
    pub(crate) async fn put(&self, value: &str) {
        client(&["-m", "put", "-e", value, &format!("{}/example_data", self.uri())]).await;
    }
}

async fn client(arguments: &[&str]) -> Vec<u8> {
    let mut command = Command::new("coap-client-notls");
    command.args(["-v", "2"]).args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap().stdout
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

//! A worker with its REST API in this process.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use lavka_api::config::Config;
use lavka_api::plugin::Catalogue;
use lavka_rest::{BoundRest, Membership, RestConfig, RestServer};
use lavka_telemetry::log::{LogConfig, LogControl};
use lavka_telemetry::metrics::Metrics;
use lavka_testkit::{RestAnswer, RestClient, TempDir, eventually, temp_dir};
use lavka_worker::config::WorkerConfig;
use lavka_worker::{Worker, WorkerHandle, WorkerParts};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::cluster::MemoryCluster;
use crate::plugins;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Everything that was logged in this process, of every level.
pub(crate) fn log() -> String {
    String::from_utf8_lossy(&LOG.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}

struct Capture;

impl Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logs() -> LogControl {
    static CAPTURED: Once = Once::new();
    CAPTURED.call_once(|| {
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
        subscriber.with_ansi(false).with_writer(|| Capture).init();
    });
    lavka_telemetry::log::init(&LogConfig::default())
}

/// A standalone worker. It stops when it is dropped.
pub(crate) struct Server {
    client: RestClient,
    pub(crate) admin: Option<RestClient>,
    pub(crate) worker_id: String,
    pub(crate) cluster: Arc<MemoryCluster>,
    pub(crate) handle: WorkerHandle,
    running: Option<(Worker, RestServer)>,
    runtime: Runtime,
    _folder: TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// With these worker keys besides those that it has to have.
    pub(crate) fn with(extra: &[(&str, &str)]) -> Self {
        Self::of(extra, None)
    }

    /// One of several workers.
    pub(crate) fn member(membership: Arc<dyn Membership>) -> Self {
        Self::of(&[], Some(membership))
    }

    fn of(extra: &[(&str, &str)], membership: Option<Arc<dyn Membership>>) -> Self {
        let logs = logs();
        let folder = temp_dir();
        let mut config = Config::from([
            ("key.converter", plugins::CONVERTER.to_owned()),
            ("value.converter", plugins::CONVERTER.into()),
            ("listeners", "http://127.0.0.1:0".into()),
            ("offset.storage.file.filename", folder.path().join("offsets").display().to_string()),
            ("offset.flush.interval.ms", "100".into()),
            ("task.shutdown.graceful.timeout.ms", "2000".into()),
        ]);
        for (key, value) in extra {
            config.set(*key, *value);
        }
        let catalogue = Catalogue::new(plugins::plugins());
        let config = WorkerConfig::resolving(&config, &catalogue).unwrap();
        let cluster = Arc::new(MemoryCluster::default());
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (worker, rest, worker_id) = runtime.block_on(async {
            let rest = BoundRest::bind(RestConfig::of(&config.keys).unwrap()).await.unwrap();
            let worker_id = rest.worker_id();
            let parts = WorkerParts {
                catalogue: Arc::new(catalogue),
                cluster: Arc::<MemoryCluster>::clone(&cluster),
                metrics: Metrics::new(),
                worker_id: worker_id.clone(),
                commit: "Unknown".into(),
            };
            let worker = Worker::start(config, parts).unwrap();
            let rest = match membership {
                Some(membership) => rest.serve_member(worker.handle(), membership, Some(logs)),
                None => rest.serve(worker.handle(), Some(logs)),
            };
            (worker, rest, worker_id)
        });
        let client = |address| RestClient::new(format!("http://{address}"));
        Self {
            client: client(rest.local_addrs()[0]),
            admin: rest.local_addrs().get(1).map(|address| client(*address)),
            worker_id,
            cluster,
            handle: worker.handle(),
            running: Some((worker, rest)),
            runtime,
            _folder: folder,
        }
    }

    /// Ends worker and REST API, as the binary does.
    pub(crate) fn stop(&mut self) {
        if let Some((worker, rest)) = self.running.take() {
            self.runtime.block_on(async {
                worker.shutdown().await;
                rest.shutdown().await;
            });
        }
    }

    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub(crate) fn spawn(
        &self,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> tokio::task::JoinHandle<()> {
        self.runtime.spawn(work)
    }

    pub(crate) fn client(&self) -> &RestClient {
        &self.client
    }

    /// Creates a connector of this configuration; it has to be taken.
    #[track_caller]
    pub(crate) fn create(&self, name: &str, config: &Value) -> RestAnswer {
        let answer = self.client.post("/connectors", &json!({ "name": name, "config": config }));
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer
    }

    pub(crate) fn status(&self, name: &str) -> Value {
        self.client.get(&format!("/connectors/{name}/status")).body
    }

    /// Waits until `holds` of the status of a connector.
    pub(crate) fn wait_for(&self, what: &str, name: &str, holds: impl Fn(&Value) -> bool) -> Value {
        eventually(what, PATIENCE, || Some(self.status(name)).filter(&holds))
    }

    /// Waits until the connector and `tasks` tasks are in `state`.
    pub(crate) fn wait_for_state(&self, name: &str, state: &str, tasks: usize) -> Value {
        self.wait_for(&format!("{name} to be {state}"), name, |status| {
            let listed = status["tasks"].as_array().map_or(&[][..], Vec::as_slice);
            status["connector"]["state"] == state
                && listed.len() == tasks
                && listed.iter().all(|task| task["state"] == state)
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Checks status and message of an error.
#[track_caller]
pub(crate) fn refused(answer: &RestAnswer, status: u16, message: &str) {
    let expected = json!({ "error_code": status, "message": message });
    assert_eq!((answer.status, answer.text.as_str()), (status, expected.to_string().as_str()));
}

/// Checks status and a part of the message of an error.
#[track_caller]
pub(crate) fn refused_with(answer: &RestAnswer, status: u16, part: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.body["error_code"], status, "{}", answer.text);
    let message = answer.body["message"].as_str().unwrap_or_default();
    assert!(message.contains(part), "{message:?} does not contain {part:?}");
}

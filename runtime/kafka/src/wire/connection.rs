//! One connection to one broker.
//!
//! A broker answers the requests of a connection in their order, so what is outstanding is a queue. Two tasks own the
//! halves of the stream; callers hand frames to the writer and wait for the reader. Whatever goes wrong ends the
//! connection and everything outstanding: who called asks for another connection.

use std::collections::{HashMap, VecDeque};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};
use kafka_protocol::protocol::{Request, StrBytes, VersionRange};
use lavka_api::{Error, ErrorClass, Result};
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::AbortHandle;

use super::frame;
use super::sasl;
use super::stream::Stream;
use crate::failure;
use crate::settings::{Endpoint, WireSettings};

/// Requests outstanding at one time; more wait their turn.
const MAX_OUTSTANDING: usize = 32;

const UNSUPPORTED_VERSION: i16 = 35;

/// A connection that is ready for requests.
pub(crate) struct Connection {
    broker: Endpoint,
    client_id: String,
    timeout: Duration,
    requests: mpsc::Sender<Outgoing>,
    permits: Arc<Semaphore>,
    next: AtomicI32,
    shared: Arc<Shared>,
    tasks: [AbortHandle; 2],
    versions: HashMap<i16, VersionRange>,
    /// When the broker wants to be told again who we are; a new connection is opened instead.
    expires: Option<Instant>,
}

struct Outgoing {
    correlation: i32,
    frame: Bytes,
    reply: oneshot::Sender<Bytes>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<VecDeque<(i32, oneshot::Sender<Bytes>)>>,
    closed: AtomicBool,
    reason: Mutex<Option<String>>,
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<(i32, oneshot::Sender<Bytes>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connection; the first reason given is the one that is told.
    fn close(&self, reason: impl ToString) {
        {
            let mut slot = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
            slot.get_or_insert_with(|| reason.to_string());
        }
        self.closed.store(true, Ordering::Release);
        // Whoever waits learns by the dropped sender.
        self.waiting().clear();
    }

    fn reason(&self) -> String {
        let slot = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        slot.clone().unwrap_or_else(|| "it was closed".into())
    }
}

impl Connection {
    /// Connects, learns what the broker speaks and authenticates.
    ///
    /// # Errors
    /// Retriable where the broker cannot be reached, fatal where it rejects us or we it.
    pub(super) async fn open(broker: &Endpoint, settings: &WireSettings) -> Result<Self> {
        let stream = Stream::open(broker, settings).await?;
        let (read, write) = tokio::io::split(stream);
        let (requests, outgoing) = mpsc::channel(MAX_OUTSTANDING);
        let shared = Arc::new(Shared::default());
        let reader = tokio::spawn(read_frames(read, Arc::clone(&shared))).abort_handle();
        let writer = tokio::spawn(write_frames(write, outgoing, Arc::clone(&shared))).abort_handle();
        let mut connection = Self {
            broker: broker.clone(),
            client_id: settings.client_id.clone(),
            timeout: settings.request_timeout,
            requests,
            permits: Arc::new(Semaphore::new(MAX_OUTSTANDING)),
            next: AtomicI32::new(0),
            shared,
            tasks: [reader, writer],
            versions: HashMap::new(),
            expires: None,
        };
        // What nobody has told us yet is taken for spoken.
        connection.versions.insert(ApiKey::ApiVersions as i16, VersionRange { min: 0, max: i16::MAX });
        let offered = connection.ask_versions().await?;
        connection.versions = offered
            .api_keys
            .iter()
            .map(|api| (api.api_key, VersionRange { min: api.min_version, max: api.max_version }))
            .collect();
        if let Some(sasl) = &settings.security.sasl {
            let lifetime = sasl::authenticate(&connection, sasl).await?;
            // With a tenth to spare, so that no request meets a session that has just ended.
            connection.expires = lifetime.and_then(|lifetime| Instant::now().checked_add(lifetime / 10 * 9));
        }
        Ok(connection)
    }

    /// A broker that does not know our newest version answers in the oldest, with what it knows (KIP-511).
    async fn ask_versions(&self) -> Result<ApiVersionsResponse> {
        let request = |_| {
            ApiVersionsRequest::default()
                .with_client_software_name(StrBytes::from_static_str("lavka"))
                .with_client_software_version(StrBytes::from_static_str(lavka_api::LAVKA_VERSION))
        };
        let newest = 3;
        let frame = self.exchange(&request(newest), newest).await?;
        let answer = frame::decode::<ApiVersionsRequest>(frame.clone(), newest)
            .or_else(|_| frame::decode::<ApiVersionsRequest>(frame, 0))
            .map_err(|detail| self.malformed::<ApiVersionsRequest>(&detail))?;
        let answer = if answer.error_code == UNSUPPORTED_VERSION {
            self.call(0..=0, |_| ApiVersionsRequest::default()).await?
        } else {
            answer
        };
        match answer.error_code {
            0 => Ok(answer),
            code => {
                Err(failure::protocol(code, &format!("{} does not say what it speaks", self.broker), None))
            }
        }
    }

    /// The broker at the other end.
    pub(crate) fn broker(&self) -> &Endpoint {
        &self.broker
    }

    /// Whether it can still be used.
    pub(crate) fn is_open(&self) -> bool {
        !self.shared.closed.load(Ordering::Acquire)
            && self.expires.is_none_or(|expires| Instant::now() < expires)
    }

    /// Sends the request that `build` makes for the newest version in `versions` that both ends speak, and waits for
    /// its answer for `request.timeout.ms`.
    ///
    /// # Errors
    /// Retriable where the connection is lost or no answer comes in time; fatal where there is no common version or the
    /// answer cannot be read. Error codes inside of the answer are the caller's.
    pub(crate) async fn call<R: Request>(
        &self,
        versions: RangeInclusive<i16>,
        build: impl FnOnce(i16) -> R,
    ) -> Result<R::Response> {
        let version = self.version::<R>(&versions)?;
        let frame = self.exchange(&build(version), version).await?;
        frame::decode::<R>(frame, version).map_err(|detail| self.malformed::<R>(&detail))
    }

    fn version<R: Request>(&self, wanted: &RangeInclusive<i16>) -> Result<i16> {
        let offered = self.versions.get(&R::KEY).copied().unwrap_or(VersionRange { min: 0, max: -1 });
        let ours = R::VERSIONS.intersect(&VersionRange { min: *wanted.start(), max: *wanted.end() });
        let common = ours.intersect(&offered);
        if common.is_empty() {
            let has = if offered.is_empty() {
                "it does not know the request".into()
            } else {
                format!("it has {offered}")
            };
            return Err(failure::protocol(
                UNSUPPORTED_VERSION,
                &format!("{} cannot be asked for {} in version {ours}, {has}", self.broker, api_name::<R>()),
                None,
            ));
        }
        Ok(common.max)
    }

    fn malformed<R: Request>(&self, detail: &str) -> Error {
        self.shared.close("it sent what cannot be read");
        Error::fatal(format!(
            "{} answered {} with what cannot be read: {detail}",
            self.broker,
            api_name::<R>()
        ))
    }

    fn lost(&self) -> Error {
        Error::new(
            ErrorClass::Retriable,
            "org.apache.kafka.common.errors.NetworkException",
            format!("The connection to {} was lost: {}", self.broker, self.shared.reason()),
        )
    }

    async fn exchange<R: Request>(&self, request: &R, version: i16) -> Result<Bytes> {
        let correlation = self.next.fetch_add(1, Ordering::Relaxed) & i32::MAX;
        let frame = frame::encode(request, version, correlation, &self.client_id).map_err(|detail| {
            Error::fatal(format!("{} cannot be asked for {}: {detail}", self.broker, api_name::<R>()))
        })?;
        let answer = async {
            let _permit = self.permits.acquire().await.map_err(|_| self.lost())?;
            let (reply, answer) = oneshot::channel();
            self.requests.send(Outgoing { correlation, frame, reply }).await.map_err(|_| self.lost())?;
            answer.await.map_err(|_| self.lost())
        };
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(outcome) => outcome,
            Err(_) => {
                // Java gives a connection up where a request times out: what comes after it would wait as long.
                self.shared.close("a request timed out");
                let millis = self.timeout.as_millis();
                let text = format!("{} did not answer {} within {millis} ms", self.broker, api_name::<R>());
                Err(Error::new(ErrorClass::Retriable, failure::TIMEOUT, text))
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn api_name<R: Request>() -> String {
    ApiKey::try_from(R::KEY).map_or_else(|()| format!("API {}", R::KEY), |key| format!("{key:?}"))
}

async fn write_frames(
    mut stream: WriteHalf<Stream>,
    mut outgoing: mpsc::Receiver<Outgoing>,
    shared: Arc<Shared>,
) {
    while let Some(Outgoing { correlation, frame, reply }) = outgoing.recv().await {
        shared.waiting().push_back((correlation, reply));
        // The connection may have ended between the check and the push: then nobody clears the queue any more.
        if shared.closed.load(Ordering::Acquire) {
            shared.waiting().clear();
            break;
        }
        let written = async {
            stream.write_all(&frame).await?;
            stream.flush().await
        };
        if let Err(error) = written.await {
            shared.close(error);
            break;
        }
    }
    let _ = stream.shutdown().await;
}

async fn read_frames(mut stream: ReadHalf<Stream>, shared: Arc<Shared>) {
    loop {
        let frame = match frame::read(&mut stream).await {
            Ok(Some(frame)) => frame,
            Ok(None) => return shared.close("the broker closed it"),
            Err(error) => return shared.close(error),
        };
        let first = shared.waiting().pop_front();
        match (frame::correlation(&frame), first) {
            (Some(answered), Some((asked, reply))) if answered == asked => {
                // Whoever asked may have given up meanwhile.
                let _ = reply.send(frame);
            }
            _ => return shared.close("it sent an answer to nothing that was asked"),
        }
    }
}

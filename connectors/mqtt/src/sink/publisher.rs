//! The task that owns the sink's connection: connects, publishes batches, connects again.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use lavka_api::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::outbox::{Fate, Outbox};
use crate::environment::Environment;
use crate::link::{self, Denial, Event, Events, Requests};
use crate::message::{LARGEST_PACKET, Publication};
use crate::reconnect::{End, FAREWELL, Serve, keep_connected, told, until};
use crate::refusal::Cause;
use crate::server::Server;
use crate::settings::Settings;

/// How long a batch may take before what is left of it is given back.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait for a connection before the batch is given back.
const CONNECTING: Duration = Duration::from_secs(3);

/// A running connection. Dropping it breaks it off.
pub(crate) struct Publisher {
    orders: mpsc::Sender<Order>,
    standing: watch::Receiver<Standing>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// What became of a batch.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Of each message; none where that is not known.
    pub(crate) fates: Vec<Option<Fate>>,
    /// Why not all is known.
    pub(crate) trouble: Option<String>,
}

struct Order {
    publications: Vec<Publication>,
    answer: oneshot::Sender<Outcome>,
}

/// How the connection stands.
#[derive(Clone)]
enum Standing {
    /// There is none now, and why if that is known.
    Down(Option<String>),
    Up,
    /// There will be none.
    Failed(Error),
}

impl Publisher {
    /// Starts to connect, on the runtime of the caller.
    pub(crate) fn start(settings: Settings, environment: Environment) -> Self {
        let (stop, stopping) = watch::channel(false);
        let (stands, standing) = watch::channel(Standing::Down(None));
        let (orders, taken) = mpsc::channel(1);
        let driver = Driver {
            settings: Arc::new(settings),
            environment,
            stopping,
            stands,
            orders: taken,
            goodbye: None,
        };
        Self { orders, standing, stop, task: tokio::spawn(driver.run()) }
    }

    /// Why there will be no connection, if there will be none.
    pub(crate) fn failure(&self) -> Option<Error> {
        if let Standing::Failed(error) = &*self.standing.borrow() {
            return Some(error.clone());
        }
        self.task
            .is_finished()
            .then(|| Error::fatal("The MQTT connection ended unexpectedly; restart the task"))
    }

    /// Publishes a batch in order and waits for its fate, within bounded time. Where this future is dropped, messages may
    /// still arrive at the server.
    ///
    /// # Errors
    /// Why there will be no connection.
    pub(crate) async fn publish(&mut self, publications: Vec<Publication>) -> Result<Outcome, Error> {
        let count = publications.len();
        let unknown = |trouble: String| Outcome { fates: vec![None; count], trouble: Some(trouble) };
        let up = self.standing.wait_for(|standing| !matches!(standing, Standing::Down(_)));
        let waited = timeout(CONNECTING, up).await.is_ok();
        if let Some(failure) = self.failure() {
            return Err(failure);
        }
        if !waited {
            return Ok(unknown(self.trouble()));
        }
        let (answer, outcome) = oneshot::channel();
        let order = Order { publications, answer };
        if timeout(CONNECTING, self.orders.send(order)).await.is_err() {
            return Ok(unknown(self.trouble()));
        }
        match timeout(PATIENCE + CONNECTING, outcome).await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(_)) | Err(_) => match self.failure() {
                Some(failure) => Err(failure),
                None => Ok(unknown(self.trouble())),
            },
        }
    }

    fn trouble(&self) -> String {
        match &*self.standing.borrow() {
            Standing::Down(Some(why)) => why.clone(),
            _ => "There is no connection to the MQTT server".to_owned(),
        }
    }

    /// Says good-bye and ends, within bounded time.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        let _ = timeout(FAREWELL * 2, &mut self.task).await;
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Driver {
    settings: Arc<Settings>,
    environment: Environment,
    stopping: watch::Receiver<bool>,
    stands: watch::Sender<Standing>,
    orders: mpsc::Receiver<Order>,
    /// Until when the server may take its leave, once we have said good-bye.
    goodbye: Option<Instant>,
}

/// A connection that stands.
struct Line {
    since: Instant,
    outbox: Outbox,
    /// Who waits for the batch, and until when.
    waiting: Option<(oneshot::Sender<Outcome>, Instant)>,
    /// Whether anything was written or answered since the batch began.
    progress: bool,
}

impl Line {
    fn new(since: Instant, outbox: Outbox) -> Self {
        Self { since, outbox, waiting: None, progress: false }
    }

    /// Takes an order, unless nobody waits for it any more.
    fn begin(&mut self, order: Order, now: Instant) {
        if !order.answer.is_closed() {
            self.outbox.begin(order.publications);
            self.waiting = Some((order.answer, now + PATIENCE));
            self.progress = false;
        }
    }

    /// The oldest QoS 0 message was written.
    fn written(&mut self) {
        self.outbox.written();
        self.progress = true;
    }

    /// The server has answered for a message.
    fn settled(&mut self, packet_id: u16, answer: Result<(), Denial>) {
        self.outbox.settled(packet_id, answer);
        self.progress = true;
    }

    /// Answers where all is known, or the time is over, or nobody waits.
    ///
    /// # Errors
    /// The server took nothing in all that time: what it leaves unanswered would keep its place in the window for ever.
    fn answer(&mut self, now: Instant) -> Result<(), Cause> {
        let Some((answer, until)) = &self.waiting else { return Ok(()) };
        let late = now >= *until;
        let fates = match self.outbox.finished() {
            Some(fates) => fates,
            None if late || answer.is_closed() => self.outbox.give_up(),
            None => return Ok(()),
        };
        let trouble = late.then(|| {
            format!("The MQTT server did not answer for all messages within {} s", PATIENCE.as_secs())
        });
        self.tell(Outcome { fates, trouble });
        if late && !self.progress && self.outbox.has_open() {
            return Err(Cause::Passing("the server left messages unanswered".into()));
        }
        Ok(())
    }

    /// The connection is gone.
    fn lost(&mut self, why: &str) {
        let fates = self.outbox.give_up();
        self.tell(Outcome { fates, trouble: Some(why.to_owned()) });
    }

    fn tell(&mut self, outcome: Outcome) {
        if let Some((answer, _)) = self.waiting.take() {
            // Nobody may wait any more.
            let _ = answer.send(outcome);
        }
    }
}

impl Serve for Driver {
    async fn serve(&mut self, server: &Server) -> End {
        let settings = Arc::clone(&self.settings);
        let (requests, mut events) = link::open(&settings, server);
        let mut line: Option<Line> = None;
        loop {
            let Some(event) = self.next_event(&requests, &mut events, &mut line).await else {
                return End::Stopped;
            };
            if self.goodbye.is_some() {
                // The server closes the connection when it has read the good-bye.
                if event.is_err() {
                    return End::Stopped;
                }
                continue;
            }
            match (event, &mut line) {
                (Err(cause), line) => {
                    if let Some(line) = line {
                        line.lost(&format!("The connection to the MQTT server {server} was lost"));
                    }
                    return End::Lost(cause, line.as_ref().map(|line| line.since.elapsed()));
                }
                (Ok(Event::Connected { receive_maximum, max_packet, .. }), _) => {
                    let window =
                        receive_maximum.map_or(settings.outgoing, |most| most.min(settings.outgoing));
                    let max_packet = max_packet.and_then(|most| usize::try_from(most).ok());
                    let max_packet = max_packet.unwrap_or(LARGEST_PACKET);
                    let outbox = Outbox::new(window.into(), max_packet);
                    line = Some(Line::new(Instant::now(), outbox));
                    tracing::info!(
                        task = %settings.task,
                        client = settings.client_id,
                        "connected to the MQTT server {server}, MQTT {}", settings.version_name()
                    );
                    self.stands.send_replace(Standing::Up);
                }
                (Ok(Event::Written), Some(line)) => line.written(),
                (Ok(Event::Settled(packet_id, answer)), Some(line)) => line.settled(packet_id, answer),
                (Ok(_), _) => {}
            }
        }
    }

    fn lost(&mut self, why: String) {
        self.stands.send_replace(Standing::Down(Some(why)));
    }

    fn failed(&mut self, error: Error) {
        self.stands.send_replace(Standing::Failed(error));
    }
}

impl Driver {
    async fn run(mut self) {
        let (settings, stopping) = (Arc::clone(&self.settings), self.stopping.clone());
        let environment = self.environment;
        keep_connected(&mut self, &settings, environment, stopping).await;
    }

    /// Drives the connection to its next event, taking orders and handing out messages meanwhile; none where it is time to
    /// end.
    async fn next_event(
        &mut self,
        requests: &Requests,
        events: &mut Events,
        line: &mut Option<Line>,
    ) -> Option<Result<Event, Cause>> {
        let mut silence = pin!(sleep(events.patience()));
        let mut next = pin!(events.next(self.environment.now));
        loop {
            if *self.stopping.borrow() && self.goodbye.is_none() {
                if line.is_none() || !requests.disconnect() {
                    return None;
                }
                self.goodbye = Some(Instant::now() + FAREWELL);
            }
            let leaving = self.goodbye.is_some();
            let mut deadline = self.goodbye;
            let mut free = false;
            if let Some(line) = line.as_mut().filter(|_| !leaving) {
                line.outbox.feed(|publication| requests.publish(publication));
                if let Err(cause) = line.answer(Instant::now()) {
                    return Some(Err(cause));
                }
                deadline = line.waiting.as_ref().map(|(_, until)| *until);
                free = line.waiting.is_none();
            }
            tokio::select! {
                biased;
                event = &mut next => return Some(event),
                order = self.orders.recv(), if free => match (order, line.as_mut()) {
                    (Some(order), Some(line)) => line.begin(order, Instant::now()),
                    _ => return None,
                },
                () = told(&mut self.stopping), if !leaving => {}
                () = until(deadline), if deadline.is_some() => if leaving { return None },
                () = &mut silence => return Some(Err(Cause::Passing("the server fell silent".into()))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Qos;

    fn order(count: usize) -> (Order, oneshot::Receiver<Outcome>) {
        let publication = || Publication {
            topic: "t".into(),
            payload: (&[1]).into(),
            qos: Qos::ExactlyOnce,
            retain: false,
            properties: None,
        };
        let (answer, outcome) = oneshot::channel();
        (Order { publications: (0..count).map(|_| publication()).collect(), answer }, outcome)
    }

    /// As Mosquitto does with QoS 2 messages beyond its limit: it answers for the first ones and drops the others.
    #[test]
    fn a_server_that_leaves_messages_unanswered_loses_its_connection() {
        let begun = Instant::now();
        let mut line = Line::new(begun, Outbox::new(2, 1000));
        let mut id = 0;
        let mut send = |_: &Publication| {
            id += 1;
            Some(id)
        };
        let (first, outcome) = order(3);
        line.begin(first, begun);
        line.outbox.feed(&mut send);
        line.settled(1, Ok(()));
        line.outbox.feed(&mut send);
        assert!(line.answer(begun + PATIENCE / 2).is_ok() && line.waiting.is_some());
        // It took something: that may be slow, and the next batch will tell.
        assert!(line.answer(begun + PATIENCE).is_ok());
        assert_eq!(outcome.blocking_recv().unwrap().fates, [Some(Fate::Taken), None, None]);
        let (second, outcome) = order(2);
        line.begin(second, begun + PATIENCE);
        line.outbox.feed(&mut send);
        assert!(line.answer(begun + PATIENCE).is_ok());
        let ended = line.answer(begun + PATIENCE * 2).unwrap_err();
        assert!(matches!(ended, Cause::Passing(text) if text.contains("unanswered")));
        let outcome = outcome.blocking_recv().unwrap();
        assert!(outcome.fates == [None, None] && outcome.trouble.is_some());
    }

    /// Between batches, and where nobody waits any more, nothing is the server's fault.
    #[test]
    fn a_connection_without_a_late_batch_stays() {
        let begun = Instant::now();
        let mut line = Line::new(begun, Outbox::new(2, 1000));
        assert!(line.answer(begun + PATIENCE * 9).is_ok());
        let (one, outcome) = order(1);
        line.begin(one, begun);
        line.outbox.feed(|_| Some(1));
        drop(outcome);
        assert!(line.answer(begun).is_ok() && line.waiting.is_none());
        assert!(line.outbox.has_open());
    }
}

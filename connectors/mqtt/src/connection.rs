//! The task that owns the connection: connects, subscribes, reads, acknowledges, connects again.

use std::pin::pin;
use std::sync::Arc;

use lavka_api::Error;
use lavka_api::plugin::Counter;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::environment::{Environment, Throttle};
use crate::exchange::Exchange;
use crate::filter::matches;
use crate::link::{self, Denial, Event, Events, Requests};
use crate::message::Message;
use crate::reconnect::{End, FAREWELL, Serve, keep_connected, told, until};
use crate::refusal::Cause;
use crate::server::Server;
use crate::settings::Settings;

/// Events that are taken before acknowledgements are looked at again.
const STREAK: usize = 256;

/// A running connection. Dropping it breaks it off; the server notices and keeps the session, if it is a kept one.
pub(crate) struct Connection {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Connection {
    /// Starts to connect, on the runtime of the caller.
    /// Messages that have to be thrown away are counted in `dropped`.
    pub(crate) fn start(
        settings: Settings,
        exchange: Arc<Exchange>,
        environment: Environment,
        dropped: Counter,
    ) -> Self {
        let (stop, stopping) = watch::channel(false);
        let driver = Driver {
            settings: Arc::new(settings),
            exchange,
            environment,
            stopping,
            server: None,
            subscribed: false,
            inherited: false,
            dropped,
            drops: Throttle::default(),
            pauses: Throttle::default(),
        };
        Self { stop, task: tokio::spawn(driver.run()) }
    }

    /// Takes no more messages, sends the acknowledgements that are due, says good-bye and ends, within bounded time.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        // Bounded from within by FAREWELL; the second bound is for a connection that hangs in the middle of a write.
        let _ = timeout(FAREWELL * 2, &mut self.task).await;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reports a panic of the driver, which would otherwise leave `poll` waiting for ever.
struct Watch(Arc<Exchange>);

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(Error::fatal(
                "The MQTT connection ended by a panic; restart the task and report the log",
            ));
        }
    }
}

struct Driver {
    settings: Arc<Settings>,
    exchange: Arc<Exchange>,
    environment: Environment,
    stopping: watch::Receiver<bool>,
    /// Who accepted the last connection: sessions are of one server each.
    server: Option<Server>,
    /// Whether that server confirmed our subscriptions in this run; where it still has the session, it has them too.
    subscribed: bool,
    /// Whether the session is of an earlier run, and may hold subscriptions that are no longer configured.
    inherited: bool,
    /// Messages that were thrown away for want of room.
    dropped: Counter,
    drops: Throttle,
    pauses: Throttle,
}

/// How far a connection is.
#[derive(Clone, Copy)]
enum Stage {
    Connecting,
    Up {
        since: Instant,
    },
    /// What is due is being sent; messages that still arrive are left to the server.
    Leaving {
        deadline: Instant,
        said_goodbye: bool,
    },
}

impl Serve for Driver {
    async fn serve(&mut self, server: &Server) -> End {
        let settings = Arc::clone(&self.settings);
        let (requests, mut events) = link::open(&settings, server);
        let mut stage = Stage::Connecting;
        let mut streak = 0;
        loop {
            if matches!(stage, Stage::Up { .. }) && !self.exchange.has_room() {
                self.wait_for_room().await;
            }
            // What has been read already is taken without ado; in between, what is due is sent.
            let ready = if streak < STREAK { events.ready(self.environment.now) } else { None };
            let event = match ready {
                Some(event) => {
                    streak += 1;
                    event
                }
                None => {
                    streak = 0;
                    let next = self.next_event(&requests, &mut events, &mut stage).await;
                    let Some(event) = next else { return End::Stopped };
                    event
                }
            };
            let lifetime = match stage {
                Stage::Connecting => None,
                Stage::Up { since } => Some(since.elapsed()),
                Stage::Leaving { .. } if event.is_err() => return End::Stopped,
                Stage::Leaving { .. } => continue,
            };
            let taken = match event {
                Err(cause) => Err(cause),
                Ok(Event::Message(message)) => {
                    self.take(message);
                    Ok(())
                }
                Ok(Event::Connected { session_present, session_expiry, .. }) => {
                    stage = Stage::Up { since: Instant::now() };
                    let same = self.meets(server);
                    self.warn_of_short_session(server, session_expiry);
                    self.connected(server, session_present, same, &requests)
                }
                Ok(Event::Subscribed(answers)) => self.subscribed(&answers),
                Ok(Event::Written | Event::Settled(..) | Event::Other) => Ok(()),
            };
            if let Err(cause) = taken {
                return End::Lost(cause, lifetime);
            }
        }
    }

    /// Its text is logged; nobody else asks.
    fn lost(&mut self, _why: String) {}

    fn failed(&mut self, error: Error) {
        self.exchange.fail(error);
    }
}

impl Driver {
    async fn run(mut self) {
        let _watch = Watch(Arc::clone(&self.exchange));
        let (settings, stopping) = (Arc::clone(&self.settings), self.stopping.clone());
        let environment = self.environment;
        keep_connected(&mut self, &settings, environment, stopping).await;
    }

    /// Drives the connection to its next event, sending acknowledgements as they become due; none where it is time to
    /// end.
    ///
    /// After [`Events::patience`] without any event the connection counts as lost. A server that neither answers pings nor lets
    /// us write would otherwise be noticed by TCP alone, after a quarter of an hour.
    async fn next_event(
        &mut self,
        requests: &Requests,
        events: &mut Events,
        stage: &mut Stage,
    ) -> Option<Result<Event, Cause>> {
        let mut silence = pin!(sleep(events.patience()));
        let mut next = pin!(events.next(self.environment.now));
        loop {
            if *self.stopping.borrow() {
                match stage {
                    Stage::Connecting => return None,
                    Stage::Up { .. } => {
                        *stage = Stage::Leaving { deadline: Instant::now() + FAREWELL, said_goodbye: false };
                    }
                    Stage::Leaving { deadline, .. } if Instant::now() >= *deadline => return None,
                    Stage::Leaving { .. } => {}
                }
            }
            let all_sent = matches!(stage, Stage::Connecting)
                || self.exchange.send_acks(|ack| requests.acknowledge(ack));
            if let Stage::Leaving { said_goodbye, .. } = stage
                && all_sent
                && !*said_goodbye
            {
                // The server closes the connection when it has read this, and with it everything before.
                *said_goodbye = requests.disconnect();
            }
            let deadline = match stage {
                Stage::Leaving { deadline, .. } => Some(*deadline),
                Stage::Connecting | Stage::Up { .. } => None,
            };
            tokio::select! {
                biased;
                event = &mut next => return Some(event),
                () = self.exchange.ack_due() => {}
                () = told(&mut self.stopping), if deadline.is_none() => {}
                () = until(deadline), if deadline.is_some() => return None,
                () = &mut silence => return Some(Err(Cause::Passing("the server fell silent".into()))),
            }
        }
    }

    /// Whether it is the server of the last connection. Another one has a session of its own, if any, in which nothing is
    /// known to be subscribed.
    fn meets(&mut self, server: &Server) -> bool {
        let same = self.server.as_ref() == Some(server);
        if !same {
            self.server = Some(server.clone());
            self.subscribed = false;
        }
        same
    }

    /// The server accepted the connection: settles what became of the session, and subscribes where that is needed.
    /// `same`: it is the server of the connection before.
    fn connected(
        &mut self,
        server: &Server,
        session_present: bool,
        same: bool,
        requests: &Requests,
    ) -> Result<(), Cause> {
        let settings = &self.settings;
        let again = self.exchange.connected(session_present && same);
        tracing::info!(
            task = %settings.task,
            client = settings.client_id,
            session_present,
            "connected to the MQTT server {server}, MQTT {}", settings.version_name()
        );
        if again > 0 {
            tracing::debug!(task = %settings.task, "{again} messages wait to be sent again by the server");
        }
        if session_present {
            if self.subscribed {
                return Ok(());
            }
            self.inherited = true;
        } else if self.subscribed && !settings.clean_session {
            tracing::warn!(
                task = %settings.task,
                "the MQTT server {server} has lost the session of client {}; messages that it kept may be lost too",
                settings.client_id
            );
        }
        self.inherited &= session_present;
        self.subscribed = false;
        if requests.subscribe(settings) {
            Ok(())
        } else {
            Err(Cause::Passing("the subscription could not be sent".into()))
        }
    }

    /// A server that keeps sessions for a shorter time than asked for loses messages while the task is away for longer.
    fn warn_of_short_session(&mut self, server: &Server, granted: Option<u32>) {
        let asked = self.settings.v5.map_or(0, |v5| v5.session_expiry);
        if let Some(granted) = granted.filter(|granted| *granted < asked)
            && !self.subscribed
        {
            tracing::warn!(
                task = %self.settings.task,
                "the MQTT server {server} keeps the session of client {} for {granted} s, not for the {asked} s of \
                 lavka.mqtt.session.expiry.seconds; what arrives while the task is away for longer is lost",
                self.settings.client_id
            );
        }
    }

    /// The server answered our subscriptions.
    fn subscribed(&mut self, answers: &[Result<u8, Denial>]) -> Result<(), Cause> {
        for (filter, answer) in self.settings.filters.iter().zip(answers) {
            match answer {
                Err(Denial { words, for_good }) => {
                    let (filter, words) = (filter.clone(), words.clone());
                    return Err(Cause::Subscription { filter, words, for_good: *for_good });
                }
                Ok(granted) if i32::from(*granted) < self.settings.qos.number() => tracing::warn!(
                    task = %self.settings.task,
                    "the MQTT server grants {filter} QoS {granted} only, mqtt.qos is {}",
                    self.settings.qos.number()
                ),
                Ok(_) => {}
            }
        }
        self.subscribed = true;
        Ok(())
    }

    fn take(&mut self, message: Message) {
        if self.inherited && !self.settings.filters.iter().any(|filter| matches(filter, &message.topic)) {
            // Taken all the same: it may be a message of a filter that another task has got meanwhile.
            tracing::warn!(
                task = %self.settings.task,
                "a message on {} came that no filter in mqtt.topics asks for: the server keeps an older subscription \
                 in the session of client {}. Connecting once with mqtt.clean.session.enabled=true removes it",
                message.topic.as_str(),
                self.settings.client_id
            );
            self.inherited = false;
        }
        let received = message.received;
        let Err(dropped) = self.exchange.arrived(message) else { return };
        self.dropped.add(1);
        if self.drops.due(received) {
            tracing::warn!(
                task = %self.settings.task,
                dropped,
                "QoS 0 messages arrive faster than Kafka takes them and are dropped (so far: {dropped}); QoS 1 would \
                 make the server wait, a larger records.buffer.queue.size and lavka.mqtt.buffer.bytes bridge peaks"
            );
        }
    }

    /// Reads nothing more until there is room, or it is time to end.
    ///
    /// The last resort: normally the window of the server is smaller than the inbox. Meanwhile no ping goes out
    /// either, so where Kafka stands still for longer than one and a half keep-alive intervals the server ends the
    /// connection, which is noticed as soon as there is room again.
    async fn wait_for_room(&mut self) {
        if self.pauses.due((self.environment.now)()) {
            tracing::warn!(
                task = %self.settings.task,
                "the buffer for QoS 1 and 2 messages is full: reading pauses until Kafka has taken some; a lower limit \
                 of messages in flight ({}) or a larger lavka.mqtt.buffer.bytes avoids that",
                if self.settings.v5.is_some() { "lavka.mqtt.max.inflight" } else { "in the MQTT server" }
            );
        }
        tokio::select! {
            () = self.exchange.room() => {}
            () = told(&mut self.stopping) => {}
        }
    }
}

//! What transforms have to say is in the log.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use lavka_api::config::Config;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::rig::{SourceSetup, until};

/// Keeps what is logged above the level of debug.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(Level, String)>>>);

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.lock().unwrap().push((*event.metadata().level(), message.0));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test(start_paused = true)]
async fn remarks_of_transforms_are_logged_once_a_batch() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let config = Config::from([("transforms", "c"), ("transforms.c.type", "test.Chatty")]);
    let rig = SourceSetup { config, ..SourceSetup::default() }.run();
    rig.batch(&["a", "a", "a", "odd"], 1);
    rig.sent(4).await;
    rig.batch(&["a"], 5);
    until("the last record", || rig.producer.sent().len() == 5).await;
    assert!(rig.stop().await.by_itself);
    let said = [
        (Level::WARN, "test.Chatty: saw a (3 times)"),
        (Level::ERROR, "test.Chatty: saw odd"),
        (Level::WARN, "test.Chatty: saw a"),
    ];
    assert_eq!(*log.0.lock().unwrap(), said.map(|(level, text)| (level, text.to_owned())));
}

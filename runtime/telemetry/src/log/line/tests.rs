use std::io;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;

use super::*;
use crate::log::{LogConfig, LogControl, LogLevel, LoggerLevel};

struct NoTime;

impl FormatTime for NoTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        writer.write_str("now")
    }
}

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Captured;
    fn make_writer(&'a self) -> Captured {
        self.clone()
    }
}

/// Log statements are registered once per process, with whatever logs there are at that moment: one test at a time.
static TURN: Mutex<()> = Mutex::new(());

/// Runs `body` with a log of its own.
fn logged(ansi: bool, config: &LogConfig, body: impl FnOnce(&LogControl, &Captured)) {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let captured = Captured::default();
    let control = LogControl::new(config);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(captured.clone())
        .with_ansi(ansi)
        .event_format(Line::new(NoTime));
    let subscriber = Registry::default().with(lines).with(control.filter());
    tracing::subscriber::with_default(subscriber, || {
        // It is known once it was come by, which takes a log that lets it through; before the start all do.
        say();
        control.started();
        // Logs of tests elsewhere in this process come and go; what is cached of them must not decide here.
        tracing::callsite::rebuild_interest_cache();
        body(&control, &captured);
    });
}

#[test]
fn a_line_has_time_level_logger_message_and_fields() {
    logged(false, &LogConfig::default(), |_, captured| {
        tracing::info!(target: "pump::inlet", offset = 7, name = "a b", plain = "x", "Started {}", 1);
        assert_eq!(captured.take(), "now INFO  pump.inlet Started 1 offset=7 name=\"a b\" plain=x\n");
        tracing::error_span!(target: "t", "task", id = "c-0").in_scope(|| {
            tracing::warn!(target: "t", "two\nlines\u{1b}[31m");
        });
        assert_eq!(captured.take(), "now WARN  t [id=\"c-0\"] two\\nlines\\u{1b}[31m\n");
        tracing::info!(target: "t", error = %io::Error::other("broken"), reason = "a\nb");
        assert_eq!(captured.take(), "now INFO  t error=broken reason=\"a\\nb\"\n");
    });
}

#[test]
fn a_terminal_gets_colours() {
    logged(true, &LogConfig::default(), |_, captured| {
        tracing::error!(target: "t", "no");
        assert_eq!(captured.take(), "now \u{1b}[31mERROR\u{1b}[0m t no\n");
    });
}

/// One log statement whose level changes under it.
fn say() {
    tracing::debug!(target: "lavka_engine::sink::commit", "said");
}

#[test]
fn levels_change_while_running() {
    let config = LogConfig { root: LogLevel::Warn, loggers: vec![("noisy".into(), LogLevel::Off)] };
    logged(false, &config, |control, captured| {
        say();
        tracing::callsite::rebuild_interest_cache();
        say();
        tracing::error!(target: "noisy", "never");
        assert_eq!(captured.take(), "");
        let at_start = LoggerLevel { level: LogLevel::Warn, last_modified: None };
        assert_eq!(control.get("lavka_engine::sink::commit"), Some(at_start));
        assert_eq!(control.get("no.such.logger"), None);
        assert_eq!(control.list().into_keys().collect::<Vec<_>>(), ["noisy", "root"]);

        let affected = control.set("lavka_engine::sink", LogLevel::Debug, 100);
        assert_eq!(affected, ["lavka_engine.sink", "lavka_engine.sink.commit"]);
        say();
        assert_eq!(captured.take(), "now DEBUG lavka_engine.sink.commit said\n");
        let set = LoggerLevel { level: LogLevel::Debug, last_modified: Some(100) };
        assert_eq!(control.get("lavka_engine.sink"), Some(set));

        // Those that have the level already are named, and keep their time.
        let affected = control.set("lavka_eng", LogLevel::Debug, 200);
        assert_eq!(affected, ["lavka_eng", "lavka_engine.sink", "lavka_engine.sink.commit"]);
        assert_eq!(control.list().get("lavka_engine.sink"), Some(&set));

        let affected = control.set("root", LogLevel::Error, 300);
        assert!(affected.is_sorted());
        for name in ["root", "noisy", "lavka_engine.sink", "lavka_engine.sink.commit"] {
            assert!(affected.iter().any(|affected| affected == name), "{name}");
        }
        say();
        tracing::error!(target: "noisy", "now it speaks");
        assert_eq!(captured.take(), "now ERROR noisy now it speaks\n");
    });
}

#[test]
fn javas_names_stand_for_ours() {
    logged(false, &LogConfig::default(), |control, captured| {
        let name = "org.apache.kafka.connect.runtime.WorkerSinkTask";
        let inherited = LoggerLevel { level: LogLevel::Info, last_modified: None };
        assert_eq!(control.get(name), Some(inherited));
        let affected = control.set(name, LogLevel::Trace, 1);
        assert!(affected.starts_with(&["lavka_engine.sink".to_owned()]));
        assert_eq!(affected.last().map(String::as_str), Some(name));
        say();
        assert_eq!(captured.take(), "now DEBUG lavka_engine.sink.commit said\n");
        assert_eq!(control.list().get(name).map(|level| level.level), Some(LogLevel::Trace));
    });
}

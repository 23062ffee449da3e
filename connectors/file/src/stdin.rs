//! Standard input, read once for the whole process.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::Notify;

/// Bytes read at a time.
const CHUNK: usize = 16 * 1024;
/// Chunks that may wait for a task: the reader stops there, and with it whoever writes into the pipe.
const CHUNKS: usize = 16;

/// Reads a blocking stream on a thread of its own and hands out what arrived.
///
/// A read of a terminal or pipe cannot be broken off. On a thread of the async runtime it would keep the process from
/// ending, and a restarted task would compete with the reader its predecessor left behind; so there is one thread,
/// which outlives tasks, and what it has read waits for the next task.
pub(crate) struct Pump {
    state: Mutex<State>,
    arrived: Notify,
    room: Condvar,
}

#[derive(Default)]
struct State {
    chunks: VecDeque<Vec<u8>>,
    ended: bool,
}

impl Pump {
    /// The pump of standard input, started when it is first asked for.
    pub(crate) fn stdin() -> Arc<Pump> {
        static STDIN: OnceLock<Arc<Pump>> = OnceLock::new();
        Arc::clone(STDIN.get_or_init(|| Pump::start(std::io::stdin())))
    }

    /// Starts to read `input`.
    pub(crate) fn start(input: impl Read + Send + 'static) -> Arc<Pump> {
        let pump = Arc::new(Pump { state: Mutex::default(), arrived: Notify::new(), room: Condvar::new() });
        let inner = Arc::clone(&pump);
        let spawned = std::thread::Builder::new().name("stdin".into()).spawn(move || inner.run(input));
        if let Err(error) = spawned {
            tracing::error!(%error, "standard input cannot be read: no thread for it");
            pump.end();
        }
        pump
    }

    fn run(&self, mut input: impl Read) {
        let mut chunk = vec![0; CHUNK];
        loop {
            match input.read(&mut chunk) {
                Ok(0) => break,
                Ok(length) => self.push(chunk.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    tracing::error!(%error, "standard input cannot be read any further");
                    break;
                }
            }
        }
        self.end();
    }

    fn push(&self, bytes: &[u8]) {
        let mut state = self.lock();
        while state.chunks.len() >= CHUNKS {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.chunks.push_back(bytes.to_vec());
        drop(state);
        self.arrived.notify_one();
    }

    fn end(&self) {
        self.lock().ended = true;
        self.arrived.notify_one();
    }

    /// The next bytes, waiting for them; none once the input has ended. Nothing is lost where this future is dropped.
    pub(crate) async fn next(&self) -> Option<Vec<u8>> {
        loop {
            {
                let mut state = self.lock();
                if let Some(chunk) = state.chunks.pop_front() {
                    self.room.notify_one();
                    return Some(chunk);
                }
                if state.ended {
                    return None;
                }
            }
            self.arrived.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everything_arrives_in_order_however_slow_the_taker() {
        let input: Vec<u8> = (0..CHUNK * CHUNKS * 3).map(|i| (i % 251) as u8).collect();
        let pump = Pump::start(std::io::Cursor::new(input.clone()));
        let mut output = Vec::new();
        while let Some(chunk) = pump.next().await {
            output.extend(chunk);
        }
        assert!(output == input, "the bytes differ");
        assert_eq!(pump.next().await, None);
    }
}

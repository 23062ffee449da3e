//! Reading a topic as a log: all of it, outside of any group.

use async_trait::async_trait;
use lavka_api::Result;

/// A record of a log.
#[derive(Debug, Clone, Copy)]
pub struct LogRecord<'a> {
    /// The key's bytes.
    pub key: Option<&'a [u8]>,
    /// The value's bytes; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
}

/// Takes records of a log, one after another.
pub type EachRecord<'f> = dyn for<'r> FnMut(LogRecord<'r>) + Send + 'f;

/// Reads the committed records of a topic, in order per partition.
#[async_trait]
pub trait LogReader: Send {
    /// Hands out what was not handed out yet, up to the end that the topic has now. Where a transaction is open below
    /// that end, its end is waited for: what is committed before this is called is never missed. Can be dropped and
    /// called again.
    ///
    /// # Errors
    /// Retriable where the cluster cannot be asked now; also where the topic does not exist.
    async fn read_to_end(&mut self, each: &mut EachRecord<'_>) -> Result<()>;
}

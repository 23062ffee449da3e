//! Where source offsets are kept.

use async_trait::async_trait;
use lavka_api::Result;
use lavka_api::data::{OffsetMap, Topic};
use lavka_api::plugin::OffsetReader;

/// A durable map from (connector, source partition) to source offset.
#[async_trait]
pub trait OffsetStore: Send + Sync {
    /// Makes `offsets` durable; `None` forgets a partition. All or nothing as far as the medium allows.
    ///
    /// # Errors
    /// Retriable where a later try may succeed.
    async fn write(&self, connector: &str, offsets: &[(OffsetMap, Option<OffsetMap>)]) -> Result<()>;

    /// Every partition of `connector` that has an offset.
    async fn read_all(&self, connector: &str) -> Result<Vec<(OffsetMap, OffsetMap)>>;

    /// A reader for the tasks of `connector`.
    fn reader(&self, connector: &str) -> std::sync::Arc<dyn OffsetReader>;
}

/// An offset as a record of an offsets topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetRecord {
    /// The key's bytes.
    pub key: Vec<u8>,
    /// The value's bytes.
    pub value: Vec<u8>,
}

/// The offsets of one connector in a topic that its tasks write to in their own transactions.
#[async_trait]
pub trait OffsetTopic: Send + Sync {
    /// The topic.
    fn topic(&self) -> &Topic;

    /// A reader of what has been committed up to now; it also knows what [`committed`](Self::committed) is told. Can be
    /// dropped and called again.
    ///
    /// # Errors
    /// Retriable where the topic cannot be read now.
    async fn reader(&self) -> Result<std::sync::Arc<dyn OffsetReader>>;

    /// The records that say `offsets`.
    ///
    /// # Errors
    /// A data error for an offset that cannot be stored.
    fn records(&self, offsets: &[(OffsetMap, OffsetMap)]) -> Result<Vec<OffsetRecord>>;

    /// The transaction with these offsets was committed.
    fn committed(&self, offsets: &[(OffsetMap, OffsetMap)]);

    /// The task has ended; whatever is still to be done about committed offsets is done now.
    async fn close(&self);
}

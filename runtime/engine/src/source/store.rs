//! Where source offsets are kept.

use async_trait::async_trait;
use lavka_api::Result;
use lavka_api::data::OffsetMap;
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

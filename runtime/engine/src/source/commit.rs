//! Writes settled offsets.

use std::sync::Arc;
use std::time::Duration;

use lavka_api::Result;
use tokio::sync::Notify;

use super::books::Books;
use super::store::OffsetStore;

pub(super) struct Committer {
    pub(super) connector: String,
    pub(super) offsets: Arc<dyn OffsetStore>,
    pub(super) books: Arc<Books>,
}

impl Committer {
    /// Commits every `interval` until `ended` is notified. A commit that is under way then is finished first: dropped
    /// in the middle, its offsets would neither be written nor given back.
    pub(super) async fn run(&self, interval: Duration, ended: &Notify) {
        loop {
            tokio::select! {
                biased;
                () = ended.notified() => return,
                () = tokio::time::sleep(interval) => {}
            }
            if let Err(error) = self.commit().await {
                tracing::warn!(
                    connector = %self.connector,
                    "source offsets were not committed and will be at the next interval: {error}"
                );
            }
        }
    }

    /// Writes what is settled and not written yet, and tells the source.
    pub(super) async fn commit(&self) -> Result<()> {
        let offsets = self.books.take_committable();
        if offsets.is_empty() {
            return Ok(());
        }
        let entries: Vec<_> =
            offsets.iter().map(|(map, offset)| (map.clone(), Some(offset.clone()))).collect();
        if let Err(error) = self.offsets.write(&self.connector, &entries).await {
            self.books.give_back(offsets);
            return Err(error);
        }
        if let Some(listener) = &self.books.listener {
            listener.committed(&offsets);
        }
        Ok(())
    }
}

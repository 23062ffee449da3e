//! The answer of a query on its way to whoever asked: the same for every driver.

use futures::{Stream, TryStreamExt as _};
use tokio::sync::mpsc;

use super::{Chunk, Failure, Head, Heads};
use crate::data::Cell;

/// How a driver reads its rows.
pub(super) struct Reading<R> {
    /// The columns, from the first row.
    pub(super) heads: fn(&R) -> Heads,
    pub(super) cells: fn(&R, &[Head]) -> Result<Vec<Cell<'static>>, Failure>,
    pub(super) failed: fn(sqlx::Error) -> Failure,
}

impl<R: Send> Reading<R> {
    /// Sends `rows` in chunks of at most `chunk`; ends early when nobody listens any more.
    ///
    /// # Errors
    /// That of the query, or of a value that cannot be read.
    pub(super) async fn send(
        &self,
        mut rows: impl Stream<Item = sqlx::Result<R>> + Unpin + Send,
        chunk: usize,
        answer: &mpsc::Sender<Chunk>,
    ) -> Result<(), Failure> {
        let mut heads: Option<Heads> = None;
        let mut collected = Vec::new();
        while let Some(row) = rows.try_next().await.map_err(self.failed)? {
            let heads = &*heads.get_or_insert_with(|| (self.heads)(&row));
            collected.push((self.cells)(&row, heads)?);
            if collected.len() >= chunk {
                let full = Chunk { heads: heads.clone(), rows: std::mem::take(&mut collected) };
                if answer.send(full).await.is_err() {
                    return Ok(());
                }
            }
        }
        if let (Some(heads), false) = (heads, collected.is_empty()) {
            let _ = answer.send(Chunk { heads, rows: collected }).await;
        }
        Ok(())
    }
}

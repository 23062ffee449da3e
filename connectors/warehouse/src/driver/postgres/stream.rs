//! A `COPY` that stays open while rows come.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::postgres::{PgConnection, PgCopyIn};

use super::super::{Failure, FailureKind, RowStream, Target, WriteFailure};
use super::copy::{Encoder, Form, NoData, no_data};
use super::encode::NoBinary;
use super::failure::failed;
use super::session::{KEEP_PIECE, PIECE};
use crate::data::Cell;

/// Rows on their way into a table.
pub(super) struct Copying<'s> {
    copy: PgCopyIn<&'s mut PgConnection>,
    target: Arc<Target>,
    form: Form,
    /// What is not sent yet.
    piece: &'s mut Vec<u8>,
    /// Targets of which a value had no binary form.
    text_only: &'s mut HashSet<u64>,
}

impl<'s> Copying<'s> {
    pub(super) async fn open(
        connection: &'s mut PgConnection,
        target: &Arc<Target>,
        piece: &'s mut Vec<u8>,
        text_only: &'s mut HashSet<u64>,
    ) -> Result<Self, Failure> {
        let form = if text_only.contains(&target.id) { Form::Text } else { Form::Binary };
        let table = target.statements.table(&target.table);
        let statement = form.statement(target, &table, target.columns.len());
        let copy = connection.copy_in_raw(&statement).await.map_err(failed)?;
        piece.clear();
        Encoder::new(target, form).begin(piece);
        Ok(Self { copy, target: target.clone(), form, piece, text_only })
    }

    async fn send(&mut self) -> Result<(), Failure> {
        self.copy.send(self.piece.as_slice()).await.map_err(failed)?;
        self.piece.clear();
        self.piece.shrink_to(KEEP_PIECE);
        Ok(())
    }
}

/// Ends a copy without its rows.
///
/// # Errors
/// Where it had failed before, too: its answers are out of step with the questions then, so the connection is of no use.
pub(super) async fn abort(copy: PgCopyIn<&mut PgConnection>) -> Result<(), Failure> {
    copy.abort("rows that cannot be copied").await.map_err(|error| {
        Failure::new(FailureKind::Lost, format!("a COPY had failed before it was given up: {error}"))
    })
}

#[async_trait]
impl RowStream for Copying<'_> {
    async fn push(&mut self, cells: &[Cell<'_>]) -> Result<(), WriteFailure> {
        let target = self.target.clone();
        let mut encoder = Encoder::new(&target, self.form);
        for (at, row) in cells.chunks(target.columns.len().max(1)).enumerate() {
            match encoder.row(row, self.piece) {
                Ok(()) => {}
                Err(NoBinary::Text) => {
                    self.text_only.insert(target.id);
                    return Err(no_data(NoData::Text));
                }
                Err(NoBinary::Reject(why)) => return Err(WriteFailure::Rows(vec![(at, why)])),
            }
            if self.piece.len() >= PIECE {
                self.send().await?;
            }
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), Failure> {
        Encoder::new(&self.target, self.form).end(self.piece);
        self.send().await?;
        self.copy.finish().await.map(drop).map_err(failed)
    }

    async fn abort(self: Box<Self>) -> Result<(), Failure> {
        abort(self.copy).await
    }
}

//! Operations on one table as writes of rows: reduced, in order, and bisected where the database refuses some.

use std::collections::HashMap;
use std::sync::Arc;

use lavka_api::Error;

use super::route::{Op, Work};
use crate::data::{Cell, RowKey, RowPlan};
use crate::dialect::{Dialect, Savepoints};
use crate::driver::{Action, Failure, FailureKind, RowStream, Rows, Session, Target, WriteFailure};
use crate::settings::InsertMode;

/// Rows that are pushed at once: few enough for their cells to stay in the processor's cache.
const PUSHED: usize = 256;

/// A work with the targets of its plans.
#[derive(Debug)]
pub(super) struct ReadyWork<'a> {
    pub(super) work: Work<'a>,
    pub(super) write: Option<Arc<Target>>,
    /// `None` too where there is no table to delete from.
    pub(super) delete: Option<Arc<Target>>,
    pub(super) mode: InsertMode,
}

/// Why operations were not applied.
#[derive(Debug)]
pub(super) enum NotApplied {
    /// These records cannot be written, by their places in the batch; nothing was found out about others.
    Records(Vec<(usize, Error)>),
    Failed(Failure),
}

impl From<Failure> for NotApplied {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Rows and the batch's places of the records that they came from.
#[derive(Default)]
struct Block<'a> {
    cells: Vec<Cell<'a>>,
    places: Vec<usize>,
}

impl<'a> Block<'a> {
    fn push(&mut self, plan: &RowPlan, op: &Op<'a>, width: usize) -> Result<(), (usize, Error)> {
        plan.row(op.record, op.payload, width, &mut self.cells).map_err(|error| (op.index, error))?;
        self.places.push(op.index);
        Ok(())
    }

    /// Keeps of the rows of `width` cells those for which `keep` holds.
    fn retain(&mut self, width: usize, keep: &[bool]) {
        if keep.iter().all(|keep| *keep) {
            return;
        }
        let mut at = 0;
        self.cells.retain(|_| {
            let row = at / width.max(1);
            at += 1;
            keep.get(row).copied().unwrap_or(false)
        });
        let mut row = 0;
        self.places.retain(|_| {
            row += 1;
            keep.get(row - 1).copied().unwrap_or(false)
        });
    }

    async fn write(
        &self,
        session: &mut dyn Session,
        target: &Arc<Target>,
        action: Action,
    ) -> Result<(), NotApplied> {
        if self.places.is_empty() {
            return Ok(());
        }
        let rows = Rows { target, action, cells: &self.cells };
        session.write(rows).await.map_err(|failure| self.not_applied(failure))
    }

    fn not_applied(&self, failure: WriteFailure) -> NotApplied {
        match failure {
            WriteFailure::Failed(failure) => NotApplied::Failed(failure),
            WriteFailure::Rows(rows) => NotApplied::Records(
                rows.into_iter()
                    .filter_map(|(row, why)| Some((*self.places.get(row)?, Error::data(why))))
                    .collect(),
            ),
        }
    }
}

impl<'a> ReadyWork<'a> {
    fn action(&self) -> Action {
        match self.mode {
            InsertMode::Insert => Action::Insert,
            InsertMode::Upsert => Action::Upsert,
            InsertMode::Update => Action::Update,
        }
    }

    /// Makes the session ready, outside of a transaction.
    pub(super) async fn prepare(&self, session: &mut dyn Session) -> Result<(), Failure> {
        if let Some(target) = &self.write {
            session.prepare(target, self.action()).await?;
        }
        if let Some(target) = &self.delete {
            session.prepare(target, Action::Delete).await?;
        }
        Ok(())
    }

    /// Pushes all rows into a stream of the target that they are written to.
    pub(super) async fn push(&self, rows: &mut dyn RowStream) -> Result<(), NotApplied> {
        for ops in self.work.ops.chunks(PUSHED) {
            let block = self.rows(ops, false)?;
            rows.push(&block.cells).await.map_err(|failure| block.not_applied(failure))?;
        }
        Ok(())
    }

    /// Applies `ops`, which are of this work and in order, within a transaction.
    pub(super) async fn apply(&self, session: &mut dyn Session, ops: &[Op<'a>]) -> Result<(), NotApplied> {
        if self.mode == InsertMode::Upsert {
            return self.apply_reduced(session, ops).await;
        }
        let mut rest = ops;
        while let Some(first) = rest.first() {
            let end = rest.iter().position(|op| op.delete != first.delete).unwrap_or(rest.len());
            let (run, tail) = rest.split_at(end);
            rest = tail;
            if first.delete {
                let deletes = self.rows(run, true)?;
                self.delete_all(session, deletes).await?;
            } else if let Some(target) = &self.write {
                let mut writes = self.rows(run, false)?;
                if self.mode == InsertMode::Update {
                    let keep = last_of_each(&writes.cells, target.columns.len(), target.keys);
                    writes.retain(target.columns.len(), &keep);
                }
                writes.write(session, target, self.action()).await?;
            }
        }
        Ok(())
    }

    /// The last operation on a row is what counts. A row that was deleted in between is deleted all the same, since an
    /// upsert leaves columns alone that the record has not.
    async fn apply_reduced(&self, session: &mut dyn Session, ops: &[Op<'a>]) -> Result<(), NotApplied> {
        if ops.iter().all(|op| !op.delete) {
            let Some(target) = &self.write else { return Ok(()) };
            let mut writes = self.rows(ops, false)?;
            let keep = last_of_each(&writes.cells, target.columns.len(), target.keys);
            writes.retain(target.columns.len(), &keep);
            return writes.write(session, target, Action::Upsert).await;
        }
        let deletes = self.rows(ops, true)?;
        let mut writes = self.rows(ops, false)?;
        if let Some(target) = &self.write {
            let (width, keys) = (target.columns.len().max(1), target.keys);
            let mut last: HashMap<RowKey<'_, '_>, Option<usize>> = HashMap::new();
            let mut written = writes.cells.chunks(width).enumerate();
            let mut deleted = deletes.cells.chunks(keys.max(1));
            for op in ops {
                if op.delete {
                    if let Some(row) = deleted.next() {
                        last.insert(RowKey(row), None);
                    }
                } else if let Some((at, row)) = written.next() {
                    last.insert(RowKey(row.get(..keys).unwrap_or(row)), Some(at));
                }
            }
            let mut keep = vec![false; writes.places.len()];
            for at in last.into_values().flatten() {
                if let Some(keep) = keep.get_mut(at) {
                    *keep = true;
                }
            }
            writes.retain(width, &keep);
        }
        self.delete_all(session, deletes).await?;
        match &self.write {
            Some(target) => writes.write(session, target, Action::Upsert).await,
            None => Ok(()),
        }
    }

    async fn delete_all(&self, session: &mut dyn Session, mut deletes: Block<'a>) -> Result<(), NotApplied> {
        let Some(target) = &self.delete else { return Ok(()) };
        let keep = last_of_each(&deletes.cells, target.keys, target.keys);
        deletes.retain(target.keys, &keep);
        deletes.write(session, target, Action::Delete).await
    }

    /// The rows of those operations that delete, or of those that write.
    fn rows(&self, ops: &[Op<'a>], delete: bool) -> Result<Block<'a>, NotApplied> {
        let mut block = Block::default();
        let parts = if delete { (&self.work.delete, &self.delete) } else { (&self.work.write, &self.write) };
        let (Some(plan), Some(target)) = parts else {
            return Ok(block);
        };
        let width = if delete { target.keys } else { target.columns.len() };
        block.cells.reserve(ops.len() * width);
        let mut refused = Vec::new();
        for op in ops.iter().filter(|op| op.delete == delete) {
            if let Err(record) = block.push(plan, op, width) {
                refused.push(record);
            }
        }
        if refused.is_empty() { Ok(block) } else { Err(NotApplied::Records(refused)) }
    }

    /// Applies all operations, each part within a savepoint, and halves a part that is refused until the records at fault
    /// stand alone: these are added to `refused`.
    ///
    /// Where the database has no savepoints the whole transaction is taken back instead, and what went well of this work is
    /// done again: what is left then serves to find the records at fault, and is not to be committed where there are any.
    /// Where it has no transactions either, what went well stays, and is not to be done again.
    pub(super) async fn apply_carefully(
        &self,
        session: &mut dyn Session,
        refused: &mut Vec<(usize, Error)>,
    ) -> Result<(), Failure> {
        let points = Points::of(self);
        let mut applied: Vec<Vec<Op<'a>>> = Vec::new();
        let mut parts: Vec<Vec<Op<'a>>> = vec![self.work.ops.clone()];
        let mut passed_over = None;
        while let Some(mut part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            points.set(session).await?;
            let outcome = self.apply(session, &part).await;
            let failure = match outcome {
                Ok(()) => {
                    points.release(session).await?;
                    applied.push(part);
                    continue;
                }
                Err(NotApplied::Records(records)) => {
                    self.take_back(session, points, &applied).await?;
                    part.retain(|op| records.iter().all(|(index, _)| *index != op.index));
                    refused.extend(records);
                    parts.push(part);
                    continue;
                }
                Err(NotApplied::Failed(failure)) => failure,
            };
            if failure.kind != FailureKind::Row {
                return Err(failure);
            }
            self.take_back(session, points, &applied).await?;
            if let [only] = part.as_slice() {
                refused.push((only.index, failure.error()));
                continue;
            }
            let second = part.split_off(part.len() / 2);
            parts.push(second);
            parts.push(part);
            passed_over = Some(failure);
        }
        match passed_over {
            // Each half went well by itself, and what other works of the transaction had done is gone.
            Some(failure) if refused.is_empty() && points.takes_back_all() => Err(failure),
            _ => Ok(()),
        }
    }

    async fn take_back(
        &self,
        session: &mut dyn Session,
        points: Points,
        applied: &[Vec<Op<'a>>],
    ) -> Result<(), Failure> {
        if !points.transactions {
            return Ok(());
        }
        if let Savepoints::Statements { back, .. } = points.savepoints {
            return session.execute(back).await.map(drop);
        }
        session.rollback().await?;
        session.begin().await?;
        for part in applied {
            match self.apply(session, part).await {
                Ok(()) => {}
                Err(NotApplied::Failed(failure)) => return Err(failure),
                Err(NotApplied::Records(_)) => {
                    return Err(Failure::new(
                        FailureKind::Again,
                        "rows that went well before do not any more",
                    ));
                }
            }
        }
        Ok(())
    }
}

/// How parts of a work are kept and taken back.
#[derive(Clone, Copy)]
struct Points {
    savepoints: Savepoints,
    transactions: bool,
}

impl Points {
    fn of(work: &ReadyWork<'_>) -> Self {
        let target = work.write.as_ref().or(work.delete.as_ref());
        let dialect = target.map_or(Dialect::Generic, |target| target.statements.dialect);
        Self { savepoints: dialect.savepoints(), transactions: dialect.has_transactions() }
    }

    /// Whether the whole transaction is taken back with a part.
    fn takes_back_all(self) -> bool {
        self.transactions && self.savepoints == Savepoints::None
    }

    async fn set(self, session: &mut dyn Session) -> Result<(), Failure> {
        match self.savepoints {
            Savepoints::Statements { set, .. } => session.execute(set).await.map(drop),
            Savepoints::None => Ok(()),
        }
    }

    async fn release(self, session: &mut dyn Session) -> Result<(), Failure> {
        match self.savepoints {
            Savepoints::Statements { release: Some(release), .. } => session.execute(release).await.map(drop),
            _ => Ok(()),
        }
    }
}

/// For each row of `width` cells whether it is the last with its key, the first `keys` cells.
fn last_of_each(cells: &[Cell<'_>], width: usize, keys: usize) -> Vec<bool> {
    let rows = cells.len() / width.max(1);
    let mut keep = vec![true; rows];
    if rows < 2 || keys == 0 {
        return keep;
    }
    let mut last: HashMap<RowKey<'_, '_>, usize> = HashMap::with_capacity(rows);
    for (at, row) in cells.chunks(width).enumerate() {
        if let Some(before) = last.insert(RowKey(row.get(..keys).unwrap_or(row)), at)
            && let Some(keep) = keep.get_mut(before)
        {
            *keep = false;
        }
    }
    keep
}

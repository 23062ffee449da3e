//! Polls into one open stream of rows.
//!
//! While the task decodes a poll and this encodes the one before, the database is at work on those before them. The
//! transaction ends when no poll comes for a moment, when it is large enough, or when the next poll is not for the same
//! columns of the same table.

use std::sync::Arc;
use std::time::Duration;

use lavka_api::plugin::SinkBatch;
use tokio::time::Instant;

use super::super::ahead::{Polls, Taken};
use super::super::apply::{NotApplied, ReadyWork};
use super::super::batch::Batch;
use super::super::route::Work;
use super::{Ended, Writer};
use crate::driver::{Failure, FailureKind, Session, Target};
use crate::settings::InsertMode;

/// How long a transaction stays open at most: rows are to be seen soon.
const OPEN: Duration = Duration::from_millis(100);

/// What became of polls that might go into a stream.
pub(in super::super) enum Streamed {
    /// All that was taken is committed.
    Written,
    /// They are not for a stream, and nothing was written.
    Unfit,
}

impl Writer {
    /// Writes what was taken, and what comes while the transaction is open, by a stream of rows: inserts into one table,
    /// where the database has such streams.
    ///
    /// # Errors
    /// Nothing of what `taken` has then is in the database, unless the connection was lost.
    pub(in super::super) async fn stream(
        &mut self,
        taken: &mut Taken,
        polls: &mut Polls,
    ) -> Result<Streamed, Ended> {
        if self.settings.mode != InsertMode::Insert {
            return Ok(Streamed::Unfit);
        }
        let mut session = self.session().await?;
        if !session.has_streams() {
            self.session = Some(session);
            return Ok(Streamed::Unfit);
        }
        let mut begun = false;
        let outcome = self.stream_into(&mut *session, taken, polls, &mut begun).await;
        let kept = match &outcome {
            Ok(_) => true,
            Err(Ended::Failed(failure)) if failure.kind == FailureKind::Lost => false,
            Err(_) => !begun || session.rollback().await.is_ok(),
        };
        if kept {
            self.session = Some(session);
        }
        if let Err(Ended::Failed(failure)) = &outcome {
            if let Some(offsets) = &mut self.offsets {
                offsets.forget();
            }
            if failure.kind == FailureKind::Changed {
                self.tables.forget();
            }
        }
        outcome
    }

    async fn stream_into(
        &mut self,
        session: &mut dyn Session,
        taken: &mut Taken,
        polls: &mut Polls,
        begun: &mut bool,
    ) -> Result<Streamed, Ended> {
        if let Some(offsets) = &mut self.offsets {
            offsets.read(session, taken.batch.ends().keys()).await?;
        }
        let Some(first) = taken.batch.last() else { return Ok(Streamed::Unfit) };
        let routed = self.route(first.iter(), |_| false);
        if !routed.refused.is_empty() {
            return Err(Ended::Records(routed.refused));
        }
        let Some(work) = only_inserts(routed.works) else { return Ok(Streamed::Unfit) };
        let ready = self.ready(session, work).await?;
        let Some(target) = ready.write.clone().filter(|target| !target.view) else {
            return Ok(Streamed::Unfit);
        };
        let end = Instant::now() + OPEN;
        *begun = true;
        session.begin().await?;
        let Some(mut rows) = session.open_stream(&target).await? else {
            return Err(Failure::new(FailureKind::Changed, "there is no stream of rows to write to").into());
        };
        let mut pushed = ready.push(&mut *rows).await;
        drop(ready);
        while pushed.is_ok()
            && let Some((poll, room)) = polls.next(taken, end).await
        {
            let Some(ready) = self.same_way(&poll, &target) else {
                polls.hold((poll, room));
                break;
            };
            taken.add((poll.clone(), room));
            pushed = ready.push(&mut *rows).await;
        }
        let doing = |failure: Failure| failure.at(&format!("writing to table {}", target.table));
        if let Err(ended) = pushed {
            if !matches!(&ended, NotApplied::Failed(failure) if failure.kind == FailureKind::Lost) {
                rows.abort().await?;
            }
            return Err(match ended {
                NotApplied::Records(records) => Ended::Records(records),
                NotApplied::Failed(failure) => Ended::Failed(doing(failure)),
            });
        }
        rows.finish().await.map_err(doing)?;
        session.confirm(&target).await?;
        let next = self.moved_by(&taken.batch);
        self.commit(session, next).await?;
        Ok(Streamed::Written)
    }

    /// A poll's rows, if all of them go where the stream goes.
    fn same_way<'a>(&mut self, poll: &'a SinkBatch, target: &Arc<Target>) -> Option<ReadyWork<'a>> {
        if let Some(offsets) = &self.offsets
            && !Batch::of(poll.clone()).ends().keys().all(|partition| offsets.knows(partition))
        {
            return None;
        }
        let routed = self.route(poll.iter(), |_| false);
        let work = only_inserts(routed.works).filter(|_| routed.refused.is_empty())?;
        let known = self.tables.known(&work.table, work.write.as_ref()?)?;
        Arc::ptr_eq(&known, target).then(|| ReadyWork {
            work,
            write: Some(known),
            delete: None,
            mode: self.settings.mode,
        })
    }
}

/// The work, if it is one and only writes rows of one plan.
fn only_inserts(works: Vec<Work<'_>>) -> Option<Work<'_>> {
    let mut works = works.into_iter();
    let only = works.next().filter(|work| !work.truncate && work.delete.is_none() && work.write.is_some())?;
    works.next().is_none().then_some(only)
}

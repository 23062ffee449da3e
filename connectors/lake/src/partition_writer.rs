//! The writer of one topic partition: its open files, their rotation, their commit.

mod taking;

use std::ops::Range;
use std::sync::Arc;

use lavka_api::data::{KafkaOrigin, SinkRecord, TopicPartition};
use lavka_api::error::Result;
use lavka_columnar::Inferred;

use crate::commit::Commit;
use crate::commit_log::CommitLog;
use crate::companions::Companions;
use crate::compatibility::Compatibility;
use crate::envelope::RowMaker;
use crate::file_part::FilePart;
use crate::form::Forms;
use crate::history::{History, Verdict};
use crate::hive::Finished;
use crate::lake::Lake;
use crate::naming::Naming;
use crate::open_file::OpenFile;
use crate::open_files::OpenFiles;
use crate::placing::Placing;
use crate::recovery::Recovered;
use crate::report::Cut;
use crate::rotation::{Cause, Rotation};
use crate::run::{Call, Run};
use crate::store::Lease;

/// What was inferred about more fields than this is not kept for the next file: such data have random keys.
const MAX_KNOWN_FIELDS: usize = 1000;

pub(crate) struct PartitionWriter {
    tp: TopicPartition,
    lake: Lake,
    lease: Lease,
    log: CommitLog,
    /// One more than the offset of the last record that was taken: it is in a file, open or finished, or was reported.
    /// `None` before the first.
    next: Option<i64>,
    /// All that were taken.
    history: History,
    /// Below this offset files may have records that Kafka has lost since.
    overtaken: i64,
    /// `next` as it was when the last batch was through, or the partition was taken over: records below it are not those
    /// of a batch that comes again.
    settled: Option<i64>,
    warned_of_old: bool,
    /// The offset of the first record that is not durable.
    first_open: Option<i64>,
    forms: Forms,
    files: OpenFiles,
    rotation: Rotation,
    /// The commit under way, and why there is one.
    commit: Option<(Commit, Cause)>,
    /// What was inferred so far, for the next file.
    known: Option<Inferred>,
    /// Makes rows, where these are more than the records' values.
    rows: Option<RowMaker>,
    /// Makes the rows of keys and headers, where these are stored.
    companions: Option<Companions>,
    placing: Placing,
    /// Scratch space for the place of a record.
    place: String,
    /// Files for whose directories there may have to be partitions in Hive.
    finished: Vec<Finished>,
    /// Files that were finished since somebody asked.
    cuts: Vec<Cut>,
}

impl PartitionWriter {
    pub(crate) fn new(lake: Lake, tp: TopicPartition, recovered: Recovered, now: i64) -> Result<Self> {
        let rotation = Rotation::begin(&lake.settings.rotation, now)?;
        // Files by schema and directory are those of the S3 sink, where schemas do not share them.
        let settings = &lake.settings;
        let by_place =
            matches!(settings.naming, Naming::Start { .. }) && settings.compatibility == Compatibility::None;
        let mut forms = Forms::new(settings.compatibility, by_place);
        if let Some(schema) = recovered.schema {
            forms.go_on(schema);
        }
        let rows = lake.settings.envelope.clone().map(RowMaker::new);
        let companions = &lake.settings.companions;
        let companions =
            (!companions.is_empty()).then(|| Companions::new(Arc::clone(companions))).transpose()?;
        Ok(Self {
            tp,
            lake,
            lease: recovered.lease,
            log: recovered.log,
            next: recovered.next,
            overtaken: recovered.history.ceiling(),
            history: recovered.history,
            settled: recovered.next,
            warned_of_old: false,
            first_open: None,
            forms,
            files: OpenFiles::default(),
            rotation,
            commit: None,
            known: None,
            rows,
            companions,
            placing: Placing::default(),
            place: String::new(),
            finished: Vec::new(),
            cuts: Vec::new(),
        })
    }

    /// The offset to read from, and the leader epoch of the record before it, where known.
    pub(crate) fn next(&self) -> Option<(i64, Option<i32>)> {
        self.next.map(|next| (next, self.history.epoch_before(next)))
    }

    /// The batch is through: none of it comes again.
    pub(crate) fn settle(&mut self) {
        self.settled = self.next;
    }

    /// The offset below which everything is durable. `seen` is where the records end that the task was given: those
    /// between the last one that came here and that were filtered out on the way, or were never there.
    pub(crate) fn durable(&self, seen: Option<i64>) -> Option<i64> {
        self.first_open.or_else(|| self.next.max(seen))
    }

    /// Bytes of memory in use for open files, roughly, also by the store.
    pub(crate) fn memory(&self) -> usize {
        self.files.memory(&self.lake)
    }

    /// Whether what is open can still be committed.
    pub(crate) fn is_sound(&self) -> bool {
        self.log.is_sound() && self.lake.store.is_sound(&self.lease)
    }

    /// The offset of the first record that is not durable, to which reading has to go back where what is open is given up.
    pub(crate) fn first_open(&self) -> Option<i64> {
        self.first_open
    }

    pub(crate) fn open_files(&self) -> usize {
        self.files.len()
    }

    /// Takes the records in `range` of `batch`, which are all of this partition. Records that it has taken before are
    /// passed over, so that after a retriable error the same batch can come again. Those that have the offsets of others
    /// which Kafka has lost are taken like any.
    pub(crate) async fn write(
        &mut self,
        batch: &[SinkRecord],
        range: Range<usize>,
        call: &mut Call<'_>,
    ) -> Result<()> {
        self.finish_commit(call.now).await?;
        let mut run = Run::default();
        for index in range {
            let Some(record) = batch.get(index) else { break };
            if !run.staged.rows.is_empty() && record.origin.offset <= run.last {
                self.flush(batch, &mut run, call).await?;
            }
            match self.history.judge(self.next, record.origin.offset, record.origin.leader_epoch) {
                Verdict::Next => {}
                Verdict::Taken | Verdict::Foreign => {
                    self.warn_of_old(&record.origin);
                    continue;
                }
                Verdict::Overtakes(lost) => {
                    self.flush(batch, &mut run, call).await?;
                    self.go_back(&record.origin, lost, call.now).await?;
                }
            }
            self.take(batch, index, record, &mut run, call).await?;
        }
        self.flush(batch, &mut run, call).await
    }

    /// Finishes the files with records that Kafka has lost, so that those in their place, from `origin` on, go into files
    /// of their own.
    async fn go_back(&mut self, origin: &KafkaOrigin, lost: i32, now: i64) -> Result<()> {
        self.rotate(now, Cause::Overtaken).await?;
        let end = self.next.unwrap_or(origin.offset);
        tracing::warn!(
            "{}: the topic has lost its records from offset {} (leader epoch {lost}) and has others there now (leader epoch \
             {}), as after an unclean leader election. Those it has now are written to files of their own, with the \
             epoch in their names; the lost ones, up to offset {}, stay in the files that have them",
            self.tp,
            origin.offset,
            origin.leader_epoch.unwrap_or(-1),
            end.saturating_sub(1)
        );
        self.overtaken = self.history.ceiling();
        self.next = Some(origin.offset);
        Ok(())
    }

    /// A record is in a file, or was reported.
    fn note(&mut self, origin: &KafkaOrigin) {
        self.history.note(origin.offset, origin.leader_epoch);
        self.next = Some(origin.offset.saturating_add(1));
    }

    /// Finishes the files if their time has come although no record arrived, and a commit that an error cut off.
    pub(crate) async fn tick(&mut self, now: i64) -> Result<()> {
        self.finish_commit(now).await?;
        if self.rotation.rows() > 0
            && let Some(cause) = self.due(now, None, 0)
        {
            self.rotate(now, cause).await?;
        }
        match self.lake.settings.rotation.idle_ms {
            // A name from a template is that of one file, which has to wait for what still comes.
            Some(idle) if !matches!(self.lake.settings.naming, Naming::Template(_)) => {
                self.files.complete_idle(&self.lake, &self.lease, now.saturating_sub(idle)).await
            }
            _ => Ok(()),
        }
    }

    /// Commits all open files, because of `cause`; those without a record are forgotten.
    pub(crate) async fn rotate(&mut self, now: i64, cause: Cause) -> Result<()> {
        self.finish_commit(now).await?;
        let values = self.files.iter().filter_map(OpenFile::values);
        for layout in values.filter_map(|part| part.encoder.inferred()) {
            self.known.get_or_insert_default().unite(layout);
        }
        self.known.take_if(|known| known.field_count() > MAX_KNOWN_FIELDS);
        self.files.close();
        match self.next {
            Some(next) if !self.files.is_empty() => {
                let commit = Commit::plan(&self.lake, &self.tp, self.files.as_slice(), next, &self.history)?;
                self.commit = Some((commit, cause));
                self.finish_commit(now).await
            }
            _ => {
                self.placing.restart();
                self.rotation.restart(&self.lake.settings.rotation, now)
            }
        }
    }

    async fn finish_commit(&mut self, now: i64) -> Result<()> {
        let Some((commit, cause)) = &mut self.commit else { return Ok(()) };
        commit.advance(&self.lake, &self.lease, &mut self.log, self.files.as_mut_slice()).await?;
        let (next, cause) = (commit.next(), *cause);
        for file in self.files.iter() {
            // The objects beside the first one have rows of the same records.
            let rows = std::iter::once(file.rows()).chain(std::iter::repeat(0));
            let cut = |(part, rows): (&FilePart, u64)| Cut { bytes: part.size(), rows, cause };
            self.cuts.extend(file.parts().iter().zip(rows).map(cut));
        }
        if self.lake.settings.hive.is_some() {
            let finished = |file: &OpenFile| Finished {
                place: Arc::clone(&file.place),
                schema: self.forms.of(&file.place).schema().cloned(),
            };
            self.finished.extend(self.files.iter().map(finished));
        }
        tracing::debug!(partition = %self.tp, files = self.files.len(), next, "finished files");
        self.commit = None;
        self.files.clear();
        self.first_open = None;
        self.placing.restart();
        self.rotation.restart(&self.lake.settings.rotation, now)?;
        self.log.shorten(&self.lake, &mut self.lease, next, &self.history).await
    }

    /// Writes out the file that uses most memory; false where none uses any.
    pub(crate) async fn relieve(&mut self) -> Result<bool> {
        self.files.relieve(&self.lake, &self.lease).await
    }

    /// The files that were finished since the last call.
    pub(crate) fn take_cuts(&mut self) -> Vec<Cut> {
        std::mem::take(&mut self.cuts)
    }

    /// What was finished since the last call, where somebody is to be told.
    pub(crate) fn take_finished(&mut self) -> Vec<Finished> {
        std::mem::take(&mut self.finished)
    }

    /// Gives up the partition. What is not committed is read again by its next owner, who also finishes a commit that
    /// is in the log.
    pub(crate) async fn close(self) {
        let logged =
            self.commit.as_ref().is_some_and(|(commit, _)| commit.may_be_logged()) && !self.log.is_refused();
        if !logged {
            for part in self.files.into_files().into_iter().flat_map(OpenFile::into_parts) {
                if part.is_stored()
                    && let Err(error) = self.lake.store.delete(&self.lease, &part.temp).await
                {
                    tracing::warn!("{error} (the next owner of {} deletes it)", self.tp);
                }
            }
        }
        self.lake.store.release(self.lease).await;
    }

    fn warn_of_old(&mut self, origin: &KafkaOrigin) {
        if let Some(settled) = self.settled
            && origin.offset < settled
            && !self.warned_of_old
        {
            self.warned_of_old = true;
            tracing::warn!(
                "{}: records from offset {}{} up to {settled} are passed over because records of these offsets came \
                 before, of no earlier leader epoch. If the topic was deleted and created again, move its old files and \
                 its directory below logs.dir away",
                self.tp,
                origin.offset,
                origin.leader_epoch.map(|epoch| format!(" (leader epoch {epoch})")).unwrap_or_default()
            );
        }
    }
}

//! How records get into open files: which ones, in which form, and what is refused.

use std::sync::Arc;

use lavka_api::data::{Datum, Schema, SinkRecord, Value};
use lavka_api::error::{Error, ErrorClass, Result};
use lavka_columnar::{Appended, Refusal};

use super::PartitionWriter;
use crate::companions::{CompanionRow, View};
use crate::file_part::FilePart;
use crate::open_file::{OpenFile, ViewRows};
use crate::rotation::Cause;
use crate::run::{Call, Run};
use crate::settings::NullValues;
use crate::store::{random_bytes, random_name};

/// Records that go into a file at a time, at most.
const MAX_RUN: usize = 1024;

impl PartitionWriter {
    /// Takes a record into its file, which it opens where there is none, after it finished those whose time has come.
    pub(super) async fn take(
        &mut self,
        batch: &[SinkRecord],
        index: usize,
        record: &SinkRecord,
        run: &mut Run,
        call: &mut Call<'_>,
    ) -> Result<()> {
        let is_tombstone = record.record.value.is_null() && self.rows.is_none();
        if is_tombstone && self.lake.settings.nulls != NullValues::Write {
            return self.pass_over(batch, record, run, call).await;
        }
        let time = match call.partitioner.time(record, call.now) {
            Ok(time) => time,
            Err(error) => return self.refuse(batch, record, run, call, error).await,
        };
        let (row, companion) = match self.rows_of(batch, record, time, run, call).await? {
            Ok(rows) => rows,
            Err(error) => return self.refuse(batch, record, run, call, error).await,
        };
        if self.due(call.now, time, run.staged.rows.len()).is_some() {
            self.flush(batch, run, call).await?;
            if let Some(cause) = self.due(call.now, time, 0) {
                self.rotate(call.now, cause).await?;
                // The interval is measured from this record on.
                self.due(call.now, time, 0);
            }
        }
        // Where directories have forms of their own, the record was placed to be judged.
        let is_placed = self.forms.are_by_place() && !is_tombstone;
        let outcome = if is_placed { Ok(()) } else { self.find_place(record, time, call) };
        let place = std::mem::take(&mut self.place);
        if outcome.is_ok()
            && self.lake.settings.rotation.on_new_place
            && self.leaves(run, &place, is_tombstone)
        {
            self.flush(batch, run, call).await?;
            self.rotate(call.now, Cause::Directory).await?;
            // The interval is measured from this record on.
            self.due(call.now, time, 0);
        }
        let outcome = match outcome {
            Ok(()) => self.file_of(&place, is_tombstone, batch, run, call).await,
            Err(error) => Err(error),
        };
        self.place = place;
        match outcome {
            Ok(file) => {
                if file != run.file || run.staged.rows.len() >= MAX_RUN {
                    self.flush(batch, run, call).await?;
                }
                // A flush may have finished the files.
                run.file = file;
                if run.staged.rows.is_empty() && !self.files.takes(file, &self.place) {
                    let place = self.place.clone();
                    run.file = self.file_of(&place, is_tombstone, batch, run, call).await?;
                }
                run.staged.push(index, row, companion);
                run.last = record.origin.offset;
                Ok(())
            }
            Err(error) if error.class() == ErrorClass::Data => {
                self.refuse(batch, record, run, call, error).await
            }
            Err(error) => Err(error),
        }
    }

    /// The rows of a record, after the files were finished where theirs have other schemas; the inner error is about the
    /// record.
    async fn rows_of(
        &mut self,
        batch: &[SinkRecord],
        record: &SinkRecord,
        time: Option<i64>,
        run: &mut Run,
        call: &mut Call<'_>,
    ) -> Result<Result<(Option<Datum>, CompanionRow)>> {
        let row = match self.rows.as_mut().map(|rows| rows.row(record)).transpose() {
            Ok(row) => row,
            Err(error) => return Ok(Err(error)),
        };
        if let Some(companions) = &self.companions
            && let Err(error) = companions.check(record)
        {
            return Ok(Err(error));
        }
        let datum = row.as_ref().unwrap_or(&record.record.value);
        // A tombstone has no value that would go into a file.
        let is_fit = match row.is_none() && record.record.value.is_null() {
            true => Ok(true),
            false => self.judge(record, datum.schema.as_ref(), time, run.file, call),
        };
        let is_fit = match is_fit {
            Ok(is_fit) => is_fit,
            Err(error) => return Ok(Err(error)),
        };
        let key_is_fit = self.companions.as_mut().is_none_or(|companions| companions.takes(record));
        if !is_fit || !key_is_fit {
            self.flush(batch, run, call).await?;
            if self.rotation.rows() > 0 {
                self.rotate(call.now, Cause::Schema).await?;
            }
            // What is open now has no records, but columns of the other schema.
            self.files.clear();
        }
        if !is_fit {
            self.forms.of_mut(&self.place, |_| false).begin(datum.schema.as_ref());
        }
        let Some(companions) = &mut self.companions else { return Ok(Ok((row, CompanionRow::default()))) };
        if !key_is_fit && let Err(error) = companions.begin(record) {
            return Ok(Err(error));
        }
        Ok(companions.row(record).map(|companion| (row, companion)))
    }

    /// Puts the place of a record into `self.place`.
    ///
    /// # Errors
    /// A data error where it has none.
    fn find_place(&mut self, record: &SinkRecord, time: Option<i64>, call: &mut Call<'_>) -> Result<()> {
        let rules = (&self.lake.settings.naming, &self.lake.settings.place_rules);
        self.placing.place(rules, call.partitioner, record, time, call.now, &mut self.place)
    }

    /// Whether a record of `schema` goes into the open files. Where directories have forms of their own, its place is found
    /// for that; the file at `likely` may be its own.
    ///
    /// # Errors
    /// A data error where the record cannot be judged or has no place.
    fn judge(
        &mut self,
        record: &SinkRecord,
        schema: Option<&Schema>,
        time: Option<i64>,
        likely: usize,
        call: &mut Call<'_>,
    ) -> Result<bool> {
        if !self.forms.are_by_place() {
            return self.forms.of_mut(&self.place, |_| true).judge(schema);
        }
        self.find_place(record, time, call)?;
        let is_open = |place: &str| self.files.find(place, likely).is_some();
        let begins = !is_open(&self.place);
        let form = self.forms.of_mut(&self.place, is_open);
        if begins {
            // Other directories have nothing to say about one without an open file.
            form.begin(schema);
        }
        form.judge(schema)
    }

    /// Passes over a tombstone, or reports it.
    async fn pass_over(
        &mut self,
        batch: &[SinkRecord],
        record: &SinkRecord,
        run: &mut Run,
        call: &mut Call<'_>,
    ) -> Result<()> {
        self.flush(batch, run, call).await?;
        let wanted = match self.lake.settings.nulls {
            NullValues::Fail => true,
            NullValues::Report => call.rejections.tolerated,
            NullValues::Ignore | NullValues::Write => false,
        };
        if wanted {
            let text = "the value is null (a tombstone), which makes no row; behavior.on.null.values=ignore passes over \
                        such records";
            call.rejections.add(record, Error::data(text))?;
        }
        self.note(&record.origin);
        Ok(())
    }

    /// Reports a record, after those before it were taken.
    async fn refuse(
        &mut self,
        batch: &[SinkRecord],
        record: &SinkRecord,
        run: &mut Run,
        call: &mut Call<'_>,
        error: Error,
    ) -> Result<()> {
        self.flush(batch, run, call).await?;
        call.rejections.add(record, error)?;
        self.note(&record.origin);
        Ok(())
    }

    pub(super) fn due(&mut self, now: i64, time: Option<i64>, staged: usize) -> Option<Cause> {
        let staged = u64::try_from(staged).unwrap_or(u64::MAX);
        self.rotation.due(&self.lake.settings.rotation, now, time, staged, self.files.largest())
    }

    /// Whether records went to another place than `place` last. From and to that of tombstones they come and go.
    fn leaves(&self, run: &Run, place: &str, is_tombstone: bool) -> bool {
        self.files
            .last(run.file)
            .is_some_and(|last| *last.place != *place && !is_tombstone && last.values().is_some())
    }

    /// The file of `place`, which is opened if there is none.
    async fn file_of(
        &mut self,
        place: &str,
        is_tombstone: bool,
        batch: &[SinkRecord],
        run: &mut Run,
        call: &mut Call<'_>,
    ) -> Result<usize> {
        if let Some(file) = self.files.find(place, run.file) {
            return Ok(file);
        }
        if self.files.len() >= self.lake.settings.max_open_files {
            self.flush(batch, run, call).await?;
            self.rotate(call.now, Cause::OpenFiles).await?;
        }
        self.open(place, !is_tombstone)
    }

    fn open(&mut self, place: &str, has_values: bool) -> Result<usize> {
        let target = self.lake.target(&self.tp, place)?;
        let values = has_values.then_some(View::Value);
        let views = values.into_iter().chain([View::Key, View::Headers]);
        let parts = views.filter_map(|view| self.part(view, place).transpose()).collect::<Result<_>>()?;
        Ok(self.files.add(OpenFile::new((&self.tp, self.overtaken), place.into(), target, parts)))
    }

    /// An object for rows of `view`, where there are such objects.
    fn part(&self, view: View, place: &str) -> Result<Option<FilePart>> {
        let settings = &self.lake.settings;
        let Some((format, compression)) = settings.format_of(view) else { return Ok(None) };
        let (schema, known) = match (view, &self.companions) {
            (View::Value, _) => (self.forms.of(place).schema(), self.known.as_ref()),
            (view, companions) => (companions.as_ref().and_then(|companions| companions.schema(view)), None),
        };
        let encoder = format.encoder(schema, known, compression, random_bytes())?;
        let temp = format!("{}_tmp{}", random_name(), format.extension());
        let temp = self.lake.temp_dir(&self.tp)?.join(&temp)?;
        let extension = settings.extension(view).unwrap_or_default();
        Ok(Some(FilePart::new(view, temp, encoder, extension)))
    }

    /// Puts the records of `run` into their file.
    pub(super) async fn flush(
        &mut self,
        batch: &[SinkRecord],
        run: &mut Run,
        call: &mut Call<'_>,
    ) -> Result<()> {
        let mut staged = std::mem::take(&mut run.staged);
        let mut done = 0;
        while done < staged.rows.len() {
            let Some(file) = self.files.get_mut(run.file) else { break };
            let (values, unformed) = match file.values() {
                Some(_) => self.forms.of(&file.place).rows(staged.data(batch, done)),
                None => (Vec::new(), None),
            };
            let values: Vec<&Value> = values.iter().map(|value| &**value).collect();
            let rows = ViewRows { values: &values, keys: staged.keys(done), headers: staged.headers(done) };
            let Appended { rows: count, refusal } = file.append(rows);
            let rest = staged.rows.get(done..).unwrap_or_default();
            let (taken, rest) = rest.split_at(count.min(rest.len()));
            let origin = |index: &usize| Some(&batch.get(*index)?.origin);
            if let (Some(first), Some(last)) = (taken.first().and_then(origin), taken.last().and_then(origin))
            {
                let rows = u64::try_from(taken.len()).unwrap_or(u64::MAX);
                file.cover(first.offset, first.leader_epoch, last.offset, rows, call.now);
                self.first_open.get_or_insert(first.offset);
                self.rotation.wrote(rows, call.now);
            }
            taken.iter().filter_map(origin).for_each(|origin| {
                self.history.note(origin.offset, origin.leader_epoch);
                self.next = Some(origin.offset.saturating_add(1));
            });
            done += taken.len();
            match refusal.or(unformed) {
                None => break,
                Some(Refusal::Row(error)) => {
                    if let Some(record) = rest.first().and_then(|&index| batch.get(index)) {
                        call.rejections.add(record, error)?;
                        self.history.note(record.origin.offset, record.origin.leader_epoch);
                        self.next = Some(record.origin.offset.saturating_add(1));
                        done += 1;
                    }
                }
                Some(Refusal::Layout) => {
                    let (place, has_values) = (Arc::clone(&file.place), file.values().is_some());
                    self.rotate(call.now, Cause::Schema).await?;
                    run.file = self.open(&place, has_values)?;
                }
                Some(Refusal::Full) => file.advance(&self.lake, &self.lease, None, true).await?,
            }
        }
        let limit = self.lake.settings.rotation.bytes;
        self.files.advance(run.file, &self.lake, &self.lease, limit).await?;
        staged.clear();
        run.staged = staged;
        Ok(())
    }
}

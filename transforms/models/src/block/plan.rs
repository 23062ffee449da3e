//! A compiled plan, the builder that makes one, and the scorer that runs it block after block.

use std::collections::HashMap;
use std::sync::Arc;

use super::lanes::{AnyReg, Element, Frame, Kernel, Lanes, Pool, Reg};
use super::{BLOCK_ROWS, LANES, MAX_COLUMNS, MAX_CONSTANTS};
use crate::error::{ModelError, ModelErrorKind};
use crate::features::FeatureBatch;
use crate::model::Scorer;
use crate::predictions::{PredictionColumn, Predictions};
use crate::signature::{ElementType, Plane, Signature};

/// The number of a text that is not among the model's own.
pub(crate) const UNKNOWN_TEXT: i64 = -1;

/// The texts a model knows, by number. Inside a plan text is its number, so that comparing texts is comparing integers
/// and a text of a row is looked up once.
#[derive(Debug, Default)]
pub(crate) struct Vocabulary {
    numbers: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
}

impl Vocabulary {
    pub(crate) fn intern(&mut self, text: &str) -> i64 {
        if let Some(&number) = self.numbers.get(text) {
            return i64::from(number);
        }
        let Ok(number) = u32::try_from(self.texts.len()) else { return UNKNOWN_TEXT };
        let text: Arc<str> = text.into();
        self.texts.push(text.clone());
        self.numbers.insert(text, number);
        i64::from(number)
    }

    fn number(&self, text: Option<&str>) -> i64 {
        text.and_then(|text| self.numbers.get(text)).map_or(UNKNOWN_TEXT, |&number| i64::from(number))
    }
}

/// Moves the columns of one model input from a batch into a register.
#[derive(Debug)]
struct Source {
    reg: AnyReg,
    plane: Plane,
    /// Position of the first column within a row of the plane.
    offset: usize,
}

#[derive(Debug)]
struct Step {
    /// What messages call it.
    place: Box<str>,
    kernel: Box<dyn Kernel>,
    reads: Vec<AnyReg>,
    writes: Vec<AnyReg>,
}

/// Collects registers and steps in the order they run.
#[derive(Debug, Default)]
pub(crate) struct PlanBuilder {
    pub(crate) vocabulary: Vocabulary,
    sources: Vec<Source>,
    steps: Vec<Step>,
    /// Columns of every register, by pool.
    widths: [Vec<usize>; 3],
    columns: usize,
    constants: usize,
    plane_offsets: [usize; 4],
}

impl PlanBuilder {
    /// A new register. `place` is whom an error blames.
    pub(crate) fn register<T: Element>(&mut self, place: &str, width: usize) -> Result<Reg<T>, ModelError> {
        // Every register counts as one column more, so that empty ones are bounded as well.
        self.columns = self.columns.saturating_add(width).saturating_add(1);
        let pool = &mut self.widths[T::POOL];
        match u32::try_from(pool.len()) {
            Ok(index) if self.columns <= MAX_COLUMNS => {
                pool.push(width);
                Ok(Reg::new(index, width))
            }
            _ => Err(ModelError::limit(
                place,
                format!("{width} columns more in intermediate values"),
                MAX_COLUMNS,
            )),
        }
    }

    /// Counts numbers that a kernel is about to keep as constants or as tables of columns.
    pub(crate) fn charge(&mut self, place: &str, numbers: usize) -> Result<(), ModelError> {
        self.constants = self.constants.saturating_add(numbers);
        if self.constants > MAX_CONSTANTS {
            return Err(ModelError::limit(
                place,
                format!("{numbers} numbers more in constants"),
                MAX_CONSTANTS,
            ));
        }
        Ok(())
    }

    /// A register for text or integers, doubles or floats that is filled from the next columns of a batch.
    pub(crate) fn source(
        &mut self,
        place: &str,
        element: ElementType,
        width: usize,
    ) -> Result<AnyReg, ModelError> {
        let plane = element.plane();
        let reg = match plane {
            Plane::Floats => AnyReg::Floats(self.register(place, width)?),
            Plane::Doubles => AnyReg::Doubles(self.register(place, width)?),
            Plane::Integers | Plane::Texts => AnyReg::Integers(self.register(place, width)?),
        };
        let offset = &mut self.plane_offsets[plane as usize];
        self.sources.push(Source { reg, plane, offset: *offset });
        *offset += width;
        Ok(reg)
    }

    /// Adds a step. `reads` and `writes` decide how long registers are kept, so they must be complete.
    pub(crate) fn emit(
        &mut self,
        place: &str,
        kernel: impl Kernel + 'static,
        reads: impl IntoIterator<Item = AnyReg>,
        writes: impl IntoIterator<Item = AnyReg>,
    ) {
        self.steps.push(Step {
            place: place.into(),
            kernel: Box::new(kernel),
            reads: reads.into_iter().collect(),
            writes: writes.into_iter().collect(),
        });
    }

    /// The finished plan; `sinks` are the registers of the signature's outputs, in order.
    pub(crate) fn finish(self, signature: Arc<Signature>, sinks: Vec<AnyReg>) -> Plan {
        let slots = self.assign_slots(&sinks);
        Plan {
            signature,
            texts: self.vocabulary.texts.clone().into(),
            vocabulary: self.vocabulary,
            sources: self.sources,
            steps: self.steps,
            sinks,
            slots,
        }
    }

    /// Gives registers that are never alive together the same slot: less memory, and the cache stays warm.
    fn assign_slots(&self, sinks: &[AnyReg]) -> [SlotTable; 3] {
        const NEVER: usize = usize::MAX;
        let mut last_use: [Vec<usize>; 3] = [0, 1, 2].map(|pool: usize| vec![0; self.widths[pool].len()]);
        for (position, step) in self.steps.iter().enumerate() {
            for &reg in step.reads.iter().chain(&step.writes) {
                let (pool, index) = place_of(reg);
                last_use[pool][index] = position;
            }
        }
        for &reg in sinks {
            let (pool, index) = place_of(reg);
            last_use[pool][index] = NEVER;
        }

        let mut tables = [0, 1, 2].map(|pool: usize| SlotTable::new(self.widths[pool].len()));
        let claim = |tables: &mut [SlotTable; 3], reg: AnyReg| {
            let (pool, index) = place_of(reg);
            tables[pool].claim(index, reg.width());
        };
        for source in &self.sources {
            claim(&mut tables, source.reg);
        }
        for (position, step) in self.steps.iter().enumerate() {
            for &reg in &step.writes {
                claim(&mut tables, reg);
            }
            for &reg in step.reads.iter().chain(&step.writes) {
                let (pool, index) = place_of(reg);
                if last_use[pool][index] == position {
                    tables[pool].release(index);
                }
            }
        }
        tables
    }
}

fn place_of(reg: AnyReg) -> (usize, usize) {
    match reg {
        AnyReg::Floats(reg) => (f32::POOL, reg.index as usize),
        AnyReg::Doubles(reg) => (f64::POOL, reg.index as usize),
        AnyReg::Integers(reg) => (i64::POOL, reg.index as usize),
    }
}

/// Which slot each register of a pool has, and how wide the slots are.
#[derive(Debug)]
struct SlotTable {
    slot_of: Vec<u32>,
    widths: Vec<usize>,
    free: Vec<u32>,
    /// Registers whose slot has been given up.
    released: Vec<bool>,
}

impl SlotTable {
    /// Slot 0 is empty and stands for registers that no step writes.
    fn new(registers: usize) -> Self {
        Self {
            slot_of: vec![0; registers],
            widths: vec![0],
            free: Vec::new(),
            released: vec![false; registers],
        }
    }

    fn claim(&mut self, register: usize, width: usize) {
        if self.slot_of[register] != 0 {
            return;
        }
        // The free slot that is wide enough with the least to spare, or else the widest, which then grows; among the
        // latest ones only, so that a hostile graph cannot make this quadratic.
        const TRIED: usize = 64;
        let best = self.free.iter().enumerate().rev().take(TRIED).min_by_key(|&(_, &slot)| {
            let have = self.widths[slot as usize];
            if have >= width { (0, have - width) } else { (1, width - have) }
        });
        let slot = match best {
            Some((position, _)) => self.free.swap_remove(position),
            None => {
                self.widths.push(0);
                (self.widths.len() - 1) as u32
            }
        };
        let have = &mut self.widths[slot as usize];
        *have = width.max(*have);
        self.slot_of[register] = slot;
    }

    fn release(&mut self, register: usize) {
        // A step may name a register twice.
        let slot = self.slot_of[register];
        if slot != 0 && !std::mem::replace(&mut self.released[register], true) {
            self.free.push(slot);
        }
    }

    fn pool<T: Element>(&self) -> Pool<T> {
        Pool::new(&self.widths, &self.slot_of)
    }
}

/// A compiled model: immutable, shared by its scorers.
#[derive(Debug)]
pub(crate) struct Plan {
    signature: Arc<Signature>,
    vocabulary: Vocabulary,
    texts: Arc<[Arc<str>]>,
    sources: Vec<Source>,
    steps: Vec<Step>,
    sinks: Vec<AnyReg>,
    slots: [SlotTable; 3],
}

impl Plan {
    pub(crate) fn signature(&self) -> &Arc<Signature> {
        &self.signature
    }

    fn frame(&self) -> Frame {
        let [floats, doubles, integers] = &self.slots;
        Frame::new(floats.pool(), doubles.pool(), integers.pool())
    }

    fn fill(&self, frame: &mut Frame, batch: &FeatureBatch, first: usize) {
        let width = |plane| self.signature.plane_width(plane);
        for source in &self.sources {
            match (source.reg, source.plane) {
                (AnyReg::Floats(reg), _) => {
                    let rows = rows(batch.floats(), width(Plane::Floats), first, source.offset, reg.width);
                    frame.write(reg, |_, lanes| transpose_in(rows, lanes, reg.width));
                }
                (AnyReg::Doubles(reg), _) => {
                    let rows = rows(batch.doubles(), width(Plane::Doubles), first, source.offset, reg.width);
                    frame.write(reg, |_, lanes| transpose_in(rows, lanes, reg.width));
                }
                (AnyReg::Integers(reg), Plane::Texts) => {
                    let stride = width(Plane::Texts);
                    frame.write(reg, |frame, lanes| {
                        for (group, columns) in lanes.chunks_exact_mut(reg.width).enumerate() {
                            for lane in 0..frame.lanes_of(group) {
                                let cell = (first + group * LANES + lane) * stride + source.offset;
                                for (column, values) in columns.iter_mut().enumerate() {
                                    values[lane] = self.vocabulary.number(batch.text(cell + column));
                                }
                            }
                        }
                    });
                }
                (AnyReg::Integers(reg), _) => {
                    let rows =
                        rows(batch.integers(), width(Plane::Integers), first, source.offset, reg.width);
                    frame.write(reg, |_, lanes| transpose_in(rows, lanes, reg.width));
                }
            }
        }
    }

    fn drain(&self, frame: &Frame, columns: &mut [PredictionColumn], first: usize) {
        for (&sink, column) in self.sinks.iter().zip(columns) {
            let from = first * sink.width();
            match (sink, column) {
                (AnyReg::Floats(reg), PredictionColumn::Floats(values)) => {
                    transpose_out(frame.read(reg), &mut values[from..], reg.width, |value| value);
                }
                (AnyReg::Doubles(reg), PredictionColumn::Doubles(values)) => {
                    transpose_out(frame.read(reg), &mut values[from..], reg.width, |value| value);
                }
                (AnyReg::Integers(reg), PredictionColumn::Integers(values)) => {
                    transpose_out(frame.read(reg), &mut values[from..], reg.width, |value| value);
                }
                (AnyReg::Integers(reg), PredictionColumn::Texts { ids, .. }) => {
                    let id = |number| u32::try_from(number).unwrap_or(u32::MAX);
                    transpose_out(frame.read(reg), &mut ids[from..], reg.width, id);
                }
                // The signature was made from the same registers, so the storage types agree.
                _ => debug_assert!(false, "output of another type than its register"),
            }
        }
    }
}

/// Rows of `width` values that start at `offset` within rows of `stride` values of a plane.
fn rows<T>(
    plane: &[T],
    stride: usize,
    first: usize,
    offset: usize,
    width: usize,
) -> impl Iterator<Item = &[T]> {
    let from = plane.get(first * stride..).unwrap_or_default();
    // A plane of no columns has no rows to read.
    from.chunks_exact(stride.max(1)).map(move |row| row.get(offset..offset + width).unwrap_or_default())
}

fn transpose_in<'a, T: Element>(
    mut rows: impl Iterator<Item = &'a [T]>,
    lanes: &mut [Lanes<T>],
    width: usize,
) {
    for columns in lanes.chunks_exact_mut(width.max(1)) {
        for lane in 0..LANES {
            let Some(row) = rows.next() else { return };
            for (values, &value) in columns.iter_mut().zip(row) {
                values[lane] = value;
            }
        }
    }
}

fn transpose_out<T: Element, U>(lanes: &[Lanes<T>], out: &mut [U], width: usize, convert: impl Fn(T) -> U) {
    let width = width.max(1);
    for (columns, rows) in lanes.chunks_exact(width).zip(out.chunks_mut(width * LANES)) {
        for (lane, row) in rows.chunks_exact_mut(width).enumerate().take(LANES) {
            for (cell, values) in row.iter_mut().zip(columns) {
                *cell = convert(values[lane]);
            }
        }
    }
}

/// Runs a plan, with the scratch memory to do so.
#[derive(Debug)]
pub(crate) struct BlockScorer {
    plan: Arc<Plan>,
    frame: Frame,
}

impl BlockScorer {
    pub(crate) fn new(plan: &Arc<Plan>) -> Self {
        Self { plan: plan.clone(), frame: plan.frame() }
    }

    fn score_block(
        &mut self,
        batch: &FeatureBatch,
        columns: &mut [PredictionColumn],
        first: usize,
    ) -> Result<(), ModelError> {
        self.frame.set_rows(batch.rows() - first);
        self.plan.fill(&mut self.frame, batch, first);
        for step in &self.plan.steps {
            step.kernel.run(&mut self.frame).map_err(|refusal| ModelErrorKind::Scoring {
                row: first + refusal.row,
                place: step.place.to_string(),
                what: refusal.what,
            })?;
        }
        self.plan.drain(&self.frame, columns, first);
        Ok(())
    }
}

impl Scorer for BlockScorer {
    fn score(&mut self, batch: &FeatureBatch, out: &mut Predictions) -> Result<(), ModelError> {
        let plan = self.plan.clone();
        out.forget();
        batch.check(&plan.signature)?;
        let columns = out.start(&plan.signature, &plan.texts, batch.rows());
        for first in (0..batch.rows()).step_by(BLOCK_ROWS) {
            if let Err(error) = self.score_block(batch, columns, first) {
                out.forget();
                return Err(error);
            }
        }
        Ok(())
    }
}

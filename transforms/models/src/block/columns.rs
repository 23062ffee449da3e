//! Kernels that move columns or fold them into others.

use super::LANES;
use super::elementwise::is_nan;
use super::lanes::{AnyReg, Element, Frame, Kernel, Lanes, Number, Real, Refusal, Reg};

/// `output[c] = input[columns[c]]`.
#[derive(Debug)]
pub(crate) struct Select<T> {
    pub(crate) input: Reg<T>,
    pub(crate) output: Reg<T>,
    pub(crate) columns: Box<[u32]>,
}

impl<T: Element> Kernel for Select<T> {
    fn run(&self, frame: &mut Frame) -> Result<(), Refusal> {
        frame.write(self.output, |frame, out| {
            let input = frame.read(self.input).chunks_exact(self.input.width.max(1));
            for (out, input) in out.chunks_exact_mut(self.output.width.max(1)).zip(input) {
                for (lanes, &column) in out.iter_mut().zip(&self.columns) {
                    *lanes = input[column as usize];
                }
            }
        });
        Ok(())
    }
}

/// Where a column of a joined value comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Piece<T> {
    /// `count` columns of the register from `from` on.
    Columns { reg: Reg<T>, from: usize, count: usize },
    /// One column with the same value in every row.
    Constant(T),
}

/// `output` = the pieces side by side.
#[derive(Debug)]
pub(crate) struct Join<T> {
    pub(crate) pieces: Box<[Piece<T>]>,
    pub(crate) output: Reg<T>,
}

impl<T: Element> Kernel for Join<T> {
    fn run(&self, frame: &mut Frame) -> Result<(), Refusal> {
        frame.write(self.output, |frame, out| {
            for (group, mut out) in out.chunks_exact_mut(self.output.width.max(1)).enumerate() {
                for piece in &self.pieces {
                    let count = match piece {
                        Piece::Columns { count, .. } => *count,
                        Piece::Constant(_) => 1,
                    };
                    let (here, rest) = out.split_at_mut(count.min(out.len()));
                    match piece {
                        Piece::Columns { reg, from, count } => {
                            here.copy_from_slice(&frame.read(*reg)[group * reg.width + from..][..*count]);
                        }
                        Piece::Constant(value) => here.fill([*value; LANES]),
                    }
                    out = rest;
                }
            }
        });
        Ok(())
    }
}

impl<T: Element> Join<T> {
    /// The registers the pieces come from.
    pub(crate) fn reads(&self) -> Vec<AnyReg> {
        self.pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Columns { reg, .. } => Some(T::any(*reg)),
                Piece::Constant(_) => None,
            })
            .collect()
    }
}

/// How several columns become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Folding {
    L1,
    L2,
    LogSum,
    LogSumExp,
    Max,
    Mean,
    Min,
    Product,
    Sum,
    SumSquare,
}

/// `output[c]` = the columns `members[c * count..][..count]` of `input`, folded.
#[derive(Debug)]
pub(crate) struct Fold<T> {
    pub(crate) input: Reg<T>,
    pub(crate) output: Reg<T>,
    pub(crate) members: Box<[u32]>,
    pub(crate) count: usize,
    pub(crate) folding: Folding,
}

impl<T: Real> Kernel for Fold<T> {
    fn run(&self, frame: &mut Frame) -> Result<(), Refusal> {
        frame.write(self.output, |frame, out| {
            let input = frame.read(self.input).chunks_exact(self.input.width.max(1));
            for (out, input) in out.chunks_exact_mut(self.output.width.max(1)).zip(input) {
                for (lanes, members) in out.iter_mut().zip(self.members.chunks_exact(self.count.max(1))) {
                    *lanes = self.fold(members.iter().map(|&member| &input[member as usize]));
                }
            }
        });
        Ok(())
    }
}

impl<T: Real> Fold<T> {
    #[inline(always)]
    fn fold<'a>(&self, members: impl Iterator<Item = &'a Lanes<T>> + Clone) -> Lanes<T> {
        match self.folding {
            Folding::L1 => gather(T::ZERO, members, |sum, x| sum.plus(x.magnitude())),
            Folding::L2 => gather(T::ZERO, members, |sum, x| sum.plus(x.times(x))).map(T::sqrt),
            Folding::LogSum => gather(T::ZERO, members, T::plus).map(T::ln),
            Folding::LogSumExp => {
                let highest = gather(T::INFINITY.negated(), members.clone(), larger);
                let mut sum = [T::ZERO; LANES];
                for lanes in members {
                    for lane in 0..LANES {
                        sum[lane] = sum[lane].plus(lanes[lane].minus(highest[lane]).exp());
                    }
                }
                std::array::from_fn(|lane| sum[lane].ln().plus(highest[lane]))
            }
            Folding::Max => gather(T::INFINITY.negated(), members, larger),
            Folding::Min => {
                gather(T::INFINITY, members, |best, x| if x < best || is_nan(x) { x } else { best })
            }
            Folding::Mean => {
                let count = T::from_f64(self.count as f64);
                gather(T::ZERO, members, T::plus).map(|sum| sum.over(count))
            }
            Folding::Product => gather(T::ONE, members, T::times),
            Folding::Sum => gather(T::ZERO, members, T::plus),
            Folding::SumSquare => gather(T::ZERO, members, |sum, x| sum.plus(x.times(x))),
        }
    }
}

#[inline(always)]
fn larger<T: Element>(best: T, x: T) -> T {
    if x > best || is_nan(x) { x } else { best }
}

#[inline(always)]
fn gather<'a, T: Element>(
    start: T,
    members: impl Iterator<Item = &'a Lanes<T>>,
    function: impl Fn(T, T) -> T,
) -> Lanes<T> {
    let mut sum = [start; LANES];
    for lanes in members {
        for lane in 0..LANES {
            sum[lane] = function(sum[lane], lanes[lane]);
        }
    }
    sum
}

/// `output[c]` = the position among `members[c * count..][..count]` of the largest or smallest column.
#[derive(Debug)]
pub(crate) struct Extreme<T> {
    pub(crate) input: Reg<T>,
    pub(crate) output: Reg<i64>,
    pub(crate) members: Box<[u32]>,
    pub(crate) count: usize,
    pub(crate) largest: bool,
    /// Among equals take the last instead of the first.
    pub(crate) last: bool,
}

impl<T: Number> Kernel for Extreme<T> {
    fn run(&self, frame: &mut Frame) -> Result<(), Refusal> {
        let count = self.count.max(1);
        frame.write(self.output, |frame, out| {
            let input = frame.read(self.input).chunks_exact(self.input.width.max(1));
            for (out, input) in out.chunks_exact_mut(self.output.width.max(1)).zip(input) {
                for (lanes, members) in out.iter_mut().zip(self.members.chunks_exact(count)) {
                    let columns = members.iter().map(|&member| &input[member as usize]);
                    *lanes = match (self.largest, self.last) {
                        (true, false) => extreme(columns, |x, best| x > best),
                        (true, true) => extreme(columns, |x, best| x >= best),
                        (false, false) => extreme(columns, |x, best| x < best),
                        (false, true) => extreme(columns, |x, best| x <= best),
                    };
                }
            }
        });
        Ok(())
    }
}

#[inline(always)]
fn extreme<'a, T: Element>(
    mut columns: impl Iterator<Item = &'a Lanes<T>>,
    better: impl Fn(T, T) -> bool,
) -> Lanes<i64> {
    let mut place = [0; LANES];
    let Some(first) = columns.next() else { return place };
    let mut best = *first;
    for (position, lanes) in (1..).zip(columns) {
        for lane in 0..LANES {
            let wins = better(lanes[lane], best[lane]);
            best[lane] = if wins { lanes[lane] } else { best[lane] };
            place[lane] = if wins { position } else { place[lane] };
        }
    }
    place
}

/// How the columns of a set are brought to a common scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scaling {
    /// e^x over the sum of them.
    Softmax,
    /// The logarithm of that.
    LogSoftmax,
    /// Divided by the largest, unless that is 0.
    Max,
    /// Divided by the sum of magnitudes, unless that is 0.
    L1,
    /// Divided by the Euclidean length, unless that is 0.
    L2,
}

/// `output` = `input` with each set of columns `members[s * count..][..count]` scaled.
#[derive(Debug)]
pub(crate) struct Scale<T> {
    pub(crate) input: Reg<T>,
    pub(crate) output: Reg<T>,
    pub(crate) members: Box<[u32]>,
    pub(crate) count: usize,
    pub(crate) scaling: Scaling,
}

impl<T: Real> Kernel for Scale<T> {
    fn run(&self, frame: &mut Frame) -> Result<(), Refusal> {
        frame.write(self.output, |frame, out| {
            let input = frame.read(self.input).chunks_exact(self.input.width.max(1));
            for (out, input) in out.chunks_exact_mut(self.output.width.max(1)).zip(input) {
                for members in self.members.chunks_exact(self.count.max(1)) {
                    self.scale(members, input, out);
                }
            }
        });
        Ok(())
    }
}

impl<T: Real> Scale<T> {
    fn scale(&self, members: &[u32], input: &[Lanes<T>], out: &mut [Lanes<T>]) {
        let columns = || members.iter().map(|&member| &input[member as usize]);
        let mut each = |function: &dyn Fn(&Lanes<T>, usize) -> T| {
            for &member in members {
                let x = &input[member as usize];
                out[member as usize] = std::array::from_fn(|lane| function(x, lane));
            }
        };
        let divide = |by: Lanes<T>| {
            move |x: &Lanes<T>, lane: usize| {
                if by[lane] == T::ZERO { x[lane] } else { x[lane].over(by[lane]) }
            }
        };
        let highest = || gather(T::INFINITY.negated(), columns(), larger);
        match self.scaling {
            Scaling::Softmax => {
                let highest = highest();
                let mut sum = [T::ZERO; LANES];
                for &member in members {
                    let (x, y) = (&input[member as usize], &mut out[member as usize]);
                    for lane in 0..LANES {
                        y[lane] = x[lane].minus(highest[lane]).exp();
                        sum[lane] = sum[lane].plus(y[lane]);
                    }
                }
                for &member in members {
                    let y = &mut out[member as usize];
                    for lane in 0..LANES {
                        y[lane] = y[lane].over(sum[lane]);
                    }
                }
            }
            Scaling::LogSoftmax => {
                let highest = highest();
                let mut sum = [T::ZERO; LANES];
                for x in columns() {
                    for lane in 0..LANES {
                        sum[lane] = sum[lane].plus(x[lane].minus(highest[lane]).exp());
                    }
                }
                let log = sum.map(T::ln);
                each(&|x, lane| x[lane].minus(highest[lane]).minus(log[lane]));
            }
            Scaling::Max => each(&divide(highest())),
            Scaling::L1 => each(&divide(gather(T::ZERO, columns(), |sum, x| sum.plus(x.magnitude())))),
            Scaling::L2 => {
                each(&divide(gather(T::ZERO, columns(), |sum, x| sum.plus(x.times(x))).map(T::sqrt)));
            }
        }
    }
}

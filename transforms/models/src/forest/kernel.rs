//! A forest as a kernel of a plan.

use super::keys::{self, Ordered};
use super::votes::{Aggregate, Class, Classification, Regression, Seen};
use super::{Forest, Reach, Tree};
use crate::block::LANES;
use crate::block::elementwise::convert;
use crate::block::lanes::{AnyReg, Frame, Kernel, Lanes, Number, Refusal, Reg};

/// What is made of the sums.
#[derive(Debug)]
pub(crate) enum Outcome<T> {
    Regression(Regression<T>),
    Classification {
        rule: Classification<T>,
        /// Label by position of the class.
        labels: Box<[i64]>,
        /// Labels for [`Class::Sign`], below and above.
        signs: [i64; 2],
        output: Reg<i64>,
    },
}

/// Walks all trees for all rows and writes scores, and labels for a classification.
#[derive(Debug)]
pub(crate) struct ForestKernel<T: Ordered> {
    pub(crate) forest: Forest<T>,
    pub(crate) input: Reg<T>,
    /// Sums of votes, one column per target.
    pub(crate) sums: Reg<T>,
    /// Marks of targets that got votes; only if some target gets them sometimes.
    pub(crate) marks: Option<Reg<T>>,
    /// The scores, one column per target.
    pub(crate) scores: Reg<f32>,
    pub(crate) outcome: Outcome<T>,
}

impl<T: Ordered> ForestKernel<T> {
    pub(crate) fn writes(&self) -> Vec<AnyReg> {
        let mut writes = vec![T::any(self.sums), AnyReg::Floats(self.scores)];
        writes.extend(self.marks.map(T::any));
        if let Outcome::Classification { output, .. } = &self.outcome {
            writes.push(AnyReg::Integers(*output));
        }
        writes
    }

    /// Whether marks are needed to tell which targets a row got votes for.
    pub(crate) fn needs_marks(forest: &Forest<T>) -> bool {
        forest.reach().contains(&Reach::Sometimes)
    }

    fn aggregate(&self) -> Aggregate {
        match &self.outcome {
            Outcome::Regression(rule) => rule.aggregate,
            Outcome::Classification { .. } => Aggregate::Sum,
        }
    }

    fn start(&self) -> T {
        match self.aggregate() {
            Aggregate::Sum | Aggregate::Average => T::ZERO,
            Aggregate::Min => T::INFINITY,
            Aggregate::Max => T::INFINITY.negated(),
        }
    }

    /// Adds the votes of all trees for the rows of all groups: `add(sum, weight)`.
    #[inline(always)]
    fn collect(
        &self,
        frame: &Frame,
        keys: &[Lanes<T::Key>],
        sums: &mut [Lanes<T>],
        marks: &mut [Lanes<T>],
        add: impl Fn(T, T) -> T,
    ) {
        let width = self.key_columns();
        let targets = self.sums.width.max(1);
        let whole = (0..frame.groups()).take_while(|&group| frame.lanes_of(group) == LANES).count();
        let group_marks = |group: usize| group * targets..(group + 1) * targets;

        // Tree by tree over all rows, so that a tree is in the cache while it is used.
        for &tree in &self.forest.trees {
            let groups = keys.chunks_exact(width).zip(sums.chunks_exact_mut(targets)).take(whole);
            for (group, (keys, sums)) in groups.enumerate() {
                let leaves = self.forest.leaves_of_rows(tree, keys);
                let leaves = leaves.as_flattened();
                match tree.target {
                    Some(target) => {
                        let sums = &mut sums[target as usize];
                        for lane in 0..LANES {
                            sums[lane] = add(sums[lane], self.forest.branches[leaves[lane] as usize].weight);
                        }
                    }
                    None => {
                        let marks = marks.get_mut(group_marks(group)).unwrap_or_default();
                        for (lane, &leaf) in leaves.iter().enumerate() {
                            self.cast(leaf, lane, sums, marks, &add);
                        }
                    }
                }
            }
        }

        // The last rows do not fill a group: row by row, several trees at a time.
        let (Some(keys), Some(sums)) =
            (keys.chunks_exact(width).nth(whole), sums.chunks_exact_mut(targets).nth(whole))
        else {
            return;
        };
        let marks = marks.get_mut(group_marks(whole)).unwrap_or_default();
        let (rounds, rest) = self.forest.trees.as_chunks::<LANES>();
        for lane in 0..frame.lanes_of(whole) {
            let mut vote = |trees: [Tree; LANES], count: usize| {
                let leaves = self.forest.leaves_of_trees(trees, keys, lane);
                for (tree, &leaf) in trees.iter().zip(&leaves).take(count) {
                    match tree.target {
                        Some(target) => {
                            let sum = &mut sums[target as usize][lane];
                            *sum = add(*sum, self.forest.branches[leaf as usize].weight);
                        }
                        None => self.cast(leaf, lane, sums, marks, &add),
                    }
                }
            };
            for &trees in rounds {
                vote(trees, LANES);
            }
            if let Some(&last) = rest.last() {
                vote(std::array::from_fn(|k| rest.get(k).copied().unwrap_or(last)), rest.len());
            }
        }
    }

    /// Adds the votes of one leaf for one row.
    fn cast(
        &self,
        leaf: u32,
        lane: usize,
        sums: &mut [Lanes<T>],
        marks: &mut [Lanes<T>],
        add: &impl Fn(T, T) -> T,
    ) {
        let (first, count) = self.forest.spans[leaf as usize];
        for vote in &self.forest.votes[first as usize..][..count as usize] {
            let target = vote.target as usize;
            sums[target][lane] = add(sums[target][lane], vote.weight);
            if let Some(mark) = marks.get_mut(target) {
                mark[lane] = T::ONE;
            }
        }
    }

    /// Columns of keys in a group of rows.
    fn key_columns(&self) -> usize {
        (self.input.width * if self.forest.missing_passes { 2 } else { 1 }).max(1)
    }

    fn collect_all(
        &self,
        frame: &Frame,
        keys: &mut Vec<Lanes<T::Key>>,
        sums: &mut [Lanes<T>],
        marks: &mut [Lanes<T>],
    ) {
        keys::fill(frame.read(self.input), self.input.width, self.forest.missing_passes, keys);
        sums.fill([self.start(); LANES]);
        marks.fill([T::ZERO; LANES]);
        match self.aggregate() {
            Aggregate::Sum | Aggregate::Average => self.collect(frame, keys, sums, marks, T::plus),
            Aggregate::Min => {
                let lower = |best, weight| if weight < best { weight } else { best };
                self.collect(frame, keys, sums, marks, lower);
            }
            Aggregate::Max => {
                let higher = |best, weight| if weight > best { weight } else { best };
                self.collect(frame, keys, sums, marks, higher);
            }
        }
    }

    /// Turns the sums into scores in place, and into labels where there are any.
    fn finish(&self, frame: &Frame, sums: &mut [Lanes<T>], marks: &[Lanes<T>], labels: &mut [Lanes<i64>]) {
        let targets = self.sums.width.max(1);
        for (group, sums) in sums.chunks_exact_mut(targets).enumerate() {
            let marks = marks.get(group * targets..(group + 1) * targets).unwrap_or_default();
            let seen = Seen { reach: self.forest.reach(), marks };
            for lane in 0..frame.lanes_of(group) {
                match &self.outcome {
                    Outcome::Regression(rule) => rule.finish(sums, seen, lane),
                    Outcome::Classification { rule, labels: names, signs, .. } => {
                        let class = rule.finish(sums, seen, lane);
                        let Some(labels) = labels.get_mut(group) else { continue };
                        labels[lane] = match class {
                            Class::Position(class) => names.get(class).copied().unwrap_or_default(),
                            Class::Sign(above) => signs[usize::from(above)],
                        };
                    }
                }
            }
        }
    }
}

impl<T: Ordered> Kernel for ForestKernel<T> {
    fn run(&self, frame: &mut Frame) -> Result<(), Refusal> {
        let labels = match &self.outcome {
            Outcome::Regression(_) => None,
            Outcome::Classification { output, .. } => Some(*output),
        };
        let mut keys = std::mem::take(T::scratch(frame));
        frame.write_also(self.marks, |frame, marks| {
            frame.write_also(labels, |frame, labels| {
                frame.write(self.sums, |frame, sums| {
                    self.collect_all(frame, &mut keys, sums, marks);
                    self.finish(frame, sums, marks, labels);
                });
            });
        });
        *T::scratch(frame) = keys;
        convert(frame, self.sums, self.scores, |sum: T| f32::from_f64(sum.to_f64()));
        Ok(())
    }
}

//! What the votes of the leaves add up to, and how that becomes scores and a class, as ONNX Runtime does it: where
//! the specification is silent, the models in use were checked against that implementation.

use super::Reach;
use crate::block::lanes::{Lanes, Real};
use crate::block::post::{PostTransform, probit};

/// How votes for one target come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aggregate {
    Average,
    Max,
    Min,
    Sum,
}

/// Whether a row has got votes for a target: decided when the forest was compiled, or by a mark set on the way.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a, T> {
    pub(crate) reach: &'a [Reach],
    /// Marks of the group, one column per target; empty when no target is [`Reach::Sometimes`].
    pub(crate) marks: &'a [Lanes<T>],
}

impl<T: Real> Seen<'_, T> {
    fn has(&self, target: usize, lane: usize) -> bool {
        match self.reach.get(target) {
            Some(Reach::Always) => true,
            Some(Reach::Sometimes) => self.marks.get(target).is_some_and(|mark| mark[lane] > T::ZERO),
            Some(Reach::Never) | None => false,
        }
    }
}

/// How the sums of a regression become its results.
#[derive(Debug)]
pub(crate) struct Regression<T> {
    pub(crate) aggregate: Aggregate,
    pub(crate) trees: T,
    /// One per target, or none.
    pub(crate) base: Vec<T>,
    pub(crate) post: PostTransform,
}

impl<T: Real> Regression<T> {
    pub(crate) fn finish(&self, scores: &mut [Lanes<T>], seen: Seen<'_, T>, lane: usize) {
        let several = scores.len() > 1;
        for (target, score) in scores.iter_mut().enumerate() {
            let score = &mut score[lane];
            let voted = seen.has(target, lane);
            // Among several results one without votes is nothing, whatever its base. Without votes the extreme is still
            // what the search for it started from.
            if !voted && (several || matches!(self.aggregate, Aggregate::Min | Aggregate::Max)) {
                *score = T::ZERO;
            }
            if voted || !several {
                if self.aggregate == Aggregate::Average {
                    *score = score.over(self.trees);
                }
                if let Some(&base) = self.base.get(target) {
                    *score = score.plus(base);
                }
            }
        }
        match scores {
            // A single result is transformed by PROBIT alone.
            [score] if self.post == PostTransform::Probit => score[lane] = probit(score[lane]),
            [_] => {}
            _ => self.post.apply(scores, lane),
        }
    }
}

/// How the sums of a classification become scores and a class.
#[derive(Debug)]
pub(crate) struct Classification<T> {
    /// None, one or as many as classes.
    pub(crate) base: Vec<T>,
    pub(crate) post: PostTransform,
    /// All votes are for one of two classes, so the other's score follows from it.
    pub(crate) one_sided: bool,
    /// No vote is negative: scores are probabilities, and the middle is 0.5 instead of 0.
    pub(crate) positive: bool,
}

/// The class of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The class at this position.
    Position(usize),
    /// Two classes that both have votes of their own: whether the second one's score is above 0. Where classes are
    /// integers the label is then 1 or 0, whatever the classes are called.
    Sign(bool),
}

impl<T: Real> Classification<T> {
    pub(crate) fn finish(&self, scores: &mut [Lanes<T>], seen: Seen<'_, T>, lane: usize) -> Class {
        match scores {
            [] => Class::Position(0),
            [score] => self.finish_one(score, lane),
            [first, second] => self.finish_two(first, second, seen, lane),
            _ => self.finish_many(scores, seen, lane),
        }
    }

    fn finish_one(&self, score: &mut Lanes<T>, lane: usize) -> Class {
        let score = &mut score[lane];
        if let [base] = self.base[..] {
            *score = score.plus(base);
        }
        let class = Class::Sign(*score > T::ZERO);
        if self.post == PostTransform::Probit {
            *score = probit(*score);
        }
        class
    }

    fn finish_many(&self, scores: &mut [Lanes<T>], seen: Seen<'_, T>, lane: usize) -> Class {
        let mut best: Option<(usize, T)> = None;
        for (class, score) in scores.iter_mut().enumerate() {
            let base = self.base.get(class);
            if let Some(&base) = base {
                score[lane] = score[lane].plus(base);
            }
            let counts = base.is_some() || seen.has(class, lane);
            if counts && best.is_none_or(|(_, best)| score[lane] > best) {
                best = Some((class, score[lane]));
            }
        }
        self.post.apply(scores, lane);
        Class::Position(best.map_or(0, |(class, _)| class))
    }

    fn finish_two(
        &self,
        first: &mut Lanes<T>,
        second: &mut Lanes<T>,
        seen: Seen<'_, T>,
        lane: usize,
    ) -> Class {
        let (has_first, has_second) = (seen.has(0, lane), seen.has(1, lane));
        let (mut a, mut b) = (first[lane], second[lane]);
        // With one number for both classes the second has no score of its own.
        let mut single = false;
        match self.base[..] {
            [_, base] if has_second => {
                b = base.plus(a);
                a = b.negated();
            }
            [base_a, base_b] => {
                a = a.plus(base_a);
                b = b.plus(base_b);
            }
            [base] => {
                a = a.plus(base);
                single = !has_second;
            }
            _ => single = !has_second,
        }
        let from_zero_to_one = self.one_sided && self.positive;
        let decisive = match (has_second, has_first) {
            (true, _) => b,
            (false, true) => a,
            (false, false) => T::ZERO,
        };
        let middle = if from_zero_to_one { T::from_f64(0.5) } else { T::ZERO };
        let wins = decisive > middle;
        let class = if self.one_sided { Class::Position(usize::from(wins)) } else { Class::Sign(wins) };
        if single {
            (first[lane], second[lane]) = match self.post {
                PostTransform::Probit => (probit(a), probit(a).negated()),
                PostTransform::Logistic => (a.negated().logistic(), a.logistic()),
                _ if from_zero_to_one => (T::ONE.minus(a), a),
                _ => (a.negated(), a),
            };
        } else {
            // A score without votes counts as nothing, whatever was added to it.
            first[lane] = if has_first { a } else { T::ZERO };
            second[lane] = if has_second { b } else { T::ZERO };
            let mut pair = [*first, *second];
            self.post.apply(&mut pair, lane);
            [*first, *second] = pair;
        }
        class
    }
}

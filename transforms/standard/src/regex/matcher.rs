//! Runs the instructions of a pattern over a text, by trying and going back as Java does.

use super::program::{Apart, Program, Step};

/// Steps in one search after which it is given up. Patterns for topics need hundreds; those that need more are of the
/// kind that takes time without bound.
const MAX_STEPS: usize = 500_000;

/// The search was given up.
#[derive(Debug)]
pub(super) struct GivenUp;

/// A text to search in.
pub(super) struct Text<'t> {
    text: &'t str,
    chars: Vec<char>,
    /// Where each character begins in `text`, and its end.
    offsets: Vec<usize>,
}

impl<'t> Text<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let (mut offsets, chars): (Vec<usize>, Vec<char>) = text.char_indices().unzip();
        offsets.push(text.len());
        Self { text, chars, offsets }
    }

    /// The text between two characters.
    fn between(&self, from: usize, to: usize) -> &'t str {
        let bounds = (self.offsets.get(from), self.offsets.get(to));
        let (Some(&from), Some(&to)) = bounds else { return "" };
        self.text.get(from..to).unwrap_or_default()
    }

    /// What comes before the match `found`, and what comes after it.
    pub(super) fn around(&self, found: &Found) -> (&'t str, &'t str) {
        match found.span(0) {
            Some((from, to)) => (self.between(0, from), self.between(to, self.chars.len())),
            None => (self.text, ""),
        }
    }

    /// What the group `number` matched in `found`; nothing where it did not take part.
    pub(super) fn group(&self, found: &Found, number: usize) -> &'t str {
        found.span(number).map_or("", |(from, to)| self.between(from, to))
    }
}

/// A match: where its groups begin and end. The whole match is group 0.
pub(super) struct Found(Vec<Option<usize>>);

impl Found {
    /// The number of groups, the whole match being one.
    pub(super) fn groups(&self) -> usize {
        self.0.len() / 2
    }

    fn span(&self, number: usize) -> Option<(usize, usize)> {
        Some(((*self.0.get(2 * number)?)?, (*self.0.get(2 * number + 1)?)?))
    }
}

/// Whether `text` matches as a whole.
pub(super) fn matches(program: &Program, text: &Text<'_>) -> Result<bool, GivenUp> {
    let mut search = Search::new(program, &text.chars);
    Ok(search.run(0, 0, Some(text.chars.len()))?.is_some())
}

/// The first match in `text`.
pub(super) fn find(program: &Program, text: &Text<'_>) -> Result<Option<Found>, GivenUp> {
    let mut search = Search::new(program, &text.chars);
    for from in 0..=text.chars.len() {
        if let Some(to) = search.run(0, from, None)? {
            let mut slots = search.slots;
            if let [start, end, ..] = slots.as_mut_slice() {
                (*start, *end) = (Some(from), Some(to));
            }
            return Ok(Some(Found(slots)));
        }
    }
    Ok(None)
}

/// What is undone, or done instead, when a try fails.
enum Undo {
    /// Go on here.
    Branch {
        step: usize,
        at: usize,
    },
    Slot {
        slot: usize,
        value: Option<usize>,
    },
    Round {
        round: usize,
        value: usize,
    },
}

struct Search<'p> {
    program: &'p Program,
    text: &'p [char],
    slots: Vec<Option<usize>>,
    rounds: Vec<usize>,
    undo: Vec<Undo>,
    steps_left: usize,
}

impl<'p> Search<'p> {
    fn new(program: &'p Program, text: &'p [char]) -> Self {
        Self {
            program,
            text,
            slots: vec![None; 2 * program.groups],
            rounds: vec![0; program.rounds],
            undo: Vec::new(),
            steps_left: MAX_STEPS,
        }
    }

    /// Runs from instruction `step` and character `at` to an `Accept`, which counts at `end` alone if that is given.
    /// The result is where it got to. Calls itself for parts that are tried by themselves, no deeper than the pattern
    /// is nested.
    fn run(&mut self, step: usize, at: usize, end: Option<usize>) -> Result<Option<usize>, GivenUp> {
        let base = self.undo.len();
        let mut here = Some((step, at));
        loop {
            let Some((step, at)) = here.or_else(|| self.back(base)) else { return Ok(None) };
            self.steps_left = self.steps_left.checked_sub(1).ok_or(GivenUp)?;
            here = match self.program.steps.get(step) {
                None => None,
                Some(Step::Accept) => match end {
                    Some(end) if end != at => None,
                    _ => {
                        self.settle(base);
                        return Ok(Some(at));
                    }
                },
                Some(Step::Char(c)) => (self.text.get(at) == Some(c)).then_some((step + 1, at + 1)),
                Some(Step::Set(set)) => {
                    self.text.get(at).is_some_and(|&c| set.has(c)).then_some((step + 1, at + 1))
                }
                Some(Step::Place(place)) => place.holds(self.text, at).then_some((step + 1, at)),
                Some(Step::Reference { group, case }) => {
                    let bounds = (self.slots.get(2 * group), self.slots.get(2 * group + 1));
                    let known = match bounds {
                        (Some(&Some(from)), Some(&Some(to))) => self.text.get(from..to),
                        _ => None,
                    };
                    let length = known.map_or(0, <[char]>::len);
                    self.steps_left = self.steps_left.checked_sub(length).ok_or(GivenUp)?;
                    let again = self.text.get(at..at + length);
                    known
                        .zip(again)
                        .filter(|(known, again)| known.iter().zip(*again).all(|(&a, &b)| case.same(a, b)))
                        .map(|_| (step + 1, at + length))
                }
                Some(Step::Save(slot)) => {
                    if let Some(value) = self.slots.get_mut(*slot) {
                        self.undo.push(Undo::Slot { slot: *slot, value: value.replace(at) });
                    }
                    Some((step + 1, at))
                }
                Some(Step::Either { first, second }) => {
                    self.undo.push(Undo::Branch { step: *second, at });
                    Some((*first, at))
                }
                Some(Step::Jump(to)) => Some((*to, at)),
                Some(Step::Round(round)) => {
                    if let Some(value) = self.rounds.get_mut(*round) {
                        self.undo.push(Undo::Round { round: *round, value: std::mem::replace(value, at) });
                    }
                    Some((step + 1, at))
                }
                Some(Step::Again { round, back }) => {
                    let empty = self.rounds.get(*round) == Some(&at);
                    Some(if empty { (step + 1, at) } else { (*back, at) })
                }
                Some(Step::Apart { kind, after }) => self.apart(*kind, step + 1, at)?.map(|at| (*after, at)),
            };
        }
    }

    /// Goes back to the last branch since `base`.
    fn back(&mut self, base: usize) -> Option<(usize, usize)> {
        while self.undo.len() > base {
            match self.undo.pop()? {
                Undo::Branch { step, at } => return Some((step, at)),
                Undo::Slot { slot, value } => {
                    if let Some(slot) = self.slots.get_mut(slot) {
                        *slot = value;
                    }
                }
                Undo::Round { round, value } => {
                    if let Some(round) = self.rounds.get_mut(round) {
                        *round = value;
                    }
                }
            }
        }
        None
    }

    /// Forgets the branches since `base`; what groups matched can still be undone.
    fn settle(&mut self, base: usize) {
        let mut kept = base;
        for i in base..self.undo.len() {
            if !matches!(self.undo.get(i), Some(Undo::Branch { .. })) {
                self.undo.swap(kept, i);
                kept += 1;
            }
        }
        self.undo.truncate(kept);
    }

    /// Tries the part that begins at `step` by itself, from `at`. The result is where to go on.
    fn apart(&mut self, kind: Apart, step: usize, at: usize) -> Result<Option<usize>, GivenUp> {
        let Apart::Look { behind, negated } = kind else { return self.run(step, at, None) };
        let base = self.undo.len();
        let mut found = false;
        if behind {
            for from in (0..=at).rev() {
                if self.run(step, from, Some(at))?.is_some() {
                    found = true;
                    break;
                }
            }
        } else {
            found = self.run(step, at, None)?.is_some();
        }
        if negated {
            // No branch is left, so this only undoes.
            self.back(base);
        }
        Ok((found != negated).then_some(at))
    }
}

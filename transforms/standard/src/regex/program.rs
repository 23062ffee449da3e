//! A pattern as instructions.

use super::node::{Case, Node, Place};
use super::set::Set;

/// More instructions than this are refused: a pattern whose counts multiply to that has no use for topics.
const MAX_INSTRUCTIONS: usize = 50_000;

/// One step of matching, at a place in the program and a place in the text.
#[derive(Debug)]
pub(super) enum Step {
    Char(char),
    Set(Set),
    Place(Place),
    Reference {
        group: usize,
        case: Case,
    },
    /// Notes the place in the text as the beginning (even slot) or end (odd slot) of a group.
    Save(usize),
    /// Goes on at `first`, and at `second` if that fails.
    Either {
        first: usize,
        second: usize,
    },
    Jump(usize),
    /// Notes where a round of a loop begins.
    Round(usize),
    /// Ends a round: back to the loop, or out of it where the round matched the empty text.
    Again {
        round: usize,
        back: usize,
    },
    /// What follows up to an `Accept` is tried by itself; then it goes on at `after`.
    Apart {
        kind: Apart,
        after: usize,
    },
    Accept,
}

/// What is done with a part that is tried by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Apart {
    /// Goes on behind what it matched.
    Atomic,
    Look {
        behind: bool,
        negated: bool,
    },
}

/// The instructions of a pattern.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) steps: Vec<Step>,
    /// Loops whose rounds are noted.
    pub(super) rounds: usize,
    /// Groups, the whole match being one.
    pub(super) groups: usize,
}

impl Program {
    /// Instructions for `pattern`, which has `groups` capturing groups; `None` where there would be too many.
    pub(super) fn of(pattern: &Node, groups: usize) -> Option<Self> {
        let mut program = Self { steps: Vec::new(), rounds: 0, groups: groups + 1 };
        program.write(pattern)?;
        program.push(Step::Accept)?;
        Some(program)
    }

    fn push(&mut self, step: Step) -> Option<usize> {
        let at = self.steps.len();
        (at < MAX_INSTRUCTIONS).then(|| {
            self.steps.push(step);
            at
        })
    }

    /// Completes the step at `at`, which was pushed before its targets were known.
    fn set(&mut self, at: usize, step: Step) {
        if let Some(slot) = self.steps.get_mut(at) {
            *slot = step;
        }
    }

    fn write(&mut self, node: &Node) -> Option<()> {
        match node {
            Node::Char(c) => self.push(Step::Char(*c)).map(drop),
            Node::Set(set) => self.push(Step::Set(set.clone())).map(drop),
            Node::Place(place) => self.push(Step::Place(place.clone())).map(drop),
            Node::Reference { group, case } => {
                self.push(Step::Reference { group: *group, case: *case }).map(drop)
            }
            Node::Sequence(nodes) => nodes.iter().try_for_each(|node| self.write(node)),
            Node::Alternatives(nodes) => self.alternatives(nodes),
            Node::Group(number, body) => {
                self.push(Step::Save(2 * number))?;
                self.write(body)?;
                self.push(Step::Save(2 * number + 1)).map(drop)
            }
            Node::Atomic(body) => self.apart(Apart::Atomic, body),
            Node::Look { behind, negated, body } => {
                self.apart(Apart::Look { behind: *behind, negated: *negated }, body)
            }
            Node::Repeat { body, least, most, greedy } => self.repeat(body, *least, *most, *greedy),
        }
    }

    fn alternatives(&mut self, nodes: &[Node]) -> Option<()> {
        let mut exits = Vec::new();
        for (i, node) in nodes.iter().enumerate() {
            if i + 1 == nodes.len() {
                self.write(node)?;
                break;
            }
            let choice = self.push(Step::Accept)?;
            self.write(node)?;
            exits.push(self.push(Step::Accept)?);
            self.set(choice, Step::Either { first: choice + 1, second: self.steps.len() });
        }
        for exit in exits {
            self.set(exit, Step::Jump(self.steps.len()));
        }
        Some(())
    }

    fn apart(&mut self, kind: Apart, body: &Node) -> Option<()> {
        let start = self.push(Step::Accept)?;
        self.write(body)?;
        self.push(Step::Accept)?;
        self.set(start, Step::Apart { kind, after: self.steps.len() });
        Some(())
    }

    /// As many copies of the body as it has to match, then a loop, or as many copies more as it may.
    fn repeat(&mut self, body: &Node, least: u32, most: Option<u32>, greedy: bool) -> Option<()> {
        for _ in 0..least {
            let before = self.steps.len();
            self.write(body)?;
            if self.steps.len() == before {
                break;
            }
        }
        let choice = |inside: usize, outside: usize| {
            if greedy {
                Step::Either { first: inside, second: outside }
            } else {
                Step::Either { first: outside, second: inside }
            }
        };
        let Some(most) = most else {
            let round = self.rounds;
            self.rounds += 1;
            let start = self.push(Step::Accept)?;
            self.push(Step::Round(round))?;
            self.write(body)?;
            self.push(Step::Again { round, back: start })?;
            self.set(start, choice(start + 1, self.steps.len()));
            return Some(());
        };
        let mut exits = Vec::new();
        for _ in least..most {
            let exit = self.push(Step::Accept)?;
            self.write(body)?;
            if self.steps.len() == exit + 1 {
                self.steps.pop();
                break;
            }
            exits.push(exit);
        }
        for exit in exits {
            self.set(exit, choice(exit + 1, self.steps.len()));
        }
        Some(())
    }
}

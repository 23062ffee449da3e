//! Checks the trees of an ensemble and lays them out for walking.

use std::collections::{HashMap, VecDeque};

use super::keys::{Key, Ordered};
use super::{Branch, Ensemble, Forest, Node, Reach, Test, Tree, Vote};
use crate::block::LANES;

/// What is wrong with an ensemble: a sentence without the node's name, and what was expected.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) what: String,
    pub(crate) expected: &'static str,
}

fn flaw(what: String, expected: &'static str) -> Flaw {
    Flaw { what, expected }
}

pub(crate) fn compile<T: Ordered>(ensemble: &Ensemble<T>) -> Result<Forest<T>, Flaw> {
    let Ensemble { roots, votes, targets, .. } = ensemble;
    if let Some(vote) = votes.iter().find(|vote| vote.target as usize >= *targets) {
        return Err(flaw(
            format!("a leaf votes for target {} of {targets}", vote.target),
            "targets counted from 0",
        ));
    }
    let mut layout = Layout::new(ensemble);
    let mut trees = Vec::with_capacity(roots.len());
    for &root in roots {
        trees.push(layout.tree(root)?);
    }
    let mixed = trees.iter().any(|tree| tree.target.is_none());
    Ok(Forest {
        reach: layout.reach(&trees),
        spans: if mixed { layout.spans } else { Vec::new() },
        branches: layout.branches,
        trees,
        votes: if mixed { votes.clone() } else { Vec::new() },
        missing_passes: layout.missing_passes,
    })
}

/// A branch that has a place and is still to be filled in.
enum Pending<K> {
    Node(usize),
    /// The second test of two that stand for equality: the value is known not to be above.
    NotAbove {
        feature: u32,
        /// The key below the one asked for.
        below: K,
        /// The node for equal values.
        same: usize,
        /// The node for other values, which both tests lead to.
        other: usize,
    },
}

/// The parts of a branch: the key up to which it passes, where to look, and what follows for keys that pass and fail.
type Parts<K> = (K, u32, Pending<K>, Pending<K>);

/// How far the leaves are below a node.
#[derive(Clone, Copy)]
enum Height {
    Unseen,
    /// Being measured: a link that leads here closes a cycle.
    Open,
    Known(u32),
}

struct Layout<'a, T: Ordered> {
    ensemble: &'a Ensemble<T>,
    branches: Vec<Branch<T, T::Key>>,
    /// Votes of each branch as first and count; zeros for inner nodes.
    spans: Vec<(u32, u32)>,
    heights: Vec<Height>,
    /// The branch of each node that has been laid out.
    places: Vec<Option<u32>>,
    missing_passes: bool,
}

impl<'a, T: Ordered> Layout<'a, T> {
    fn new(ensemble: &'a Ensemble<T>) -> Self {
        let count = ensemble.nodes.len();
        Self {
            ensemble,
            branches: Vec::with_capacity(count),
            spans: Vec::with_capacity(count),
            heights: vec![Height::Unseen; count],
            places: vec![None; count],
            missing_passes: false,
        }
    }

    /// Lays out one tree, breadth first. Nodes may be shared, as LightGBM's converter shares what follows a test for
    /// one of several categories: every link to a node beyond the first gets a copy of its branch.
    fn tree(&mut self, root: usize) -> Result<Tree, Flaw> {
        let depth = self.measure(root)?;
        let start = self.reserve(1)?;
        let mut target = TargetOfTree::Unknown;
        let mut copies: Vec<(u32, u32)> = Vec::new();
        let mut queue = VecDeque::from([(Pending::Node(root), start)]);
        while let Some((pending, at)) = queue.pop_front() {
            let (threshold, feature, yes, no) = match pending {
                Pending::NotAbove { feature, below, same, other } => {
                    (below, feature, Pending::Node(other), Pending::Node(same))
                }
                Pending::Node(node) => {
                    if let Some(place) = self.places[node] {
                        copies.push((place, at));
                        continue;
                    }
                    self.places[node] = Some(at);
                    match self.ensemble.nodes[node] {
                        Node::Inner { test, feature, threshold, yes, no, missing_passes } => {
                            let key = Threshold::new(threshold);
                            self.branch(test, feature, &key, (yes, no), missing_passes)?
                        }
                        Node::Leaf { first, count } => {
                            target = target.with(self.leaf(at, first, count)?);
                            continue;
                        }
                    }
                }
            };
            let pair = self.reserve(2)?;
            self.put(at, threshold, feature, pair);
            queue.push_back((yes, pair));
            queue.push_back((no, pair + 1));
        }
        // Everything that there are copies of is filled in now.
        for &(of, at) in &copies {
            self.copy(of, at);
        }
        Ok(Tree { root: start, depth, target: target.single() })
    }

    /// Steps from a node to the deepest leaf below it. Finds cycles and links that lead nowhere.
    fn measure(&mut self, root: usize) -> Result<u32, Flaw> {
        let ensemble = self.ensemble;
        let mut stack = vec![root];
        while let Some(&node) = stack.last() {
            let (Some(found), Some(&height)) = (ensemble.nodes.get(node), self.heights.get(node)) else {
                return Err(flaw(
                    format!("a link leads to node {node} of {}", ensemble.nodes.len()),
                    "links to nodes of the same tree",
                ));
            };
            let links = match *found {
                // A test for equality is two.
                Node::Inner { test: Test::Equal | Test::NotEqual, yes, no, .. } => Some((2, yes, no)),
                Node::Inner { yes, no, .. } => Some((1, yes, no)),
                Node::Leaf { .. } => None,
            };
            match (height, links) {
                (Height::Known(_), _) => {
                    stack.pop();
                }
                (_, None) => self.heights[node] = Height::Known(0),
                (Height::Unseen, Some((_, yes, no))) => {
                    self.heights[node] = Height::Open;
                    for link in [yes, no] {
                        if matches!(self.heights.get(link), Some(Height::Open)) {
                            return Err(flaw(
                                format!("node {node} leads back to node {link} above it"),
                                "trees without cycles",
                            ));
                        }
                        stack.push(link);
                    }
                }
                (Height::Open, Some((steps, yes, no))) => {
                    let below = [yes, no].map(|link| match self.heights.get(link) {
                        Some(Height::Known(height)) => *height,
                        _ => 0,
                    });
                    self.heights[node] = Height::Known(below[0].max(below[1]).saturating_add(steps));
                }
            }
        }
        match self.heights.get(root) {
            Some(Height::Known(height)) => Ok(*height),
            _ => Ok(0),
        }
    }

    /// Brings the test of an inner node to the one form.
    fn branch(
        &mut self,
        test: Test,
        feature: usize,
        key: &Threshold<T::Key>,
        (yes, no): (usize, usize),
        missing_passes: bool,
    ) -> Result<Parts<T::Key>, Flaw> {
        let (pass, fail) = (Pending::Node(yes), Pending::Node(no));
        Ok(match test {
            Test::LessOrEqual => (key.up_to(), self.feature(feature, missing_passes)?, pass, fail),
            Test::Less => (key.below(), self.feature(feature, missing_passes)?, pass, fail),
            // The opposite test with the ways exchanged, the way of a missing value as well.
            Test::Greater => (key.not_above(), self.feature(feature, !missing_passes)?, fail, pass),
            Test::GreaterOrEqual => {
                (key.not_at_or_above(), self.feature(feature, !missing_passes)?, fail, pass)
            }
            // Not above and not below. A missing value differs from everything, unless it passes: then it passes the
            // first test and must fail the second.
            Test::Equal | Test::NotEqual => {
                let equal = test == Test::Equal;
                let (same, other) = if equal { (yes, no) } else { (no, yes) };
                let second = self.feature(feature, false)?;
                let not_above = Pending::NotAbove { feature: second, below: key.below(), same, other };
                (
                    key.up_to(),
                    self.feature(feature, equal && missing_passes)?,
                    not_above,
                    Pending::Node(other),
                )
            }
        })
    }

    fn copy(&mut self, of: u32, at: u32) {
        let mut branch = self.branches[of as usize];
        if branch.is_leaf(of) {
            branch.child = at.wrapping_sub(1);
        }
        self.branches[at as usize] = branch;
        self.spans[at as usize] = self.spans[of as usize];
    }

    /// Where a test looks: the column in which missing values pass, or the one in which they fail.
    fn feature(&mut self, feature: usize, missing_passes: bool) -> Result<u32, Flaw> {
        let columns = self.ensemble.features;
        let column = if missing_passes { feature.checked_add(columns) } else { Some(feature) };
        let offset =
            column.and_then(|column| column.checked_mul(LANES)).and_then(|at| u32::try_from(at).ok());
        self.missing_passes |= missing_passes;
        offset.filter(|_| feature < columns).ok_or_else(|| {
            flaw(
                format!("a test uses feature {feature}, and the input has {columns} columns"),
                "features counted from 0 and below the number of columns",
            )
        })
    }

    /// Fills in a leaf; returns its target if it has exactly one vote.
    fn leaf(&mut self, at: u32, first: usize, count: usize) -> Result<Option<u32>, Flaw> {
        let votes = first.checked_add(count).and_then(|end| self.ensemble.votes.get(first..end));
        let votes = votes.ok_or_else(|| {
            flaw(
                format!("a leaf has {count} votes from {first} on, of {}", self.ensemble.votes.len()),
                "votes that are there",
            )
        })?;
        let single = match votes {
            [vote] => Some(*vote),
            _ => None,
        };
        let weight = single.map_or(T::ZERO, |vote| vote.weight);
        let threshold = T::Key::LOWEST;
        self.branches[at as usize] = Branch { threshold, feature: 0, child: at.wrapping_sub(1), weight };
        self.spans[at as usize] = (first as u32, count as u32);
        Ok(single.map(|vote| vote.target))
    }

    fn put(&mut self, at: u32, threshold: T::Key, feature: u32, child: u32) {
        self.branches[at as usize] = Branch { threshold, feature, child, weight: T::ZERO };
    }

    /// Room for `count` branches next to each other.
    fn reserve(&mut self, count: usize) -> Result<u32, Flaw> {
        let end = self.branches.len() + count;
        if u32::try_from(end.max(self.ensemble.votes.len())).is_err() {
            return Err(flaw("the ensemble has more than 2^32 nodes or votes".to_owned(), "fewer of them"));
        }
        let start = self.branches.len() as u32;
        self.branches
            .resize(end, Branch { threshold: T::Key::LOWEST, feature: 0, child: 0, weight: T::ZERO });
        self.spans.resize(end, (0, 0));
        Ok(start)
    }

    /// For each target whether every row gets a vote for it, none does, or some do.
    fn reach(&self, trees: &[Tree]) -> Vec<Reach> {
        let mut reach = vec![Reach::Never; self.ensemble.targets];
        let mut see = |target: u32, seen: Reach| {
            if let Some(reach) = reach.get_mut(target as usize)
                && *reach != Reach::Always
            {
                *reach = seen;
            }
        };
        for (position, tree) in trees.iter().enumerate() {
            if let Some(target) = tree.target {
                see(target, Reach::Always);
                continue;
            }
            let end = trees.get(position + 1).map_or(self.branches.len() as u32, |next| next.root);
            let leaves = (tree.root..end).filter(|&at| self.branches[at as usize].is_leaf(at));
            let mut leaf_count = 0usize;
            // For each target the number of leaves with a vote for it, and the last such leaf.
            let mut seen: HashMap<u32, (usize, u32)> = HashMap::new();
            for leaf in leaves {
                leaf_count += 1;
                for vote in self.votes_of(leaf) {
                    let (count, last) = seen.entry(vote.target).or_insert((0, u32::MAX));
                    if *last != leaf {
                        (*count, *last) = (*count + 1, leaf);
                    }
                }
            }
            for (target, (count, _)) in seen {
                see(target, if count == leaf_count { Reach::Always } else { Reach::Sometimes });
            }
        }
        reach
    }

    fn votes_of(&self, branch: u32) -> &[Vote<T>] {
        let (first, count) = self.spans[branch as usize];
        self.ensemble.votes.get(first as usize..first as usize + count as usize).unwrap_or_default()
    }
}

/// A threshold as the key up to which a test passes. No number passes a test with NaN.
struct Threshold<K>(Option<K>);

impl<K: Key> Threshold<K> {
    fn new<T: Ordered<Key = K>>(threshold: T) -> Self {
        Self((!threshold.not_a_number()).then(|| threshold.key()))
    }

    /// For `x <= threshold`.
    fn up_to(&self) -> K {
        self.0.unwrap_or(K::LOWEST)
    }

    /// For `x < threshold`.
    fn below(&self) -> K {
        self.0.map_or(K::LOWEST, K::below)
    }

    /// For the opposite of `x > threshold`, which every number passes if the threshold is NaN.
    fn not_above(&self) -> K {
        self.0.unwrap_or(K::HIGHEST.below())
    }

    /// For the opposite of `x >= threshold`.
    fn not_at_or_above(&self) -> K {
        self.0.map_or(K::HIGHEST.below(), K::below)
    }
}

/// Whether the leaves of a tree seen so far all have one vote for one target.
#[derive(Clone, Copy)]
enum TargetOfTree {
    Unknown,
    Single(u32),
    Mixed,
}

impl TargetOfTree {
    fn with(self, leaf: Option<u32>) -> Self {
        match (self, leaf) {
            (Self::Unknown, Some(target)) => Self::Single(target),
            (Self::Single(target), Some(other)) if target == other => self,
            _ => Self::Mixed,
        }
    }

    fn single(self) -> Option<u32> {
        match self {
            Self::Single(target) => Some(target),
            Self::Unknown | Self::Mixed => None,
        }
    }
}

//! Tree ensembles: from a list of nodes with links to flat arrays that are walked without branches.
//!
//! - [`compile`]: checks the trees (every link in range, no cycle) and lays them out.
//! - [`keys`]: numbers as integers in the same order, with a place for missing values.
//! - [`walk`]: finds the leaves, many walks at a time.
//! - [`votes`]: what the leaves add up to, and how that becomes scores and a class.
//! - [`kernel`]: the three together as a kernel of a plan.
//!
//! Every test is brought to one form, `key <= threshold`, and the two children lie next to each other, so a step is a
//! load, a comparison and an addition. A leaf leads to itself, so that walks of different lengths can run side by side.

pub(crate) mod compile;
pub(crate) mod kernel;
pub(crate) mod keys;
pub(crate) mod votes;
mod walk;

use keys::Ordered;

/// The test of an inner node as models state it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Test {
    LessOrEqual,
    Less,
    GreaterOrEqual,
    Greater,
    Equal,
    NotEqual,
}

/// A node of a tree as models state it. Links are positions in the list of all nodes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Node<T> {
    Inner {
        test: Test,
        feature: usize,
        threshold: T,
        /// Where the walk goes when the test holds.
        yes: usize,
        /// Where it goes when the test does not hold.
        no: usize,
        /// A missing value counts as passing the test. Otherwise it passes only [`Test::NotEqual`].
        missing_passes: bool,
    },
    /// A leaf with the votes `first..first + count`.
    Leaf { first: usize, count: usize },
}

/// What a leaf adds to one of the results.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Vote<T> {
    pub(crate) target: u32,
    pub(crate) weight: T,
}

/// An ensemble as models state it.
#[derive(Debug)]
pub(crate) struct Ensemble<T> {
    pub(crate) nodes: Vec<Node<T>>,
    /// Roots of the trees, as positions in `nodes`, in the order their votes are added.
    pub(crate) roots: Vec<usize>,
    pub(crate) votes: Vec<Vote<T>>,
    /// Number of results: classes or regression targets.
    pub(crate) targets: usize,
    /// Number of columns of the input.
    pub(crate) features: usize,
}

/// A node as it is walked: 16 bytes for `f32`.
#[derive(Debug, Clone, Copy)]
struct Branch<T, K> {
    /// Keys up to this one pass. For a leaf it is the lowest, which no key it looks at has.
    threshold: K,
    /// Column × [`LANES`](crate::block::LANES); columns in which missing values pass come after all others.
    feature: u32,
    /// The node to go to for keys that pass; the next one is for those that fail. A leaf has its own position less 1.
    child: u32,
    /// Of a leaf with one vote: its weight.
    weight: T,
}

impl<T, K> Branch<T, K> {
    /// Whether the branch at this position is a leaf: the children of inner nodes lie behind them.
    fn is_leaf(&self, at: u32) -> bool {
        self.child == at.wrapping_sub(1)
    }
}

#[derive(Debug, Clone, Copy)]
struct Tree {
    root: u32,
    /// Steps from the root to the deepest leaf.
    depth: u32,
    /// The target of all its leaves if each has exactly one vote for the same target.
    target: Option<u32>,
}

/// A compiled ensemble.
#[derive(Debug)]
pub(crate) struct Forest<T: Ordered> {
    branches: Vec<Branch<T, T::Key>>,
    trees: Vec<Tree>,
    /// Range of votes by branch; empty if all trees have one target.
    spans: Vec<(u32, u32)>,
    votes: Vec<Vote<T>>,
    /// For each target whether rows get votes for it.
    reach: Vec<Reach>,
    /// Whether any test lets a missing value pass, so that rows need their columns twice.
    missing_passes: bool,
}

/// Whether the rows of any input get votes for a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    Always,
    Never,
    /// It depends on the leaves.
    Sometimes,
}

impl<T: Ordered> Forest<T> {
    pub(crate) fn trees(&self) -> usize {
        self.trees.len()
    }

    pub(crate) fn reach(&self) -> &[Reach] {
        &self.reach
    }
}

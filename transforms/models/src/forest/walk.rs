//! Walks from roots to leaves, several at a time so that the processor always has something to do while it waits for
//! a node to arrive. A step has no branch to mispredict: the comparison's result is added to the position.

use super::keys::{Key, Ordered};
use super::{Branch, Forest, Tree};
use crate::block::LANES;
use crate::block::lanes::Lanes;

/// Steps after which it is worth looking whether all walks have arrived: most trees are not deeper.
const UNCHECKED: u32 = 8;
/// Rows that walk side by side: their positions stay in registers, and the processor overlaps one set with the next.
const HALF: usize = LANES / 2;

impl<T: Ordered> Forest<T> {
    /// The leaves that the rows of a whole group reach in one tree. `keys` is the group's.
    #[inline(always)]
    pub(super) fn leaves_of_rows(&self, tree: Tree, keys: &[Lanes<T::Key>]) -> [[u32; HALF]; 2] {
        let half =
            |first: usize| walk(&self.branches, [tree.root; HALF], tree.depth, keys, |walk| first + walk);
        [half(0), half(HALF)]
    }

    /// The leaves that one row reaches in several trees.
    #[inline(always)]
    pub(super) fn leaves_of_trees(
        &self,
        trees: [Tree; LANES],
        keys: &[Lanes<T::Key>],
        lane: usize,
    ) -> [u32; LANES] {
        let depth = trees.iter().map(|tree| tree.depth).max().unwrap_or(0);
        walk(&self.branches, trees.map(|tree| tree.root), depth, keys, |_| lane)
    }
}

#[inline(always)]
fn walk<T, K: Key, const N: usize>(
    branches: &[Branch<T, K>],
    mut at: [u32; N],
    depth: u32,
    keys: &[Lanes<K>],
    lane_of: impl Fn(usize) -> usize,
) -> [u32; N] {
    let keys = keys.as_flattened();
    let step = |at: &mut [u32; N]| {
        let mut moved = 0;
        for (walk, at) in at.iter_mut().enumerate() {
            let branch = &branches[*at as usize];
            let fails = keys[branch.feature as usize + lane_of(walk)] > branch.threshold;
            let next = branch.child.wrapping_add(u32::from(fails));
            moved |= next ^ *at;
            *at = next;
        }
        moved
    };
    for _ in 0..depth.min(UNCHECKED) {
        step(&mut at);
    }
    // Only leaves stay where they are.
    for _ in UNCHECKED..depth {
        if step(&mut at) == 0 {
            break;
        }
    }
    at
}

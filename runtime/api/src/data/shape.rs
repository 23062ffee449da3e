//! Shared key lists of schemaless objects.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::{KeyList, Str};

/// The keys of a schemaless object, in insertion order, without duplicates.
///
/// Objects that came with the same keys in the same order usually share one shape, so that a column writer or a
/// transform compiles its plan once per shape and finds it again by pointer.
#[derive(Clone)]
pub struct Shape(Arc<KeyList>);

impl Shape {
    /// A shape of its own, shared with nobody yet. Of two equal keys the first counts.
    #[must_use]
    pub fn new(keys: impl Into<Box<[Str]>>) -> Self {
        Self(Arc::new(KeyList::of_all(keys.into().into_vec())))
    }

    /// The keys in order.
    #[must_use]
    pub fn keys(&self) -> &[Str] {
        self.0.keys()
    }

    /// The number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys().len()
    }

    /// Whether there are no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys().is_empty()
    }

    /// The position of `key`.
    #[must_use]
    pub fn index_of(&self, key: &str) -> Option<usize> {
        self.0.find(key)
    }

    /// Whether both are the same allocation.
    #[must_use]
    pub fn same(&self, other: &Shape) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The address of the allocation, for caches keyed by pointer, which must keep a clone of the shape.
    #[must_use]
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

/// A shape of its own.
impl From<KeyList> for Shape {
    fn from(keys: KeyList) -> Self {
        Self(Arc::new(keys))
    }
}

impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        self.same(other) || self.keys() == other.keys()
    }
}

impl Eq for Shape {}

impl Hash for Shape {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.keys().hash(state);
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys()).finish()
    }
}

/// A position in a [`ShapeTable`]: the keys seen so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapeCursor(u32);

/// Finds the shared shape while the keys of an object arrive, by walking a tree of key transitions: for a stream of
/// records with the same keys each step is one comparison with the key that came last time.
///
/// The table is bounded; objects whose keys do not fit get shapes of their own, so data with random keys costs memory
/// only as long as its records live.
#[derive(Debug)]
pub struct ShapeTable {
    nodes: Vec<Transition>,
    limit: usize,
}

#[derive(Debug)]
struct Transition {
    /// The key that led here; unused at the root.
    key: Str,
    parent: u32,
    depth: u32,
    shape: Option<Shape>,
    children: Vec<u32>,
}

/// More transitions than this from one node are a sign of random keys.
const MAX_FAN_OUT: usize = 64;

/// Objects with more members than this are maps rather than records, and get shapes of their own.
const MAX_STEPS: u32 = 512;

impl ShapeTable {
    /// A table of at most `limit` transitions.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let root = Transition { key: Str::default(), parent: 0, depth: 0, shape: None, children: Vec::new() };
        Self { nodes: vec![root], limit: limit.clamp(1, u32::MAX as usize) }
    }

    /// The position before any key.
    #[must_use]
    pub fn start(&self) -> ShapeCursor {
        ShapeCursor(0)
    }

    /// The position after `key`, or `None` where the table is full, or there are too many keys before this one to be
    /// those of a record. The caller takes care of duplicates: a key that the object already has is not stepped over
    /// again.
    pub fn step(&mut self, at: ShapeCursor, key: &str) -> Option<ShapeCursor> {
        if let Some(known) = self.find(at, key) {
            return Some(known);
        }
        let node = self.nodes.get(at.0 as usize)?;
        if node.depth < MAX_STEPS { self.grow(at, key) } else { None }
    }

    /// The position after `key`, which is not known behind `at` yet.
    fn grow(&mut self, at: ShapeCursor, key: &str) -> Option<ShapeCursor> {
        let node = self.nodes.get(at.0 as usize)?;
        if self.nodes.len() >= self.limit || node.children.len() >= MAX_FAN_OUT {
            return None;
        }
        let depth = node.depth + 1;
        let child = u32::try_from(self.nodes.len()).ok()?;
        self.nodes.push(Transition {
            key: key.into(),
            parent: at.0,
            depth,
            shape: None,
            children: Vec::new(),
        });
        self.nodes.get_mut(at.0 as usize)?.children.push(child);
        Some(ShapeCursor(child))
    }

    /// The position after `key`, if the table knows this step already. A walk by `find` alone meets no key twice where
    /// whoever calls [`step`](Self::step) keeps duplicates out, so that only new steps need the check.
    #[inline]
    #[must_use]
    pub fn find(&self, at: ShapeCursor, key: &str) -> Option<ShapeCursor> {
        let node = self.nodes.get(at.0 as usize)?;
        for &child in &node.children {
            if self.nodes.get(child as usize)?.key == *key {
                return Some(ShapeCursor(child));
            }
        }
        None
    }

    /// The place of `key` among the keys up to `at`, counted from 0.
    #[must_use]
    pub fn position(&self, at: ShapeCursor, key: &str) -> Option<usize> {
        let mut next = at.0;
        while next != 0 {
            let node = self.nodes.get(next as usize)?;
            if node.key == *key {
                return Some(node.depth as usize - 1);
            }
            next = node.parent;
        }
        None
    }

    /// The keys up to `at`, in order.
    #[must_use]
    pub fn keys(&self, at: ShapeCursor) -> Vec<Str> {
        let mut keys = Vec::new();
        let mut next = at.0;
        while next != 0 {
            let Some(node) = self.nodes.get(next as usize) else { break };
            keys.push(node.key.clone());
            next = node.parent;
        }
        keys.reverse();
        keys
    }

    /// The number of keys up to `at`.
    #[must_use]
    pub fn depth(&self, at: ShapeCursor) -> usize {
        self.nodes.get(at.0 as usize).map_or(0, |node| node.depth as usize)
    }

    /// The shared shape of the keys up to `at`.
    pub fn shape(&mut self, at: ShapeCursor) -> Shape {
        if let Some(shape) = self.nodes.get(at.0 as usize).and_then(|node| node.shape.as_ref()) {
            return shape.clone();
        }
        let shape = Shape::new(self.keys(at));
        if let Some(node) = self.nodes.get_mut(at.0 as usize) {
            node.shape = Some(shape.clone());
        }
        shape
    }

    /// The shared shape of `keys`, or one of its own where the table is full. Of two equal keys the first counts.
    pub fn intern<'k>(&mut self, keys: impl IntoIterator<Item = &'k str> + Clone) -> Shape {
        let mut at = self.start();
        for key in keys.clone() {
            match self.find(at, key).or_else(|| self.grow(at, key)) {
                Some(next) => at = next,
                None => return Shape::new(keys.into_iter().map(Str::from).collect::<Vec<_>>()),
            }
        }
        self.shape(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_keys_share_a_shape() {
        let mut table = ShapeTable::new(100);
        let a = table.intern(["a", "b"]);
        let b = table.intern(["a", "b"]);
        let c = table.intern(["b", "a"]);
        assert!(a.same(&b));
        assert!(!a.same(&c));
        assert_eq!(c.keys(), ["b", "a"].map(Str::from));
        assert!(table.intern([]).is_empty());
    }

    #[test]
    fn known_steps_and_positions_are_found() {
        let mut table = ShapeTable::new(100);
        let root = table.start();
        assert_eq!(table.find(root, "a"), None);
        let a = table.step(root, "a").unwrap();
        let b = table.step(a, "b").unwrap();
        assert_eq!(table.find(root, "a"), Some(a));
        assert_eq!(table.find(a, "b"), Some(b));
        assert_eq!((table.position(b, "a"), table.position(b, "b")), (Some(0), Some(1)));
        assert_eq!((table.position(a, "b"), table.position(root, "a")), (None, None));
    }

    #[test]
    fn keys_of_a_map_do_not_fill_the_table() {
        let mut table = ShapeTable::new(10_000);
        let mut at = table.start();
        let steps = (0..).map_while(|i| {
            at = table.step(at, &format!("k{i}"))?;
            Some(at)
        });
        assert_eq!(steps.count(), 512);
        assert_eq!((table.depth(at), table.nodes.len()), (512, 513));
        // Whoever has all keys at once has no steps that cost more and more.
        let names: Vec<String> = (0..600).map(|i| format!("k{i}")).collect();
        let wide = table.intern(names.iter().map(String::as_str));
        assert!(wide.same(&table.intern(names.iter().map(String::as_str))));
    }

    #[test]
    fn a_full_table_still_gives_shapes() {
        let mut table = ShapeTable::new(3);
        for i in 0..50 {
            let name = format!("k{i}");
            let shape = table.intern([name.as_str()]);
            assert_eq!(shape.index_of(&name), Some(0));
        }
        assert!(table.nodes.len() <= 3);
    }
}

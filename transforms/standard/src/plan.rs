//! Plans: what a transform works out once per input schema or shape.

use lavka_api::Result;
use lavka_api::data::{Schema, Shape};

/// Plans kept per transform for schemas, as many as Connect keeps.
pub(crate) const SCHEMAS: usize = 16;
/// Plans kept per transform for shapes. Schemaless documents that leave out fields at will come in more variants than
/// schemas do.
pub(crate) const SHAPES: usize = 64;
/// Key transitions kept for the shapes that a transform makes; see [`ShapeTable`](lavka_api::data::ShapeTable).
pub(crate) const TRANSITIONS: usize = 4096;

/// What plans are found by.
pub(crate) trait PlanKey: Clone + PartialEq {
    /// Whether both are the same allocation.
    fn same(&self, other: &Self) -> bool;
}

impl PlanKey for Schema {
    fn same(&self, other: &Self) -> bool {
        Schema::same(self, other)
    }
}

impl PlanKey for Shape {
    fn same(&self, other: &Self) -> bool {
        Shape::same(self, other)
    }
}

/// A shape together with what else the plan depends on.
impl PlanKey for (Shape, u8) {
    fn same(&self, other: &Self) -> bool {
        self.1 == other.1 && self.0.same(&other.0)
    }
}

/// The plans of a transform, most recently used first, the least recently used one giving way to a new one.
///
/// A plan is found by pointer; the key held here keeps the address from meaning another one. Where the pointer is new
/// but an equal key is known, that plan is used, and so its output goes on sharing one schema. A failure to compile is
/// kept like a plan, because the next record with this schema fails in the same way.
pub(crate) struct Plans<K, P> {
    entries: Vec<(K, Result<P>)>,
    capacity: usize,
}

impl<K: PlanKey, P> Plans<K, P> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { entries: Vec::new(), capacity }
    }

    /// The plan for `key`, compiled unless it is there.
    ///
    /// # Errors
    /// What `compile` said, now or the first time.
    pub(crate) fn get(&mut self, key: &K, compile: impl FnOnce(&K) -> Result<P>) -> Result<&P> {
        let find = |test: &dyn Fn(&K) -> bool| self.entries.iter().position(|(known, _)| test(known));
        match find(&|known| known.same(key)).or_else(|| find(&|known| known == key)) {
            Some(0) => {}
            Some(at) => {
                if let Some(front) = self.entries.get_mut(..=at) {
                    front.rotate_right(1);
                }
            }
            None => {
                self.entries.truncate(self.capacity.saturating_sub(1));
                self.entries.insert(0, (key.clone(), compile(key)));
            }
        }
        // The plan is in front now, found or new.
        let [(known, plan), ..] = self.entries.as_mut_slice() else {
            return Err(lavka_api::Error::fatal("a cache of plans has no capacity"));
        };
        if !known.same(key) {
            *known = key.clone();
        }
        plan.as_ref().map_err(Clone::clone)
    }
}

#[cfg(test)]
mod tests {
    use lavka_api::Error;
    use lavka_api::data::Type;

    use super::*;

    fn schema(name: &str) -> Schema {
        Schema::builder(Type::Struct).name(name).build().unwrap()
    }

    #[test]
    fn a_plan_is_compiled_once_per_schema() {
        let mut plans = Plans::new(SCHEMAS);
        let mut compiled = 0;
        let known = schema("a");
        for key in [&known, &known, &schema("a"), &known] {
            let plan = plans.get(key, |_| {
                compiled += 1;
                Ok(7)
            });
            assert_eq!(plan.ok(), Some(&7));
        }
        assert_eq!(compiled, 1);
    }

    #[test]
    fn the_least_recently_used_gives_way() {
        let mut plans = Plans::new(2);
        let [a, b, c] = ["a", "b", "c"].map(schema);
        for key in [&a, &b, &a, &c] {
            assert!(plans.get(key, |_| Ok(())).is_ok());
        }
        let mut asked = Vec::new();
        for (name, key) in [("a", &a), ("c", &c), ("b", &b)] {
            let plan = plans.get(key, |_| {
                asked.push(name);
                Ok(())
            });
            assert!(plan.is_ok());
        }
        assert_eq!(asked, ["b"]);
        assert_eq!(plans.entries.len(), 2);
    }

    #[test]
    fn a_failure_is_kept_too() {
        let mut plans: Plans<Schema, ()> = Plans::new(2);
        let key = schema("a");
        assert!(plans.get(&key, |_| Err(Error::data("no"))).is_err());
        let again = plans.get(&key, |_| Ok(()));
        assert_eq!(again.unwrap_err().message(), Some("no"));
    }
}

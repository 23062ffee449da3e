//! What a converter made of schemas, for a batch and for those to come.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use lavka_api::{Error, ErrorClass, Result};

use crate::cache::Cache;

/// Plans by what they are for, as a topic and a schema: how to write it, or how to read it.
///
/// A converter prepares for a batch and then answers from memory. So what the batch needs is there until the next one
/// begins, however many schemas that are; between batches no more than `capacity` plans are kept.
///
/// ```
/// use std::sync::Arc;
/// use lavka_api::Error;
/// use lavka_schema_registry::Plans;
///
/// let mut plans = Plans::new(1000);
/// // In `prepare_decode`, for each key of the batch that is not settled yet:
/// plans.begin();
/// plans.settle("a", Ok(Arc::new(1)))?;
/// plans.settle("b", Err(Error::data("it is no schema")))?;
/// // For each record:
/// assert_eq!(plans.find(|last| *last == "a", || "a")?, &1);
/// assert_eq!(plans.find(|last| *last == "b", || "b").unwrap_err().to_string(), "it is no schema");
/// # Ok::<(), Error>(())
/// ```
pub struct Plans<K, P> {
    kept: Cache<K, Arc<P>>,
    batch: HashMap<K, Result<Arc<P>>>,
    /// The one of the record before.
    last: Option<(K, Arc<P>)>,
}

impl<K: Hash + Eq + Clone, P> Plans<K, P> {
    /// No plans yet.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { kept: Cache::new(capacity), batch: HashMap::new(), last: None }
    }

    /// A batch begins: what the one before needed goes, but for what there is room for.
    pub fn begin(&mut self) {
        self.batch.clear();
        self.last = None;
    }

    /// Whether this batch knows already what to do about `key`.
    #[must_use]
    pub fn is_settled(&self, key: &K) -> bool {
        self.batch.contains_key(key)
    }

    /// The plan that an earlier batch had for `key`.
    pub fn known(&mut self, key: &K) -> Option<Arc<P>> {
        self.kept.get(key).cloned()
    }

    /// Takes down what this batch does about `key`. An error of the data is the fault of the records with that key, who
    /// hear of it when they are looked for; others go on.
    ///
    /// # Errors
    /// Any other error, which is everybody's.
    pub fn settle(&mut self, key: K, plan: Result<Arc<P>>) -> Result<()> {
        match &plan {
            Ok(plan) => self.kept.put(key.clone(), Arc::clone(plan)),
            Err(error) if error.class() == ErrorClass::Data => {}
            Err(_) => return plan.map(drop),
        }
        self.batch.insert(key, plan);
        Ok(())
    }

    /// The plan of a record. `is_last` is a cheap test for its key, since most records are like the one before; `key`
    /// makes the key.
    ///
    /// # Errors
    /// The one that was settled for the key; a fatal one for a record of another batch.
    #[inline]
    pub fn find(&mut self, is_last: impl FnOnce(&K) -> bool, key: impl FnOnce() -> K) -> Result<&P> {
        if !self.last.as_ref().is_some_and(|(last, _)| is_last(last)) {
            self.turn_to(key())?;
        }
        self.last.as_ref().map(|(_, plan)| &**plan).ok_or_else(of_no_batch)
    }

    fn turn_to(&mut self, key: K) -> Result<()> {
        let plan = self.batch.get(&key).ok_or_else(of_no_batch)?;
        let plan = plan.as_ref().map_err(Clone::clone)?;
        self.last = Some((key, Arc::clone(plan)));
        Ok(())
    }
}

#[cold]
fn of_no_batch() -> Error {
    Error::fatal("a record was converted that was not in the batch that was prepared")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(plans: &mut Plans<u8, u8>, key: u8) -> Result<u8> {
        plans.find(|last| *last == key, || key).copied()
    }

    #[test]
    fn a_batch_has_all_that_it_needs() {
        for capacity in [0, 1, 10] {
            let mut plans = Plans::new(capacity);
            plans.begin();
            for key in 0..5 {
                assert!(!plans.is_settled(&key));
                plans.settle(key, Ok(Arc::new(key + 10))).unwrap();
                assert!(plans.is_settled(&key));
            }
            for key in [0, 0, 4, 2, 0] {
                assert_eq!(find(&mut plans, key).unwrap(), key + 10);
            }
            plans.begin();
            let known = (0..5).filter(|key| plans.known(key).is_some()).count();
            assert_eq!(known, capacity.min(5));
            assert_eq!(find(&mut plans, 0).unwrap_err().class(), ErrorClass::Fatal);
        }
    }

    #[test]
    fn errors_of_data_wait_for_their_records() {
        let mut plans = Plans::new(10);
        plans.begin();
        plans.settle(1, Ok(Arc::new(11))).unwrap();
        plans.settle(2, Err(Error::data("bad"))).unwrap();
        assert_eq!(plans.settle(3, Err(Error::retriable("later"))).unwrap_err().to_string(), "later");
        assert_eq!(find(&mut plans, 1).unwrap(), 11);
        assert_eq!(find(&mut plans, 2).unwrap_err().to_string(), "bad");
        assert_eq!(find(&mut plans, 1).unwrap(), 11);
        assert!(plans.is_settled(&2) && !plans.is_settled(&3) && plans.known(&2).is_none());
    }
}

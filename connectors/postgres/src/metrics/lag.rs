//! How far behind transactions were read, over the life of a task: extremes, average, quantiles.

/// Values below this have a bucket each; above, each power of two has as many buckets as half of this.
const EXACT: u64 = 64;
const HALF: u64 = EXACT / 2;
/// The greatest value that is told from greater ones, in milliseconds: 34 years.
const GREATEST: u64 = 1 << 40;
const BUCKETS: usize = 1_184;

/// Times in milliseconds. Quantiles are within 2 % of the value.
#[derive(Clone, Debug)]
pub(crate) struct Lags {
    buckets: Box<[u64]>,
    count: u64,
    total: u64,
    least: u64,
    most: u64,
}

impl Default for Lags {
    fn default() -> Self {
        let buckets = vec![0; BUCKETS].into_boxed_slice();
        Self { buckets, count: 0, total: 0, least: u64::MAX, most: 0 }
    }
}

impl Lags {
    /// A transaction was read so many milliseconds after its commit.
    pub(super) fn add(&mut self, millis: u64) {
        if let Some(bucket) = self.buckets.get_mut(bucket(millis)) {
            *bucket += 1;
        }
        self.count += 1;
        self.total = self.total.saturating_add(millis);
        self.least = self.least.min(millis);
        self.most = self.most.max(millis);
    }

    /// The least, the greatest and how many times what came to.
    pub(super) fn extremes(&self) -> Option<(u64, u64)> {
        (self.count > 0).then_some((self.least, self.most))
    }

    /// The sum and the number of what was added.
    pub(super) fn sum(&self) -> (u64, u64) {
        (self.total, self.count)
    }

    /// The value that `percent` of 100 are not above; `None` where there is none.
    pub(super) fn quantile(&self, percent: u64) -> Option<u64> {
        let (least, most) = self.extremes()?;
        let wanted = u128::from(self.count) * u128::from(percent);
        let mut below: u128 = 0;
        let found = self.buckets.iter().position(|count| {
            below += u128::from(*count) * 100;
            below >= wanted && below > 0
        });
        Some(middle(found?).clamp(least, most))
    }
}

fn bucket(millis: u64) -> usize {
    let millis = millis.min(GREATEST);
    let shift = u64::from(millis.max(1).ilog2()).saturating_sub(5);
    let at = if shift == 0 { millis } else { HALF * shift + (millis >> shift) };
    usize::try_from(at).unwrap_or(usize::MAX)
}

/// The value in the middle of a bucket.
fn middle(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < EXACT {
        return bucket;
    }
    let shift = bucket / HALF - 1;
    let first = (bucket - HALF * shift) << shift;
    first + ((1 << shift) >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_in_order_and_have_room_for_everything() {
        let mut last = 0;
        for value in (0..200_000).chain([GREATEST - 1, GREATEST, u64::MAX]) {
            let at = bucket(value);
            assert!(at >= last && at < BUCKETS, "{value} in {at}");
            last = at;
            let shown = middle(at);
            let value = value.min(GREATEST);
            assert!(shown.abs_diff(value) * 50 <= value, "{value} as {shown}");
        }
    }

    #[test]
    fn quantiles_are_near_what_they_stand_for() {
        let mut lags = Lags::default();
        assert_eq!((lags.quantile(50), lags.extremes()), (None, None));
        for value in 1..=10_000 {
            lags.add(value);
        }
        assert_eq!((lags.extremes(), lags.sum()), (Some((1, 10_000)), (50_005_000, 10_000)));
        for (percent, value) in [(50, 5_000_u64), (95, 9_500), (99, 9_900), (100, 10_000)] {
            let found = lags.quantile(percent).unwrap();
            assert!(found.abs_diff(value) * 50 <= value, "p{percent} is {found}");
        }
        let mut one = Lags::default();
        one.add(1_000_000);
        assert_eq!((one.quantile(50), one.quantile(99)), (Some(1_000_000), Some(1_000_000)));
    }
}

//! What converters fetch for a batch before they convert it, and whose fault it is where that fails.

use async_trait::async_trait;
use lavka_api::ErrorClass;

use super::policy::{ErrorPolicy, Failure, Next, Stopping, Tries};

/// Converters that may need the network before they convert.
#[async_trait]
pub(crate) trait Prepares<T: Sync>: Send {
    /// Fetches what converting these items needs.
    async fn prepare(&mut self, items: &[T]) -> Result<(), Failure>;
}

/// Has `converters` prepare for `items`. Gives the failure of each item that cannot be converted, by place; nothing at
/// all where every item can. Retriable failures are tried again as `policy` allows. Trouble that lasts is everybody's;
/// a failure of the data is tracked down to the items it belongs to, so that one bad record does not stand for all.
pub(crate) async fn prepare<T: Sync>(
    converters: &mut impl Prepares<T>,
    items: &[T],
    policy: &mut ErrorPolicy,
) -> Result<Vec<Option<Failure>>, Stopping> {
    let Some(failure) = attempt(converters, items, policy).await? else { return Ok(Vec::new()) };
    if failure.error.class() != ErrorClass::Data || items.len() == 1 {
        return Ok(vec![Some(failure); items.len()]);
    }
    let mut failures = Vec::with_capacity(items.len());
    for item in items {
        failures.push(attempt(converters, std::slice::from_ref(item), policy).await?);
    }
    Ok(failures)
}

async fn attempt<T: Sync>(
    converters: &mut impl Prepares<T>,
    items: &[T],
    policy: &mut ErrorPolicy,
) -> Result<Option<Failure>, Stopping> {
    let mut tries = Tries::default();
    loop {
        let Err(failure) = converters.prepare(items).await else { return Ok(None) };
        match policy.try_again(&mut tries, failure.error).await {
            Next::Again => {}
            Next::GiveUp(error) => return Ok(Some(Failure { error, ..failure })),
            Next::Stop => return Err(Stopping),
        }
    }
}

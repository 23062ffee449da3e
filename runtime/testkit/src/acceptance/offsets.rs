//! Source offsets as a worker keeps them, in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use lavka_api::data::{OffsetMap, SourcePosition, Value};
use lavka_api::plugin::OffsetReader;
use lavka_api::{Result, async_trait};

/// Committed offsets. Clones share them.
#[derive(Clone, Default)]
pub(super) struct OffsetStore(Arc<Mutex<HashMap<OffsetMap, OffsetMap>>>);

impl OffsetStore {
    /// Keeps a position in the form in which it comes back after a restart.
    ///
    /// # Errors
    /// Where it would not come back as it was.
    pub(super) fn commit(&self, position: &SourcePosition) -> Result<(), String> {
        let partition = stored(&position.partition)?;
        let offset = stored(&position.offset)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(partition, offset);
        Ok(())
    }

    pub(super) fn entries(&self) -> Vec<(OffsetMap, OffsetMap)> {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.iter().map(|(partition, offset)| (partition.clone(), offset.clone())).collect()
    }
}

#[async_trait]
impl OffsetReader for OffsetStore {
    async fn offsets(&self, partitions: &[OffsetMap]) -> Result<Vec<Option<OffsetMap>>> {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(partitions.iter().map(|partition| map.get(partition).cloned()).collect())
    }
}

/// A partition or offset after a trip through the offset store, which is JSON without schemas: a restarted task sees
/// every integer as `Int64` and every fraction as `Float64`.
fn stored(map: &OffsetMap) -> Result<OffsetMap, String> {
    let entries = map.entries().iter().map(|(key, value)| {
        let value = match value {
            Value::Null | Value::Boolean(_) | Value::Int64(_) | Value::Float64(_) | Value::String(_) => {
                value.clone()
            }
            Value::Int8(v) => Value::Int64((*v).into()),
            Value::Int16(v) => Value::Int64((*v).into()),
            Value::Int32(v) => Value::Int64((*v).into()),
            Value::Float32(v) => Value::Float64((*v).into()),
            Value::Bytes(_) => {
                return Err(format!(
                    "'{key}' is bytes, which come back as text from the offset store: write text"
                ));
            }
            other => {
                return Err(format!(
                    "'{key}' is a {}; partitions and offsets hold numbers, text, booleans and nulls alone",
                    other.java_class()
                ));
            }
        };
        Ok((key.clone(), value))
    });
    Ok(OffsetMap::new(entries.collect::<Result<Vec<_>, String>>()?))
}

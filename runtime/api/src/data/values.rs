//! The values of one record.

use std::fmt;
use std::ops::{Deref, DerefMut};

use super::Value;

/// The values of a struct or an object, dropped faster than a slice of them: most are numbers and short texts, which hold
/// nothing, and looking at each costs a fraction of a call that finds nothing to do.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Values(Box<[Value]>);

impl Values {
    pub(super) fn into_boxed_slice(mut self) -> Box<[Value]> {
        std::mem::take(&mut self.0)
    }
}

impl From<Box<[Value]>> for Values {
    #[inline]
    fn from(values: Box<[Value]>) -> Self {
        Self(values)
    }
}

impl Deref for Values {
    type Target = [Value];
    #[inline]
    fn deref(&self) -> &[Value] {
        &self.0
    }
}

impl DerefMut for Values {
    #[inline]
    fn deref_mut(&mut self) -> &mut [Value] {
        &mut self.0
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        for value in std::mem::take(&mut self.0) {
            match &value {
                Value::String(text) if text.is_plain() => std::mem::forget(value),
                Value::String(_)
                | Value::Bytes(_)
                | Value::Array(_)
                | Value::Map(_)
                | Value::Object(_)
                | Value::Struct(_)
                | Value::Decimal(_) => drop(value),
                Value::Null
                | Value::Boolean(_)
                | Value::Int8(_)
                | Value::Int16(_)
                | Value::Int32(_)
                | Value::Int64(_)
                | Value::Float32(_)
                | Value::Float64(_)
                | Value::Date(_)
                | Value::Time(_)
                | Value::Timestamp(_) => std::mem::forget(value),
            }
        }
    }
}

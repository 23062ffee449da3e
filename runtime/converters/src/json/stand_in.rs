//! Defaults that stand for what a document does not have.

use lavka_api::data::Value;
use lavka_api::{Error, Result};

/// What the defaults of one document may come to. Of an element that says nothing (`{}`) a default can make a megabyte, so
/// that without a bound a short document would take all memory.
const MAX_BYTES: usize = 64 << 20;

/// A default, and what a copy of it costs.
pub(super) struct StandIn {
    value: Value,
    /// Bytes on the heap.
    bytes: usize,
}

impl StandIn {
    pub(super) fn new(default: &Value) -> Self {
        Self { value: default.clone(), bytes: default.heap_size() }
    }

    /// A copy, counted in `stood_in`: the bytes of all copies of a document.
    ///
    /// # Errors
    /// A data error where they come to more than one document may have.
    pub(super) fn value(&self, stood_in: &mut usize) -> Result<Value> {
        *stood_in = stood_in.saturating_add(self.bytes);
        if *stood_in > MAX_BYTES {
            return Err(Error::data(format!(
                "The defaults of what the JSON document does not have come to more than {MAX_BYTES} bytes"
            )));
        }
        Ok(self.value.clone())
    }
}

#[cfg(test)]
mod tests {
    use lavka_api::data::{Schema, Type};

    use crate::json::{JsonReader, PayloadReader};

    #[test]
    fn a_short_document_does_not_become_gigabytes_of_defaults() {
        let text = "x".repeat(1 << 20);
        let member =
            Schema::builder(Type::String).default_value(lavka_api::data::Value::from(text)).build().unwrap();
        let element = Schema::structure().field("text", member).build().unwrap();
        let reader = PayloadReader::new(&Schema::array(element)).unwrap();
        let read = |count: usize| {
            reader.read(format!("[{}]", vec!["{}"; count].join(",")).as_bytes(), &mut JsonReader::new())
        };
        assert!(read(63).is_ok());
        let error = read(65).unwrap_err().to_string();
        assert!(error.contains("come to more than 67108864 bytes"), "{error}");
        assert!(read(63).is_ok(), "each document is counted by itself");
    }
}

//! Files that every Protobuf schema may import without registering them: Google's and Confluent's.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use lavka_api::{Error, Result};

use super::{File, parse};

macro_rules! known {
    ($($path:literal),* $(,)?) => {
        const TEXTS: &[(&str, &str)] = &[$(($path, include_str!(concat!("../../known/", $path)))),*];
    };
}
known!(
    "confluent/meta.proto",
    "confluent/type/decimal.proto",
    "confluent/type/variant.proto",
    "google/protobuf/any.proto",
    "google/protobuf/api.proto",
    "google/protobuf/descriptor.proto",
    "google/protobuf/duration.proto",
    "google/protobuf/empty.proto",
    "google/protobuf/field_mask.proto",
    "google/protobuf/source_context.proto",
    "google/protobuf/struct.proto",
    "google/protobuf/timestamp.proto",
    "google/protobuf/type.proto",
    "google/protobuf/wrappers.proto",
    "google/type/calendar_period.proto",
    "google/type/color.proto",
    "google/type/date.proto",
    "google/type/datetime.proto",
    "google/type/dayofweek.proto",
    "google/type/decimal.proto",
    "google/type/expr.proto",
    "google/type/fraction.proto",
    "google/type/interval.proto",
    "google/type/latlng.proto",
    "google/type/money.proto",
    "google/type/month.proto",
    "google/type/phone_number.proto",
    "google/type/postal_address.proto",
    "google/type/quaternion.proto",
    "google/type/timeofday.proto",
);

static FILES: LazyLock<HashMap<&'static str, Result<Arc<File>>>> = LazyLock::new(|| {
    TEXTS.iter().map(|&(path, text)| (path, parse::parse(path, text).map(Arc::new))).collect()
});

/// Whether `path` is imported without being registered (`skip.known.types`).
pub(crate) fn is_known(path: &str) -> bool {
    TEXTS.iter().any(|(known, _)| *known == path)
}

/// A known file, and its text as Confluent's client registers it.
pub(crate) fn known_file(path: &str) -> Result<(Arc<File>, &'static str)> {
    let text = TEXTS.iter().find(|(known, _)| *known == path).map_or("", |(_, text)| *text);
    Ok((known(path)?, text))
}

/// A known file.
pub(super) fn known(path: &str) -> Result<Arc<File>> {
    FILES.get(path).cloned().unwrap_or_else(|| Err(Error::data(format!("No such known file: {path}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_file_is_read() {
        for (path, text) in TEXTS {
            let file = known(path).unwrap();
            assert!(text.contains(&*file.package.clone().unwrap()), "{path}");
            assert!(!file.messages.is_empty() || !file.enums.is_empty(), "{path}");
        }
    }
}

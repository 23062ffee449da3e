//! Lists of names in configurations.

use lavka_api::config::{Check, ConfigType};
use lavka_api::data::Str;

/// A list of names none of which is empty, as Kafka's `ValidList` words it. A name that comes twice is no error: see
/// [`distinct`].
pub(crate) fn valid_names(may_be_empty: bool) -> Check {
    let describe = if may_be_empty { "list of names" } else { "non-empty list of names" };
    Check::worded(describe, move |key, text| {
        let names = Vec::<String>::parse(text)?;
        if names.is_empty() && !may_be_empty {
            return Err(format!(
                "Configuration '{key}' must not be empty. Valid values include: any non-empty value"
            ));
        }
        if names.iter().any(String::is_empty) {
            return Err(format!("Configuration '{key}' values must not be empty."));
        }
        Ok(())
    })
}

/// Each name once, where it came first, as Kafka reads such a list.
pub(crate) fn distinct(names: Vec<String>) -> Vec<Str> {
    let mut distinct: Vec<Str> = Vec::with_capacity(names.len());
    for name in names {
        if !distinct.iter().any(|known| *known == name.as_str()) {
            distinct.push(name.into());
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_counts_once() {
        let names = ["b", "a", "b"].map(str::to_owned).to_vec();
        assert_eq!(distinct(names), ["b", "a"].map(Str::from));
    }
}

//! Nulls in a struct that is copied field by field.
//!
//! Connect's transforms read each field of a struct and put it into a new one. Reading may replace null by the field's
//! default (`replace.null.with.default`), and putting refuses a null that the field's schema does not allow. Here
//! values move instead, so what reading and putting would have done to nulls is worked out per schema.

use lavka_api::config::{Key, key};
use lavka_api::data::{Schema, Str, Type, Value};
use lavka_api::{Error, Result};

/// The key that most transforms of fields have.
pub(crate) fn replace_null_with_default() -> Key<bool> {
    key("replace.null.with.default")
        .default(true)
        .doc("Whether a null field that has a default is copied as its default (true) or as null (false).")
}

/// What `Struct.put` says to a null in a required field, whatever its default.
pub(crate) fn null_refused(name: &str, ty: Type) -> Error {
    Error::data(format!("Invalid value: null used for required field: \"{name}\", schema type: {ty}"))
}

/// What happens to the nulls among the values of one schema. Fields that take nulls as they are have no entry.
pub(crate) struct NullRules(Vec<(usize, OnNull)>);

enum OnNull {
    Refuse { name: Str, ty: Type },
    Replace(Value),
}

impl NullRules {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds the rule for the value at position `at`, which stands for `default` where it is null (if nulls are
    /// replaced) and goes into the field `name` of schema `target`.
    pub(crate) fn add(&mut self, at: usize, default: Option<&Value>, name: &Str, target: &Schema) {
        match default {
            Some(default) => self.0.push((at, OnNull::Replace(default.clone()))),
            None if target.is_optional() => {}
            None => self.0.push((at, OnNull::Refuse { name: name.clone(), ty: target.ty() })),
        }
    }

    /// The rules for copying all fields of `schema` into fields of the same name and schema.
    pub(crate) fn copying(schema: &Schema, replace: bool) -> Self {
        let mut rules = Self::new();
        for (at, field) in schema.fields().iter().enumerate() {
            let default = field.schema().default_value().filter(|_| replace);
            rules.add(at, default, field.name(), field.schema());
        }
        rules
    }

    /// Finds a null that is refused.
    pub(crate) fn check(&self, values: &[Value]) -> Result<()> {
        self.check_before(values, usize::MAX)
    }

    /// As [`check`](Self::check) for values before the position `end`, where the rules were added in order.
    pub(crate) fn check_before(&self, values: &[Value], end: usize) -> Result<()> {
        for (at, rule) in self.0.iter().take_while(|(at, _)| *at < end) {
            if let OnNull::Refuse { name, ty } = rule
                && values.get(*at).is_some_and(Value::is_null)
            {
                return Err(null_refused(name, *ty));
            }
        }
        Ok(())
    }

    /// Replaces nulls by defaults.
    pub(crate) fn fill(&self, values: &mut [Value]) {
        for (at, rule) in &self.0 {
            if let OnNull::Replace(default) = rule
                && let Some(value) = values.get_mut(*at)
                && value.is_null()
            {
                value.clone_from(default);
            }
        }
    }
}

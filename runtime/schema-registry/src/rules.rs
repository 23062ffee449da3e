//! Rules of data contracts (`ruleSet`): they are not run here, and a schema that has some cannot be used as if it had none.

use lavka_api::{Error, Result};
use serde_json::Value;

/// The rules of a schema that are not disabled: the type of the first for each direction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    write: Option<Box<str>>,
    read: Option<Box<str>>,
}

impl Rules {
    /// The rules that an answer tells of. Those for migrations concern readers of other versions, for whom nothing is
    /// migrated.
    pub(crate) fn of(rule_set: Option<&Value>) -> Self {
        let mut rules = Self::default();
        for kind in ["domainRules", "encodingRules"] {
            let listed = rule_set.and_then(|set| set.get(kind)).and_then(Value::as_array);
            for rule in listed.into_iter().flatten() {
                if rule.get("disabled").and_then(Value::as_bool) == Some(true) {
                    continue;
                }
                let text = |name| rule.get(name).and_then(Value::as_str).unwrap_or_default();
                let (mode, ty) = (text("mode"), text("type"));
                if matches!(mode, "WRITE" | "WRITEREAD") {
                    rules.write.get_or_insert_with(|| ty.into());
                }
                if matches!(mode, "READ" | "WRITEREAD") {
                    rules.read.get_or_insert_with(|| ty.into());
                }
            }
        }
        rules
    }

    /// Refuses to write by the schema of `whose`, where a rule would have to be run.
    pub(crate) fn allow_writing(&self, whose: impl FnOnce() -> String) -> Result<()> {
        refuse(self.write.as_deref(), whose)
    }

    /// Refuses to read by the schema of `whose`, where a rule would have to be run.
    pub(crate) fn allow_reading(&self, whose: impl FnOnce() -> String) -> Result<()> {
        refuse(self.read.as_deref(), whose)
    }
}

fn refuse(ty: Option<&str>, whose: impl FnOnce() -> String) -> Result<()> {
    let Some(ty) = ty else { return Ok(()) };
    Err(Error::data(format!(
        "Could not find rule executor of type {ty}: the schema of {} has rules, and rules of data contracts are not run. \
         Take them out of the schema, or disable them",
        whose()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_count_by_mode_unless_they_are_disabled() {
        let of = |json: Value| Rules::of(Some(&json));
        let both = of(serde_json::json!({ "domainRules": [
            { "name": "off", "mode": "WRITEREAD", "type": "CEL", "disabled": true },
            { "name": "secret", "mode": "WRITEREAD", "type": "ENCRYPT" },
        ] }));
        let error = both.allow_reading(|| "id 7".into()).unwrap_err().to_string();
        assert!(
            error.starts_with("Could not find rule executor of type ENCRYPT: the schema of id 7"),
            "{error}"
        );
        assert!(both.allow_writing(String::new).is_err());
        let checked =
            of(serde_json::json!({ "domainRules": [{ "mode": "WRITE", "type": "CEL" }], "migrationRules": [
            { "mode": "UPGRADE", "type": "JSONATA" }] }));
        assert!(checked.allow_writing(String::new).is_err() && checked.allow_reading(String::new).is_ok());
        for none in [Value::Null, serde_json::json!({}), serde_json::json!({ "domainRules": null })] {
            assert_eq!(of(none), Rules::default());
        }
        assert_eq!(Rules::of(None), Rules::default());
    }
}

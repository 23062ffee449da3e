//! The `spec` key: what is cast to what.

use lavka_api::data::{Str, Type};

use super::convert::Target;

/// What is cast: the operand as a whole, or fields by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CastSpec {
    Whole(Target),
    /// Each name once; of several items for one name the last counted.
    Fields(Vec<(Str, Target)>),
}

impl CastSpec {
    /// Reads the items of the key: `field:type`, or one `type`. White space around names and types is not part of
    /// them; there is no way to write a name with a colon.
    ///
    /// # Errors
    /// The whole error text.
    pub(super) fn parse(items: &[String]) -> Result<Self, String> {
        if items.is_empty() {
            return Err("Must specify at least one field to cast.".into());
        }
        let mut fields: Vec<(Str, Target)> = Vec::with_capacity(items.len());
        let mut whole = None;
        for item in items {
            // Java's `split` leaves out empty parts at the end, so `a:` is the type `a`.
            match item.trim_end_matches(':').split_once(':') {
                None => whole = Some(target(item.trim_end_matches(':'))?),
                Some((_, rest)) if rest.contains(':') => {
                    return Err(format!(
                        "Invalid value [{}] for configuration renames: Invalid rename mapping: {item}",
                        items.join(", ")
                    ));
                }
                Some((name, ty)) => {
                    let (name, target) = (name.trim(), target(ty)?);
                    match fields.iter_mut().find(|(known, _)| known == name) {
                        Some(entry) => entry.1 = target,
                        None => fields.push((name.into(), target)),
                    }
                }
            }
        }
        match whole {
            None => Ok(Self::Fields(fields)),
            Some(target) if items.len() == 1 => Ok(Self::Whole(target)),
            Some(_) => Err(
                "Cast transformations that specify a type to cast the entire value to may only specify a \
                            single cast in their spec"
                    .into(),
            ),
        }
    }

    /// The type for the operand as a whole.
    pub(super) fn whole(&self) -> Option<Target> {
        match self {
            Self::Whole(target) => Some(*target),
            Self::Fields(_) => None,
        }
    }

    /// Fields with their types, as written; none where the operand is cast as a whole.
    pub(super) fn fields(&self) -> &[(Str, Target)] {
        match self {
            Self::Whole(_) => &[],
            Self::Fields(fields) => fields,
        }
    }

    /// The type for the field `name`.
    pub(super) fn target(&self, name: &str) -> Option<Target> {
        self.fields().iter().find(|(known, _)| known == name).map(|(_, target)| *target)
    }
}

/// The type that `text` names, whatever its case.
fn target(text: &str) -> Result<Target, String> {
    let text = text.trim();
    let Some(ty) = Type::ALL.into_iter().find(|ty| ty.name().eq_ignore_ascii_case(text)) else {
        return Err(format!("Invalid type found in casting spec: {text}"));
    };
    Target::of(ty).ok_or_else(|| {
        format!(
            "Cast transformation does not support casting to {ty}; supported types are [INT8, INT16, INT32, INT64, \
             FLOAT32, FLOAT64, BOOLEAN, STRING]"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<CastSpec, String> {
        let items: Vec<String> = text.split(',').map(|item| item.trim().to_owned()).collect();
        CastSpec::parse(if text.is_empty() { &[] } else { &items })
    }

    #[test]
    fn c29_c30_c33_refusals() {
        let not_to = |ty: &str| {
            format!(
                "Cast transformation does not support casting to {ty}; supported types are [INT8, INT16, INT32, \
                 INT64, FLOAT32, FLOAT64, BOOLEAN, STRING]"
            )
        };
        let single = "Cast transformations that specify a type to cast the entire value to may only specify a single \
                      cast in their spec";
        let mapping = "Invalid value [foo:int8:extra] for configuration renames: Invalid rename mapping: foo:int8:extra";
        for (text, message) in [
            ("", "Must specify at least one field to cast."),
            ("foo:faketype", "Invalid type found in casting spec: faketype"),
            ("foo:array", &not_to("ARRAY")),
            ("array", &not_to("ARRAY")),
            ("foo:bytes", &not_to("BYTES")),
            ("foo:int8:extra", mapping),
            ("foo:int8,int32", single),
            ("int8,int32", single),
            ("foo:int32,", "Invalid type found in casting spec: "),
            ("foo:", "Invalid type found in casting spec: foo"),
            (":", "Invalid type found in casting spec: "),
        ] {
            assert_eq!(parse(text).unwrap_err(), message, "{text}");
        }
    }

    #[test]
    fn c31_c32_items() {
        let fields = |name: &str, ty| Ok(CastSpec::Fields(vec![(name.into(), Target::of(ty).unwrap())]));
        assert_eq!(parse("foo:int32,foo:int64"), fields("foo", Type::Int64));
        assert_eq!(parse(" foo : INT8 "), fields("foo", Type::Int8));
        assert_eq!(parse("foo:int8:"), fields("foo", Type::Int8));
        assert_eq!(parse(":int8"), fields("", Type::Int8));
        assert_eq!(parse("Boolean"), Ok(CastSpec::Whole(Target::of(Type::Boolean).unwrap())));
    }
}

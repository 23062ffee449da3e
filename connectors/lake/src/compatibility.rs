//! `schema.compatibility`: whether a record goes into the files that are open, and in what form.
//!
//! Pure; the rules are those of the HDFS and S3 sinks (`StorageSchemaCompatibility`).

use lavka_api::data::Schema;
use lavka_api::{Error, Result};

use crate::projection::Projection;

/// The value of `schema.compatibility`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Compatibility {
    /// All records of a file have the same schema.
    #[default]
    None,
    /// A newer schema begins new files; records of older ones are brought into the form of the file's.
    Backward,
    /// An older schema begins new files; records of newer ones are brought into the form of the file's.
    Forward,
    /// As [`Backward`](Self::Backward): what may be registered is stricter, what files look like is not.
    Full,
}

/// What becomes of a record.
#[derive(Debug)]
pub(crate) enum Fit {
    /// It goes in as it is.
    Same,
    /// It goes in after this.
    Projected(Projection),
    /// The files are finished first; it begins new ones.
    Rotate,
}

impl Compatibility {
    /// The mode of a name, in any case; an unknown one is [`None`](Self::None), as in the Java sinks.
    pub(crate) fn of(name: &str) -> Self {
        match name.to_ascii_uppercase().as_str() {
            "BACKWARD" => Compatibility::Backward,
            "FORWARD" => Compatibility::Forward,
            "FULL" => Compatibility::Full,
            _ => Compatibility::None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Compatibility::None => "NONE",
            Compatibility::Backward => "BACKWARD",
            Compatibility::Forward => "FORWARD",
            Compatibility::Full => "FULL",
        }
    }

    /// How a record of the schema `record` goes into files of the schema `file`. Schemas that are equal are [`Fit::Same`]
    /// in every mode.
    ///
    /// # Errors
    /// A data error in the modes that go by versions: for a schema without one, and for a change between records with and
    /// without a schema.
    pub(crate) fn judge(self, file: Option<&Schema>, record: Option<&Schema>) -> Result<Fit> {
        let (file, record) = match (file, record) {
            (None, None) => return Ok(Fit::Same),
            (Some(file), Some(record)) if file == record => return Ok(Fit::Same),
            _ if self == Compatibility::None => return Ok(Fit::Rotate),
            (Some(file), Some(record)) => (file, record),
            _ => {
                return Err(Error::data(format!(
                    "Switch between schema-based and schema-less data is not supported with schema.compatibility={}",
                    self.name()
                )));
            }
        };
        let (Some(open), Some(new)) = (file.version(), record.version()) else {
            return Err(Error::data(format!(
                "Schema version required for {} compatibility; records from a converter with a schema registry have one",
                self.name()
            )));
        };
        let begins_new = match self {
            Compatibility::None | Compatibility::Backward | Compatibility::Full => new > open,
            Compatibility::Forward => new < open,
        };
        if begins_new {
            return Ok(Fit::Rotate);
        }
        Ok(Projection::compile(record, file).map_or(Fit::Rotate, Fit::Projected))
    }
}

#[cfg(test)]
mod tests {
    use lavka_api::data::Type;

    use super::*;

    fn version(version: i32, fields: &[(&str, Schema)]) -> Schema {
        let schema = Schema::structure().name("r").version(version);
        fields
            .iter()
            .fold(schema, |schema, (name, field)| schema.field(*name, field.clone()))
            .build()
            .unwrap()
    }

    fn text(fit: &Result<Fit>) -> String {
        match fit {
            Ok(Fit::Same) => "same".into(),
            Ok(Fit::Projected(_)) => "projected".into(),
            Ok(Fit::Rotate) => "rotate".into(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn versions_decide_about_schemas_that_fit() {
        let v1 = version(1, &[("a", Schema::of(Type::Int32))]);
        let v2 = version(2, &[("a", Schema::of(Type::Int32)), ("b", Schema::optional(Type::String))]);
        for (mode, file, record, want) in [
            ("NONE", &v1, &v1, "same"),
            ("NONE", &v1, &v2, "rotate"),
            ("NONE", &v2, &v1, "rotate"),
            ("anything", &v2, &v1, "rotate"),
            ("backward", &v1, &v2, "rotate"),
            ("BACKWARD", &v2, &v1, "projected"),
            ("FULL", &v1, &v2, "rotate"),
            ("FULL", &v2, &v1, "projected"),
            ("FORWARD", &v1, &v2, "projected"),
            ("FORWARD", &v2, &v1, "rotate"),
        ] {
            assert_eq!(text(&Compatibility::of(mode).judge(Some(file), Some(record))), want, "{mode}");
        }
    }

    #[test]
    fn schemas_that_do_not_fit_rotate_whatever_their_versions() {
        let text_field = version(1, &[("a", Schema::of(Type::String))]);
        let number = version(2, &[("a", Schema::of(Type::Int32))]);
        assert_eq!(text(&Compatibility::Full.judge(Some(&number), Some(&text_field))), "rotate");
    }

    #[test]
    fn modes_that_go_by_versions_need_them() {
        let unversioned = Schema::structure().field("a", Schema::of(Type::Int32)).build().unwrap();
        let v1 = version(1, &[("a", Schema::of(Type::Int32))]);
        let complaint = text(&Compatibility::Backward.judge(Some(&v1), Some(&unversioned)));
        assert!(complaint.contains("Schema version required for BACKWARD compatibility"), "{complaint}");
        let complaint = text(&Compatibility::Forward.judge(Some(&v1), None));
        assert!(complaint.contains("Switch between schema-based and schema-less"), "{complaint}");
        assert_eq!(text(&Compatibility::None.judge(Some(&v1), None)), "rotate");
        assert_eq!(text(&Compatibility::Full.judge(None, None)), "same");
    }
}

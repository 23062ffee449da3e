//! What finished files are called.

use crate::file_name::FileName;

/// The form of the names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Naming {
    /// The HDFS sink's: `t+0+0000000000+0000000009.avro`, see [`FileName`].
    Span,
    /// The S3 sink's, with the first offset alone: `t+0+0000000000.avro`. What writes again from the same offset writes
    /// the same object.
    Start {
        /// `file.delim`.
        delim: String,
    },
}

impl Naming {
    /// The name of a file, its offsets with at least `pad` digits.
    pub(crate) fn text(&self, name: &FileName<'_>, pad: usize, extension: &str) -> String {
        match self {
            Naming::Span => name.to_text(pad, extension),
            Naming::Start { delim } => {
                let FileName { topic, partition, start, epoch, .. } = name;
                let epoch = epoch.map(|epoch| format!("{delim}{epoch}")).unwrap_or_default();
                format!("{topic}{delim}{partition}{delim}{start:0pad$}{epoch}{extension}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_s3_sinks_names_have_the_first_offset_alone() {
        let name = FileName { topic: "t", partition: 3, start: 17, end: 20, epoch: None };
        assert_eq!(Naming::Start { delim: "+".into() }.text(&name, 10, ".json.gz"), "t+3+0000000017.json.gz");
        let again = FileName { epoch: Some(2), ..name.clone() };
        assert_eq!(Naming::Start { delim: "-".into() }.text(&again, 0, ".avro"), "t-3-17-2.avro");
        assert_eq!(Naming::Span.text(&name, 2, ".avro"), "t+3+17+20.avro");
    }
}

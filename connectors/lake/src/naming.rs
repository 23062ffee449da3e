//! What finished files are called.

use crate::aiven_dialect::TemplateNames;
use crate::companions::View;
use crate::file_name::FileName;

/// The form of the names.
#[derive(Debug, Clone)]
pub(crate) enum Naming {
    /// The HDFS sink's: `t+0+0000000000+0000000009.avro`, see [`FileName`].
    Span,
    /// The S3 sink's, with the first offset alone: `t+0+0000000000.avro`. What writes again from the same offset writes
    /// the same object.
    Start {
        /// `file.delim`.
        delim: String,
    },
    /// As a template says.
    Template(Box<TemplateNames>),
}

impl Naming {
    /// The partition of `topic` whose file has this name, and a number by which its files are in order: their last offset,
    /// or their first where names have that alone. `None` for names of other files.
    pub(crate) fn place(&self, name: &str, topic: &str) -> Option<(i32, i64)> {
        match self {
            Naming::Span => {
                let name = FileName::parse(name)?;
                (name.topic == topic).then_some((name.partition, name.end))
            }
            Naming::Start { delim } => {
                let rest = name.strip_prefix(topic)?.strip_prefix(delim.as_str())?;
                let (partition, start) = rest.split_once(delim.as_str())?;
                let digits = start.find(|c: char| !c.is_ascii_digit()).unwrap_or(start.len());
                // Keys and headers stand beside the values.
                let is_companion = View::is_companion(start.get(digits..)?);
                let place = (partition.parse().ok()?, start.get(..digits)?.parse().ok()?);
                (!is_companion).then_some(place)
            }
            Naming::Template(_) => None,
        }
    }

    /// One more than the last offset in a file of this [number](Self::place); `None` where names do not tell.
    pub(crate) fn end(&self, order: i64) -> Option<i64> {
        matches!(self, Naming::Span).then(|| order.saturating_add(1))
    }

    /// The first offset in the file of `topic` that has this name, also of one with keys or headers; `None` where names do
    /// not tell.
    pub(crate) fn start(&self, name: &str, topic: &str) -> Option<i64> {
        match self {
            Naming::Span => FileName::parse(name).filter(|name| name.topic == topic).map(|name| name.start),
            Naming::Start { delim } => {
                let rest = name.strip_prefix(topic)?.strip_prefix(delim.as_str())?;
                let (_, start) = rest.split_once(delim.as_str())?;
                let digits = start.find(|c: char| !c.is_ascii_digit()).unwrap_or(start.len());
                start.get(..digits)?.parse().ok()
            }
            Naming::Template(_) => None,
        }
    }

    /// The name of a file, its offsets with at least `pad` digits.
    pub(crate) fn text(&self, name: &FileName<'_>, pad: usize, extension: &str) -> String {
        match self {
            Naming::Span => name.to_text(pad, extension),
            // What the template makes of a file is its place.
            Naming::Template(_) => String::new(),
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

    #[test]
    fn names_tell_where_a_file_begins() {
        let start = Naming::Start { delim: "-".into() };
        for (naming, name, want) in [
            (&Naming::Span, "t+3+17+20.avro", Some(17)),
            (&Naming::Span, "u+3+17+20.avro", None),
            (&start, "t-3-0000000017.snappy.parquet", Some(17)),
            (&start, "t-3-17.keys.avro", Some(17)),
            (&start, "t-3", None),
        ] {
            assert_eq!(naming.start(name, "t"), want, "{name}");
        }
    }

    #[test]
    fn files_of_a_partition_have_an_order() {
        for (name, want) in [
            ("t+3+17+20.avro", Some((3, 20))),
            ("t+3+17+20+4.avro", Some((3, 20))),
            ("u+4+17+20.avro", None),
            ("x", None),
        ] {
            assert_eq!(Naming::Span.place(name, "t"), want, "{name}");
        }
        for (name, want) in [
            ("t-3-0000000017.snappy.parquet", Some((3, 17))),
            ("t-33-17-2.avro", Some((33, 17))),
            ("t-3-17.keys.avro", None),
            ("t-3-17.headers.snappy.parquet", None),
            ("t-3-", None),
            ("t-x-17.avro", None),
            ("u-3-17.avro", None),
        ] {
            assert_eq!(Naming::Start { delim: "-".into() }.place(name, "t"), want, "{name}");
        }
    }
}

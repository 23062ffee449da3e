//! Names of finished files, which carry the offsets that are in them.

/// `<topic>+<partition>+<start>+<end><extension>`, the HDFS sink's form: both offsets belong to the file. A file whose
/// offsets are those of other records in earlier files, which Kafka has lost, has the leader epoch of its first record
/// behind them: `<topic>+<partition>+<start>+<end>+<epoch><extension>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileName<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) epoch: Option<i32>,
}

impl<'a> FileName<'a> {
    /// The name with offsets of at least `pad` digits.
    pub(crate) fn to_text(&self, pad: usize, extension: &str) -> String {
        let Self { topic, partition, start, end, epoch } = self;
        let epoch = epoch.map(|epoch| format!("+{epoch}")).unwrap_or_default();
        format!("{topic}+{partition}+{start:0pad$}+{end:0pad$}{epoch}{extension}")
    }

    /// Reads a name, whatever its padding and extension; `None` for names of other files, such as temporary ones.
    pub(crate) fn parse(name: &'a str) -> Option<Self> {
        let mut parts = name.splitn(4, '+');
        let (topic, partition, start, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if topic.is_empty() || !topic.chars().all(legal) {
            return None;
        }
        let (end, mut extension) = number_at_front(rest)?;
        let mut epoch = None;
        if let Some(rest) = extension.strip_prefix('+') {
            let (number, rest) = number_at_front(rest)?;
            epoch = Some(number.parse().ok()?);
            extension = rest;
        }
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let known_form = extension.is_empty()
            || extension.strip_prefix('.').is_some_and(|ext| !ext.is_empty() && ext.chars().all(word));
        let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if !known_form || !number(partition) || !number(start) {
            return None;
        }
        Some(Self {
            topic,
            partition: partition.parse().ok()?,
            start: start.parse().ok()?,
            end: end.parse().ok()?,
            epoch,
        })
    }
}

/// The digits that `text` begins with, and the rest.
fn number_at_front(text: &str) -> Option<(&str, &str)> {
    text.split_at_checked(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_padded_and_read_back() {
        let name = FileName { topic: "a.b_c-d", partition: 3, start: 0, end: 12_345_678_901, epoch: None };
        let text = name.to_text(10, ".parquet");
        assert_eq!(text, "a.b_c-d+3+0000000000+12345678901.parquet");
        assert_eq!(FileName::parse(&text), Some(name.clone()));
        assert_eq!(name.to_text(0, ".json"), "a.b_c-d+3+0+12345678901.json");
        assert_eq!(
            FileName::parse("t+0+00+01"),
            Some(FileName { topic: "t", partition: 0, start: 0, end: 1, epoch: None })
        );
    }

    #[test]
    fn the_epoch_tells_files_at_the_same_offsets_apart() {
        let name = FileName { topic: "t", partition: 0, start: 90, end: 95, epoch: Some(3) };
        let text = name.to_text(4, ".parquet");
        assert_eq!(text, "t+0+0090+0095+3.parquet");
        assert_eq!(FileName::parse(&text), Some(name));
    }

    #[test]
    fn other_names_are_not_ours() {
        for name in [
            "",
            "t+0+1",
            "t+0+1+",
            "t+0+1+2+",
            "t+0+1+2+x",
            "t+0+1+2+3+4",
            "t+0+1+2+-3",
            "t+0+1+2+99999999999",
            "t+0+1+2.",
            "t+0+1+2.a.b",
            "t+0+1+x2",
            "t+-1+1+2",
            "+0+1+2",
            "é+0+1+2",
            "t+0++2",
            "t+0+1+99999999999999999999",
            "0d3c_tmp.parquet",
        ] {
            assert_eq!(FileName::parse(name), None, "{name}");
        }
    }
}

//! Rows of `COPY … TO STDOUT` in text format (manual, "COPY", "File Formats").

use std::ops::Range;

use crate::model::ColumnText;

/// Takes rows apart. Kept from row to row, so that a row allocates nothing once the largest was seen.
#[derive(Debug, Default)]
pub(crate) struct RowReader {
    /// Values without their escapes.
    plain: Vec<u8>,
    /// Where in `plain` each value is; `None` is null.
    values: Vec<Option<Range<usize>>>,
}

impl RowReader {
    /// Reads a line, with or without its end. How many columns it has is up to the caller to compare.
    pub(crate) fn read(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        self.plain.clear();
        self.values.clear();
        for field in line.split(|&byte| byte == b'\t') {
            if field == b"\\N" {
                self.values.push(None);
                continue;
            }
            let start = self.plain.len();
            unescape(field, &mut self.plain);
            self.values.push(Some(start..self.plain.len()));
        }
    }

    /// The columns of the row that was read last.
    pub(crate) fn columns<'a>(&'a self, into: &mut Vec<ColumnText<'a>>) {
        into.clear();
        into.extend(self.values.iter().map(|value| match value {
            None => ColumnText::Null,
            Some(range) => ColumnText::Text(self.plain.get(range.clone()).unwrap_or_default()),
        }));
    }
}

/// Appends `field` to `out` with its escapes resolved.
fn unescape(field: &[u8], out: &mut Vec<u8>) {
    let mut rest = field;
    while let Some(at) = rest.iter().position(|&byte| byte == b'\\') {
        let (before, escape) = rest.split_at(at);
        out.extend_from_slice(before);
        let Some((&code, after)) = escape.get(1..).and_then(<[u8]>::split_first) else {
            // A backslash at the end stands for itself; the server writes none.
            out.push(b'\\');
            return;
        };
        out.push(match code {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            // The server writes no octal or hexadecimal escapes; any other character stands for itself.
            other => other,
        });
        rest = after;
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &[u8]) -> Vec<Option<String>> {
        let mut reader = RowReader::default();
        reader.read(b"an earlier row\twith\tmore\n");
        reader.read(line);
        let mut columns = Vec::new();
        reader.columns(&mut columns);
        columns
            .into_iter()
            .map(|column| match column {
                ColumnText::Text(text) => Some(String::from_utf8(text.to_vec()).unwrap()),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn escapes_and_nulls_are_resolved() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read(b"1\t\\N\t\thello\n"), [some("1"), None, some(""), some("hello")]);
        assert_eq!(read(b"a\\tb\\nc\\\\N\t\\\\N"), [some("a\tb\nc\\N"), some("\\N")]);
        assert_eq!(read(b"\\b\\f\\r\\v\\x\\"), [some("\u{8}\u{c}\r\u{b}x\\")]);
        assert_eq!(read(b"\n"), [some("")]);
    }
}

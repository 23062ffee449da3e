//! Cuts a stream of bytes into lines.

use memchr::memchr2;

/// Bytes that arrived and are not yet handed out as lines.
///
/// A line ends with `\n`, `\r` or `\r\n`. A `\r` at the very end of what has arrived ends nothing yet: the next byte
/// may be the `\n` that belongs to it.
#[derive(Debug, Default)]
pub(crate) struct LineBuffer {
    bytes: Vec<u8>,
    /// Where the first line that was not handed out begins.
    start: usize,
    /// Up to here there is no terminator.
    searched: usize,
}

/// A line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The text without its terminator; bytes that are not UTF-8 are replaced by U+FFFD, as Java's reader does.
    pub(crate) text: String,
    /// The bytes it took in the stream, terminator included.
    pub(crate) length: usize,
}

impl LineBuffer {
    /// Appends bytes that arrived.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.searched = self.searched.saturating_sub(self.start);
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next line that is complete.
    pub(crate) fn next_line(&mut self) -> Option<Line> {
        let rest = self.bytes.get(self.searched..)?;
        let Some(found) = memchr2(b'\n', b'\r', rest) else {
            self.searched = self.bytes.len();
            return None;
        };
        let end = self.searched + found;
        let terminator = match (self.bytes.get(end), self.bytes.get(end + 1)) {
            (Some(b'\r'), None) => {
                self.searched = end;
                return None;
            }
            (Some(b'\r'), Some(b'\n')) => 2,
            _ => 1,
        };
        let text = String::from_utf8_lossy(self.bytes.get(self.start..end)?).into_owned();
        let length = end + terminator - self.start;
        self.start = end + terminator;
        self.searched = self.start;
        Some(Line { text, length })
    }

    /// Bytes that were pushed and not handed out.
    pub(crate) fn pending(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Forgets everything that was not handed out.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(buffer: &mut LineBuffer) -> Vec<String> {
        std::iter::from_fn(|| buffer.next_line()).map(|line| line.text).collect()
    }

    #[test]
    fn the_three_terminators() {
        let mut buffer = LineBuffer::default();
        buffer.push(b"unix\nmac\rdos\r\n\n\r\rx");
        assert_eq!(texts(&mut buffer), ["unix", "mac", "dos", "", "", ""]);
        assert_eq!(buffer.pending(), 1);
    }

    #[test]
    fn a_carriage_return_waits_for_what_follows() {
        let mut buffer = LineBuffer::default();
        buffer.push(b"a\r");
        assert_eq!(buffer.next_line(), None);
        buffer.push(b"\nb\r");
        assert_eq!(buffer.next_line(), Some(Line { text: "a".into(), length: 3 }));
        assert_eq!(buffer.next_line(), None);
        buffer.push(b"c\n");
        assert_eq!(buffer.next_line(), Some(Line { text: "b".into(), length: 2 }));
        assert_eq!(buffer.next_line(), Some(Line { text: "c".into(), length: 2 }));
        assert_eq!(buffer.pending(), 0);
    }

    #[test]
    fn lengths_are_bytes_of_the_stream() {
        let mut buffer = LineBuffer::default();
        buffer.push("häß\n".as_bytes());
        buffer.push(b"\xff\xfe\n");
        assert_eq!(buffer.next_line(), Some(Line { text: "häß".into(), length: 6 }));
        assert_eq!(buffer.next_line(), Some(Line { text: "\u{fffd}\u{fffd}".into(), length: 3 }));
    }

    /// However the stream is cut into pushes, the lines and the sum of their lengths are the same.
    #[test]
    fn cutting_does_not_matter() {
        let stream = b"one\r\ntwo\r\rthree\n\r\nfour\n\nfive";
        let mut whole = LineBuffer::default();
        whole.push(stream);
        // Ends in `five`, so nothing hangs on an undecided `\r`.
        let expected: Vec<Line> = std::iter::from_fn(|| whole.next_line()).collect();
        assert_eq!(expected.iter().map(|l| l.length).sum::<usize>(), stream.len() - "five".len());
        for step in 1..stream.len() {
            let mut buffer = LineBuffer::default();
            let mut lines = Vec::new();
            for chunk in stream.chunks(step) {
                buffer.push(chunk);
                lines.extend(std::iter::from_fn(|| buffer.next_line()));
            }
            assert_eq!(lines, expected, "pushed {step} bytes at a time");
        }
    }
}

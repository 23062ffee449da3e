//! A file on its way into an object store.

use std::collections::VecDeque;

use bytes::Buf as _;
use lavka_api::{Error, Result};
use object_store::PutPayload;
use object_store::multipart::PartId;
use object_store::path::Path;

use crate::Chunk;

/// What is known of a file that is not finished. Below the size of a part its bytes wait here; from the first part on it is
/// an upload, which nobody sees before it is completed.
#[derive(Debug)]
pub(super) struct Upload {
    /// Where the upload will appear: under the file's final name if that is known from the start, so that the bytes travel
    /// once; else under the temporary one, to be copied within the store.
    pub(super) key: Path,
    /// The store's name of the upload, once there is one.
    pub(super) id: Option<String>,
    pub(super) parts: Vec<PartId>,
    waiting: VecDeque<Chunk>,
    waiting_bytes: usize,
    length: u64,
    /// Whether all of it is in the store.
    pub(super) stored: bool,
    /// Whether the upload is visible under its key.
    pub(super) completed: bool,
}

impl Upload {
    pub(super) fn new(key: Path) -> Self {
        Self {
            key,
            id: None,
            parts: Vec::new(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            length: 0,
            stored: false,
            completed: false,
        }
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Bytes that are in memory alone.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Takes `bytes`, unless an earlier call with them did.
    pub(super) fn take(&mut self, at: u64, bytes: Chunk) -> Result<()> {
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if at.saturating_add(count) == self.length && count > 0 {
            return Ok(());
        }
        if at != self.length || self.stored {
            return Err(Error::fatal(format!(
                "{} bytes of {} came where {at} were written; restart the task",
                self.length, self.key
            )));
        }
        self.length = self.length.saturating_add(count);
        self.waiting_bytes += bytes.len();
        self.waiting.push_back(bytes);
        Ok(())
    }

    /// What a note says of it, once all of it is in the store; `None` of one object that needs no upload.
    pub(super) fn note(&self) -> Option<UploadNote> {
        let parts = self.parts.iter().map(|part| part.content_id.clone()).collect();
        let whole = Some((self.length, parts));
        self.id.clone().map(|id| UploadNote { key: self.key.to_string(), id, whole })
    }

    /// The next `count` bytes that wait, or all, without a copy.
    pub(super) fn peek(&self, count: usize) -> PutPayload {
        let mut left = count;
        let parts = self.waiting.iter().map_while(|chunk| {
            let taken = left.min(chunk.len());
            left -= taken;
            (taken > 0).then(|| chunk.slice(..taken))
        });
        parts.collect()
    }

    /// The next `count` bytes are in the store.
    pub(super) fn drop_front(&mut self, mut count: usize) {
        while count > 0 {
            let Some(chunk) = self.waiting.front_mut() else { return };
            let gone = count.min(chunk.len());
            chunk.advance(gone);
            if chunk.is_empty() {
                self.waiting.pop_front();
            }
            count -= gone;
            self.waiting_bytes -= gone;
        }
    }
}

/// What is put beside a temporary name while an upload is under way, so that the next owner can complete or abort it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UploadNote {
    pub(super) key: String,
    pub(super) id: String,
    /// Bytes and parts of the whole file, once all are in the store.
    pub(super) whole: Option<(u64, Vec<String>)>,
}

const FIRST_LINE: &str = "lavka upload 1";
/// More parts than any store allows.
const MAX_PARTS: usize = 100_000;

impl UploadNote {
    pub(super) fn to_text(&self) -> String {
        let mut text = format!("{FIRST_LINE}\nkey {}\nid {}\n", self.key, self.id);
        if let Some((length, parts)) = &self.whole {
            for part in parts {
                text.push_str(&format!("part {part}\n"));
            }
            text.push_str(&format!("length {length}\n"));
        }
        text
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != FIRST_LINE {
            return None;
        }
        let key = lines.next()?.strip_prefix("key ")?.to_owned();
        let id = lines.next()?.strip_prefix("id ")?.to_owned();
        let mut parts = Vec::new();
        let mut whole = None;
        for line in lines {
            if let Some(part) = line.strip_prefix("part ") {
                if parts.len() >= MAX_PARTS {
                    return None;
                }
                parts.push(part.to_owned());
            } else {
                let length = line.strip_prefix("length ")?.parse().ok()?;
                whole = Some((length, std::mem::take(&mut parts)));
            }
        }
        Some(Self { key, id, whole })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_taken_once_and_leave_in_order() {
        let mut upload = Upload::new(Path::from("k"));
        let chunk = |text: &str| Chunk::from(text.as_bytes().to_vec());
        upload.take(0, chunk("abc")).unwrap();
        upload.take(0, chunk("abc")).unwrap();
        upload.take(3, chunk("defg")).unwrap();
        assert_eq!((upload.length(), upload.waiting_bytes()), (7, 7));
        let peek = |upload: &Upload, count| bytes::Bytes::from(upload.peek(count));
        assert_eq!(peek(&upload, 4), b"abcd".as_slice());
        upload.drop_front(4);
        assert_eq!((&peek(&upload, 100)[..], upload.waiting_bytes()), (b"efg".as_slice(), 3));
        upload.take(3, chunk("defg")).unwrap();
        assert!(upload.take(9, chunk("x")).is_err());
        upload.drop_front(3);
        assert_eq!(upload.waiting_bytes(), 0);
    }

    #[test]
    fn notes_are_read_back() {
        let mut note = UploadNote { key: "topics/t/x y".into(), id: "abc".into(), whole: None };
        assert_eq!(UploadNote::parse(&note.to_text()), Some(note.clone()));
        note.whole = Some((9, vec!["\"e1\"".into(), "e2".into()]));
        assert_eq!(UploadNote::parse(&note.to_text()), Some(note));
        for broken in ["", "x", "lavka upload 1\nkey a\n", "lavka upload 1\nkey a\nid b\nlength x\n"] {
            assert_eq!(UploadNote::parse(broken), None, "{broken}");
        }
    }
}

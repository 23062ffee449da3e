//! The bytes of the HDFS sink's log of commits.
//!
//! `WAL`, a version (0) and 16 random bytes, the marker. Then records: two lengths of 32 bits, big endian, of key and value
//! together and of the key; key and value, each with a length as Hadoop's `WritableUtils` write it before its UTF-8. Between
//! records, at least every 2000 bytes, there are -1 in place of a length and the marker.
//!
//! The records of a commit are `BEGIN`, a temporary and a final name (URLs) for each file, and `END`. The Java sink ignores
//! the value of `END`; here it has what that sink knows from file names alone:
//!
//! ```text
//! next 17
//! taken ..0@0 0..17@0
//! ```
//!
//! Where it has none, the next offset is one more than the largest end in the final names.

use crate::file_name::FileName;
use crate::history::History;
use crate::store::LakePath;
use crate::wal::Block;

const MAGIC: [u8; 4] = [b'W', b'A', b'L', 0];
const ESCAPE: i32 = -1;
const MARKER: usize = 16;
/// Bytes after which the marker comes again.
const INTERVAL: usize = 100 * (MARKER + 4);
const BEGIN: &str = "BEGIN";
const END: &str = "END";

/// What a log says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// The marker; `None` for what is no log.
    pub(crate) marker: Option<[u8; MARKER]>,
    /// The last block with an end.
    pub(crate) block: Option<Block>,
    /// Temporary files of the block behind it, which has none.
    pub(crate) orphans: Vec<LakePath>,
    /// Whether all bytes are understood, so that more may come behind them. An empty file is a whole log.
    pub(crate) whole: bool,
}

/// Reads a log whose paths begin with the URL `root`. Never fails: what cannot be read ends the log.
pub(crate) fn read(bytes: &[u8], root: &str) -> Found {
    let mut found = Found { whole: bytes.is_empty(), ..Found::default() };
    let Some((header, mut rest)) = bytes.split_at_checked(MAGIC.len() + MARKER) else { return found };
    let (magic, marker) = header.split_at(MAGIC.len());
    let Ok(marker) = <[u8; MARKER]>::try_from(marker) else { return found };
    if magic != MAGIC {
        return found;
    }
    found.marker = Some(marker);
    let mut open: Option<Vec<(LakePath, LakePath)>> = None;
    while !rest.is_empty() {
        let Some((record, behind)) = record(rest, &marker) else { break };
        rest = behind;
        let Some((key, value)) = record else { continue };
        match key {
            BEGIN => open = Some(Vec::new()),
            END => {
                if let Some(moves) = open.take()
                    && let Some(block) = block(moves, value)
                {
                    found.block = Some(block);
                }
            }
            temp => {
                // A block with a path of another place is no block of this lake.
                let pair = path(temp, root).zip(path(value, root));
                match (&mut open, pair) {
                    (Some(moves), Some(pair)) => moves.push(pair),
                    (open, _) => *open = None,
                }
            }
        }
    }
    found.whole = rest.is_empty();
    found.orphans = open.unwrap_or_default().into_iter().map(|(temp, _)| temp).collect();
    found
}

/// A record, or nothing where the marker is, and what lies behind; `None` where there is neither.
#[expect(clippy::type_complexity, reason = "a record is a key and a value")]
fn record<'a>(bytes: &'a [u8], marker: &[u8; MARKER]) -> Option<(Option<(&'a str, &'a str)>, &'a [u8])> {
    let (length, rest) = int(bytes)?;
    if length == ESCAPE {
        return rest.strip_prefix(marker).map(|rest| (None, rest));
    }
    let (key_length, rest) = int(rest)?;
    let (both, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    let (key, value) = both.split_at_checked(usize::try_from(key_length).ok()?)?;
    Some((Some((text(key)?, text(value)?)), rest))
}

fn int(bytes: &[u8]) -> Option<(i32, &[u8])> {
    let (int, rest) = bytes.split_first_chunk::<4>()?;
    Some((i32::from_be_bytes(*int), rest))
}

/// Hadoop's `Text`: a length and as many bytes.
fn text(bytes: &[u8]) -> Option<&str> {
    let (&first, rest) = bytes.split_first()?;
    let first = i8::from_be_bytes([first]);
    // A small number is itself; else the first byte says how many follow, of a positive one by -113 to -120.
    let (length, rest) = if first >= -112 {
        (i64::from(first), rest)
    } else if first >= -120 {
        let (digits, rest) = rest.split_at_checked(usize::try_from(-112 - i32::from(first)).ok()?)?;
        let number = digits
            .iter()
            .try_fold(0i64, |number, digit| number.checked_mul(256)?.checked_add(i64::from(*digit)));
        (number?, rest)
    } else {
        return None;
    };
    (i64::try_from(rest.len()) == Ok(length)).then(|| std::str::from_utf8(rest).ok())?
}

/// The path of a URL below the root, whichever of its name node's names the URL has.
fn path(url: &str, root: &str) -> Option<LakePath> {
    let inner = |url: &'_ str| -> Option<String> {
        let (_, rest) = url.split_once("://")?;
        Some(rest.split_once('/').map_or_else(String::new, |(_, path)| format!("/{path}")))
    };
    let root = inner(root)?;
    let inner = inner(url)?;
    let below = inner.strip_prefix(root.as_str()).filter(|below| below.starts_with('/'))?;
    LakePath::new(below).ok()
}

/// A block of these files; `None` where nothing says where to go on.
fn block(moves: Vec<(LakePath, LakePath)>, end: &str) -> Option<Block> {
    let mut lines = end.lines();
    if let Some(next) = lines.next().and_then(|line| line.strip_prefix("next ")?.parse().ok()) {
        let history = lines.next().and_then(|line| History::parse(line.strip_prefix("taken ")?));
        return Some(Block { next, history, moves });
    }
    let ends = moves.iter().filter_map(|(_, path)| Some(FileName::parse(path.name())?.end));
    let next = ends.max()?.saturating_add(1);
    Some(Block { next, history: None, moves })
}

/// What a log begins with.
pub(crate) fn write_header(marker: &[u8; MARKER], bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(marker);
}

/// Appends the records of a commit. The marker comes first, as wherever a log is opened again, and then as often as it has to.
pub(crate) fn write_block(block: &Block, root: &str, marker: &[u8; MARKER], bytes: &mut Vec<u8>) {
    let root = root.trim_end_matches('/');
    let mut end = format!("next {}\n", block.next);
    if let Some(history) = &block.history {
        end.push_str(&format!("taken {history}\n"));
    }
    let moves = block.moves.iter().map(|(from, to)| (format!("{root}/{from}"), format!("{root}/{to}")));
    let records =
        std::iter::once((BEGIN.to_owned(), String::new())).chain(moves).chain([(END.to_owned(), end)]);
    let mut since = INTERVAL;
    for (key, value) in records {
        if since >= INTERVAL {
            bytes.extend_from_slice(&ESCAPE.to_be_bytes());
            bytes.extend_from_slice(marker);
            since = 0;
        }
        let before = bytes.len();
        let (key, value) = (text_bytes(&key), text_bytes(&value));
        let length = |count: usize| i32::try_from(count).unwrap_or(i32::MAX).to_be_bytes();
        bytes.extend_from_slice(&length(key.len() + value.len()));
        bytes.extend_from_slice(&length(key.len()));
        bytes.extend_from_slice(&key);
        bytes.extend_from_slice(&value);
        since += bytes.len() - before;
    }
}

fn text_bytes(text: &str) -> Vec<u8> {
    let length = text.len();
    let mut bytes = Vec::with_capacity(length + 9);
    match u8::try_from(length) {
        Ok(small) if small <= 127 => bytes.push(small),
        _ => {
            let digits = u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes();
            let used = digits.iter().position(|digit| *digit != 0).unwrap_or(digits.len());
            let count = u8::try_from(digits.len() - used).unwrap_or(8);
            bytes.push((-112i8).to_be_bytes()[0].wrapping_sub(count));
            bytes.extend_from_slice(digits.get(used..).unwrap_or_default());
        }
    }
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "hdfs://nn:8020/lake";
    const SYNC: [u8; MARKER] = *b"0123456789abcdef";

    fn path(text: &str) -> LakePath {
        LakePath::new(text).unwrap()
    }

    fn sample(next: i64, files: usize) -> Block {
        let moves = (0..files)
            .map(|i| {
                let name = format!("topics/t/f={}/t+0+{i:010}+{:010}.parquet", "x".repeat(i * 5), next - 1);
                (path(&format!("topics/+tmp/t/0/{next}-{i}_tmp.parquet")), path(&name))
            })
            .collect();
        Block { next, history: History::parse(&format!("..0@0 0..{next}@0")), moves }
    }

    fn log(blocks: &[Block]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_header(&SYNC, &mut bytes);
        blocks.iter().for_each(|block| write_block(block, ROOT, &SYNC, &mut bytes));
        bytes
    }

    /// Bytes as the Java sink writes them: the paths have two slashes before +tmp, and END has no value.
    fn java(records: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = b"WAL\0".to_vec();
        bytes.extend(SYNC);
        for (key, value) in records {
            let text = |text: &str| {
                let mut bytes = match text.len() {
                    small @ 0..=127 => vec![u8::try_from(small).unwrap()],
                    middle => vec![0x8f, u8::try_from(middle).unwrap()],
                };
                bytes.extend(text.as_bytes());
                bytes
            };
            let (key, value) = (text(key), text(value));
            bytes.extend(u32::try_from(key.len() + value.len()).unwrap().to_be_bytes());
            bytes.extend(u32::try_from(key.len()).unwrap().to_be_bytes());
            bytes.extend([key, value].concat());
        }
        bytes
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(read(b"", ROOT), Found { whole: true, ..Found::default() });
        for files in [0, 1, 3, 30] {
            let found = read(&log(&[sample(5, 1), sample(90, files)]), ROOT);
            assert_eq!(found.block, Some(sample(90, files)));
            assert_eq!((found.marker, found.whole, found.orphans.len()), (Some(SYNC), true, 0));
        }
    }

    #[test]
    fn a_log_of_the_java_sink_is_understood() {
        let temp = "hdfs://other-name/lake/topics//+tmp/t/partition=0/0d3c_tmp.avro";
        let done = "hdfs://other-name/lake/topics/t/partition=0/t+0+0000000010+0000000016.avro";
        let long = format!("hdfs://nn/lake/topics/t/f={}/t+0+0000000017+0000000020.avro", "y".repeat(100));
        let bytes = java(&[("BEGIN", ""), (temp, done), ("END", ""), ("BEGIN", ""), (temp, &long)]);
        let found = read(&bytes, ROOT);
        let block = found.block.unwrap();
        assert_eq!((block.next, block.history), (17, None));
        let moved = (
            path("topics/+tmp/t/partition=0/0d3c_tmp.avro"),
            path("topics/t/partition=0/t+0+0000000010+0000000016.avro"),
        );
        assert_eq!(block.moves, std::slice::from_ref(&moved));
        assert_eq!((found.orphans, found.whole), (vec![moved.0], true));
        // Paths of another lake make no block of this one.
        assert_eq!(read(&bytes, "hdfs://nn/elsewhere").block, None);
    }

    #[test]
    fn a_log_torn_anywhere_gives_the_block_before() {
        let whole = log(&[sample(5, 2)]);
        let both = log(&[sample(5, 2), sample(9, 3)]);
        for cut in 0..both.len() {
            let found = read(&both[..cut], ROOT);
            let next = found.block.map(|block| block.next);
            assert_eq!(next, (cut >= whole.len()).then_some(5), "cut at {cut}");
        }
        for at in 0..both.len() {
            let mut bad = both.clone();
            bad[at] ^= 0x80;
            read(&bad, ROOT);
        }
        assert!(!read(b"WAL", ROOT).whole && !read(&[7; 100], ROOT).whole);
    }
}

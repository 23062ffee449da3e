//! The log of commits: what is written before files get their final names, and how it is read after a crash.
//!
//! A block per commit, appended and synced before the first rename:
//!
//! ```text
//! begin 17
//! taken ..0@0 0..17@0
//! move topics/+tmp/t/0/<uuid>_tmp.parquet<TAB>topics/t/f=1/t+0+0000000010+0000000016.parquet
//! end 3f0c6d2a91b4e857
//! ```
//!
//! `begin` has the offset to go on from once the block is done, `taken` the [`history`](crate::history) up to there (logs
//! of versions that did not know leader epochs have no such line), `end` a checksum of the lines before it. A block
//! without a matching end was never acted upon: it is as if it had not been written.

use crate::history::History;
use crate::store::LakePath;

/// [`Block::next`] where nothing says where to go on.
pub(crate) const NOWHERE: i64 = -1;

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// The offset of the first record that is not in any of its files or an earlier one.
    pub(crate) next: i64,
    /// What was taken so far, where the log tells.
    pub(crate) history: Option<History>,
    /// Temporary and final names.
    pub(crate) moves: Vec<(LakePath, LakePath)>,
}

impl Block {
    /// The bytes to append. They begin with a line break, so that a torn block before them costs only itself.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut lines = format!("begin {}\n", self.next);
        if let Some(history) = &self.history {
            lines.push_str(&format!("taken {history}\n"));
        }
        for (from, to) in &self.moves {
            lines.push_str("move ");
            lines.push_str(from.as_str());
            lines.push('\t');
            lines.push_str(to.as_str());
            lines.push('\n');
        }
        let end = format!("end {:016x}\n", checksum(&lines));
        format!("\n{lines}{end}").into_bytes()
    }
}

/// The last whole block of a log, and whether the log ends with anything else (a torn block).
pub(crate) fn read(log: &[u8]) -> (Option<Block>, bool) {
    let mut last = None;
    let mut clean = true;
    let mut lines = String::new();
    let mut block: Option<Block> = None;
    for line in log.split_inclusive(|&b| b == b'\n') {
        if line == b"\n" {
            continue;
        }
        clean = false;
        let text = std::str::from_utf8(line).ok().and_then(|line| line.strip_suffix('\n'));
        let Some(text) = text else {
            block = None;
            continue;
        };
        if let Some(next) = text.strip_prefix("begin ") {
            lines.clear();
            block = next.parse().ok().map(|next| Block { next, history: None, moves: Vec::new() });
        } else if let Some(taken) = text.strip_prefix("taken ") {
            match (&mut block, History::parse(taken)) {
                (Some(block), Some(history)) => block.history = Some(history),
                _ => block = None,
            }
        } else if let Some(moved) = text.strip_prefix("move ") {
            let pair = moved.split_once('\t');
            let pair = pair.and_then(|(from, to)| Some((LakePath::new(from).ok()?, LakePath::new(to).ok()?)));
            match (&mut block, pair) {
                (Some(block), Some(pair)) => block.moves.push(pair),
                _ => block = None,
            }
        } else if let Some(end) = text.strip_prefix("end ") {
            let matches = u64::from_str_radix(end, 16) == Ok(checksum(&lines)) && end.len() == 16;
            if let Some(whole) = block.take().filter(|_| matches) {
                last = Some(whole);
                clean = true;
            }
        } else {
            block = None;
        }
        lines.push_str(text);
        lines.push('\n');
    }
    (last, !clean)
}

/// FNV-1a of 64 bits: enough to tell a torn block from a whole one.
fn checksum(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(next: i64, files: usize) -> Block {
        let path = |text: String| LakePath::new(&text).unwrap();
        let moves = (0..files)
            .map(|i| (path(format!("tmp/{next}-{i}")), path(format!("t/f=ž {i}/{next}"))))
            .collect();
        let mut history = History::up_to(next - 1);
        history.note(next - 1, Some(3));
        Block { next, history: Some(history), moves }
    }

    #[test]
    fn the_last_whole_block_counts() {
        assert_eq!(read(b""), (None, false));
        let mut log = block(5, 2).to_bytes();
        assert_eq!(read(&log), (Some(block(5, 2)), false));
        log.extend(block(9, 0).to_bytes());
        assert_eq!(read(&log), (Some(block(9, 0)), false));
    }

    #[test]
    fn a_log_of_a_version_that_knew_no_epochs_is_read() {
        let log = b"\nbegin 17\nmove tmp/a\tt/b\nend de7d772f5b7bd16a\n";
        let (last, torn) = read(log);
        let paths = (LakePath::new("tmp/a").unwrap(), LakePath::new("t/b").unwrap());
        assert_eq!(last, Some(Block { next: 17, history: None, moves: vec![paths] }));
        assert!(!torn);
        assert_eq!(last.unwrap().to_bytes(), log);
    }

    #[test]
    fn a_log_torn_anywhere_gives_the_block_before() {
        let whole = block(5, 2).to_bytes();
        let second = block(9, 3).to_bytes();
        for cut in 0..second.len() {
            let mut log = whole.clone();
            log.extend(&second[..cut]);
            let (last, torn) = read(&log);
            assert_eq!(last, Some(block(5, 2)), "cut at {cut}");
            assert_eq!(torn, cut > 1, "cut at {cut}");
            // Whoever appends behind a torn block is still understood.
            log.extend(block(11, 1).to_bytes());
            assert_eq!(read(&log), (Some(block(11, 1)), false), "cut at {cut}");
        }
    }

    #[test]
    fn a_changed_byte_voids_its_block() {
        let good = block(5, 2).to_bytes();
        for at in 1..good.len() - 1 {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_ne!(read(&bad).0.map(|block| block.next), Some(5), "at {at}");
        }
        assert_eq!(read(&[0xff, b'\n', b'e', b'n', b'd', b' ', b'1']), (None, true));
    }
}

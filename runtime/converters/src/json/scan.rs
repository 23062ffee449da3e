//! Finding the next byte of a string that needs attention, eight bytes at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
const SPACES: u64 = 0x2020_2020_2020_2020;

/// The high bit of every byte that is zero. Bytes after the first hit may be false hits; the first never is.
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGH
}

/// The high bit of every quote, backslash and control character; false hits as in [`zero_bytes`].
const fn delimiters(word: u64) -> u64 {
    let controls = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
    controls | zero_bytes(word ^ (ONES * b'"' as u64)) | zero_bytes(word ^ (ONES * b'\\' as u64))
}

/// The high bit of every byte that begins a character above U+FFFF.
const fn astral(word: u64) -> u64 {
    word & (word << 1) & (word << 2) & (word << 3) & HIGH
}

/// The position of the first quote, backslash or control character at or after `from`; the length if there is none.
pub(super) fn string_end(bytes: &[u8], from: usize) -> usize {
    find(bytes, from, delimiters)
}

/// As [`string_end`], but stops also at characters above U+FFFF: what a writer cannot copy as it is.
pub(super) fn unwritable(bytes: &[u8], from: usize) -> usize {
    find(bytes, from, |word| delimiters(word) | astral(word))
}

#[inline]
fn find(bytes: &[u8], from: usize, in_word: impl Fn(u64) -> u64) -> usize {
    let mut at = from;
    let mut rest = bytes.get(from..).unwrap_or_default();
    while let Some((chunk, tail)) = rest.split_first_chunk::<8>() {
        let hits = in_word(u64::from_le_bytes(*chunk));
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
        rest = tail;
    }
    // Spaces behind the tail end no string.
    let hits = in_word(load(rest) | SPACES << (8 * rest.len()));
    if hits == 0 { at + rest.len() } else { at + (hits.trailing_zeros() / 8) as usize }
}

/// Appends `bytes` as long as they can be copied as they are; the rest from the first word that has one that cannot.
#[inline]
pub(super) fn copy_writable<'b>(out: &mut Vec<u8>, bytes: &'b [u8]) -> &'b [u8] {
    let mut rest = bytes;
    while let Some((chunk, tail)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        if delimiters(word) | astral(word) != 0 {
            return rest;
        }
        out.extend_from_slice(chunk);
        rest = tail;
    }
    let word = load(rest) | SPACES << (8 * rest.len());
    if delimiters(word) | astral(word) != 0 {
        return rest;
    }
    let end = out.len() + rest.len();
    out.extend_from_slice(&word.to_le_bytes());
    out.truncate(end);
    &[]
}

/// Up to seven bytes as the low bytes of a word.
#[inline]
fn load(bytes: &[u8]) -> u64 {
    if let (Some(low), Some(high)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let (low, high) = (u32::from_le_bytes(*low), u32::from_le_bytes(*high));
        return u64::from(low) | u64::from(high) << (8 * (bytes.len() - 4));
    }
    bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn hits_are_those_of_a_plain_search(bytes: Vec<u8>, from in 0usize..40) {
            let plain = |is_hit: fn(u8) -> bool| {
                let after = bytes.get(from..).and_then(|rest| rest.iter().position(|&b| is_hit(b)));
                after.map_or(bytes.len().max(from), |at| from + at)
            };
            proptest::prop_assert_eq!(
                string_end(&bytes, from),
                plain(|b| b < 0x20 || b == b'"' || b == b'\\')
            );
            proptest::prop_assert_eq!(
                unwritable(&bytes, from),
                plain(|b| b < 0x20 || b == b'"' || b == b'\\' || b >= 0xf0)
            );
        }
    }
}

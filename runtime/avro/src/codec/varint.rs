//! Avro's integers: zig-zag, seven bits a byte, the lowest first.

/// Appends `value` in one to ten bytes.
#[inline]
pub(crate) fn write_long(out: &mut Vec<u8>, value: i64) {
    write_varint(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Appends `value` in one to five bytes.
#[inline]
pub(crate) fn write_int(out: &mut Vec<u8>, value: i32) {
    write_varint(out, u64::from(((value << 1) ^ (value >> 31)).cast_unsigned()));
}

/// Appends a length or a count of what is in memory, as Avro's long: for what frames data, such as the blocks of files.
#[inline]
pub fn write_length(out: &mut Vec<u8>, length: usize) {
    write_varint(out, (length as u64) << 1);
}

#[inline]
fn write_varint(out: &mut Vec<u8>, value: u64) {
    if value < 0x80 {
        #[expect(clippy::cast_possible_truncation, reason = "below 128")]
        out.push(value as u8);
    } else if value < 1 << 56 {
        write_spread(out, value);
    } else {
        write_slowly(out, value);
    }
}

/// Up to eight bytes at once: spreads the groups of seven bits over a word, then cuts off what is not needed.
#[inline]
fn write_spread(out: &mut Vec<u8>, value: u64) {
    let length = (70 - value.leading_zeros()) / 7;
    let word = ((value & 0x00ff_ffff_f000_0000) << 4) | (value & 0x0000_0000_0fff_ffff);
    let word = ((word & 0x0fff_c000_0fff_c000) << 2) | (word & 0x0000_3fff_0000_3fff);
    let word = ((word & 0x3f80_3f80_3f80_3f80) << 1) | (word & 0x007f_007f_007f_007f);
    let more = 0x8080_8080_8080_8080 & ((1_u64 << (8 * (length - 1))) - 1);
    let end = out.len() + length as usize;
    out.extend_from_slice(&(word | more).to_le_bytes());
    out.truncate(end);
}

#[cold]
fn write_slowly(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        #[expect(clippy::cast_possible_truncation, reason = "the low seven bits")]
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 128")]
    out.push(value as u8);
}

/// The varint at the low end of `word` and the number of its bytes, all at once: cuts off what is behind it, then closes
/// the gaps between the groups of seven bits. `None` where it is longer than eight bytes.
#[inline]
pub(crate) fn read_spread(word: u64) -> Option<(u64, usize)> {
    // The highest bit of each byte that is a last one; the lowest of them is this one's.
    let last = !word & 0x8080_8080_8080_8080;
    if last == 0 {
        return None;
    }
    let word = word & (last ^ (last - 1)) & 0x7f7f_7f7f_7f7f_7f7f;
    let word = ((word & 0x7f00_7f00_7f00_7f00) >> 1) | (word & 0x007f_007f_007f_007f);
    let word = ((word & 0x3fff_0000_3fff_0000) >> 2) | (word & 0x0000_3fff_0000_3fff);
    let word = ((word & 0x0fff_ffff_0000_0000) >> 4) | (word & 0x0000_0000_0fff_ffff);
    Some((word, last.trailing_zeros() as usize / 8 + 1))
}

/// What a varint of zig-zag stands for.
#[inline]
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_are_the_same() {
        let mut value = 1_u64;
        for shift in 0..64 {
            for near in [value.wrapping_sub(1), value, value + 1, value.wrapping_mul(3)] {
                let (mut fast, mut slow) = (Vec::new(), Vec::new());
                write_varint(&mut fast, near);
                write_slowly(&mut slow, near);
                assert_eq!(fast, slow, "{near:#x}");
                // And it is read whatever stands behind it.
                for behind in [0x00, 0x7f, 0x80, 0xff] {
                    let mut word = [behind; 8];
                    let length = slow.len();
                    let fits = word.get_mut(..length).map(|start| start.copy_from_slice(&slow));
                    let expected = fits.map(|()| (near, length));
                    let read = read_spread(u64::from_le_bytes(word));
                    assert!(expected.is_none() || read == expected, "{near:#x}: {read:?}");
                }
            }
            value = 1_u64.checked_shl(shift + 1).unwrap_or(0);
        }
    }

    #[test]
    fn what_does_not_end_in_eight_bytes_is_not_read() {
        assert_eq!(read_spread(u64::MAX), None);
        assert_eq!(read_spread(0x7fff_ffff_ffff_ffff), Some((0x00ff_ffff_ffff_ffff, 8)));
    }

    #[test]
    fn the_examples_of_the_specification() {
        for (value, bytes) in
            [(0_i64, vec![0]), (-1, vec![1]), (1, vec![2]), (-64, vec![0x7f]), (64, vec![0x80, 1])]
        {
            let mut out = Vec::new();
            write_long(&mut out, value);
            assert_eq!(out, bytes);
            out.clear();
            write_int(&mut out, i32::try_from(value).unwrap());
            assert_eq!(out, bytes);
        }
        let mut out = Vec::new();
        write_long(&mut out, i64::MIN);
        assert_eq!(out.len(), 10);
    }

    #[test]
    fn lengths_are_read_back_and_nothing_else() {
        let mut out = Vec::new();
        write_length(&mut out, 300);
        out.push(7);
        let mut rest = out.as_slice();
        assert_eq!((crate::read_length(&mut rest).unwrap(), rest), (300, [7].as_slice()));
        let mut minus = Vec::new();
        write_long(&mut minus, -1);
        for broken in [&[][..], &out[..1], &minus] {
            assert!(crate::read_length(&mut &*broken).is_err(), "{broken:?}");
        }
    }
}

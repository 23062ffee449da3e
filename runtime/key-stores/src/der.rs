//! As much of DER as private keys take.

/// A sequence.
pub(crate) const SEQUENCE: u8 = 0x30;
/// A string of octets.
pub(crate) const OCTETS: u8 = 0x04;
/// A string of bits.
pub(crate) const BITS: u8 = 0x03;
/// An integer.
pub(crate) const INTEGER: u8 = 0x02;
/// The field `[1]`.
pub(crate) const FIELD_1: u8 = 0xa1;

/// The contents of the element at the beginning, and what follows it.
pub(crate) fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.split_first()?;
    let (&length, rest) = rest.split_first()?;
    if first != tag {
        return None;
    }
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        _ => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            if digits.len() > 4 {
                return None;
            }
            (digits.iter().fold(0usize, |number, digit| (number << 8) | usize::from(*digit)), rest)
        }
    };
    rest.split_at_checked(length)
}

/// An element of `parts`; none where they are longer than any key.
pub(crate) fn made(tag: u8, parts: &[&[u8]]) -> Option<Vec<u8>> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let [high, low] = u16::try_from(length).ok()?.to_be_bytes();
    let mut der = match (high, low) {
        (0, 0..=0x7f) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    parts.iter().for_each(|part| der.extend_from_slice(part));
    Some(der)
}

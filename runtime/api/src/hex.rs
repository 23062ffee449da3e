//! Bytes as hexadecimal digits, two for each, as they stand in keys, texts and offsets.

/// The digits, in lower case.
///
/// ```
/// assert_eq!(lavka_api::hex::encode(&[0, 0xab, 0xff]), "00abff");
/// ```
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The bytes of digits in either case; `None` where `digits` are anything but two digits for each.
///
/// ```
/// assert_eq!(lavka_api::hex::decode("00aBff"), Some(vec![0, 0xab, 0xff]));
/// assert_eq!(lavka_api::hex::decode("0"), None);
/// ```
#[must_use]
pub fn decode(digits: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    let (pairs, odd) = digits.as_ref().as_chunks::<2>();
    if !odd.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect()
}

/// The digit of a nibble.
fn digit(nibble: u8) -> char {
    char::from(if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble })
}

/// The nibble of a digit.
fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_goes_there_and_back() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        let digits = encode(&all);
        assert!(digits.starts_with("000102") && digits.ends_with("feff"));
        assert_eq!(decode(&digits), Some(all.clone()));
        assert_eq!(decode(digits.to_uppercase()), Some(all));
        assert_eq!(decode(""), Some(vec![]));
    }

    #[test]
    fn what_is_no_digit_is_refused() {
        for wrong in ["a", "abc", "zz", "ä0", "a b", "+1", "0x", "/:", "@G", "`g"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}

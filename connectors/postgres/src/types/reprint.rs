//! Timestamps in UTC as the server prints nearly all of them: what they become has the same digits.

use lavka_api::data::Str;

/// `yyyy-MM-dd HH:mm:ss[.fraction]+00` as `yyyy-MM-ddTHH:mm:ss[.fraction]Z`, with a fraction of `width` digits, or of just as
/// many as it needs. `None` for what is not of this form, or would have other digits; that is for who reads them.
pub(super) fn utc_timestamp(text: &[u8], width: Option<usize>) -> Option<Str> {
    let body = text.strip_suffix(b"+00")?;
    let (seconds, fraction) = body.split_first_chunk::<19>()?;
    if !are_seconds(seconds) || !is_fraction(fraction, width) {
        return None;
    }
    let mut out = [0; 27];
    out.get_mut(..body.len())?.copy_from_slice(body);
    *out.get_mut(body.len())? = b'Z';
    out[10] = b'T';
    Str::from_utf8(out.get(..=body.len())?).ok()
}

/// Whether these are a date and a time that need not be set right: the last day of a leap February does not count, nor
/// does the end of a day or a leap second.
fn are_seconds(text: &[u8; 19]) -> bool {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b' ', h1, h2, b':', i1, i2, b':', s1, s2] = *text else {
        return false;
    };
    let years = [y1, y2, y3, y4];
    if !years.iter().all(u8::is_ascii_digit) || years == *b"0000" {
        return false;
    }
    let month = two(m1, m2);
    let last = match month {
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    (1..=12).contains(&month)
        && (1..=last).contains(&two(d1, d2))
        && two(h1, h2) < 24
        && two(i1, i2) < 60
        && two(s1, s2) < 60
}

/// The number of two digits; 255 where they are none.
fn two(tens: u8, ones: u8) -> u8 {
    match (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0')) {
        (tens @ ..=9, ones @ ..=9) => tens * 10 + ones,
        _ => u8::MAX,
    }
}

/// Whether `text` is nothing, or a point and digits, and just as long as is wanted.
fn is_fraction(text: &[u8], width: Option<usize>) -> bool {
    let digits = match text.split_first() {
        None => text,
        Some((b'.', digits @ [_, ..])) if digits.len() <= 6 => digits,
        Some(_) => return false,
    };
    let fits = match width {
        Some(width) => digits.len() == width,
        None => digits.last() != Some(&b'0'),
    };
    fits && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_timestamps_keep_their_digits() {
        for (text, width, expected) in [
            ("2026-03-04 11:14:15.123456+00", None, Some("2026-03-04T11:14:15.123456Z")),
            ("2026-03-04 11:14:15+00", None, Some("2026-03-04T11:14:15Z")),
            ("2026-03-04 11:14:15+00", Some(0), Some("2026-03-04T11:14:15Z")),
            ("2026-12-31 23:59:59.5+00", Some(1), Some("2026-12-31T23:59:59.5Z")),
            ("2026-12-31 23:59:59.5+00", Some(3), None),
            ("2026-12-31 23:59:59.50+00", None, None),
            ("2024-02-29 00:00:00+00", None, None),
            ("2026-04-31 00:00:00+00", None, None),
            ("2026-01-01 24:00:00+00", None, None),
            ("0000-01-01 00:00:00+00", None, None),
            ("0044-03-15 12:00:00+00 BC", None, None),
            ("12026-01-01 00:00:00+00", None, None),
            ("2026-01-01 00:00:00+02", None, None),
            ("2026-01-01 00:00:00.+00", None, None),
            ("2026-01-01 00:00:00.1234567+00", None, None),
            ("infinity", None, None),
            ("", None, None),
        ] {
            assert_eq!(utc_timestamp(text.as_bytes(), width).as_deref(), expected, "{text}");
        }
    }
}

//! Text of floating-point numbers as `Double.toString` and `Float.toString` (Java 19 and later: shortest digits).

/// Appends `value` as `Double.toString` prints it.
///
/// ```
/// let mut out = Vec::new();
/// lavka_api::java::write_f64(&mut out, 1e10);
/// assert_eq!(out, b"1.0E10");
/// ```
pub fn write_f64(out: &mut Vec<u8>, value: f64) {
    if (1e-3..1e7).contains(&value.abs()) {
        // Where Java's layout is plain, so is that of the shortest digits as they come.
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    } else if value.is_subnormal() {
        layout(
            out,
            &two_digits(zmij::Buffer::new().format_finite(value), &format!("{value:.1e}"), |text| {
                text.parse::<f64>() == Ok(value)
            }),
        );
    } else if value.is_finite() {
        layout(out, zmij::Buffer::new().format_finite(value));
    } else {
        special(out, value.is_nan(), value.is_sign_negative());
    }
}

/// Appends `value` as `Float.toString` prints it.
pub fn write_f32(out: &mut Vec<u8>, value: f32) {
    if (1e-3..1e7).contains(&value.abs()) {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    } else if value.is_subnormal() {
        layout(
            out,
            &two_digits(zmij::Buffer::new().format_finite(value), &format!("{value:.1e}"), |text| {
                text.parse::<f32>() == Ok(value)
            }),
        );
    } else if value.is_finite() {
        layout(out, zmij::Buffer::new().format_finite(value));
    } else {
        special(out, value.is_nan(), value.is_sign_negative());
    }
}

/// Where one digit would do, Java prints the two digits nearest to the value, which differs for the smallest
/// subnormal numbers alone: `4.9E-324`, not `5.0E-324`.
fn two_digits(shortest: &str, rounded: &str, reads_back: impl Fn(&str) -> bool) -> String {
    let one_digit = shortest.bytes().take_while(|&b| b != b'e').filter(u8::is_ascii_digit).count() == 1;
    let text = if one_digit && reads_back(rounded) { rounded } else { shortest };
    text.to_owned()
}

fn special(out: &mut Vec<u8>, nan: bool, negative: bool) {
    out.extend_from_slice(match (nan, negative) {
        (true, _) => b"NaN".as_slice(),
        (false, true) => b"-Infinity",
        (false, false) => b"Infinity",
    });
}

/// Lays shortest digits out as Java does: plain from 1e-3 up to 1e7, else scientific with one digit before the point,
/// always at least one after it, and no plus sign.
fn layout(out: &mut Vec<u8>, shortest: &str) {
    let (negative, unsigned) = match shortest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, shortest),
    };
    if negative {
        out.push(b'-');
    }
    let (mantissa, exponent) = match unsigned.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().unwrap_or(0)),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // Digits without leading zeros, and the exponent of the first of them.
    let mut digits = [0u8; 40];
    let mut count = 0;
    let mut leading = 0;
    for &byte in whole.as_bytes().iter().chain(fraction.as_bytes()) {
        if byte == b'0' && count == 0 {
            leading += 1;
        } else if let Some(slot) = digits.get_mut(count) {
            *slot = byte;
            count += 1;
        }
    }
    while count > 1 && digits[count - 1] == b'0' {
        count -= 1;
    }
    if count == 0 {
        out.extend_from_slice(b"0.0");
        return;
    }
    let digits = &digits[..count];
    let scientific = exponent + i32::try_from(whole.len()).unwrap_or(0) - 1 - leading;
    if (-3..7).contains(&scientific) {
        plain(out, digits, scientific);
    } else {
        out.push(digits[0]);
        out.push(b'.');
        out.extend_from_slice(if count > 1 { &digits[1..] } else { b"0" });
        out.push(b'E');
        out.extend_from_slice(itoa::Buffer::new().format(scientific).as_bytes());
    }
}

/// `digits` with the point placed so that the first digit has the weight 10^`exponent`.
fn plain(out: &mut Vec<u8>, digits: &[u8], exponent: i32) {
    let Ok(exponent) = usize::try_from(exponent) else {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', exponent.unsigned_abs() as usize - 1));
        out.extend_from_slice(digits);
        return;
    };
    for i in 0..=exponent {
        out.push(digits.get(i).copied().unwrap_or(b'0'));
    }
    out.push(b'.');
    out.extend_from_slice(digits.get(exponent + 1..).filter(|rest| !rest.is_empty()).unwrap_or(b"0"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn double(value: f64) -> String {
        let mut out = Vec::new();
        write_f64(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    fn float(value: f32) -> String {
        let mut out = Vec::new();
        write_f32(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn j10_doubles() {
        for (value, text) in [
            (1.0, "1.0"),
            (1e7, "1.0E7"),
            (9_999_999.0, "9999999.0"),
            (0.001, "0.001"),
            (9.9e-4, "9.9E-4"),
            (123_456_789_012.0, "1.23456789012E11"),
            (1e21, "1.0E21"),
            (-0.0, "-0.0"),
            (0.0, "0.0"),
            (5e-324, "4.9E-324"),
            (2e-323, "2.0E-323"),
            (f64::MAX, "1.7976931348623157E308"),
            (1_234_567.5, "1234567.5"),
            (0.25, "0.25"),
            (-12.75, "-12.75"),
            (100.0, "100.0"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(double(value), text);
        }
    }

    #[test]
    fn j12_floats() {
        for (value, text) in [
            (1.1, "1.1"),
            (16_777_216.0, "1.6777216E7"),
            (f32::MAX, "3.4028235E38"),
            (1e-5, "1.0E-5"),
            (1e-45, "1.4E-45"),
        ] {
            assert_eq!(float(value), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn plain_digits_come_in_java_s_layout(bits: u64, value in -2e7f64..2e7, small in -2e-3f64..2e-3) {
            let short = f32::from_bits(bits as u32);
            let shorts = [short, value as f32, small as f32];
            for value in shorts.into_iter().filter(|value| (1e-3..1e7).contains(&value.abs())) {
                let mut laid_out = Vec::new();
                layout(&mut laid_out, zmij::Buffer::new().format_finite(value));
                proptest::prop_assert_eq!(float(value).into_bytes(), laid_out);
            }
            let values = [f64::from_bits(bits), value, small, value.trunc()];
            for value in values.into_iter().filter(|value| (1e-3..1e7).contains(&value.abs())) {
                let mut laid_out = Vec::new();
                layout(&mut laid_out, zmij::Buffer::new().format_finite(value));
                proptest::prop_assert_eq!(double(value).into_bytes(), laid_out);
            }
        }

        #[test]
        fn text_reads_back(bits: u64) {
            let value = f64::from_bits(bits);
            if value.is_finite() {
                proptest::prop_assert_eq!(double(value).parse::<f64>().unwrap().to_bits(), bits);
            }
        }
    }
}
